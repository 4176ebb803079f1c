"""Start the switch on rpi-lgpio so many times, press and release: what was logged, and when.

    python -m tests.guest.inside.deafstarts CHIP-LABEL SYSFS-FOLDER STARTS SETTLE-MS

Each start is a process of its own, for lgpio starts once in a process; it is forked before lgpio is
loaded, so that a start takes no more than it must. One line of JSON a start goes to stdout.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from bodycam.boardpins import BoardPins
from bodycam.clock import SystemClock
from bodycam.config import Pin
from bodycam.rpilines import RpiLines
from tests.switchrig import SwitchRig, reading, switch_log

# gpio-sim takes the chip's own resistor for the hand on the switch: claiming would release it.
RECORD = {"record": Pin(bcm=17, direction="in")}
CLOCK = SystemClock()


class RecordOnly(BoardPins):
    """The claims of other lines would wake the thread that slept through the first one's."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.anew = threading.Event()

    def reclaim(self, name: str) -> None:
        super().reclaim(name)
        self.anew.set()

    def level(self, name: str) -> bool | None:
        return super().level(name) if name == "record" else False


def hears(rig: SwitchRig, pins: RecordOnly) -> bool:
    """By itself, or claimed anew: the log says so before."""
    return bool(rig.lines("switch.edge")) or pins.anew.is_set()


def start(label: str, pull: Path, settle_s: float, folder: Path) -> dict[str, object]:
    pull.write_text("pull-up")
    moved_ns = {}
    with switch_log(folder) as rig:
        lines = RpiLines(label, CLOCK, folder)
        with RecordOnly(lines, RECORD, CLOCK, rig.log.append) as pins, reading(rig, pins):
            threading.Event().wait(settle_s)
            for what, level in (("on", "pull-down"), ("off", "pull-up")):
                moved_ns[what] = CLOCK.boot_ns()
                pull.write_text(level)
                rig.until_logged(f"switch.{what}")
                rig.until("an edge, or a new claim", lambda: hears(rig, pins))
        return {"moved_ns": moved_ns, "log": rig.lines()}


def main() -> None:
    label, sysfs, starts, settle_ms = sys.argv[1:]
    pull, settle_s = Path(sysfs) / "sim_gpio17/pull", int(settle_ms) / 1000
    for _ in range(int(starts)):
        if not os.fork():
            with tempfile.TemporaryDirectory() as folder:
                print(json.dumps(start(label, pull, settle_s, Path(folder))))
            sys.stdout.flush()
            os._exit(0)
        _, status = os.wait()
        if status:
            sys.exit(f"a start ended with {status}")


if __name__ == "__main__":
    main()

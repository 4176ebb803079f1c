"""What the pins cost while nobody moves a switch: processor time and wake-ups a second.

    python -m bench.pins gpiod|rpi [CHIP-LABEL]

On a Pi, or in the guest on gpio-sim. The switch thread's rounds are what it does at rest: it waits
100 ms for edges, then reads every input.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bodycam.boardpins import open_board
from bodycam.clock import NS, SystemClock
from bodycam.config import Gpio, PinsBackend, default_pins

_ROUND_S = 0.1
_RUN_NS = 20 * NS


def wakeups() -> Iterator[int]:
    """How often each thread of this process has slept and was woken."""
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                yield int(line.split()[1])


def say(ev: str, **data: object) -> None:
    """What would be a line of the log."""
    print(ev, data)


def main() -> None:
    backend, label = sys.argv[1], "".join(sys.argv[2:3])
    clock, pin_map = SystemClock(), default_pins()
    inputs = [name for name, pin in pin_map.items() if pin.direction == "in"]
    gpio = Gpio(backend=PinsBackend(backend), chip=label)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_board(gpio, pin_map, clock, Path(folder), say) as pins,
    ):
        pins.edges(2)
        woken, cpu_s, began_ns = sum(wakeups()), time.process_time(), clock.boot_ns()
        until_ns = began_ns + _RUN_NS
        while clock.boot_ns() < until_ns:
            pins.edges(_ROUND_S)
            for name in inputs:
                pins.level(name)
        took_s = (clock.boot_ns() - began_ns) / NS
        cpu = (time.process_time() - cpu_s) / took_s
        rate = (sum(wakeups()) - woken) / took_s
    print(f"{backend}: {100 * cpu:.2f} % of a core, {rate:.0f} wake-ups a second")


if __name__ == "__main__":
    main()

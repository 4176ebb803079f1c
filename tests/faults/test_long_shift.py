"""A whole shift on a fast clock: hundreds of toggles, stalls in between, and nothing grows."""

from __future__ import annotations

import random
import re
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bodycam.clock import NS
from bodycam.errors import DeviceError
from bodycam.simulate.control import PinsClient

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure

pytestmark = pytest.mark.system

MIB = 1024 * 1024
# Few and small pictures, so that the clock may run this fast; a stall is told from a busy machine's
# pause by its length.
SHIFT = {
    "camera": {"width": 320, "height": 180, "bitrate_kbps": 200, "fps": 2, "gop_ms": 1000},
    "audio": {"source": "none"},
    "pre_record": {"seconds": 30},
    "recording": {"post_record_s": 5, "segment_s": 300, "fragment_ms": 500},
    "switch": {"off_stable_ms": 2000},
    "watchdog": {"stall_ms": 30_000},
}


@dataclass(slots=True)
class Usage:
    """What the recorder uses, sampled while it works: boot time, resident bytes, descriptors."""

    rig: FaultRig
    samples: list[tuple[int, int, int]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            pid = self.rig.unit.pid
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            resident = re.search(r"VmRSS:\s+(\d+) kB", status)
            assert resident is not None
            open_files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            now_ns = self.rig.unit.clock.boot_ns()
            self.samples.append((now_ns, int(resident[1]) * 1024, open_files))

    def stop(self) -> None:
        self._stop.set()

    def growth_bytes(self) -> float:
        """How much it grew from the first third on, by the line that fits best."""
        settled = self.samples[len(self.samples) // 3 :]
        at_s = np.array([at_ns for at_ns, _, _ in settled]) / NS
        slope = np.polyfit(at_s - at_s[0], np.array([used for _, used, _ in settled]), 1)[0]
        return float(slope * (at_s[-1] - at_s[0]))

    def descriptors(self) -> int:
        """How far the number of open files moved from its lowest to its highest, once settled."""
        counts = [count for _, _, count in self.samples[len(self.samples) // 3 :]]
        return max(counts) - min(counts)


def work(rig: FaultRig, hours: float, toggles: int, stalls: int, dice: random.Random) -> None:
    """Throw the switch at random moments, so many times; stop the worker now and then."""
    began_ns, length_ns = rig.unit.clock.boot_ns(), int(hours * 3600 * NS)
    # Each position is held for 10 s at least, or it would not be a toggle.
    share_ns = length_ns // toggles
    due = [began_ns + i * share_ns + dice.randrange(share_ns - 10 * NS) for i in range(toggles)]
    stalled = {round((i + 0.5) * toggles / stalls) & ~1 for i in range(stalls)}  # just switched on
    with PinsClient(rig.unit.socket_path) as pins:
        for i, due_ns in enumerate(due):
            rig.run_for(max(0, due_ns - rig.unit.clock.boot_ns()) / NS)
            pins.set("record", i % 2 == 0)
            if i in stalled:
                rig.until("a worker that can be stopped", lambda: stop_worker(rig))
    rig.run_for(max(60, (began_ns + length_ns - rig.unit.clock.boot_ns()) / NS))


def stop_worker(rig: FaultRig) -> bool:
    """SIGSTOP; false if there is none at the moment."""
    try:
        rig.unit.signal_worker(signal.SIGSTOP)
    except (DeviceError, ProcessLookupError):
        return False
    return True


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("hours", "speed", "toggles", "stalls"),
    [
        pytest.param(0.5, 60, 20, 2, id="half an hour"),
        pytest.param(12, 100, 400, 24, id="twelve hours", marks=pytest.mark.soak),
    ],
)
def test_f68_a_shift_of_toggles_and_stalls_is_all_in_the_log_and_nothing_grows(
    unit: Faulty, measured: Measure, hours: float, speed: float, toggles: int, stalls: int
) -> None:
    with unit(SHIFT, speed) as rig:
        usage = Usage(rig)
        sampler = threading.Thread(target=usage.run, args=(min(1.0, hours / 4),), daemon=True)
        sampler.start()
        work(rig, hours, toggles, stalls, random.Random(1))
        rig.until_state("ready")
        usage.stop()
        sampler.join()
    thrown = [line["ev"] for line in rig.log() if line["ev"] in ("switch.on", "switch.off")]
    assert thrown == ["switch.on", "switch.off"] * (toggles // 2)
    started = len(rig.events("rec.start"))
    # A new worker takes a second of the machine's time: a press meanwhile may be over before it films.
    assert toggles // 2 - stalls <= started == len(rig.events("rec.stop")) <= toggles // 2
    assert len(rig.events("capture.stall")) >= stalls
    assert rig.states().count("rec") >= started
    measured("hours on the camera's clock", hours, "h")
    measured("memory grown", usage.growth_bytes() / MIB, "MiB", 1.0)
    measured("descriptors more or less", usage.descriptors(), "", 4)

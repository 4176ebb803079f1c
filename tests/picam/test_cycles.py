"""Started and stopped twenty times: nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.picam.sensor import Sensor
from tests.picam.test_faults import CAMERA
from tests.rig import running

CYCLES = 20
WARM = 3  # what is made once is there by then


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def own_kib(pid: int) -> int:
    """Memory that belongs to the process alone: without the ring and the libraries."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon:")))


def test_twenty_workers_leave_nothing_in_the_recorder(sensor: Sensor, tmp_path: Path) -> None:
    with running(tmp_path / "unit", CAMERA) as rig:
        pid, seen = rig.unit.pid, []
        assert pid is not None
        for cycle in range(WARM + CYCLES):
            rig.until_logged("gap" if cycle else "ready", max(1, cycle))
            rig.run_for(0.6)  # a worker that delivered is replaced at once
            seen.append((descriptors(pid), own_kib(pid)))
            rig.unit.signal_worker(signal.SIGTERM)
            rig.until_logged("capture.exit", cycle + 1)
    ends = {line["data"]["reason"] for line in rig.events("capture.exit")[: WARM + CYCLES]}
    assert ends == {"exit 0"}, "each stopped its camera, in time"
    fds, kib = zip(*seen[WARM:], strict=True)
    assert max(fds) <= max(fd for fd, _ in seen[:WARM])
    assert kib[-1] - kib[0] < 1024, f"KiB: {kib}"


PROGRAM = """
import gc, json, os, sys, threading
from pathlib import Path
from bodycam.buffer import PreRecordBuffer, RingLimits
from bodycam.camera.picam import PicamSource
from bodycam.camera.sink import UnitSink
from bodycam.clock import NS, SystemClock
from bodycam.configfile import parse
from bodycam.ringwriter import RingWriter
from tests.picam.test_cycles import descriptors, own_kib

config = parse({"camera": {"source": "picamera2", "width": 640, "height": 480}}, "cycles")
ring = PreRecordBuffer(RingLimits(8 << 20, 3600 * NS, 60_000, 1 << 20))
read_end, write_end = os.pipe()
threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(read_end, 4096), b"")],
                 daemon=True).start()
for cycle in range(int(sys.argv[1])):
    sink = UnitSink(RingWriter(ring.fd, write_end, head=0, epoch=1), SystemClock(),
                    threading.Event())
    source = PicamSource(config, SystemClock())
    source.open()
    threading.Thread(target=lambda: [sink.stop.wait(0.01) for _ in iter(
        lambda: sink.frames >= 10, True)] and sink.stop.set(), daemon=True).start()
    source.run(sink)
    source.close()
    del source, sink
    gc.collect()
    print(json.dumps([descriptors(os.getpid()), own_kib(os.getpid())]), flush=True)
"""


def test_one_process_may_open_and_close_the_camera_as_often(sensor: Sensor) -> None:
    """More than is ever asked of it: a worker opens the camera once in its life."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(WARM + CYCLES)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(seen) == WARM + CYCLES
    fds, kib = zip(*seen[WARM:], strict=True)
    assert max(fds) == min(fds), fds
    # The allocator takes and gives back whole arenas. A picture that stayed behind has 460 KiB, each
    # time: then even the least of the second half would be above the most of the first.
    half = CYCLES // 2
    assert max(kib[half:]) - max(kib[:half]) < 2048, f"KiB: {kib}"

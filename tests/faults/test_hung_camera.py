"""The capture worker hangs in the kernel, where not even SIGKILL ends it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.reboot import REBOOT_FILE
from tests.rig import QUICK

from .conftest import Faulty
from .deafdisk import FILM, deaf_disk
from .results import Measure
from .shift import gaps_of, recorded, stopped, until_gap

pytestmark = pytest.mark.system

_NOT_BEFORE_S = 300  # after a boot, as reboot.py has it


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of noise: so much of it that it is read all the time."""
    path = tmp_path_factory.mktemp("film") / FILM
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i",
         "testsrc2=size=320x180:rate=10,noise=alls=60:allf=t", "-t", "10", "-c:v", "libx264",
         "-preset", "ultrafast", "-bf", "0", "-g", "5", "-b:v", "500k", str(path)],
        check=True, timeout=60,
    )  # fmt: skip
    return path.read_bytes()


def test_f16_a_worker_that_hangs_in_the_kernel_costs_a_reboot_and_no_evidence(
    unit: Faulty, film: bytes, tmp_path: Path, measured: Measure
) -> None:
    with deaf_disk(tmp_path / "disk", film) as disk:
        camera = {
            **QUICK["camera"], "fps": 10, "source": "replay", "file": str(tmp_path / "disk" / FILM),
        }  # fmt: skip
        overrides: dict[str, Any] = {"camera": camera, "audio": {"source": "none"}}
        with unit(overrides, 4) as rig:
            recorded(rig)
            rig.run_for(2)
            recorder, worker = rig.unit.pid, int(rig.unit.status()["worker_pid"])
            disk.answers.clear()
            rig.until_logged("capture.stall")
            rig.until_state("fault")
            unkillable = rig.until_logged("capture.unkillable")
            assert unkillable["data"]["pid"] == worker
            assert state_of(worker) == "D", "killed, and still there"
            held = {path: path.stat().st_size for path in rig.segments()}
            rig.until_logged("reboot", seconds=_NOT_BEFORE_S + 30)
            asked = (rig.unit.runtime / REBOOT_FILE).exists()
            assert rig.unit.pid == recorder, "the recorder lives on"
            # What a reboot does to it.
            disk.answers.set()
            gap = until_gap(rig, 5)
            rig.until_state("rec")
            rig.run_for(1)
            stopped(rig)
        assert asked
        assert rig.events("reboot")[0]["data"]["refused"] is None
        assert len(rig.events("reboot")) == len(rig.events("rec.start")) == 1
        assert gap["cause"] == "stall"
        assert len(gaps_of(rig, 1)) == 1
        assert all(path.stat().st_size >= size for path, size in held.items())
        late_s = (unkillable["boot_ns"] - rig.events("capture.stall")[0]["boot_ns"]) / NS
        measured("seconds from the kill until it is called unkillable", late_s, "s", 6.0)


def state_of(pid: int) -> str:
    """A process's state as the kernel has it: D cannot be woken."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]

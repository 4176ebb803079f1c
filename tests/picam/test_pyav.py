"""The PyAV and FFmpeg of Debian 13, which a camera has: encode, mux, replay, prove."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bodycam.clock import NS
from bodycam.custody.export import Order, export
from bodycam.custody.manifest import manifest_path
from bodycam.errors import ExitCode
from bodycam.signing import load_root
from tests.capturing import Worker
from tests.rig import QUICK, running
from tests.scene_reader import beep_onsets, flash_onsets, read_frames

REPLAY = """
[camera]
source = "replay"
file = "{clip}"
width = 320
height = 180
[audio]
source = "replay"
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of the synthetic street with its sound, exported beside their manifest."""
    out = tmp_path_factory.mktemp("street")
    sounding = {**QUICK, "pre_record": {"seconds": 2, "audio": True}}
    with running(out / "unit", sounding) as rig:
        rig.until_logged("ready")
        rig.press(True)
        rig.until_logged("rec.start")
        rig.run_for(5)
        rig.press(False)
        rig.until_logged("rec.stop")
    report = rig.verify()
    assert report.exit_code is ExitCode.OK, report.findings
    unit, made = rig.unit, out / "clip.mp4"
    key = unit.out / "authority" / "custody.key"
    export(Order([next((unit.card / "evidence").iterdir())], key, load_root(unit.root_path)), made)
    return made


def test_picture_and_sound_are_whole_and_together(clip: Path) -> None:
    frames = read_frames(clip)
    numbers = [frame.number for frame in frames]
    assert all(a is not None and b == a + 1 for a, b in pairwise(numbers))
    flashes, beeps = flash_onsets(frames), beep_onsets(clip)
    assert len(flashes) >= 3
    for flash in flashes[1:-1]:
        assert min(abs(flash - beep) for beep in beeps) < 0.04


def test_the_clip_proves_itself(clip: Path) -> None:
    root, manifest = clip.parent / "unit/authority/root.pem", manifest_path(clip)
    done = subprocess.run(
        [
            sys.executable, "-m", "bodycam", "verify", str(clip), "--trust", str(root),
            "--manifest", str(manifest),
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr


def test_the_clip_is_a_camera_again(clip: Path, tmp_path: Path) -> None:
    shown = len(read_frames(clip))
    worker = Worker(tmp_path, REPLAY.format(clip=clip))
    worker.read_until(lambda: len(worker.video) >= shown and "AUDIO" in worker.order)
    ended = worker.process.poll()
    worker.close()
    assert (ended, worker.said("capture.ready")["source"]) == (None, "replay")
    steps = {round((b.at_ns - a.at_ns) * 30 / NS) for a, b in pairwise(worker.video)}
    assert steps == {1}

"""What the recorder asks of its camera while it runs, seen in the evidence."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from bodycam.clock import MS, NS
from bodycam.errors import ExitCode
from bodycam.formats.boxes import children
from bodycam.formats.mp4 import VIDEO_TIMESCALE, VIDEO_TRACK_ID
from bodycam.formats.mp4read import read_fragment
from bodycam.sharedring import Load
from tests.rig import QUICK, records_of, running

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("wishes")]


def pictures(segment: Path) -> list[tuple[int, bool]]:
    """Each picture of a segment: when it was captured, and whether it is a keyframe."""
    raw, found = segment.read_bytes(), []
    zero_ns = records_of(segment)[0]["boot_ns"]
    for box in children(raw, 0, len(raw)):
        if box.kind != "moof":
            continue
        for run in read_fragment(raw[box.start : box.end]):
            ticks = run.base_time
            for sample in run.samples if run.track_id == VIDEO_TRACK_ID else ():
                found.append((zero_ns + ticks * NS // VIDEO_TIMESCALE, sample.keyframe))
                ticks += sample.duration
    return found


def keyframes_ns(segment: Path) -> list[int]:
    return [at_ns for at_ns, keyframe in pictures(segment) if keyframe]


def test_a_press_gets_a_keyframe_at_once(tmp_path: Path) -> None:
    camera = {**QUICK["camera"], "gop_ms": 5000}
    with running(tmp_path / "unit", {"camera": camera}) as rig:
        rig.until_logged("ready")
        rig.run_for(1)
        rig.press(True)
        pressed_ns = rig.until_logged("switch.on")["boot_ns"]
        rig.until_logged("rec.start")
        rig.run_for(1)
        rig.press(False)
        rig.until_logged("rec.stop")
    (segment,) = rig.segments()
    first, second = keyframes_ns(segment)
    assert first < pressed_ns < second < first + 5 * NS


def test_pictures_left_out_on_purpose_are_no_gap(tmp_path: Path) -> None:
    with running(tmp_path / "unit") as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        for load in (Load.FEWER_PICTURES, Load.FEWER_BITS, Load.FULL):
            rig.run_for(2)
            rig.shed(load)
        rig.run_for(2)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert rig.events("gap") == []
    assert rig.verify().exit_code is ExitCode.OK
    keyframes = [at_ns for segment in rig.segments() for at_ns in keyframes_ns(segment)]
    assert all(b - a < 570 * MS for a, b in pairwise(keyframes)), "a GOP lasts as long as ever"
    times = [at_ns for segment in rig.segments() for at_ns, _ in pictures(segment)]
    steps = [round((b - a) * 30 / NS) for a, b in pairwise(times)]
    assert set(steps) == {1, 2}
    assert steps == sorted(steps[: len(steps) // 2]) + sorted(
        steps[len(steps) // 2 :], reverse=True
    )


@pytest.fixture(scope="module")
def long_gop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with a keyframe every nine seconds: nobody can ask it for another."""
    film = tmp_path_factory.mktemp("film") / "drought.mp4"
    source = ("-f", "lavfi", "-i", "testsrc=s=320x180:r=30:d=18")
    encode = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-bf",
        "0",
        "-g",
        "270",
        "-sc_threshold",
        "0",
    )
    subprocess.run(["ffmpeg", "-v", "error", *source, *encode, str(film)], check=True)
    return film


def test_a_keyframe_that_does_not_come_is_said_and_shown_and_nothing_is_lost(
    tmp_path: Path, long_gop: Path
) -> None:
    camera = {**QUICK["camera"], "source": "replay", "file": str(long_gop)}
    audio = {"source": "none"}
    with running(tmp_path / "unit", {"camera": camera, "audio": audio}, speed=3) as rig:
        rig.until_logged("keyframe.age")
        rig.press(True)
        rig.until_logged("rec.start")
        rig.until("the camera is not ready", lambda: not rig.unit.status()["camera"])
        rig.until_logged("keyframe.age", 2)
        rig.until("the camera is ready again", lambda: rig.unit.status()["camera"])
        rig.press(False)
        rig.until_logged("rec.stop")
    begun, over = rig.events("keyframe.age")[:2]
    assert (begun["data"]["over"], over["data"]["over"]) == (False, True)
    assert 1000 <= begun["data"]["age_ms"] <= 1100
    assert over["data"]["age_ms"] == pytest.approx(9000, abs=40)
    assert rig.events("gap") == []
    assert rig.verify().exit_code is ExitCode.OK

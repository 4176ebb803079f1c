"""The camera gives pictures, and they are not what a recorder may count on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bodycam.camera.mishaps import MishapKind
from bodycam.clock import NS
from tests.rig import records_of

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .shift import SLOW_CAMERA, gaps_of, recorded, stopped

pytestmark = pytest.mark.system


def frames_of(rig: FaultRig) -> tuple[int, int]:
    """How many pictures the evidence holds, and how many it counts as lost."""
    frags = [r for path in rig.segments() for r in records_of(path) if r["t"] == "frag"]
    return sum(r["nv"] for r in frags), sum(r["drop"] for r in frags)


def test_f19_a_keyframe_drought_keeps_the_ring_and_is_shown(unit: Faulty) -> None:
    with unit(SLOW_CAMERA, 2) as rig:
        rig.until_state("ready")
        rig.run_for(2)
        mishap = rig.unit.mishap(MishapKind.NO_KEYFRAMES, 10)
        asked = rig.until_logged("keyframe.age")
        rig.until_state("notready")
        rig.press(True)
        start = rig.until_logged("rec.start")
        rig.until_logged("keyframe.age", 2)
        rig.until_state("rec")
        rig.run_for(1)
        stopped(rig)
    assert not asked["data"]["over"]
    assert rig.events("keyframe.age")[-1]["data"]["over"]
    assert start["data"]["first_ns"] <= mishap.from_ns + NS, "from the last keyframe on"
    assert gaps_of(rig, 1) == []
    assert len(rig.events("rec.start")) == 1


@pytest.mark.parametrize(
    "kind",
    [MishapKind.EMPTY, MishapKind.HEADLESS, MishapKind.GARBLED, MishapKind.NO_PARAMETER_SETS],
)
def test_f20_what_is_no_picture_is_counted_and_the_recording_goes_on(
    unit: Faulty, kind: MishapKind
) -> None:
    with unit(SLOW_CAMERA, 2) as rig:
        recorded(rig)
        rig.run_for(1)
        mishap = rig.unit.mishap(kind, 1)
        rig.run_for(3)
        stopped(rig)
    held, lost = frames_of(rig)
    bad = [line["data"]["count"] for line in rig.events("nal.bad")]
    match kind:
        case MishapKind.GARBLED:
            # It is a picture, if a spoilt one: it is kept as it came.
            assert (bad, lost) == ([], 0)
        case MishapKind.NO_PARAMETER_SETS:
            # The segment's hold: nothing is lost.
            assert (bad[0], lost) == (1, 0)
        case _:
            assert bad[:4] == [1, 2, 4, 8]
            assert 8 <= lost <= 14
    assert held > 20
    assert rig.states().count("rec") >= 1
    assert "fault" not in rig.states()
    assert mishap.until_ns < rig.events("rec.stop")[0]["boot_ns"]


def test_f20_a_recording_begins_with_the_first_keyframe_that_has_its_sets(unit: Faulty) -> None:
    with unit(SLOW_CAMERA, 2) as rig:
        rig.until_state("ready")
        mishap = rig.unit.mishap(MishapKind.NO_PARAMETER_SETS, 4)
        rig.run_for(3)
        rig.press(True)
        start = rig.until_logged("rec.start")
        rig.until_state("rec")
        stopped(rig)
    assert rig.events("nal.bad"), "what was refused is said"
    assert start["data"]["first_ns"] >= mishap.from_ns - 3 * NS


def test_f21_giant_pictures_shorten_the_ring_by_whole_gops(unit: Faulty) -> None:
    camera = {**SLOW_CAMERA["camera"], "fps": 4}
    big: dict[str, Any] = {
        "camera": camera, "pre_record": {"seconds": 10}, "ring": {"max_mib": 24},
    }  # fmt: skip
    with unit(big) as rig:
        rig.until_state("ready")
        rig.unit.mishap(MishapKind.GIANT, 30, size=2 << 20)
        rig.run_for(6)
        recorded(rig)
        rig.run_for(1)
        stopped(rig)
    start = rig.events("rec.start")[0]["data"]
    assert start["reason"] == "capacity"
    assert 500 <= start["actual_ms"] < 4000
    assert "fault" not in rig.states()
    assert rig.events("capture.stall") == []
    assert max(path.stat().st_size for path in rig.segments()) > 4 << 20


@pytest.mark.parametrize("by_s", [1, -1, 3600, -3600])
def test_f22_a_camera_whose_clock_jumps_loses_no_picture(
    unit: Faulty, by_s: int, measured: Measure
) -> None:
    with unit(SLOW_CAMERA, 2) as rig:
        recorded(rig)
        rig.run_for(1)
        rig.unit.mishap(MishapKind.CLOCK_JUMP, 3, by_ms=by_s * 1000)
        rig.until_logged("pts.jump")
        rig.run_for(5)
        pressed_ns = rig.press(False)
        stopped_line = rig.until_logged("rec.stop")
    jump = rig.events("pts.jump")[0]["data"]
    assert abs(jump["by_ms"] - by_s * 1000) < 150
    assert frames_of(rig)[1] == 0
    times = [r["boot_ns"] for path in rig.segments() for r in records_of(path) if r["t"] == "frag"]
    assert all(a < b for a, b in pairwise(times))
    assert abs(stopped_line["boot_ns"] - pressed_ns) < NS, "it ends when it is stopped"
    assert "fault" not in rig.states()
    measured("seconds without pictures", rig.lost_s(), "s", 1.0)


def test_f22_pictures_of_the_same_time_stand_beside_each_other(unit: Faulty) -> None:
    with unit(SLOW_CAMERA, 2) as rig:
        recorded(rig)
        rig.unit.mishap(MishapKind.REPEAT, 4)
        rig.run_for(5)
        stopped(rig)
    jumps = [line["data"] for line in rig.events("pts.jump")]
    assert jumps
    assert all(jump["by_ms"] == 0 for jump in jumps)
    assert len(jumps) <= 2, "counted, not one by one"
    assert gaps_of(rig, 0.5) == []
    assert frames_of(rig)[1] == 0

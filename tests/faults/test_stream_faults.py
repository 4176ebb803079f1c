"""The camera gives pictures, and they are not what a recorder may count on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bodycam.camera.mishaps import MishapKind
from bodycam.clock import NS
from tests.rig import QUICK, records_of

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


def test_f20_what_is_no_picture_is_counted_and_the_recording_goes_on(unit: Faulty) -> None:
    counts: dict[MishapKind, int] = {}
    kinds = (
        MishapKind.EMPTY, MishapKind.HEADLESS, MishapKind.NO_PARAMETER_SETS, MishapKind.GARBLED,
    )  # fmt: skip
    with unit({**SLOW_CAMERA, "recording": {**QUICK["recording"], "segment_s": 60}}, 2) as rig:
        recorded(rig)
        for kind in kinds:
            rig.unit.mishap(kind, 1)
            rig.run_for(3)
            bad = [line["data"] for line in rig.events("nal.bad")]
            counts[kind] = len(bad)
        stopped(rig)
    bad = [line["data"] for line in rig.events("nal.bad")]
    assert [line["count"] for line in bad] == [1 << i for i in range(len(bad))]
    assert counts[MishapKind.EMPTY] >= 3
    assert counts[MishapKind.HEADLESS] >= 4
    assert counts[MishapKind.GARBLED] == counts[MishapKind.NO_PARAMETER_SETS], (
        "a picture, if spoilt"
    )
    held, lost = frames_of(rig)
    assert 16 <= lost <= 26, "two seconds of ten pictures each were none"
    assert held > 80
    assert "fault" not in rig.states()
    # Where more than a second is missing, a new segment of the same recording goes on.
    assert len({path.parent for path in rig.segments()}) == 1


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
    with unit(big, 2) as rig:
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


def test_f22_a_camera_whose_clock_jumps_loses_no_picture(unit: Faulty, measured: Measure) -> None:
    jumps_s = [1, -1, 3600, -3600]
    with unit(SLOW_CAMERA, 4) as rig:
        recorded(rig)
        for by_s in jumps_s:
            rig.unit.mishap(MishapKind.CLOCK_JUMP, 2, by_ms=by_s * 1000)
            rig.run_for(4)
        rig.unit.mishap(MishapKind.REPEAT, 2)
        rig.run_for(11)
        pressed_ns = rig.press(False)
        stopped_line = rig.until_logged("rec.stop")
    told = [line["data"] for line in rig.events("pts.jump")]
    assert abs(told[0]["by_ms"] - 1000) < 150, "at once"
    assert len(told) <= 4, "then counted"
    assert sum(jump["count"] for jump in told) >= 2 * len(jumps_s) + 8
    assert told[-1]["by_ms"] == 0
    assert frames_of(rig)[1] == 0
    times = [r["boot_ns"] for path in rig.segments() for r in records_of(path) if r["t"] == "frag"]
    assert all(a < b for a, b in pairwise(times))
    assert abs(stopped_line["boot_ns"] - pressed_ns) < NS, "it ends when it is stopped"
    assert "fault" not in rig.states()
    measured("seconds without pictures", sum(_lengths(rig)), "s", 1.0)


def _lengths(rig: FaultRig) -> list[float]:
    """A busy machine's own gaps are left out: a jump that were believed is a second at least."""
    return [(gap["to_ns"] - gap["from_ns"]) / NS for gap in gaps_of(rig, 0.9)]

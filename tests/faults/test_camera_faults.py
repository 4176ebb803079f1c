"""The camera stalls, is not there, hangs in the kernel's hands, or shows nothing."""

from __future__ import annotations

import pytest

from bodycam.camera.mishaps import MishapKind
from bodycam.clock import MS, NS
from bodycam.errors import ExitCode

from .conftest import Faulty
from .results import Measure
from .shift import SLOW_CAMERA, gaps_of, recorded, stopped, until_gap

pytestmark = pytest.mark.system


def test_f13_a_stall_in_standby_is_shown_and_the_ring_fills_again(unit: Faulty) -> None:
    with unit() as rig:
        rig.until_state("ready")
        rig.run_for(1)
        mishap = rig.unit.mishap(MishapKind.STALL, 3)
        rig.until_state("notready")
        gap = until_gap(rig, 1)
        rig.until_state("ready")
        rig.run_for(2)
        recorded(rig)
        stopped(rig)
    assert rig.events("capture.stall")[0]["data"]["silent_ms"] >= 2000
    exited = rig.events("capture.exit")[0]["data"]
    assert (exited["sig"], exited["code"]) == (9, None)
    assert len(rig.events("capture.ready")) == 2, "the worker was replaced"
    assert gap["rec"] is None
    assert abs(gap["from_ns"] - mishap.from_ns) < 200 * MS
    assert gap["to_ns"] >= mishap.until_ns
    assert "5 quick" in rig.taps(), "not ready is felt"
    start = rig.events("rec.start")[0]["data"]
    assert start["actual_ms"] >= 1000, "the ring is filled after the restart"


@pytest.mark.parametrize(
    ("stall_s", "speed"), [(3, 1), pytest.param(30, 6, marks=pytest.mark.soak)]
)
def test_f14_a_stall_costs_one_gap_of_one_recording(
    unit: Faulty, measured: Measure, stall_s: int, speed: float
) -> None:
    with unit(SLOW_CAMERA, speed) as rig:
        recorded(rig)
        rig.run_for(1)
        mishap = rig.unit.mishap(MishapKind.STALL, stall_s)
        rig.until_state("fault")
        gap = until_gap(rig, 1)
        rig.until_state("rec")
        rig.run_for(1)
        stopped(rig)
    assert len(rig.events("rec.start")) == len(gaps_of(rig, 1)) == 1
    assert gap["rec"] == rig.events("rec.start")[0]["data"]["rec"]
    assert gap["cause"] == "stall"
    assert gap["from_ns"] <= mishap.from_ns + 300 * MS
    assert gap["to_ns"] >= mishap.until_ns
    assert "5 quick" in rig.taps()
    if speed == 1:
        late = (gap["to_ns"] - mishap.until_ns) / NS
        measured("seconds from the camera's return to its pictures", late, "s", 5.0)


def test_f15_a_camera_that_is_absent_at_boot_is_used_when_it_comes(
    unit: Faulty, measured: Measure
) -> None:
    with unit(before=lambda made: made.mishap(MishapKind.ABSENT, 600)) as rig:
        rig.until_state("notready")
        assert rig.segments() == []
        rig.until_logged("capture.error", 2)
        assert rig.events("ready") == []
        there_ns = rig.unit.heal()
        ready = rig.until_logged("ready")
        rig.until_state("ready")
        recorded(rig)
        rig.run_for(1)
        stopped(rig)
    tries = rig.events("capture.error")
    assert len(tries) >= 2
    assert "absent" in tries[0]["data"]["reason"]
    assert {line["data"]["code"] for line in rig.events("capture.exit")} == {8}
    assert rig.events("crashloop") == [], "a camera that is not there is no crash"
    assert rig.events("heartbeat"), "without a camera the log goes on"
    assert "5 quick" in rig.taps()
    late = (ready["boot_ns"] - there_ns) / NS
    measured("seconds from the camera's coming to its pictures", late, "s", 5.0)


def test_f18_a_camera_that_cannot_be_closed_holds_up_no_stop(
    unit: Faulty, measured: Measure
) -> None:
    with unit() as rig:
        rig.unit.mishap(MishapKind.STOP_HANGS, 60)
        recorded(rig)
        rig.run_for(0.5)
        pressed_ns = rig.press(False)
        closed = rig.until_logged("rec.stop")
        rig.until_state("ready")
        taken_s = (closed["logged_ns"] - pressed_ns) / NS
        measured("seconds from the press to the closed segment", taken_s, "s", 2.0)
        rig.press(True)
        rig.until_logged("rec.start", 2)
        asked_ns = rig.unit.clock.boot_ns()
        assert rig.unit.stop() == ExitCode.OK
        ended_s = (rig.unit.clock.boot_ns() - asked_ns) / NS
        measured("seconds from SIGTERM to the end", ended_s, "s", 4.0)
    hung = rig.events("capture.stop_timeout")
    assert [line["data"]["waited_ms"] for line in hung] == [1000]
    assert gaps_of(rig, 1) == []
    assert rig.events("seg.close")[-1]["data"]["reason"] == "shutdown"
    assert "1 long" in rig.taps()


@pytest.mark.parametrize("for_s", [10, pytest.param(60, marks=pytest.mark.soak)])
def test_f24_a_lens_that_shows_nothing_is_said_and_recorded_all_the_same(
    unit: Faulty, for_s: int
) -> None:
    # A busy machine that pauses is no stall of the camera: there, the lens would be looked at anew.
    patient = {**SLOW_CAMERA, "watchdog": {"stall_ms": 10_000}}
    with unit(patient, 3) as rig:
        recorded(rig)
        for number, kind in enumerate((MishapKind.DARK, MishapKind.FROZEN), start=1):
            mishap = rig.unit.mishap(kind, for_s)
            found = rig.until_logged(f"video.{kind.value}")
            over = rig.until_logged("video.clear", number, seconds=40)
            assert abs(found["boot_ns"] - mishap.from_ns) < 3 * NS
            assert over["data"]["was"] == kind.value
            assert abs(over["data"]["ms"] - for_s * 1000) < 3000
            assert len(rig.events(f"video.{kind.value}")) == 1, "once"
        stopped(rig)
    assert gaps_of(rig, 3) == []
    assert len(rig.events("rec.start")) == 1
    degraded = [m["trace"] for m in rig.messages if m.get("trace", {}).get("state") == "degraded"]
    assert degraded, "for the frozen picture; nights are dark, too"
    assert [trace["taps"] for trace in degraded if trace["taps"]] == ["5 quick"], "once"

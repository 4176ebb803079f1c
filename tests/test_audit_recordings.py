"""What one life of the recorder tells of its recordings: LIVE, and who started and stopped them."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest

from bodycam.audit.anchors import Anchor
from bodycam.audit.logstory import Run, Told
from bodycam.audit.recordings import Recording, ToggleCause, recordings_of, start_cause, stop_cause
from bodycam.audit.states import DeviceState

from .auditlogs import at, day

S_NS = 1_000_000_000
END_S = 600
# A clock by which boot time is UTC.
ANCHOR = Anchor(0, 0, 5000, "ntp", 1)


def run(*events: tuple[float, str, dict[str, Any]]) -> Run:
    """A life of the recorder of ten minutes, whose last line was written at 590 s."""
    told = [Told(n, round(s * S_NS), ev, data) for n, (s, ev, data) in enumerate(events, 2)]
    return Run("boot", 1, 0, written=array("q", [0, 590 * S_NS]), events=told)


def read(*events: tuple[float, str, dict[str, Any]], evid_end_s: float = 0) -> list[Recording]:
    ends = {"r": round(evid_end_s * 1_000_000)} if evid_end_s else {}
    return recordings_of(run(*events), END_S * S_NS, ANCHOR, ends)


def live(*events: tuple[float, str, dict[str, Any]], evid_end_s: float = 0) -> tuple[float, float]:
    """From and to in seconds of the only recording there is."""
    ((start, end),) = read(*events, evid_end_s=evid_end_s)[0].live
    return start / 1_000_000, end / 1_000_000


PRESS = (100, "activation.start", {"rec": "r", "cause": "switch"})
STOP = (200, "activation.stop", {"rec": "r", "reason": "stop"})


def test_live_ends_with_the_stop_and_not_with_what_is_written_after_it() -> None:
    assert live(PRESS, STOP, (230, "rec.stop", {"rec": "r", "reason": "stop"})) == (100, 200)
    tail = (180, "tail.start", {"rec": "r"})
    assert live(PRESS, tail, STOP) == (100, 180)
    assert live(PRESS, tail, (190, "stop.cancelled", {"rec": "r"}), STOP) == (100, 200)


def test_without_a_stop_it_ends_where_its_pictures_were_closed() -> None:
    (found,) = read(PRESS, (230, "rec.stop", {"rec": "r", "reason": "heat"}))
    assert found.live[0].end_us == 230_000_000
    assert (found.stop_cause, found.stop_said, found.stop_line) == (ToggleCause.FAULT, "heat", 3)


def test_what_was_cut_off_is_live_to_the_last_line_or_the_last_picture_whichever_is_later() -> None:
    assert live(PRESS) == (100, 590)
    assert live(PRESS, evid_end_s=580) == (100, 590)
    assert live(PRESS, evid_end_s=595) == (100, 595)
    (found,) = read(PRESS)
    assert (found.stop_cause, found.stop_said) == (ToggleCause.POWER, "cut off")


def test_what_a_run_says_of_a_recording_that_it_did_not_begin_is_none_of_its_own() -> None:
    strange = [
        (50, ev, {"rec": "other", "reason": "stop", "file": "x.mp4"})
        for ev in ("tail.start", "stop.cancelled", "activation.stop", "rec.start", "rec.stop", "seg.open")
    ]  # fmt: skip
    (found,) = read(*strange, PRESS, STOP)
    assert (found.recording, found.cancelled_stops, found.files) == ("r", 0, [])


def test_its_files_are_those_that_were_opened_for_it() -> None:
    opened = [(100 + n, "seg.open", {"rec": "r", "file": f"r/{n}.mp4"}) for n in range(3)]
    (found,) = read(PRESS, *opened, STOP)
    assert found.files == ["r/0.mp4", "r/1.mp4", "r/2.mp4"]


@pytest.mark.parametrize(
    ("asked_ms", "known"),
    [(0, 0), (30_000, 30_000), (86_400_000, 86_400_000), (86_400_001, None), (-1, None), ("30", None)],
)  # fmt: skip
def test_a_buffer_of_more_than_a_day_was_not_asked_for(asked_ms: object, known: int | None) -> None:
    (found,) = read(PRESS, (101, "rec.start", {"rec": "r", "asked_ms": asked_ms}), STOP)
    assert found.asked_ms == known


@pytest.mark.parametrize(
    ("said", "cause", "pressed"),
    [
        ("switch", ToggleCause.BUTTON, True), ("gesture", ToggleCause.BUTTON, True),
        ("trigger:holster", ToggleCause.TRIGGER, True), ("peer", ToggleCause.PEER, True),
        ("remote", ToggleCause.REMOTE, True), ("auto-roll", ToggleCause.AUTO_ROLL, False),
        ("resume", ToggleCause.FAULT, False),
    ],
)  # fmt: skip
def test_who_started_it(said: str, cause: ToggleCause, pressed: bool) -> None:
    assert start_cause(said) is cause
    (found,) = read((100, "activation.start", {"rec": "r", "cause": said}), STOP)
    assert (found.start_cause, found.start_said, found.pressed) == (cause, said, pressed)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("stop", ToggleCause.BUTTON), ("trigger:holster released", ToggleCause.TRIGGER),
        ("auto-roll", ToggleCause.AUTO_ROLL), ("dock", ToggleCause.DOCK), ("peer", ToggleCause.PEER),
        ("remote", ToggleCause.REMOTE), ("battery", ToggleCause.BATTERY), ("heat", ToggleCause.FAULT),
        ("shutdown", ToggleCause.POWER), ("storage", ToggleCause.FAULT), ("", ToggleCause.FAULT),
    ],
)  # fmt: skip
def test_who_stopped_it(said: str, cause: ToggleCause) -> None:
    """Nobody chose what is not said here: it counts as a fault."""
    assert stop_cause(said, run()) is cause
    (found,) = read(PRESS, (200, "activation.stop", {"rec": "r", "reason": said}))
    assert (found.stop_cause, found.stop_said) == (cause, said)


def test_a_log_that_begins_in_the_middle_of_a_run_is_told_from_there(tmp_path: Path) -> None:
    """Its beginning was lost, and what follows is signed for all the same."""
    with day(tmp_path) as camera:
        camera.to(20)
        camera.say(25, "ready")
        camera.sample()
        camera.record(100, 200)
        camera.end(300)
    line = camera.timeline()
    assert [tuple(i) for i in line.live] == [(at(100), at(200))]
    assert {s.state for s in line.states} == {
        DeviceState.BOOT,
        DeviceState.READY,
        DeviceState.RECORDING,
    }

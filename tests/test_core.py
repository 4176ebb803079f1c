"""The small pure parts: pre-record accounting, gaps, interleaving, clocks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.clock import MS, NS, ScaledClock, SystemClock, utc_from_text, utc_text
from bodycam.interleave import HOLD_NS, Interleaver, Pulled
from bodycam.media import AccessUnit, Track
from bodycam.prerecord import RingFacts, ShortReason, pre_record
from bodycam.ringcheck import GapFinder
from bodycam.sharedring import Descriptor

NOTHING = RingFacts(None, None, None)
GOP_NS = NS


# -- pre-record --------------------------------------------------------------------------------


def test_a_whole_pre_record_has_no_reason() -> None:
    found = pre_record(30, 100 * NS, 70 * NS + 900 * MS, GOP_NS, NOTHING, audio=False)
    assert (found.actual_ms, found.reason) == (29_100, None)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (NOTHING, ShortReason.FRESH_POWER),
        (RingFacts(90 * NS, None, None), ShortReason.ABUTS),
        (RingFacts(None, 80 * NS, None), ShortReason.CAPACITY),
        (RingFacts(None, None, 95 * NS), ShortReason.STALL),
        (RingFacts(90 * NS, 80 * NS, 95 * NS), ShortReason.ABUTS),
        (RingFacts(10 * NS, 10 * NS, 10 * NS), ShortReason.FRESH_POWER),
    ],
)
def test_a_short_pre_record_says_why(facts: RingFacts, reason: ShortReason) -> None:
    found = pre_record(30, 100 * NS, 95 * NS, GOP_NS, facts, audio=False)
    assert (found.actual_ms, found.reason) == (5_000, reason)


def test_a_disabled_pre_record_says_so_whatever_else() -> None:
    found = pre_record(0, 100 * NS, 99 * NS, GOP_NS, RingFacts(90 * NS, None, None), audio=True)
    assert found.fields() == {
        "asked_ms": 0, "actual_ms": 1000, "reason": "disabled", "audio": True,
    }  # fmt: skip


# -- gaps --------------------------------------------------------------------------------------


def picture(at_ms: int, epoch: int = 1, dropped: int = 0) -> Descriptor:
    return Descriptor(Track.VIDEO, False, 1, 0, at_ms * MS, 0, dropped, epoch)


def test_a_gap_is_from_the_end_of_one_picture_to_the_beginning_of_the_next() -> None:
    finder = GapFinder(frame_ns=40 * MS)
    assert finder.feed(picture(0)) is None
    assert finder.feed(picture(40)) is None
    gap = finder.feed(picture(480, dropped=10))
    assert gap is not None
    assert (gap.from_ns, gap.to_ns, gap.frames, gap.cause) == (80 * MS, 480 * MS, 10, "ring full")


def test_the_cause_is_the_worker_s_when_it_was_another_one() -> None:
    finder = GapFinder(frame_ns=40 * MS)
    finder.feed(picture(0))
    finder.worker_lost("worker signal SIGKILL")
    gap = finder.feed(picture(400, epoch=2))
    assert gap is not None
    assert gap.cause == "worker signal SIGKILL"


def test_one_late_picture_is_no_gap() -> None:
    finder = GapFinder(frame_ns=40 * MS)
    finder.feed(picture(0))
    assert finder.feed(picture(100)) is None


# -- interleaving ------------------------------------------------------------------------------


def unit(index: int, track: Track, at_ms: int) -> Pulled:
    return Pulled(index, AccessUnit(track, at_ms * MS, False, index, b""))


def test_a_picture_waits_for_the_sound_of_its_moment() -> None:
    inter = Interleaver()
    inter.push(unit(0, Track.AUDIO, 0))
    assert [p.index for p in inter.push(unit(1, Track.VIDEO, 0))] == [1]
    assert [p.index for p in inter.push(unit(2, Track.VIDEO, 33))] == [0]
    assert [p.index for p in inter.push(unit(3, Track.AUDIO, 40))] == [2]


def test_without_sound_no_picture_waits() -> None:
    inter = Interleaver()
    assert [p.index for p in inter.push(unit(0, Track.VIDEO, 0))] == [0]


def test_sound_that_stops_holds_pictures_up_only_for_a_while() -> None:
    inter = Interleaver()
    inter.push(unit(0, Track.AUDIO, 0))
    released: list[int] = []
    for i in range(60):
        released += [p.index for p in inter.push(unit(i + 1, Track.VIDEO, i * 33))]
    assert released[-1] == 60


@given(
    st.lists(
        st.tuples(st.sampled_from([Track.VIDEO, Track.AUDIO]), st.integers(0, 80)), max_size=120
    )
)
def test_nothing_is_lost_and_each_track_keeps_its_order(steps: list[tuple[Track, int]]) -> None:
    inter, at, out = Interleaver(), 0, []
    for i, (track, later) in enumerate(steps):
        at += later
        # Sound comes late, as a coder delivers it.
        out += inter.push(unit(i, track, at - 45 if track is Track.AUDIO else at))
    out += inter.drain()
    assert sorted(p.index for p in out) == list(range(len(steps)))
    for track in (Track.VIDEO, Track.AUDIO):
        times = [p.unit.at_ns for p in out if p.unit.track is track]
        assert times == sorted(times)
    for before, after in pairwise(out):
        assert after.unit.at_ns >= before.unit.at_ns - HOLD_NS


# -- clocks ------------------------------------------------------------------------------------


@given(st.integers(0, 4_102_444_800_000))
def test_utc_text_reads_back(ms: int) -> None:
    assert utc_from_text(utc_text(ms * MS)) == ms * MS


def test_stepping_utc_leaves_boot_time_alone() -> None:
    clock = ScaledClock(1, SystemClock().boot_ns(), 0, "b")
    before = clock.sample()
    clock.step_utc(-3_600_000, before.source, 5)
    after = clock.sample()
    assert 0 <= after.boot_ns - before.boot_ns < NS
    assert after.offset_ns - before.offset_ns == -3600 * NS


def test_a_clock_at_speed_ten_waits_a_tenth() -> None:
    assert ScaledClock(10, 0, 0, "b").real_s(5) == 0.5

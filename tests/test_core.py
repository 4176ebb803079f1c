"""The small pure parts: pre-record accounting, gaps, interleaving, clocks."""

from __future__ import annotations

from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.clock import MS, NS, ScaledClock, SystemClock, utc_from_text, utc_text
from bodycam.interleave import HOLD_NS, Interleaver, Pulled
from bodycam.media import AccessUnit, Track
from bodycam.prerecord import RingFacts, ShortReason, pre_record
from bodycam.ringcheck import GapFinder, KeyframeAge
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


def picture(
    at_ms: int, epoch: int = 1, dropped: int = 0, every: int = 1, *, keyframe: bool = False
) -> Descriptor:
    return Descriptor(Track.VIDEO, keyframe, 1, 0, at_ms * MS, 0, dropped, epoch, every)


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


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 40)), min_size=2, max_size=60))
def test_pictures_left_out_are_no_gap_and_lost_ones_are_counted(
    stream: list[tuple[int, int]],
) -> None:
    """Each picture stands for one or two of the camera's; after it so many are lost."""
    finder, at_ms, pace_ms, lost_before = GapFinder(frame_ns=40 * MS), 0, 40, 0
    for every, lost in stream:
        gap = finder.feed(picture(at_ms, every=every))
        assert (0 if gap is None else gap.frames) == (lost_before if lost_before > 1 else 0)
        if gap is not None:
            assert gap.to_ns - gap.from_ns == lost_before * pace_ms * MS
        pace_ms, lost_before = every * 40, lost
        at_ms += (1 + lost) * pace_ms


def ages(pattern: str, gop_ms: int) -> list[tuple[int, int, bool, bool]]:
    """What is told of a stream of I and P pictures, ten a second: (when, age, first, over)."""
    watch, told = KeyframeAge(gop_ms * MS), []
    for i, kind in enumerate(pattern):
        age = watch.feed(picture(i * 100, keyframe=kind == "I"))
        if age is not None:
            told.append((i, age.age_ns // MS, age.first, age.over))
    return told


def test_a_keyframe_is_asked_for_when_none_came_for_two_gops_and_again_each_gop() -> None:
    assert ages("IPPPPIPPPPPPPPPPI", gop_ms=500) == []
    assert ages("I" + "P" * 24 + "IPPPPI", gop_ms=500) == [
        (11, 1100, True, False), (16, 1600, False, False), (21, 2100, False, False),
        (25, 2500, False, True),
    ]  # fmt: skip


def test_keyframes_are_missing_after_five_seconds_and_two_gops() -> None:
    for gop_ms, missing_ms in ((500, 5_100), (4_000, 8_100)):
        watch = KeyframeAge(gop_ms * MS)
        watch.feed(picture(0, keyframe=True))
        at_ms = next(t for t in count(100, 100) if (watch.feed(picture(t)), watch.missing)[1])
        assert at_ms == missing_ms
        watch.feed(picture(at_ms + 100, keyframe=True))
        assert not watch.missing


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

"""A picture that stands for more than three times as long as those around it is a gap.

A camera that slows down, by itself in the dark or because it was told to, loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.clock import MS, NS
from bodycam.custody.continuity import Continuity
from bodycam.custody.fields import FragFields
from bodycam.custody.findings import Findings
from bodycam.custody.segmentfacts import Held, SegmentFacts

FRAME = 3000  # ticks of 1/90000 s: a thirtieth of a second
TENTH, QUARTER, HALF = 9000, 22_500, 45_000
FRAGMENTS_MS = (50, 100, 300, 500)
ANYWHERE = pytest.mark.parametrize("at", [0, 1, 2, 3, 7, 15, 28, 29])
HOWEVER_CUT = pytest.mark.parametrize("fragment_ms", FRAGMENTS_MS)
FAR_NS = 1000 * NS


def ns(ticks: int) -> int:
    return ticks * NS // 90_000


def frag(n: int, first_ns: int, end_ns: int, pictures: int, drop: int = 0) -> FragFields:
    return FragFields(
        boot_ns=first_ns, utc="2026-11-26T12:00:00Z", clk="ntp", unc_ms=5, t="frag", n=n, off=0,
        len=0, sha256="0" * 64, prev="0" * 64, end_ns=end_ns, nv=pictures, na=0, drop=drop, mute=0,
        plain_v="", plain_a="", log=(0, "0" * 64),
    )  # fmt: skip


def cut(steps: Sequence[int], fragment_ms: int) -> list[list[int]]:
    """The pictures of each fragment: none begins later than fits behind the first."""
    parts: list[list[int]] = []
    for step in steps:
        if parts and sum(parts[-1]) + FRAME <= fragment_ms * 90 + 90:
            parts[-1].append(step)
        else:
            parts.append([step])
    return parts


def judged(steps: Sequence[int], fragment_ms: int) -> tuple[SegmentFacts, Findings]:
    """What is found in a segment whose pictures stand for so many ticks each."""
    facts, found = SegmentFacts(Path("one.mp4")), Findings("one.mp4")
    continuity, at = Continuity(found, facts), 0
    for n, part in enumerate(cut(steps, fragment_ms), 1):
        first_ns, at = FAR_NS + ns(at), at + sum(part)
        continuity.take(
            frag(n, first_ns, FAR_NS + ns(at), len(part)), part, f"fragment {n}", chained=True
        )
    continuity.finish()
    return facts, found


@HOWEVER_CUT
@ANYWHERE
def test_half_a_second_lost_is_a_gap_wherever_it_is(at: int, fragment_ms: int) -> None:
    steps = [FRAME] * 30
    steps[at] = HALF
    facts, found = judged(steps, fragment_ms)
    (gap,) = facts.gaps
    begin_ns = FAR_NS + ns(at * FRAME)
    assert abs(gap.from_ns - begin_ns) <= 2
    assert abs(gap.to_ns - gap.from_ns - 500 * MS) <= 2
    assert [f.text[:28] for f in found.items] == ["gap: no picture for 500 ms f"]
    # The picture before the loss is proven for one frame time.
    assert abs(facts.held[0].to_ns - begin_ns - ns(FRAME)) <= 2
    assert [abs(h.from_ns - gap.to_ns) <= 2 for h in facts.held[1:]] == [True] * (at < 29)


@HOWEVER_CUT
@pytest.mark.parametrize("slow", [TENTH + 1, QUARTER, HALF])
@pytest.mark.parametrize("at", [0, 8, 9, 15, 22, 30])
def test_a_camera_that_slows_down_in_the_dark_or_hastens_loses_nothing(
    at: int, slow: int, fragment_ms: int
) -> None:
    for steps in ([FRAME] * at + [slow] * (30 - at), [slow] * at + [FRAME] * (30 - at)):
        facts, found = judged(steps, fragment_ms)
        assert found.items == []
        (held,) = facts.held
        assert abs(held.to_ns - held.from_ns - ns(sum(steps))) <= 2


@HOWEVER_CUT
@ANYWHERE
def test_every_second_picture_left_out_on_purpose_is_no_gap(at: int, fragment_ms: int) -> None:
    steps = [FRAME] * at + [2 * FRAME] * 9 + [FRAME] * 5
    facts, found = judged(steps, fragment_ms)
    assert found.items == []
    assert len(facts.held) == 1


@HOWEVER_CUT
def test_a_first_picture_that_comes_too_soon_makes_no_gaps_of_the_rest(fragment_ms: int) -> None:
    _, found = judged([FRAME // 10, *[FRAME] * 20], fragment_ms)
    assert found.items == []


def test_three_frame_times_are_no_gap_yet() -> None:
    assert judged([*[FRAME] * 9, 3 * FRAME, *[FRAME] * 9], 300)[0].gaps == []
    assert len(judged([*[FRAME] * 9, 3 * FRAME + 1, *[FRAME] * 9], 300)[0].gaps) == 1


def naive(steps: Sequence[int]) -> list[tuple[int, int]]:
    """From when to when nothing was shown, by the sentence in FORMAT.md alone."""
    gaps, at = [], 0
    for i, step in enumerate(steps):
        around = sorted(steps[j] for j in range(len(steps)) if abs(j - i) <= 7)
        if step > 3 * around[(len(around) - 1) // 2]:
            gaps.append((at, at + step))
        at += step
    return gaps


@given(
    st.lists(st.sampled_from([0, 1, 300, 2900, FRAME, 3100, 2 * FRAME, TENTH, QUARTER, HALF]),
             max_size=60),
    st.sampled_from(FRAGMENTS_MS),
)  # fmt: skip
def test_the_gaps_are_those_of_the_sentence(steps: list[int], fragment_ms: int) -> None:
    facts, _ = judged(steps, fragment_ms)
    found = [(gap.from_ns - FAR_NS, gap.to_ns - FAR_NS) for gap in facts.gaps]
    told = [(ns(begin), ns(end)) for begin, end in naive(steps)]
    assert len(found) == len(told)
    for one, other in zip(found, told, strict=True):
        assert all(abs(a - b) <= 2 for a, b in zip(one, other, strict=True))


@given(st.lists(st.integers(1, 2 * FRAME), min_size=1, max_size=60))
def test_what_is_held_never_overlaps_and_ends_with_the_pictures(steps: list[int]) -> None:
    held = judged(steps, 300)[0].held
    ends = [FAR_NS, *(FAR_NS + ns(at) for at in accumulate(steps))]
    assert held[0].from_ns == FAR_NS
    assert held[-1].to_ns <= ends[-1] + 2
    assert all(a.to_ns < b.from_ns for a, b in pairwise(held))


def test_a_hole_between_two_fragments_is_a_gap_that_names_what_the_camera_counted() -> None:
    facts, found = SegmentFacts(Path("one.mp4")), Findings("one.mp4")
    continuity = Continuity(found, facts)
    continuity.take(frag(1, 0, ns(9 * FRAME), 9), [FRAME] * 9, "fragment 1", chained=True)
    begin = ns(9 * FRAME) + 200 * MS
    continuity.take(
        frag(2, begin, begin + ns(9 * FRAME), 9, drop=6), [FRAME] * 9, "fragment 2", chained=True
    )
    continuity.finish()
    (gap,) = facts.gaps
    assert (gap.from_ns, gap.to_ns, gap.dropped, gap.place) == (
        ns(9 * FRAME), begin, 6, "fragment 2",
    )  # fmt: skip
    assert facts.held == [Held(0, ns(9 * FRAME)), Held(begin, begin + ns(9 * FRAME))]


def test_fragments_without_pictures_are_not_waited_with_for_ever() -> None:
    found = Findings("one.mp4")
    continuity = Continuity(found, SegmentFacts(Path("one.mp4")))
    continuity.take(frag(1, 0, ns(FRAME), 1, drop=3), [FRAME], "fragment 1", chained=True)
    for n in range(2, 100):
        continuity.take(frag(n, ns(FRAME), ns(FRAME), 0), [], f"fragment {n}", chained=True)
    assert [f.text for f in found.items] == ["the camera counts 3 lost frames here"]

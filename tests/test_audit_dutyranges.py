"""M34 as the least and the greatest value: the pair holds the truth, however the clocks were off."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from bodycam.audit.dutyranges import RANGED, DutyStretch, Pair, duty_ranges
from bodycam.audit.intervals import Interval, Times, both, clip, length_us, shifted, times, union

LONG = 24


def some(most: int = 4) -> st.SearchStrategy[Times]:
    """Stretches that an edge is seldom far from."""
    span = st.tuples(st.integers(-6, LONG + 6), st.integers(1, 12))
    return st.lists(span, max_size=most).map(lambda told: times((a, a + n) for a, n in told))


def whens() -> st.SearchStrategy[Interval]:
    return st.tuples(st.integers(0, LONG - 1), st.integers(1, LONG)).map(
        lambda told: Interval(told[0], told[0] + told[1])
    )


def did(found: Times) -> dict[str, Times]:
    return dict.fromkeys(RANGED, found)


def pair(*stretches: DutyStretch) -> Pair:
    told = set(duty_ranges(stretches).values())
    assert len(told) == 1
    return told.pop()


def inside(found: Times, when: Interval) -> int:
    return length_us(clip(found, *when))


@given(some(), whens(), st.integers(0, 9))
def test_of_one_clock_it_is_the_least_and_the_greatest_of_every_shift(
    found: Times, when: Interval, err_us: int
) -> None:
    every = [inside(shifted(found, by_us), when) for by_us in range(-err_us, err_us + 1)]
    assert pair(DutyStretch(when, did(found), 1, err_us)) == (min(every), max(every))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=3), whens(),
       st.integers(0, 3))  # fmt: skip
def test_of_several_clocks_it_holds_every_shift_of_each_by_itself(
    told: list[tuple[int, int]], when: Interval, err_us: int
) -> None:
    at, lives = -4, []
    for pause, length in told:
        at += pause
        lives.append(Interval(at, at + length))
        at += length
    least, most = pair(DutyStretch(when, did(times(lives)), 2, err_us))
    for moves in product(range(-err_us, err_us + 1), repeat=len(lives)):
        moved = [shifted((life,), by_us) for life, by_us in zip(lives, moves, strict=True)]
        # A camera is in one life at a time.
        if length_us(union(*moved)) == sum(map(length_us, moved)):
            assert least <= inside(union(*moved), when) <= most


@given(some(2), some(2), whens(), whens(), st.integers(0, 3), st.integers(0, 3))
def test_of_two_cameras_it_holds_every_shift_of_both(
    one: Times, other: Times, first: Interval, second: Interval, err_us: int, other_us: int
) -> None:
    least, most = pair(
        DutyStretch(first, did(one), 1, err_us), DutyStretch(second, did(other), 1, other_us)
    )
    every = [
        length_us(union(both(shifted(one, a), (first,)), both(shifted(other, b), (second,))))
        for a in range(-err_us, err_us + 1)
        for b in range(-other_us, other_us + 1)
    ]
    assert least <= min(every)
    assert most >= max(every)
    if not err_us and not other_us:
        assert (least, most) == (min(every), max(every))
    if not both((first,), (second,)):
        # One after the other: nothing is lost.
        assert (least, most) == (min(every), max(every))


def test_a_camera_that_was_ready_all_along_is_so_surely_however_wrong_its_clock() -> None:
    always = times([(-10_000, 20_000)])
    assert pair(DutyStretch(Interval(0, 9000), did(always), 1, 2400)) == (9000, 9000)
    # Of two lives the one before may have ended later, and the one behind begun earlier: none tells how.
    assert pair(DutyStretch(Interval(0, 9000), did(always), 2, 2400)) == (4200, 9000)

"""M29 as the least and the greatest value: the pair holds the truth, however each clock was off."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from bodycam.audit.incidents import Bound, Window
from bodycam.audit.intervals import Times, both, clip, length_us, shifted, times, union, without
from bodycam.audit.officers import OfficerCameras
from bodycam.audit.scoring import OfficerTime
from bodycam.audit.uncertainty import peers_prove, shortfall_range

WINDOW = Window(0, 24, Bound.DISPATCHED, Bound.CLEARED)


def some(most: int = 3) -> st.SearchStrategy[Times]:
    span = st.tuples(st.integers(-6, 28), st.integers(1, 14))
    return st.lists(span, max_size=most).map(lambda told: times((a, a + n) for a, n in told))


def worn() -> st.SearchStrategy[Times]:
    return st.one_of(st.just(times([(-100, 100)])), some(2))


CAMERA = st.tuples(some(), worn())
PEER = st.tuples(some(), worn(), st.integers(0, 2))


def proven(cameras: list[tuple[Times, Times]], by_us: int) -> Times:
    return union(*(both(shifted(evid, by_us), when) for evid, when in cameras))


def pair(
    own: list[tuple[Times, Times]], err_us: int, peers: list[tuple[Times, Times, int]]
) -> tuple[int, int]:
    mine = OfficerCameras(
        tuple((OfficerTime(evid=evid), when) for evid, when in own),
        union(*(when for _, when in own)),
    )
    return shortfall_range(WINDOW, mine, err_us, peers_prove(peers, WINDOW))


def every(
    own: list[tuple[Times, Times]], err_us: int, peers: list[tuple[Times, Times, int]]
) -> list[int]:
    """What it is of every shift of the officer's clocks, and of each of the others' by itself."""
    found = []
    for by_us, *moves in product(*(range(-e, e + 1) for e in (err_us, *(e for _, _, e in peers)))):
        theirs = union(*(
            both(shifted(evid, move), when)
            for (evid, when, _), move in zip(peers, moves, strict=True)
        ))  # fmt: skip
        found.append(length_us(without(clip(theirs, 0, 24), proven(own, by_us))))
    return found


@given(st.lists(CAMERA, max_size=2), st.integers(0, 3), st.lists(PEER, max_size=2))
def test_it_holds_every_shift_of_every_clock(
    own: list[tuple[Times, Times]], err_us: int, peers: list[tuple[Times, Times, int]]
) -> None:
    least, most = pair(own, err_us, peers)
    told = every(own, err_us, peers)
    assert least <= min(told)
    assert most >= max(told)


@given(
    st.lists(CAMERA, max_size=2), st.integers(0, 9), st.lists(st.tuples(some(), worn()), max_size=2)
)
def test_it_is_the_least_and_the_greatest_where_the_others_clocks_are_right(
    own: list[tuple[Times, Times]], err_us: int, peers: list[tuple[Times, Times]]
) -> None:
    sure = [(evid, when, 0) for evid, when in peers]
    told = every(own, err_us, sure)
    assert pair(own, err_us, sure) == (min(told), max(told))


def test_what_another_proves_counts_only_while_that_camera_was_worn() -> None:
    assert pair([], 0, [(times([(0, 24)]), times([(6, 18)]), 5)]) == (12, 12)
    assert pair([], 0, [(times([(8, 24)]), times([(6, 18)]), 5)]) == (5, 12)
    # Behind the end of wearing by its clock, and before it if the clock was ahead.
    assert pair([], 0, [(times([(19, 24)]), times([(0, 18)]), 3)]) == (0, 2)

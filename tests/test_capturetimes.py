"""When pictures were taken: what a camera says, and what can be true."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.capturetimes import CaptureTimes, Jump
from bodycam.clock import MS, NS

FRAME_NS = 100 * MS


def played(told: list[int], every: int = 1) -> tuple[list[int], list[Jump]]:
    """Pictures told at so many ns, one a frame of 100 ms, each read 50 ms after it was due."""
    times = CaptureTimes(FRAME_NS)
    stands, jumps = [], []
    for number, told_ns in enumerate(told):
        at_ns, jump = times.picture(told_ns, every, NS + number * FRAME_NS + 50 * MS)
        stands.append(at_ns)
        jumps += [jump] if jump else []
    return stands, jumps


def due(count: int) -> list[int]:
    return [NS + number * FRAME_NS for number in range(count)]


def test_what_can_be_true_is_believed() -> None:
    assert played(due(20)) == (due(20), [])


@pytest.mark.parametrize("by_ns", [NS, -NS, 3600 * NS, -3600 * NS])
def test_a_jump_is_taken_back_and_said_once_as_is_its_end(by_ns: int) -> None:
    told = [ns + (by_ns if 10 <= i < 150 else 0) for i, ns in enumerate(due(300))]
    stands, jumps = played(told)
    assert jumps == [Jump(by_ns, 1), Jump(0, 1)]
    assert all(abs(stand - true) <= FRAME_NS for stand, true in zip(stands, due(300), strict=True))


def test_a_repeated_time_moves_by_half_a_picture_and_nothing_else() -> None:
    told = due(6)
    told[3] = told[2]
    stands, jumps = played(told)
    assert stands[3] == told[2] + FRAME_NS // 2
    assert stands[4:] == due(6)[4:]
    assert jumps == [Jump(0, 1)]


def test_many_jumps_are_counted_together() -> None:
    told = [ns + (NS if i % 2 else 0) for i, ns in enumerate(due(150))]
    _, jumps = played(told)
    assert len(jumps) == 2, "at once, then after 10 s"
    assert jumps[1].count > 50


def test_a_first_picture_from_before_its_worker_is_not_believed() -> None:
    times = CaptureTimes(FRAME_NS)
    times.worker_began(10 * NS)
    at_ns, jump = times.picture(NS, 1, 11 * NS)
    assert at_ns == 11 * NS
    assert jump == Jump(-10 * NS, 1)


def test_pictures_that_waited_for_a_stopped_recorder_are_believed() -> None:
    times = CaptureTimes(FRAME_NS)
    late = [times.picture(ns, 1, 60 * NS) for ns in due(100)]
    assert late == [(ns, None) for ns in due(100)]


@given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=60))
def test_no_two_pictures_stand_at_one_time_and_none_in_the_time_to_come(told: list[int]) -> None:
    stands, _ = played(told)
    assert all(a < b for a, b in pairwise(stands))
    assert all(at <= NS + n * FRAME_NS + 150 * MS for n, at in enumerate(stands))


def test_sound_is_believed_from_its_worker_on_until_now() -> None:
    times = CaptureTimes(FRAME_NS)
    times.worker_began(10 * NS)
    assert times.sound_can_be_true(11 * NS, 12 * NS)
    assert not times.sound_can_be_true(8 * NS, 12 * NS)
    assert not times.sound_can_be_true(13 * NS, 12 * NS)

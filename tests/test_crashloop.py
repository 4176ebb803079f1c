"""A process that dies again and again."""

from __future__ import annotations

from bodycam.clock import NS
from bodycam.crashloop import CrashLoop


def died_at(loop: CrashLoop, *seconds: int) -> list[bool]:
    return [loop.died((s - 1) * NS, s * NS) for s in seconds]


def test_the_fifth_death_in_a_minute_is_a_loop_and_said_once() -> None:
    loop = CrashLoop()
    assert died_at(loop, 1, 15, 30, 45, 60, 61) == [False, False, False, False, True, False]
    assert loop.safe


def test_five_deaths_in_a_longer_time_are_none() -> None:
    loop = CrashLoop()
    assert not any(died_at(loop, 1, 16, 31, 46, 62, 77))
    assert not loop.safe


def test_a_long_life_in_safe_mode_earns_a_full_one() -> None:
    loop = CrashLoop()
    died_at(loop, 1, 2, 3, 4, 5)
    ends = [(6, 605), (606, 1206)]
    assert [(loop.died(began * NS, at * NS), loop.safe) for began, at in ends] == [
        (False, True), (False, False),
    ]  # fmt: skip
    assert died_at(loop, 1207, 1208, 1209, 1210, 1211)[-1]

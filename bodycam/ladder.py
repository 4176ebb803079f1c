"""A ladder of levels with hysteresis: a level is entered at one value and left at another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .clock import NS

_FORGET_NS = 60 * NS


@dataclass(frozen=True, slots=True)
class Rung:
    """A level: entered at `enter` and above, left below `leave`. `leave` is the lower one."""

    name: str
    enter: int
    leave: int


def falling(name: str, enter: int, leave: int) -> Rung:
    """A level of a quantity that is watched for getting low: feed the negative value."""
    return Rung(name, -enter, -leave)


def climb(rungs: Sequence[Rung], at: int, value: int) -> int:
    """On how many rungs one stands after a value, if it was `at` before."""
    while at < len(rungs) and value >= rungs[at].enter:
        at += 1
    while at > 0 and value < rungs[at - 1].leave:
        at -= 1
    return at


class Ladder:
    """One quantity. Rungs are given in the order in which they are entered.

    A missing value changes nothing for a minute; then the ladder is left, for what nobody can
    measure must not keep a camera from recording for ever.
    """

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self._rungs = tuple(rungs)
        self._at = 0
        self._missing_since_ns: int | None = None

    def feed(self, value: int | None, now_ns: int) -> bool:
        """True if another rung is reached."""
        before = self._at
        if value is not None:
            self._missing_since_ns = None
            self._at = climb(self._rungs, self._at, value)
        elif self._missing_since_ns is None:
            self._missing_since_ns = now_ns
        elif now_ns - self._missing_since_ns >= _FORGET_NS:
            self._at = 0
        return self._at != before

    @property
    def level(self) -> str | None:
        """The name of the rung, None below the first."""
        return self._rungs[self._at - 1].name if self._at else None

    def reached(self, name: str) -> bool:
        """True on that rung or above it."""
        return name in {rung.name for rung in self._rungs[: self._at]}

"""Sets of time: half-open intervals [start, end) of whole microseconds UTC.

A set is a tuple of intervals, sorted and apart: what touches or overlaps is merged, what is empty is
dropped. So two sets that cover the same time are equal, and a length is a sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Interval(NamedTuple):
    """[start_us, end_us)."""

    start_us: int
    end_us: int

    @property
    def length_us(self) -> int:
        return self.end_us - self.start_us


Times = tuple[Interval, ...]
NEVER: Times = ()


def times(spans: Iterable[tuple[int, int]]) -> Times:
    """The set of time that these spans cover, whatever their order."""
    merged: list[Interval] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if merged and start <= merged[-1].end_us:
            merged[-1] = Interval(merged[-1].start_us, max(merged[-1].end_us, end))
        else:
            merged.append(Interval(start, end))
    return tuple(merged)


def union(*sets: Times) -> Times:
    """What is in any of them."""
    return times(span for one in sets for span in one)


def both(one: Times, two: Times) -> Times:
    """What is in both."""
    return tuple(_both(one, two))


def _both(one: Times, two: Times) -> Iterator[Interval]:
    i = j = 0
    while i < len(one) and j < len(two):
        start = max(one[i].start_us, two[j].start_us)
        end = min(one[i].end_us, two[j].end_us)
        if start < end:
            yield Interval(start, end)
        if one[i].end_us < two[j].end_us:
            i += 1
        else:
            j += 1


def without(one: Times, two: Times) -> Times:
    """What is in the first and not in the second."""
    left: list[Interval] = []
    j = 0
    for start, end in one:
        at = start
        while j < len(two) and two[j].end_us <= at:
            j += 1
        k = j
        while k < len(two) and two[k].start_us < end:
            if two[k].start_us > at:
                left.append(Interval(at, two[k].start_us))
            at = max(at, two[k].end_us)
            k += 1
        if at < end:
            left.append(Interval(at, end))
    return tuple(left)


def clip(one: Times, start_us: int, end_us: int) -> Times:
    """What lies in [start, end)."""
    return both(one, (Interval(start_us, end_us),)) if start_us < end_us else NEVER


def shifted(one: Times, by_us: int) -> Times:
    """All of it, so much later."""
    return tuple(Interval(start + by_us, end + by_us) for start, end in one)


def grown(one: Times, by_us: int) -> Times:
    """Each begun so much earlier and ended so much later; what comes to touch is one."""
    return times((start - by_us, end + by_us) for start, end in one)


def length_us(one: Times) -> int:
    """How long it is together."""
    return sum(end - start for start, end in one)


def longest_us(one: Times) -> int:
    """How long its longest stretch is."""
    return max((end - start for start, end in one), default=0)

"""The heartbeats of a run, folded as they are read.

Every second line of a log is one, so none is kept as an object. What a heartbeat says of camera,
charger and supply seldom changes: it is kept once for each stretch that says the same. Times and
temperatures stay, in columns: an event may tell of what was before it, so a state may begin between
any two heartbeats, and a log may turn out to be signed for up to any line.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_NONE = -(2**63)
_MOST = 2**62  # in milli degrees, either side of 0: what a column holds
# [start, end), boot time in ns.
Span = tuple[int, int]


class Said(NamedTuple):
    """What a heartbeat says beside temperatures."""

    camera: bool
    charging_allowed: bool
    throttled: tuple[str, ...]


def _column() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Beats:
    """Heartbeats in the order of their lines."""

    lines: array[int] = field(default_factory=_column)
    at_ns: array[int] = field(default_factory=_column)
    soc_milli_c: array[int] = field(default_factory=_column)
    cell_milli_c: array[int] = field(default_factory=_column)
    # Each stretch of heartbeats that say the same: its first one, and what they say.
    firsts: array[int] = field(default_factory=_column)
    said: list[Said] = field(default_factory=list)
    in_order: bool = True

    def take(self, line: int, at_ns: int, data: dict[str, Any]) -> None:
        """The next heartbeat."""
        get, times = data.get, self.at_ns
        if times and at_ns <= times[-1]:
            self.in_order = False
        flags = get("throttled")
        says = (
            get("camera") is not False, get("charge") == "allowed",
            tuple(map(str, flags)) if flags and isinstance(flags, list) else (),
        )  # fmt: skip
        if not self.said or self.said[-1] != says:
            self.firsts.append(len(times))
            self.said.append(Said(*says))
        soc, cell = get("soc_milli_c"), get("cell_milli_c")
        self.lines.append(line)
        times.append(at_ns)
        self.soc_milli_c.append(soc if type(soc) is int and -_MOST < soc < _MOST else _NONE)
        self.cell_milli_c.append(cell if type(cell) is int and -_MOST < cell < _MOST else _NONE)

    def cut_to(self, line: int) -> None:
        """Forget every heartbeat behind this line."""
        kept = bisect_right(self.lines, line)
        for column in (self.lines, self.at_ns, self.soc_milli_c, self.cell_milli_c):
            del column[kept:]
        stretches = bisect_left(self.firsts, kept)
        del self.firsts[stretches:], self.said[stretches:]

    def marks(self, moments: Iterable[int]) -> list[tuple[int, Said]]:
        """Heartbeats that tell all of what held from when to when, and what they say.

        They are the first of each stretch that says the same, and those around each of these
        moments, boot time: at it, and the first after it. All, if their times do not rise.
        """
        times, count = self.at_ns, len(self.at_ns)
        if not self.in_order:
            return [(at_ns, self._said_at(number)) for number, at_ns in enumerate(times)]
        wanted = set(self.firsts)
        for moment in moments:
            wanted.add(bisect_left(times, moment))
            wanted.add(bisect_right(times, moment))
        wanted.discard(count)
        return [(times[number], self._said_at(number)) for number in sorted(wanted)]

    def _said_at(self, number: int) -> Said:
        return self.said[bisect_right(self.firsts, number) - 1]

    def most(self, spans: Sequence[Span]) -> list[tuple[int | None, int | None]]:
        """The highest temperatures of SoC and cell that any tells in each of these."""
        soc, cell = (
            most_in(spans, self.at_ns, column, in_order=self.in_order)
            for column in (self.soc_milli_c, self.cell_milli_c)
        )
        return list(zip(soc, cell, strict=True))


def most_in(
    spans: Iterable[Span], times: array[int], values: array[int], *, in_order: bool
) -> list[int | None]:
    """The largest value whose time lies in each span; None where there is none."""
    if not in_order:
        order = sorted(range(len(times)), key=times.__getitem__)
        times, values = (array("q", map(c.__getitem__, order)) for c in (times, values))
    found = (
        max(values[bisect_left(times, start_ns) : bisect_left(times, end_ns)], default=_NONE)
        for start_ns, end_ns in spans
    )
    return [None if most == _NONE else most for most in found]

"""The readings of both clocks in a run, folded into columns as they are read."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clock import ClockSource
from .anchors import Anchor
from .beats import Span, most_in

SYNCED = ("ntp", "nts", "gps", "dock")
# Off by more than the calendar is long.
_MOST_ERROR_US = 2**55


def _column() -> array[int]:
    return array("q")


@dataclass(slots=True)
class ClockSamples:
    """Samples in the order of their lines; `sources` has each stretch of one source, and its first."""

    lines: array[int] = field(default_factory=_column)
    boot_ns: array[int] = field(default_factory=_column)
    utc_ns: array[int] = field(default_factory=_column)
    err_us: array[int] = field(default_factory=_column)
    firsts: array[int] = field(default_factory=_column)
    sources: list[str] = field(default_factory=list)
    in_order: bool = True

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, line: int, boot_ns: int, utc_ns: int, err_us: int, source: str) -> None:
        """The next sample; UTC is within the calendar, the error not negative."""
        if self.boot_ns and boot_ns < self.boot_ns[-1]:
            self.in_order = False
        if not self.sources or source != self.sources[-1]:
            self.firsts.append(len(self.lines))
            self.sources.append(source)
        self.lines.append(line)
        self.boot_ns.append(boot_ns)
        self.utc_ns.append(utc_ns)
        self.err_us.append(min(err_us, _MOST_ERROR_US))

    def cut_to(self, line: int) -> None:
        """Forget every sample behind this line."""
        kept = bisect_right(self.lines, line)
        for column in (self.lines, self.boot_ns, self.utc_ns, self.err_us):
            del column[kept:]
        stretches = bisect_left(self.firsts, kept)
        del self.firsts[stretches:], self.sources[stretches:]

    def best(self) -> Anchor | None:
        """The one with the smallest error; of equal ones, the latest line. A clock that nothing set
        says nothing.
        """
        ends = [*self.firsts, len(self)][1:]
        found = [
            (least_us, -(end - 1 - errors[::-1].index(least_us)), source)
            for source, first, end in zip(self.sources, self.firsts, ends, strict=True)
            if source != ClockSource.NONE.value
            for errors in (self.err_us[first:end],)
            for least_us in (min(errors),)
        ]
        if not found:
            return None
        _, behind, source = min(found)
        number = -behind
        return Anchor(
            self.boot_ns[number], self.utc_ns[number], self.err_us[number], source,
            self.lines[number],
        )  # fmt: skip

    def most_err_us(self, spans: Iterable[Span]) -> list[int | None]:
        """The largest error that any tells in each of these."""
        return most_in(spans, self.boot_ns, self.err_us, in_order=self.in_order)

    def last_synced_ns(self, end_ns: int) -> int | None:
        """When, before this moment, a clock that was synced was read last, boot time."""
        ends = [*self.firsts, len(self)][1:]
        found = (
            self._last_before(first, end, end_ns)
            for source, first, end in zip(
                reversed(self.sources), reversed(self.firsts), reversed(ends), strict=True
            )
            if source in SYNCED
        )
        known = (at_ns for at_ns in found if at_ns is not None)
        return next(known, None) if self.in_order else max(known, default=None)

    def _last_before(self, first: int, end: int, end_ns: int) -> int | None:
        if self.in_order:
            behind = bisect_left(self.boot_ns, end_ns, first, end)
            return self.boot_ns[behind - 1] if behind > first else None
        return max((at_ns for at_ns in self.boot_ns[first:end] if at_ns < end_ns), default=None)

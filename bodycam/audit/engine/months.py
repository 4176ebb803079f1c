"""The months that are asked for, and how much of what lies around them is read.

What an incident or a shift needs may have begun before its month and may end behind it: the month
before and the one behind are read as well, and whatever reaches into them. A shift is followed no
further, and a window never is as long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import ibis
import ibis.expr.types as ir

from ...errors import ConfigError

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AROUND_US = 31 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Months:
    """[start, end) of each month, in order; none: all there is."""

    spans: tuple[tuple[int, int], ...] = ()

    def holds(self, at_us: ir.IntegerValue) -> ir.BooleanValue:
        """Whether a moment lies in one of them."""
        found: ir.BooleanValue = ibis.literal(value=not self.spans)
        for start, end in self.spans:
            found = found | ((at_us >= start) & (at_us < end))
        return found

    def near(self, start_us: ir.IntegerValue, end_us: ir.IntegerValue) -> ir.BooleanValue:
        """Whether a stretch reaches into what is read for them."""
        if not self.spans:
            return ibis.literal(value=True)
        low, high = self.spans[0][0] - _AROUND_US, self.spans[-1][1] + _AROUND_US
        return (start_us < high) & (end_us > low)

    def clipped(self, t: ir.Table, start: str, end: str) -> ir.Table:
        """What of each row's stretch lies in them, a row for each."""
        if not self.spans:
            return t
        cut = [
            t.mutate(**{start: ibis.greatest(t[start], low), end: ibis.least(t[end], high)})
            for low, high in self.spans
        ]
        found = ibis.union(*cut) if len(cut) > 1 else cut[0]
        return found.filter(found[start] < found[end])


def months_of(names: Sequence[str]) -> Months:
    """The months of these names, YYYY-MM. Raises ConfigError."""
    return Months(tuple(sorted({_span(name) for name in names})))


def _span(name: str) -> tuple[int, int]:
    found = _MONTH.fullmatch(name)
    if found is None or found[1] == "0000":
        raise ConfigError(f"{name[:20]!r} is no month", "Give one as 2026-06")
    year, month = int(found[1]), int(found[2])
    return _at_us(year, month), _at_us(year + month // 12, month % 12 + 1)


def _at_us(year: int, month: int) -> int:
    if year > 9999:
        raise ConfigError("9999-12 is no month that ends", "Give one as 2026-06")
    return int((datetime(year, month, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1_000_000

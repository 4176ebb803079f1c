"""The strata within which incidents are compared: what it was, at which time of day, and where.

| measure | stratum                                                       |
|---------|---------------------------------------------------------------|
| M31     | call type, band of the time of dispatch, district             |
| M32     | call type, band of the time of dispatch, unit                 |

A band is the time from one of `shift_starts_h` to the next, in the zone that the policy names: it is the
wall clock that a shift follows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from .policy import StatisticsRules

HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OffsetFrom:
    """From this moment on the zone's wall clock is so far ahead of UTC."""

    at_us: int
    offset_us: int


def band(at_us: int, rules: StatisticsRules) -> str:
    """The band of a moment, by the wall clock: 07-15."""
    hour = (_EPOCH + timedelta(microseconds=at_us)).astimezone(rules.zone()).hour
    return bands(rules)[bisect_right(rules.shift_starts_h, hour) - 1]


def bands(rules: StatisticsRules) -> list[str]:
    """All bands, in order of their beginning; the last one goes on over midnight."""
    starts = rules.shift_starts_h
    return [f"{a:02}-{b:02}" for a, b in zip(starts, (*starts[1:], starts[0]), strict=True)]


def offsets(zone: tzinfo, from_us: int, to_us: int) -> list[OffsetFrom]:
    """How far the wall clock is ahead of UTC from the first moment to the last, by whole seconds."""
    found = [OffsetFrom(from_us, _offset_us(zone, from_us))]
    at_us = from_us
    while at_us < to_us:
        # No zone has changed its offset twice within six hours.
        after = min(at_us + 6 * HOUR_US, to_us)
        if _offset_us(zone, after) != found[-1].offset_us:
            found.append(_change(zone, at_us, after))
        at_us = after
    return found


def _change(zone: tzinfo, low: int, high: int) -> OffsetFrom:
    before = _offset_us(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset_us(zone, middle) == before else (low, middle)
    return OffsetFrom(high, _offset_us(zone, high))


def _offset_us(zone: tzinfo, at_us: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).utcoffset()
    return (offset or timedelta()) // timedelta(microseconds=1)

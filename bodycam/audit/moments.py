"""Times of day as other systems write them: ISO 8601 with a zone, or local with a zone that was named.

A local time that a clock change makes impossible, or that comes twice in that night, is refused:
nobody can say which was meant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1971, 2500)


def moment_us(text: str, zone: tzinfo | None) -> int:
    """UTC in microseconds. Raises ValueError with what is wrong with it."""
    if not _SHAPE.fullmatch(text):
        raise ValueError("is no ISO 8601 time such as 2026-05-28T20:26:40Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise ValueError(f"is no time of the calendar: {fault}") from fault
    if moment.year not in _YEARS:
        raise ValueError(f"is of the year {moment.year}")
    if moment.tzinfo is None:
        moment = _placed(moment, zone)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _placed(local: datetime, zone: tzinfo | None) -> datetime:
    if zone is None:
        raise ValueError("has no zone: write Z or an offset, or name the zone (--zone)")
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    there = [m for m in (first, second) if _same_wall(m, local)]
    if not there:
        raise ValueError(f"never was in {zone}: the clocks were put forward over it")
    if first.utcoffset() != second.utcoffset():
        raise ValueError(f"was twice in {zone}: the clocks were put back; write an offset")
    return first


def _same_wall(moment: datetime, local: datetime) -> bool:
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None, fold=0) == local

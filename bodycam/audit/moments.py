"""Times of day as other systems write them: ISO 8601 with a zone, or local with a zone that was named.

A local time that a clock change makes impossible, or that comes twice in that night, is refused:
nobody can say which was meant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import ConfigError

_SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d[T ](\d\d):\d\d(:(\d\d)([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII
)
_SERIAL = re.compile(r"\d{5}([.,]\d+)?", re.ASCII)
_NAMED_ZONE = re.compile(r"(.*\d)\s*[A-Za-z][A-Za-z_/+-]+", re.ASCII)
_EPOCH, _LOCAL_EPOCH = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1)  # noqa: DTZ001
_US = timedelta(microseconds=1)
_FIRST_YEAR, _LAST_YEAR = 1971, 2499


def moment_us(text: str, zone: tzinfo | None) -> int:
    """UTC in microseconds. Raises ValueError with what is wrong with it."""
    if not (shape := _SHAPE.fullmatch(text)):
        raise ValueError(_no_time(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise ValueError(_not_of_the_calendar(shape, fault)) from fault
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"is of the year {moment.year}")
    if shape[1] == "24":  # that of the next day, to later Pythons alone
        raise ValueError(_not_of_the_calendar(shape, None))
    if moment.tzinfo is None:
        return (moment - _LOCAL_EPOCH - _offset(moment, zone)) // _US
    return (moment - _EPOCH) // _US


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of this name. Raises ConfigError if there is none."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise ConfigError(
            f"audit: --zone {name!r} is not known here", "Give a name such as Europe/Berlin"
        ) from fault


def _offset(local: datetime, zone: tzinfo | None) -> timedelta:
    """How far local time is ahead of UTC: before a change of the clocks and behind it the same."""
    if zone is None:
        raise ValueError("has no zone: write Z or an offset, or name the zone (--zone)")
    before = local.replace(tzinfo=zone).utcoffset()
    behind = local.replace(tzinfo=zone, fold=1).utcoffset()
    if before is None or behind is None:
        raise ValueError(f"has no offset in {zone}")
    if before < behind:
        raise ValueError(f"never was in {zone}: the clocks were put forward over it")
    if before > behind:
        raise ValueError(f"was twice in {zone}: the clocks were put back; write an offset")
    return before


def _no_time(text: str) -> str:
    if _SERIAL.fullmatch(text):
        return "is a spreadsheet's serial number: give the column a format of dates as ISO 8601"
    if (named := _NAMED_ZONE.fullmatch(text)) and _SHAPE.fullmatch(named[1]):
        return "names its zone by letters: write Z or an offset"
    return "is no ISO 8601 time such as 2026-05-28T20:26:40Z"


def _not_of_the_calendar(shape: re.Match[str], fault: ValueError | None) -> str:
    if shape[1] == "24":
        return "is of hour 24: write 00:00 of the next day"
    if shape[3] == "60":
        return "is a leap second, which UTC in microseconds does not have: write the second before"
    return f"is no time of the calendar: {fault}"

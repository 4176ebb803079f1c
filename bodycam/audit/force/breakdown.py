"""Judged incidents by call type, district, hour and day: the same numbers of each group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta, tzinfo

import ibis
import ibis.expr.types as ir

from ..engine.strata import BETWEEN, spoken
from ..public import OTHERS
from ..scoring import IncidentClass
from ..strata import HOUR_US, offsets
from .facts import Group
from .sources import different

_DAY_US = 24 * HOUR_US
MAX_GROUPS = 40
_KINDS = {kind.value: f"sure_{kind.name.lower()}" for kind in IncidentClass}


def by_call_type(judged: ir.Table) -> tuple[Group, ...]:
    """The commonest first."""
    return _commonest(judged, "call_type")


def by_district(judged: ir.Table, *, several: bool) -> tuple[Group, ...]:
    """The commonest first; of several forces each is said with its own."""
    if not several:
        return _commonest(judged, "district")
    district = ibis.ifelse(judged.district == "", "(not said)", judged.district)
    return tuple(
        replace(g, name=spoken(g.name))
        for g in _commonest(judged.mutate(district=judged.force + BETWEEN + district), "district")
    )


def by_hour(judged: ir.Table, zone: tzinfo) -> tuple[Group, ...]:
    """Hours of the day by the wall clock of the zone; all 24, if there is any incident."""
    hour = (_wall_us(judged, zone) % _DAY_US) // HOUR_US
    found = {g.name: g for g in _told(judged.mutate(name=hour.cast("string").lpad(2, "0")))}
    names = [f"{number:02}" for number in range(24)] if found else []
    return tuple(found.get(name, Group(name, 0, 0, 0, 0, 0, 0, {})) for name in names)


def by_day(judged: ir.Table, zone: tzinfo) -> tuple[Group, ...]:
    """Days by the wall clock of the zone, in order."""
    day = _wall_us(judged, zone) // _DAY_US
    found = {int(g.name): g for g in _told(judged.mutate(name=day.cast("string")))}
    return tuple(replace(found[day], name=_day_text(day)) for day in sorted(found))


def _day_text(day: int) -> str:
    try:
        return f"{date(1970, 1, 1) + timedelta(days=day):%Y-%m-%d}"
    except OverflowError:
        return f"day {day}"


def _commonest(judged: ir.Table, column: str) -> tuple[Group, ...]:
    """Groups of this column, the commonest first; those behind MAX_GROUPS together, as the last."""
    sizes = judged.group_by(column).agg(many=judged.count())
    first = sizes.order_by([ibis.desc("many"), column]).limit(MAX_GROUPS)
    names = [row[column] for row in first.to_pyarrow().to_pylist()]
    if not names:
        return ()
    name = ibis.cases(*((judged[column] == n, n) for n in names), else_=OTHERS)
    found = {g.name: g for g in _told(judged.mutate(name=name))}
    return tuple(found[n] for n in dict.fromkeys((*names, OTHERS)) if n in found)


def _told(named: ir.Table) -> Iterable[Group]:
    told = named.group_by("name").agg(
        judged=named.count(), officers=different(named, "officer"), vendor=named.vendor.sum(),
        window_us=named.window_us.sum(), evid_us=named.evid_us.sum(), live_us=named.live_us.sum(),
        **{column: (named.kinds == kind).sum() for kind, column in _KINDS.items()},
    )  # fmt: skip
    for row in told.to_pyarrow().to_pylist():
        yield Group(
            row["name"], row["judged"], row["officers"], row["vendor"], row["window_us"],
            row["evid_us"], row["live_us"], {kind: row[column] for kind, column in _KINDS.items()},
        )  # fmt: skip


def _wall_us(judged: ir.Table, zone: tzinfo) -> ir.IntegerValue:
    """When a window began, by the wall clock."""
    ends = judged.agg(low=judged.due_us.min(), high=judged.due_us.max()).to_pyarrow().to_pylist()[0]
    if ends["low"] is None:
        return judged.due_us
    found = offsets(zone, ends["low"], ends["high"])
    at = judged.due_us
    later = [(at >= one.at_us, at + one.offset_us) for one in reversed(found[1:])]
    first = at + found[0].offset_us
    return ibis.cases(*later, else_=first) if later else first

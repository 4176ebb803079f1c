"""By how much the clocks may make M34 of many duties less or more, as `dutyranges` defines it.

Of a stretch moved by its clock's error only what lies that near to its bounds changes anything: nearly
always a piece or two.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from ..dutyranges import ABLE, RANGED
from ..states import DeviceState
from .sweep import merged

_WHATS: Mapping[str, tuple[str, ...]] = {
    "recording_us": (DeviceState.RECORDING.value,),
    "able_us": tuple(state.value for state in ABLE),
    "covered_us": ("covered",),
    "recorded_us": ("recorded",),
}
WAYS = tuple((way, name) for name in RANGED for way in ("less", "more"))
_COLUMNS = tuple(f"{way}_{name}" for way, name in WAYS)


def ranged(met: ir.Table) -> ir.Table:
    """What is `near`, as pieces of each of RANGED (`what`)."""
    return ibis.union(
        *(
            met.filter(met.what.isin(whats)).mutate(what=ibis.literal(name))
            for name, whats in _WHATS.items()
        )
    )


def moved(met: ir.Table) -> ir.Table:
    """(incident, less_NAME, more_NAME), of what is `near` stretches of duties in which no two cameras were
    worn at once.
    """
    t = met.filter(met.off_us > 0)
    edges = [t.start_us - t.off_us, t.start_us + t.off_us, t.end_us - t.off_us, t.end_us + t.off_us]
    at_start = (t.span_from < edges[1]) & (t.span_to > edges[0])
    at_end = (t.span_from < edges[3]) & (t.span_to > edges[2])
    t = ranged(t.filter(at_start | at_end)).cache()
    by = _shifts(t).view()
    pairs = t.join(by, "stretch")
    start, end = pairs.start_us + pairs.from_by, pairs.end_us + pairs.to_by
    pairs = pairs.mutate(
        us=_overlap(pairs, start, end) - _overlap(pairs, pairs.start_us, pairs.end_us)
    )
    sums = pairs.group_by(["incident", "stretch", "what", "from_by", "to_by"]).agg(
        us=pairs.us.sum()
    )
    found = sums.group_by(["incident", "stretch", "what"]).agg(
        less=ibis.least(sums.us.min(), 0), more=ibis.greatest(sums.us.max(), 0)
    )
    return found.group_by("incident").agg(**{
        f"{way}_{name}": found[way].sum(where=found.what == name).fill_null(0) for way, name in WAYS
    })  # fmt: skip


def _overlap(t: ir.Table, start: ir.IntegerValue, end: ir.IntegerValue) -> ir.IntegerValue:
    return ibis.greatest(ibis.least(t.span_to, end) - ibis.greatest(t.span_from, start), 0)


def _shifts(t: ir.Table) -> ir.Table:
    """(stretch, from_by, to_by): by how much the bounds are moved, together or each by itself."""
    alone = t.filter(t.clocks == 1)
    meet = [
        alone.select("stretch", "off_us", by_us=alone[edge] - alone[bound])
        for edge in ("span_from", "span_to") for bound in ("start_us", "end_us")
    ]  # fmt: skip
    ends = [
        alone.select("stretch", "off_us", by_us=by_us) for by_us in (alone.off_us, -alone.off_us)
    ]
    every = ibis.union(*meet, *ends, distinct=True)
    every = every.filter(every.by_us.abs() <= every.off_us)
    several = t.filter(t.clocks > 1).select("stretch", "off_us").distinct()
    return ibis.union(
        every.select("stretch", from_by="by_us", to_by="by_us"),
        several.select("stretch", from_by=several.off_us, to_by=-several.off_us),
        several.select("stretch", from_by=-several.off_us, to_by="off_us"),
    )


# -- two cameras at once ------------------------------------------------------------------------


def at_once(met: ir.Table) -> ir.Table:
    """(incident, what, way, start_us, end_us): of what is `near` duties with two cameras at once, what each
    camera surely (`less`) and possibly (`more`) did in its stretches.
    """
    t = merged(
        ranged(met).rename(stretch_from="start_us", stretch_to="end_us").rename(
            start_us="span_from", end_us="span_to"
        ),
        ("stretch", "what"),
    )  # fmt: skip
    bounds = met.select(
        "stretch", "incident", "off_us", low_us=met.start_us, high_us=met.end_us
    ).distinct()
    t = t.join(bounds, "stretch")
    ways = [
        t.select(
            "incident", "what", way=ibis.literal(way),
            start_us=ibis.greatest(t.start_us - sign * t.off_us, t.low_us),
            end_us=ibis.least(t.end_us + sign * t.off_us, t.high_us),
        )
        for way, sign in (("less", -1), ("more", 1))
    ]  # fmt: skip
    found = ibis.union(*ways)
    return found.filter(found.start_us < found.end_us)


def together(pieces: ir.Table, swept: ir.Table) -> ir.Table:
    """(incident, less_NAME, more_NAME) of the `at_once` of all cameras; `swept` are the times by the clocks
    as they are.
    """
    t = merged(pieces, ("incident", "what", "way"))
    t = t.mutate(us=t.end_us - t.start_us)
    sums = t.group_by("incident").agg(**{
        f"{way}_{name}": t.us.sum(where=(t.what == name) & (t.way == way)).fill_null(0)
        for way, name in WAYS
    })  # fmt: skip
    able_us = swept.ready_us + swept.recording_us + swept.sleep_us + swept.boot_us
    rows = swept.mutate(able_us=able_us).left_join(sums, "incident")
    return rows.select(
        "incident",
        **{f"{way}_{name}": rows[f"{way}_{name}"].fill_null(0) - rows[name] for way, name in WAYS},
    )


def summed(*parts: ir.Table) -> ir.Table:
    """The same, where a duty is in several of these."""
    t = ibis.union(*(part.select("incident", *_COLUMNS) for part in parts))
    return t.group_by("incident").agg(**{column: t[column].sum() for column in _COLUMNS})

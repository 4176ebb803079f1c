"""M34 of many duties at once, as `dutytimes` defines it, with the pairs of `dutyranges`.

Nearly always an officer wears one camera at a time: then a state's time in a duty is a sum of overlaps,
and needs no sweep. Duties with two cameras at once are swept, so that each second counts once, and for
the camera that could do more. Both are asked camera by camera, and put together at the end.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..dutyranges import RANGED
from ..states import DeviceState
from .incidents import STATE_COLUMNS, state_sums
from .pieces import named, within, worn_in
from .sweep import Side, cut, lengths, meeting, merged

STATES = {state: f"is_{state.value}" for state in DeviceState}
SETS = ("whole", "worn", "live", "evid", "failed", *STATES.values())
SUMS = (*STATE_COLUMNS.values(), "covered_us", "recorded_us")
STRETCH = ("stretch", "incident", "device", "start_us", "end_us", "clocks", "off_us", "twice")


def own_times(duties: ir.Table) -> ir.Table:
    """The duties that have time of their own: due_us is where it begins, `incident` a number."""
    order = ["start_us", "end_us", "file", "row"]
    before = ibis.window(group_by="officer", order_by=order, preceding=(None, 1))
    t = duties.mutate(reached_us=duties.end_us.max().over(before))
    t = t.mutate(due_us=ibis.greatest(t.start_us, t.reached_us.fill_null(t.start_us)))
    t = t.filter(t.due_us < t.end_us).drop("reached_us")
    return t.mutate(incident=ibis.row_number())


def worn_then(duties: ir.Table, worn: ir.Table, clocks: ir.Table) -> ir.Table:
    """worn_in of duties, numbered (`stretch`), with how many clocks tell of each, by how much they may be
    off (`off_us`), and `twice`: whether two cameras were worn at once in that duty.
    """
    t = worn_in(duties, worn)
    order = ["start_us", "end_us", "device"]
    before = ibis.window(group_by="incident", order_by=order, preceding=(None, 1))
    t = t.mutate(again=(t.start_us < t.end_us.max().over(before)).fill_null(False))
    t = t.mutate(twice=t.again.any().over(ibis.window(group_by="incident"))).drop("again")
    # In an order: the number is asked for twice.
    key = ibis.window(order_by=["incident", "device", "start_us"])
    t = t.mutate(stretch=ibis.row_number().over(key)).view()
    told = clocks.select("device", clock_us="err_us", clock_from="start_us", clock_to="end_us")
    met = t.join(
        told,
        [
            t.device == told.device, told.clock_from - told.clock_us < t.end_us,
            t.start_us < told.clock_to + told.clock_us,
        ],
    )  # fmt: skip
    found = met.group_by("stretch").agg(clocks=met.count(), off_us=met.clock_us.max())
    t = t.left_join(found, "stretch").drop("stretch_right")
    return t.mutate(clocks=t.clocks.fill_null(0), off_us=t.off_us.fill_null(0))


def told_of(spans: ir.Table) -> ir.Table:
    """(device, what, span_from, span_to): the states of these cameras, what is proven, and what is that or
    claimed.
    """
    state = spans.filter(spans.kind == Kind.STATE.value).select(
        "device", what="name", span_from="start_us", span_to="end_us"
    )
    evid = spans.filter(spans.kind == Kind.EVID.value)
    claims = [Kind.LIVE.value, Kind.EVID.value, Kind.FAILED.value]
    sets = [(evid, "covered"), (spans.filter(spans.kind.isin(claims)), "recorded")]
    pieces = [
        merged(t, ("device",)).select("device", what=ibis.literal(name), span_from="start_us", span_to="end_us")
        for t, name in sets
    ]  # fmt: skip
    return ibis.union(state, *pieces)


def near(stretches: ir.Table, told: ir.Table) -> ir.Table:
    """What these cameras tell in the stretches, and as far out of each as its clocks may be off."""
    around = stretches.select(
        *STRETCH, near_from=stretches.start_us - stretches.off_us,
        near_to=stretches.end_us + stretches.off_us,
    )  # fmt: skip
    met = meeting(
        Side(around, ("device",), "near_from", "near_to"),
        Side(told, ("device",), "span_from", "span_to"),
    )
    return met.drop("near_from", "near_to")


def overlaps(met: ir.Table) -> ir.Table:
    """Sums (incident, time in each state, covered, recorded) of what is `near` stretches of duties in which
    no two cameras were worn at once.
    """
    us = ibis.least(met.end_us, met.span_to) - ibis.greatest(met.start_us, met.span_from)
    met = met.mutate(us=ibis.greatest(us, 0))
    return met.group_by("incident").agg(**{
        column: met.us.sum(where=met.what == column.removesuffix("_us")).fill_null(0) for column in SUMS
    })  # fmt: skip


def pieces_of(stretches: ir.Table, spans: ir.Table) -> ir.Table:
    """What these cameras did in the stretches, for a sweep: (incident, in_set, start_us, end_us)."""
    told = within(stretches.select("incident", "device", "start_us", "end_us"), named(spans))
    return told.select("incident", "in_set", "start_us", "end_us").filter(
        lambda t: t.in_set.isin(list(SETS))
    )


def swept(stretches: ir.Table, pieces: ir.Table) -> ir.Table:
    """The same sums of duties with two cameras at once, of the pieces of all cameras."""
    worn = stretches.select("incident", "start_us", "end_us", in_set=ibis.literal("worn"))
    t = cut(ibis.union(pieces, worn.select(*pieces.columns)), "incident", SETS[1:])
    return t.group_by("incident").agg(
        **state_sums(t), covered_us=lengths(t, t.evid & t.worn),
        recorded_us=lengths(t, (t.evid | t.live | t.failed) & t.worn), worn_us=lengths(t, t.worn),
    )  # fmt: skip


def duty_rows(
    duties: ir.Table, stretches: ir.Table, sums: ir.Table, twice: ir.Table, officers: ir.Table,
    ranges: ir.Table,
) -> ir.Table:  # fmt: skip
    """One row a duty: `sums` are all parts of `overlaps`, `officers` those whom a camera belongs to, `ranges`
    by how much each of RANGED may be less or more.
    """
    once = stretches.filter(~stretches.twice)
    worn = once.group_by("incident").agg(worn_us=(once.end_us - once.start_us).sum())
    whole = sums.group_by("incident").agg(**{column: sums[column].sum() for column in SUMS})
    t = worn.left_join(whole, "incident").drop("incident_right")
    t = t.mutate(**{column: t[column].fill_null(0) for column in SUMS})
    # Where a camera was worn and nothing tells what it was, it is UNKNOWN.
    told = sum((t[column] for column in STATE_COLUMNS.values()), ibis.literal(0, "int64"))
    unknown = STATE_COLUMNS[DeviceState.UNKNOWN]
    t = t.mutate(**{unknown: t[unknown] + t.worn_us - told})
    columns = ("incident", "worn_us", *SUMS)
    every = ibis.union(t.select(*columns), twice.select(*columns))
    rows = duties.left_join(every, "incident").drop("incident_right")
    rows = rows.left_join(ranges, "incident").drop("incident_right")
    moves = [f"{way}_{name}" for name in RANGED for way in ("less", "more")]
    rows = rows.mutate(**{column: rows[column].fill_null(0) for column in (*columns[1:], *moves)})
    rows = rows.mutate(
        able_us=rows.ready_us + rows.recording_us + rows.sleep_us + rows.boot_us
    )  # fmt: skip
    pairs = {
        f"{bound}_{name}": value
        for name in RANGED
        for bound, value in (
            ("least", rows[name] + rows[f"less_{name}"]),
            ("most", ibis.least(rows[name] + rows[f"more_{name}"], rows.worn_us)),
        )
    }
    matched = officers.select("officer").distinct().mutate(known=ibis.literal(value=True))
    rows = rows.mutate(**pairs).left_join(matched, "officer").drop("officer_right")
    return rows.select(
        "officer", "unit", "site", "arm", from_us="due_us", to_us="end_us",
        shared_us=rows.due_us - rows.start_us, matched=rows.known.fill_null(False),
        duty_us=rows.end_us - rows.due_us, **{column: rows[column] for column in SUMS},
        no_device_us=rows.end_us - rows.due_us - rows.worn_us, err_us=rows.err_us,
        **{name: rows[name] for name in pairs}, file=rows.file, row=rows.row,
    )  # fmt: skip

"""Who wore which camera: ids that only one side knows, and what a camera did while nobody wore it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..states import DeviceState
from .months import Months
from .sweep import Side, cut, lengths, meeting, merged
from .tables import AuditTables


def camera_rows(
    cameras: AuditTables, devices: ir.Table, worn: ir.Table, officers: ir.Table, months: Months
) -> ir.Table:
    """One row a camera of `devices`: the first and the last moment, whether an officer of `officers`
    ever wore it, and what it did in these months while nobody did.
    """
    lines = _lines(cameras).cache()
    free = months.clipped(_free(lines, worn), "free_from", "free_to")
    known = worn.semi_join(officers, "officer").select("device").distinct()
    t = ibis.union(devices.select("device"), lines.select("device"), distinct=True)
    for found in (
        lines, known.mutate(matched=ibis.literal(value=True)),
        *_unassigned(cameras, free),
    ):  # fmt: skip
        t = t.left_join(found, "device").drop("device_right")
    counts = ("unassigned_undocked_us", "unassigned_live_us", "unassigned_recordings")
    return t.mutate(
        matched=t.matched.fill_null(False), **{name: t[name].fill_null(0) for name in counts}
    )


def _lines(cameras: AuditTables) -> ir.Table:
    spans = cameras.spans
    kinds = [Kind.STATE.value, Kind.LIVE.value, Kind.EVID.value, Kind.FAILED.value]
    told = spans.filter(spans.kind.isin(kinds))
    return told.group_by("device").agg(from_us=told.start_us.min(), to_us=told.end_us.max())


def _free(lines: ir.Table, worn: ir.Table) -> ir.Table:
    """(device, free_from, free_to): when nobody wore it, of all the time that it tells of."""
    t = worn.join(lines, "device")
    inside = t.select(
        "device",
        start_us=ibis.greatest(t.start_us, t.from_us),
        end_us=ibis.least(t.end_us, t.to_us),
    )
    taken = merged(inside, ("device",))
    edges = ibis.union(
        taken.select("device", free_from="end_us", before=ibis.literal(value=False)),
        lines.select("device", free_from="from_us", before=ibis.literal(value=True)),
    )
    after = ibis.union(
        taken.select("device", at_us="start_us"), lines.select("device", at_us="to_us")
    )
    # The n-th end of being worn, the beginning first, and the n-th beginning, the end last.
    by_from = ibis.window(group_by="device", order_by=["free_from", ibis.desc("before")])
    by_to = ibis.window(group_by="device", order_by="at_us")
    edges = edges.mutate(place=ibis.row_number().over(by_from))
    after = after.mutate(place=ibis.row_number().over(by_to))
    free = edges.join(after, ["device", "place"])
    free = free.select("device", "free_from", free_to="at_us")
    return free.filter(free.free_from < free.free_to)


def _unassigned(cameras: AuditTables, free: ir.Table) -> tuple[ir.Table, ir.Table]:
    spans = cameras.spans
    kinds = (Kind.STATE.value, Kind.LIVE.value, Kind.EVID.value)
    told = spans.filter(spans.kind.isin(kinds) & (spans.name != DeviceState.DOCKED.value))
    met = meeting(
        Side(free, ("device",), "free_from", "free_to"),
        Side(told.select("device", "kind", "number", "start_us", "end_us"), ("device",), "start_us",
             "end_us"),
    )  # fmt: skip
    met = met.select(
        "device", "number", in_set="kind", start_us=ibis.greatest(met.free_from, met.start_us),
        end_us=ibis.least(met.free_to, met.end_us),
    ).cache()  # fmt: skip
    t = cut(met, "device", kinds)
    sums = t.group_by("device").agg(
        unassigned_undocked_us=lengths(t, t[Kind.STATE.value]),
        unassigned_live_us=lengths(t, t[Kind.LIVE.value]),
    )
    shown = met.filter(met.in_set != Kind.STATE.value)
    live = spans.filter(spans.kind == Kind.LIVE.value).select("device", "number").distinct()
    # Where a log tells of it, LIVE says when it was, else its pictures.
    told_of = shown.semi_join(live, ["device", "number"])
    free_live = told_of.filter(told_of.in_set == Kind.LIVE.value).select("device", "number")
    untold = shown.anti_join(live, ["device", "number"]).select("device", "number")
    loose = ibis.union(free_live, untold, distinct=True)
    return sums, loose.group_by("device").agg(unassigned_recordings=loose.count())


def missing_cameras(worn: ir.Table, officers: ir.Table, devices: ir.Table) -> ir.Table:
    """Cameras that officers of `officers` wore and that are not in the data set."""
    known = worn.semi_join(officers, "officer").anti_join(devices, "device")
    return known.group_by("device").agg(officers=known.officer.nunique())

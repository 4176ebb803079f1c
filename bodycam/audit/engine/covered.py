"""Time of all windows of an officer and what is covered of it, so that no second counts twice.

The windows of most incidents overlap no other of the same officer: what is covered of those is their
own numbers. The others are joined, and what the cameras did is counted over what comes out.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..policy import Policy
from .incidents import left_out
from .pieces import Asked, within, worn_in
from .sweep import cut, lengths, merged


def alone(told: ir.Table, officers: ir.Table, policy: Policy) -> ir.Table:
    """The windows, with `left_out` and `alone`: null where it is left out, or has no window."""
    named = officers.mutate(matched=ibis.literal(value=True))
    t = told.left_join(named, "officer").drop("officer_right")
    t = t.mutate(left_out=left_out(t, policy.excluded)).drop("matched")
    counts = (t.left_out == "") & (t.due_us < t.end_us)
    order = ["due_us", "end_us", "incident"]
    by = [t.officer, counts]
    before = ibis.window(group_by=by, order_by=order, preceding=(None, 1))
    reached_us = t.end_us.max().over(before)
    next_us = t.due_us.lead().over(ibis.window(group_by=by, order_by=order))
    overlaps = (reached_us > t.due_us).fill_null(False) | (next_us < t.end_us).fill_null(False)
    return t.mutate(alone=ibis.ifelse(counts, ~overlaps, None))


def joined(told: ir.Table) -> ir.Table:
    """The windows that are not alone, joined: `incident` is a number of their own."""
    found = merged(
        told.filter(~told.alone).select("officer", start_us="due_us", end_us="end_us"), ("officer",)
    )
    return found.rename(due_us="start_us").mutate(incident=ibis.row_number())


def covered(asked: Asked) -> ir.Table:
    """(officer, window_us, evid_us, live_us) of each window in `asked.incidents`."""
    windows, spans = asked.incidents, asked.cameras.spans
    told = spans.filter(spans.kind.isin([Kind.EVID.value, Kind.LIVE.value]))
    found = within(worn_in(windows, asked.worn), told).mutate(in_set=ibis._.kind)
    columns = ("incident", "in_set", "start_us", "end_us")
    t = cut(found.select(*columns), "incident", (Kind.EVID.value, Kind.LIVE.value))
    sums = t.group_by("incident").agg(evid_us=lengths(t, t.evid), live_us=lengths(t, t.live))
    rows = windows.left_join(sums, "incident")
    return rows.select(
        "officer", window_us=rows.end_us - rows.due_us, evid_us=rows.evid_us.fill_null(0),
        live_us=rows.live_us.fill_null(0),
    )  # fmt: skip


def officer_rows(incidents: ir.Table, sums: ir.Table) -> ir.Table:
    """One row an officer with incidents: how many, how many judged, and the time of these."""
    every = incidents.group_by("officer").agg(
        incidents=incidents.count(), judged=(incidents.left_out == "").sum(),
        unmatched=(incidents.left_out == "UNMATCHED").sum(),
    )  # fmt: skip
    names = ("window_us", "evid_us", "live_us")
    time = sums.group_by("officer").agg(**{name: sums[name].sum() for name in names})
    t = every.left_join(time, "officer").drop("officer_right")
    return t.mutate(**{name: t[name].fill_null(0) for name in names})

"""M30 of every use of force at once, as `useofforce.near_force` defines it, its doubt and all.

`uses` are numbered (`incident`), with `at_us` and by how much that may be off (`unsure_us`); due_us and
end_us are all that is looked at.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..officers import ABLE
from ..policy import ForceRules
from ..recordings import ToggleCause
from ..scoring import S
from ..states import DeviceState
from .duty import STATES
from .pieces import named, within, worn_in
from .sweep import Side, cut, meeting, merged

_SETS = ("moment", "worn", *STATES.values())


def around(uses: ir.Table, rules: ForceRules) -> ir.Table:
    """Uses of force with `coarse_us`, and the stretch in which a camera's clock matters."""
    coarse_us = uses.rounding_us.fill_null(rules.rounding_s * S)
    reach_us = max(rules.stop_before_s, rules.stop_after_s) * S + coarse_us
    return uses.mutate(
        incident=ibis.row_number(), coarse_us=coarse_us, due_us=uses.at_us - reach_us,
        end_us=uses.at_us + reach_us,
    )  # fmt: skip


def asked(uses: ir.Table, rules: ForceRules) -> ir.Table:
    """The same with `unsure_us` of an `err_us` that is known now, and all that is looked at."""
    t = uses.mutate(unsure_us=uses.coarse_us // 2 + uses.err_us)
    before_us, after_us = (
        max(s, rules.covered_s) * S for s in (rules.stop_before_s, rules.stop_after_s)
    )
    return t.mutate(
        due_us=t.at_us - before_us - t.unsure_us, end_us=t.at_us + after_us + t.unsure_us + 1
    )


def pieces_of(uses: ir.Table, worn: ir.Table, spans: ir.Table) -> ir.Table:
    """States and proven pictures of these cameras around each use: (incident, in_set, start_us, end_us)."""
    told = spans.filter(spans.kind.isin([Kind.STATE.value, Kind.EVID.value]))
    found = within(worn_in(uses, worn), named(told))
    return found.select("incident", "in_set", "start_us", "end_us")


def stops_of(uses: ir.Table, worn: ir.Table, spans: ir.Table, rules: ForceRules) -> ir.Table:
    """(incident, stops_surely, stops_possibly) of these cameras: recordings that were stopped near, and
    did not roll over, while the officer wore the camera.
    """
    stopped = (spans.kind == Kind.LIVE.value) & (spans.why != ToggleCause.AUTO_ROLL.value)
    live = spans.filter(stopped)
    live = live.select("device", "number", stop_us="end_us", stop_to=live.end_us + 1)
    mine = uses.join(worn.select("officer", "device").distinct(), "officer")
    mine = mine.select("incident", "officer", "device", "at_us", "unsure_us", "due_us", "end_us")
    met = meeting(
        Side(mine.view(), ("device",), "due_us", "end_us"),
        Side(live, ("device",), "stop_us", "stop_to"),
    )
    when = worn.rename(worn_from="start_us", worn_to="end_us")
    held = met.join(
        when,
        [
            met.officer == when.officer, met.device == when.device, met.stop_us <= when.worn_to,
            when.worn_from < met.stop_us,
        ],
    )  # fmt: skip
    t = held.select("incident", "device", "number", "stop_us", "at_us", "unsure_us").distinct()
    before_us, after_us = rules.stop_before_s * S, rules.stop_after_s * S
    since = t.stop_us - t.at_us
    surely = (since >= t.unsure_us - before_us) & (since <= after_us - t.unsure_us)
    possibly = (since >= -t.unsure_us - before_us) & (since <= after_us + t.unsure_us)
    return t.group_by("incident").agg(
        stops_surely=surely.cast("int64").sum(), stops_possibly=possibly.cast("int64").sum()
    )


def near_rows(
    uses: ir.Table, worn: ir.Table, pieces: ir.Table, stops: ir.Table, rules: ForceRules
) -> ir.Table:
    """One row a use of force; without a camera it is UNMATCHED, and the rest is null."""
    counts = stops.group_by("incident").agg(
        stops_surely=stops.stops_surely.sum(), stops_possibly=stops.stops_possibly.sum()
    )
    matched = worn.select("officer").distinct().mutate(matched=ibis.literal(value=True))
    t = uses.left_join(matched, "officer").drop("officer_right")
    for found in (_states(uses, worn, pieces), counts, _covered(uses, pieces, rules)):
        t = t.left_join(found, "incident").drop("incident_right")

    def told(column: ir.Column, none: object) -> ir.Value:
        return ibis.ifelse(t.matched.notnull(), column.fill_null(none), ibis.null(column.type()))

    return t.select(
        "event", "officer", "at_us", "coarse_us", "err_us", "unsure_us",
        states=ibis.ifelse(t.matched.notnull(), t.states.fill_null(""), "UNMATCHED"),
        assigned=told(t.assigned, False), stops_surely=told(t.stops_surely, 0),
        stops_possibly=told(t.stops_possibly, 0), covered_us_min=told(t.covered_us_min, 0),
        covered_us_max=told(t.covered_us_max, 0), file=t.file, row=t.row,
    )  # fmt: skip


def _states(uses: ir.Table, worn: ir.Table, pieces: ir.Table) -> ir.Table:
    """(incident, assigned, states): what the cameras were at any moment that may be meant."""
    moment = uses.select(
        "incident", "officer", due_us=uses.at_us - uses.unsure_us,
        end_us=uses.at_us + uses.unsure_us + 1,
    )  # fmt: skip
    columns = ("incident", "in_set", "start_us", "end_us")
    whole = moment.select("incident", start_us="due_us", end_us="end_us").mutate(
        in_set=ibis.literal("moment")
    )
    held = worn_in(moment, worn).mutate(in_set=ibis.literal("worn"))
    state = pieces.filter(pieces.in_set.isin(list(STATES.values())))
    t = cut(
        ibis.union(whole.select(*columns), held.select(*columns), state.select(*columns)),
        "incident", _SETS,
    )  # fmt: skip
    t = t.filter(t.moment & t.worn)
    here, taken = {}, ibis.literal(value=False)
    for state_ in ABLE:
        column = t[STATES[state_]]
        here[state_] = column & ~taken
        taken = taken | column
    here[DeviceState.UNKNOWN] = here[DeviceState.UNKNOWN] | ~taken
    found = t.group_by("incident").agg(**{STATES[s]: here[s].any() for s in DeviceState})
    words = ibis.literal("")
    for state_ in DeviceState:
        words = words + ibis.ifelse(found[STATES[state_]], f" {state_.value}", "")
    # Behind the first space; Spark's strip() takes more than white space.
    return found.select("incident", assigned=ibis.literal(value=True), states=words.substr(1))


def _covered(uses: ir.Table, pieces: ir.Table, rules: ForceRules) -> ir.Table:
    """(incident, covered_us_min, covered_us_max): what is proven around the moment, least and greatest,
    wherever it was; linear between the shifts at which an edge meets a bound.
    """
    half_us = rules.covered_s * S
    evid = merged(pieces.filter(pieces.in_set == Kind.EVID.value), ("incident",))
    bounds = uses.select(
        "incident", "unsure_us", low_us=uses.at_us - half_us, high_us=uses.at_us + half_us
    )
    near = evid.join(bounds, "incident")
    near = near.mutate(
        start_us=ibis.greatest(near.start_us, near.low_us - near.unsure_us),
        end_us=ibis.least(near.end_us, near.high_us + near.unsure_us),
    )
    near = near.filter(near.start_us < near.end_us)
    moves = [
        near.select("incident", "unsure_us", by_us=near[bound] - near[edge])
        for bound in ("low_us", "high_us") for edge in ("start_us", "end_us")
    ]  # fmt: skip
    moves += [
        bounds.select("incident", "unsure_us", by_us=by_us)
        for by_us in (-bounds.unsure_us, ibis.literal(0, "int64"), bounds.unsure_us)
    ]
    by = ibis.union(*moves, distinct=True)
    by = by.filter(by.by_us.abs() <= by.unsure_us).select("incident", "by_us").view()
    met = near.join(by, "incident")
    met = met.mutate(
        us=ibis.greatest(
            0, ibis.least(met.end_us + met.by_us, met.high_us)
            - ibis.greatest(met.start_us + met.by_us, met.low_us),
        )
    )  # fmt: skip
    sums = met.group_by(["incident", "by_us"]).agg(us=met.us.sum())
    return sums.group_by("incident").agg(covered_us_min=sums.us.min(), covered_us_max=sums.us.max())

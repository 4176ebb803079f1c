"""What M29 of many incidents may be by the clocks: the definition of `uncertainty.shortfall_range`.

What the others prove surely, and possibly, is given by their pieces and their errors; the officer's own
pieces are shifted under when the cameras were worn, to where edges meet.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from .sweep import merged

_PEER = ("incident", "officer", "device", "due_us", "over_us", "err_us", "worn_from", "worn_to")
_SHIFT = ("incident", "by_us")


def shortfalls(found: ir.Table) -> ir.Table:
    """(incident, least_partner_us, most_partner_us) of `pieces`; no row where the others prove nothing."""
    proven = _proven(found.filter(found.in_set == "peer")).cache()
    own = found.filter((found.in_set == "evid") & found.own).semi_join(proven, "incident").select(
        "incident", "err_us", "worn_from", "worn_to", own_from="start_us", own_to="end_us"
    ).cache()  # fmt: skip
    shifts = _shifts(proven, own).cache()
    hidden = _hidden(proven, own, shifts)
    whole = proven.group_by(["incident", "way"]).agg(us=(proven.end_us - proven.start_us).sum())
    t = whole.left_join(hidden, ["incident", "way"])
    t = t.mutate(
        left_us=t.us
        - ibis.ifelse(t.way == "surely", t.most_hidden_us, t.least_hidden_us).fill_null(0)
    )
    return t.group_by("incident").agg(
        least_partner_us=t.left_us.sum(where=t.way == "surely").fill_null(0),
        most_partner_us=t.left_us.sum(where=t.way == "possibly").fill_null(0),
    )


def _proven(peers: ir.Table) -> ir.Table:
    """(incident, way, start_us, end_us): what the others' cameras prove of the window."""
    t = merged(peers, _PEER)
    ways = [
        t.select(
            "incident", way=ibis.literal(way),
            start_us=ibis.greatest(t.start_us - sign * t.err_us, t.worn_from, t.due_us),
            end_us=ibis.least(t.end_us + sign * t.err_us, t.worn_to, t.over_us),
        )
        for way, sign in (("surely", -1), ("possibly", 1))
    ]  # fmt: skip
    return merged(ibis.union(*ways), ("incident", "way"))


def _shifts(proven: ir.Table, own: ir.Table) -> ir.Table:
    """(incident, by_us): the shifts at which an edge of the own pieces meets a bound, and the greatest."""
    edges = own.select("incident", "err_us", edge_us="own_from").union(
        own.select("incident", "err_us", edge_us="own_to"), distinct=True
    )
    bounds = [
        *(proven.select("incident", at_us=name) for name in ("start_us", "end_us")),
        *(own.select("incident", at_us=name) for name in ("worn_from", "worn_to")),
    ]
    meet = edges.join(ibis.union(*bounds, distinct=True).view(), "incident")
    meet = meet.select("incident", by_us=meet.at_us - meet.edge_us, err_us=meet.err_us)
    meet = meet.filter(meet.by_us.abs() <= meet.err_us)
    ends = [
        own.select("incident", by_us=by_us)
        for by_us in (-own.err_us, ibis.literal(0, "int64"), own.err_us)
    ]
    return ibis.union(meet.select(*_SHIFT), *ends, distinct=True)


def _hidden(proven: ir.Table, own: ir.Table, shifts: ir.Table) -> ir.Table:
    """(incident, way, least_hidden_us, most_hidden_us): what the own cameras prove of it as well."""
    moved = own.join(shifts, "incident")
    moved = moved.select(
        *_SHIFT, start_us=ibis.greatest(moved.own_from + moved.by_us, moved.worn_from),
        end_us=ibis.least(moved.own_to + moved.by_us, moved.worn_to),
    )  # fmt: skip
    moved = merged(moved, _SHIFT).rename(own_from="start_us", own_to="end_us")
    pairs = moved.join(proven, "incident")
    us = ibis.least(pairs.own_to, pairs.end_us) - ibis.greatest(pairs.own_from, pairs.start_us)
    pairs = pairs.mutate(us=ibis.greatest(us, 0))
    sums = pairs.group_by([*_SHIFT, "way"]).agg(us=pairs.us.sum())
    # A shift that moves all of it out hides nothing.
    every = shifts.join(proven.select("incident", "way").distinct(), "incident")
    t = every.left_join(sums, [*_SHIFT, "way"])
    t = t.mutate(us=t.us.fill_null(0))
    return t.group_by(["incident", "way"]).agg(
        least_hidden_us=t.us.min(), most_hidden_us=t.us.max()
    )

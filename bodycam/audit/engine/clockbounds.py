"""Which incidents the clocks may leave open: all that `uncertainty` gives several classes, and few more.

The officer's cameras are shifted by every d in [-e, +e] against the window and against when they were
worn. Between two neighbouring bounds of window and wearing all moves together, so that a time changes by
no more than e; of n stretches of wearing there are 2 n - 1 such cells at most. The class of what is surely
recorded asks where edges lie, and none changes sides of a bound that is further from it than e:

| flag  | what must come within e                                                              |
|-------|--------------------------------------------------------------------------------------|
| any   | a piece ends where the camera's time begins, or begins where it ends: it comes or goes |
| LATE  | a proven piece begins at due + grace_on                                                |
| GAP   | one begins gap_min behind that beginning, or ends gap_min before that end              |
| EARLY | LIVE ends at end - grace_off; and, with the peers' own errors, their pieces' edges at that moment or where LIVE ends last, or at one another |

Where a camera was worn in several stretches, or several cameras were, every edge counts at each of these
bounds.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..policy import IncidentRules
from ..scoring import S

_UNABLE = ("unknown_us", "fault_us", "docked_us", "no_device_us")
_HELD = ("evid", "failed")
_MOVING = (*_HELD, "live", "muted")


def near_edges(found: ir.Table, rules: IncidentRules) -> ir.Table:
    """(incident, near): those with an edge of the officer's cameras as near as that."""
    t = found.filter((found.err_us > 0) & found.in_set.isin(_MOVING))
    held, gap_us = t.in_set.isin(_HELD), rules.gap_min_s * S

    def near(edge: ir.IntegerValue, bound: ir.IntegerValue) -> ir.BooleanValue:
        return (edge - bound).abs() <= t.err_us

    hits = t.filter(
        near(t.end_us, t.worn_from) | near(t.start_us, t.worn_to)
        | (held & (near(t.start_us, t.due_us + rules.grace_on_s * S)
                   | near(t.start_us, t.worn_from + gap_us) | near(t.end_us, t.worn_to - gap_us)))
        | ((t.in_set == "live") & near(t.end_us, t.over_us - rules.grace_off_s * S))
    )  # fmt: skip
    every = ibis.union(hits.select("incident"), _near_others(t, found, gap_us), distinct=True)
    return every.mutate(near=ibis.literal(value=True))


def _near_others(moving: ir.Table, found: ir.Table, gap_us: int) -> ir.Table:
    """The same where there is more than one stretch of wearing: any edge at any bound of any of them."""
    worn = found.filter(found.in_set == "worn")
    several = worn.group_by("incident").agg(many=worn.count()).filter(lambda t: t.many > 1)
    worn = worn.semi_join(several, "incident")
    ends = [worn.select("incident", bound_us=name) for name in ("worn_from", "worn_to")]
    t = moving.semi_join(several, "incident").join(ibis.union(*ends, distinct=True), "incident")
    near: ir.BooleanValue = ibis.literal(value=False)
    for edge in (t.start_us, t.end_us):
        for by_us in (-gap_us, 0, gap_us):
            near = near | ((edge - t.bound_us - by_us).abs() <= t.err_us)
    return t.filter(near).select("incident")


def near_peers(found: ir.Table, sums: ir.Table, rules: IncidentRules) -> ir.Table:
    """(incident, near_peer): those for which it may hang on the clocks whether a peer took over."""
    grace_us = rules.grace_off_s * S
    last = sums.filter(sums.over_us - sums.last_live_us >= grace_us - sums.err_us)
    last = last.select("incident", "last_live_us", own_err_us="err_us")
    peers = found.filter(found.in_set == "peer").select(
        "incident", "over_us", "err_us", "start_us", "end_us", "worn_from", "worn_to"
    )
    t = peers.join(last, "incident")
    # Where it was not worn before or behind, a piece begins or ends with the wearing.
    starts = (t.start_us - t.last_live_us).abs(), (t.worn_from - t.last_live_us).abs()
    begins = ibis.least(*starts) <= t.err_us + t.own_err_us
    ends = (t.end_us - t.over_us + grace_us).abs() <= t.err_us
    moving = t.err_us + t.own_err_us > 0
    alone = t.filter(moving & (begins | ends)).select("incident")
    mine = t.select("incident", "err_us", "start_us", "end_us", "worn_from", "worn_to")
    other = mine.rename(other_err_us="err_us", other_us="start_us", other_from="worn_from")
    pairs = mine.join(other.drop("end_us", "worn_to").view(), "incident")
    both_us = pairs.err_us + pairs.other_err_us
    meet = [
        (begin - end).abs()
        for begin in (pairs.other_us, pairs.other_from) for end in (pairs.end_us, pairs.worn_to)
    ]  # fmt: skip
    pairs = pairs.filter((both_us > 0) & (ibis.least(*meet[:3]) <= both_us))
    every = ibis.union(alone, pairs.select("incident"), distinct=True)
    return every.mutate(near_peer=ibis.literal(value=True))


def may_differ(t: ir.Table, rules: IncidentRules) -> ir.BooleanValue:
    """Whether the clocks may leave more than one class open; of rows with all that `scores` sums up,
    with `near`, `near_peer` and `stretches`, how often a camera was worn.
    """
    least_us = rules.activated_min_s * S
    moved_us = t.err_us * ibis.greatest(2 * t.stretches - 1, 0)
    surely = t.live_us - moved_us >= least_us
    perhaps = t.live_us + moved_us >= least_us
    unable = [t[name] for name in _UNABLE]
    most_us = ibis.greatest(*unable)
    # The one of which there is most, and how many of the others come as near as they may move.
    rivals = sum((us + 2 * moved_us >= most_us).cast("int32") for us in unable)
    half = 2 * sum(unable) - t.window_us
    excused = (half.abs() <= 2 * moved_us) | ((half > 0) & (rivals > 1))
    recorded = t.near.notnull() | t.near_peer.notnull()
    unsure = ibis.cases(
        (surely, recorded), (perhaps, True), else_=(moved_us > 0) & excused,
    )  # fmt: skip
    return unsure.fill_null(True)

"""M29: of the other officers at an event how many recorded as well, as `outcome` counts them."""

from __future__ import annotations

import ibis.expr.types as ir

from ..policy import IncidentRules
from ..scoring import S
from .pieces import Asked, inside
from .sweep import merged


def others_at(asked: Asked, found: ir.Table) -> ir.Table:
    """(incident, others, others_recording); no row where nobody else was there to whom a camera belongs."""
    there = asked.incidents if asked.at_event is None else asked.at_event
    there = there.select("event", other="officer").distinct()
    matched = asked.pairs.select(other="officer").distinct()
    t = asked.incidents.select("incident", "event", "officer").join(
        there.semi_join(matched, "other"), "event"
    )
    others = t.filter(t.officer != t.other)
    others = others.group_by("incident").agg(others=others.count())
    t = others.left_join(_recording(found, asked.policy.incident), "incident")
    return t.drop("incident_right")


def _recording(found: ir.Table, rules: IncidentRules) -> ir.Table:
    """(incident, others_recording): officers whose cameras prove enough of the window."""
    mine = inside(found.filter(found.in_set == "peer"))
    proven = merged(mine, ("incident", "officer"))
    long = proven.group_by(["incident", "officer"]).agg(us=(proven.end_us - proven.start_us).sum())
    long = long.filter(long.us >= rules.activated_min_s * S)
    return long.group_by("incident").agg(others_recording=long.count())

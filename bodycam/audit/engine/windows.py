"""The window of each incident, and which time supplied its bounds: the definitions of `incidents`."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..incidents import HOUR_US, Bound
from ..policy import IncidentRules
from .sweep import Side, meeting

_WAITING = ("officer", "from_us", "longest_us")
EMPTY_WINDOW = "its window is empty: due is not before its end"


def windows(rows: ir.Table, dispatches: ir.Table, rules: IncidentRules) -> ir.Table:
    """The rows of `incidents` with due_us, due_by, end_us, end_by and a number, `incident`; where due is
    not before end, the window is empty. `dispatches` are (officer, dispatched_us) of all there are,
    whether asked for or not.
    """
    arrived = ~rows.self_initiated & rows.on_scene_us.notnull()
    entered = rows.self_initiated & rows.first_entry_us.notnull()
    t = rows.mutate(
        due_us=ibis.cases(
            (entered, rows.first_entry_us), (arrived, rows.on_scene_us), else_=rows.dispatched_us
        ),
        due_by=ibis.cases(
            (entered, Bound.FIRST_ENTRY.value), (arrived, Bound.ON_SCENE.value),
            else_=Bound.DISPATCHED.value,
        ),
    )  # fmt: skip
    t = t.mutate(
        longest_us=t.due_us + rules.longest_h * HOUR_US,
        from_us=ibis.greatest(t.due_us, t.dispatched_us) + 1,
    )
    after = _next_dispatch(t.filter(t.cleared_us.isnull()), dispatches)
    t = t.left_join(after, _WAITING).drop(*(f"{column}_right" for column in _WAITING))
    return t.mutate(
        incident=ibis.row_number(),
        end_us=ibis.coalesce(t.cleared_us, t.next_us, t.longest_us),
        end_by=ibis.cases(
            (t.cleared_us.notnull(), Bound.CLEARED.value),
            (t.next_us.notnull(), Bound.NEXT_DISPATCH.value), else_=Bound.LONGEST.value,
        ),
    ).drop("next_us", "longest_us", "from_us")  # fmt: skip


def _next_dispatch(unended: ir.Table, dispatches: ir.Table) -> ir.Table:
    """The officer's first dispatch behind both bounds known, before the longest, as next_us."""
    waiting = unended.filter(unended.from_us < unended.longest_us).select(*_WAITING).distinct()
    at = dispatches.select(
        "officer", next_us="dispatched_us", next_to=dispatches.dispatched_us + 1
    ).distinct()
    met = meeting(
        Side(waiting, ("officer",), "from_us", "longest_us"),
        Side(at, ("officer",), "next_us", "next_to"),
    )
    return met.group_by(_WAITING).agg(next_us=met.next_us.min())

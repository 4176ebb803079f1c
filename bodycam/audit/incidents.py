"""Incidents as a dispatch system tells them, and the window in which each should be recorded.

| bound | the first that is known                                                          |
|-------|----------------------------------------------------------------------------------|
| due   | self-initiated: the first entry; else on-scene time; else dispatch                |
| end   | cleared; else the officer's next dispatch, else none: both capped at `longest_h`  |

An overlapping incident of the same officer is scored alone; sums of time use the union, so that no
second counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .policy import IncidentRules

HOUR_US = 3_600_000_000


class Bound(Enum):
    """Which time supplied a bound of a window."""

    FIRST_ENTRY = "first entry"
    ON_SCENE = "on scene"
    DISPATCHED = "dispatched"
    CLEARED = "cleared"
    NEXT_DISPATCH = "next dispatch"
    LONGEST = "longest allowed"


@dataclass(frozen=True, slots=True)
class Incident:
    """One officer at one event; times are UTC in microseconds."""

    event: str
    officer: str
    dispatched_us: int
    cleared_us: int | None = None
    on_scene_us: int | None = None
    first_entry_us: int | None = None
    self_initiated: bool = False
    call_type: str = ""
    clearance: str = ""
    district: str = ""
    unit: str = ""
    source: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """[due, end), and which time supplied each bound."""

    due_us: int
    end_us: int
    due_by: Bound
    end_by: Bound

    @property
    def length_us(self) -> int:
        return self.end_us - self.due_us


def windows(incidents: Sequence[Incident], rules: IncidentRules) -> list[Window | None]:
    """The window of each incident, in their order; None where it is empty."""
    dispatches: dict[str, list[int]] = {}
    for one in incidents:
        dispatches.setdefault(one.officer, []).append(one.dispatched_us)
    for times in dispatches.values():
        times.sort()
    return [_window(one, dispatches[one.officer], rules) for one in incidents]


def _window(one: Incident, dispatches: Sequence[int], rules: IncidentRules) -> Window | None:
    due_us, due_by = one.dispatched_us, Bound.DISPATCHED
    if one.self_initiated:
        if one.first_entry_us is not None:
            due_us, due_by = one.first_entry_us, Bound.FIRST_ENTRY
    elif one.on_scene_us is not None:
        due_us, due_by = one.on_scene_us, Bound.ON_SCENE
    if one.cleared_us is not None:
        end_us, end_by = one.cleared_us, Bound.CLEARED
    else:
        end_us, end_by = due_us + rules.longest_h * HOUR_US, Bound.LONGEST
        after = next((at for at in dispatches if at > max(due_us, one.dispatched_us)), None)
        if after is not None and after < end_us:
            end_us, end_by = after, Bound.NEXT_DISPATCH
    return Window(due_us, end_us, due_by, end_by) if due_us < end_us else None

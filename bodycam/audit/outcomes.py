"""What came of an incident: force, or a complaint, of an officer who was at it.

A use of force is of its officer at its event; a complaint of the officer whom it names, or of all who were
at the event. One that matches no incident is listed: it might be what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .complaints import Complaint
from .incidents import Incident
from .useofforce import ForceUsed


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Officers at events, and events, of which force or a complaint is known."""

    officers: frozenset[tuple[str, str]]
    events: frozenset[str]

    def of(self, incident: Incident) -> bool:
        return incident.event in self.events or (incident.event, incident.officer) in self.officers

    def unmatched(self, incidents: Iterable[Incident]) -> tuple[tuple[str, str], ...]:
        """(event, officer) of those that match no incident; of a whole event without an officer."""
        at = {(one.event, one.officer) for one in incidents}
        events = {(event, "") for event in self.events - {event for event, _ in at}}
        return tuple(sorted(events | (self.officers - at)))


def outcomes(force: Iterable[ForceUsed], complaints: Iterable[Complaint]) -> Outcomes:
    """Of these records."""
    made = list(complaints)
    named = {(one.event, one.officer) for one in made if one.officer}
    return Outcomes(
        frozenset(named | {(one.event, one.officer) for one in force}),
        frozenset(one.event for one in made if not one.officer),
    )

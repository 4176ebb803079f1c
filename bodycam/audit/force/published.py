"""What the audit of a force hands to its public summary: the rule of withholding is that of any audit."""

from __future__ import annotations

from collections.abc import Iterable

from ..groups import ForceUses
from ..public import PublicFacts, PublicForce, PublicGroup, PublicIncidents
from ..scoring import IncidentClass
from .facts import ForceSummary, Group


def public_facts(found: ForceSummary) -> PublicFacts:
    """Aggregates; nothing of it is published as it stands."""
    counts, covered = found.counts, found.covered
    return PublicFacts(
        found.policy, found.days, found.verdict.value, found.cameras,
        PublicIncidents(
            counts.rows, counts.bad_rows, counts.excluded, counts.unmatched, counts.judged,
            counts.officers, {kind.value: n.surely for kind, n in found.classes.items()},
            counts.vendor, covered.window_us, covered.evid_us, covered.live_us,
        ),
        _force(found.groups.force or ForceUses()),
        {(one.measure, one.value): one.whole for one in found.measures if isinstance(one.whole, int)},
        found.groups,
        {
            "Call type": _groups(found.by_call_type), "District": _groups(found.by_district),
            "Day": _groups(found.by_day),
        },
    )  # fmt: skip


def _force(one: ForceUses) -> PublicForce:
    return PublicForce(
        one.uses,
        one.matched,
        one.recording,
        one.proven_throughout,
        one.proven_nowhere,
        one.officers,
    )


def _groups(groups: Iterable[Group]) -> list[PublicGroup]:
    return [
        PublicGroup(g.name, g.judged, g.officers, g.classes[IncidentClass.COMPLETE.value], g.window_us,
                    g.evid_us)
        for g in groups
    ]  # fmt: skip

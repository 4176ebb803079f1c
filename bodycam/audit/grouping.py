"""The groups of an audit: what of M31 to M35 needs no statistics, and the counts that those take.

Incidents that policy excludes, or whose officer no camera belongs to, are of no group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .duties import Arm
from .dutytimes import DutyTime, duty_coverage
from .groups import Filed, FilingResult, ForceUses, Groups, Stratum
from .outcome import Outcome, ScoredForce
from .policy import Policy
from .scoring import IncidentClass, S
from .states import DeviceState
from .statistics.integrity import OfficerShift, integrity
from .strata import band
from .uncertainty import ScoreRange

CaseKey = tuple[str, Stratum, bool, IncidentClass, tuple[IncidentClass, ...]]


def plain_groups(outcome: Outcome, not_installed: str = "") -> Groups:
    """M33 to M35, without the interval of the latter's sample; `not_installed` is what the rest lacked."""
    rules = outcome.policy.statistics
    shifts, left_out = trial_shifts(outcome.duties)
    filing = None
    if outcome.filed is not None:
        how = Counter(one.how for one in outcome.filed.recordings)
        reviewed = [one.wrong for one in outcome.filed.recordings if one.wrong is not None]
        filing = FilingResult({kind: how[kind] for kind in Filed}, len(reviewed), sum(reviewed), None,
                              len(outcome.filed.unknown))  # fmt: skip
    return Groups(
        force=force_uses(outcome.force, outcome.policy) if outcome.force else None,
        sites=tuple(integrity(shifts, rules)), shifts_left_out=left_out,
        duties=duty_coverage(outcome.duties, rules.min_count) if outcome.duties else None,
        filing=filing, not_installed=not_installed,
    )  # fmt: skip


def force_uses(uses: Sequence[ScoredForce], policy: Policy) -> ForceUses:
    """M30 of all of them together."""
    found = [one.found for one in uses if one.found is not None]
    whole_us = 2 * policy.force.covered_s * S
    return ForceUses(
        len(uses), len(found), sum(one.assigned for one in found),
        sum(one.states == (DeviceState.RECORDING,) for one in found),
        sum(one.stops_surely > 0 for one in found), sum(one.stops_possibly > 0 for one in found),
        sum(one.covered_us[0] == whole_us for one in found),
        sum(one.covered_us[1] == 0 for one in found),
        len({one.used.officer for one in uses if one.found is not None}),
    )  # fmt: skip


def trial_shifts(duties: Sequence[DutyTime]) -> tuple[list[OfficerShift], int]:
    """The duties of a trial; left out are treatment shifts of officers whom no camera belongs to.

    In the control arm none need belong to anybody: that is what it was drawn for.
    """
    drawn = [one for one in duties if one.duty.arm is not Arm.NONE]
    used = [one for one in drawn if one.matched or one.duty.arm is Arm.CONTROL]
    shifts = [
        OfficerShift(one.duty.site, one.duty.arm, one.duty_us, one.covered_us, one.recorded_us,
                     one.lost_us, one.ranges["covered_us"], one.ranges["recorded_us"], one.duty.officer)
        for one in used
    ]  # fmt: skip
    return shifts, len(drawn) - len(used)


def case_counts(outcome: Outcome) -> Counter[CaseKey]:
    """For M31: how many incidents there are of each officer, stratum, outcome and class."""
    return Counter(
        (one.incident.officer,
         (one.incident.call_type, _band(one.incident.dispatched_us, outcome.policy), one.incident.district),
         outcome.outcomes.of(one.incident), found.nominal.kind, found.kinds)
        for one, found in outcome.judged
    )  # fmt: skip


def exposure_counts(
    outcome: Outcome, event: IncidentClass
) -> tuple[Counter[tuple[str, Stratum, bool]], int]:
    """For M32: how many incidents each officer had in each stratum, with the event and without; and how
    many are left out, for the clocks leave open whether it happened.
    """
    told = [
        ((one.incident.officer,
          (one.incident.call_type, _band(one.incident.dispatched_us, outcome.policy), one.incident.unit),
          found.nominal.kind is event), sure(found, event))
        for one, found in outcome.judged
    ]  # fmt: skip
    return Counter(key for key, is_sure in told if is_sure), sum(not known for _, known in told)


def sure(found: ScoreRange, event: IncidentClass) -> bool:
    """Whether the class is this one, or is not, whatever the clocks are."""
    return event not in found.kinds or found.certain


def _band(at_us: int, policy: Policy) -> str:
    return band(at_us, policy.statistics)

"""M33: whether a trial kept to its treatment: the classes of Ariel et al. (2016).

| class          | treatment arm                        | control arm          | what Ariel et al. found of force |
|----------------|--------------------------------------|----------------------|----------------------------------|
| HIGH           | kept: recorded throughout            | kept: not recorded   | 37 % less                        |
| DISCRETION     | not kept: recorded at discretion     | kept                 | 71 % more                        |
| NONE           | not kept                             | not kept             | no difference                    |
| CONTAMINATED   | kept                                 | not kept             | none of their ten sites          |
| UNKNOWN        | one of the arms has no shift         |                      |                                  |

A treatment shift counts as kept if recordings cover at least `duty_coverage_percent` of the duty time, a
control shift if no more than `contamination_s` of it were recorded; an arm is kept if at least
`kept_percent` of its shifts are. Ariel et al. judged by what the sites said; the numbers are ours, and
policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from ..policy import StatisticsRules

S = 1_000_000


class Arm(Enum):
    """What a shift was drawn for."""

    TREATMENT = "treatment"
    CONTROL = "control"


class SiteClass(Enum):
    """How far a site kept to its trial."""

    HIGH = "high compliance"
    DISCRETION = "discretion in treatment"
    NONE = "no compliance"
    CONTAMINATED = "control recorded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OfficerShift:
    """One officer's shift of a trial: the arm it was drawn for, duty time, and what was recorded."""

    site: str
    arm: Arm
    duty_us: int
    recorded_us: int


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm of a site: its shifts, those that kept to it, and all that was recorded in them."""

    shifts: int
    kept: int
    duty_us: int
    recorded_us: int

    @property
    def kept_share(self) -> float | None:
        return self.kept / self.shifts if self.shifts else None

    @property
    def coverage(self) -> float | None:
        return self.recorded_us / self.duty_us if self.duty_us else None


@dataclass(frozen=True, slots=True)
class SiteResult:
    """A site of a trial."""

    site: str
    treatment: ArmResult
    control: ArmResult
    kind: SiteClass


def integrity(shifts: Iterable[OfficerShift], rules: StatisticsRules) -> list[SiteResult]:
    """Each site, in order of its name."""
    by_site: dict[str, list[OfficerShift]] = {}
    for shift in shifts:
        by_site.setdefault(shift.site, []).append(shift)
    results = []
    for site in sorted(by_site):
        treatment, control = (
            _arm([s for s in by_site[site] if s.arm is arm], rules)
            for arm in (Arm.TREATMENT, Arm.CONTROL)
        )
        results.append(SiteResult(site, treatment, control, _class(treatment, control, rules)))
    return results


def kept(shift: OfficerShift, rules: StatisticsRules) -> bool:
    """Whether this shift was what it was drawn for."""
    if shift.arm is Arm.CONTROL:
        return shift.recorded_us <= rules.contamination_s * S
    return shift.recorded_us * 100 >= rules.duty_coverage_percent * shift.duty_us


def _arm(shifts: Sequence[OfficerShift], rules: StatisticsRules) -> ArmResult:
    return ArmResult(
        len(shifts), sum(kept(s, rules) for s in shifts), sum(s.duty_us for s in shifts),
        sum(s.recorded_us for s in shifts),
    )  # fmt: skip


def _class(treatment: ArmResult, control: ArmResult, rules: StatisticsRules) -> SiteClass:
    if not treatment.shifts or not control.shifts:
        return SiteClass.UNKNOWN
    held = [arm.kept * 100 >= rules.kept_percent * arm.shifts for arm in (treatment, control)]
    return {
        (True, True): SiteClass.HIGH, (False, True): SiteClass.DISCRETION,
        (False, False): SiteClass.NONE, (True, False): SiteClass.CONTAMINATED,
    }[held[0], held[1]]  # fmt: skip

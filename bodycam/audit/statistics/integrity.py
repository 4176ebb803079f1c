"""M33: whether a trial kept to its treatment: the classes of Ariel et al. (2016).

| class          | treatment arm                        | control arm          | what Ariel et al. found of force |
|----------------|--------------------------------------|----------------------|----------------------------------|
| HIGH           | kept: recorded throughout            | kept: not recorded   | 37 % less                        |
| DISCRETION     | not kept: recorded at discretion     | kept                 | 71 % more                        |
| NONE           | not kept                             | not kept             | no difference                    |
| CONTAMINATED   | kept                                 | not kept             | none of their ten sites          |
| UNKNOWN        | one of the arms has no shift         |                      |                                  |

A treatment shift counts as kept if proven pictures cover at least `duty_coverage_percent` of the duty
time, a control shift if no more than `contamination_s` of it were recorded, proven or not; an arm is kept
if at least `kept_percent` of its shifts are. Ariel et al. judged by what the sites said; the numbers are
ours, and policy.

What was covered, and recorded, has a least and a greatest value by the clocks (`dutyranges`): a shift is kept
surely if it is with either, and possibly if with one. Of treatment, time in which nobody could have recorded, or
of which nobody knows, is nobody's discretion: a shift that this would have filled is kept possibly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

from ..duties import Arm
from ..groups import ArmResult, SiteClass, SiteResult
from ..policy import StatisticsRules

S = 1_000_000
ARMS = (Arm.TREATMENT, Arm.CONTROL)


@dataclass(frozen=True, slots=True)
class OfficerShift:
    """One officer's shift of a trial: the arm it was drawn for, duty time, what is proven of it, what was
    recorded, proven or not, and for how long nobody could have or nobody knows (`lost_us`). The pairs are the
    least and the greatest that the first two may be; None: they are sure.
    """

    site: str
    arm: Arm
    duty_us: int
    covered_us: int
    recorded_us: int
    lost_us: int = 0
    covered_pair_us: tuple[int, int] | None = None
    recorded_pair_us: tuple[int, int] | None = None
    officer: str = ""


def integrity(shifts: Iterable[OfficerShift], rules: StatisticsRules) -> list[SiteResult]:
    """Each site, in order of its name."""
    arms: dict[tuple[str, Arm], ArmResult] = {}
    officers: dict[tuple[str, Arm], set[str]] = {}
    for shift in shifts:
        key = (shift.site, shift.arm)
        arms[key] = _together(arms.get(key, NO_SHIFTS), _alone(shift, rules))
        officers.setdefault(key, set()).add(shift.officer)
    return sites({k: replace(arm, officers=len(officers[k])) for k, arm in arms.items()}, rules)


def sites(arms: Mapping[tuple[str, Arm], ArmResult], rules: StatisticsRules) -> list[SiteResult]:
    """Each site of these arms, in order of its name."""
    results = []
    for site in sorted({name for name, _ in arms}):
        treatment, control = (arms.get((site, arm), NO_SHIFTS) for arm in ARMS)
        kinds = {
            _class(held, other)
            for held in _held(treatment, rules)
            for other in _held(control, rules)
        }
        nominal = _class(*(_enough(arm.kept, arm, rules) for arm in (treatment, control)))
        results.append(
            SiteResult(site, treatment, control, nominal, tuple(k for k in SiteClass if k in kinds))
        )
    return results


NO_SHIFTS = ArmResult(0, 0, 0, 0, 0, 0, 0, 0)


def kept(shift: OfficerShift, rules: StatisticsRules) -> tuple[bool, bool, bool]:
    """Whether this shift was what it was drawn for: by what is known, surely, possibly."""
    if shift.arm is Arm.CONTROL:
        least, most = shift.recorded_pair_us or (shift.recorded_us, shift.recorded_us)
        told = [us <= rules.contamination_s * S for us in (shift.recorded_us, most, least)]
    else:
        least, most = shift.covered_pair_us or (shift.covered_us, shift.covered_us)
        due = rules.duty_coverage_percent * shift.duty_us
        told = [us * 100 >= due for us in (shift.covered_us, least, most + shift.lost_us)]
    nominal, surely, possibly = told
    return nominal, surely, possibly


def _alone(shift: OfficerShift, rules: StatisticsRules) -> ArmResult:
    return ArmResult(
        1, *kept(shift, rules), shift.duty_us, shift.covered_us, shift.recorded_us, shift.lost_us
    )


def _together(one: ArmResult, two: ArmResult) -> ArmResult:
    return ArmResult(*(getattr(one, f.name) + getattr(two, f.name) for f in fields(ArmResult)))


def _held(arm: ArmResult, rules: StatisticsRules) -> set[bool | None]:
    return {_enough(count, arm, rules) for count in (arm.kept_surely, arm.kept_possibly)}


def _enough(count: int, arm: ArmResult, rules: StatisticsRules) -> bool | None:
    """Whether so many shifts make an arm that was kept; None if it has no shift."""
    return count * 100 >= rules.kept_percent * arm.shifts if arm.shifts else None


def _class(treatment: bool | None, control: bool | None) -> SiteClass:
    if treatment is None or control is None:
        return SiteClass.UNKNOWN
    return {
        (True, True): SiteClass.HIGH, (False, True): SiteClass.DISCRETION,
        (False, False): SiteClass.NONE, (True, False): SiteClass.CONTAMINATED,
    }[treatment, control]  # fmt: skip

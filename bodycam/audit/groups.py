"""What is said of many incidents, officers, duties and recordings at once: the facts of M31 to M35.

Facts alone, so that a report can be written where no statistics are installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Stratum = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the limits of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RiskDifference:
    """M31 of one question, pooled over strata; None where no stratum has both groups.

    `least` and `greatest`: had every class that the clocks leave open been the one that makes the
    difference smallest, or largest. `by_officer`: its interval if an officer's incidents go together.
    Left out are strata that have one group alone; `with_left_out` are their incidents with an outcome.
    """

    estimate: Estimate | None
    least: Estimate | None
    greatest: Estimate | None
    by_officer: Estimate | None
    odds_ratio: float | None
    same_odds_p: float | None
    missing_with: int
    total_with: int
    missing_without: int
    total_without: int
    strata: int
    strata_left_out: int
    incidents_left_out: int
    with_left_out: int
    unsure: int


@dataclass(frozen=True, slots=True)
class Missingness:
    """M31: of all that is not COMPLETE, and of NEVER alone; and how many officers have an outcome."""

    not_complete: RiskDifference
    never: RiskDifference
    officers_with: int = 0


@dataclass(frozen=True, slots=True)
class OfficerCount:
    """How often it happened, how often it was expected to, of how many incidents."""

    officer: str
    incidents: int
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class FunnelPoint:
    """An officer that may be shown; limits are counts, (low, high) for 95 and 99.8 per cent."""

    count: OfficerCount
    limits: tuple[tuple[int, int], ...]

    @property
    def outside(self) -> bool:
        """Whether the count lies outside the widest limits."""
        low, high = self.limits[-1]
        return not low <= self.count.observed <= high


@dataclass(frozen=True, slots=True)
class Funnel:
    """M32 of one event: the group's result, and the points that may be shown.

    `curve` has the limits of nobody: of the mean share, for so many incidents each. Left out are incidents
    of strata that one officer has alone, which say nothing of how officers differ; `unsure` are those of
    which the clocks leave open whether it happened.
    """

    officers: int
    incidents: int
    events: int
    rho: float
    rho_low: float
    rho_high: float
    p_value: float
    points: tuple[FunnelPoint, ...]
    curve: tuple[FunnelPoint, ...]
    not_shown: int
    incidents_left_out: int = 0
    unsure: int = 0


class SiteClass(Enum):
    """How far a site kept to its trial."""

    HIGH = "high compliance"
    DISCRETION = "discretion in treatment"
    NONE = "no compliance"
    CONTAMINATED = "control recorded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm of a site: its shifts, those that kept to it (by what is known, surely, possibly), time, officers."""

    shifts: int
    kept: int
    kept_surely: int
    kept_possibly: int
    duty_us: int
    covered_us: int
    recorded_us: int
    lost_us: int
    officers: int = 0

    @property
    def kept_share(self) -> float | None:
        return self.kept / self.shifts if self.shifts else None

    @property
    def coverage(self) -> float | None:
        return self.covered_us / self.duty_us if self.duty_us else None


@dataclass(frozen=True, slots=True)
class SiteResult:
    """M33: a site of a trial; `kinds` are all classes that the clocks leave open."""

    site: str
    treatment: ArmResult
    control: ArmResult
    kind: SiteClass
    kinds: tuple[SiteClass, ...]


@dataclass(frozen=True, slots=True)
class ForceUses:
    """M30 of all uses of force: those of officers whom a camera belongs to, and what it did.

    A stop is near surely, or possibly, as the doubt of the times allows; proven is the time before and
    after for which the policy asks. `officers` are those whom a camera belongs to.
    """

    uses: int = 0
    matched: int = 0
    assigned: int = 0
    recording: int = 0
    stopped_surely: int = 0
    stopped_possibly: int = 0
    proven_throughout: int = 0
    proven_nowhere: int = 0
    officers: int = 0


@dataclass(frozen=True, slots=True)
class DutySum:
    """M34: duties and their time together: what the cameras were of it, and what they recorded.

    Least and most are sums of what each duty may be by its clocks.
    """

    duties: int = 0
    duty_us: int = 0
    recording_us: int = 0
    able_us: int = 0
    unknown_us: int = 0
    fault_us: int = 0
    docked_us: int = 0
    off_us: int = 0
    no_device_us: int = 0
    covered_us: int = 0
    recorded_us: int = 0
    least_recording_us: int = 0
    most_recording_us: int = 0
    least_able_us: int = 0
    most_able_us: int = 0
    least_covered_us: int = 0
    most_covered_us: int = 0
    least_recorded_us: int = 0
    most_recorded_us: int = 0


@dataclass(frozen=True, slots=True)
class DutyCoverage:
    """M34: all duties of officers whom a camera belongs to, and those of each who has enough of them.

    `shared_us` is time that two duties of an officer claim; it counts once.
    """

    total: DutySum
    officers: tuple[tuple[str, DutySum], ...]
    not_shown: int
    unmatched: int
    shared_us: int


class Filed(Enum):
    """How a recording was filed."""

    IN_TIME = "in time"
    LATE = "late"
    UNDATED = "filed, and nobody says when"
    PARTLY = "without category or event"
    MISSING = "no row in the records system"
    OPEN = "not yet due"


@dataclass(frozen=True, slots=True)
class FilingResult:
    """M35: recordings by how they were filed, and what reviewers found of their sample.

    `wrong_share` is exact (Clopper and Pearson). `unknown` are rows of recordings that no camera has.
    """

    counts: dict[Filed, int]
    sampled: int
    wrong: int
    wrong_share: Estimate | None
    unknown: int

    @property
    def due(self) -> int:
        """Recordings that should have been filed by now."""
        return sum(self.counts.values()) - self.counts[Filed.OPEN]


@dataclass(frozen=True, slots=True)
class Groups:
    """All of them, as far as there was something to compute from; `not_installed` is the package without
    which M31, M32 and the interval of M35 were not computed.
    """

    force: ForceUses | None = None
    missingness: Missingness | None = None
    never: Funnel | None = None
    late: Funnel | None = None
    sites: tuple[SiteResult, ...] = ()
    shifts_left_out: int = 0
    duties: DutyCoverage | None = None
    filing: FilingResult | None = None
    not_installed: str = ""

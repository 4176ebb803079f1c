"""What the audit of a force says: plain facts, of which the page, the JSON and the public page are made.

Nobody is named here but in lists of what does not fit (ids that one side alone knows, findings of
cameras) and in the funnel, in order of id, from `min_count` incidents on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...custody.findings import Verdict
from ...errors import ExitCode
from ..groups import Groups
from ..policy import Policy
from ..scoring import IncidentClass

UNCERTAIN = "UNCERTAIN"
# Beside the page: what is too long for it.
INCIDENTS_CSV, CAMERAS_CSV, FINDINGS_CSV = "incidents.csv", "cameras.csv", "findings.csv"
BAD_ROWS_CSV, UNMATCHED_CSV = "bad-rows.csv", "unmatched.csv"
FORCE_CSV, FILED_CSV = "force.csv", "filed.csv"
FUNNEL_CSV, DUTY_OFFICERS_CSV = "funnel.csv", "duty-officers.csv"


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many officer-incidents are of a class: surely, possibly, and by the clocks as they are."""

    surely: int
    possibly: int
    by_clock: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What was asked: rows, and what became of them; `failed` have pictures that failed verification.

    Behind these are flags beside the class; `never_flat` are those surely NEVER that an empty battery would
    excuse. `others` are the other officers at activated incidents, with those who recorded as well (M29).
    """

    rows: int
    bad_rows: int
    excluded: int
    unmatched: int
    judged: int
    officers: int
    uncertain: int
    activated: int
    vendor: int
    failed: int
    saved_by_buffer: int
    retro: int
    handed_over: int
    never_flat: int
    others: int
    others_recording: int


@dataclass(frozen=True, slots=True)
class Covered:
    """Time that should have been recorded, and what EVID and LIVE hold of it; no second twice."""

    window_us: int
    evid_us: int
    live_us: int

    @property
    def evid_share(self) -> float | None:
        return self.evid_us / self.window_us if self.window_us else None

    @property
    def live_share(self) -> float | None:
        return self.live_us / self.window_us if self.window_us else None


@dataclass(frozen=True, slots=True)
class Group:
    """The judged incidents of one call type, district, hour or day; `classes` are those that are sure.

    Times are sums over windows: of two at once, both count.
    """

    name: str
    judged: int
    officers: int
    vendor: int
    window_us: int
    evid_us: int
    live_us: int
    classes: Mapping[str, int]

    @property
    def uncertain(self) -> int:
        return self.judged - sum(self.classes.values())

    @property
    def evid_share(self) -> float | None:
        return self.evid_us / self.window_us if self.window_us else None

    @property
    def live_share(self) -> float | None:
        return self.live_us / self.window_us if self.window_us else None


@dataclass(frozen=True, slots=True)
class Bin:
    """Incidents whose value is at most `up_to_us` and more than that of the bin before; the last bin has
    no end.
    """

    up_to_us: int | None
    incidents: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How a value is spread over the shifts that have it. `whole` is of all shifts together: a sum, or a
    share of sums; None for what has neither. Percentiles are interpolated.
    """

    measure: str
    value: str
    shifts: int
    whole: float | int | None
    p5: float
    p50: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True)
class CaseKind:
    """Cases behind a measure that the log gives the same words for."""

    measure: str
    what: str
    cases: int
    cameras: int


@dataclass(frozen=True, slots=True)
class Firmware:
    """What the recordings of one firmware in one force show: verification, start latency (M10)."""

    force: str
    firmware: str
    cameras: int
    recordings: int
    not_intact: int
    latencies: int
    p50_us: int | None
    p95_us: int | None
    most_us: int | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why cameras out of the dock were off, at fault or unknown, and for how long together."""

    state: str
    why: str
    stretches: int
    cameras: int
    total_us: int


@dataclass(frozen=True, slots=True)
class NearForceCount:
    """M30 of all uses of force: what cameras did around them."""

    uses: int
    unmatched: int
    recording: int
    not_recording: int
    stops: int
    proven_throughout: int
    proven_nowhere: int


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many cameras the verifier gave this verdict."""

    verdict: Verdict
    cameras: int


@dataclass(frozen=True, slots=True)
class FindingKind:
    """Findings of one kind: how many, of how many cameras, and one of them in words."""

    verdict: str
    check: int
    findings: int
    cameras: int
    example: str


@dataclass(frozen=True, slots=True)
class CameraFinding:
    """What failed, of which camera, and where."""

    force: str
    device: str
    store: str
    verdict: str
    check: int
    file: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not count, and why."""

    force: str
    file: str
    row: int
    why: str
    text: str


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids that one side alone knows: how many, and the first of them in order; of several forces each
    with its own.
    """

    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Ids that do not meet their other side."""

    officers: Ids
    cameras: Ids
    without_data: Ids
    outcomes: Ids
    filings: Ids


@dataclass(frozen=True, slots=True)
class Unassigned:
    """What cameras did while they were assigned to nobody: reported apart, never dropped."""

    cameras: int
    undocked_us: int
    live_us: int
    recordings: int


@dataclass(frozen=True, slots=True)
class ForceSummary:
    """All of it. `badges` are the forces of which no assignment was given: there a badge id is a camera's."""

    policy: Policy
    months: tuple[str, ...]
    days: tuple[str, str] | None
    zone: str
    forces: tuple[str, ...]
    cameras: int
    shifts: int
    recordings: int
    counts: Counts
    classes: Mapping[IncidentClass, ClassCount]
    covered: Covered
    by_call_type: tuple[Group, ...]
    by_district: tuple[Group, ...]
    by_hour: tuple[Group, ...]
    by_day: tuple[Group, ...]
    late_starts: tuple[Bin, ...]
    early_stops: tuple[Bin, ...]
    begins_by: Mapping[str, int]
    ends_by: Mapping[str, int]
    measures: tuple[Spread, ...]
    cases: tuple[CaseKind, ...]
    undocked_us: int
    firmwares: tuple[Firmware, ...]
    causes: tuple[Cause, ...]
    verdicts: tuple[VerdictCount, ...]
    finding_kinds: tuple[FindingKind, ...]
    findings: tuple[CameraFinding, ...]
    findings_count: int
    bad_rows: tuple[BadRow, ...]
    unmatched: Unmatched
    unassigned: Unassigned
    badges: tuple[str, ...]
    groups: Groups

    @property
    def several(self) -> bool:
        """Whether it is of more than one force."""
        return len(self.forces) > 1

    @property
    def verdict(self) -> Verdict:
        """The worst of the cameras'; where there is none, nothing vouches for anything."""
        found = [one.verdict for one in self.verdicts if one.cameras]
        return max(found, key=lambda v: v.rank, default=Verdict.UNTRUSTED)

    @property
    def exit_code(self) -> ExitCode:
        """That of the worst verdict; else incomplete, if a row or an officer did not count."""
        code = self.verdict.exit_code
        unmatched = self.unmatched
        lost = (
            self.counts.bad_rows or unmatched.officers.count or unmatched.without_data.count
            or unmatched.outcomes.count
        )  # fmt: skip
        return ExitCode.INCOMPLETE if code is ExitCode.OK and lost else code

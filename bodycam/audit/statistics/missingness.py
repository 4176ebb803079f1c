"""M31: whether recordings are missing because of what happened.

The risk that an incident is not COMPLETE with force or a complaint, less that without, within strata
(call type, shift, district) and pooled by Mantel and Haenszel; the same for NEVER alone. Other than 0
means that the recordings must not be read as a sample of what happened.

The variance is that of Sato (1989), which holds for few large strata and for many small ones alike.
The odds ratio of the same tables, and whether it is the same in all strata (Breslow and Day, with
Tarone's correction), are statsmodels'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from statsmodels.stats.contingency_tables import StratifiedTable

from ..scoring import IncidentClass

Stratum = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """An officer-incident: where it belongs, whether force or a complaint came of it, its class."""

    stratum: Stratum
    outcome: bool
    kind: IncidentClass


@dataclass(frozen=True, slots=True)
class Table:
    """One stratum: missing recordings and incidents, with an outcome and without."""

    missing_with: int
    total_with: int
    missing_without: int
    total_without: int

    @property
    def informative(self) -> bool:
        """Whether both groups are there: else it cannot say how they differ."""
        return self.total_with > 0 and self.total_without > 0


@dataclass(frozen=True, slots=True)
class RiskDifference:
    """Pooled over strata; None where no stratum has both groups."""

    difference: float | None
    low: float | None
    high: float | None
    odds_ratio: float | None
    same_odds_p: float | None
    strata: int
    strata_left_out: int
    incidents: int


@dataclass(frozen=True, slots=True)
class Missingness:
    """M31: of all that is not COMPLETE, and of NEVER alone."""

    not_complete: RiskDifference
    never: RiskDifference


def missingness(cases: Iterable[Case], level: float = 0.95) -> Missingness:
    """Both risk differences of these incidents."""
    found = list(cases)
    return Missingness(
        risk_difference(tables(found, not_complete=True), level),
        risk_difference(tables(found, not_complete=False), level),
    )


def tables(cases: Sequence[Case], *, not_complete: bool) -> list[Table]:
    """One table a stratum, in order of the strata."""
    missing: Counter[tuple[Stratum, bool]] = Counter()
    total: Counter[tuple[Stratum, bool]] = Counter()
    for case in cases:
        key = (case.stratum, case.outcome)
        total[key] += 1
        missing[key] += (
            case.kind is not IncidentClass.COMPLETE
            if not_complete
            else case.kind is IncidentClass.NEVER
        )
    return [
        Table(missing[s, True], total[s, True], missing[s, False], total[s, False])
        for s in sorted({stratum for stratum, _ in total})
    ]


def risk_difference(strata: Sequence[Table], level: float = 0.95) -> RiskDifference:
    """Pooled by Mantel and Haenszel, with a confidence interval."""
    used = [t for t in strata if t.informative]
    left_out, incidents = len(strata) - len(used), sum(t.total_with + t.total_without for t in used)
    if not used:
        return RiskDifference(None, None, None, None, None, 0, left_out, 0)
    a, n1, b, n0 = np.array(
        [(t.missing_with, t.total_with, t.missing_without, t.total_without) for t in used], float
    ).T
    n = n1 + n0
    weight = (n1 * n0 / n).sum()
    difference = ((a * n0 - b * n1) / n).sum() / weight
    p = ((n1**2 * b - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2).sum()
    q = ((a * (n0 - b) + b * (n1 - a)) / (2 * n)).sum()
    error = float(np.sqrt(max(0.0, difference * p + q))) / weight
    z = norm.ppf((1 + level) / 2)
    return RiskDifference(
        float(difference), float(difference - z * error), float(difference + z * error),
        *_odds(used), len(used), left_out, incidents,
    )  # fmt: skip


def _odds(used: Sequence[Table]) -> tuple[float | None, float | None]:
    """Pooled odds ratio, and the p-value of its being the same in all; None where there is none."""
    told = [
        t for t in used if 0 < t.missing_with + t.missing_without < t.total_with + t.total_without
    ]
    if not told:
        return None, None
    stacked = StratifiedTable([
        np.array([[t.missing_with, t.total_with - t.missing_with],
                  [t.missing_without, t.total_without - t.missing_without]], float)
        for t in told
    ])  # fmt: skip
    cross = sum(t.missing_without * (t.total_with - t.missing_with) for t in told)
    straight = sum(t.missing_with * (t.total_without - t.missing_without) for t in told)
    if cross == 0 or straight == 0:
        return None, None
    pooled = float(stacked.oddsratio_pooled)
    # At exactly 1 the quadratic that statsmodels solves is none, and it divides by zero.
    if len(told) < 2 or abs(pooled - 1) < 1e-12:
        return pooled, None
    return pooled, float(stacked.test_equal_odds(adjust=True).pvalue)

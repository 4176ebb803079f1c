"""M31: whether recordings are missing because of what happened.

The risk that an incident is not COMPLETE with force or a complaint, less that without, within strata
(call type, shift, district) and pooled by Mantel and Haenszel; the same for NEVER alone. Other than 0
means that the recordings must not be read as a sample of what happened.

The variance is that of Sato (1989), which holds for few large strata and for many small ones alike, and
takes each incident for one of its own. The pooled difference is also the slope of least squares with a
constant for each stratum; so the sandwich over officers (Liang and Zeger 1986), with Student's t, gives
a second interval, in which an officer's incidents may go together. With fewer than `LEAST_OFFICERS` it
would be too narrow, and is not given. The odds ratio, and whether it is the same in all strata (Breslow
and Day, with Tarone's correction), are statsmodels'.

Which of a class that the clocks leave open is taken changes no weight: so the least and the greatest
difference are those with all of them taken one way, and the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.stats import norm, t
from statsmodels.stats.contingency_tables import StratifiedTable

from ..groups import Estimate, Missingness, RiskDifference, Stratum
from ..scoring import IncidentClass

LEAST_OFFICERS = 30


class Question(Enum):
    """What counts as missing."""

    NOT_COMPLETE = "not complete"
    NEVER = "never"

    def missing(self, kind: IncidentClass) -> bool:
        if self is Question.NEVER:
            return kind is IncidentClass.NEVER
        return kind is not IncidentClass.COMPLETE


@dataclass(frozen=True, slots=True)
class Case:
    """So many officer-incidents: where they belong, whether force or a complaint came of them, their
    class by the clock, and all that it may be (none: only that).
    """

    stratum: Stratum
    outcome: bool
    kind: IncidentClass
    kinds: tuple[IncidentClass, ...] = ()
    officer: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A case as one question sees it: missing surely, by the clock, possibly."""

    stratum: Stratum
    officer: str
    outcome: bool
    surely: int
    missing: int
    possibly: int
    total: int


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
class Strata:
    """The tables of one question: by the clocks as they are, and with what they leave open taken so
    that the difference is least, and greatest.
    """

    nominal: Sequence[Table]
    least: Sequence[Table]
    greatest: Sequence[Table]
    unsure: int


@dataclass(frozen=True, slots=True)
class Habits:
    """What the sandwich needs of the officers: sums over them of a*a, a*b, b*b. Of an officer, a is the
    sum of (x - X)(y - Y), b that of (x - X)^2: x outcome, y missing, X and Y their stratum's means.
    """

    officers: int
    aa: float
    ab: float
    bb: float


def missingness(cases: Iterable[Case], level: float = 0.95) -> Missingness:
    """Both risk differences of these incidents."""
    found = list(cases)
    return Missingness(
        _asked(found, Question.NOT_COMPLETE, level), _asked(found, Question.NEVER, level),
        len({case.officer for case in found if case.outcome and case.count}),
    )  # fmt: skip


def _asked(cases: Sequence[Case], question: Question, level: float) -> RiskDifference:
    rows = [row_of(case, question) for case in cases]
    return risk_difference(strata(rows), habits(rows), level)


def row_of(case: Case, question: Question) -> Row:
    """The case under this question."""
    seen = {question.missing(kind) for kind in case.kinds or (case.kind,)}
    n = case.count
    return Row(case.stratum, case.officer, case.outcome, n * (seen == {True}),
               n * question.missing(case.kind), n * (True in seen), n)  # fmt: skip


def strata(rows: Iterable[Row]) -> Strata:
    """One table a stratum, in order of the strata."""
    sums: dict[Stratum, dict[bool, Counter[str]]] = {}
    unsure = 0
    for row in rows:
        both = sums.setdefault(row.stratum, {True: Counter(), False: Counter()})
        both[row.outcome].update(
            surely=row.surely, missing=row.missing, possibly=row.possibly, total=row.total
        )
        unsure += row.possibly - row.surely
    ordered = [sums[stratum] for stratum in sorted(sums)]

    def taken(with_outcome: str, without: str) -> list[Table]:
        return [
            Table(both[True][with_outcome], both[True]["total"], both[False][without], both[False]["total"])
            for both in ordered
        ]  # fmt: skip

    return Strata(
        taken("missing", "missing"), taken("surely", "possibly"), taken("possibly", "surely"),
        unsure,
    )  # fmt: skip


def habits(rows: Sequence[Row]) -> Habits:
    """Of the officers who have an incident in a stratum with both groups."""
    sums: dict[Stratum, Counter[str]] = {}
    for row in rows:
        sums.setdefault(row.stratum, Counter()).update(
            n=row.total, x=row.total * row.outcome, y=row.missing
        )
    of: dict[str, list[float]] = {}
    for row in rows:
        all_of = sums[row.stratum]
        if not 0 < all_of["x"] < all_of["n"]:
            continue
        x, y = all_of["x"] / all_of["n"], all_of["y"] / all_of["n"]
        mine = of.setdefault(row.officer, [0.0, 0.0])
        mine[0] += (row.outcome - x) * (row.missing - row.total * y)
        mine[1] += (row.outcome - x) ** 2 * row.total
    a, b = np.array(list(of.values())).reshape(-1, 2).T
    return Habits(len(of), float(a @ a), float(a @ b), float(b @ b))


def risk_difference(
    told: Strata, by: Habits | None = None, level: float = 0.95
) -> RiskDifference:  # fmt: skip
    """Pooled by Mantel and Haenszel, with its confidence intervals."""
    used = [table for table in told.nominal if table.informative]
    estimate = pooled(told.nominal, level)
    with_outcome = sum(table.total_with for table in used)
    without = sum(table.total_without for table in used)
    every = sum(table.total_with + table.total_without for table in told.nominal)
    every_with = sum(table.total_with for table in told.nominal)
    return RiskDifference(
        estimate, pooled(told.least, level), pooled(told.greatest, level),
        _by_officer(estimate, used, by, level), *_odds(used),
        sum(table.missing_with for table in used), with_outcome,
        sum(table.missing_without for table in used), without, len(used),
        len(told.nominal) - len(used), every - with_outcome - without,
        every_with - with_outcome, told.unsure,
    )  # fmt: skip


def pooled(tables: Sequence[Table], level: float = 0.95) -> Estimate | None:
    """Mantel and Haenszel's risk difference, with Sato's interval."""
    used = [t for t in tables if t.informative]
    if not used:
        return None
    a, n1, b, n0 = np.array(
        [(t.missing_with, t.total_with, t.missing_without, t.total_without) for t in used], float
    ).T
    n = n1 + n0
    weight = (n1 * n0 / n).sum()
    difference = float(((a * n0 - b * n1) / n).sum() / weight)
    p = ((n1**2 * b - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2).sum()
    q = ((a * (n0 - b) + b * (n1 - a)) / (2 * n)).sum()
    # A difference of risks lies within -1 and 1, whatever its normal approximation says.
    return _within(difference, norm.ppf((1 + level) / 2) * np.sqrt(max(0.0, difference * p + q)) / weight)  # fmt: skip


def _by_officer(
    estimate: Estimate | None, used: Sequence[Table], by: Habits | None, level: float
) -> Estimate | None:
    if estimate is None or by is None or by.officers < LEAST_OFFICERS:
        return None
    weight = sum(
        table.total_with * table.total_without / (table.total_with + table.total_without)
        for table in used
    )
    d = estimate.value
    spread = max(0.0, by.aa - 2 * d * by.ab + d * d * by.bb) * by.officers / (by.officers - 1)
    return _within(d, t.ppf((1 + level) / 2, by.officers - 1) * np.sqrt(spread) / weight)


def _within(value: float, half: float) -> Estimate:
    return Estimate(value, max(-1.0, float(value - half)), min(1.0, float(value + half)))


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
    ratio = float(stacked.oddsratio_pooled)
    # At exactly 1 the quadratic that statsmodels solves is none, and it divides by zero.
    if len(told) < 2 or abs(ratio - 1) < 1e-12:
        return ratio, None
    return ratio, float(stacked.test_equal_odds(adjust=True).pvalue)

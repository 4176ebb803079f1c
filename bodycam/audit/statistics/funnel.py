"""M32: whether officers differ by more than what they were sent to explains.

What is expected of an officer is the sum of the force's own rates for the call types, times and units
of that officer's incidents. Counts then vary as a beta-binomial: by chance, and by how much officers
differ (`rho`, the intra-class correlation; 0 is chance alone). `rho` is the result for the group. An
officer is shown only from `min_count` incidents on, against the limits that the group's own variation
sets, in order of id: no ranking is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import betabinom, binom, chi2

Stratum = tuple[str, ...]
LIMITS = (0.95, 0.998)
_LEAST_RHO, _MOST_RHO = 1e-6, 0.99


@dataclass(frozen=True, slots=True)
class Exposure:
    """One officer-incident: the officer, what it was, and whether the event (NEVER, LATE) happened."""

    officer: str
    stratum: Stratum
    event: bool


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
    """The group's result, and the points that may be shown."""

    officers: int
    incidents: int
    rho: float
    p_value: float
    points: tuple[FunnelPoint, ...]
    not_shown: int


def funnel(exposures: Iterable[Exposure], min_count: int) -> Funnel:
    """Observed against expected for each officer, and how much they vary beyond chance."""
    counts = officer_counts(exposures)
    rho, p_value = overdispersion(counts)
    shown = [c for c in counts if c.incidents >= min_count]
    return Funnel(
        len(counts), sum(c.incidents for c in counts), rho, p_value,
        tuple(FunnelPoint(c, _limits(c, rho)) for c in shown), len(counts) - len(shown),
    )  # fmt: skip


def officer_counts(exposures: Iterable[Exposure]) -> list[OfficerCount]:
    """By officer, in order of id; the force's rate of a stratum counts all of its incidents."""
    found = list(exposures)
    total = Counter(e.stratum for e in found)
    events = Counter(e.stratum for e in found if e.event)
    incidents = Counter(e.officer for e in found)
    observed = Counter(e.officer for e in found if e.event)
    expected = dict.fromkeys(incidents, 0.0)
    for (officer, stratum), n in Counter((e.officer, e.stratum) for e in found).items():
        expected[officer] += n * events[stratum] / total[stratum]
    return [
        OfficerCount(officer, incidents[officer], observed[officer], expected[officer])
        for officer in sorted(incidents)
    ]


def overdispersion(counts: Sequence[OfficerCount]) -> tuple[float, float]:
    """`rho` by maximum likelihood, and the p-value of there being none.

    Of two models whose difference lies on the border of what is possible, the likelihood ratio is half
    of a chi-squared one (Self and Liang 1987).
    """
    told = [c for c in counts if 0 < c.expected < c.incidents]
    if not told:
        return 0.0, 1.0
    k = np.array([c.observed for c in told])
    n = np.array([c.incidents for c in told])
    p = np.array([c.expected for c in told]) / n

    def unlikely(rho: float) -> float:
        spread = (1 - rho) / rho
        return -float(betabinom.logpmf(k, n, p * spread, (1 - p) * spread).sum())

    best = minimize_scalar(
        lambda x: unlikely(np.exp(x)), bounds=(np.log(_LEAST_RHO), np.log(_MOST_RHO)),
        method="bounded", options={"xatol": 1e-6},
    )  # fmt: skip
    ratio = 2 * (-float(best.fun) - float(binom.logpmf(k, n, p).sum()))
    if ratio <= 0:
        return 0.0, 1.0
    return float(np.exp(best.x)), float(chi2.sf(ratio, 1) / 2)


def _limits(count: OfficerCount, rho: float) -> tuple[tuple[int, int], ...]:
    n, p = count.incidents, count.expected / count.incidents
    if p in (0.0, 1.0):
        return tuple((count.observed, count.observed) for _ in LIMITS)
    spread = (1 - rho) / rho if rho else 0.0
    law = betabinom(n, p * spread, (1 - p) * spread) if rho else binom(n, p)
    return tuple((int(law.ppf((1 - level) / 2)), int(law.ppf((1 + level) / 2))) for level in LIMITS)

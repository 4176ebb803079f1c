"""M32: whether officers differ by more than what they were sent to explains.

What is expected of an officer is the sum of the force's own rates for the call types, times and units
of that officer's incidents. A stratum that one officer has alone says nothing of how officers differ: it
is left out, and counted. Counts then vary as a beta-binomial: by chance, and by how much officers differ
(`rho`, the intra-class correlation; 0 is chance alone), by maximum likelihood with its profile interval.
`rho` is the result for the group. An officer is shown only from `min_count` incidents on, against the
limits that the group's own variation sets, in order of id: no ranking is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betaln, gammaln
from scipy.stats import binom, chi2

from ..groups import Funnel, FunnelPoint, OfficerCount, Stratum

LIMITS = (0.95, 0.998)
_LEAST_RHO, _MOST_RHO = 1e-6, 0.99
_MOST_CELLS = 4_000_000
_CURVE = 60

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exposure:
    """So many officer-incidents: the officer, what it was, and whether the event (NEVER, LATE) happened."""

    officer: str
    stratum: Stratum
    event: bool
    count: int = 1


@dataclass(frozen=True, slots=True)
class Exposures:
    """The same in columns: of each row the number of its officer and of its stratum, how many incidents
    and how many events. `officers` are the ids, in order.
    """

    officers: Sequence[str]
    officer: Ints
    stratum: Ints
    incidents: Ints
    events: Ints


def in_columns(exposures: Iterable[Exposure]) -> Exposures:
    """Rows in columns."""
    rows = list(exposures)
    officers, strata = sorted({e.officer for e in rows}), sorted({e.stratum for e in rows})
    officer, stratum = ({name: n for n, name in enumerate(names)} for names in (officers, strata))

    def column(values: Iterable[int]) -> Ints:
        return np.fromiter(values, np.int64, len(rows))

    return Exposures(
        officers, column(officer[e.officer] for e in rows), column(stratum[e.stratum] for e in rows),
        column(e.count for e in rows), column(e.count * e.event for e in rows),
    )  # fmt: skip


def funnel(told: Exposures, min_count: int, unsure: int = 0) -> Funnel:
    """Observed against expected for each officer, and how much they vary beyond chance."""
    counts = officer_counts(told)
    incidents = sum(c.incidents for c in counts)
    rho, low, high, p_value = overdispersion(counts)
    shown = [c for c in counts if c.incidents >= min_count]
    return Funnel(
        len(counts), incidents, sum(c.observed for c in counts), rho, low, high, p_value,
        _points(shown, rho), _points(_of_nobody(counts, shown, min_count), rho),
        len(counts) - len(shown), int(told.incidents.sum()) - incidents, unsure,
    )  # fmt: skip


def _points(counts: Sequence[OfficerCount], rho: float) -> tuple[FunnelPoint, ...]:
    return tuple(FunnelPoint(c, at) for c, at in zip(counts, limits(counts, rho), strict=True))


def _of_nobody(
    counts: Sequence[OfficerCount], shown: Sequence[OfficerCount], min_count: int
) -> list[OfficerCount]:  # fmt: skip
    """The mean share, over the numbers of incidents that are shown."""
    if not shown:
        return []
    share = sum(c.expected for c in counts) / sum(c.incidents for c in counts)
    least, most = min_count, max(c.incidents for c in shown)
    grid = sorted({round(least + (most - least) * step / _CURVE) for step in range(_CURVE + 1)})
    return [OfficerCount("", n, 0, n * share) for n in grid]


def officer_counts(told: Exposures) -> list[OfficerCount]:
    """By officer, in order of id; the force's rate of a stratum counts all of its incidents."""
    pairs = np.unique(np.stack([told.stratum, told.officer]), axis=1)
    strata = int(told.stratum.max(initial=-1)) + 1
    shared = np.bincount(pairs[0], minlength=strata)[told.stratum] > 1
    officer, stratum = told.officer[shared], told.stratum[shared]
    incidents, events = told.incidents[shared], told.events[shared]

    def summed(key: Ints, of: Ints | Floats, size: int) -> Floats:
        return np.bincount(key, of, size).astype(np.float64)

    total = summed(stratum, incidents, strata)
    rate = summed(stratum, events, strata) / np.where(total > 0, total, 1)
    size = len(told.officers)
    columns = (
        summed(officer, incidents, size), summed(officer, events, size),
        summed(officer, incidents * rate[stratum], size),
    )  # fmt: skip
    return [
        OfficerCount(name, int(n), int(k), float(mean))
        for name, n, k, mean in zip(told.officers, *columns, strict=True)
        if n
    ]


def overdispersion(counts: Sequence[OfficerCount]) -> tuple[float, float, float, float]:
    """`rho` by maximum likelihood, its 95 per cent interval, and the p-value of there being none.

    Of two models whose difference lies on the border of what is possible, the likelihood ratio is half
    of a chi-squared one (Self and Liang 1987).
    """
    told = [c for c in counts if 0 < c.expected < c.incidents]
    if not told:
        return 0.0, 0.0, 0.0, 1.0
    k, n, p = _columns(told)
    chance = float(binom.logpmf(k, n, p).sum())

    def gain(log_rho: float) -> float:
        return float(_log_pmf(k, n, p, np.exp(log_rho)).sum()) - chance

    bounds = (float(np.log(_LEAST_RHO)), float(np.log(_MOST_RHO)))
    best = minimize_scalar(
        lambda x: -gain(x), bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    top = max(0.0, -float(best.fun))
    at = float(best.x) if top else bounds[0]
    low, high = _profile(gain, at, top - float(chi2.ppf(0.95, 1)) / 2, bounds)
    if not top:
        return 0.0, 0.0, high, 1.0
    return float(np.exp(at)), low, high, float(chi2.sf(2 * top, 1) / 2)


def _profile(
    gain: Callable[[float], float], at: float, floor: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Where the likelihood has fallen to the floor on either side; chance alone gains 0."""
    low, high = 0.0, _MOST_RHO
    if floor > 0 and gain(bounds[0]) < floor:
        low = float(np.exp(brentq(lambda x: gain(x) - floor, bounds[0], at)))
    if gain(bounds[1]) < floor:
        high = float(np.exp(brentq(lambda x: gain(x) - floor, at, bounds[1])))
    return low, high


def limits(counts: Sequence[OfficerCount], rho: float) -> list[tuple[tuple[int, int], ...]]:
    """The counts between which each would lie by the group's own variation."""
    if not counts:
        return []
    _, n, p = _columns(counts)
    levels = [side for level in LIMITS for side in ((1 - level) / 2, (1 + level) / 2)]
    found = np.empty((len(counts), len(levels)), np.int64)
    for part in _blocks(n):
        some, inner = n[part], (p[part] > 0) & (p[part] < 1)
        # What never happens, or always, has no variation.
        found[part] = np.where(p[part] > 0, some, 0)[:, None]
        within = part[inner]
        if len(within):
            found[within] = _quantiles(n[within], p[within], rho, levels)
    return [
        tuple((int(row[i]), int(row[i + 1])) for i in range(0, len(levels), 2)) for row in found
    ]


def _blocks(n: Ints) -> Iterator[Ints]:
    """Places of similar counts together, so that no block has too many cells."""
    order = np.argsort(-n, kind="stable")
    while len(order):
        size = max(1, _MOST_CELLS // int(n[order[0]] + 1))
        yield order[:size]
        order = order[size:]


def _quantiles(n: Ints, p: Floats, rho: float, levels: Sequence[float]) -> Ints:
    """The least count at which the distribution function reaches each level."""
    if rho == 0:
        by_chance: Ints = binom.ppf(np.array(levels), n[:, None], p[:, None]).astype(np.int64)
        return by_chance
    k = np.arange(int(n.max()) + 1)[None, :]
    inside = k <= n[:, None]
    pmf = np.exp(_log_pmf(np.where(inside, k, 0), n[:, None], p[:, None], rho))
    reached = np.cumsum(np.where(inside, pmf, 0), axis=1)
    below = np.stack([(reached < level).sum(axis=1) for level in levels], axis=1)
    found: Ints = np.minimum(below, n[:, None])
    return found


def _columns(counts: Sequence[OfficerCount]) -> tuple[Ints, Ints, Floats]:
    k, n = (
        np.array([getattr(c, name) for c in counts], np.int64) for name in ("observed", "incidents")
    )
    return k, n, np.array([c.expected for c in counts]) / n


def _log_pmf(k: Ints, n: Ints, p: Floats, rho: float) -> Floats:
    """Of the beta-binomial with this mean share and intra-class correlation."""
    spread = (1 - rho) / rho
    a, b = p * spread, (1 - p) * spread
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    found: Floats = choose + betaln(k + a, n - k + b) - betaln(a, b)
    return found

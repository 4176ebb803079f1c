"""A share of a sample, and how sure it is."""

from __future__ import annotations

from scipy.stats import binomtest

from ..groups import Estimate


def share(count: int, of: int, level: float = 0.95) -> Estimate | None:
    """The share with its exact interval (Clopper and Pearson 1934); None of nothing."""
    if not of:
        return None
    interval = binomtest(count, of).proportion_ci(level, method="exact")
    return Estimate(count / of, float(interval.low), float(interval.high))

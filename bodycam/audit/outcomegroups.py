"""M31, M32 and the interval of M35's sample, of the audit of some cameras."""

from __future__ import annotations

from dataclasses import replace

from .grouping import case_counts, exposure_counts, plain_groups
from .groups import Funnel, Groups
from .outcome import Outcome
from .scoring import IncidentClass
from .statistics.funnel import Exposure, funnel, in_columns
from .statistics.missingness import Case, missingness
from .statistics.sample import share


def groups_of(outcome: Outcome) -> Groups:
    """All groups."""
    found = plain_groups(outcome)
    filing = found.filing
    if filing is not None:
        filing = replace(filing, wrong_share=share(filing.wrong, filing.sampled))
    if not outcome.judged:
        return replace(found, filing=filing)
    told = None
    if outcome.outcomes_given:
        told = missingness(
            Case(stratum, met, kind, kinds, officer, count)
            for (officer, stratum, met, kind, kinds), count in case_counts(outcome).items()
        )
    return replace(found, missingness=told, never=_funnel(outcome, IncidentClass.NEVER),
                   late=_funnel(outcome, IncidentClass.LATE), filing=filing)  # fmt: skip


def _funnel(outcome: Outcome, event: IncidentClass) -> Funnel:
    counts, unsure = exposure_counts(outcome, event)
    told = in_columns(Exposure(*key, count) for key, count in counts.items())
    return funnel(told, outcome.policy.statistics.min_count, unsure)

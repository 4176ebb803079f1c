"""M31 to M35 of a whole force, of the tables that its run left: the facts that a page tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ibis
import ibis.expr.types as ir

from ..duties import Arm
from ..dutyranges import ABLE, RANGED
from ..groups import (
    ArmResult,
    DutyCoverage,
    DutySum,
    Filed,
    FilingResult,
    ForceUses,
    Groups,
    SiteResult,
)
from ..policy import ForceRules, Policy, StatisticsRules
from ..scoring import IncidentClass, S
from ..states import DeviceState
from ..statistics.integrity import sites
from ..statistics.sample import share
from .incidents import STATE_COLUMNS
from .strata import BETWEEN, banded, funnels_of, missingness_of, spoken, with_outcome


def groups_of(
    result: Callable[[str], ir.Table], policy: Policy, *, several: bool = False
) -> Groups:
    """All groups, as far as there is something to compute them from; `result` opens a table of results.
    Of `several` forces officers and sites are named with their own.
    """
    rules = policy.statistics
    judged, came = banded(result("incidents"), rules).cache(), result("outcomes")
    told, never, late = None, None, None
    if _count(judged):
        events = (IncidentClass.NEVER, IncidentClass.LATE)
        never, late = funnels_of(judged, events, rules, several=several)
        if _count(came):
            told = missingness_of(with_outcome(judged, came))
    duties = result("duties")
    trial, left_out = trial_of(duties, rules, several=several)
    return Groups(
        force_of(result("near_force"), policy.force), told, never, late, tuple(trial), left_out,
        duties_of(duties, rules.min_count, several=several),
        filing_of(result("filing_counts"), result("unknown_filings")),
    )  # fmt: skip


def _count(t: ir.Table) -> int:
    found: int = t.count().to_pyarrow().as_py()
    return found


def _rows(t: ir.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = t.to_pyarrow().to_pylist()
    return found


# -- M30 --------------------------------------------------------------------------------------


def force_of(near: ir.Table, rules: ForceRules) -> ForceUses | None:
    """M30 of all uses of force, as `grouping.force_uses` has it; None if there is none."""
    whole_us = 2 * rules.covered_s * S
    there = {
        "matched": near.states != "UNMATCHED", "assigned": near.assigned,
        "recording": near.states == DeviceState.RECORDING.value,
        "stopped_surely": near.stops_surely > 0, "stopped_possibly": near.stops_possibly > 0,
        "proven_throughout": near.covered_us_min == whole_us,
        "proven_nowhere": near.covered_us_max == 0,
    }  # fmt: skip
    sums = {name: is_so.cast("int64").sum().fill_null(0) for name, is_so in there.items()}
    officers = near.filter(there["matched"]).select("force", "officer").distinct()
    found = ForceUses(**_rows(near.agg(uses=near.count(), **sums))[0], officers=_count(officers))
    return found if found.uses else None


# -- M33 --------------------------------------------------------------------------------------


def trial_of(
    duties: ir.Table, rules: StatisticsRules, *, several: bool = False
) -> tuple[list[SiteResult], int]:
    """Each site of a trial, and how many treatment shifts are left out, as `grouping.trial_shifts` does."""
    t = duties.filter(duties.arm != Arm.NONE.value)
    t = t.mutate(counts=t.matched | (t.arm == Arm.CONTROL.value))
    left_out = _count(t.filter(~t.counts))
    t = t.filter(t.counts)
    treatment = t.arm == Arm.TREATMENT.value

    lost_us = (
        t[STATE_COLUMNS[DeviceState.UNKNOWN]] + t[STATE_COLUMNS[DeviceState.FAULT]] + t.no_device_us
    )

    def kept(covered_us: ir.IntegerValue, recorded_us: ir.IntegerValue) -> ir.IntegerScalar:
        held = ibis.ifelse(
            treatment, covered_us * 100 >= rules.duty_coverage_percent * t.duty_us,
            recorded_us <= rules.contamination_s * S,
        )  # fmt: skip
        return held.cast("int64").sum()

    sums = t.group_by(["force", "site", "arm"]).agg(
        shifts=t.count(), kept=kept(t.covered_us, t.recorded_us),
        kept_surely=kept(t.least_covered_us, t.most_recorded_us),
        kept_possibly=kept(t.most_covered_us + lost_us, t.least_recorded_us), duty_us=t.duty_us.sum(),
        covered_us=t.covered_us.sum(), recorded_us=t.recorded_us.sum(), lost_us=lost_us.sum(),
        officers=t.officer.nunique(),
    )  # fmt: skip
    arms = {
        (f"{row['force']}{BETWEEN}{row['site']}", Arm(row["arm"])): ArmResult(
            *(row[name] for name in ("shifts", "kept", "kept_surely", "kept_possibly", "duty_us",
                                     "covered_us", "recorded_us", "lost_us", "officers"))
        )
        for row in _rows(sums)
    }  # fmt: skip
    return [
        replace(one, site=spoken(one.site) if several else one.site.split(BETWEEN, 1)[1])
        for one in sites(arms, rules)
    ], left_out


# -- M34 and M35 ------------------------------------------------------------------------------


def duties_of(duties: ir.Table, min_count: int, *, several: bool = False) -> DutyCoverage | None:
    """M34, as `dutytimes.duty_coverage` has it; None without a roster."""
    if not _count(duties):
        return None
    matched = duties.filter(duties.matched)
    total = _duty_sum(_rows(matched.agg(**_sums(matched)))[0])
    by = matched.group_by(["force", "officer"]).agg(**_sums(matched))
    shown = _rows(by.filter(by.duties >= min_count).order_by(["force", "officer"]))
    officers = tuple(
        (f"{row['force']} {row['officer']}" if several else row["officer"], _duty_sum(row)) for row in shown
    )  # fmt: skip
    return DutyCoverage(
        total, officers, _count(by) - len(shown), _count(duties.filter(~duties.matched)),
        duties.shared_us.sum().to_pyarrow().as_py(),
    )  # fmt: skip


def _sums(t: ir.Table) -> Mapping[str, ir.IntegerScalar]:
    of = {state: t[column] for state, column in STATE_COLUMNS.items()}
    sums = {
        "duty_us": t.duty_us, "recording_us": of[DeviceState.RECORDING],
        "able_us": sum((of[state] for state in ABLE), ibis.literal(0, "int64")),
        "unknown_us": of[DeviceState.UNKNOWN], "fault_us": of[DeviceState.FAULT],
        "docked_us": of[DeviceState.DOCKED], "off_us": of[DeviceState.OFF],
        "no_device_us": t.no_device_us, "covered_us": t.covered_us, "recorded_us": t.recorded_us,
        **{f"{bound}_{name}": t[f"{bound}_{name}"] for name in RANGED for bound in ("least", "most")},
    }  # fmt: skip
    return {
        "duties": t.count(),
        **{name: column.sum().fill_null(0) for name, column in sums.items()},
    }


def _duty_sum(row: Mapping[str, Any]) -> DutySum:
    return DutySum(**{name: row[name] for name in DutySum.__slots__})


def filing_of(counts: ir.Table, unknown: ir.Table) -> FilingResult | None:
    """M35; None if there is no row of any records system."""
    rows: Sequence[Mapping[str, Any]] = _rows(counts)
    of = {row["how"]: 0 for row in rows}
    sampled = wrong = 0
    for row in rows:
        of[row["how"]] += row["recordings"]
        sampled, wrong = sampled + row["sampled"], wrong + row["wrong"]
    strange = _count(unknown)
    if not strange and not rows:
        return None
    return FilingResult({how: of.get(how.value, 0) for how in Filed}, sampled, wrong,
                        share(wrong, sampled), strange)  # fmt: skip

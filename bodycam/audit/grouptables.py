"""The groups of an audit as JSON, and as rows of CSV files; nobody below `min_count` is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import Any

from ..clock import utc_text
from .dutytimes import DutyTime
from .filed import FiledRecording
from .groups import (
    ArmResult,
    DutyCoverage,
    DutySum,
    Estimate,
    FilingResult,
    Funnel,
    Groups,
    RiskDifference,
    SiteResult,
)
from .measures.measure import Value, ratio
from .states import DeviceState


def groups_json(found: Groups, *, officers: bool = True) -> dict[str, Any]:
    """One object with M30 to M35; null is what was not given, or what could not be computed. Of a whole
    force it has no officers: those are in tables.
    """
    told, duties = found.missingness, found.duties
    return {
        "not_installed": found.not_installed or None,
        "force": None if found.force is None else asdict(found.force),
        "missingness": None if told is None else {
            "not_complete": _difference(told.not_complete), "never": _difference(told.never),
        },
        "funnels": {
            name: None if funnel is None else funnel_json(funnel, officers=officers)
            for name, funnel in (("NEVER", found.never), ("LATE", found.late))
        },
        "sites": [_site(one) for one in found.sites],
        "trial_shifts_left_out": found.shifts_left_out,
        "duties": None if duties is None else {
            **asdict(duties.total), **_shares(duties.total), "not_shown": duties.not_shown,
            "unmatched": duties.unmatched, "shared_us": duties.shared_us,
            **({"officers": list(duty_officer_rows(duties))} if officers else {}),
        },
        "filing": None if found.filing is None else _filing(found.filing),
    }  # fmt: skip


def estimate_json(e: Estimate | None) -> dict[str, float] | None:
    """A value and its limits, or null."""
    return None if e is None else asdict(e)


def _difference(d: RiskDifference) -> dict[str, Any]:
    numbers = {f.name: getattr(d, f.name) for f in fields(d)}
    estimates = ("estimate", "least", "greatest", "by_officer")
    return numbers | {name: estimate_json(getattr(d, name)) for name in estimates}


def funnel_json(funnel: Funnel, *, officers: bool) -> dict[str, Any]:
    """The group's result, and whom it may show, in order of id."""
    numbers = {
        f.name: getattr(funnel, f.name) for f in fields(funnel) if f.name not in ("points", "curve")
    }
    return numbers | ({"points": list(_points(funnel))} if officers else {})


def funnels_rows(found: Groups) -> Iterator[dict[str, Value]]:
    """A row an event and officer who may be shown."""
    for name, funnel in (("NEVER", found.never), ("LATE", found.late)):
        for row in _points(funnel) if funnel else ():
            yield {"event": name, **row}


def _points(funnel: Funnel) -> Iterator[dict[str, Value]]:
    for point in funnel.points:
        (low, high), (far_low, far_high) = point.limits
        yield {
            **asdict(point.count), "low_95": low, "high_95": high, "low_998": far_low,
            "high_998": far_high, "outside": int(point.outside),
        }  # fmt: skip


def duty_officer_rows(duties: DutyCoverage) -> Iterator[dict[str, Value]]:
    """A row an officer who may be shown."""
    for name, sums in duties.officers:
        yield {"officer": name, **asdict(sums), **_shares(sums)}


def _site(one: SiteResult) -> dict[str, Any]:
    return {
        "site": one.site, "class": one.kind.value, "classes": [kind.value for kind in one.kinds],
        "treatment": _arm(one.treatment), "control": _arm(one.control),
    }  # fmt: skip


def _arm(arm: ArmResult) -> dict[str, Any]:
    return {**asdict(arm), "kept_share": arm.kept_share, "coverage": arm.coverage}


def _shares(sums: DutySum) -> dict[str, Value]:
    return {
        "recording_share": ratio(sums.recording_us, sums.duty_us),
        "ready_share": ratio(sums.able_us, sums.duty_us),
        "coverage": ratio(sums.covered_us, sums.duty_us),
    }


def _filing(one: FilingResult) -> dict[str, Any]:
    return {
        "recordings": {how.value: count for how, count in one.counts.items()}, "due": one.due,
        "sampled": one.sampled, "wrong": one.wrong, "wrong_share": estimate_json(one.wrong_share),
        "rows_without_recording": one.unknown,
    }  # fmt: skip


def duty_rows(duties: Iterable[DutyTime], named: Iterable[str]) -> Iterator[dict[str, Value]]:
    """A row a duty; the officer is told of those who have enough of them."""
    known = set(named)
    for one in duties:
        duty = one.duty
        yield {
            "officer": duty.officer if duty.officer in known else None, "unit": duty.unit,
            "site": duty.site, "arm": duty.arm.value, "from": utc_text(one.start_us * 1000),
            "to": utc_text(duty.end_us * 1000), "matched": int(one.matched),
            "shared_us": one.shared_us, "duty_us": one.duty_us, "covered_us": one.covered_us,
            "recorded_us": one.recorded_us,
            **{f"{state.value}_us": one.state_us[state] for state in DeviceState},
            "no_device_us": one.no_device_us, "err_us": one.err_us,
            **{
                f"{bound}_{name}": pair[place]
                for name, pair in one.ranges.items()
                for place, bound in enumerate(("least", "most"))
            },
            "file": duty.source, "row": duty.row,
        }  # fmt: skip


def filed_rows(found: Iterable[FiledRecording]) -> Iterator[dict[str, Value]]:
    """A row a recording, with what the records system has of it."""
    for one in found:
        row = one.filing
        yield {
            "device": one.device, "recording": one.recording, "ended": utc_text(one.ended_us * 1000),
            "how": one.how.value, "event": row.event if row else None,
            "category": row.category if row else None,
            "filed": utc_text(row.filed_us * 1000) if row and row.filed_us is not None else None,
            "reviewed_event": row.reviewed_event if row else None,
            "wrong": None if one.wrong is None else int(one.wrong),
            "file": row.source if row else None, "row": row.row if row else None,
        }  # fmt: skip

"""The audit as JSON, and as CSV files that a spreadsheet opens."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..clock import utc_text
from ..store import storage_error
from . import columns
from .cells import guarded
from .grouptables import duty_officer_rows, duty_rows, filed_rows, funnels_rows, groups_json
from .measures import MEASURES
from .measures.measure import Figure, Stretch, Value
from .outcome import Outcome, ScoredForce, ScoredIncident
from .recordings import Recording
from .states import DeviceState

VERSION = 1


def when(at_us: int | None) -> str | None:
    """UTC as a text, or nothing."""
    return None if at_us is None else utc_text(at_us * 1000)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """One object with all numbers; durations are microseconds."""
    policy = outcome.policy
    return {
        "version": VERSION, "exit_code": int(outcome.exit_code),
        "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
        "verification": {
            "verdict": outcome.report.verdict.value,
            "findings": [finding.as_json() for finding in outcome.report.findings],
            "not_known": list(outcome.report.not_known),
        },
        "assignments": "given, not signed" if outcome.assigned else "badge ids are camera ids",
        "summary": _summary(outcome),
        "incidents": [incident_row(one) for one in outcome.scored],
        "force": [force_row(one) for one in outcome.force],
        "groups": groups_json(outcome.groups),
        "cameras": [
            {
                "device": c.line.device, "findings": c.line.findings,
                "measures": {n: _figure(f) for n, f in c.figures.items()},
                "shifts": [
                    {**_stretch(s), "measures": {n: _figure(f) for n, f in figures.items()}}
                    for s, figures in c.shifts
                ],
                "states": list(_states(c.line.device, c.line.states)),
                "recordings": [recording_row(c.line.device, r) for r in c.line.recordings],
            }
            for c in outcome.cameras
        ],
        "unassigned": [
            {"device": u.device, "undocked_us": u.undocked_us, "live_us": u.live_us,
             "recordings": list(u.recordings)}
            for u in outcome.unassigned
        ],
        "bad_rows": [
            {"file": b.file, "row": b.row, "why": b.why, "text": b.text} for b in outcome.bad_rows
        ],
        "unmatched": {
            "officers": list(outcome.unmatched_officers), "cameras": list(outcome.unmatched_cameras),
            "assigned_without_store": list(outcome.missing_cameras),
            "force_and_complaints": [
                {"event": event, "officer": officer or None}
                for event, officer in outcome.outcomes_unmatched
            ],
            "filings": [row.recording for row in outcome.filed.unknown] if outcome.filed else [],
        },
    }  # fmt: skip


def _summary(outcome: Outcome) -> dict[str, Any]:
    whole, evid, live = outcome.covered()
    others, also = outcome.others()
    return {
        "incidents": len(outcome.scored), "judged": len(outcome.judged),
        "excluded": outcome.left_out("EXCLUDED"), "unmatched": outcome.left_out("UNMATCHED"), "rows": outcome.rows,
        "bad_rows": len(outcome.bad_rows),
        "classes": {
            kind.value: {"surely": surely, "possibly": possibly, "by_clock": by_clock}
            for kind, (surely, possibly, by_clock) in outcome.classes().items()
        },
        "uncertain": sum(not found.certain for _, found in outcome.judged),
        "window_us": whole, "evid_us": evid, "live_us": live,
        "coverage": evid / whole if whole else None,
        "live_coverage": live / whole if whole else None,
        "vendor_activated": sum(f.nominal.vendor for _, f in outcome.judged),
        "activated": sum(f.nominal.activated for _, f in outcome.judged),
        "failed": outcome.failed, **outcome.flags(), "others": others, "others_recording": also,
    }  # fmt: skip


def _stretch(stretch: Stretch) -> dict[str, Value]:
    return {"from": when(stretch.start_us), "to": when(stretch.end_us)}


def _figure(figure: Figure) -> dict[str, Any]:
    return {**figure.values, "cases": [dict(row) for row in figure.rows]}


def _states(device: str, spans: Iterable[Any]) -> Iterable[dict[str, Value]]:
    for s in spans:
        yield {
            "device": device, "state": s.state.value, "from": when(s.start_us), "to": when(s.end_us),
            "length_us": s.length_us, "err_us": s.err_us, "why": s.why, "line": s.line,
            "next_line": s.next_line or None,
        }  # fmt: skip


def recording_row(device: str, r: Recording) -> dict[str, Value]:
    """One recording, with what is live and what is proven of it."""
    return {
        "device": device, "recording": r.recording, "pressed": when(r.start_us),
        "cause": r.start_said or None, "stopped": when(r.live_end_us), "stop": r.stop_said or None,
        "live_us": sum(i.length_us for i in r.live), "evid_us": sum(i.length_us for i in r.evid),
        "evid_from": when(r.evid[0].start_us) if r.evid else None,
        "evid_to": when(r.evid[-1].end_us) if r.evid else None, "evid_parts": len(r.evid),
        "failed_us": sum(i.length_us for i in r.failed), "verdict": r.verdict or None,
        "line": r.line or None, "stop_line": r.stop_line or None,
    }  # fmt: skip


def incident_row(one: ScoredIncident) -> dict[str, Value]:
    """Every number of one officer-incident; pairs as `..._min` and `..._max`."""
    incident, window, found = one.incident, one.window, one.found
    row: dict[str, Value] = {
        "event": incident.event, "officer": incident.officer, "call_type": incident.call_type,
        "clearance": incident.clearance, "devices": " ".join(one.devices),
        "due": when(window.due_us), "due_by": window.due_by.value, "end": when(window.end_us),
        "end_by": window.end_by.value, "window_us": window.length_us,
        "partner_shortfall_us": one.partner_us, "partner_shortfall_us_min": one.partner_pair_us[0],
        "partner_shortfall_us_max": one.partner_pair_us[1], "others": one.others,
        "others_recording": one.others_recording, "two_cameras_us": one.two_cameras_us,
        "why": "; ".join(one.whys), "file": incident.source, "row": incident.row,
    }  # fmt: skip
    if found is None:
        return {**row, "class": one.left_out, "classes": one.left_out}
    s = found.nominal
    row |= {
        # Nobody is accused of what a clock cannot tell.
        "class": s.kind.value if found.certain else "UNCERTAIN",
        "classes": " ".join(k.value for k in found.kinds), "class_by_clock": s.kind.value,
        "err_us": found.err_us, "coverage": s.coverage, "live_coverage": s.live_coverage,
        "activated": int(s.activated), "vendor_activated": int(s.vendor), "retro": int(s.retro),
        "late": int(s.late), "saved_by_buffer": int(s.saved_by_buffer), "early": int(s.early),
        "handed_over": int(s.handed_over), "gaps": len(s.gaps),
        "gap_states": " ".join(sorted({state.value for g in s.gaps for state in g.states})),
        "no_device_us": s.no_device_us, "flat_us": s.flat_us,
        "excused_if_flat": int(s.excused_if_flat),
    }  # fmt: skip
    for state in DeviceState:
        row[f"{state.value}_us"] = s.state_us[state]
    for name, (least, most) in found.numbers.items():
        value = getattr(s, name)
        row |= {name: value, f"{name}_min": least, f"{name}_max": most}
    return row


def force_row(one: ScoredForce) -> dict[str, Value]:
    """One use of force, and what the camera did around it."""
    used, near = one.used, one.found
    row: dict[str, Value] = {
        "event": used.event, "officer": used.officer, "at": when(used.at_us),
        "rounding_us": used.rounding_us, "file": used.source, "row": used.row,
    }  # fmt: skip
    if near is None:
        return {**row, "states": "UNMATCHED"}
    return {
        **row, "unsure_us": near.unsure_us, "states": " ".join(s.value for s in near.states),
        "assigned": int(near.assigned), "stops_surely": near.stops_surely,
        "stops_possibly": near.stops_possibly, "covered_us_min": near.covered_us[0],
        "covered_us_max": near.covered_us[1],
    }  # fmt: skip


def write_tables(outcome: Outcome, folder: Path) -> list[Path]:
    """Write the CSV files into a folder; their paths."""
    measures = [
        {"device": c.line.device, **_stretch(stretch), "measure": m.number, "name": m.name,
         "value": key, "is": value}
        for c in outcome.cameras
        for stretch, figures in c.shifts
        for m in MEASURES
        for key, value in figures[m.number].values.items()
    ]  # fmt: skip
    unmatched = [{"side": "incidents", "id": name} for name in outcome.unmatched_officers]
    unmatched += [{"side": "cameras", "id": name} for name in outcome.unmatched_cameras]
    unmatched += [{"side": "assignments", "id": name} for name in outcome.missing_cameras]
    unmatched += [
        {"side": "force and complaints", "id": f"{event} {officer}".strip()}
        for event, officer in outcome.outcomes_unmatched
    ]
    filed = outcome.filed
    unmatched += [
        {"side": "filings", "id": row.recording} for row in (filed.unknown if filed else ())
    ]
    cameras, groups = [c.line for c in outcome.cameras], outcome.groups
    files: dict[str, tuple[Sequence[str], Iterable[Mapping[str, Value]]]] = {
        "incidents.csv": (columns.INCIDENTS, map(incident_row, outcome.scored)),
        "force.csv": (columns.FORCE, map(force_row, outcome.force)),
        "measures.csv": (columns.MEASURES, measures),
        "states.csv": (columns.STATES, (row for c in cameras for row in _states(c.device, c.states))),
        "recordings.csv": (
            columns.RECORDINGS, (recording_row(c.device, r) for c in cameras for r in c.recordings),
        ),
        "bad-rows.csv": (columns.BAD_ROWS, (
            {"file": b.file, "row": b.row, "why": b.why, "text": b.text} for b in outcome.bad_rows
        )),
        "unmatched.csv": (columns.UNMATCHED, unmatched),
    }  # fmt: skip
    if groups.duties:
        named = [name for name, _ in groups.duties.officers]
        files["duties.csv"] = (columns.DUTIES, duty_rows(outcome.duties, named))
        files["duty-officers.csv"] = (columns.DUTY_OFFICERS, duty_officer_rows(groups.duties))
    if filed:
        files["filed.csv"] = (columns.FILED, filed_rows(filed.recordings))
    if groups.never or groups.late:
        files["funnel.csv"] = (columns.FUNNEL, funnels_rows(groups))
    return [write_csv(folder / name, *told) for name, told in files.items()]


def write_csv(path: Path, heading: Sequence[str], rows: Iterable[Mapping[str, Value]]) -> Path:
    """Write rows below their heading; what a row does not say is an empty cell. Raises StorageError."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, heading)
            writer.writeheader()
            for row in rows:
                writer.writerow({name: _cell(value) for name, value in row.items()})
    except OSError as fault:
        raise storage_error(fault, path) from fault
    return path


def _cell(value: Value) -> Value:
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else value

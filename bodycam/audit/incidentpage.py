"""The sections of the audit's page about incidents and uses of force."""

from __future__ import annotations

from collections.abc import Mapping

from ..clock import utc_text
from ..custody.htmltable import table
from ..custody.htmltext import escape
from .lineproofs import lines_in
from .outcome import Outcome, ScoredIncident
from .pageparts import MAX_ROWS, Links, line_text, more
from .thresholds import with_values
from .timeline import DeviceTimeline
from .useofforce import DEFINITION as FORCE_DEFINITION
from .words import clipped, pair_text, share_text, span_text

_MAX_LINES = 12


def incidents(outcome: Outcome, links: Links) -> str:
    if not outcome.scored:
        return ""
    lines = {camera.line.device: camera.line for camera in outcome.cameras}
    rows = [_incident(one, _lines(one, lines, links)) for one in outcome.scored[:MAX_ROWS]]
    head = ("Event, officer", "Due (UTC)", "Window", "Class", "Covered", "First picture after",
            "Stopped before end", "Gaps", "Camera was")  # fmt: skip
    return (
        f"<section><h2>Incidents</h2>{more(len(outcome.scored), 'incidents.csv')}"
        f"{table(head, rows, 'Incidents', 'numbers incidents')}</section>"
    )


def _lines(one: ScoredIncident, lines: Mapping[str, DeviceTimeline], links: Links) -> str:
    """The proven lines of the log around what the camera was in the window."""
    if one.found is None:
        return ""
    proven = [
        line_text(device, line, links)
        for device in one.devices if device in lines
        for line in lines_in(lines[device], one.window.due_us, one.window.end_us)
        if (device, line) in links
    ]  # fmt: skip
    return f'<br><span class="soft">log: {", ".join(proven[:_MAX_LINES])}</span>' if proven else ""


def _incident(one: ScoredIncident, lines: str) -> list[str]:
    incident, window, found = one.incident, one.window, one.found
    who = (
        f"<b>{escape(incident.event)}</b><br>{escape(incident.officer)} "
        f'<span class="soft">{escape(clipped(incident.call_type))}<br>{escape(incident.source)}, row '
        f"{incident.row}</span>"
    )
    start = [
        who, f'{utc_text(window.due_us * 1000)[:19]}<br><span class="soft">{window.due_by.value}</span>',
        f'{span_text(window.length_us)}<br><span class="soft">to {window.end_by.value}</span>',
    ]  # fmt: skip
    if found is None:
        return [*start, one.left_out.lower(), *["&ndash;"] * 5]
    s = found.nominal
    flags = [word for word, is_so in (
        ("saved by the buffer", s.saved_by_buffer), ("pressed after the end", s.retro),
        ("taken over", s.handed_over), ("two cameras at once", one.two_cameras_us > 0), (f"muted {span_text(s.muted_us)}", s.muted_us > 0),
        (f"failed verification: {span_text(s.failed_us)}", s.failed_us > 0),
    ) if is_so]  # fmt: skip
    kinds = " or ".join(kind.value for kind in found.kinds)
    was = [
        f"{state.value} {share_text(us / s.window_us)}" for state, us in s.state_us.items() if us
    ]
    was += one.whys
    if s.flat_us:
        was.append(f"off for an empty battery {share_text(s.flat_us / s.window_us)}")
    if s.no_device_us:
        was.append(f"not assigned {share_text(s.no_device_us / s.window_us)}")
    return [
        *start, f'<b>{kinds}</b><br><span class="soft">{escape("; ".join(flags))}</span>',
        f'{share_text(s.coverage)}<br><span class="soft">{pair_text(found.numbers["evid_us"])}</span>',
        pair_text(found.numbers["evid_delay_us"]), pair_text(found.numbers["tail_us"]),
        pair_text(found.numbers["gap_us"]) if s.gaps or found.numbers["gap_us"][1] else "none",
        escape(", ".join(was)) + lines,
    ]  # fmt: skip


def force(outcome: Outcome) -> str:
    if not outcome.force:
        return ""
    rows = []
    for one in outcome.force[:MAX_ROWS]:
        used, near = one.used, one.found
        row = [
            (
                f'<b>{escape(used.event)}</b><br>{escape(used.officer)} <span class="soft">'
                f"{escape(used.source)}, row {used.row}</span>"
            ),
            f"{utc_text(used.at_us * 1000)[:19]}",
        ]
        if near is None:
            rows.append([*row, "&ndash;", "unmatched", "&ndash;", "&ndash;"])
            continue
        stops = str(near.stops_surely)
        if near.stops_possibly != near.stops_surely:
            stops += f" to {near.stops_possibly}"
        states = " or ".join(s.value for s in near.states) or "not assigned"
        rows.append([*row, f"±{span_text(near.unsure_us)}", escape(states), stops,
                     pair_text(near.covered_us)])  # fmt: skip
    half_s = outcome.policy.force.covered_s
    head = ("Event, officer", "Force used (UTC)", "Sure to", "Camera was", "Stops near it",
            f"Proven of {2 * half_s} s around it")  # fmt: skip
    return (
        f"<section><h2>Use of force</h2><p>{escape(with_values(FORCE_DEFINITION[2], outcome.policy))}</p>"
        f"{table(head, rows, 'Use of force', 'numbers')}</section>"
    )

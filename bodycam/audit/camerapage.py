"""The sections of the audit's page about cameras: a picture of each shift, and the measures."""

from __future__ import annotations

from collections.abc import Mapping

from ..clock import utc_text
from ..custody.htmltable import table
from ..custody.htmltext import escape
from .measures import MEASURES
from .measures.measure import Figure, Stretch
from .outcome import Outcome, ScoredIncident
from .pageparts import MAX_ROWS, Links, line_text
from .picture import IncidentBar, legend, picture
from .thresholds import with_values
from .words import name_text, span_text, value_text

_MAX_CASES = 50
KEY_FIGURES = (
    ("M1", "ready_ratio", "ready"), ("M12", "unknown_share", "unknown"),
    ("M5", "recordings", "recordings"), ("M5", "short", "short"), ("M5", "bounces", "bounces"),
    ("M6", "count", "killed"), ("M9", "refused", "presses without effect"),
    ("M7", "muted_share", "muted"), ("M13", "mismatches", "mismatches of log and store"),
)  # fmt: skip


def shifts(outcome: Outcome, links: Links) -> str:
    parts, bars = [], [_bar(one) for one in outcome.scored]
    for camera in outcome.cameras:
        device = escape(camera.line.device)
        for shift, figures in camera.shifts[:MAX_ROWS]:
            parts.append(
                f"<section class='shift'><h2>{device}, {utc_text(shift.start_us * 1000)[:16]}</h2>"
                f"{picture(shift, bars)}<p>{_shift_short(figures)}</p>"
                f"{state_table(shift, links)}</section>"
            )
        if not camera.line.states:
            parts.append(
                f"<section><h2>{device}</h2><p>Nothing of its log is verified.</p></section>"
            )
    if parts:
        parts.append(f"<section><h2>What the pictures mean</h2>{legend()}</section>")
    return "".join(parts)


def _bar(one: ScoredIncident) -> IncidentBar:
    window, found = one.window, one.found
    word = one.left_out.lower() if found is None else " or ".join(k.value for k in found.kinds)
    return IncidentBar(
        one.incident.event, one.incident.officer, word, window.due_us, window.due_by.value,
        window.end_us, window.end_by.value, found.err_us if found else 0, one.devices,
    )  # fmt: skip


def _shift_short(figures: Mapping[str, Figure]) -> str:
    return "; ".join(
        f"{words} <b>{escape(value_text(name, figures[number].values[name]))}</b>"
        for number, name, words in KEY_FIGURES
    )


def state_table(shift: Stretch, links: Links) -> str:
    """The states of a shift, with the lines of the log around each."""
    device = shift.line.device
    rows = [
        (utc_text(s.start_us * 1000), span_text(s.length_us), f"<b>{s.state.value}</b>",
         escape(s.why), f"\u00b1{span_text(s.err_us)}",
         line_text(device, s.line, links)
         + (f" to {line_text(device, s.next_line, links)}" if s.next_line else ""))
        for s in shift.states[:MAX_ROWS]
    ]  # fmt: skip
    head = ("From (UTC)", "For", "State", "Why", "Clock", "Lines of the log")
    return (
        f"<details><summary>The same as a table, with the lines of the log</summary>"
        f"{table(head, rows, 'States', 'numbers')}</details>"
    )


def measures(outcome: Outcome) -> str:
    parts = []
    for camera in outcome.cameras:
        if not camera.figures:
            continue
        rows = []
        for measure in MEASURES:
            figure = camera.figures[measure.number]
            values = "<br>".join(
                f"{escape(name_text(name))}: <b>{escape(value_text(name, value))}</b>"
                for name, value in figure.values.items()
            )
            note = (
                f'<br><span class="soft">Note: {escape(measure.note)}.</span>'
                if measure.note
                else ""
            )
            rows.append((
                f"<b>{measure.number}</b>", f"<b>{measure.name}</b><br>{escape(with_values(measure.definition, outcome.policy))}{note}",
                f"{values}{_cases(figure)}",
            ))  # fmt: skip
        head = ("No.", "What is measured", "What it came to")
        parts.append(
            f"<section><h2>Measures of {escape(camera.line.device)}, from its first line to its last</h2>"
            f'<p class="soft">Each shift by itself is in <code>measures.csv</code>.</p>'
            f"{table(head, rows, 'Measures', 'measures')}</section>"
        )
    return "".join(parts)


def _cases(figure: Figure) -> str:
    if not figure.rows:
        return ""
    head = list(dict.fromkeys(name for row in figure.rows for name in row))
    rows = [
        [escape(value_text(name, row.get(name))) for name in head]
        for row in figure.rows[:_MAX_CASES]
    ]
    count = len(figure.rows)
    shown = f"{count} cases" if count <= _MAX_CASES else f"the first {_MAX_CASES} of {count} cases"
    return (
        f"<details><summary>{shown}</summary>"
        f"{table(map(name_text, head), rows, 'Cases', 'numbers')}</details>"
    )

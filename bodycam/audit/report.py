"""The audit as one page: in short, then incidents, shifts, measures, findings, and by what rules.

Nothing is fetched, nothing is script, everything is escaped; it opens from a file and prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from ..clock import utc_text
from ..custody.findings import Verdict
from ..custody.summary import SENTENCES
from ..store import storage_error
from .measures import MEASURES
from .measures.measure import Figure, Stretch
from .outcome import Camera, Outcome, ScoredIncident
from .picture import legend, patterns, picture
from .scoring import DEFINITIONS, IncidentClass
from .states import DeviceState
from .words import count_text, name_text, pair_text, share_text, span_text, value_text

_MAX_ROWS = 500
_MAX_CASES = 50
_CLASS_WORDS = {
    IncidentClass.UNKNOWN: "Not recorded; for at least half of the window nobody knows what the camera was.",
    IncidentClass.FAULT: "Not recorded; the camera could not, for at least half of the window.",
    IncidentClass.DOCKED: "Not recorded; the camera stood in the dock for at least half of the window.",
    IncidentClass.NO_DEVICE: "Not recorded; no camera was assigned for at least half of the window.",
    IncidentClass.NEVER: "Not recorded, though the camera could have.",
    IncidentClass.LATE: "The first proven picture came later than policy allows.",
    IncidentClass.GAP: "Pictures are missing between the first and the last recorded moment.",
    IncidentClass.EARLY: "Stopped earlier than policy allows, and no other camera took over.",
    IncidentClass.MUTED: "Recorded, but sound was left out for a time.",
    IncidentClass.COMPLETE: "Recorded from the beginning to the end, as policy asks.",
}  # fmt: skip


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the page. Raises StorageError."""
    try:
        path.write_text(_page(outcome), encoding="utf-8")
    except OSError as fault:
        raise storage_error(fault, path) from fault


def _page(outcome: Outcome) -> str:
    house = resources.files("bodycam.custody").joinpath("report.css").read_text(encoding="utf-8")
    own = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    body = [
        patterns(), _header(outcome), _short(outcome), _classes(outcome), _incidents(outcome),
        _shifts(outcome), _measures(outcome), _findings(outcome), _rows_back(outcome),
        _rules(outcome),
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>Audit of switching</title>\n<style>\n{house}\n{own}</style></head>\n"
        f"<body><main>\n{''.join(body)}\n</main></body></html>\n"
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str, kind: str = "") -> str:
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    # What scrolls must be reachable by keyboard.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


# -- the first page -----------------------------------------------------------------------------


def _header(outcome: Outcome) -> str:
    spans = [i for c in outcome.cameras for i in c.line.span]
    when = ""
    if spans:
        first, last = min(i.start_us for i in spans), max(i.end_us for i in spans)
        when = f'<p class="when">{utc_text(first * 1000)} to {utc_text(last * 1000)}</p>'
    names = [c.line.device for c in outcome.cameras]
    title = names[0] if len(names) == 1 else f"{len(names)} cameras"
    verdict = outcome.report.verdict
    return (
        f'<header><p class="over">Body-worn cameras, audit of switching</p><h1>{escape(title)}</h1>'
        f'{when}</header><section class="verdict {verdict.value}"><div><p class="word">'
        f"VERIFICATION: {verdict.value.upper()}</p><p>{SENTENCES[verdict]} Only what was verified "
        f"counts below.</p></div></section>"
    )


def _short(outcome: Outcome) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in in_short(outcome))
    return f"<section><h2>In short</h2><ul>{items}</ul></section>"


def in_short(outcome: Outcome) -> list[str]:
    """The answer in sentences."""
    lines = _incidents_short(outcome) if outcome.rows else [
        "No incidents were given: only what the cameras themselves tell."
    ]  # fmt: skip
    return [*lines, *(_camera_short(camera) for camera in outcome.cameras)]


def _incidents_short(outcome: Outcome) -> list[str]:
    judged = outcome.judged
    whole, evid, live = outcome.covered()
    unsure = sum(not found.certain for _, found in judged)
    told = [f"{k.value} {n}" for k, (n, _, _) in outcome.classes().items() if n]
    told += [f"uncertain {unsure}"] if unsure else []
    met = ", ".join(told) or "none"
    lines = [
        f"{count_text(len(judged), 'incident')} of officers judged: {met}.",
        (f"Proven pictures cover {share_text(evid / whole if whole else None)} of the time that should "
         f"have been recorded; from press to stop it is {share_text(live / whole if whole else None)}."),
        ("By the vendors' rule, a recording that begins between dispatch and clearing, "
         f"{sum(f.nominal.vendor for _, f in judged)} of {len(judged)} would count as recorded."),
    ]  # fmt: skip
    for count, what in (
        (
            unsure,
            "of uncertain class, for a camera's clock was uncertain: each says which it may be",
        ),
        (outcome.left_out("EXCLUDED"), "excluded by policy"),
        (outcome.left_out("UNMATCHED"), "not judged: no camera belongs to the officer's id"),
    ):
        if count:
            lines.append(f"{count_text(count, 'incident')} {what}.")
    if outcome.bad_rows:
        lines.append(f"{count_text(len(outcome.bad_rows), 'row')} without effect, listed below.")
    if outcome.missing_cameras:
        missing = count_text(len(outcome.missing_cameras), "camera")
        lines.append(f"{missing} assigned, of which no store was given: UNKNOWN all the time.")
    if outcome.assigned:
        return [*lines, "Who wore which camera was given, and is signed by nobody."]
    return [*lines, "No assignments were given: a badge id was taken for that of a camera."]


def _camera_short(camera: Camera) -> str:
    line = camera.line
    if not line.states:
        return f"{line.device}: nothing of its log is verified."
    undocked, ready, unknown = (
        sum(_whole(figures["M1"], name) for _, figures in camera.shifts)
        for name in ("undocked_us", "ready_us", "unknown_us")
    )
    shares = [share_text(part / undocked if undocked else None) for part in (ready, unknown)]
    return (
        f"{line.device}: {count_text(len(camera.shifts), 'shift')}, in which it was ready "
        f"{shares[0]} of the time and unknown {shares[1]}; "
        f"{count_text(len(line.recordings), 'recording')}."
    )


def _whole(figure: Figure, name: str) -> int:
    value = figure.values[name]
    return value if isinstance(value, int) else 0


def _classes(outcome: Outcome) -> str:
    if not outcome.rows:
        return ""
    rows = [
        (f"<b>{kind.value}</b>", *map(str, counts), escape(_CLASS_WORDS[kind]))
        for kind, counts in outcome.classes().items()
    ]
    head = ("Class", "Surely", "Possibly", "By the clock", "What it means; the first that holds")
    words = [(f"<b>{n}</b>", f"<b>{name}</b>", escape(text)) for n, name, text in DEFINITIONS]
    return (
        f"<section><h2>Classes</h2>{_table(head, rows, 'Classes', 'numbers')}"
        f"<details><summary>How each number is defined</summary>"
        f"{_table(('', 'Measure', 'Definition'), words, 'Definitions')}</details></section>"
    )


def _incidents(outcome: Outcome) -> str:
    if not outcome.scored:
        return ""
    rows = [_incident(one) for one in outcome.scored[:_MAX_ROWS]]
    head = ("Event, officer", "Due (UTC)", "Window", "Class", "Covered", "First picture after",
            "Stopped before end", "Gaps", "Camera was")  # fmt: skip
    return (
        f"<section><h2>Incidents</h2>{_more(len(outcome.scored), 'incidents.csv')}"
        f"{_table(head, rows, 'Incidents', 'numbers')}</section>"
    )


def _more(count: int, file: str) -> str:
    shown = f"The first {_MAX_ROWS} of {count}; all are" if count > _MAX_ROWS else "All numbers are"
    return f'<p class="soft">{shown} in <code>{file}</code>.</p>'


def _incident(one: ScoredIncident) -> list[str]:
    incident, window, found = one.incident, one.window, one.found
    who = (
        f"<b>{escape(incident.event)}</b><br>{escape(incident.officer)} "
        f'<span class="soft">{escape(incident.call_type)}<br>{escape(incident.source)}, row '
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
    if s.no_device_us:
        was.append(f"not assigned {share_text(s.no_device_us / s.window_us)}")
    return [
        *start, f'<b>{kinds}</b><br><span class="soft">{escape("; ".join(flags))}</span>',
        f'{share_text(s.coverage)}<br><span class="soft">{pair_text(found.numbers["evid_us"])}</span>',
        pair_text(found.numbers["evid_delay_us"]), pair_text(found.numbers["tail_us"]),
        pair_text(found.numbers["gap_us"]) if s.gaps or found.numbers["gap_us"][1] else "none",
        escape(", ".join(was)),
    ]  # fmt: skip


# -- cameras ------------------------------------------------------------------------------------


def _shifts(outcome: Outcome) -> str:
    parts = []
    for camera in outcome.cameras:
        device = escape(camera.line.device)
        for shift, figures in camera.shifts[:_MAX_ROWS]:
            parts.append(
                f"<section class='shift'><h2>{device}, {utc_text(shift.start_us * 1000)[:16]}</h2>"
                f"{picture(shift, outcome.scored)}<p>{_shift_short(figures)}</p>"
                f"{_state_table(shift)}</section>"
            )
        if not camera.line.states:
            parts.append(
                f"<section><h2>{device}</h2><p>Nothing of its log is verified.</p></section>"
            )
    if parts:
        parts.append(f"<section><h2>What the pictures mean</h2>{legend()}</section>")
    return "".join(parts)


_KEY_FIGURES = (
    ("M1", "ready_ratio", "ready"), ("M12", "unknown_share", "unknown"),
    ("M5", "recordings", "recordings"), ("M5", "short", "short"), ("M5", "bounces", "bounces"),
    ("M6", "count", "killed"), ("M9", "refused", "presses without effect"),
    ("M7", "muted_share", "muted"), ("M13", "mismatches", "mismatches of log and store"),
)  # fmt: skip


def _shift_short(figures: Mapping[str, Figure]) -> str:
    return "; ".join(
        f"{words} <b>{escape(value_text(name, figures[number].values[name]))}</b>"
        for number, name, words in _KEY_FIGURES
    )


def _state_table(shift: Stretch) -> str:
    rows = [
        (utc_text(s.start_us * 1000), span_text(s.length_us), f"<b>{s.state.value}</b>",
         escape(s.why), f"\u00b1{span_text(s.err_us)}",
         f"{s.line}" + (f" to {s.next_line}" if s.next_line else ""))
        for s in shift.states[:_MAX_ROWS]
    ]  # fmt: skip
    head = ("From (UTC)", "For", "State", "Why", "Clock", "Lines of the log")
    return (
        f"<details><summary>The same as a table, with the lines of the log</summary>"
        f"{_table(head, rows, 'States', 'numbers')}</details>"
    )


def _measures(outcome: Outcome) -> str:
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
                f"<b>{measure.number}</b>", f"<b>{measure.name}</b><br>{escape(measure.definition)}{note}",
                f"{values}{_cases(figure)}",
            ))  # fmt: skip
        head = ("", "What is measured", "What it came to")
        parts.append(
            f"<section><h2>Measures of {escape(camera.line.device)}, from its first line to its last</h2>"
            f'<p class="soft">Each shift by itself is in <code>measures.csv</code>.</p>'
            f"{_table(head, rows, 'Measures', 'measures')}</section>"
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
        f"{_table(map(name_text, head), rows, 'Cases', 'numbers')}</details>"
    )


# -- what is not well, and the rules -------------------------------------------------------------


def _findings(outcome: Outcome) -> str:
    ordered = sorted(outcome.report.findings, key=lambda f: -f.verdict.rank)
    rows = [
        (f"<b>{f.verdict.value}</b>", f"check {int(f.check)}", escape(f.text),
         f"<code>{escape(f.file)}{', ' if f.place else ''}{escape(f.place)}</code>")
        for f in ordered[:_MAX_ROWS]
    ]  # fmt: skip
    rows += [
        ("<b>timeline</b>", "", escape(text.partition(": ")[2]),
         f"<code>{escape(str(c.line.log or c.line.device))}, {escape(text.partition(': ')[0])}</code>")
        for c in outcome.cameras
        for text in c.line.findings[:_MAX_ROWS]
    ]  # fmt: skip
    head = ("Verdict", "Check", "What", "Where")
    held = _table(head, rows, "Findings") if rows else "<p>None: every check holds.</p>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in outcome.report.not_known)
    unknown = f"<h3>What these files cannot tell</h3><ul>{notes}</ul>" if notes else ""
    return f"<section><h2>Findings</h2>{held}{unknown}</section>"


def _rows_back(outcome: Outcome) -> str:
    names = (
        _names("Officers of the incidents to whom no camera belongs", outcome.unmatched_officers),
        _names("Cameras without an incident", outcome.unmatched_cameras),
        _names("Cameras that were assigned, without a store", outcome.missing_cameras),
        _names(
            "Cameras out of the dock while assigned to nobody",
            [
                f"{u.device} ({span_text(u.undocked_us)}, {count_text(len(u.recordings), 'recording')})"
                for u in outcome.unassigned
            ],
        ),
    )
    if not outcome.bad_rows and not any(names):
        return ""
    rows = [
        (
            f"<code>{escape(b.file)}, row {b.row}</code>",
            escape(b.why),
            f"<code>{escape(b.text)}</code>",
        )
        for b in outcome.bad_rows[:_MAX_ROWS]
    ]
    bad = _table(("Where", "Why it does not count", "As read"), rows, "Bad rows") if rows else ""
    more = _more(len(outcome.bad_rows), "bad-rows.csv") if rows else ""
    return f"<section><h2>What does not count</h2>{more}{bad}{''.join(names)}</section>"


def _names(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(escape(name) for name in names[:_MAX_ROWS])
    more = f" and {len(names) - _MAX_ROWS} more" if len(names) > _MAX_ROWS else ""
    return f"<h3>{title}: {len(names)}</h3><p>{shown}{more}</p>"


def _rules(outcome: Outcome) -> str:
    policy = outcome.policy
    rows = [
        (f"<code>{group}</code>", f"<code>{name}</code>", escape(str(getattr(rules, name))))
        for group, rules in (("incident", policy.incident), ("device", policy.device),
                             ("excluded", policy.excluded))
        for name in rules.__struct_fields__
    ]  # fmt: skip
    states = ", ".join(state.value for state in DeviceState)
    verdict = Verdict.ALTERED.value
    return (
        f"<footer><section><h2>Policy</h2><p>{escape(policy.name)}, version {policy.version}, SHA-256 "
        f"<code>{policy.sha256}</code></p>{_table(('', 'Threshold', ''), rows, 'Policy', 'numbers')}"
        f"</section><p>A camera is in exactly one state at any time: {states}. OFF needs a signed "
        f"shutdown; what nobody vouches for is unknown. What failed verification ({verdict}, untrusted, "
        f"unreadable, cut, missing) is a finding: it counts neither as covered nor as a gap. No person "
        f"is ranked. This page proves nothing by itself: the files do, with <code>bodycam verify</code>."
        f"</p></footer>"
    )

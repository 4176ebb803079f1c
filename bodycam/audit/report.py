"""The audit as one page: in short, then incidents, shifts, measures, findings, and by what rules.

Nothing is fetched, nothing is script, everything is escaped; it opens from a file and prints.
"""

from __future__ import annotations

from ..clock import utc_text
from ..custody.htmltable import table
from ..custody.htmltext import escape
from ..custody.summary import SENTENCES
from .camerapage import measures, shifts
from .grouppage import group_sections, groups_short
from .incidentpage import force, incidents
from .lineproofs import line_of
from .measures.measure import Figure
from .outcome import Camera, Outcome
from .pageparts import MAX_ROWS, Links, line_text, more, names, page
from .picture import patterns
from .policypage import rules
from .scoring import DEFINITIONS
from .thresholds import with_values
from .words import (
    CLASS_WORDS,
    FAILED_WORDS,
    FLAT_WORDS,
    beside_text,
    count_text,
    share_text,
    span_text,
)


def audit_page(outcome: Outcome, links: Links) -> str:
    """The page; `links` are those to the proofs of lines of the log."""
    return page("Audit of switching", [
        patterns(), _header(outcome), _short(outcome), _classes(outcome), incidents(outcome, links),
        force(outcome), group_sections(outcome.groups, outcome.policy), shifts(outcome, links), measures(outcome), _findings(outcome, links), _rows_back(outcome),
        rules(outcome.policy),
    ])  # fmt: skip


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
    lines += groups_short(outcome.groups)
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
    others, also = outcome.others()
    if others:
        lines.append(
            f"Of {count_text(others, 'other officer')} at activated incidents {share_text(also / others)} recorded as well."
        )
    for count, what in (
        (
            unsure,
            "of uncertain class, for a camera's clock was uncertain: each says which it may be",
        ),
        (outcome.flags()["never_flat"], FLAT_WORDS),
        (outcome.failed, FAILED_WORDS),
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
        (f"<b>{kind.value}</b>", *map(str, counts), escape(CLASS_WORDS[kind]))
        for kind, counts in outcome.classes().items()
    ]
    head = ("Class", "Surely", "Possibly", "By the clock", "What it means; the first that holds")
    flags = outcome.flags()
    beside = beside_text(flags["saved_by_buffer"], flags["retro"], flags["handed_over"])
    words = [(f"<b>{n}</b>", f"<b>{name}</b>", escape(with_values(text, outcome.policy)))
        for n, name, text in DEFINITIONS]  # fmt: skip
    return (
        f"<section><h2>Classes</h2>{table(head, rows, 'Classes', 'numbers')}<p>{beside}</p>"
        f'<details class="definitions"><summary>How each number is defined</summary>'
        f"{table(('No.', 'Measure', 'Definition'), words, 'Definitions')}</details></section>"
    )


# -- what is not well, and the rules -------------------------------------------------------------


def _findings(outcome: Outcome, links: Links) -> str:
    ordered = sorted(outcome.report.findings, key=lambda f: -f.verdict.rank)
    rows = [
        (f"<b>{f.verdict.value}</b>", f"check {int(f.check)}", escape(f.text),
         f"<code>{escape(f.file)}{', ' if f.place else ''}{escape(f.place)}</code>")
        for f in ordered[:MAX_ROWS]
    ]  # fmt: skip
    rows += [
        ("<b>timeline</b>", "", escape(text.partition(": ")[2]),
         f"<code>{escape(str(c.line.log or c.line.device))}, {_place(c.line.device, text, links)}</code>")
        for c in outcome.cameras
        for text in c.line.findings[:MAX_ROWS]
    ]  # fmt: skip
    head = ("Verdict", "Check", "What", "Where")
    held = table(head, rows, "Findings") if rows else "<p>None: every check holds.</p>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in outcome.report.not_known)
    unknown = f"<h3>What these files cannot tell</h3><ul>{notes}</ul>" if notes else ""
    linked = (
        '<p class="soft">A line of a log that is a link leads to its proof, beside this page: the line, and '
        "what the camera signed. <code>bodycam log check PROOF --trust ROOT.pem</code> checks it.</p>"
    )
    proof = (
        '<p class="soft">Any line that is named here can be proved to others, with the camera\'s '
        "signature and without the rest of the log: <code>bodycam log prove LINE --log STORE/log "
        "--trust ROOT.pem --out FILE</code>.</p>"
    )
    return f"<section><h2>Findings</h2>{held}{linked if links else ''}{proof}{unknown}</section>"


def _place(device: str, finding: str, links: Links) -> str:
    line = line_of(finding)
    if line is None:
        return escape(finding.partition(": ")[0])
    return f"line {line_text(device, line, links)}"


def _rows_back(outcome: Outcome) -> str:
    unmatched = (
        names("Officers of the incidents to whom no camera belongs", outcome.unmatched_officers),
        names("Cameras without an incident", outcome.unmatched_cameras),
        names("Cameras that were assigned, without a store", outcome.missing_cameras),
        names(
            "Force and complaints of no incident",
            [f"{event} {officer}".strip() for event, officer in outcome.outcomes_unmatched],
        ),
        names(
            "Recordings in the records system that no camera here has",
            [row.recording for row in outcome.filed.unknown] if outcome.filed else [],
        ),
        names(
            "Cameras out of the dock while assigned to nobody",
            [
                f"{u.device} ({span_text(u.undocked_us)}, {count_text(len(u.recordings), 'recording')})"
                for u in outcome.unassigned
            ],
        ),
    )
    if not outcome.bad_rows and not any(unmatched):
        return ""
    rows = [
        (
            f"<code>{escape(b.file)}, row {b.row}</code>",
            escape(b.why),
            f"<code>{escape(b.text)}</code>",
        )
        for b in outcome.bad_rows[:MAX_ROWS]
    ]
    bad = table(("Where", "Why it does not count", "As read"), rows, "Bad rows") if rows else ""
    whole = more(len(outcome.bad_rows), "bad-rows.csv") if rows else ""
    return f"<section><h2>What does not count</h2>{whole}{bad}{''.join(unmatched)}</section>"

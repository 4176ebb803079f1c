"""The sections of a force's page about what does not hold, and what does not count."""

from __future__ import annotations

from ...custody.htmltable import table
from ...custody.htmltext import escape
from ..words import clipped, count_text, span_text
from .facts import BAD_ROWS_CSV, FINDINGS_CSV, UNMATCHED_CSV, ForceSummary, Ids


def findings(found: ForceSummary) -> str:
    """What failed verification: by kind, and the first of them by camera."""
    proof = (
        '<p class="soft">Any line of a log can be proved to others, with the camera\'s signature and '
        "without the rest of the log: <code>bodycam log prove LINE --log STORE/log --trust ROOT.pem --out "
        "FILE</code>. All of one camera, with its pictures: <code>bodycam audit --store STORE --trust "
        "ROOT.pem --out DIR</code>.</p>"
    )
    if not found.findings_count:
        return f"<section><h2>Findings</h2><p>None: every check holds.</p>{proof}</section>"
    kinds = [
        (f"<b>{escape(k.verdict) or 'note'}</b>", f"check {k.check}" if k.check else "",
         f"{k.findings:,}", f"{k.cameras:,}", escape(clipped(k.example, 300)))
        for k in found.finding_kinds
    ]  # fmt: skip
    rows = [
        (f'<b>{_of(f.force, found)}{escape(f.device)}</b><br><span class="soft">{escape(f.store)}</span>',
         f"{escape(f.verdict) or 'note'}{f', check {f.check}' if f.check else ''}", escape(f.text),
         f"<code>{escape(f.file)}{', ' if f.place else ''}{escape(f.place)}</code>")
        for f in found.findings
    ]  # fmt: skip
    more = _more(len(found.findings), found.findings_count, FINDINGS_CSV)
    return (
        f"<section><h2>Findings</h2>"
        f"{table(('Verdict', 'Check', 'Findings', 'Cameras', 'One of them'), kinds, 'Kinds of findings')}"
        f"<h3>By camera</h3>{more}"
        f"{table(('Camera, store', 'Verdict', 'What', 'Where'), rows, 'Findings by camera')}{proof}</section>"
    )


def lost(found: ForceSummary) -> str:
    """Rows without effect, and ids that one side alone knows."""
    unmatched = "".join((
        _ids("Officers of the incidents to whom no camera belongs", found.unmatched.officers),
        _ids("Cameras without an incident", found.unmatched.cameras),
        _ids("Cameras that were assigned, and are not in the data set", found.unmatched.without_data),
        _ids("Force and complaints of no incident", found.unmatched.outcomes),
        _ids("Recordings in the records system that no camera has", found.unmatched.filings),
    ))  # fmt: skip
    free = found.unassigned
    if free.cameras:
        unmatched += (
            f"<h3>Cameras out of the dock while assigned to nobody: {free.cameras:,}</h3><p>"
            f"{span_text(free.undocked_us)} together, with {count_text(free.recordings, 'recording')} of "
            f"{span_text(free.live_us)} from press to stop.</p>"
        )
    if not found.counts.bad_rows and not unmatched:
        return ""
    rows = [
        (f"{_of(b.force, found)}<code>{escape(b.file)}, row {b.row}</code>", escape(b.why), f"<code>{escape(clipped(b.text, 300))}</code>")
        for b in found.bad_rows
    ]  # fmt: skip
    held = ""
    if rows:
        head = ("Where", "Why it does not count", "As read")
        held = _more(len(rows), found.counts.bad_rows, BAD_ROWS_CSV) + table(head, rows, "Bad rows")
    return f"<section><h2>What does not count</h2>{held}{unmatched}</section>"


def _of(force: str, found: ForceSummary) -> str:
    """Whose it is, if there are several forces."""
    return f"{escape(force)} " if found.several else ""


def _ids(title: str, ids: Ids) -> str:
    if not ids.count:
        return ""
    rest = ids.count - len(ids.first)
    more = f" and {rest} more, in <code>{UNMATCHED_CSV}</code>" if rest else ""
    shown = ", ".join(f"<bdi>{escape(clipped(name))}</bdi>" for name in ids.first)
    return f'<h3>{title}: {ids.count:,}</h3><p class="ids">{shown}{more}</p>'


def _more(shown: int, count: int, file: str) -> str:
    first = (
        f"The first {shown} of {count_text(count, 'row')}; all are" if shown < count else "All are"
    )
    return f'<p class="soft">{first} in <code>{file}</code>.</p>'

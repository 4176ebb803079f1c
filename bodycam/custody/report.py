"""The report of a shift or a clip, as HTML or PDF: one page for everybody, then the particulars.

The first page says in plain language what is proven, what is wrong or missing, what is not known
and when it was. Nothing is fetched from anywhere, everything is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from ..clock import NS, utc_text
from ..eventlog import LOG_FILE
from ..store import storage_error
from .answers import answers, interval_of, interval_of_clip
from .findings import Verdict
from .hashing import file_sha256
from .htmltable import table
from .htmltext import escape
from .manifest import manifest_path
from .pdf import write_pdf
from .recordingcheck import RecordingReport
from .shift import Recorded, Shift, place_cuts, read_shift
from .summary import SENTENCES, interval, signer
from .timeline import legend, timeline
from .verify import Report, numbered_checks

_MAX_ROWS = 500
_MAX_FRONT = 3
# A shape for each verdict, so that no colour is needed to tell them apart.
_BADGES = {
    Verdict.INTACT: '<circle cx="12" cy="12" r="10"/><path d="M7 12.5l3.5 3.5L17 9"/>',
    Verdict.INCOMPLETE: '<path d="M12 2a10 10 0 1 1-10 10"/><path d="M12 7v6M12 16v1.5"/>',
    Verdict.UNTRUSTED: '<rect x="3" y="3" width="18" height="18"/><path d="M9 9.5a3 3 0 1 1 4 2.8'
    'c-1 .5-1 1-1 2M12 17v1"/>',
    Verdict.UNREADABLE: '<rect x="3" y="3" width="18" height="18"/><path d="M7 12h10"/>',
    Verdict.ALTERED: '<path d="M12 1.5L23 21.5H1z"/><path d="M9 12l6 6M15 12l-6 6"/>',
}
_COLOURS = {
    Verdict.INTACT: "#0b3d6e", Verdict.INCOMPLETE: "#5c4500", Verdict.UNTRUSTED: "#26303b",
    Verdict.UNREADABLE: "#26303b", Verdict.ALTERED: "#7c2410",
}  # fmt: skip


def write_report(
    store_root: Path, report: Report, out_path: Path, clips: Sequence[Path] = ()
) -> None:
    """Write the page for a store or a clip and what verification said of it.

    A name that ends in `.pdf` gives PDF, any other HTML. Clips are linked relative to the page,
    with their manifests where there are some. Raises CannotOpen where PDF needs WeasyPrint.
    """
    log = store_root / "log" / LOG_FILE
    shift = read_shift(log if log.is_file() else store_root / LOG_FILE)
    ends = {r.recording: end for r in report.recordings if (end := _last_ns(r)) is not None}
    place_cuts(shift, ends)
    page = _page(store_root, report, shift, out_path, clips)
    if out_path.suffix.lower() == ".pdf":
        write_pdf(page, out_path)
        return
    try:
        out_path.write_text(page, encoding="utf-8")
    except OSError as fault:
        raise storage_error(fault, out_path) from fault


def _last_ns(recording: RecordingReport) -> int | None:
    held = recording.held
    return held[-1].utc_to_ns if held else None


def _page(
    store_root: Path, report: Report, shift: Shift, out_path: Path, clips: Sequence[Path]
) -> str:
    devices = [shift.device, *(r.device for r in report.recordings)]
    devices += [report.clip.device] if report.clip else []
    device = next((name for name in devices if name), "unknown camera")
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    body = [
        f'<div class="front">{_header(device, report, shift)}{_answers(report)}',
        f"{_timeline(report, shift)}{_times(report)}</div>",
        _recordings(report, shift),
        _clips(clips, out_path),
        _findings(report),
        _toggles(shift),
        _files(report),
        _footer(store_root, report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(device)}: verification report</title>\n<style>\n{style}</style></head>\n"
        f"<body><main>\n{''.join(body)}\n</main></body></html>\n"
    )


def _header(device: str, report: Report, shift: Shift) -> str:
    verdict = report.verdict
    clock = (
        f"clock: {escape(shift.clock)}, \u00b1{shift.unc_ms} ms"
        if shift.clock not in ("", "none")
        else "the clock was not set: times of day are not known"
    )
    when = (
        f'<p class="when">{utc_text(shift.from_ns)} to {utc_text(shift.to_ns)} '
        f'<span class="soft">({clock})</span></p>'
        if shift.lines
        else ""
    )
    return (
        f'<header><p class="over">Body-worn camera, verification report</p><h1>{escape(device)}</h1>'
        f"{when}</header>"
        f'<section class="verdict {verdict.value}">{_shape(verdict)}<div><p class="word">{verdict.value.upper()}</p>'
        f"<p>{SENTENCES[verdict]}</p></div></section>"
    )


def _answers(report: Report) -> str:
    told = answers(report)
    return "".join((
        '<div class="answers">',
        _list("What is proven", told.proven, "Nothing."),
        _list("What is wrong or missing", told.wrong, "Nothing that these checks can find."),
        _list(
            "What is not known", told.not_known,
            "Nothing more than what no verification can tell: whether the camera was honest.",
        ),
        "</div>",
    ))  # fmt: skip


def _list(title: str, lines: Sequence[str], otherwise: str) -> str:
    items = "".join(f"<li>{escape(line[:1].upper() + line[1:])}</li>" for line in lines)
    held = f"<ul>{items}</ul>" if lines else f"<p>{otherwise}</p>"
    return f"<section><h2>{title}</h2>{held}</section>"


def _timeline(report: Report, shift: Shift) -> str:
    if not shift.lines:
        return "" if report.clip else "<section><p>There is no event log.</p></section>"
    return f"<section><h2>The shift</h2>{timeline(shift)}{legend()}</section>"


def _times(report: Report) -> str:
    found = [interval_of(recording) for recording in report.recordings]
    found += [interval_of_clip(report.clip)] if report.clip else []
    if not found:
        return ""
    rows = [
        (f"<code>{escape(one.what)}</code>", _between(one.begin), _between(one.end),
         escape(one.reason))
        for one in found[:_MAX_FRONT]
    ]  # fmt: skip
    more = f"<p>And {len(found) - _MAX_FRONT} more.</p>" if len(found) > _MAX_FRONT else ""
    head = ("Recording", "It began between (UTC)", "It ended between (UTC)", "Why no closer")
    return f"<section><h2>When it was</h2>{table(head, rows, 'When it was')}{more}</section>"


def _between(moments: tuple[str, str] | None) -> str:
    return "not known" if moments is None else f"{moments[0]} and {moments[1]}"


# -- recordings ---------------------------------------------------------------------------------


def _recordings(report: Report, shift: Shift) -> str:
    verified = {r.recording: r for r in report.recordings}
    names = list(dict.fromkeys([*shift.recordings, *verified]))
    rows = [
        _row(number, shift.recordings.get(name), verified.get(name), shift.from_ns)
        for number, name in enumerate(names[:_MAX_ROWS], start=1)
    ]
    if not rows:
        return "<section><h2>Recordings</h2><p>None.</p></section>"
    head = ("", "Why", "Pressed (UTC)", "First picture", "Before the press", "Length", "Ended",
            "Segments", "Gaps", "Verdict")  # fmt: skip
    return f"<section><h2>Recordings</h2>{table(head, rows, 'Recordings', 'recordings')}</section>"


def _row(
    number: int, told: Recorded | None, found: RecordingReport | None, zero_ns: int
) -> list[str]:
    held = found.held if found else []
    begin = held[0].utc_from_ns if held else None
    end = held[-1].utc_to_ns if held else None
    length = f"{(end - begin) / NS:.1f} s" if begin is not None and end is not None else "\u2013"
    gaps = max(told.gaps if told else 0, sum(len(s.gaps) for s in held))
    name = (told.recording if told else "") or (found.recording if found else "")
    who = (
        f'<span class="soft">{escape(signer(found))}<br>{escape(interval(found))}</span>'
        if found
        else ""
    )
    return [
        f"<b>{number}</b>",
        f"{escape(told.cause if told else '') or '&ndash;'}<br><code>{escape(name)}</code><br>{who}",
        _moment(told.pressed_ns if told else None, zero_ns),
        _moment(told.first_ns if told and told.first_ns is not None else begin, zero_ns),
        _before(told),
        length,
        escape(told.stop_reason if told and told.stop_reason else _ended(found)) + _under(told),
        str(len(found.segments)) if found else "missing",
        str(gaps) if gaps else "none",
        _badge(found.verdict) if found else _badge(Verdict.INCOMPLETE),
    ]


def _moment(at_ns: int | None, zero_ns: int) -> str:
    if at_ns is None:
        return "&ndash;"
    since = f"{(at_ns - zero_ns) / NS:+.2f} s" if zero_ns else ""
    return f'{utc_text(at_ns)[11:]}<br><span class="soft">{since}</span>'


_SHORT = {
    "fresh_power": "the camera had just been switched on",
    "abuts": "the recording before it ends there", "capacity": "memory held no more",
    "disabled": "policy: none", "stall": "the camera had stalled",
}  # fmt: skip


def _before(told: Recorded | None) -> str:
    if told is None or told.actual_ms is None:
        return "&ndash;"
    text = f"{told.actual_ms / 1000:.1f} s"
    if told.asked_ms is not None and told.asked_ms != told.actual_ms:
        text += f" of {told.asked_ms / 1000:.1f} s"
    if told.reason:
        text += f'<br><span class="soft">{escape(_SHORT.get(told.reason, told.reason))}</span>'
    if told.audio is not None:
        text += f'<br><span class="soft">{"with" if told.audio else "without"} sound</span>'
    return text


_STRAINS = {
    "fewer-pictures": "half the pictures: too warm",
    "fewer-bits": "half the pictures and bits: too warm",
    "undervolt": "under-voltage", "capped": "processor slowed", "throttled": "processor slowed",
    "soft-limit": "processor slowed",
}  # fmt: skip


def _under(told: Recorded | None) -> str:
    words = dict.fromkeys(_STRAINS.get(word, word) for word in (told.strain if told else ()))
    return f'<br><span class="soft">{escape("; ".join(words))}</span>' if words else ""


def _ended(found: RecordingReport | None) -> str:
    held = found.held if found else []
    return held[-1].reason or "cut off" if held else "never"


def _badge(verdict: Verdict) -> str:
    return f'<span class="badge {verdict.value}">{_shape(verdict)}{verdict.value}</span>'


def _shape(verdict: Verdict) -> str:
    # Attributes, not style: what makes PDF applies no style of the page to a drawing.
    return (
        f'<svg viewBox="0 0 24 24" width="17" height="17" aria-hidden="true" fill="none" '
        f'stroke="{_COLOURS[verdict]}" stroke-width="2.2" stroke-linecap="round" '
        f'stroke-linejoin="round">{_BADGES[verdict]}</svg>'
    )


# -- the rest -----------------------------------------------------------------------------------


def _clips(clips: Sequence[Path], out_path: Path) -> str:
    if not clips:
        return ""
    items = []
    for clip in clips:
        manifest = manifest_path(clip)
        link = f'<a href="{_href(clip, out_path)}">{escape(clip.name)}</a>'
        if manifest.exists():
            link += (
                f' <span class="soft">with its <a href="{_href(manifest, out_path)}">manifest</a>'
                f"; check it: <code>bodycam verify {escape(clip.name)} --manifest "
                f"{escape(manifest.name)} --trust ROOT.pem</code></span>"
            )
        items.append(f"<li>{link}</li>")
    return f"<section><h2>Exported clips</h2><ul>{''.join(items)}</ul></section>"


def _href(path: Path, out_path: Path) -> str:
    target, base = path.resolve(), out_path.resolve().parent
    shown = target.relative_to(base).as_posix() if target.is_relative_to(base) else str(target)
    return escape(quote(shown))


def _findings(report: Report) -> str:
    parts = ["<section><h2>Findings</h2>"]
    ordered = sorted(report.findings, key=lambda f: -f.verdict.rank)
    if ordered:
        rows = [
            (
                _badge(f.verdict), f"check {int(f.check)}",
                (f"{escape(f.text)}<br><code>{escape(f.file)}{', ' if f.place else ''}"
                f"{escape(f.place)}</code>"),
            )
            for f in ordered[:_MAX_ROWS]
        ]  # fmt: skip
        parts.append(table(("Verdict", "Check", "What, and where"), rows, "Findings"))
    else:
        parts.append("<p>None: every check that could be made holds.</p>")
    if report.not_known:
        notes = "".join(f"<li>{escape(note)}</li>" for note in report.not_known)
        parts.append(f"<h3>What these files cannot tell</h3><ul>{notes}</ul>")
    return "".join(parts) + "</section>"


def _toggles(shift: Shift) -> str:
    if not shift.toggles:
        return ""
    rows = [
        (_moment(t.at_ns, shift.from_ns), "on" if t.kind == "on" else "off", escape(t.text))
        for t in shift.toggles[:_MAX_ROWS]
    ]
    return (
        f"<section><h2>Switch</h2>{table(('UTC', 'Became', 'As logged'), rows, 'Switch')}</section>"
    )


def _files(report: Report) -> str:
    rows = []
    for path in [*(s.path for s in report.segments), *(log.path for log in report.logs)][
        :_MAX_ROWS
    ]:
        try:
            digest = file_sha256(path)
        except OSError as fault:
            digest = f"cannot be read: {fault.strerror}"
        size = path.stat().st_size if path.exists() else 0
        rows.append((f"<code>{escape(path.name)}</code>", f"{size:,}", f"<code>{digest}</code>"))
    told = table(("File", "Bytes", "SHA-256"), rows, "Files", "files")
    return f"<section><h2>Files</h2>{told}</section>"


def _footer(store_root: Path, report: Report) -> str:
    checks = "".join(f"<li>{escape(text)}</li>" for _, text in numbered_checks())
    return (
        f"<footer><details><summary>The checks, by number</summary><ol>{checks}</ol></details>"
        f"<p>This page is a summary and proves nothing by itself. The files do: <code>bodycam verify "
        f"{escape(store_root.name)} --trust ROOT.pem</code> answers with exit code "
        f"{int(report.exit_code)}.</p></footer>"
    )

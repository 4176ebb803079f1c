"""The verdict in words: what is proven, what is missing, what is not known."""

from __future__ import annotations

from ..certificates import Trust
from ..clock import NS, utc_text
from .clipfacts import ClipFacts
from .findings import Finding, Verdict
from .recordingcheck import RecordingReport
from .verify import Report

_SHOWN = 40
SENTENCES = {
    Verdict.INTACT: "Complete, unchanged since it was recorded, and signed by a trusted camera.",
    Verdict.INCOMPLETE: "What is here is unchanged and trusted, but something is missing.",
    Verdict.UNTRUSTED: "Unchanged, but nobody whom the given root vouches for has signed it.",
    Verdict.UNREADABLE: "Something could not be read, so nothing can be said about it.",
    Verdict.ALTERED: "Something was changed, removed or put in after it was recorded.",
}

_ONVIF_INTACT = "Each picture that is judged is one that a trusted camera signed."


def text(report: Report) -> str:
    """The report for people, a few lines a recording."""
    sentence = SENTENCES[report.verdict]
    if report.verdict is Verdict.INTACT and report.onvif is not None and report.clip is None:
        sentence = _ONVIF_INTACT
    lines = [f"{report.verdict.value.upper()}: {sentence}", ""]
    for recording in report.recordings:
        lines += _recording(recording)
    for log in report.logs:
        signed = (
            f"signed up to line {log.vouched_lines}"
            if log.vouched_lines
            else "not signed by anybody known here"
        )
        lines += [
            f"Event log {log.path.name}: {log.verdict.value}",
            f"  {log.lines} lines from {log.first_utc} to {log.last_utc}, {signed}",
            *(f"  {v.by} saw {v.lines} lines at {v.at}" for v in log.vouched_by),
        ]
        if log.answers:
            lines.append(f"  what was done to it: {', '.join(a.value for a in log.answers)}")
    if report.clip is not None:
        lines += _clip(report.clip)
    if report.onvif is not None:
        lines.append(f"ONVIF Media Signing: {report.onvif}")
    lines += _section("What is wrong or missing:", report.findings)
    if report.not_known:
        lines += [
            "",
            "What these files cannot tell:",
            *(f"  - {note}" for note in report.not_known),
        ]
    return "\n".join(lines) + "\n"


def _recording(recording: RecordingReport) -> list[str]:
    lines = [
        (
            f"Recording {recording.recording} of camera {recording.device or '(unknown)'}: "
            f"{recording.verdict.value}"
        )
    ]
    held = recording.held
    if held:
        seconds = sum((s.end_ns or 0) - (s.begin_ns or 0) for s in held) / NS
        lines.append(
            f"  {interval(recording)}: {seconds:.1f} s in {len(recording.segments)} segments, "
            f"{sum(s.pictures for s in held)} pictures, {sum(s.sounds for s in held)} sound frames"
        )
    lines.append(f"  {signer(recording)}")
    return lines


def _clip(clip: ClipFacts) -> list[str]:
    begin, end = clip.utc_from_ns or 0, clip.utc_to_ns or 0
    return [
        f"Clip {clip.file} of recording {clip.recording} of camera {clip.device}",
        (
            f"  {utc_text(begin)} to {utc_text(end)} (each \u00b1{clip.unc_ms} ms, clock: "
            f"{clip.clock_source}): {clip.proven_fragments} of {clip.fragments} fragments proven, "
            f"{clip.pictures} pictures, {clip.sounds} sound frames"
        ),
        (
            f"  signed by {clip.signer.device or '(nobody)'}: {clip.signer.trust.value}, "
            f"{clip.signer.detail}"
        ),
    ]


def interval(recording: RecordingReport) -> str:
    """From when to when, in UTC, with the clock's source and half-width."""
    held = recording.held
    if not held:
        return "no fragment"
    begin, end = held[0].utc_from_ns or 0, held[-1].utc_to_ns or 0
    unc_ms = max(s.max_unc_ms for s in held)
    sources = "/".join(dict.fromkeys(s.clock_source for s in held))
    if sources == "none":
        return f"{utc_text(begin)} to {utc_text(end)} by a clock that was not set"
    return f"{utc_text(begin)} to {utc_text(end)} (each \u00b1{unc_ms} ms, clock: {sources})"


def signer(recording: RecordingReport) -> str:
    """Who signed, and what that is worth."""
    headed = [s for s in recording.segments if s.head is not None]
    if not headed:
        return "signed by nobody that can be read"
    verdict = next((s.signer for s in headed if s.signer.trust is not Trust.TRUSTED), None)
    verdict = verdict or headed[0].signer
    if verdict.trust is Trust.UNSIGNED:
        return "not signed"
    return f"signed by {verdict.device or '(unknown)'}: {verdict.trust.value}, {verdict.detail}"


def _section(title: str, findings: tuple[Finding, ...]) -> list[str]:
    if not findings:
        return []
    ordered = sorted(findings, key=lambda f: -f.verdict.rank)
    lines = ["", title]
    lines += [f"  [{int(f.check)}] {f.verdict.value}: {f}" for f in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"  and {len(ordered) - _SHOWN} more: see --json")
    return lines

"""The report's answers in plain language: what is proven, what is wrong or missing, what is not
known, and when it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..certificates import Trust
from ..clock import MS, utc_text
from .clipfacts import ClipFacts
from .findings import Check, Finding, Verdict
from .recordingcheck import RecordingReport
from .verify import Report

# So much fits on one page, whatever was found.
_SHOWN = 4
_MAX_TEXT = 125
_WRONG = {
    Check.CONTAINER: "a file is not built as the camera builds it",
    Check.SIGNATURE_BOX: "a signed record is damaged",
    Check.CERTIFICATE: "nobody known vouches for the signer",
    Check.SIGNATURE: "a signature does not hold",
    Check.CHAIN: "parts of a file were removed, moved or repeated",
    Check.BYTES: "pictures or sound were changed",
    Check.HEAD: "a file is not the one that its name says",
    Check.TIMES: "times contradict one another",
    Check.END: "the end of a file was changed",
    Check.RECORDING: "a file of a recording was removed, exchanged or changed",
    Check.LOG_LINES: "lines of the log were changed",
    Check.LOG_ROOT: "the log is not the one that was signed, or nobody signed it",
    Check.LOG_STORE: "log and files contradict one another",
}
_MISSING = {
    Check.CONTAINER: "a file breaks off; what follows its last signed record proves nothing",
    Check.END: "a file has no end; nothing is known of what followed",
    Check.RECORDING: "the link between two files is lost",
    Check.CONTINUITY: "pictures are missing",
    Check.LOG_LINES: "the last line of the log is torn",
    Check.LOG_ROOT: "the last lines of the log were not signed yet",
    Check.LOG_STORE: "something that the log tells of is missing",
}
_CLOCKS = {
    "none": "the camera's clock was not set: the time of day is not known, only durations are",
    "rtc": "the camera's clock ran by itself since it was last set, and drifts",
    "ntp": "the camera's clock followed a time server (NTP, not authenticated)",
    "nts": "the camera's clock followed an authenticated time server (NTS)",
    "gps": "the camera's clock followed GPS",
    "dock": "the camera's clock was set at the dock",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """Three lists of sentences."""

    proven: tuple[str, ...]
    wrong: tuple[str, ...]
    not_known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """When a recording began and ended: each between two moments of UTC, and why no closer."""

    what: str
    begin: tuple[str, str] | None
    end: tuple[str, str] | None
    reason: str


def answers(report: Report) -> Answers:
    """What the report says, for a reader who knows nothing of files and signatures."""
    return Answers(
        tuple(_proven(report)), tuple(_wrong(report.findings)), tuple(_few(report.not_known))
    )


def interval_of(recording: RecordingReport) -> Interval:
    """UTC as an interval, with its reason; none where the clock was not set."""
    held = recording.held
    if not held:
        return Interval(recording.recording, None, None, "nothing of it can be read")
    sources = list(dict.fromkeys(s.clock_source for s in held))
    unc_ms = max(s.max_unc_ms for s in held)
    reason = "; ".join(_CLOCKS.get(source, f"clock source {source!r}") for source in sources)
    if "none" in sources:
        return Interval(recording.recording, None, None, reason)
    return Interval(
        recording.recording, _around(held[0].utc_from_ns, unc_ms),
        _around(held[-1].utc_to_ns, unc_ms), f"\u00b1{unc_ms} ms: {reason}",
    )  # fmt: skip


def interval_of_clip(clip: ClipFacts) -> Interval:
    """The same of an exported clip."""
    reason = _CLOCKS.get(clip.clock_source, f"clock source {clip.clock_source!r}")
    if clip.clock_source == "none":
        return Interval(clip.file, None, None, reason)
    return Interval(
        clip.file, _around(clip.utc_from_ns, clip.unc_ms), _around(clip.utc_to_ns, clip.unc_ms),
        f"\u00b1{clip.unc_ms} ms: {reason}",
    )  # fmt: skip


def _around(utc_ns: int | None, unc_ms: int) -> tuple[str, str] | None:
    if utc_ns is None:
        return None
    low, high = utc_text(utc_ns - unc_ms * MS), utc_text(utc_ns + unc_ms * MS)
    # The date once, where it is one.
    return low.replace("T", " "), high[11:] if low[:10] == high[:10] else high.replace("T", " ")


def _proven(report: Report) -> list[str]:
    segments, said = report.segments, []
    bad = {Verdict.ALTERED, Verdict.UNREADABLE}
    sound = [s for s in segments if s.verdict not in bad and s.signed]
    trusted = [s for s in sound if s.signer.trust is Trust.TRUSTED]
    if trusted:
        cameras = ", ".join(dict.fromkeys(s.signer.device for s in trusted))
        said.append(
            f"{_of(len(trusted), len(segments), 'file')} of video hold, byte for byte, what camera "
            f"{cameras} signed: {sum(s.pictures for s in trusted):,} pictures and "
            f"{sum(s.sounds for s in trusted):,} pieces of sound."
        )
        said.append("The force's certificate authority vouched for that camera when it signed.")
    elif sound:
        said.append(
            f"{_of(len(sound), len(segments), 'file')} of video are unchanged since they were "
            "signed. By whom is not proven."
        )
    if (
        trusted
        and len(trusted) == len(segments)
        and not _has(report, Check.CONTINUITY, Check.CHAIN, Check.RECORDING, Check.END)
    ):
        said.append("Inside the recordings no picture is missing, and no file.")
    said += [
        f"The first {log.vouched_lines:,} of {log.lines:,} lines of the camera's log are those "
        "that it signed."
        for log in report.logs
        if log.vouched_lines and log.verdict not in bad
    ]
    named = {Path(entry.file).name for log in report.logs for entry in log.segments.values()}
    if named and {s.name for s in segments} == named and not _has(report, Check.LOG_STORE):
        said.append("Every file that the log names is here, and no other.")
    if report.clip is not None and report.clip.proven_fragments:
        said.append(
            f"{report.clip.proven_fragments} of {report.clip.fragments} parts of the clip are, "
            f"picture by picture and sound by sound, what camera {report.clip.device} signed."
        )
    return said


def _of(some: int, every: int, noun: str) -> str:
    plural = noun if every == 1 else f"{noun}s"
    return f"All {every} {plural}" if some == every > 1 else f"{some} of {every} {plural}"


def _has(report: Report, *checks: Check) -> bool:
    return any(finding.check in checks for finding in report.findings)


def _wrong(findings: Sequence[Finding]) -> list[str]:
    kinds: dict[tuple[Verdict, Check], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.verdict, finding.check), []).append(finding)
    said = []
    for (verdict, check), found in sorted(kinds.items(), key=lambda kind: -kind[0][0].rank):
        table = _MISSING if verdict is Verdict.INCOMPLETE else _WRONG
        what = table.get(check, "something does not hold")
        if verdict is Verdict.UNREADABLE:
            what = "something could not be read"
        times = "" if len(found) == 1 else f" ({len(found)} times)"
        said.append(f"{what[:1].upper()}{what[1:]}{times}: {_short(found[0])}")
    return _few(said)


def _short(finding: Finding) -> str:
    where = finding.file.rpartition("/")[2]
    return f"{where[-14:]}{', ' if finding.place else ''}{finding.place}: {finding.text}"


def _few(lines: Sequence[str]) -> list[str]:
    lines = [t if len(t) <= _MAX_TEXT else f"{t[: _MAX_TEXT - 1]}\u2026" for t in lines]
    if len(lines) <= _SHOWN:
        return lines
    return [*lines[: _SHOWN - 1], f"And {len(lines) - _SHOWN + 1} more; all are listed below."]

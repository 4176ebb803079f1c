"""Verifies segments, recordings, logs and whole stores, without any decryption key.

A segment, by itself:

 1. Container: exactly `ftyp moov uuid(HEAD) { prft moof mdat uuid(FRAG) }* uuid(END)`, no other
    box, nothing behind END. Bytes after the last whole signature box are a torn tail.
 2. Signature box: version and flags 0, and it ends exactly where its fields say.
 3. Certificate: the chain in HEAD leads to the root that was given, was valid at signing, and its
    leaf is for digital signatures. An answer of its own: altered and not trusted differ.
 4. Signature: of every record, by the leaf's key, before its JSON is parsed.
 5. Chain: records are numbered from 0 without holes and each names the hash of the box before it.
 6. Bytes: each record covers exactly the bytes since the box before it, and their SHA-256 is its.
 7. Head: device, recording and segment agree with the file's name, the device with the
    certificate, the certificate's hash with `x5t`; the content key is there, wrapped.
 8. Times: capture time goes forward; a fragment lasts at most 0.5 s; `nv` and `na` are the counts
    of its moof; media time follows capture time.
 9. End: END is there, is last, and counts the fragments.

Across the segments of a recording:

10. Recording: one device, recording, boot and certificate; segment numbers without holes; each
    HEAD names the last box of the segment before; a continued recording's too.
11. Continuity: no picture is missing for more than 3 frame times, inside segments and between
    them, and the camera counted no loss. What is missing is listed as a gap.

The log:

12. Lines: each in its own checksum, numbered without holes, each naming the hash of the one before.
13. Root: the checkpoint's signature holds, and its root and every root that a signed record names
    are the Merkle roots of that many lines. Lines that nothing signed stands for are named.
14. Store: a segment that the log opened is there and ends as the log says; none is there that the
    log does not know; gaps that the log tells of are listed.

An exported clip, with its manifest (`manifest`):

15. Clip: its samples, fragment by fragment, are those whose hash the camera signed.

Verdicts, worst first: altered (exit 4), unreadable (6), untrusted (5), incomplete (3), intact (0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import EvidenceError, ExitCode
from ..signing import Trust, public_key_of
from .clipfacts import ClipFacts
from .findings import Finding, Verdict, worst
from .hashing import RangeHasher
from .logcheck import LogCheck, LogFacts, key_id
from .places import Given, find_places
from .progress import Progress, no_progress
from .recordingcheck import RecordingCheck, RecordingReport, check_continuations
from .segmentcheck import check_segment
from .segmentfacts import Closing, SegmentFacts
from .storecheck import check_store


def numbered_checks() -> list[tuple[int, str]]:
    """The numbered list above, one text a check."""
    checks: list[tuple[int, str]] = []
    for line in (__doc__ or "").splitlines():
        head, _, rest = line.strip().partition(". ")
        if head.isdigit():
            checks.append((int(head), rest))
        elif line.startswith("    ") and checks:
            number, text = checks[-1]
            checks[-1] = (number, f"{text} {line.strip()}")
    return checks


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, what was found, and what the given files cannot tell."""

    recordings: tuple[RecordingReport, ...]
    logs: tuple[LogFacts, ...]
    findings: tuple[Finding, ...]
    not_known: tuple[str, ...]
    clip: ClipFacts | None = None

    @property
    def verdict(self) -> Verdict:
        return worst(self.findings)

    @property
    def exit_code(self) -> ExitCode:
        return self.verdict.exit_code

    @property
    def segments(self) -> list[SegmentFacts]:
        return [segment for report in self.recordings for segment in report.segments]

    def to_json(self) -> dict[str, Any]:
        """One JSON object, as `bodycam verify --json` prints it."""
        return {
            "verdict": self.verdict.value, "exit_code": int(self.exit_code),
            "checks": [{"n": n, "text": text} for n, text in numbered_checks()],
            "recordings": [recording.as_json() for recording in self.recordings],
            "logs": [log.as_json() for log in self.logs],
            "findings": [finding.as_json() for finding in self.findings],
            "clip": self.clip.as_json() if self.clip else None,
            "not_known": list(self.not_known),
        }  # fmt: skip


def verify_paths(
    paths: Sequence[Path], root: x509.Certificate | None, progress: Progress = no_progress
) -> Report:
    """Verify segment files, recording folders, logs and stores, in any mixture.

    Never raises for what is in the files: after a finding the rest is still judged.
    """
    given = find_places(paths)
    logs = [LogCheck(path, label) for path, label in given.logs]
    for log in logs:
        log.read_lines()
    segments = _check_segments(given, logs, root, progress)
    recordings = _check_recordings(given, segments, logs)
    _check_log_statements(logs, segments)
    findings = [
        *given.findings,
        *(f for recording in recordings for f in recording.all_findings),
        *check_continuations(recordings),
        *(f for log in logs for f in log.facts.findings),
    ]
    for log, evidence in zip(logs, given.log_evidence, strict=True):
        if evidence is not None:
            files = {
                str(s.path.relative_to(evidence)): s
                for s in segments
                if s.path.is_relative_to(evidence)
            }
            findings += check_store(log.facts, files, given.label(evidence))
    return Report(
        tuple(recordings), tuple(log.facts for log in logs), tuple(findings),
        tuple(_not_known(recordings, [log.facts for log in logs], root)),
    )  # fmt: skip


def _check_segments(
    given: Given,
    logs: Sequence[LogCheck],
    root: x509.Certificate | None,
    progress: Progress,
) -> list[SegmentFacts]:
    closings = _closings(logs)
    sizes = [_size(path) for path in given.segments]
    total, done, checked = sum(sizes), 0, []
    with RangeHasher() as hasher:
        for path, size in zip(given.segments, sizes, strict=True):
            facts = check_segment(
                path, root, hasher, closings.get(path.name), _shifted(progress, done, total),
                given.label(path),
            )  # fmt: skip
            checked.append(facts)
            done += size
    return checked


def _shifted(progress: Progress, done: int, total: int) -> Progress:
    return lambda here, _: progress(done + here, total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _closings(logs: Sequence[LogCheck]) -> dict[str, Closing]:
    return {
        Path(entry.file).name: entry.closing
        for log in logs
        for entry in log.facts.segments.values()
        if entry.closing is not None
    }


def _check_recordings(
    given: Given, segments: Sequence[SegmentFacts], logs: Sequence[LogCheck]
) -> list[RecordingReport]:
    explained = {
        Path(entry.file).name: entry.explanation
        for log in logs
        for entry in log.facts.segments.values()
        if entry.explanation
    }
    groups: dict[Path, list[SegmentFacts]] = {}
    for segment in segments:
        groups.setdefault(segment.path.parent, []).append(segment)
    reports = []
    for folder, members in groups.items():
        names = {s.recording for s in members if s.recording} or {folder.name}
        # A recording's folder is the claim that all in it belongs together; loose files make none.
        whole = folder in given.folders
        for name in [folder.name] if whole and len(names) > 1 else sorted(names):
            mine = members if whole else [s for s in members if s.recording in (name, "")]
            label = given.label(folder) if whole else name
            reports.append(RecordingCheck(name, mine, label, explained, whole=whole).run())
    return sorted(reports, key=_when)


def _when(report: RecordingReport) -> tuple[int, str]:
    held = report.held
    return (held[0].utc_from_ns or 0 if held else 0, report.recording)


def _check_log_statements(logs: Sequence[LogCheck], segments: Sequence[SegmentFacts]) -> None:
    keys: dict[bytes, tuple[ec.EllipticCurvePublicKey, bool]] = {}
    heads: dict[int, tuple[str, str, bool]] = {}
    for segment in segments:
        trusted = segment.signer.trust is Trust.TRUSTED
        if segment.certificates:
            _note_key(keys, segment.certificates[0], trusted=trusted)
        for size, (root, place) in segment.heads.items():
            # One statement a size suffices, a trusted one first; two that differ are both asked.
            known = heads.get(size)
            where = f"{segment.name}, {place}"
            if known is None or known[0] == root:
                heads[size] = (root, where, trusted or (known[2] if known else False))
            else:
                heads[size] = (root, f"{where} (against {known[1]})", False)
    for log in logs:
        log.check_statements(keys, heads)


def _note_key(
    keys: dict[bytes, tuple[ec.EllipticCurvePublicKey, bool]], der: bytes, *, trusted: bool
) -> None:
    try:
        key = public_key_of(der)
    except EvidenceError:
        return  # the segment's own finding says so
    known = keys.get(key_id(key))
    if known is None or trusted:
        keys[key_id(key)] = (key, trusted)


def _not_known(
    recordings: Sequence[RecordingReport], logs: Sequence[LogFacts], root: x509.Certificate | None
) -> list[str]:
    notes = []
    if root is None and recordings:
        notes.append("who signed: no root was given (--trust ROOT.pem)")
    if recordings and not logs:
        notes.append(
            "whether whole recordings, or segments after the last one here, are missing: "
            "only the camera's log can tell"
        )
    if any(s.clock_source == "none" for r in recordings for s in r.held):
        notes.append("the time of day: the camera's clock was not set; only durations hold")
    notes += [
        f"what the camera did after {log.last_utc}: the log ends without a shutdown"
        for log in logs
        if log.lines and log.last_ev != "shutdown"
    ]
    for recording in recordings:
        head = recording.segments[0].head if recording.segments else None
        if head and head.cont and head.cont not in {r.recording for r in recordings}:
            notes.append(
                f"what was before recording {recording.recording}: it continues {head.cont}, "
                "which was not given"
            )
    return notes

"""Verifies segments, recordings, logs and whole stores, without any decryption key.

A segment, by itself:

 1. Container: exactly `ftyp moov uuid(HEAD) { prft moof mdat uuid(FRAG) }* uuid(END)`, no other
    box, nothing behind END. Bytes after the last whole signature box are a torn tail.
 2. Signature box: version and flags 0, and it ends exactly where its fields say.
 3. Certificate: the chain in HEAD leads to the root that was given, was valid and not revoked at
    signing, and its leaf is for signing evidence. An answer of its own: altered and not trusted
    differ. What became of the certificates since changes no verdict; it is said.
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
13. Root: the checkpoint's signature holds; its root, every root that a signed record names, and
    every checkpoint that a witness holds are the Merkle roots of that many lines. A shorter log
    was cut or rolled back, another root is a second history. Lines nobody signed for are named.
14. Store: a segment that the log opened is there and ends as the log says; none is there that the
    log does not know; gaps that the log tells of are listed.

An exported clip, with its manifest (`manifest`):

15. Clip: its samples, fragment by fragment, are those whose hash the camera signed.

A video without its manifest:

16. ONVIF: the slices of each GOP are those that the signed SEI behind it lists, and it links to the
    GOP before. A manifest proves more: with one, the ONVIF verdict is only shown.

Verdicts, worst first: altered (exit 4), unreadable (6), untrusted (5), incomplete (3), intact (0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from ..certificates import Trust, TrustPolicy
from ..errors import CannotOpen, ExitCode
from ..revocation import load_crls
from .clipfacts import ClipFacts
from .findings import Finding, Verdict, worst
from .hashing import RangeHasher
from .logcheck import Follow, LogCheck
from .logfacts import LogFacts
from .logroots import LogRootCheck, OutsideWord, SignedHead
from .onvifcheck import OnvifReport
from .places import Given, find_places
from .progress import Progress, no_progress
from .recordingcheck import RecordingCheck, RecordingReport, check_continuations
from .segmentcheck import check_segment
from .segmentfacts import Closing, SegmentFacts
from .storecheck import check_store

_NOBODY = OutsideWord()


REPORT_VERSION = 1


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
    onvif: OnvifReport | None = None

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
            "version": REPORT_VERSION, "verdict": self.verdict.value,
            "exit_code": int(self.exit_code),
            "checks": [{"n": n, "text": text} for n, text in numbered_checks()],
            "recordings": [recording.as_json() for recording in self.recordings],
            "logs": [log.as_json() for log in self.logs],
            "findings": [finding.as_json() for finding in self.findings],
            "clip": self.clip.as_json() if self.clip else None,
            "onvif": self.onvif.as_json() if self.onvif else None,
            "not_known": list(self.not_known),
        }  # fmt: skip


def verify_paths(
    paths: Sequence[Path],
    root: x509.Certificate | None,
    progress: Progress = no_progress,
    *,
    crls: Sequence[Path] = (),
    now_utc_ns: int | None = None,
    outside: OutsideWord = _NOBODY,
    follow: Follow | None = None,
) -> Report:
    """Verify segment files, recording folders, logs and stores, in any mixture.

    `now_utc_ns` is the time at which certificates are judged besides that of signing; `outside` is
    what others hold of the logs; `follow` is handed the lines of each log as they are read. Never
    raises for what is in the files: after a finding the rest is still judged. Raises CannotOpen if
    one of `crls` is no revocation list.
    """
    given = find_places(paths)
    policy, notes = trust_policy(root, crls, given.crls, now_utc_ns)
    logs = [LogCheck(path, label, follow) for path, label in given.logs]
    for log in logs:
        log.read_lines()
    segments = _check_segments(given, logs, policy, progress)
    recordings = _check_recordings(given, segments, logs)
    _check_log_statements(logs, segments, policy, outside)
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
        (*notes, *_not_known(recordings, [log.facts for log in logs], root)),
    )  # fmt: skip


def trust_policy(
    root: x509.Certificate | None,
    crls: Sequence[Path],
    found: Sequence[Path],
    now_utc_ns: int | None,
) -> tuple[TrustPolicy, list[str]]:
    """The policy with the lists that were named and those found beside evidence, and what of the
    latter cannot be read: anybody could have put them there.
    """
    lists = [crl for path in crls for crl in load_crls(path)]
    notes = []
    for path in found:
        try:
            lists += load_crls(path)
        except CannotOpen as fault:
            notes.append(f"what the revocation list beside the evidence says: {fault}")
    return TrustPolicy(root, lists, now_utc_ns), notes


def _check_segments(
    given: Given,
    logs: Sequence[LogCheck],
    policy: TrustPolicy,
    progress: Progress,
) -> list[SegmentFacts]:
    closings = _closings(logs)
    sizes = [_size(path) for path in given.segments]
    total, done, checked = sum(sizes), 0, []
    with RangeHasher() as hasher:
        for path, size in zip(given.segments, sizes, strict=True):
            facts = check_segment(
                path, policy, hasher, closings.get(path.name), _shifted(progress, done, total),
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


def _check_log_statements(
    logs: Sequence[LogCheck],
    segments: Sequence[SegmentFacts],
    policy: TrustPolicy,
    outside: OutsideWord,
) -> None:
    for log in logs:
        heads, chains = [], []
        for segment in segments:
            # Several cameras may be given at once: each segment speaks of its own camera's log.
            if len(logs) > 1 and segment.head and segment.head.dev != _camera_of(log):
                continue
            if segment.certificates:
                chains.append(segment.certificates)
            trusted = segment.signer.trust is Trust.TRUSTED
            heads += [
                SignedHead(size, root, f"{segment.name}, {place}", trusted)
                for size, (root, place) in segment.heads.items()
            ]
        LogRootCheck(log, chains, heads, policy, outside).run()


def _camera_of(log: LogCheck) -> str:
    names = [entry.file for entry in log.facts.segments.values()]
    return log.facts.device or (Path(names[0]).name.partition("_")[0] if names else "")


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
    signers = [s.signer for r in recordings for s in r.segments]
    notes += dict.fromkeys(note for signer in signers for note in signer.not_known)
    notes += [
        f"what the camera did after {log.last_utc}: the log ends without a shutdown"
        for log in logs
        if log.lines and not log.last_ev.startswith(("shutdown", "custody."))
    ]
    notes += [
        f"what {log.stamps_not_read} time stamps over the log say: no TSA was given (--tsa-root)"
        for log in logs
        if log.stamps_not_read
    ]
    for recording in recordings:
        head = recording.segments[0].head if recording.segments else None
        if head and head.cont and head.cont not in {r.recording for r in recordings}:
            notes.append(
                f"what was before recording {recording.recording}: it continues {head.cont}, "
                "which was not given"
            )
    return notes

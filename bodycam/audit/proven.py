"""What the fragments of a camera prove, and what failed: EVID and FAILED of its recordings.

A segment fails if it is altered, untrusted, unreadable, cut, missing, not of this log, or if no
signature vouches for its last records. What the log claims for it, less its proven pictures, is
FAILED: neither proven nor a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..custody.findings import Check, Verdict
from ..custody.logfacts import LogFacts, SegmentEntry
from ..custody.segmentfacts import Held, SegmentFacts
from ..custody.verify import Report
from .anchors import Anchors
from .intervals import Times, times, union
from .logstory import PlacedRun
from .recordings import Recording

_FAILING = (Verdict.ALTERED, Verdict.UNREADABLE, Verdict.UNTRUSTED)


def refused_names(report: Report) -> set[str]:
    """Names of segments of which the log or another segment says that they do not belong here."""
    named = set()
    for finding in report.findings:
        if finding.verdict in _FAILING and finding.check in (Check.LOG_STORE, Check.HEAD):
            named.add(Path(finding.place).name if finding.check is Check.LOG_STORE else
                      Path(finding.file).name)  # fmt: skip
    return named


def unvouched_names(segments: Sequence[SegmentFacts]) -> set[str]:
    """Names of segments for whose last records no signature vouches, not even in the next segment."""
    found: set[str] = set()
    later: SegmentFacts | None = None
    vouched = False
    for segment in sorted(segments, key=lambda s: s.name, reverse=True):
        follows = (
            later is not None and later.head is not None and later.head.prev == segment.last_box
            and later.recording == segment.recording
        )  # fmt: skip
        if segment.unvouched is not None and not (follows and vouched):
            found.add(segment.name)
        vouched = segment.vouched or (follows and vouched)
        later = segment
    return found


def proven_spans(
    segments: Sequence[SegmentFacts], anchors: Anchors, unvouched: set[str]
) -> dict[str, Times]:
    """The proven pictures of each recording, in UTC; a roll that loses no frame is no hole."""
    spans: dict[str, list[tuple[int, int]]] = {}
    frame_ns = 0
    for segment in sorted(segments, key=lambda s: s.name):
        head = segment.head
        anchor = anchors.of(head.boot) if head else None
        if head is None or anchor is None:
            continue
        found = spans.setdefault(head.rec, [])
        pieces = [
            (anchor.at_us(held.from_ns), anchor.at_us(held.to_ns))
            for held in _vouched(segment, unvouched)
        ]
        if found and pieces and 0 < pieces[0][0] - found[-1][1] <= frame_ns // 1000:
            # The roll: the next segment begins with the next frame.
            pieces[0] = (found.pop()[0], pieces[0][1])
        found += pieces
        frame_ns = segment.frame_ns
    return {rec: times(found) for rec, found in spans.items()}


def _vouched(segment: SegmentFacts, unvouched: set[str]) -> list[Held]:
    if segment.name not in unvouched:
        return segment.held
    to_ns = segment.vouched_to_ns
    if to_ns is None:
        return []
    return [Held(h.from_ns, min(h.to_ns, to_ns)) for h in segment.held if h.from_ns < to_ns]


def add_proven(
    recordings: list[Recording], proven: Mapping[str, Times], segments: Sequence[SegmentFacts],
    anchors: Anchors,
) -> None:  # fmt: skip
    """Give each recording its EVID; those that no log tells of are added."""
    known = {recording.recording: recording for recording in recordings}
    heads = {s.head.rec: s.head for s in segments if s.head}
    for rec, spans in proven.items():
        if rec not in known:
            head = heads[rec]
            anchor = anchors.of(head.boot)
            one = Recording(rec, head.boot, err_us=anchor.err_us if anchor else 0, firmware=head.fw)
            known[rec] = one
            recordings.append(one)
        known[rec].evid = spans


def add_failed(
    recordings: Sequence[Recording], runs: Sequence[PlacedRun], segments: Sequence[SegmentFacts],
    refused: set[str], log: LogFacts,
) -> list[str]:  # fmt: skip
    """Give each recording the time that the log claims for its failed segments; a finding for each."""
    files = {s.name: s for s in segments}
    known = {recording.recording: recording for recording in recordings}
    findings = []
    for placed in runs:
        opened = {e.text("file"): e for e in placed.run.named("seg.open")}
        closed = {e.text("file"): e for e in placed.run.named("seg.close", "io.error")}
        for file, event in opened.items():
            segment, entry = files.get(Path(file).name), log.segments.get(file)
            if _holds(segment, refused) and not _cut(segment, entry):
                continue
            end = closed.get(file)
            end_us = placed.at_us(end) if end else placed.end_us
            recording = known.get(event.text("rec"))
            if recording is not None:
                recording.failed = union(recording.failed, times([(placed.at_us(event), end_us)]))
                findings.append(f"line {event.line}: {Path(file).name} {_what(segment)}")
    return findings


def _holds(segment: SegmentFacts | None, refused: set[str]) -> bool:
    return segment is not None and segment.name not in refused and segment.verdict not in _FAILING


def _cut(segment: SegmentFacts | None, entry: SegmentEntry | None) -> bool:
    closing = entry.closing if entry is not None else None
    return segment is not None and closing is not None and segment.size < closing.size


def _what(segment: SegmentFacts | None) -> str:
    if segment is None:
        return "is missing: what it held is neither proven nor a gap"
    word = segment.verdict.value if segment.verdict in _FAILING else "cut or not of this log"
    return f"is {word}: what failed in it is neither proven nor a gap"

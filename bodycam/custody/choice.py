"""Chooses what goes into a clip: which recordings, which segments, which fragments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from ..clock import utc_text
from ..errors import CannotOpen, ConfigError
from .fields import FragFields, read_fields
from .opened import OpenedSegment
from .recordingcheck import RecordingReport
from .segmentfacts import SegmentFacts


@dataclass(frozen=True, slots=True)
class Choice:
    """Which fragments of one segment go into the clip, by number."""

    facts: SegmentFacts
    first: int
    last: int
    # Capture time at which a later segment takes over, where two overlap.
    until_ns: int | None


def in_order(recordings: Sequence[RecordingReport]) -> list[SegmentFacts]:
    """The segments of one recording, or of recordings of which each continues the one before."""
    held = [r for r in recordings if r.held]
    if not held:
        raise CannotOpen("there is no fragment to export", "See bodycam verify")
    by_id = {r.recording: r for r in held}
    continued = {
        h.head.cont: r for r in held if (h := r.segments[0]).head is not None and h.head.cont
    }
    starts = [r for r in held if not _continues(r, by_id)]
    chain = starts[:1]
    while chain and (following := continued.get(chain[-1].recording)) and following not in chain:
        chain.append(following)
    if len(chain) != len(held):
        names = ", ".join(f"{r.recording} ({utc_text(r.held[0].utc_from_ns or 0)})" for r in held)
        raise ConfigError(
            f"these are {len(held)} recordings that do not continue one another: {names}",
            "Give the folder of one of them",
        )
    segments = [s for r in chain for s in r.held]
    boots = {s.head.boot for s in segments if s.head}
    if len(boots) > 1:
        raise ConfigError(
            "the camera restarted between these recordings, and they share no clock",
            "Export each by itself",
        )
    return segments


def _continues(report: RecordingReport, by_id: dict[str, RecordingReport]) -> bool:
    head = report.segments[0].head
    return head is not None and head.cont in by_id


def choose(
    segments: Sequence[SegmentFacts],
    private: ec.EllipticCurvePrivateKey,
    from_utc_ns: int | None,
    to_utc_ns: int | None,
) -> list[Choice]:
    choices: list[Choice] = []
    for i, facts in enumerate(segments):
        following = segments[i + 1].begin_ns if i + 1 < len(segments) else None
        overlap = following is not None and facts.end_ns is not None and following < facts.end_ns
        begin, end = facts.utc_from_ns, facts.utc_to_ns
        if begin is None or end is None or (to_utc_ns is not None and begin >= to_utc_ns):
            continue
        after = segments[i + 1].utc_from_ns if i + 1 < len(segments) else None
        if from_utc_ns is not None and (after or end) <= from_utc_ns:
            continue
        first, last = _window(facts, private, from_utc_ns, to_utc_ns)
        choices.append(Choice(facts, first, last, following if overlap else None))
    if not choices:
        begin, end = segments[0].utc_from_ns or 0, segments[-1].utc_to_ns or 0
        raise ConfigError(
            "nothing was recorded between these times",
            f"The recording is from {utc_text(begin)} to {utc_text(end)}",
        )
    return choices


def _window(
    facts: SegmentFacts,
    private: ec.EllipticCurvePrivateKey,
    from_utc_ns: int | None,
    to_utc_ns: int | None,
) -> tuple[int, int]:
    first, last = 1, facts.last.n if facts.last else 0
    if from_utc_ns is None and to_utc_ns is None:
        return first, last
    with OpenedSegment(facts.path, private) as segment:
        for unit, box in segment.records():
            fields = read_fields(box.record)
            if not isinstance(fields, FragFields) or fields.n > last:
                break
            if to_utc_ns is not None and fields.utc_ns >= to_utc_ns:
                return first, max(first, fields.n - 1)
            starts_early = from_utc_ns is not None and fields.utc_ns <= from_utc_ns
            if starts_early and segment.begins_with_keyframe(unit):
                first = fields.n
    return first, last

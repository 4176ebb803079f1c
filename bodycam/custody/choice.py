"""Chooses what goes into a clip: which recordings, which segments, which fragments, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..clock import utc_text
from ..errors import CannotOpen, ConfigError
from .fields import FragFields, read_fields
from .opened import OpenedSegment
from .openingkey import OpeningKey
from .recordingcheck import RecordingReport
from .segmentfacts import SegmentFacts


@dataclass(frozen=True, slots=True)
class Window:
    """The part that was asked for, in UTC; None is as far as there is something."""

    from_utc_ns: int | None = None
    to_utc_ns: int | None = None


WHOLE = Window()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which fragments of one segment go into the clip, by number."""

    facts: SegmentFacts
    first: int
    last: int
    first_utc_ns: int
    # Capture time at which a later segment takes over, where two overlap.
    until_ns: int | None


def clip_name(choices: Sequence[Choice]) -> str:
    """`<device>_<UTC start>_<recording>_<number of its first segment>.mp4`: names sort by time."""
    head = choices[0].facts.head
    if head is None:
        raise AssertionError("a chosen segment has a HEAD")
    start = utc_text(choices[0].first_utc_ns)[:19].replace("-", "").replace(":", "") + "Z"
    if head.clk == "none":
        start = "time-unknown"
    return f"{head.dev}_{start}_{head.rec}_{head.seg:05d}.mp4"


def chains(recordings: Sequence[RecordingReport]) -> list[list[RecordingReport]]:
    """Recordings in order of time; those that continue one another within one boot together."""
    held = {r.recording: r for r in recordings if r.held}
    following: dict[str, RecordingReport] = {}
    for report in held.values():
        before = _before(report, held)
        if before is not None:
            following.setdefault(before.recording, report)
    followers = {id(report) for report in following.values()}
    found, placed = [], set[str]()
    # What nothing leads to comes last: only forged records can make a circle.
    for report in sorted(held.values(), key=lambda r: id(r) in followers):
        chain = []
        step: RecordingReport | None = report
        while step is not None and step.recording not in placed:
            placed.add(step.recording)
            chain.append(step)
            step = following.get(step.recording)
        if chain:
            found.append(chain)
    return found


def _before(report: RecordingReport, held: dict[str, RecordingReport]) -> RecordingReport | None:
    head = report.segments[0].head
    before = held.get(head.cont) if head is not None and head.cont else None
    if head is None or before is None or before is report:
        return None
    last = before.held[-1].head
    return before if last is not None and last.boot == head.boot else None


def only_chain(recordings: Sequence[RecordingReport]) -> list[SegmentFacts]:
    """The segments of the one recording, or chain, that these are. Raises ConfigError if not."""
    found = chains(recordings)
    if not found:
        raise CannotOpen("there is no fragment to export", "See bodycam verify")
    if len(found) > 1:
        reports = [report for chain in found for report in chain]
        names = ", ".join(
            f"{r.recording} ({utc_text(r.held[0].utc_from_ns or 0)})" for r in reports
        )
        raise ConfigError(
            f"these are {len(reports)} recordings that do not continue one another, "
            f"or not without a restart: {names}",
            "Give the folder of one of them, or a folder with --out to export each",
        )
    return segments_of(found[0])


def segments_of(chain: Sequence[RecordingReport]) -> list[SegmentFacts]:
    """The segments that hold something, in order."""
    return [segment for report in chain for segment in report.held]


def choose(segments: Sequence[SegmentFacts], key: OpeningKey, window: Window) -> list[Choice]:
    """The fragments of these segments that lie in the window; none if nothing does."""
    choices: list[Choice] = []
    for i, facts in enumerate(segments):
        following = segments[i + 1].begin_ns if i + 1 < len(segments) else None
        overlap = following is not None and facts.end_ns is not None and following < facts.end_ns
        begin, end = facts.utc_from_ns, facts.utc_to_ns
        if begin is None or end is None:
            continue
        if window.to_utc_ns is not None and begin >= window.to_utc_ns:
            continue
        after = segments[i + 1].utc_from_ns if i + 1 < len(segments) else None
        if window.from_utc_ns is not None and (after or end) <= window.from_utc_ns:
            continue
        first, last, first_utc_ns = _fragments(facts, key, window, begin)
        choices.append(Choice(facts, first, last, first_utc_ns, following if overlap else None))
    return choices


def nothing_between(segments: Sequence[SegmentFacts]) -> ConfigError:
    """The error where a window holds nothing: it says what there is."""
    begin, end = segments[0].utc_from_ns or 0, segments[-1].utc_to_ns or 0
    return ConfigError(
        "nothing was recorded between these times",
        f"The recording is from {utc_text(begin)} to {utc_text(end)}",
    )


def _fragments(
    facts: SegmentFacts, key: OpeningKey, window: Window, begin_utc_ns: int
) -> tuple[int, int, int]:
    from_utc_ns, to_utc_ns = window.from_utc_ns, window.to_utc_ns
    first, last, first_utc_ns = 1, facts.last.n if facts.last else 0, begin_utc_ns
    if from_utc_ns is None and to_utc_ns is None:
        return first, last, first_utc_ns
    with OpenedSegment(facts.path, key) as segment:
        for unit, box in segment.records():
            fields = read_fields(box.record)
            if not isinstance(fields, FragFields) or fields.n > last:
                break
            if to_utc_ns is not None and fields.utc_ns >= to_utc_ns:
                return first, max(first, fields.n - 1), first_utc_ns
            starts_early = from_utc_ns is not None and fields.utc_ns <= from_utc_ns
            if starts_early and segment.begins_with_keyframe(unit):
                first, first_utc_ns = fields.n, fields.utc_ns
    return first, last, first_utc_ns

"""Where a camera was in which state, when it recorded, and when its pictures are proven.

Only verified input counts. A line counts if somebody signed for it (a checkpoint or a fragment whose
signer is trusted); pictures count if their fragment is signed, chained to its HEAD and unchanged, and
its signer is trusted. What failed verification is a finding and is kept apart: a segment that is
altered, untrusted, unreadable, cut or missing makes the time that the log claims for it FAILED, which
is neither proven nor a gap.

The events and their states are the tables of `states`; recordings those of `recordings`; where a boot
lies in UTC says `anchors`. Between runs the camera was OFF if a signed `shutdown` says so (DOCKED if
it stood in the dock), else UNKNOWN: `power_lost` if its last lines speak of battery or supply, else
`unexplained`; `not signed for` where lines are there and nobody vouches for them.

Boots cannot overlap. Where their clocks say so, the one with the larger error gives way, and that is
a finding.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise, takewhile, zip_longest
from pathlib import Path
from typing import Any

from ..certificates import Trust
from ..custody.findings import Check, Verdict
from ..custody.logfacts import LogFacts
from ..custody.segmentfacts import SegmentFacts
from ..custody.verify import Report
from .anchors import Anchor, Anchors
from .intervals import NEVER, Interval, Times, times, union, without
from .logstory import LogStory, Run, Told
from .recordings import Recording, recordings_of
from .states import DeviceState, Overlay, RunStates, run_states, why_unknown
from .states import UnknownWhy as Why

_FAILING = (Verdict.ALTERED, Verdict.UNREADABLE, Verdict.UNTRUSTED)


@dataclass(frozen=True, slots=True)
class StateSpan:
    """One stretch of one state, why, and the lines of the log around it (0: none)."""

    state: DeviceState
    start_us: int
    end_us: int
    err_us: int
    why: str = ""
    line: int = 0
    next_line: int = 0

    @property
    def length_us(self) -> int:
        return self.end_us - self.start_us


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """One life of the recorder, placed in UTC."""

    run: Run
    anchor: Anchor
    start_us: int
    end_us: int

    def at_us(self, event: Told) -> int:
        return self.anchor.at_us(event.at_ns)


@dataclass(slots=True)
class DeviceTimeline:
    """One camera, from its first verified line to its last. Built once, then not changed."""

    device: str
    log: Path | None = None
    runs: list[PlacedRun] = field(default_factory=list)
    states: list[StateSpan] = field(default_factory=list)
    overlays: dict[Overlay, Times] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    errors: list[tuple[Interval, int]] = field(default_factory=list)

    def in_state(self, *wanted: DeviceState) -> Times:
        return times((s.start_us, s.end_us) for s in self.states if s.state in wanted)

    def states_in(self, start_us: int, end_us: int) -> list[StateSpan]:
        """The states that touch [start, end)."""
        first = bisect_right(self.states, start_us, key=lambda s: s.end_us)
        return list(takewhile(lambda s: s.start_us < end_us, islice(self.states, first, None)))

    @property
    def span(self) -> Times:
        """From the first verified moment to the last."""
        return times((s.start_us, s.end_us) for s in self.states)

    @property
    def live(self) -> Times:
        return union(*(r.live for r in self.recordings))

    @property
    def evid(self) -> Times:
        return union(*(r.evid for r in self.recordings))

    @property
    def failed(self) -> Times:
        """What the log claims and verification did not confirm."""
        return without(union(*(r.failed for r in self.recordings)), self.evid)

    def err_us(self, start_us: int, end_us: int) -> int:
        """The largest clock error among the boots that may touch [start, end)."""
        return max(
            (err for i, err in self.errors if i.start_us - err < end_us and start_us < i.end_us + err),
            default=0,
        )  # fmt: skip


class StoryBook:
    """The stories of all logs that a verification reads; `follow` is handed to the verifier."""

    def __init__(self) -> None:
        self.stories: dict[Path, LogStory] = {}

    def follow(self, path: Path, number: int, fields: dict[str, Any]) -> None:
        story = self.stories.get(path)
        if story is None:
            story = self.stories[path] = LogStory(path)
        story.take(number, fields)


def timelines(report: Report, book: StoryBook) -> list[DeviceTimeline]:
    """One timeline a camera, in order of their names."""
    logs = {facts.path: facts for facts in report.logs}
    stories: dict[str, LogStory] = {}
    copies: dict[str, list[str]] = {}
    for path, story in book.stories.items():
        story.cut_to(logs[path].vouched_lines)
        if logs[path].origin.startswith("bodycam/custody/"):
            continue
        name = story.device or logs[path].origin.rpartition("/")[2]
        known = stories.setdefault(name, story)
        if known is not story:
            # Two copies of one camera's log: the one that more was signed of tells more.
            less, more = sorted((known, story), key=lambda s: logs[s.path].vouched_lines)
            stories[name] = more
            copies.setdefault(name, []).append(f"log: {less.path} is another log of this camera")
    segments: dict[str, list[SegmentFacts]] = {}
    for segment in report.segments:
        segments.setdefault(segment.head.dev if segment.head else "", []).append(segment)
    names = sorted({*stories, *(name for name in segments if name)})
    lines = [
        _device(name, stories.get(name), segments.get(name, []), report, logs) for name in names
    ]
    for line in lines:
        line.findings += copies.get(line.device, [])
    return lines


def _device(
    name: str, story: LogStory | None, segments: Sequence[SegmentFacts], report: Report,
    logs: Mapping[Path, LogFacts],
) -> DeviceTimeline:  # fmt: skip
    line = DeviceTimeline(name)
    anchors = Anchors()
    refused = _refused(report)
    trusted = [s for s in segments if s.signer.trust is Trust.TRUSTED and s.name not in refused]
    if story is not None:
        story.place(anchors)
        line.log = story.path
    for segment in trusted:
        anchors.offer_segment(segment)
    proven = _proven(trusted, anchors)
    if story is not None:
        if not story.runs:
            line.findings.append("log: nobody signed for any line of it: none counts")
        placed = _place_runs(story, anchors, line)
        _add_states(line, placed, story, anchors)
        ends = {rec: spans[-1].end_us for rec, spans in proven.items() if spans}
        for run, states in placed:
            line.recordings += recordings_of(run.run, states.end_ns, run.anchor, ends)
    _add_evidence(line, proven, trusted, anchors)
    if story is not None:
        _add_failed(line, segments, refused, logs[story.path])
    verdicts = {r.recording: r.verdict.value for r in report.recordings if r.device in (name, "")}
    for recording in line.recordings:
        recording.verdict = verdicts.get(recording.recording, "")
    line.recordings.sort(key=_begins)
    line.errors = [(Interval(p.start_us, p.end_us), p.anchor.err_us) for p in line.runs]
    logged = {p.run.boot for p in line.runs}
    line.errors += [
        (span, r.err_us) for r in line.recordings if r.boot not in logged for span in r.evid
    ]
    return line


def _begins(recording: Recording) -> int:
    starts = [i.start_us for i in (*recording.live, *recording.evid, *recording.failed)]
    return min(starts, default=recording.start_us or 0)


# -- states -------------------------------------------------------------------------------------


def _place_runs(
    story: LogStory, anchors: Anchors, line: DeviceTimeline
) -> list[tuple[PlacedRun, RunStates]]:
    placed: list[tuple[PlacedRun, RunStates]] = []
    docked = False
    for run, after in zip_longest(story.runs, story.runs[1:]):
        anchor = anchors.of(run.boot)
        if anchor is None:
            line.findings.append(
                f"line {run.line}: boot {run.boot} has no time of day: it is left out"
            )
            continue
        same = after is not None and after.boot == run.boot
        states = run_states(
            run, after.at_ns if same and after is not None else None, docked_before=docked
        )
        docked = states.docked_at_end
        one = PlacedRun(run, anchor, anchor.at_us(run.at_ns), anchor.at_us(states.end_ns))
        placed.append((one, states))
        line.runs.append(one)
    return placed


def _add_states(
    line: DeviceTimeline, placed: Sequence[tuple[PlacedRun, RunStates]], story: LogStory,
    anchors: Anchors,
) -> None:  # fmt: skip
    runs = [_spans_of(run, states) for run, states in placed]
    for number, ((before, _), (after, _)) in enumerate(pairwise(placed)):
        overlap_us = before.end_us - after.start_us
        if overlap_us <= 0:
            continue
        if before.run.boot != after.run.boot:
            line.findings.append(
                f"line {after.run.line}: by its clock this boot began {overlap_us} us before the one "
                "before it had ended: the clock with the larger error gives way"
            )
        if before.anchor.err_us > after.anchor.err_us:
            runs[number] = _outside(runs[number], after.start_us, after.end_us)
        else:
            runs[number + 1] = _outside(runs[number + 1], before.start_us, before.end_us)
    for number, (one, states) in enumerate(placed):
        line.states += runs[number]
        following = placed[number + 1][0] if number + 1 < len(placed) else None
        line.states += _between(one, states, following, story, anchors)
        for overlay, found in states.overlays.items():
            moved = times((one.anchor.at_us(a), one.anchor.at_us(b)) for a, b in found)
            line.overlays[overlay] = union(line.overlays.get(overlay, NEVER), moved)
    line.states.sort(key=lambda s: (s.start_us, s.end_us))


def _spans_of(placed: PlacedRun, states: RunStates) -> list[StateSpan]:
    anchor, found = placed.anchor, []
    for state, held in states.states.items():
        for start_ns, end_ns in held:
            why = ""
            if state is DeviceState.FAULT:
                met = {w for i, w in states.faults if i.start_us < end_ns and start_ns < i.end_us}
                why = ", ".join(sorted(met))
            elif state is DeviceState.UNKNOWN:
                why = Why.UNEXPLAINED.value
            start_us, end_us = anchor.at_us(start_ns), anchor.at_us(end_ns)
            if start_us < end_us:
                around = _lines_around(placed.run, start_ns, end_ns)
                found.append(StateSpan(state, start_us, end_us, anchor.err_us, why, *around))
    return sorted(found, key=lambda s: s.start_us)


def _lines_around(run: Run, start_ns: int, end_ns: int) -> tuple[int, int]:
    """The last line written up to the beginning, and the first from the end on (0: none)."""
    before, after = bisect_right(run.written, start_ns) - 1, bisect_left(run.written, end_ns)
    return run.line + max(0, before), run.line + after if after < len(run.written) else 0


def _outside(spans: Iterable[StateSpan], start_us: int, end_us: int) -> list[StateSpan]:
    cut: Times = times([(start_us, end_us)])
    return [
        StateSpan(s.state, a, b, s.err_us, s.why, s.line, s.next_line)
        for s in spans
        for a, b in without(times([(s.start_us, s.end_us)]), cut)
    ]


def _between(
    one: PlacedRun, states: RunStates, after: PlacedRun | None, story: LogStory, anchors: Anchors
) -> list[StateSpan]:
    """What the camera was from the end of a run to the next one, or to the last line there is."""
    err_us = max(one.anchor.err_us, after.anchor.err_us if after else 0)
    done = one.run.shutdown
    state, why = DeviceState.UNKNOWN, why_unknown(one.run).value
    if done is not None:
        state = DeviceState.DOCKED if states.docked_at_end else DeviceState.OFF
        off = one.run.named("power.off")
        why = off[-1].text("reason") if off else done.text("reason")
    end_us = after.start_us if after else one.end_us
    if after is None and story.unsigned_to_ns is not None:
        boot, at_ns = story.unsigned_to_ns
        anchor = anchors.of(boot)
        end_us = anchor.at_us(at_ns) if anchor else end_us
        state, why = DeviceState.UNKNOWN, Why.UNSIGNED.value
    if end_us <= one.end_us:
        return []
    lines = (one.run.last_line, after.run.line if after else story.unsigned_from or 0)
    return [StateSpan(state, one.end_us, end_us, err_us, why, *lines)]


# -- evidence -----------------------------------------------------------------------------------


def _refused(report: Report) -> set[str]:
    """Names of segments of which the log or another segment says that they do not belong here."""
    named = set()
    for finding in report.findings:
        if finding.verdict in _FAILING and finding.check in (Check.LOG_STORE, Check.HEAD):
            named.add(Path(finding.place).name if finding.check is Check.LOG_STORE else
                      Path(finding.file).name)  # fmt: skip
    return named


def _proven(segments: Sequence[SegmentFacts], anchors: Anchors) -> dict[str, Times]:
    spans: dict[str, list[tuple[int, int]]] = {}
    for segment in sorted(segments, key=lambda s: s.name):
        head = segment.head
        anchor = anchors.of(head.boot) if head else None
        if head is None or anchor is None:
            continue
        found = spans.setdefault(head.rec, [])
        for held in segment.held:
            from_ns = held.from_ns
            if found and 0 < anchor.at_us(from_ns) - found[-1][1] <= segment.frame_ns // 1000:
                # The roll: the next segment begins with the next frame.
                found[-1] = (found[-1][0], anchor.at_us(held.to_ns))
            else:
                found.append((anchor.at_us(from_ns), anchor.at_us(held.to_ns)))
    return {rec: times(found) for rec, found in spans.items()}


def _add_evidence(
    line: DeviceTimeline, proven: Mapping[str, Times], segments: Sequence[SegmentFacts],
    anchors: Anchors,
) -> None:  # fmt: skip
    known = {recording.recording: recording for recording in line.recordings}
    heads = {s.head.rec: s.head for s in segments if s.head}
    for rec, spans in proven.items():
        if rec not in known:
            head = heads[rec]
            anchor = anchors.of(head.boot)
            one = Recording(rec, head.boot, err_us=anchor.err_us if anchor else 0, firmware=head.fw)
            known[rec] = one
            line.recordings.append(one)
        known[rec].evid = spans


def _add_failed(
    line: DeviceTimeline, segments: Sequence[SegmentFacts], refused: set[str],
    log: LogFacts,
) -> None:  # fmt: skip
    files = {s.name: s for s in segments}
    known = {recording.recording: recording for recording in line.recordings}
    for placed in line.runs:
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
                line.findings.append(f"line {event.line}: {Path(file).name} {_what(segment)}")


def _holds(segment: SegmentFacts | None, refused: set[str]) -> bool:
    return segment is not None and segment.name not in refused and segment.verdict not in _FAILING


def _cut(segment: SegmentFacts | None, entry: Any) -> bool:
    closing = entry.closing if entry is not None else None
    return segment is not None and closing is not None and segment.size < closing.size


def _what(segment: SegmentFacts | None) -> str:
    if segment is None:
        return "is missing: what it held is neither proven nor a gap"
    word = segment.verdict.value if segment.verdict in _FAILING else "cut or not of this log"
    return f"is {word}: what failed in it is neither proven nor a gap"

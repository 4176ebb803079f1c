"""Where a camera was in which state, when it recorded, and when its pictures are proven.

Only verified input counts. A line counts if somebody signed for it (a checkpoint or a fragment whose
signer is trusted); pictures count if their fragment is signed, chained to its HEAD and unchanged, and
its signer is trusted. What failed verification is a finding and is kept apart: a segment that is
altered, untrusted, unreadable, cut or missing makes the time that the log claims for it FAILED, which
is neither proven nor a gap.

The events and their states are the tables of `states`; recordings those of `recordings`; where a boot
lies in UTC says `anchors`. Between runs the camera was OFF if a signed `shutdown` says so (DOCKED if
it stood in the dock), else UNKNOWN: `power_lost` if its last lines speak of battery or supply, else
`unexplained`; `not signed for` where lines are there and nobody vouches for them; `no time of day` where
there was a boot in between that has none.

Boots lie one behind the other, as their lines do. Where their clocks say otherwise, the one with the
larger error gives way, and that is a finding. Where not even their errors explain it, that boot has no
time of day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise, takewhile, zip_longest
from pathlib import Path

from ..certificates import Trust
from ..custody.logcheck import TakeLine
from ..custody.logfacts import LogFacts
from ..custody.segmentfacts import SegmentFacts
from ..custody.verify import Report
from .anchors import Anchors
from .bootorder import forget_impossible
from .intervals import NEVER, Interval, Times, times, union, without
from .logstory import LogStory, PlacedRun, Run
from .proven import add_failed, add_proven, proven_spans, refused_names, unvouched_names
from .recordings import Recording, recordings_of
from .states import DeviceState, Overlay, RunStates, run_states, why_unknown
from .states import UnknownWhy as Why


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

    def follow(self, path: Path) -> TakeLine:
        """What takes the lines of this log."""
        story = self.stories[path] = LogStory(path)
        return story.take


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
    refused = refused_names(report)
    trusted = [s for s in segments if s.signer.trust is Trust.TRUSTED and s.name not in refused]
    if story is not None:
        story.place(anchors)
        line.log = story.path
    for segment in trusted:
        anchors.offer_segment(segment)
    if story is not None:
        line.findings += forget_impossible(story, anchors)
    unvouched = unvouched_names(trusted)
    proven = proven_spans(trusted, anchors, unvouched)
    if story is not None:
        if not story.runs:
            line.findings.append("log: nobody signed for any line of it: none counts")
        placed = _place_runs(story, anchors, line)
        _add_states(line, placed, story, anchors)
        ends = {rec: spans[-1].end_us for rec, spans in proven.items() if spans}
        for run, states in placed:
            line.recordings += recordings_of(run.run, states.end_ns, run.anchor, ends)
    add_proven(line.recordings, proven, trusted, anchors)
    if story is not None:
        line.findings += add_failed(
            line.recordings, line.runs, segments, refused | unvouched, logs[story.path]
        )
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
    crossing = False
    for (before, _), (after, _) in pairwise(placed):
        overlap_us = before.end_us - after.start_us
        crossing = crossing or overlap_us > 0
        if overlap_us > 0 and before.run.boot != after.run.boot:
            line.findings.append(
                f"line {after.run.line}: by its clock this boot began {overlap_us} us before the one "
                "before it had ended: the clock with the larger error gives way"
            )
    taken = _apart([one for one, _ in placed], runs) if crossing else NEVER
    untimed = [run.line for run in story.runs if anchors.of(run.boot) is None]
    for number, (one, states) in enumerate(placed):
        line.states += runs[number]
        following = placed[number + 1][0] if number + 1 < len(placed) else None
        between = _between(one, states, following, story, anchors)
        if following and any(one.run.line < at < following.run.line for at in untimed):
            between = [
                replace(s, state=DeviceState.UNKNOWN, why=Why.UNTIMED.value) for s in between
            ]
        if crossing:
            between = _outside(between, taken)
            taken = union(taken, times((s.start_us, s.end_us) for s in between))
        line.states += between
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


def _apart(placed: Sequence[PlacedRun], runs: list[list[StateSpan]]) -> Times:
    """Cut the runs where they overlap: the clock with the larger error gives way. All that they cover."""
    taken: Times = NEVER
    for number in sorted(range(len(runs)), key=lambda n: (placed[n].anchor.err_us, n)):
        runs[number] = _outside(runs[number], taken)
        taken = union(taken, times([(placed[number].start_us, placed[number].end_us)]))
    return taken


def _outside(spans: Iterable[StateSpan], cut: Times) -> list[StateSpan]:
    return [
        replace(s, start_us=a, end_us=b)
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
        why = one.run.switched_off_for or done.text("reason")
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

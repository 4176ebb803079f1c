"""Heartbeats and clock samples are folded as they are read: every number is that of each line by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replace_line

from bodycam.audit.anchors import Anchor, Anchors
from bodycam.audit.beats import Beats, Said, Span
from bodycam.audit.clocksamples import SYNCED, ClockSamples
from bodycam.audit.logstory import LogStory, Run
from bodycam.audit.states import run_states, why_unknown
from bodycam.formats.logline import LogLine

UTC_NS = 1_780_300_800 * 10**9
Sample = tuple[int, int, int, int, str]
# Times of few values, so that events, heartbeats and cuts meet, in order and out of it.
MOMENTS = st.integers(0, 20).map(lambda tick: tick * 5 * 10**9)
FLAGS = st.sampled_from([[], ["undervolt"], ["heat", 1], [True], "undervolt", None])
MILLI_C = st.one_of(st.integers(-5, 90_000), st.sampled_from([None, True, 4.5, 10**30, -(10**30)]))
HEARTBEAT = st.fixed_dictionaries({}, optional={
    "camera": st.sampled_from([True, True, False, None, 0, 1]),
    "charge": st.sampled_from(["allowed", "start", None]),
    "soc_milli_c": MILLI_C, "cell_milli_c": MILLI_C, "throttled": FLAGS,
})  # fmt: skip
SAMPLE = st.fixed_dictionaries({
    "utc_ns": st.integers(UTC_NS, UTC_NS + 10**12), "source": st.sampled_from([*SYNCED, "none", "rtc"]),
    "error_ms": st.sampled_from([0, 5, 5, 900]),
})  # fmt: skip
EVENT = st.one_of(
    st.tuples(st.just("heartbeat"), HEARTBEAT), st.tuples(st.just("heartbeat"), HEARTBEAT),
    st.tuples(st.just("clock.sample"), SAMPLE),
    st.tuples(st.just("power.charge"), st.fixed_dictionaries({"allowed": st.booleans()})),
    st.tuples(st.sampled_from(["capture.stall", "capture.exit", "capture.error", "ready", "shutdown"]),
              st.fixed_dictionaries({}, optional={"silent_ms": st.integers(0, 60_000)})),
    st.tuples(st.just("gap"), st.fixed_dictionaries({"from_ns": MOMENTS, "to_ns": MOMENTS})),
    st.tuples(st.sampled_from(["device.added", "device.removed"]), st.just({"kind": "dock"})),
    st.tuples(st.just("boot"), st.just({"heartbeat_s": 10})),
)  # fmt: skip


@dataclass
class EachBeat(Beats):
    """Every heartbeat by itself, as its line has it."""

    each: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def marks(self, moments: Any) -> list[tuple[int, Said]]:
        assert list(moments) is not None
        return [(at_ns, saying(data)) for at_ns, data in self.each]

    def most(self, spans: Sequence[Span]) -> list[tuple[int | None, int | None]]:
        return [self._most(*span) for span in spans]

    def _most(self, start_ns: int, end_ns: int) -> tuple[int | None, int | None]:
        within = [data for at_ns, data in self.each if start_ns <= at_ns < end_ns]
        soc = [v for d in within if is_temperature(v := d.get("soc_milli_c"))]
        cell = [v for d in within if is_temperature(v := d.get("cell_milli_c"))]
        return max(soc, default=None), max(cell, default=None)


def is_temperature(value: Any) -> TypeGuard[int]:
    return type(value) is int and abs(value) < 2**62


def saying(data: dict[str, Any]) -> Said:
    flags = data.get("throttled")
    up = tuple(str(flag) for flag in flags) if isinstance(flags, list) else ()
    return Said(data.get("camera") is not False, data.get("charge") == "allowed", up)


# What ends or begins a state at a heartbeat: few kinds and few moments, so that they meet.
CAMERA = st.one_of(
    *[st.tuples(st.just("heartbeat"), st.fixed_dictionaries({"camera": st.booleans()}))] * 3,
    st.tuples(st.sampled_from(["capture.exit", "ready"]), st.just({})),
    st.tuples(st.just("gap"), st.fixed_dictionaries({"from_ns": MOMENTS, "to_ns": MOMENTS})),
)
CHARGER = st.one_of(
    *[st.tuples(st.just("heartbeat"),
                st.fixed_dictionaries({"charge": st.sampled_from(["allowed", "start"])}))] * 2,
    st.tuples(st.just("power.charge"), st.fixed_dictionaries({"allowed": st.booleans()})),
)  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> list[LogLine]:
    """The lines of a log: mostly with heartbeats whose times rise, as a camera has them."""
    kinds = draw(st.sampled_from([EVENT, CAMERA, CHARGER]))
    drawn = draw(st.lists(st.tuples(kinds, MOMENTS), max_size=40))
    order = draw(st.sampled_from(["rising", "rising", "sorted", "as drawn"]))
    if order == "rising":
        beats = {at_ns: event for event, at_ns in drawn if event[0] == "heartbeat"}
        drawn = [(e, at_ns) for e, at_ns in drawn if e[0] != "heartbeat"]
        drawn += [(event, at_ns) for at_ns, event in beats.items()]
    if order != "as drawn":
        drawn = sorted(drawn, key=lambda one: one[1])
    begin: list[tuple[Any, int]] = [(("boot", {"heartbeat_s": 10}), 0)]
    begin += [(("ready", {}), 0), (("device.added", {"kind": "dock"}), 0)] * (kinds is CHARGER)
    begin += [(("ready", {}), 0)] * (kinds is CAMERA)
    made = log(*((at_ns, ev, data) for (ev, data), at_ns in [*begin, *drawn]))
    utc = draw(st.sampled_from([made[0].utc, "not set"]))
    return [replace_line(made[0], utc=utc), *made[1:]]


def log(*told: tuple[int, str, dict[str, Any]]) -> list[LogLine]:
    """These lines, in one boot; times are boot time in ns."""
    return [
        LogLine(1, seq, "b", at_ns, "2026-06-01T08:00:00Z", ev, data, "", clk="ntp", unc_ms=7)
        for seq, (at_ns, ev, data) in enumerate(told)
    ]


S = 10**9
BEGIN: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (0, "boot", {"heartbeat_s": 10}),
    (0, "ready", {}),
    (0, "device.added", {"kind": "dock"}),
)
WELL, ILL = {"camera": True}, {"camera": False}
YES, NO = {"charge": "allowed"}, {"charge": "start"}
LOST_BETWEEN = log(
    *BEGIN[:2], *((n * S, "heartbeat", WELL) for n in (5, 10)), (12 * S, "capture.exit", {}),
    *((n * S, "heartbeat", WELL) for n in (15, 20, 25)), (30 * S, "gap", {"from_ns": 0, "to_ns": 0}),
)  # fmt: skip
BLIND_AT_A_GAP = log(
    *BEGIN[:2], (5 * S, "heartbeat", ILL), (10 * S, "gap", {"from_ns": 0, "to_ns": 0}),
    (10 * S, "heartbeat", ILL), (15 * S, "heartbeat", ILL), (20 * S, "heartbeat", WELL),
)  # fmt: skip
TWO_AT_ONCE = log(
    *BEGIN, (5 * S, "heartbeat", YES), (10 * S, "heartbeat", YES), (10 * S, "heartbeat", NO),
    (15 * S, "heartbeat", NO), (20 * S, "heartbeat", NO),
)  # fmt: skip
ALLOWED_AT_A_BEAT = log(
    *BEGIN, (5 * S, "heartbeat", NO), (10 * S, "heartbeat", NO), (10 * S, "power.charge", {"allowed": True}),
    (15 * S, "heartbeat", NO), (20 * S, "heartbeat", NO),
)  # fmt: skip


def read(lines: list[LogLine], signed: int) -> LogStory:
    story = LogStory(Path("events.jsonl"))
    for number, line in enumerate(lines, 1):
        story.take(number, line)
    story.cut_to(signed)
    return story


def mine(lines: list[LogLine], run: Run, signed: int, ev: str) -> list[tuple[int, LogLine]]:
    """The lines of a run that were signed for, of this event."""
    last = min(run.last_line, signed)
    return [(n, line) for n, line in enumerate(lines, 1) if run.line <= n <= last and line.ev == ev]


def each_beat(lines: list[LogLine], run: Run, signed: int) -> EachBeat:
    each = [(line.boot_ns, line.data) for _, line in mine(lines, run, signed, "heartbeat")]
    return EachBeat(said=[saying(data) for _, data in each], each=each)


def each_sample(lines: list[LogLine], run: Run, signed: int) -> list[Sample]:
    said = [
        (n, line.boot_ns, UTC_NS, line.unc_ms * 1000, line.clk)
        for n, line in mine(lines, run, signed, "boot")
        if line.utc != "not set"
    ]
    said += [
        (n, line.boot_ns, line.data["utc_ns"], line.data["error_ms"] * 1000,
         line.data["source"])
        for n, line in mine(lines, run, signed, "clock.sample")
    ]  # fmt: skip
    return said


@settings(max_examples=600, deadline=None)
@given(logs(), st.integers(1, 43), MOMENTS, MOMENTS)
@example(LOST_BETWEEN, 43, 0, 20 * S)
@example(BLIND_AT_A_GAP, 43, 0, 20 * S)
@example(TWO_AT_ONCE, 43, 0, 20 * S)
@example(ALLOWED_AT_A_BEAT, 43, 0, 20 * S)
def test_the_fold_tells_what_every_line_tells_wherever_it_is_cut(
    lines: list[LogLine], signed: int, start_ns: int, end_ns: int
) -> None:
    samples: list[Sample] = []
    story = read(lines, signed)
    for run, after in zip(story.runs, [*story.runs[1:], None], strict=True):
        beats = each_beat(lines, run, signed)
        unfolded = replace(run, beats=beats)
        next_ns = after.at_ns if after else None
        for docked in (False, True):
            assert run_states(run, next_ns, docked_before=docked) == run_states(
                unfolded, next_ns, docked_before=docked
            )
        assert why_unknown(run) == why_unknown(unfolded)
        spans = [(start_ns, end_ns), (0, 30 * S), (-1, 2**62)]
        assert run.beats.most(spans) == beats.most(spans)
        assert list(run.beats.lines) == [n for n, _ in mine(lines, run, signed, "heartbeat")]
        found = each_sample(lines, run, signed)
        assert run.samples.most_err_us(spans) == [
            max((err for _, at_ns, _, err, _ in found if start <= at_ns < end), default=None)
            for start, end in spans
        ]
        assert run.samples.last_synced_ns(end_ns) == max(
            (at_ns for _, at_ns, _, _, source in found if at_ns < end_ns and source in SYNCED),
            default=None,
        )
        samples += found
    anchors = Anchors()
    story.place(anchors)
    told = [sample for sample in samples if sample[4] != "none"]
    best = min(told, key=lambda s: (s[3], -s[0]), default=None)
    if best is None:
        assert anchors.of("b") is None
    else:
        line, at_ns, utc_ns, err_us, source = best
        assert anchors.of("b") == Anchor(at_ns, utc_ns, err_us, source, line)


@given(logs(), st.integers(1, 43))
def test_a_log_that_is_cut_is_the_log_that_was_never_longer(
    lines: list[LogLine], signed: int
) -> None:
    """Nothing that was folded behind the last signed line leaves a trace before it."""
    cut, short = read(lines, signed), read(lines[:signed], signed)
    assert [(r.line, r.at_ns, list(r.written), r.events) for r in cut.runs] == [
        (r.line, r.at_ns, list(r.written), r.events) for r in short.runs
    ]
    for one, two in zip(cut.runs, short.runs, strict=True):
        # To be cautious costs time, and no number: the other way round would.
        assert two.beats.in_order or not one.beats.in_order
        assert two.samples.in_order or not one.samples.in_order
        assert replace(one.beats, in_order=True) == replace(two.beats, in_order=True)
        assert replace(one.samples, in_order=True) == replace(two.samples, in_order=True)


@given(st.lists(st.tuples(MOMENTS, MILLI_C), max_size=30), MOMENTS)
def test_heartbeats_that_say_the_same_are_one_stretch(
    told: list[tuple[int, Any]], moment: int
) -> None:
    beats = Beats()
    for number, (at_ns, soc) in enumerate(sorted(told, key=lambda t: t[0])):
        beats.take(number, at_ns * 2 + number, {"camera": True, "soc_milli_c": soc})
    assert len(beats.said) == min(1, len(told))
    # The first one, and at most two around a moment that somebody asks for.
    assert len(beats.marks([moment])) <= 3


def test_samples_of_an_error_beyond_the_calendar_place_a_boot_as_far_off_as_may_be() -> None:
    samples = ClockSamples()
    samples.take(1, 0, UTC_NS, 10**33, "rtc")
    best = samples.best()
    assert best is not None
    assert best.err_us == 2**55

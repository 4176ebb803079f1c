"""What a measure is: a number of the list, its definition, and a pure function of a stretch of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..intervals import Times, both, clip, length_us, times, without
from ..logstory import PlacedRun, Told
from ..policy import DeviceRules
from ..recordings import Recording
from ..states import DeviceState, Overlay
from ..timeline import DeviceTimeline, StateSpan

S = 1_000_000
Value = int | float | str | None
Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Figure:
    """What a measure came to: named values, and a row for each case behind them."""

    values: Mapping[str, Value]
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; `note` is what this camera's log cannot tell of it."""

    number: str
    name: str
    definition: str
    of: Callable[[Stretch, DeviceRules], Figure]
    note: str = ""


@dataclass(frozen=True)
class Stretch:
    """One camera from one moment to another: a shift, or all there is.

    `handovers` are when an assignment of it began or ended, as far as anybody says.
    """

    line: DeviceTimeline
    start_us: int
    end_us: int
    handovers: tuple[int, ...] = ()

    @cached_property
    def whole(self) -> Times:
        return clip(self.line.span, self.start_us, self.end_us)

    @cached_property
    def undocked(self) -> Times:
        return without(self.whole, self.line.in_state(DeviceState.DOCKED))

    @cached_property
    def live(self) -> Times:
        return clip(self.line.live, self.start_us, self.end_us)

    @cached_property
    def recordings(self) -> list[Recording]:
        """Those that begin in it, by the log; without a log, by their pictures."""
        return [r for r in self.line.recordings if self.holds(start_us(r))]

    def holds(self, at_us: int) -> bool:
        return self.start_us <= at_us < self.end_us

    def state_us(self, *states: DeviceState) -> int:
        """Time in these states while undocked."""
        return length_us(both(self.line.in_state(*states), self.undocked))

    def overlay(self, overlay: Overlay) -> Times:
        return clip(self.line.overlays.get(overlay, ()), self.start_us, self.end_us)

    @cached_property
    def states(self) -> list[StateSpan]:
        return [
            s for s in self.line.states if self.start_us < s.end_us and s.start_us < self.end_us
        ]

    def events(self, *names: str) -> Iterator[tuple[int, PlacedRun, Told]]:
        """The events of these names that happened in it, with their time in UTC."""
        for placed in self.line.runs:
            for event in placed.run.named(*names):
                at_us = placed.at_us(event)
                if self.holds(at_us):
                    yield at_us, placed, event


def start_us(recording: Recording) -> int:
    """When it begins, by the log; without a log, by its pictures."""
    if recording.start_us is not None:
        return recording.start_us
    spans = (*recording.evid, *recording.failed)
    return spans[0].start_us if spans else 0


def ratio(part: int, whole: int) -> float | None:
    """A share, or None of nothing."""
    return part / whole if whole else None


def percentile(values: list[int], percent: int) -> int | None:
    """By nearest rank: the smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def whole_line(line: DeviceTimeline) -> Stretch | None:
    """All there is of a camera; None if nothing is."""
    spans = times([*line.span, *line.evid, *line.failed])
    return Stretch(line, spans[0].start_us, spans[-1].end_us) if spans else None


def shifts(line: DeviceTimeline, rules: DeviceRules) -> list[Stretch]:
    """A shift is a stretch out of the dock; being off or unknown for longer than
    `shift_break_h` ends one, too.
    """
    most_us = rules.shift_break_h * 3600 * S
    apart = times(
        (s.start_us, s.end_us)
        for s in line.states
        if s.state is DeviceState.DOCKED
        or (s.state in (DeviceState.OFF, DeviceState.UNKNOWN) and s.length_us > most_us)
    )
    return [Stretch(line, a, b) for a, b in without(line.span, apart)]

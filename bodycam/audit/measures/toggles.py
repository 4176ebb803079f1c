"""M4, M5, M6: how often it was switched, for how short, and what ended it but the officer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from ...clock import utc_text
from ..intervals import length_us
from ..policy import DeviceRules
from ..recordings import Recording, ToggleCause
from ..states import DeviceState
from .measure import Figure, Measure, Row, S, Stretch, Value

HOUR_US = 3600 * S
KILLS = (ToggleCause.FAULT, ToggleCause.BATTERY, ToggleCause.POWER)
LEFT_TO = (DeviceState.FAULT, DeviceState.UNKNOWN, DeviceState.OFF, DeviceState.BOOT)
AGAIN = (DeviceState.READY, DeviceState.RECORDING)


@dataclass(frozen=True, slots=True)
class Chain:
    """A recording with those that it rolled over into: one from the press to the stop."""

    first: Recording
    last: Recording
    start_us: int
    end_us: int


def chains(recordings: list[Recording]) -> list[Chain]:
    """The recordings that a log tells of, rolls joined."""
    found: list[Chain] = []
    for one in recordings:
        if one.start_us is None or one.live_end_us is None:
            continue
        if found and one.start_cause is ToggleCause.AUTO_ROLL and found[-1].end_us == one.start_us:
            found[-1] = Chain(found[-1].first, one, found[-1].start_us, one.live_end_us)
        else:
            found.append(Chain(one, one, one.start_us, one.live_end_us))
    return found


def _density(stretch: Stretch, _: DeviceRules) -> Figure:
    told = [r for r in stretch.recordings if r.start_us is not None]
    starts = Counter(r.start_cause.value for r in told)
    stops = Counter(r.stop_cause.value for r in told if r.stop_cause)
    toggles = sum(starts.values()) + sum(stops.values())
    undocked_us, recorded_us = length_us(stretch.undocked), length_us(stretch.live)
    values: dict[str, Value] = {
        "starts": sum(starts.values()), "stops": sum(stops.values()),
        "cancelled_stops": sum(r.cancelled_stops for r in told),
        "per_undocked_hour": toggles * HOUR_US / undocked_us if undocked_us else None,
        "per_recorded_hour": toggles * HOUR_US / recorded_us if recorded_us else None,
    }  # fmt: skip
    rows = tuple(
        {"cause": cause.value, "starts": starts[cause.value], "stops": stops[cause.value]}
        for cause in ToggleCause
        if starts[cause.value] or stops[cause.value]
    )
    return Figure(values, rows)


def _short(stretch: Stretch, rules: DeviceRules) -> Figure:
    told = chains(stretch.recordings)
    rows: list[Row] = [
        {"what": "short", "recording": c.first.recording, "at": utc_text(c.start_us * 1000),
         "length_us": c.end_us - c.start_us, "line": c.first.line}
        for c in told
        if c.end_us - c.start_us < rules.short_recording_s * S
    ]  # fmt: skip
    short = len(rows)
    rows += [
        {"what": "bounce", "recording": b.first.recording, "at": utc_text(b.start_us * 1000),
         "length_us": b.start_us - a.end_us, "line": b.first.line}
        for a, b in pairwise(told)
        if b.first.pressed and 0 <= b.start_us - a.end_us <= rules.bounce_s * S
        and not any(a.end_us <= at_us <= b.start_us for at_us in stretch.handovers)
    ]  # fmt: skip
    return Figure(
        {"recordings": len(told), "short": short, "bounces": len(rows) - short}, tuple(rows)
    )


def _kills(stretch: Stretch, _: DeviceRules) -> Figure:
    rows: list[Row] = []
    states = stretch.line.states
    for number, span in enumerate(states):
        if span.state is not DeviceState.RECORDING or not stretch.holds(span.end_us - 1):
            continue
        after = states[number + 1] if number + 1 < len(states) else None
        ended = [r for r in stretch.line.recordings if r.stop_cause in KILLS
                 and r.live_end_us and span.start_us < r.live_end_us <= span.end_us]  # fmt: skip
        if not ended and (after is None or after.state not in LEFT_TO):
            continue
        again = next((s.start_us for s in states[number + 1 :] if s.state in AGAIN), None)
        why = ended[0].stop_said if ended else ""
        if after is not None and after.state in LEFT_TO:
            why = " ".join(filter(None, (after.state.value, after.why, why)))
        rows.append({
            "at": utc_text(span.end_us * 1000), "why": why or "cut off",
            "to_ready_us": None if again is None else again - span.end_us, "line": span.next_line,
        })  # fmt: skip
    return Figure({
        "count": len(rows),
        "longest_to_ready_us": max(
            (r["to_ready_us"] for r in rows if isinstance(r["to_ready_us"], int)), default=0
        ),
    }, tuple(rows))  # fmt: skip


TOGGLE_DENSITY = Measure(
    "M4", "Toggle density",
    "Starts and stops of recordings per undocked hour and per recorded (LIVE) hour; split by cause: "
    "button, trigger, peer, remote, auto-roll, fault, dock, battery, power.", _density,
)  # fmt: skip
SHORT_RECORDINGS = Measure(
    "M5", "Short recordings",
    "LIVE shorter than short_recording_s; and bounce: a stop followed by a press within bounce_s, on the "
    "same assignment where assignments are given. Recordings that rolled over into one another are one.",
    _short,
)  # fmt: skip
MID_STREAM_KILL = Measure(
    "M6", "Mid-stream kill",
    "RECORDING left by anything but stop button, released trigger, auto-roll or dock: power button, "
    "battery, heat, fault, UNKNOWN. Count, and seconds to the next READY or RECORDING.", _kills,
)  # fmt: skip

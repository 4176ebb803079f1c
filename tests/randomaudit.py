"""Cameras, rosters and incidents at random, on a coarse grid, so that edges and thresholds meet."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bodycam.audit.anchors import Anchor
from bodycam.audit.assignments import Assignments
from bodycam.audit.dataset.rows import event_rows, month_of, recording_rows, span_rows
from bodycam.audit.dataset.schema import ASSIGNMENTS, EVENTS, INCIDENTS, RECORDINGS, SPANS
from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.incidents import Incident
from bodycam.audit.intervals import Interval, Times, times
from bodycam.audit.logstory import PlacedRun, Run, Told
from bodycam.audit.recordings import Recording, ToggleCause
from bodycam.audit.states import DeviceState, Overlay
from bodycam.audit.timeline import DeviceTimeline, StateSpan

S = 1_000_000
DAY_US = 1_780_300_800 * S
_STEP_US = S // 2
_LONG = 6 * 3600 * 2


@dataclass(frozen=True)
class Force:
    """A random force: what its cameras told, who wore them, and what dispatch says."""

    lines: dict[str, DeviceTimeline]
    assignments: Assignments
    incidents: list[Incident]


def force(
    rng: random.Random, cameras: int, incidents: int, errors_us: Sequence[int] = (5000, 900_000)
) -> Force:
    """A force of so many cameras; some officers have none, two, or one whose store is missing."""
    names = [f"cam-{n:04}" for n in range(cameras)]
    worn = Assignments()
    officers = [f"pc-{n:03}" for n in range(cameras)]
    for officer in officers[: cameras * 9 // 10]:
        for _ in range(rng.randint(1, 4)):
            device = rng.choice([*names, "cam-lost"])
            start = rng.randint(-_LONG, _LONG)
            span = (_at(start), _at(start + rng.randint(1, 2 * _LONG)))
            worn.by_officer.setdefault(officer, {}).setdefault(device, []).append(span)
    return Force(
        {name: timeline(rng, name, errors_us) for name in names}, worn,
        [one for n in range(incidents) for one in _event(rng, n, officers)],
    )  # fmt: skip


def _at(step: int) -> int:
    return DAY_US + step * _STEP_US


def timeline(
    rng: random.Random, device: str, errors_us: Sequence[int] = (5000, 900_000)
) -> DeviceTimeline:
    """One camera's day, of every state and every way to record."""
    line = DeviceTimeline(device)
    step = rng.randint(0, 100)
    while step < _LONG:
        end = step + rng.choice((1, 3, 40, 400, 4000, 9 * 3600))
        state = rng.choice(list(DeviceState))
        why = rng.choice(("", "storage", "unexplained", "battery"))
        line.states.append(
            StateSpan(state, _at(step), _at(end), 5000, why, rng.randint(1, 99), rng.randint(0, 99))
        )
        step = end if rng.random() < 0.9 else end + rng.randint(1, 50)
    line.overlays[Overlay.MUTED] = _some(rng, 8, 200)
    line.overlays[Overlay.STEALTH] = _some(rng, 2, 200)
    line.recordings = _recordings(rng, device)
    middle = rng.randint(1, _LONG)
    line.runs = [
        PlacedRun(_run(rng, line, number, *span), Anchor(0, 0, 5000, "ntp", 1), *map(_at, span))
        for number, span in enumerate(((0, middle), (middle, _LONG)))
    ]
    line.errors = [
        (Interval(_at(start), _at(end)), error)
        for (start, end), error in zip(((0, middle), (middle, _LONG)), errors_us, strict=True)
    ]
    return line


def _run(rng: random.Random, line: DeviceTimeline, number: int, start: int, end: int) -> Run:
    """One life of the recorder: presses and what was answered, self-tests near shifts, the rest."""
    run = Run("boot", 1 + 1000 * number, _at(start) * 1000, firmware="2")
    begins = [s.start_us // _STEP_US - DAY_US // _STEP_US for s in line.states] + [start]
    events: list[tuple[str, dict[str, Any]]] = [
        ("mute.start", {}), ("mute.stop", {}), ("switch.on", {}), ("switch.on", {"line": "record"}),
        ("trigger.on", {"name": "door"}), ("switch.on_at_boot", {}), ("power.throttled", {"flags": []}),
        ("power.throttled", {"edges": 1, "flags": ["undervolt"]}),
        ("activation.refused", {"reason": rng.choice(("storage", "keys"))}), ("activation.waiting", {}),
        ("power.throttled", {"edges": 1, "flags": ["capped", "undervolt"]}),
        ("clock.step", {"step_ms": rng.choice((-1001, -1000, 1000, 1001, 5000))}), ("clock.step", {}),
    ]  # fmt: skip
    tails = rng.sample(line.recordings, min(6, len(line.recordings)))
    events += [("tail.start", {"ends_ns": 0, "rec": one.recording}) for one in tails]
    if rng.random() < 0.5:
        events += [("switch.gesture", {"gesture": g}) for g in ("start", "stop", "start", "hold")]
    events += [
        ("selftest", {"checks": {"a": {"found": "red"}}, "verdict": rng.choice(("green", "red"))})
    ] * 4  # fmt: skip
    for n in range(80):
        ev, data = rng.choice(events)
        near = rng.choice(begins) + rng.choice((-1800, -1799, 0, 3, 1800, 1801))
        step = (
            near if ev == "selftest" else rng.randint(start, start + rng.choice((40, end - start)))
        )
        run.events.append(Told(run.line + n, _at(step) * 1000, ev, data))
    for n, step in enumerate(sorted(rng.randint(start, end) for _ in range(100))):
        source = rng.choice(("ntp", "none", "none"))
        run.samples.take(run.line + n, _at(step) * 1000, 0, rng.randint(0, 10**6), source)
        heat = {"soc_milli_c": rng.randint(0, 9000), "cell_milli_c": rng.choice((None, n))}
        run.beats.take(run.line + n, _at(step) * 1000, heat)
    return run


def _some(rng: random.Random, most: int, longest: int, low: int = 0, high: int = _LONG) -> Times:
    starts = [rng.randint(low, high) for _ in range(rng.randint(0, most))]
    return times((_at(s), _at(s + rng.randint(1, longest))) for s in starts)


def _recordings(rng: random.Random, device: str) -> list[Recording]:
    found: list[Recording] = []
    step = 0
    while step < _LONG:
        step += rng.choice((0, 1, 60, 119, 120, 121, 1000, 4000))
        length = rng.choice((1, 30, 59, 60, 61, 600, 3000))
        cause = rng.choice(list(ToggleCause))
        one = Recording(f"{device}-{len(found)}", "boot", rng.randint(1, 999))
        if rng.random() < 0.95:
            one.start_us, one.live_end_us = _at(step), _at(step + length)
        one.start_cause = cause
        one.pressed = not one.continued
        one.stop_cause = rng.choice([*ToggleCause, None])
        one.stop_said = rng.choice(("stop", "battery", "", "cut off"))
        one.cancelled_stops = rng.randint(0, 2)
        one.asked_ms = rng.choice((None, 0, 30_000, 30_000, 30_000))
        one.firmware, one.verdict = (
            rng.choice(("1", "2")),
            rng.choice(("", "intact", "intact", "altered")),
        )
        one.synced_us = _at(step) + rng.randint(0, 5) * 1000 if rng.random() < 0.8 else None
        one.short_said = rng.choice(("", "", "capacity"))
        before = rng.choice((0, 20, 56, 57, 58, 60, 60))
        if rng.random() < 0.85:
            hole = step + rng.randint(1, length + 1)
            one.evid = times([
                (_at(step - before), _at(hole)),
                (_at(hole + rng.choice((0, 1, 3, 4, 5, 50))), _at(step + length + rng.randint(0, 20))),
            ])  # fmt: skip
        one.failed = _some(rng, 1, 100, step, step + length)
        found.append(one)
        step += length
    return sorted(found, key=_begins)


def _begins(one: Recording) -> int:
    starts = [i.start_us for i in (*one.live, *one.evid, *one.failed)]
    return min(starts, default=0)


def _event(rng: random.Random, number: int, officers: Sequence[str]) -> list[Incident]:
    due = rng.randint(0, _LONG - 4000)
    length = rng.choice((2, 3, 60, 121, 122, 400, 2400))
    found = []
    for officer in rng.sample(officers, rng.choice((1, 1, 2, 3))):
        dispatched = due - rng.choice((0, 0, 100, 1000))
        found.append(Incident(
            f"ev-{number}", officer, _at(dispatched),
            None if rng.random() < 0.05 else _at(due + length),
            None if rng.random() < 0.1 else _at(due),
            None if rng.random() < 0.3 else _at(due - rng.choice((-1000, 0, 50, 2000))),
            rng.random() < 0.1,
            call_type=rng.choice(("theft", "traffic", "theft", "traffic", "theft", "meeting")),
            clearance=rng.choice(("", "report", "report", "report", "cancelled")),
        ))  # fmt: skip
    return found


def write_records(folder: Path, made: Force, name: str = "example") -> DataSet:
    """What dispatch and roster say of them, as `bodycam audit ingest` adds it."""
    told = [
        (name, month_of(one.dispatched_us), one.event, one.officer, one.dispatched_us,
         one.on_scene_us, one.first_entry_us, one.cleared_us, one.self_initiated, one.call_type,
         one.clearance, f"district {number % 3}", "", "incidents.csv", number)
        for number, one in enumerate(made.incidents)
    ]  # fmt: skip
    worn = [
        (name, month_of(start), device, officer, start, end, "assignments.csv", 0)
        for officer, cameras in made.assignments.by_officer.items()
        for device, spans in cameras.items()
        for start, end in spans
    ]
    with open_to_write(folder) as data:
        data.commit(
            {INCIDENTS.name: INCIDENTS.of(told), ASSIGNMENTS.name: ASSIGNMENTS.of(worn)}, {}
        )
    return data


def write(folder: Path, lines: Sequence[DeviceTimeline], name: str = "example") -> DataSet:
    """The data set that ingest would have made of these cameras, in two batches."""
    with open_to_write(folder) as data:
        for part in (lines[::2], lines[1::2]):
            rows = {
                SPANS: [row for line in part for row in span_rows(name, line)],
                RECORDINGS: [row for line in part for row in recording_rows(name, line)],
                EVENTS: [row for line in part for row in event_rows(name, line)],
            }
            data.commit({table.name: table.of(found) for table, found in rows.items()}, {})
    return data

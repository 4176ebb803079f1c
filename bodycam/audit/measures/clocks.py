"""M11: how well the camera knew the time of day."""

from __future__ import annotations

from collections.abc import Iterable

from ...clock import utc_text
from ..logstory import PlacedRun
from ..policy import DeviceRules
from ..recordings import Recording
from .measure import Figure, Measure, Row, Stretch


def _clock(stretch: Stretch, rules: DeviceRules) -> Figure:
    errors = [
        p.run.samples.most_err_us([p.anchor.span_ns(stretch.start_us, stretch.end_us)])[0]
        for p in stretch.line.runs
    ]
    rows: list[Row] = []
    for at_us, _, event in stretch.events("clock.step"):
        step_ms = event.whole("step_ms")
        if step_ms is not None and abs(step_ms) > rules.clock_step_s * 1000:
            rows.append({"what": "step", "at": utc_text(at_us * 1000), "us": step_ms * 1000,
                         "line": event.line})  # fmt: skip
    steps, since = len(rows), _since_sync(stretch)
    rows += [
        {"what": "since last sync", "at": utc_text(at_us * 1000), "us": age, "line": line}
        for at_us, age, line in since
    ]
    ages = [age for _, age, _ in since if age is not None]
    return Figure({
        "max_err_us": max((err for err in errors if err is not None), default=None), "steps": steps,
        "longest_since_sync_us": max(ages, default=None),
        "starts_never_synced": sum(age is None for _, age, _ in since),
    }, tuple(rows))  # fmt: skip


def _since_sync(stretch: Stretch) -> list[tuple[int, int | None, int]]:
    """For each press: when, how long after the last sample of a synced clock, and its line."""
    return [
        (r.start_us, since_sync_us(stretch.line.runs, r), r.line)
        for r in stretch.recordings
        if r.start_us is not None and r.pressed
    ]


def since_sync_us(runs: Iterable[PlacedRun], recording: Recording) -> int | None:
    """At the press: the time since the last sample of a synced clock in the same boot.

    None if there was none, and of what nobody pressed for.
    """
    pressed_us = recording.start_us
    if pressed_us is None or not recording.pressed:
        return None
    found = [
        (p.anchor, p.run.samples.last_synced_ns(p.anchor.span_ns(0, pressed_us + 1)[1]))
        for p in runs
        if p.run.boot == recording.boot
    ]
    synced = [anchor.at_us(at_ns) for anchor, at_ns in found if at_ns is not None]
    return pressed_us - max(synced) if synced else None


CLOCK_HEALTH = Measure(
    "M11", "Clock health",
    "Largest clock error; steps of more than clock_step_s; time since the last sample of a synced clock (NTP, "
    "NTS, GPS, dock) in the same boot, at each press.", _clock,
)  # fmt: skip

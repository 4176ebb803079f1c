"""M11: how well the camera knew the time of day."""

from __future__ import annotations

from ...clock import utc_text
from ..policy import DeviceRules
from .measure import Figure, Measure, Row, Stretch

_SYNCED = ("ntp", "nts", "gps", "dock")


def _clock(stretch: Stretch, rules: DeviceRules) -> Figure:
    errors = [
        s.err_us
        for p in stretch.line.runs
        for s in p.run.samples
        if stretch.holds(p.anchor.at_us(s.boot_ns))
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
        "max_err_us": max(errors, default=None), "steps": steps,
        "longest_since_sync_us": max(ages, default=None),
        "starts_never_synced": sum(age is None for _, age, _ in since),
    }, tuple(rows))  # fmt: skip


def _since_sync(stretch: Stretch) -> list[tuple[int, int | None, int]]:
    """For each press: when, how long after the last sample of a synced clock, and its line."""
    found = []
    for recording in stretch.recordings:
        if recording.start_us is None or not recording.pressed:
            continue
        synced = [
            at_us
            for p in stretch.line.runs
            for s in p.run.samples
            if p.run.boot == recording.boot and s.source in _SYNCED
            and (at_us := p.anchor.at_us(s.boot_ns)) <= recording.start_us
        ]  # fmt: skip
        age = recording.start_us - max(synced) if synced else None
        found.append((recording.start_us, age, recording.line))
    return found


CLOCK_HEALTH = Measure(
    "M11", "Clock health",
    "Largest clock error; steps of more than 1 s; time since the last sample of a synced clock (NTP, "
    "NTS, GPS, dock) in the same boot, at each press.", _clock,
)  # fmt: skip

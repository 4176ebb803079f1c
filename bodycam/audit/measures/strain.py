"""M16: heat and low power, which explain or exclude that it failed."""

from __future__ import annotations

from ..intervals import Times, clip, length_us, times
from ..logstory import PlacedRun
from ..policy import DeviceRules
from .measure import Figure, Measure, Stretch


def _strain(stretch: Stretch, _: DeviceRules) -> Figure:
    beats = [
        b for p in stretch.line.runs for b in p.run.beats if stretch.holds(p.anchor.at_us(b.at_ns))
    ]
    throttled = times(i for p in stretch.line.runs for i in _throttled(p))
    undervolt = 0
    for _at, _run, event in stretch.events("power.throttled"):
        flags = event.data.get("flags")
        undervolt += isinstance(flags, list) and "undervolt" in flags
    return Figure({
        "throttled_us": length_us(clip(throttled, stretch.start_us, stretch.end_us)),
        "undervolt_events": undervolt,
        "max_soc_milli_c": max((b.soc_milli_c for b in beats if b.soc_milli_c is not None), default=None),
        "max_cell_milli_c": max((b.cell_milli_c for b in beats if b.cell_milli_c is not None), default=None),
    })  # fmt: skip


def _throttled(placed: PlacedRun) -> Times:
    found: list[tuple[int, int]] = []
    since: int | None = None
    for event in placed.run.named("power.throttled"):
        flags, at_us = event.data.get("flags"), placed.at_us(event)
        if flags and since is None:
            since = at_us
        elif not flags and since is not None:
            found.append((since, at_us))
            since = None
    if since is not None:
        found.append((since, placed.end_us))
    return times(found)


HEAT_AND_POWER = Measure(
    "M16", "Exposure to heat and low power",
    "Seconds throttled, under-voltage events, highest temperature of cell and SoC at any heartbeat.",
    _strain,
)  # fmt: skip

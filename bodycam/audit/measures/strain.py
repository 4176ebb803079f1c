"""M16: heat and low power, which explain or exclude that it failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..intervals import Times, clip, length_us, times
from ..logstory import PlacedRun
from ..policy import DeviceRules
from .measure import Figure, Measure, Stretch


def _strain(stretch: Stretch, _: DeviceRules) -> Figure:
    most = [
        p.run.beats.most([p.anchor.span_ns(stretch.start_us, stretch.end_us)])[0]
        for p in stretch.line.runs
    ]
    throttled = throttled_times(stretch.line.runs)
    undervolt = [at_us for placed in stretch.line.runs for at_us in _undervolted(placed)]
    return Figure({
        "throttled_us": length_us(clip(throttled, stretch.start_us, stretch.end_us)),
        "undervolt_events": sum(stretch.holds(at_us) for at_us in undervolt),
        "max_soc_milli_c": max((soc for soc, _ in most if soc is not None), default=None),
        "max_cell_milli_c": max((cell for _, cell in most if cell is not None), default=None),
    })  # fmt: skip


def _undervolted(placed: PlacedRun) -> Iterator[int]:
    """When the voltage came to be too low; a line that says so anew, for another flag, is no event."""
    before = False
    for event in placed.run.named("power.throttled"):
        flags = event.data.get("flags")
        now = isinstance(flags, list) and "undervolt" in flags
        if now and not before:
            yield placed.at_us(event)
        before = now


def throttled_times(runs: Iterable[PlacedRun]) -> Times:
    """While flags of the supply or of heat were up, by `power.throttled`."""
    return times(i for placed in runs for i in _throttled(placed))


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
    "Seconds in which the firmware held anything back, how often the voltage came to be too low, highest "
    "temperature of cell and SoC at any heartbeat.",
    _strain,
)  # fmt: skip

"""Battery, heat and supply: when to charge, to shed load, to close, and to switch off; pure.

One look at the sensors goes in, what changes comes out. The charger comes first, whatever it costs
the recording.

| quantity | level            | entered             | left                  | what follows                |
|----------|------------------|---------------------|-----------------------|-----------------------------|
| SoC      | `warm`           | 70 C                | below 67 C            | HOT                         |
| SoC      | `fewer-pictures` | 78 C                | below 75 C            | half the pictures           |
| SoC      | `fewer-bits`     | 81 C                | below 78 C            | and half the bits           |
| SoC      | `close`          | 84 C                | below 75 C            | closed; none is started     |
| cell     | `warm`           | 50 C                | below 47 C            | HOT                         |
| cell     | `shed`           | 55 C                | below 52 C            | fewer pictures, fewer bits  |
| cell     | `close`          | 60 C                | below 50 C            | closed, switched off        |
| cell     | `cold`           | -20 C               | above -17 C           | said, no more               |
| battery  | `low`            | 10 %                | above 12 %            | LOW_BATT                    |
| battery  | `last`           | 5 %                 | above 7 %             | LOW_BATT, every 20 s        |
| battery  | `empty`          | 2 %, three readings | above 4 %, or charged | closed, switched off        |
| minutes  | `early`          | 30 min              | above 33 min          | said, no more               |
| minutes  | `low`            | 20 min              | above 22 min          | LOW_BATT                    |
| minutes  | `last`           | 5 min               | above 6 min           | LOW_BATT, every 20 s        |

| the charger  | when                                                                          |
|--------------|-------------------------------------------------------------------------------|
| is cut off   | at once: the cell is below 0 C (`cold`), above 45 C (`hot`), has no valid     |
|              | temperature (`sensor`), is on the recall list (`recall`), or says of itself   |
|              | that it is not well (`health`); and until the first looks (`start`)           |
| is let again | after three looks in a row at a cell between 3 and 42 C, well and not recalled |

A recalled cell is neither charged nor recorded with. What is missing or absurd is None: it never
ends a recording, and it always ends a charge. The figures are `[heat]` and `[power]` of the
configuration; docs/adr/0014 says where they come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .clock import NS
from .config import Heat, Power
from .flutter import Flutter
from .gauge import Battery, Gauge
from .ladder import Ladder, Rung, falling
from .powerevents import (
    ChargeEdge,
    ChargeStuck,
    FlagsEdge,
    LevelEdge,
    PowerEvent,
    PowerReading,
    Recalled,
    SensorEdge,
)
from .sharedring import Load

_CONFIRM = 3
_BACK_C = 3
_STUCK_NS = 5 * NS
_MINUTES = {"early": (30, 33), "low": (20, 22), "last": (5, 6)}
# Of the kernel's words for a battery's health.
_UNWELL = frozenset({
    "Overheat", "Hot", "Cold", "Dead", "Over voltage", "Over current", "Unspecified failure",
    "Safety timer expire", "Watchdog timer expire", "No battery",
})  # fmt: skip
UNDERVOLT = "undervolt"


@dataclass(frozen=True, slots=True)
class Strain:
    """What a recording has to be made under; a recording says the worst it met."""

    load: Load = Load.FULL
    throttled: frozenset[str] = frozenset()

    def __or__(self, other: Strain) -> Strain:
        return Strain(max(self.load, other.load), self.throttled | other.throttled)

    def fields(self) -> dict[str, Any]:
        """As the log has it."""
        return {"load": self.load.text, "throttled": sorted(self.throttled)}


def recall(battery: Battery, power: Power) -> Recalled | None:
    """The cell, if its model or the beginning of its serial number is on the recall list."""
    model, serial = battery.model or power.cell_model, battery.serial or power.cell_lot
    listed = {entry.casefold() for entry in power.recalled}
    hit = model.casefold() in listed or any(serial.casefold().startswith(lot) for lot in listed)
    return Recalled(model, serial) if hit else None


@dataclass(slots=True)
class _Presence:
    """Whether one sensor gives values; a loss counts once it lasted."""

    there: bool = False
    missed: int = 0

    def feed(self, name: str, why: str | None) -> Iterator[SensorEdge]:
        self.missed = 0 if why is None else self.missed + 1
        if why is None and not self.there:
            self.there = True
            yield SensorEdge(name, None)
        elif self.there and self.missed >= _CONFIRM:
            self.there = False
            yield SensorEdge(name, why)


class PowerMachine:
    """The tables above; feed it every look, then read what holds."""

    def __init__(self, heat: Heat, power: Power) -> None:
        self._heat, self._power = heat, power
        self._gauge = Gauge(power.off_percent, power.empty_mv)
        self._soc = Ladder(_soc_rungs(heat))
        self._cell = Ladder(_cell_rungs(heat))
        self._cold = Ladder(
            [falling("cold", heat.cell_cold_c * 1000, (heat.cell_cold_c + 3) * 1000)]
        )
        self._battery = Ladder(_battery_rungs(power))
        self._minutes = Ladder([falling(name, *limits) for name, limits in _MINUTES.items()])
        self._flags = Flutter()
        self._sensors = {name: _Presence() for name in ("soc", "cell", "battery")}
        self._good_looks = 0
        self._empty_looks = 0
        self._cut_ns: int | None = None
        self._stuck = False
        self._recalled: Recalled | None = None
        self.cut: str | None = "start"
        self.discharging: bool | None = None

    # -- what holds -----------------------------------------------------------------------------

    @property
    def load(self) -> Load:
        """How much the camera may do."""
        if self._soc.reached("fewer-bits") or self._cell.reached("shed"):
            return Load.FEWER_BITS
        return Load.FEWER_PICTURES if self._soc.reached("fewer-pictures") else Load.FULL

    @property
    def close_reason(self) -> str | None:
        """Why no recording may go on or start."""
        if self._recalled is not None:
            return "recall"
        if self._soc.reached("close") or self._cell.reached("close"):
            return "heat"
        return "battery" if self._empty_looks >= _CONFIRM else None

    @property
    def off_reason(self) -> str | None:
        """Why the whole camera is to be switched off."""
        if self._cell.reached("close"):
            return "heat"
        return "battery" if self.close_reason == "battery" else None

    @property
    def hot(self) -> bool:
        return self._soc.level is not None or self._cell.level is not None

    @property
    def danger(self) -> bool:
        """The cell itself: too hot, recalled, or charged against our will."""
        return self._cell.reached("close") or self._recalled is not None or self._stuck

    @property
    def low_minutes(self) -> int | None:
        """20 or 5: how urgently the battery is low, as the signals count it."""
        ladders = (self._battery, self._minutes)
        if any(ladder.reached("last") for ladder in ladders):
            return 5
        low = any(ladder.reached("low") for ladder in ladders)
        return 20 if low or UNDERVOLT in self._flags.flags else None

    @property
    def percent(self) -> int | None:
        return self._gauge.percent

    @property
    def minutes(self) -> int | None:
        return self._gauge.minutes

    @property
    def strain(self) -> Strain:
        return Strain(self.load, self._flags.flags)

    # -- what changes ---------------------------------------------------------------------------

    def feed(self, reading: PowerReading, now_ns: int) -> list[PowerEvent]:
        """What this look changes, the charger first."""
        battery = reading.battery or Battery()
        self.discharging = battery.discharging
        self._gauge.feed(battery, now_ns)
        return [
            *self._recall(battery),
            *self._charge(reading, battery, now_ns),
            *self._levels(reading, now_ns),
            *self._presence(reading),
            *self._throttled(reading, now_ns),
        ]

    def _recall(self, battery: Battery) -> Iterator[PowerEvent]:
        recalled = recall(battery, self._power)
        if recalled is not None and self._recalled is None:
            self._recalled = recalled
            yield recalled
        elif recalled is None and battery.model:
            self._recalled = None

    def _charge(
        self, reading: PowerReading, battery: Battery, now_ns: int
    ) -> Iterator[ChargeEdge | ChargeStuck]:
        reason = self._why_not_charge(reading.cell_milli_c, battery)
        self._good_looks = self._good_looks + 1 if reason is None else 0
        if reason is None and self.cut is not None and self._good_looks < _CONFIRM:
            reason = self.cut
        if reason != self.cut:
            # From one reason to another it stays cut off: the clock of a stuck charger runs on.
            self._cut_ns = None if reason is None else self._cut_ns or now_ns
            self.cut = reason
            yield ChargeEdge(reason, reading.cell_milli_c)
        charged_ns = now_ns - self._cut_ns if battery.charging and self._cut_ns is not None else 0
        stuck = charged_ns >= _STUCK_NS
        if stuck and not self._stuck:
            yield ChargeStuck(charged_ns)
        self._stuck = stuck

    def _why_not_charge(self, milli_c: int | None, battery: Battery) -> str | None:
        if self._recalled is not None:
            return "recall"
        if battery.health in _UNWELL:
            return "health"
        if self._power.cell_sensor == "none":
            return None
        if milli_c is None:
            return "sensor"
        back = 0 if self.cut is None else _BACK_C * 1000
        if milli_c < self._heat.charge_from_c * 1000 + back:
            return "cold"
        return "hot" if milli_c > self._heat.charge_to_c * 1000 - back else None

    def _levels(self, reading: PowerReading, now_ns: int) -> Iterator[LevelEdge]:
        soc, cell, percent, minutes = (
            reading.soc_milli_c, reading.cell_milli_c, self.percent, self.minutes
        )  # fmt: skip
        for name, ladder, value, sign in (
            ("soc", self._soc, soc, 1), ("cell", self._cell, cell, 1),
            ("cold", self._cold, cell, -1), ("battery", self._battery, percent, -1),
            ("minutes", self._minutes, minutes, -1),
        ):  # fmt: skip
            if ladder.feed(None if value is None else sign * value, now_ns):
                yield LevelEdge(name, ladder.level, value)
        empty = self._battery.reached("empty") and self.discharging is not False
        # Only what was read counts: a gauge that falls silent at two per cent has not said it again.
        self._empty_looks = self._empty_looks + (self._gauge.fault is None) if empty else 0

    def _presence(self, reading: PowerReading) -> Iterator[SensorEdge]:
        silent = "no valid value"
        yield from self._sensors["soc"].feed("soc", silent if reading.soc_milli_c is None else None)
        cell = silent if reading.cell_milli_c is None else None
        yield from self._sensors["cell"].feed("cell", cell)
        yield from self._sensors["battery"].feed("battery", self._gauge.fault)

    def _throttled(self, reading: PowerReading, now_ns: int) -> Iterator[FlagsEdge]:
        if reading.throttled is None:
            return
        edges = self._flags.feed(reading.throttled, now_ns)
        if edges:
            yield FlagsEdge(self._flags.flags, edges)


def _soc_rungs(heat: Heat) -> list[Rung]:
    warm, shed, more, close = (
        c * 1000 for c in (heat.soc_warn_c, heat.soc_shed_c, heat.soc_shed_more_c, heat.soc_close_c)
    )
    back = _BACK_C * 1000
    return [
        Rung("warm", warm, warm - back),
        Rung("fewer-pictures", shed, shed - back),
        Rung("fewer-bits", more, more - back),
        Rung("close", close, heat.soc_again_c * 1000),
    ]


def _cell_rungs(heat: Heat) -> list[Rung]:
    warm, shed, close = (c * 1000 for c in (heat.cell_warn_c, heat.cell_shed_c, heat.cell_close_c))
    back = _BACK_C * 1000
    return [
        Rung("warm", warm, warm - back),
        Rung("shed", shed, shed - back),
        Rung("close", close, heat.cell_again_c * 1000),
    ]


def _battery_rungs(power: Power) -> list[Rung]:
    levels = {"low": power.low_percent, "last": power.last_percent, "empty": power.off_percent}
    return [falling(name, percent, percent + 2) for name, percent in levels.items()]

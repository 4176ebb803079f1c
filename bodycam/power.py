"""Battery, temperature and supply as Linux reports them, and the levels that matter.

Read from sysfs under a configurable root, so that a simulated unit has real files to read. A value
that is missing or absurd is None, and None never stops a recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BATTERY_LEVELS = (10, 5, 2)
HEAT_LEVELS_C = (70, 80, 85)
HEAT_BACK_C = 75
_CONFIRM = 3


@dataclass(frozen=True, slots=True)
class PowerReading:
    """One look at the sensors; None where there is none or it makes no sense."""

    battery_percent: int | None
    battery_minutes: int | None
    soc_milli_c: int | None
    undervolt: bool | None


def read_power(sysfs: Path) -> PowerReading:
    """The sensors as they are now."""
    battery = _first(sysfs, "class/power_supply/*/capacity", 0, 100)
    seconds = _first(sysfs, "class/power_supply/*/time_to_empty_now", 0, 7 * 86_400)
    soc = _first(sysfs, "class/thermal/thermal_zone0/temp", -40_000, 150_000)
    alarm = _first(sysfs, "class/hwmon/*/in0_lcrit_alarm", 0, 1)
    minutes = None if seconds is None else seconds // 60
    return PowerReading(battery, minutes, soc, None if alarm is None else bool(alarm))


def _first(root: Path, pattern: str, low: int, high: int) -> int | None:
    for path in sorted(root.glob(pattern)):
        try:
            value = int(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            # A gauge that cannot be read is a gauge that is not there; the heartbeat shows null.
            continue
        if low <= value <= high:
            return value
    return None


@dataclass(frozen=True, slots=True)
class PowerEvent:
    """A level was crossed."""

    name: str
    level: int | None
    value: int | None


class PowerWatch:
    """Turns readings into events with hysteresis; pure.

    `close_reason` is set while recording must not go on: battery at its last level three readings
    in a row, or heat at its last level until it is back below 75 degrees.
    """

    def __init__(self) -> None:
        self.battery_level: int | None = None
        self.heat_level: int | None = None
        self.close_reason: str | None = None
        self._empty_readings = 0
        self._undervolt: bool | None = None

    def feed(self, reading: PowerReading) -> list[PowerEvent]:
        """What this reading changes."""
        events = []
        battery = self._battery(reading.battery_percent)
        if battery != self.battery_level:
            self.battery_level = battery
            events.append(PowerEvent("power.battery", battery, reading.battery_percent))
        heat = self._heat(reading.soc_milli_c)
        if heat != self.heat_level:
            self.heat_level = heat
            events.append(PowerEvent("power.heat", heat, reading.soc_milli_c))
        if reading.undervolt is not None and reading.undervolt != self._undervolt:
            if self._undervolt is not None or reading.undervolt:
                events.append(PowerEvent("power.undervolt", None, int(reading.undervolt)))
            self._undervolt = reading.undervolt
        self._decide(reading)
        return events

    def _battery(self, percent: int | None) -> int | None:
        if percent is None:
            return self.battery_level
        reached = [level for level in BATTERY_LEVELS if percent <= level]
        return min(reached, default=None)

    def _heat(self, milli_c: int | None) -> int | None:
        if milli_c is None:
            return self.heat_level
        celsius = milli_c / 1000
        if self.heat_level == HEAT_LEVELS_C[-1] and celsius >= HEAT_BACK_C:
            return self.heat_level
        return max((level for level in HEAT_LEVELS_C if celsius >= level), default=None)

    def _decide(self, reading: PowerReading) -> None:
        percent = reading.battery_percent
        if percent is not None:
            empty = percent <= BATTERY_LEVELS[-1]
            self._empty_readings = self._empty_readings + 1 if empty else 0
        if self.heat_level == HEAT_LEVELS_C[-1]:
            self.close_reason = "heat"
        elif self._empty_readings >= _CONFIRM:
            self.close_reason = "battery"
        else:
            self.close_reason = None

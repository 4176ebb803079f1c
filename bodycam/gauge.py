"""What of a battery gauge is believed, and how many minutes of recording that leaves.

| the gauge says                                       | what is believed                         |
|------------------------------------------------------|------------------------------------------|
| nothing, or less than 0 or more than 100 %           | nothing; that is a fault of the sensor   |
| at most 10 points more or less than what is believed | it                                       |
| another value, for less than 60 s                    | what was believed before; a fault        |
| about that other value for 60 s                      | it                                       |
| empty, while the cell's voltage is not that of one   | nothing; a fault                         |
| empty, as the first thing that it says               | nothing for 60 s, then it; a fault       |

Minutes are those until the camera switches itself off, while the battery is not being charged: by the
gauge's own estimate, else by its charge and the current drawn over the last minute or so, else by
how fast the percentage fell in the last half hour.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .clock import NS

_JUMP_POINTS = 10
_JUMP_NS = 60 * NS
_DRAW_TAU_NS = 60 * NS
_SLOPE_NS = 1800 * NS
_SLOPE_LEAST_NS = 300 * NS
_SLOPE_LEAST_POINTS = 3
_MINUTE_NS = 60 * NS


@dataclass(frozen=True, slots=True)
class Battery:
    """What the gauge says, as it says it; None where it says nothing.

    `stored` and `draw` are charge and current (uAh, uA) or energy and power (uWh, uW).
    `discharging` is False while it is charged or full.
    """

    percent: int | None = None
    milli_volt: int | None = None
    seconds_left: int | None = None
    stored: int | None = None
    draw: int | None = None
    discharging: bool | None = None
    charging: bool | None = None
    health: str | None = None
    model: str | None = None
    serial: str | None = None


class Gauge:
    """Sifts one gauge's readings; pure."""

    def __init__(self, off_percent: int, empty_milli_volt: int) -> None:
        self._off_percent = off_percent
        self._empty_milli_volt = empty_milli_volt
        self.percent: int | None = None
        self.minutes: int | None = None
        self.fault: str | None = None
        self._believed: int | None = None
        self._other: tuple[int, int] | None = None
        self._draw: float | None = None
        self._draw_ns = 0
        self._past: deque[tuple[int, int]] = deque()

    def feed(self, battery: Battery, now_ns: int) -> None:
        """Take a reading; `percent`, `minutes` and `fault` say what it comes to."""
        self.fault = self._sift(battery, now_ns)
        self._smooth(battery.draw, now_ns)
        if battery.discharging is False or self.percent is None:
            self._past.clear()
            self.minutes = None
            return
        if not self._past or self._past[-1][1] != self.percent:
            self._past.append((now_ns, self.percent))
        while now_ns - self._past[0][0] > _SLOPE_NS and len(self._past) > 1:
            self._past.popleft()
        seconds = self._seconds(battery, now_ns)
        self.minutes = None if seconds is None else seconds // 60

    def _sift(self, battery: Battery, now_ns: int) -> str | None:
        percent, milli_volt = battery.percent, battery.milli_volt
        if percent is None or not 0 <= percent <= 100:
            self.percent = None
            return "no percentage" if percent is None else f"{percent} %"
        if percent <= self._off_percent and (milli_volt or 0) > self._empty_milli_volt > 0:
            self.percent = None
            return f"{percent} % at {milli_volt} mV"
        before = self._believed
        first = before is None and percent > self._off_percent
        if first or (before is not None and abs(percent - before) <= _JUMP_POINTS):
            self._believe(percent)
            return None
        if self._other is None or abs(percent - self._other[0]) > _JUMP_POINTS:
            self._other = (percent, now_ns)
        if now_ns - self._other[1] < _JUMP_NS:
            self.percent = before
            # A dead gauge must not switch a camera off each time that it is switched on.
            since = "at the start" if before is None else f"from {before} % at once"
            return f"{percent} % {since}"
        self._believe(percent)
        self._past.clear()
        return None

    def _believe(self, percent: int) -> None:
        self.percent = self._believed = percent
        self._other = None

    def _smooth(self, draw: int | None, now_ns: int) -> None:
        if draw is None:
            self._draw = None
        elif self._draw is None:
            self._draw = float(abs(draw))
        else:
            share = min(1.0, (now_ns - self._draw_ns) / _DRAW_TAU_NS)
            self._draw += (abs(draw) - self._draw) * share
        self._draw_ns = now_ns

    def _seconds(self, battery: Battery, now_ns: int) -> int | None:
        percent = self.percent
        if percent is None:
            return None
        usable = max(0, percent - self._off_percent)
        seconds: float | None = battery.seconds_left
        if seconds is None and battery.stored is not None and self._draw:
            seconds = battery.stored * 3600 / self._draw
        if seconds is not None:
            # Down to where it switches itself off, not to nothing.
            return int(seconds * usable / percent) if percent else 0
        since_ns, from_percent = self._past[0]
        fallen, took_ns = from_percent - percent, now_ns - since_ns
        if fallen < _SLOPE_LEAST_POINTS or took_ns < _SLOPE_LEAST_NS:
            return None
        return int(usable * took_ns / fallen / NS)

"""Whether the picture shows anything: dark, frozen.

It looks at the picture before the overlay is drawn: a running clock would hide a frozen one. What
it finds is told and never acted upon; a recording goes on whatever the lens sees.

| state   | a look             | next    | said                                                  |
|---------|--------------------|---------|-------------------------------------------------------|
| clear   | shows a fault      | doubt   |                                                       |
| doubt   | shows none         | clear   |                                                       |
| doubt   | has shown it 3 s   | at fault| `video.<fault>`, stamped with the first such look     |
| at fault| shows it           | at fault|                                                       |
| at fault| has shown none 2 s | clear   | `video.clear`, stamped with the first look without it |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clock import MS, NS
from .sink import UnitSink

Plane = NDArray[np.uint8]
_EVERY_NS = NS // 2
_FOUND_NS = 3 * NS
_OVER_NS = 2 * NS
_ROW_STEP = 4
_SMALL = (160, 90)
# Luma of 16 is black. Averaged over a hundred pixels, noise does not reach so far above it.
_DARK_BELOW = 36
# A sensor's noise changes most pixels from one picture to the next, wherever they are not clipped.
_CLIPPED = (20, 232)
_ALIVE_SHARE = 0.005
_MIN_UNCLIPPED = 0.02


class LensFault(Enum):
    """What a look can find; the event is `video.` and this."""

    DARK = "dark"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class LensEvent:
    """What began or ended, and when."""

    ev: str
    at_ns: int
    fields: dict[str, str | int]

    def tell(self, sink: UnitSink) -> None:
        sink.report(self.ev, self.at_ns, **self.fields)


class LensCheck:
    """Looks twice a second, however often it is shown a picture; pure, the time comes with it."""

    def __init__(self) -> None:
        self._next_ns = 0
        self._before: Plane | None = None
        self._watches = {fault: _Watch(fault) for fault in LensFault}

    def look(self, luma: Plane, at_ns: int) -> list[LensEvent]:
        """Judge one picture of any size, captured at `at_ns`; what that began or ended."""
        if at_ns < self._next_ns:
            return []
        self._next_ns = at_ns + _EVERY_NS
        found = self._judge(luma)
        events = [watch.feed(watch.fault is found, at_ns) for watch in self._watches.values()]
        return [event for event in events if event is not None]

    def _judge(self, luma: Plane) -> LensFault | None:
        small = cv2.resize(luma, _SMALL, interpolation=cv2.INTER_AREA)
        if np.percentile(small, 99.5) < _DARK_BELOW:
            self._before = None
            return LensFault.DARK
        rows = luma[::_ROW_STEP].copy()
        before, self._before = self._before, rows
        if before is not None and before.shape == rows.shape and _is_same(before, rows):
            return LensFault.FROZEN
        return None


def _is_same(before: Plane, rows: Plane) -> bool:
    """True if nothing moves, not even the noise; clipped pixels have none and do not count."""
    low, high = _CLIPPED
    unclipped = cv2.inRange(rows, np.array(low), np.array(high)) > 0
    count = int(np.count_nonzero(unclipped))
    if count < _MIN_UNCLIPPED * rows.size:
        return False
    changed = np.count_nonzero((rows != before) & unclipped)
    return bool(changed < _ALIVE_SHARE * count)


class _Watch:
    """The table above, for one fault."""

    def __init__(self, fault: LensFault) -> None:
        self.fault = fault
        self._since_ns: int | None = None
        self._clear_ns: int | None = None
        self._told = False

    def feed(self, shown: bool, at_ns: int) -> LensEvent | None:
        if shown:
            return self._shown(at_ns)
        if not self._told:
            self._since_ns = None
            return None
        return self._not_shown(at_ns)

    def _shown(self, at_ns: int) -> LensEvent | None:
        self._clear_ns = None
        if self._since_ns is None:
            self._since_ns = at_ns
        if self._told or at_ns - self._since_ns < _FOUND_NS:
            return None
        self._told = True
        found_ms = (at_ns - self._since_ns) // MS
        return LensEvent(f"video.{self.fault.value}", self._since_ns, {"found_ms": found_ms})

    def _not_shown(self, at_ns: int) -> LensEvent | None:
        if self._clear_ns is None:
            self._clear_ns = at_ns
        if self._since_ns is None or at_ns - self._clear_ns < _OVER_NS:
            return None
        since_ns, clear_ns = self._since_ns, self._clear_ns
        self._since_ns = self._clear_ns = None
        self._told = False
        fields: dict[str, str | int] = {
            "was": self.fault.value, "from_ns": since_ns, "ms": (clear_ns - since_ns) // MS,
        }  # fmt: skip
        return LensEvent("video.clear", clear_ns, fields)

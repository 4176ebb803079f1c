"""Whether the picture shows anything: dark, frozen, covered, blurred.

It looks at the picture before the overlay is drawn: a running clock would hide a frozen one. What
it finds is told and never acted upon; a recording goes on whatever the lens sees.

| state    | a look                  | next     | said                                                  |
|----------|-------------------------|----------|-------------------------------------------------------|
| clear    | shows a fault           | doubt    |                                                       |
| doubt    | shows none              | clear    |                                                       |
| doubt    | has shown it long enough| at fault | `video.<fault>`, stamped with the first such look     |
| at fault | shows it                | at fault |                                                       |
| at fault | has shown none for 2 s  | clear    | `video.clear`, stamped with the first look without it |

A look takes two pictures that follow each other, twice a second: what both show is no noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clock import MS, NS
from .detail import Detail, measure, reduced
from .sink import UnitSink

Plane = NDArray[np.uint8]
_EVERY_NS = NS // 2
_PAIR_NS = NS // 4
_MIN_WIDTH = 160
_OVER_NS = 2 * NS
_ROW_STEP = 4
_TINY = (80, 45)
# Luma of 16 is black. Averaged over a block of pixels, noise does not reach so far above it.
_DARK_BELOW = 36
# A sensor's noise changes most pixels from one picture to the next, wherever they are not clipped.
_CLIPPED = (20, 232)
_ALIVE_SHARE = 0.005
_MIN_UNCLIPPED = 0.02
# In focus, fine detail is a third to once as strong as coarse, through any weather. The limits are
# where tests/test_lens_footage.py tells a hand and a smear from ordinary scenes; strengths in luma.
_SOFT = 0.24  # below this share of the coarse, the fine is missing
_NO_DETAIL = 0.2  # so little is none
_STRUCTURE = 4.0  # so much coarse detail is of edges, and edges can be sharp
_ENOUGH = 0.33  # of the blocks, to judge by their edges
_MOST, _NEARLY_ALL = 0.65, 0.93  # of the blocks, without detail
_BARE = 1.35  # so little coarse detail says nothing of focus
_TEXTURE, _SHADED = 0.2, 4  # but no wall has so little texture, and so much light and shade
_GRAINY, _DIM = 4.2, 45  # such noise, or such dark, hides detail


class LensFault(Enum):
    """What a look can find; the event is `video.` and this."""

    DARK = "dark"
    FROZEN = "frozen"
    COVERED = "covered"
    BLURRED = "blurred"


# A chase blurs too, but not for so long.
_FOUND_NS = {
    LensFault.DARK: 3 * NS,
    LensFault.FROZEN: 3 * NS,
    LensFault.COVERED: 7 * NS // 2,
    LensFault.BLURRED: 8 * NS,
}


@dataclass(frozen=True, slots=True)
class LensEvent:
    """What began or ended, and when."""

    ev: str
    at_ns: int
    fields: dict[str, str | int]

    def tell(self, sink: UnitSink) -> None:
        sink.report(self.ev, self.at_ns, **self.fields)


class LensCheck:
    """Looks twice a second, however often it is shown a picture; pure, the time comes with it.

    `looks`: False for one that never does.
    """

    def __init__(self, *, looks: bool = True) -> None:
        self._looks = looks
        self._first: tuple[int, Plane] | None = None
        self._looked_ns: int | None = None
        self._rows: Plane | None = None
        self._frozen = False
        self._watches = {fault: _Watch(fault) for fault in LensFault}

    def wants(self, at_ns: int) -> bool:
        """True if `look` would look at a picture of that moment, and not only return."""
        looked_ns = self._looked_ns
        if not self._looks:
            return False
        return self._first is not None or looked_ns is None or at_ns - looked_ns >= _EVERY_NS

    def look(self, luma: Plane, at_ns: int) -> list[LensEvent]:
        """Judge a picture of any size, captured at `at_ns`; what that began or ended.

        Show it every picture, or at least those that it `wants`: two that follow each other.
        """
        if not self.wants(at_ns):
            return []
        small = reduced(luma)
        if self._first is None:
            self._looked_ns, self._first = at_ns, (at_ns, small)
            self._frozen = self._is_frozen(luma)
            return []
        (first_ns, first), self._first = self._first, None
        fit = at_ns - first_ns <= _PAIR_NS and luma.shape[1] >= _MIN_WIDTH
        found = self._judge(first, small if fit else None)
        events = [watch.feed(watch.fault is found, first_ns) for watch in self._watches.values()]
        return [event for event in events if event is not None]

    def _judge(self, first: Plane, second: Plane | None) -> LensFault | None:
        tiny = cv2.resize(first, _TINY, interpolation=cv2.INTER_AREA)
        if tiny.max() < _DARK_BELOW:  # one lamp far away is light enough
            return LensFault.DARK
        if self._frozen:
            return LensFault.FROZEN
        return None if second is None else _judged(measure(first, second))

    def _is_frozen(self, luma: Plane) -> bool:
        """Keep every fourth row until the next look, and compare it with the last."""
        before, self._rows = self._rows, luma[::_ROW_STEP].copy()
        return (
            before is not None and before.shape == self._rows.shape and _is_same(before, self._rows)
        )


def _judged(detail: Detail) -> LensFault | None:
    """By what is missing: the fine detail from all that has coarse, or all from most of it."""
    fine, coarse = detail.fine, detail.coarse
    structure = coarse > _STRUCTURE
    if structure.mean() > _ENOUGH and _root(fine[structure]) < _SOFT * _root(coarse[structure]):
        return LensFault.BLURRED
    blind = fine < np.maximum(_NO_DETAIL, _SOFT * coarse)
    share = blind.mean()
    if share < _MOST:
        return None
    if np.median(coarse[blind]) < _BARE:  # a wall or the sky is; so is a palm, but not evenly lit
        return LensFault.COVERED if share > _NEARLY_ALL and _is_skin(detail) else None
    if share > _NEARLY_ALL:
        return LensFault.COVERED
    # By night much of an ordinary picture is black, or its detail lost in noise.
    by_day = detail.noise < _GRAINY and np.median(detail.luma[blind]) > _DIM
    return LensFault.COVERED if by_day else None


def _is_skin(detail: Detail) -> bool:
    """True for something shaded without any texture; a wall has some, the sky is shaded evenly."""
    # A picture and the same upside down: what one gains by an even slope, the other loses.
    shade = np.std((detail.luma + detail.luma[::-1, ::-1]) / 2)
    return bool(_root(detail.fine) < _TEXTURE and shade > _SHADED)


def _root(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(values * values)))


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
        if self._told or at_ns - self._since_ns < _FOUND_NS[self.fault]:
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

"""What is wrong with a stream of pictures: holes in it, and keyframes that do not come.

Every second in which nothing could be recorded is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from .clock import MS, NS
from .sharedring import Descriptor

_MIN_GAP_NS = 150 * MS
_MISSING_NS = 5 * NS


@dataclass(frozen=True, slots=True)
class Gap:
    """No picture from `from_ns` to `to_ns` (half-open); `frames` would have fitted in between."""

    from_ns: int
    to_ns: int
    frames: int
    cause: str


class GapFinder:
    """Watches pictures arrive and reports each hole once, when the next picture ends it.

    Where every second picture is left out, each stands for two: what is meant to be is no hole.
    """

    def __init__(self, frame_ns: int) -> None:
        self._frame_ns = frame_ns
        self._last_ns: int | None = None
        self._epoch = 0
        self._every = 1
        self._cause = ""

    def resume_from(self, last_ns: int, cause: str) -> None:
        """The last picture of a recorder that died in this same boot ended then."""
        self._last_ns = last_ns - self._frame_ns
        self._cause = cause

    def worker_lost(self, cause: str) -> None:
        """Why the next hole will be there."""
        self._cause = cause

    def feed(self, unit: Descriptor) -> Gap | None:
        """The hole that this picture ends, if there is one."""
        last_ns, epoch, every = self._last_ns, self._epoch, self._every
        self._last_ns, self._epoch, self._every = unit.at_ns, unit.epoch, unit.every
        if last_ns is None:
            return None
        picture_ns = every * self._frame_ns
        from_ns = last_ns + picture_ns
        if unit.at_ns - from_ns < min(_MIN_GAP_NS, 2 * picture_ns):
            return None
        if unit.epoch != epoch:
            cause = self._cause or "worker restarted"
        else:
            cause = "ring full" if unit.dropped else "camera"
        frames = round((unit.at_ns - from_ns) / picture_ns)
        return Gap(from_ns, unit.at_ns, frames, cause)


@dataclass(frozen=True, slots=True)
class Drought:
    """No keyframe for `age_ns`: told at first, again each GOP, and when one comes at last."""

    age_ns: int
    first: bool
    over: bool


class KeyframeAge:
    """Watches for keyframes: one should come each GOP, and none for two is a drought."""

    def __init__(self, gop_ns: int) -> None:
        self._gop_ns = gop_ns
        self._keyframe_ns: int | None = None
        self._told_ns: int | None = None
        self.missing = False

    def feed(self, unit: Descriptor) -> Drought | None:
        """What there is to be done now: ask for a keyframe, unless the drought is over."""
        keyframe_ns, told_ns = self._keyframe_ns, self._told_ns
        if keyframe_ns is None or unit.keyframe:
            self._keyframe_ns, self._told_ns, self.missing = unit.at_ns, None, False
            if keyframe_ns is None or told_ns is None:
                return None
            return Drought(unit.at_ns - keyframe_ns, first=False, over=True)
        age_ns = unit.at_ns - keyframe_ns
        self.missing = age_ns > max(_MISSING_NS, 2 * self._gop_ns)
        if age_ns <= 2 * self._gop_ns or (
            told_ns is not None and unit.at_ns - told_ns < self._gop_ns
        ):
            return None
        self._told_ns = unit.at_ns
        return Drought(age_ns, first=told_ns is None, over=False)

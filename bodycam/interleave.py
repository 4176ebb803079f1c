"""Put sound and pictures in order of capture, so that a segment roll splits both at one moment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .clock import MS
from .media import AccessUnit, Track

HOLD_NS = 250 * MS
_SOUND_IS_GONE_NS = 1000 * MS


@dataclass(frozen=True, slots=True)
class Pulled:
    """A unit and its index in the ring."""

    index: int
    unit: AccessUnit


class Interleaver:
    """Releases units in order of capture time; a picture waits for sound at most `HOLD_NS`.

    Coded sound comes a frame or two later than the picture of the same moment. Where there is no
    sound, or none for a second, pictures do not wait at all.
    """

    def __init__(self) -> None:
        self._pictures: deque[Pulled] = deque()
        self._sounds: deque[Pulled] = deque()
        self._newest_ns = 0
        self._newest_sound_ns: int | None = None

    def push(self, pulled: Pulled) -> list[Pulled]:
        """Take one unit in ring order; what may be written now, in order of capture."""
        at_ns = pulled.unit.at_ns
        self._newest_ns = max(self._newest_ns, at_ns)
        if pulled.unit.track is Track.AUDIO:
            self._sounds.append(pulled)
            self._newest_sound_ns = at_ns
        else:
            self._pictures.append(pulled)
        return self._ready()

    def _ready(self) -> list[Pulled]:
        ready = []
        while self._pictures or self._sounds:
            if self._pictures and self._sounds:
                picture_first = self._pictures[0].unit.at_ns <= self._sounds[0].unit.at_ns
            elif self._pictures:
                if self._sound_may_come(self._pictures[0].unit.at_ns):
                    break
                picture_first = True
            elif self._newest_ns - self._sounds[0].unit.at_ns < HOLD_NS:
                break
            else:
                picture_first = False
            ready.append(self._pictures.popleft() if picture_first else self._sounds.popleft())
        return ready

    def _sound_may_come(self, picture_ns: int) -> bool:
        newest = self._newest_sound_ns
        if newest is None or self._newest_ns - newest > _SOUND_IS_GONE_NS:
            return False
        return self._newest_ns - picture_ns < HOLD_NS

    def drain(self) -> list[Pulled]:
        """Everything that is left, in order of capture."""
        rest = sorted([*self._pictures, *self._sounds], key=lambda p: (p.unit.at_ns, p.unit.track))
        self._pictures.clear()
        self._sounds.clear()
        return rest

    @property
    def first_picture(self) -> int | None:
        """Ring index of the oldest picture that is still held."""
        return self._pictures[0].index if self._pictures else None

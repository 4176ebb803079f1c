"""When pictures were taken: the camera's word for it, as far as it can be true.

Everything that follows counts on times of capture: what the ring keeps, where a recording begins and
ends, what is a gap. A picture's time can be true if it lies after the picture before it, after its
worker began, and not in the time to come.

| clock | a picture's time                       | next | the picture stands                        | said       |
|-------|----------------------------------------|------|-------------------------------------------|------------|
| true  | can be true                            | true | where it says                             |            |
| true  | cannot; repeats the one before         | true | half a picture behind the one before      | `pts.jump` |
| true  | cannot                                 | off  | next to the one before; by so much is off | `pts.jump` |
| off   | can be true, moved by as much as before| off  | there                                     |            |
| off   | can be true as it is                   | true | where it says                             | `pts.jump` |
| off   | neither                                | off  | next to the one before; by so much is off | `pts.jump` |

No picture is lost to its time. A sound whose time cannot be true is: it belongs to no picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from .clock import MS, NS

_AHEAD_NS = 100 * MS
_SOUND_EARLY_NS = NS
_STALE_NS = NS
_TOLD_EVERY_NS = 10 * NS


@dataclass(frozen=True, slots=True)
class Jump:
    """The camera's times are `by_ns` off from now on (0: true again), after `count` jumps."""

    by_ns: int
    count: int


class CaptureTimes:
    """The table above; pure, the time comes with each picture."""

    def __init__(self, frame_ns: int) -> None:
        self._frame_ns = frame_ns
        self._began_ns = 0
        self._last_ns: int | None = None
        self._off_ns = 0
        self._count = 0
        self._due_ns = 0

    def worker_began(self, at_ns: int) -> None:
        """No picture of a new worker was taken before this."""
        self._began_ns = at_ns
        self._off_ns = 0

    def picture(self, told_ns: int, every: int, now_ns: int) -> tuple[int, Jump | None]:
        """Where a picture stands, and what there is to be said: at once, then every 10 s together."""
        at_ns = self._place(told_ns, every * self._frame_ns, now_ns)
        self._last_ns = at_ns
        return at_ns, self._jump(now_ns)

    def _place(self, told_ns: int, picture_ns: int, now_ns: int) -> int:
        moved_ns = told_ns - self._off_ns
        if self._can_be_true(moved_ns, now_ns):
            return moved_ns
        self._count += 1
        if self._off_ns and self._can_be_true(told_ns, now_ns):
            self._off_ns = 0
            return told_ns
        last_ns = self._last_ns
        if last_ns is not None and 0 <= last_ns - moved_ns < picture_ns:
            return last_ns + picture_ns // 2
        at_ns = now_ns if last_ns is None else last_ns + picture_ns
        if now_ns - at_ns > _STALE_NS:
            at_ns = now_ns
        at_ns = max(at_ns, self._began_ns)
        self._off_ns = told_ns - at_ns
        return at_ns

    def _can_be_true(self, at_ns: int, now_ns: int) -> bool:
        after_ns = (
            self._began_ns if self._last_ns is None else max(self._began_ns, self._last_ns + 1)
        )
        return after_ns <= at_ns <= now_ns + _AHEAD_NS

    def _jump(self, now_ns: int) -> Jump | None:
        if not self._count or now_ns < self._due_ns:
            return None
        jump = Jump(self._off_ns, self._count)
        self._count, self._due_ns = 0, now_ns + _TOLD_EVERY_NS
        return jump

    def sound_can_be_true(self, at_ns: int, now_ns: int) -> bool:
        """Whether a sound may have been heard then."""
        return self._began_ns - _SOUND_EARLY_NS <= at_ns <= now_ns + _AHEAD_NS

"""Whether every thread of the recorder moves; pure, the time comes with each look.

| a thread                 | for          | what follows                                       |
|--------------------------|--------------|----------------------------------------------------|
| is dead                  | one look     | the recorder ends, and a clean one is started      |
| makes no round           | 20 s         | systemd hears nothing more, and kills the recorder |
| makes none, on the disk  | 60 s         | the same                                           |
| makes none, asks drivers | 20 s         | it is said once: no recording depends on it        |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .clock import NS

_STUCK_NS = 20 * NS
# They wait for the card, and a card may stall. Whoever is killed in that wait dies when it is over,
# and takes the ring along.
_ON_DISK = frozenset({"sealer", "health", "switch"})
_DISK_STUCK_NS = 60 * NS
# It asks drivers about devices, and a driver may hang; no recording depends on the answer.
_SPARED = frozenset({"devices"})


class Watched(Protocol):
    """A thread that counts its rounds."""

    beats: int

    @property
    def crashed(self) -> str | None: ...

    @property
    def alive(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: which thread has died, and how; whether all that matter move; which that
    are spared have got stuck since the look before.
    """

    dead: str | None
    moving: bool
    hung: tuple[str, ...]


class ThreadWatch:
    """Knows when each thread last made a round."""

    def __init__(self, threads: Mapping[str, Watched], now_ns: int) -> None:
        self._threads = threads
        self._moved = dict.fromkeys(threads, (-1, now_ns))
        self._hung: frozenset[str] = frozenset()

    def look(self, now_ns: int) -> Look:
        """Look at every thread; ask again every few tenths of a second."""
        for name, thread in self._threads.items():
            if not thread.alive:
                return Look(f"{name}: {thread.crashed or 'ended'}", moving=False, hung=())
            if thread.beats != self._moved[name][0]:
                self._moved[name] = (thread.beats, now_ns)
        stuck = frozenset(
            name
            for name, (_, at_ns) in self._moved.items()
            if now_ns - at_ns >= (_DISK_STUCK_NS if name in _ON_DISK else _STUCK_NS)
        )
        before, self._hung = self._hung, stuck & _SPARED
        return Look(None, moving=stuck <= _SPARED, hung=tuple(sorted(self._hung - before)))

"""Whether the store takes what it is given, known before an officer presses.

| the last sync of a recording | what is looked at                                        |
|------------------------------|----------------------------------------------------------|
| at most 2 s old              | room only: a recording is the best probe                 |
| older, and one is wanted     | room, and every 2 s a block that is really written       |
| older, in standby            | room, and every 10 s that block                          |

Mount flags are not asked: they say `rw` when every write fails already.
"""

from __future__ import annotations

from collections.abc import Callable

from .clock import NS, Clock
from .errors import StorageError, StorageFull
from .eventlog import EventLog
from .ladder import Ladder, falling
from .store import RESERVE_BYTES, Space, Store

LOW_PERCENT = (20, 10, 5)
_PROVEN_NS = 2 * NS
_PROBE_NS = 10 * NS
_WANTED_PROBE_NS = 2 * NS


class StoreHealth:
    """What is known of the store. The health thread looks, others read."""

    def __init__(self, store: Store, clock: Clock, log: EventLog, min_free_bytes: int) -> None:
        self._store, self._clock, self._log = store, clock, log
        self._min_free_bytes = min_free_bytes
        self._probe = store.write_probe()
        self._next_probe_ns = 0
        # Left two percent higher than entered: a reserve that comes and goes is no change.
        self._low = Ladder([falling(str(percent), percent, percent + 2) for percent in LOW_PERCENT])
        self.space: Space | None = None
        self.fault: str | None = None
        self._said = False

    @property
    def low_percent(self) -> int | None:
        """The level that the room has fallen to: 20, 10 or 5 percent."""
        return int(self._low.level) if self._low.level else None

    def takes(self) -> bool:
        """True if a recording that the store refused may be tried again."""
        space, wanted = self.space, 2 * self._min_free_bytes + RESERVE_BYTES
        return self.fault is None and space is not None and space.free_bytes >= wanted

    def look(self, last_sync_ns: int | None, *, wanted: bool, told: bool) -> None:
        """Look at room and card; `told` if the recorder has said already that it fails."""
        now_ns = self._clock.boot_ns()
        fault = self._try(self._look_at_room)
        if fault is None and last_sync_ns is not None and now_ns - last_sync_ns <= _PROVEN_NS:
            self._next_probe_ns = now_ns + _PROVEN_NS
        elif fault is None:
            if now_ns < self._next_probe_ns:
                return
            fault = self._try(self._probe.write)
            now_ns = self._clock.boot_ns()
            # What failed is looked at again as soon as what is wanted.
            soon = wanted or fault is not None
            self._next_probe_ns = now_ns + (_WANTED_PROBE_NS if soon else _PROBE_NS)
        self.fault = fault
        if fault is None and self._said:
            self._said = False
            self._log.append("storage.ok", sync=True)
        elif fault is not None and not (told or self._said):
            self._said = True
            self._log.append("storage.fault", sync=True, rec=None, reason=fault, last_ns=None)

    def _try(self, act: Callable[[], None]) -> str | None:
        try:
            act()
        except StorageFull:
            # The room says so.
            return None
        except StorageError as fault:
            return str(fault)
        return None

    def _look_at_room(self) -> None:
        try:
            space = self._store.space()
        except StorageError:
            self.space = None
            raise
        self.space = space
        if self._low.feed(-space.free_percent, self._clock.boot_ns()):
            level = self.low_percent
            self._log.append(
                "storage.low" if level else "storage.ok", sync=True, level=level,
                free_percent=space.free_percent, free_bytes=space.free_bytes,
            )  # fmt: skip

    def close(self) -> None:
        """Give the probe's block back. Idempotent."""
        self._probe.close()

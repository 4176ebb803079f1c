"""The pre-record ring: access units in shared memory, whole GOPs, and the cursors over them.

The capture worker copies each access unit into the ring (`RingWriter`) and then sends one
descriptor through a pipe: a unit without a descriptor does not exist, so a torn write is never
seen. The recorder keeps the index (`PreRecordBuffer`). A recording is a `Cursor`: placed at a
keyframe, it is followed by the segment writer, and nothing it has not released is overwritten.
When the card stalls so long that no room is left, the worker drops whole GOP tails and counts
them; capture itself never waits.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from .clock import Instant
from .errors import DeviceError
from .media import AccessUnit, Track
from .sharedring import CLOCK_SOURCES, HEADER_BYTES, MAGIC, Descriptor, Load, SharedRing, Word


@dataclass(frozen=True, slots=True)
class RingLimits:
    """What bounds the ring: bytes of memory, seconds of video, number of units."""

    max_bytes: int
    max_ns: int
    max_units: int
    headroom_bytes: int


@dataclass(frozen=True, slots=True)
class RingDepth:
    """What the ring holds now."""

    units: int
    payload_bytes: int
    video_ns: int
    oldest_ns: int | None
    newest_ns: int | None


class PreRecordBuffer:
    """The recorder's end of the ring: its memory, its index, and the cursors placed over it.

    Bounded by bytes, time and count, each by evicting whole GOPs from the old end. The memory is
    locked if the system allows it (`locked`) and never part of a core dump.
    """

    def __init__(self, limits: RingLimits) -> None:
        pages = -(-limits.max_bytes // mmap.PAGESIZE)
        self.fd = os.memfd_create("bodycam-ring", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, HEADER_BYTES + pages * mmap.PAGESIZE)
        self._shared = SharedRing(self.fd)
        self._shared.words[Word.MAGIC] = MAGIC
        self.locked = self._shared.lock()
        self._limits = limits
        self._headroom = limits.headroom_bytes
        self._entries: list[Descriptor] = []
        self._base = 0  # index of _entries[0] since the ring was made
        self._keyframes: list[int] = []  # absolute indices of video keyframes
        self._payload = 0
        self._head = 0
        self._newest_video_ns: int | None = None
        self._cut_by_capacity_ns: int | None = None
        self._orphans = 0
        self._cursors: list[Cursor] = []
        self._crowded = False
        self._stretched = False
        self._loads = {"strain": Load.FULL, "store": Load.FULL}
        self._changed = threading.Condition()

    @property
    def head(self) -> int:
        """Where a new worker goes on writing: behind the last unit that was announced."""
        return self._head

    @property
    def cut_by_capacity_ns(self) -> int | None:
        """Capture time of the newest unit that bytes or count, not time, pushed out."""
        return self._cut_by_capacity_ns

    def publish_clock(self, sample: Instant) -> None:
        """Let the worker's overlay know what time it is."""
        words = self._shared.words
        words[Word.OFFSET] = sample.offset_ns
        words[Word.SOURCE] = CLOCK_SOURCES.index(sample.source)
        words[Word.UNC] = sample.unc_ms
        words[Word.SAMPLED] = sample.boot_ns

    def request_keyframe(self) -> None:
        """Ask the worker for a keyframe now, if its encoder can."""
        self._shared.words[Word.KEYFRAMES] += 1

    def set_load(self, load: Load) -> None:
        """Tell the worker how much battery and heat let the camera do from now on."""
        self._ask("strain", load)

    def _ask(self, why: str, load: Load) -> None:
        with self._changed:
            self._loads[why] = load
            self._shared.words[Word.LOAD] = max(self._loads.values())

    @property
    def stretched(self) -> bool:
        return self._stretched

    def stretch(self, *, shed: bool) -> None:
        """Be the only place a wanted recording has: keep what fits into the memory, not seconds.

        With `shed` the camera is asked for fewer bits, so that it lasts several times as long.
        """
        self._stretched = True
        self._ask("store", Load.FEWER_BITS if shed else Load.FULL)

    def relax(self) -> None:
        """Hold as many seconds as ever."""
        self._stretched = False
        self._ask("store", Load.FULL)

    def microphone_seen(self) -> None:
        """Tell the worker that a microphone was plugged in."""
        self._shared.words[Word.MICROPHONES] += 1

    def accept(self, unit: Descriptor) -> bytes | None:
        """Index one announced unit; an EVENT's bytes are returned at once instead.

        Raises DeviceError for a descriptor that points outside the ring: restart the worker.
        """
        at = self._place(unit)
        if unit.track is Track.EVENT:
            self._head = unit.pos + unit.size
            return bytes(self._shared.data[at : at + unit.size])
        with self._changed:
            self._head = unit.pos + unit.size
            if not self._entries and not (unit.track is Track.VIDEO and unit.keyframe):
                self._orphans += unit.track is Track.VIDEO
                self._shared.words[Word.TAIL] = self._head
                return None
            if unit.track is Track.VIDEO:
                if unit.keyframe:
                    self._keyframes.append(self._base + len(self._entries))
                self._newest_video_ns = unit.at_ns
            self._entries.append(unit)
            self._payload += unit.size
            self._evict()
            self._changed.notify_all()
        return None

    def skip(self, unit: Descriptor) -> None:
        """Leave a unit out that was announced. Raises DeviceError as `accept` does."""
        self._place(unit)
        with self._changed:
            self._head = unit.pos + unit.size
            if not self._entries:
                self._shared.words[Word.TAIL] = self._head

    def make_room(self) -> bool:
        """Evict for a unit that found no room; True if there was one: the worker is alive.

        A unit may take half the ring. More than usual is kept free from then on, until time alone
        bounds the ring again.
        """
        wanted = self._shared.words[Word.WANTED]
        if not wanted:
            return False
        self._shared.words[Word.WANTED] = 0
        with self._changed:
            capacity = self._shared.capacity
            self._headroom = min(capacity // 2, max(self._headroom, 2 * wanted))
            # With what is left over at the end it may need more than that, this once.
            self._evict(wanted if wanted <= capacity else 0)
        return True

    def _place(self, unit: Descriptor) -> int:
        capacity = self._shared.capacity
        at = unit.pos % capacity
        if unit.pos < self._head or unit.size > capacity or at + unit.size > capacity:
            raise DeviceError(f"worker announced {unit.size} bytes at {unit.pos}, outside the ring")
        return at

    def _evict(self, wanted: int = 0) -> None:
        limits = self._limits
        newest = self._newest_video_ns or 0
        self._crowded = False
        while self._entries:
            next_gop = self._keyframes[1] if len(self._keyframes) > 1 else None
            used = self._head - self._entries[0].pos
            over_bytes = used > self._shared.capacity - max(self._headroom, wanted)
            over_count = len(self._entries) > limits.max_units
            keep_from = newest - limits.max_ns
            over_time = (
                next_gop is not None
                and not self._stretched
                and self._entries[next_gop - self._base].at_ns <= keep_from
            )
            if not (over_bytes or over_count or over_time):
                return
            # One GOP that outgrows the ring by itself (a keyframe drought) goes as a whole.
            end = next_gop if next_gop is not None else self._base + len(self._entries)
            if any(cursor.held < end for cursor in self._cursors):
                self._crowded = over_bytes or over_count
                return
            if over_time:
                self._headroom = max(limits.headroom_bytes, self._headroom * 3 // 4)
            else:
                self._cut_by_capacity_ns = self._entries[end - self._base - 1].at_ns
            self._drop_before(end)

    def _drop_before(self, end: int) -> None:
        count = end - self._base
        self._payload -= sum(entry.size for entry in self._entries[:count])
        del self._entries[:count]
        self._base = end
        self._keyframes = [k for k in self._keyframes if k >= end]
        tail = self._entries[0].pos if self._entries else self._head
        self._shared.words[Word.TAIL] = tail

    def open_cursor(self, from_ns: int) -> Cursor | None:
        """Place a cursor at the oldest keyframe not older than `from_ns`.

        If every keyframe is older, at the newest one: a recording starts at most one GOP early
        rather than late. None while the ring is empty: try again when a unit has come.
        """
        with self._changed:
            if not self._keyframes:
                return None
            start = self._keyframes[-1]
            for index in self._keyframes:
                if self._entries[index - self._base].at_ns >= from_ns:
                    start = index
                    break
            cursor = Cursor(self, start, self._entries[start - self._base].at_ns)
            self._cursors.append(cursor)
            return cursor

    def keyframe_before(self, at_ns: int) -> int | None:
        """Capture time of the newest keyframe at or before a moment, if the ring still has it."""
        with self._changed:
            times = [self._entries[k - self._base].at_ns for k in self._keyframes]
        return max((t for t in times if t <= at_ns), default=None)

    def newest_ns(self) -> int | None:
        """Capture time of the newest video unit: its age is the worker's only sign of life."""
        return self._newest_video_ns

    def depth(self) -> RingDepth:
        with self._changed:
            oldest = self._entries[0].at_ns if self._entries else None
            newest = self._newest_video_ns if self._entries else None
            span = newest - oldest if oldest is not None and newest is not None else 0
            return RingDepth(len(self._entries), self._payload, max(0, span), oldest, newest)

    def sound(self) -> tuple[int, int]:
        """How many AAC frames it holds, and the bytes of the largest."""
        with self._changed:
            sizes = [entry.size for entry in self._entries if entry.track is Track.AUDIO]
        return len(sizes), max(sizes, default=0)

    def close(self) -> None:
        with self._changed:
            self._entries.clear()
            self._keyframes.clear()
        self._shared.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    # -- what cursors need ------------------------------------------------------------------

    def _unit(self, index: int) -> AccessUnit | None:
        at = index - self._base
        if at >= len(self._entries):
            return None
        entry = self._entries[at]
        offset = entry.pos % self._shared.capacity
        return AccessUnit(
            entry.track, entry.at_ns, entry.keyframe, entry.seq,
            self._shared.data[offset : offset + entry.size], entry.dropped, entry.epoch,
        )  # fmt: skip

    def _wait_unit(self, index: int, timeout_s: float) -> AccessUnit | None:
        with self._changed:
            unit = self._unit(index)
            if unit is None and timeout_s > 0:
                self._changed.wait(timeout_s)
                unit = self._unit(index)
            return unit

    def _release(self, cursor: Cursor, action: Callable[[], None]) -> None:
        with self._changed:
            action()
            if cursor.closed and cursor in self._cursors:
                self._cursors.remove(cursor)
            self._evict()


class Cursor:
    """One reader of the ring: `read` moves on, `release` lets go of what is safely on disk."""

    def __init__(self, ring: PreRecordBuffer, start: int, start_ns: int) -> None:
        self._ring = ring
        self._next = start
        self.start_ns = start_ns
        self.held = start
        self.closed = False

    def read(self, timeout_s: float) -> AccessUnit | None:
        """The next unit, or None after the timeout. Its data stays valid until released."""
        unit = self._ring._wait_unit(self._next, timeout_s)
        if unit is not None:
            self._next += 1
        return unit

    @property
    def crowded(self) -> bool:
        """True once the ring is full of what its cursors hold: soon pictures are dropped."""
        return self._ring._crowded

    @property
    def position(self) -> int:
        """Index of the unit that `read` gives next."""
        return self._next

    def rewind(self, position: int) -> None:
        """Go back to a unit not yet released, to write it again elsewhere."""
        if not self.held <= position <= self._next:
            raise ValueError(f"cannot rewind to {position}: held from {self.held}")
        self._next = position

    def release(self, position: int) -> None:
        """Everything before `position` is durable; the ring may overwrite it."""

        def move() -> None:
            self.held = max(self.held, min(position, self._next))

        self._ring._release(self, move)

    def close(self) -> None:
        """Let go of the ring. Idempotent."""

        def end() -> None:
            self.closed = True

        self._ring._release(self, end)

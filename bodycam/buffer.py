"""The pre-record ring: access units in shared memory, whole GOPs, and the cursors over them.

The capture worker copies each access unit into the ring (`RingWriter`) and then sends one
descriptor through a pipe: a unit without a descriptor does not exist, so a torn write is never
seen. The recorder keeps the index (`PreRecordBuffer`). A recording is a `Cursor`: placed at a
keyframe, it is followed by the segment writer, and nothing it has not released is overwritten.
When the card stalls so long that no room is left, the worker drops whole GOP tails and counts
them; capture itself never waits.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from .clock import ClockSource, Instant
from .errors import DeviceError
from .media import AccessUnit, Buffer, Track

HEADER_BYTES = mmap.PAGESIZE
_MAGIC = 0x626F6479_72696E67  # "bodyring"
_MAGIC_AT, _TAIL_AT, _OFFSET_AT, _SOURCE_AT, _UNC_AT, _SAMPLED_AT = range(6)
_SOURCES = list(ClockSource)

# track, keyframe, 2 pad, size, seq, at_ns, position, dropped, epoch; far below PIPE_BUF, so atomic
_DESCRIPTOR = struct.Struct("<BBxxIQQQII")
DESCRIPTOR_BYTES = _DESCRIPTOR.size


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Where one access unit lies in the ring; `pos` counts bytes since the ring was made."""

    track: Track
    keyframe: bool
    size: int
    seq: int
    at_ns: int
    pos: int
    dropped: int
    epoch: int

    def pack(self) -> bytes:
        return _DESCRIPTOR.pack(
            self.track, self.keyframe, self.size, self.seq, self.at_ns, self.pos, self.dropped,
            self.epoch,
        )  # fmt: skip

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        track, keyframe, size, seq, at_ns, pos, dropped, epoch = _DESCRIPTOR.unpack(raw)
        return cls(Track(track), bool(keyframe), size, seq, at_ns, pos, dropped, epoch)


class _Shared:
    """The mapping both sides have: a header page of 64-bit words, then the ring's bytes."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, os.fstat(fd).st_size)
        self._map.madvise(mmap.MADV_DONTDUMP)
        self.view = memoryview(self._map)
        self.words = self.view[:HEADER_BYTES].cast("q")
        self.data = self.view[HEADER_BYTES:]
        self.capacity = len(self.data)

    def lock(self) -> bool:
        """Keep the ring out of swap; False where the limit on locked memory forbids it."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        libc = ctypes.CDLL(None, use_errno=True)
        return bool(libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(len(self._map))) == 0)

    def close(self) -> None:
        self.words.release()
        self.data.release()
        self.view.release()
        try:
            self._map.close()
        except BufferError:
            # A unit in somebody's hands still points here; the mapping ends with the process.
            return


class RingWriter:
    """The worker's end of the ring: copy, then announce.

    After a drop nothing of the video is taken until the next keyframe, so that what follows a
    hole can be decoded.
    """

    def __init__(self, ring_fd: int, pipe_fd: int, *, head: int, epoch: int) -> None:
        self._shared = _Shared(ring_fd)
        if self._shared.words[_MAGIC_AT] != _MAGIC:
            raise DeviceError("the ring handed to the worker is not a ring")
        self._pipe_fd = pipe_fd
        # A recorder that hangs must not hold the camera up: a full pipe is a drop like any other.
        os.set_blocking(pipe_fd, False)
        self._head = head
        self._epoch = epoch
        self._seq = dict.fromkeys(Track, 0)
        self._dropped = dict.fromkeys(Track, 0)
        self._need_keyframe = True
        self._lock = threading.Lock()

    def write(self, track: Track, at_ns: int, keyframe: bool, data: Buffer) -> bool:
        """Put one unit into the ring; False if there was no room and it was dropped.

        Raises BrokenPipeError when the recorder is gone: the worker ends.
        """
        with self._lock:
            return self._write(track, at_ns, keyframe, data)

    def _write(self, track: Track, at_ns: int, keyframe: bool, data: Buffer) -> bool:
        seq = self._seq[track]
        self._seq[track] += 1
        pos = self._place(len(data))
        if track is Track.VIDEO and self._need_keyframe and not keyframe:
            pos = None
        if pos is None or not self._put(pos, seq, track, at_ns, keyframe, data):
            self._dropped[track] += 1
            self._need_keyframe = self._need_keyframe or track is Track.VIDEO
            return False
        self._head = pos + len(data)
        self._dropped[track] = 0
        if track is Track.VIDEO:
            self._need_keyframe = False
        return True

    def _put(
        self, pos: int, seq: int, track: Track, at_ns: int, keyframe: bool, data: Buffer
    ) -> bool:
        at = pos % self._shared.capacity
        self._shared.data[at : at + len(data)] = data
        descriptor = Descriptor(
            track, keyframe, len(data), seq, at_ns, pos, self._dropped[track], self._epoch
        )
        try:
            os.write(self._pipe_fd, descriptor.pack())
        except BlockingIOError:
            return False
        return True

    def _place(self, size: int) -> int | None:
        # A unit never wraps: what is left at the end is skipped.
        capacity = self._shared.capacity
        pos = self._head
        if pos % capacity + size > capacity:
            pos += capacity - pos % capacity
        tail = self._shared.words[_TAIL_AT]
        return pos if size <= capacity and pos + size - tail <= capacity else None

    def clock(self) -> Instant:
        """The recorder's latest clock sample, for the overlay."""
        words = self._shared.words
        sampled, offset = words[_SAMPLED_AT], words[_OFFSET_AT]
        return Instant(sampled, sampled + offset, _SOURCES[words[_SOURCE_AT]], words[_UNC_AT])

    def close(self) -> None:
        self._shared.close()


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
        self._shared = _Shared(self.fd)
        self._shared.words[_MAGIC_AT] = _MAGIC
        self.locked = self._shared.lock()
        self._limits = limits
        self._entries: list[Descriptor] = []
        self._base = 0  # index of _entries[0] since the ring was made
        self._keyframes: list[int] = []  # absolute indices of video keyframes
        self._payload = 0
        self._head = 0
        self._newest_video_ns: int | None = None
        self._cut_by_capacity_ns: int | None = None
        self._orphans = 0
        self._cursors: list[Cursor] = []
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
        words[_OFFSET_AT] = sample.offset_ns
        words[_SOURCE_AT] = _SOURCES.index(sample.source)
        words[_UNC_AT] = sample.unc_ms
        words[_SAMPLED_AT] = sample.boot_ns

    def accept(self, unit: Descriptor) -> bytes | None:
        """Index one announced unit; an EVENT's bytes are returned at once instead.

        Raises DeviceError for a descriptor that points outside the ring: restart the worker.
        """
        capacity = self._shared.capacity
        at = unit.pos % capacity
        if unit.pos < self._head or unit.size > capacity or at + unit.size > capacity:
            raise DeviceError(f"worker announced {unit.size} bytes at {unit.pos}, outside the ring")
        if unit.track is Track.EVENT:
            self._head = unit.pos + unit.size
            return bytes(self._shared.data[at : at + unit.size])
        with self._changed:
            self._head = unit.pos + unit.size
            if not self._entries and not (unit.track is Track.VIDEO and unit.keyframe):
                self._orphans += unit.track is Track.VIDEO
                self._shared.words[_TAIL_AT] = self._head
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

    def _evict(self) -> None:
        limits = self._limits
        newest = self._newest_video_ns or 0
        while self._entries:
            next_gop = self._keyframes[1] if len(self._keyframes) > 1 else None
            used = self._head - self._entries[0].pos
            over_bytes = used > self._shared.capacity - limits.headroom_bytes
            over_count = len(self._entries) > limits.max_units
            keep_from = newest - limits.max_ns
            over_time = (
                next_gop is not None and self._entries[next_gop - self._base].at_ns <= keep_from
            )
            if not (over_bytes or over_count or over_time):
                return
            # One GOP that outgrows the ring by itself (a keyframe drought) goes as a whole.
            end = next_gop if next_gop is not None else self._base + len(self._entries)
            if any(cursor.held < end for cursor in self._cursors):
                return
            if not over_time:
                self._cut_by_capacity_ns = self._entries[end - self._base - 1].at_ns
            self._drop_before(end)

    def _drop_before(self, end: int) -> None:
        count = end - self._base
        self._payload -= sum(entry.size for entry in self._entries[:count])
        del self._entries[:count]
        self._base = end
        self._keyframes = [k for k in self._keyframes if k >= end]
        tail = self._entries[0].pos if self._entries else self._head
        self._shared.words[_TAIL_AT] = tail

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

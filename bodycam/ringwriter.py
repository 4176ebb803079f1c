"""The worker's end of the ring: copy an access unit, then announce it."""

from __future__ import annotations

import os
import threading

from .clock import Instant
from .errors import DeviceError
from .media import Buffer, Track
from .sharedring import CLOCK_SOURCES, MAGIC, Descriptor, Load, SharedRing, Word


class RingWriter:
    """Copies, then announces; reads what the recorder asks for in the header.

    After a drop nothing of the video is taken until the next keyframe, so that what follows a
    hole can be decoded.
    """

    def __init__(self, ring_fd: int, pipe_fd: int, *, head: int, epoch: int) -> None:
        self._shared = SharedRing(ring_fd)
        if self._shared.words[Word.MAGIC] != MAGIC:
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

    def write(self, track: Track, at_ns: int, keyframe: bool, data: Buffer, every: int = 1) -> bool:
        """Put one unit into the ring; False if there was no room and it was dropped.

        Raises BrokenPipeError when the recorder is gone: the worker ends.
        """
        with self._lock:
            return self._write(track, at_ns, keyframe, data, every)

    def _write(self, track: Track, at_ns: int, keyframe: bool, data: Buffer, every: int) -> bool:
        seq = self._seq[track]
        self._seq[track] += 1
        pos = self._place(len(data))
        if track is Track.VIDEO and self._need_keyframe and not keyframe:
            pos = None
        if pos is None or not self._put(pos, seq, track, at_ns, keyframe, data, every):
            self._dropped[track] += 1
            self._need_keyframe = self._need_keyframe or track is Track.VIDEO
            return False
        self._head = pos + len(data)
        self._dropped[track] = 0
        if track is Track.VIDEO:
            self._need_keyframe = False
        return True

    def _put(
        self, pos: int, seq: int, track: Track, at_ns: int, keyframe: bool, data: Buffer, every: int
    ) -> bool:
        at = pos % self._shared.capacity
        self._shared.data[at : at + len(data)] = data
        descriptor = Descriptor(
            track, keyframe, len(data), seq, at_ns, pos, self._dropped[track], self._epoch, every
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
        if pos + size - self._shared.words[Word.TAIL] <= capacity:
            return pos
        self._shared.words[Word.WANTED] = pos + size - self._head
        return None

    def clock(self) -> Instant:
        """The recorder's latest clock sample, for the overlay."""
        words = self._shared.words
        sampled, offset = words[Word.SAMPLED], words[Word.OFFSET]
        return Instant(
            sampled, sampled + offset, CLOCK_SOURCES[words[Word.SOURCE]], words[Word.UNC]
        )

    def keyframes_wanted(self) -> int:
        """How often the recorder has asked for a keyframe; a change means: now."""
        return self._shared.words[Word.KEYFRAMES]

    def load(self) -> Load:
        """How much the camera may do now."""
        return Load(self._shared.words[Word.LOAD])

    def microphones_seen(self) -> int:
        """How often a microphone was plugged in; a change means: open it again at once."""
        return self._shared.words[Word.MICROPHONES]

    def close(self) -> None:
        self._shared.close()

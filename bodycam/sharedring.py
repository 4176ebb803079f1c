"""The ring as both processes see it: a header page of words, then the bytes; and descriptors.

ARCHITECTURE.md, "Worker protocol", is the table of the words and of the descriptor's fields.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from .clock import ClockSource
from .media import Track

HEADER_BYTES = mmap.PAGESIZE
MAGIC = 0x626F6479_72696E67  # "bodyring"
CLOCK_SOURCES = list(ClockSource)


class Word(IntEnum):
    """The 64-bit words of the ring's header page, in their order."""

    MAGIC = 0
    TAIL = 1
    OFFSET = 2
    SOURCE = 3
    UNC = 4
    SAMPLED = 5
    KEYFRAMES = 6
    LOAD = 7
    MICROPHONES = 8
    WANTED = 9


class Load(IntEnum):
    """How much the camera may do while battery or heat ask for less."""

    FULL = 0
    FEWER_PICTURES = 1
    FEWER_BITS = 2

    @property
    def text(self) -> str:
        """As log and status say it."""
        return self.name.lower().replace("_", "-")


# track, keyframe, every, pad, size, seq, at_ns, position, dropped, epoch; far below PIPE_BUF, so
# atomic
_DESCRIPTOR = struct.Struct("<BBBxIQQQII")
DESCRIPTOR_BYTES = _DESCRIPTOR.size


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Where one access unit lies in the ring; `pos` counts bytes since the ring was made.

    `every` says for how many of the camera's pictures it stands, from its own on: 2 while every
    second one is left out.
    """

    track: Track
    keyframe: bool
    size: int
    seq: int
    at_ns: int
    pos: int
    dropped: int
    epoch: int
    every: int = 1

    def pack(self) -> bytes:
        return _DESCRIPTOR.pack(
            self.track, self.keyframe, self.every, self.size, self.seq, self.at_ns, self.pos,
            self.dropped, self.epoch,
        )  # fmt: skip

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        track, keyframe, every, size, seq, at_ns, pos, dropped, epoch = _DESCRIPTOR.unpack(raw)
        if not every:
            raise ValueError("a descriptor's picture stands for no picture of the camera")
        return cls(Track(track), bool(keyframe), size, seq, at_ns, pos, dropped, epoch, every)


class SharedRing:
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

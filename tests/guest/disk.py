"""A disk with a cache that forgets: what was not flushed may be gone after a power cut, or torn.

Killing an emulator is an optimistic power cut: what its disk had taken stays in this machine's
memory. So the guest's card is served from here, over NBD. A write is kept apart until the guest
flushes; at a cut, none, all or any of the writes since then are on the medium, a write of several
sectors perhaps in part. What was flushed is there.

The cut comes at a write, not at a moment: `fail_after` counts them down, and from then on the disk
takes what comes and answers nothing more, until the guest is killed. So there is always something
under way that was never promised.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, Self

SECTOR = 512
_GREETING = b"NBDMAGIC" + b"IHAVEOPT" + struct.pack(">H", 3)  # fixed newstyle, no zeroes
_REQUEST_MAGIC, _REPLY_MAGIC, _OPTION_MAGIC = 0x25609513, 0x67446698, 0x3E889045565A9
_OPTION_REPLY = struct.Struct(">QIII")
_UNSUPPORTED, _ACK, _INFO = 0x80000001, 1, 3
_FLAGS = 0b101  # has flags, takes FLUSH
_EXPORT_NAME, _ABORT, _GO = 1, 2, 7
_EINVAL = 22


class Request(IntEnum):
    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3


@dataclass(frozen=True, slots=True)
class Write:
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """What a cut made of the writes since the last flush, in sectors."""

    unflushed: int
    kept: int

    def __str__(self) -> str:
        return f"{self.kept} of {self.unflushed} unflushed sectors survived"


class Disk:
    """A file as a disk; serves one guest after another until it is closed."""

    def __init__(self, image: Path, socket_path: Path) -> None:
        self.image = image
        self.socket_path = socket_path
        self._visible = bytearray(image.read_bytes())
        self._unflushed: list[Write] = []
        self._writes_left: int | None = None
        self.dead = threading.Event()
        self._lock = threading.Lock()
        self._unused = threading.Event()
        self._unused.set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(socket_path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._accept, name="disk", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def fail_after(self, writes: int) -> None:
        """The power fails at the write after so many: nothing is answered, nothing flushed again."""
        with self._lock:
            self._writes_left = writes

    def cut(self, dice: random.Random) -> Lost:
        """The guest was killed: decide what of the unflushed writes is on the medium."""
        if not self._unused.wait(10):
            raise TimeoutError("the guest that uses the disk is still alive")
        with self._lock:
            writes, self._unflushed = self._unflushed, []
            self._writes_left = None
            self.dead.clear()
            survivors = survive(writes, dice)
            with self.image.open("r+b") as medium:
                for write in survivors:
                    medium.seek(write.offset)
                    medium.write(write.data)
            self._visible[:] = self.image.read_bytes()
        return Lost(*(sum(len(w.data) for w in ws) // SECTOR for ws in (writes, survivors)))

    def _write(self, offset: int, data: bytes) -> None:
        with self._lock:
            self._visible[offset : offset + len(data)] = data
            self._unflushed.append(Write(offset, data))
            if self._writes_left == 0:
                self.dead.set()
            elif self._writes_left is not None:
                self._writes_left -= 1

    def _flush(self) -> None:
        with self._lock, self.image.open("r+b") as medium:
            for write in self._unflushed:
                medium.seek(write.offset)
                medium.write(write.data)
            self._unflushed.clear()

    # -- NBD: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md ------------------

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._unused.clear()
            with connection, connection.makefile("rb") as stream, suppress(EOFError, OSError):
                self._greet(connection, stream)
                self._serve(connection, stream)
            self._unused.set()

    def _greet(self, connection: socket.socket, stream: BinaryIO) -> None:
        connection.sendall(_GREETING)
        _take(stream, 4)
        while True:
            _, option, length = struct.unpack(">QII", _take(stream, 16))
            _take(stream, length)
            size = len(self._visible)
            if option == _EXPORT_NAME:
                connection.sendall(struct.pack(">QH", size, _FLAGS))
                return
            if option == _GO:
                facts = struct.pack(">HQH", 0, size, _FLAGS)
                connection.sendall(
                    _OPTION_REPLY.pack(_OPTION_MAGIC, option, _INFO, len(facts)) + facts
                    + _OPTION_REPLY.pack(_OPTION_MAGIC, option, _ACK, 0)
                )  # fmt: skip
                return
            answer = _ACK if option == _ABORT else _UNSUPPORTED
            connection.sendall(_OPTION_REPLY.pack(_OPTION_MAGIC, option, answer, 0))

    def _serve(self, connection: socket.socket, stream: BinaryIO) -> None:
        while True:
            magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", _take(stream, 28))
            if magic != _REQUEST_MAGIC or kind == Request.DISCONNECT:
                return
            fault, answer = 0, b""
            match kind:
                case Request.READ:
                    answer = bytes(self._visible[offset : offset + length])
                case Request.WRITE:
                    data = _take(stream, length)
                    self._write(offset, data)
                case Request.FLUSH:
                    if not self.dead.is_set():
                        self._flush()
                case _:
                    fault = _EINVAL
            if self.dead.is_set():
                continue
            connection.sendall(struct.pack(">IIQ", _REPLY_MAGIC, fault, handle) + answer)


def survive(writes: list[Write], dice: random.Random) -> list[Write]:
    """Which of the writes since the last flush are on the medium, in their order."""
    chance = dice.choice((0.0, 1.0, dice.random()))
    if chance in (0.0, 1.0):
        return writes if chance else []
    kept = []
    for write in writes:
        if len(write.data) > SECTOR and dice.random() < 0.5:  # torn: its sectors one by one
            kept += [
                Write(write.offset + at, write.data[at : at + SECTOR])
                for at in range(0, len(write.data), SECTOR)
                if dice.random() < chance
            ]
        elif dice.random() < chance:
            kept.append(write)
    return kept


def _take(stream: BinaryIO, count: int) -> bytes:
    """So many bytes. Raises EOFError where the guest was killed in the middle."""
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data

"""Evidence files: create, append, sync, finish; and what room is left.

`evidence/<recording>/<device>_<recording>_<segment:05d>.mp4` under one root, beside `log/`. Files
only grow; nothing that was synced is ever changed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .clock import Clock
from .errors import AlreadyRunning, StorageError, StorageFull
from .media import Buffer

_KEEP_SIZE = 1
RESERVE_BYTES = 1024 * 1024
_BLOCK_BYTES = 4096
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_libc = ctypes.CDLL(None, use_errno=True)


def storage_error(fault: OSError, path: Path) -> StorageError:
    """What an I/O error means to whoever must act."""
    if fault.errno in _FULL:
        return StorageFull(
            f"{path}: no space left on the card", "Dock the camera to offload; nothing is deleted"
        )
    if fault.errno == errno.EROFS:
        return StorageError(f"{path}: the card has become read-only", "Replace the card")
    return StorageError(f"{path}: {fault.strerror}", "Check the card, then `bodycam status`")


def reserve(fd: int, offset: int, length: int) -> bool:
    """Allocate blocks beyond the end without changing the size; False where there is no room."""
    result = _libc.fallocate(
        ctypes.c_int(fd), ctypes.c_int(_KEEP_SIZE), ctypes.c_int64(offset), ctypes.c_int64(length)
    )
    return bool(result == 0)


def sync_file(path: Path) -> None:
    """Make a file durable whose writer is gone."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it; their names are durable, whoever made them."""
    if not path.parent.exists():
        make_folder(path.parent)
    path.mkdir(mode=0o750, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a small file. A power cut or a full card leaves the old content or the new, whole."""
    temporary = path.with_name(path.name + ".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(path)
    sync_directory(path.parent)


@dataclass(frozen=True, slots=True)
class Space:
    """Room on the card."""

    total_bytes: int
    free_bytes: int

    @property
    def free_percent(self) -> int:
        return 100 * self.free_bytes // max(1, self.total_bytes)


class Call(Enum):
    """What the file system was asked for when it failed."""

    CREATE = "create"
    WRITE = "write"
    SYNC = "sync"
    CUT = "cut"


class SegmentFile:
    """One evidence file while it grows. A power cut leaves what was synced, and maybe more.

    Each call raises StorageFull or StorageError. After a StorageError the file is suspect: leave it.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self.size = 0
        self.synced_size = 0
        self._reserved = 0
        self._fd = -1
        self.made = False
        self.failed: Call | None = None

    def create(self) -> None:
        """Make the file, and its folder if it is the first in it; the names are durable on return."""
        folder = self.path.parent
        try:
            if not folder.is_dir():
                make_folder(folder)
            self._fd = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640
            )
            self.made = True
            sync_directory(folder)
        except OSError as fault:
            raise self._failed(Call.CREATE, fault) from fault

    def _failed(self, call: Call, fault: OSError) -> StorageError:
        self.failed = call
        return storage_error(fault, self.path)

    @property
    def spare_bytes(self) -> int:
        """What is reserved and not written yet."""
        return max(0, self._reserved - self.size)

    def append(self, parts: Sequence[Buffer]) -> None:
        """Write at the end, all or nothing.

        Raises StorageFull or StorageError, the file as before: a part that was written is cut off
        again, for it was never promised.
        """
        data = b"".join(parts)
        if self.size + len(data) > self._reserved and reserve(
            self._fd, self.size, RESERVE_BYTES + len(data)
        ):
            self._reserved = self.size + RESERVE_BYTES + len(data)
        try:
            written, view = 0, memoryview(data)
            while written < len(view):
                written += os.pwrite(self._fd, view[written:], self.size + written)
        except OSError as fault:
            self._cut()
            raise self._failed(Call.WRITE, fault) from fault
        self.size += len(data)

    def sync(self) -> int:
        """Make everything appended durable; the boot time at which it was, in ns."""
        try:
            os.fdatasync(self._fd)
        except OSError as fault:
            raise self._failed(Call.SYNC, fault) from fault
        self.synced_size = self.size
        return self._clock.boot_ns()

    def _cut(self) -> None:
        """Take back what was reserved or half written."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as fault:
            raise self._failed(Call.CUT, fault) from fault
        self._reserved = self.size

    def close(self) -> None:
        """Give back what was reserved and close. Idempotent."""
        if self._fd >= 0:
            self._cut()
            self.leave()

    def leave(self) -> None:
        """Close the file as it is. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # What a suspect file's close has to say is known: nothing in it is relied on.
            with suppress(OSError):
                os.close(fd)


def _open_nameless(folder: Path) -> int:
    """A file that goes with its descriptor; its name, where the file system wants one, at once."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        if fault.errno not in _NO_TMPFILE:
            raise
    path = folder / ".probe"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    path.unlink()
    return fd


class WriteProbe:
    """One block, written again and again and synced, in a file without a name.

    The only proof that a card takes what it is given: its mount flags say `rw` long after it does
    not. The block is the same each time, so a probe costs the card little.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1

    def write(self) -> None:
        """Raises StorageFull or StorageError if the card did not take the block."""
        try:
            if self._fd < 0:
                self._fd = _open_nameless(self._folder)
            os.pwrite(self._fd, bytes(_BLOCK_BYTES), 0)
            os.fdatasync(self._fd)
        except OSError as fault:
            # Linux says an error once: the next probe is of a new file.
            self.close()
            raise storage_error(fault, self._folder) from fault

    def close(self) -> None:
        """Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)


class Store:
    """The root of the evidence, owned by one recorder at a time."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self.evidence = root / "evidence"
        self.log = root / "log"
        self._clock = clock
        self._lock_fd = -1

    def open(self) -> None:
        """Create the folders and take the lock. Raises AlreadyRunning or StorageError."""
        try:
            if not self.root.exists():
                make_folder(self.root)
            for folder in (self.evidence, self.log):
                make_folder(folder)
            self._lock_fd = os.open(
                self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640
            )
        except OSError as fault:
            raise storage_error(fault, self.root) from fault
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            self.close()
            raise AlreadyRunning(
                f"{self.root}: another recorder is running on this store",
                "Stop it first, or use another [store] path",
            ) from fault

    def segment(self, device: str, recording: str, segment: int) -> SegmentFile:
        """A new evidence file, to be created."""
        path = self.evidence / recording / segment_name(device, recording, segment)
        return SegmentFile(path, self._clock)

    def write_probe(self) -> WriteProbe:
        """A probe of the card that the evidence lies on."""
        return WriteProbe(self.evidence)

    def space(self) -> Space:
        try:
            facts = os.statvfs(self.evidence)
        except OSError as fault:
            raise storage_error(fault, self.evidence) from fault
        return Space(facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize)

    def check_room(self, min_free_bytes: int, spare_bytes: int) -> None:
        """Raises StorageFull before the card is so full that END and the log find no room.

        `spare_bytes` are already reserved for the open segment.
        """
        free = self.space().free_bytes + spare_bytes
        if free < min_free_bytes:
            raise StorageFull(
                f"{self.evidence}: {free // 2**20} MiB left, {min_free_bytes // 2**20} MiB are kept",
                "Dock the camera to offload; nothing is deleted",
            )

    def close(self) -> None:
        """Give the lock back. Idempotent; a killed recorder's lock goes with it."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def segment_name(device: str, recording: str, segment: int) -> str:
    return f"{device}_{recording}_{segment:05d}.mp4"

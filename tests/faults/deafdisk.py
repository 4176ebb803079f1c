"""A file system of one file whose reads can be left unanswered: who waits for one cannot be killed."""

from __future__ import annotations

import errno
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .fusemount import served

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mfusepy

FILM = "film.h264"


class DeafDisk(mfusepy.Operations):  # type: ignore[misc]
    """Holds `FILM`. While `answers` is not set, a read waits, as on a bus that has locked up."""

    use_ns = True

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.answers = threading.Event()
        self.answers.set()

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path != f"/{FILM}":
            raise mfusepy.FuseOSError(errno.ENOENT)
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": len(self._data)}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", FILM]

    def open(self, path: str, flags: int) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self.answers.wait()
        return self._data[offset : offset + size]


@contextmanager
def deaf_disk(mountpoint: Path, data: bytes) -> Iterator[DeafDisk]:
    """Mount one (fusemount.served)."""
    disk = DeafDisk(data)
    # Past the page cache: there a read could be interrupted.
    with served(disk, mountpoint, "-z", direct_io=True):
        try:
            yield disk
        finally:
            disk.answers.set()

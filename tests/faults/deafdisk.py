"""A file system of one file whose reads can be left unanswered: who waits for one cannot be killed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    """Mount one; whoever reads it must be another process, for this one serves it."""
    disk = DeafDisk(data)
    mountpoint.mkdir()
    # Past the page cache: there a read could be interrupted.
    server = threading.Thread(
        target=mfusepy.FUSE, args=(disk, str(mountpoint)),
        kwargs={"foreground": True, "direct_io": True}, name="deaf disk", daemon=True,
    )  # fmt: skip
    server.start()
    deadline = time.monotonic() + 10
    while not os.path.ismount(mountpoint):
        if not server.is_alive() or time.monotonic() > deadline:
            raise AssertionError("the deaf disk is not mounted: is fuse3 installed?")
        time.sleep(0.005)
    try:
        yield disk
    finally:
        disk.answers.set()
        subprocess.run(["fusermount3", "-u", "-z", str(mountpoint)], check=True)
        server.join(10)

"""A file system that a thread of the test serves, for the processes that the test starts."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mfusepy

_CLONE_FS = 0x200


@contextmanager
def served(
    disk: mfusepy.Operations, mountpoint: Path, *words: str, **options: bool
) -> Iterator[None]:
    """Mount one, with mfusepy's options; `words` are fusermount's where it is taken away again.

    Whoever uses it must be another process, for this one serves it.
    """
    mountpoint.mkdir()
    server = threading.Thread(
        target=_serve, args=(disk, mountpoint, options), name=mountpoint.name, daemon=True
    )
    server.start()
    deadline = time.monotonic() + 10
    while not os.path.ismount(mountpoint):
        if not server.is_alive() or time.monotonic() > deadline:
            raise AssertionError(f"{mountpoint} is not mounted: is fuse3 installed?")
        time.sleep(0.005)
    try:
        yield
    finally:
        subprocess.run(["fusermount3", "-u", *words, str(mountpoint)], check=True)
        server.join(10)


def _serve(disk: mfusepy.Operations, mountpoint: Path, options: dict[str, bool]) -> None:
    # libfuse goes to / when it begins to serve: let that be this thread's working folder alone.
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_FS) == -1:
        raise OSError(ctypes.get_errno(), "unshare")
    mfusepy.FUSE(disk, str(mountpoint), foreground=True, **options)

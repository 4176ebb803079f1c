"""SHA-256 of ranges of a file, beside the work of judging them."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from .segmentwalk import SegmentBytes

_BLOCK_BYTES = 1024 * 1024
# Hashing and reading release the interpreter's lock: two threads keep the judging thread fed.
_THREADS = 2


class RangeHasher:
    """Hashes ranges in the background; each thread has one buffer, however long a range is."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hash")
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, data: SegmentBytes, start: int, end: int) -> Future[str]:
        """The hash of the bytes from `start` up to `end`, as it will be."""
        return self._pool.submit(self._hash, data, start, end)

    def _hash(self, data: SegmentBytes, start: int, end: int) -> str:
        buffer: memoryview | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = memoryview(bytearray(_BLOCK_BYTES))
        digest = hashlib.sha256()
        while start < end:
            count = data.read_into(start, buffer[: min(_BLOCK_BYTES, end - start)])
            if not count:
                break
            digest.update(buffer[:count])
            start += count
        return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """The hash of a whole file, as `sha256sum` gives it."""
    with SegmentBytes(path) as data, RangeHasher() as hasher:
        return hasher.submit(data, 0, data.size).result()

"""The lines of a log as they were read, so that nothing that was signed about them reads them again.

What a second reading found could be another file: roots are of the bytes that were checked.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from ..formats.logline import MAX_LINE_BYTES
from ..formats.tlog import HASH_BYTES, leaf_hash, roots_of

# Where every so many lines begin is kept.
STEP = 64
_LIMIT = MAX_LINE_BYTES + 2


class LinesRead:
    """The leaf hash of every line of one log, and where to find a line again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.leaves = bytearray()
        self._offsets = array("q")

    def take(self, number: int, offset: int, data: bytes) -> None:
        """The next line, numbered from 1, and where it begins."""
        # `leaf_hash`, without its call: this is done for every line.
        self.leaves += sha256(b"\0" + data).digest()
        if number % STEP == 1:
            self._offsets.append(offset)

    def roots(self, sizes: Iterable[int]) -> dict[int, str]:
        """The Merkle root over the first so many lines, for each of these sizes that is there."""
        there = len(self.leaves) // HASH_BYTES
        found = roots_of(self.leaves, {size for size in sizes if 0 < size <= there})
        return {size: root.hex() for size, root in found.items()}

    def line(self, number: int) -> bytes | None:
        """A line that was read, without its newline; None if another one is there by now."""
        before, beyond = divmod(number - 1, STEP)
        try:
            with self._path.open("rb") as file:
                file.seek(self._offsets[before])
                for _ in range(beyond):
                    # One that is too long never comes into memory whole.
                    while (piece := file.readline(_LIMIT)) and not piece.endswith(b"\n"):
                        pass
                data = file.readline(_LIMIT).removesuffix(b"\n")
        except OSError:
            return None
        leaf = self.leaves[(number - 1) * HASH_BYTES : number * HASH_BYTES]
        return data if leaf_hash(data) == leaf else None

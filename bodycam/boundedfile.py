"""Files that somebody hands over: never read further than they may be long."""

from __future__ import annotations

from pathlib import Path

from .errors import CannotOpen


def read_bounded(path: Path, max_bytes: int, hint: str = "") -> bytes:
    """The content of a file, at most one byte more than it may have: by that the caller knows.

    Raises CannotOpen, with the hint, if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", hint) from fault

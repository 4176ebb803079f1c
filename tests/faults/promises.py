"""What a recorder promised to be durable, and whether a store keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bodycam.custody.logfacts import raw_lines
from bodycam.eventlog import LOG_FILE
from bodycam.formats.logline import decode_line

LOG = f"log/{LOG_FILE}"
_SIZES = {"seg.close": "size", "recovery": "bytes_intact"}


@dataclass(frozen=True, slots=True)
class Promise:
    """Holds from moment `moment` on: the file begins with `size` bytes of this hash; one that is
    `replaced` as a whole has just this content, or that of a later promise.
    """

    moment: int
    file: str
    size: int
    sha256: str
    replaced: bool

    @classmethod
    def of(cls, moment: int, told: dict[str, Any]) -> Promise:
        return cls(moment, told["file"], told["size"], told["sha256"], told["replaced"])


def broken(promises: Sequence[Promise], moment: int, store: Path) -> list[str]:
    """What was promised before this moment and is not in the store, or is not the same."""
    latest = {p.file: (n, p) for n, p in enumerate(promises) if p.moment < moment}
    return [
        fault
        for n, promise in latest.values()
        if (fault := _fault(promise, promises[:n], promises[n + 1 :], store / promise.file))
    ]


def _fault(
    promise: Promise, earlier: Sequence[Promise], later: Sequence[Promise], path: Path
) -> str | None:
    if not path.exists():
        return f"{promise.file}: is missing"
    data = path.read_bytes()
    if not promise.replaced:
        if hashlib.sha256(data[: promise.size]).hexdigest() == promise.sha256:
            return None
        return f"{promise.file}: of {promise.size} promised bytes {len(data)} are there, or others"
    found = hashlib.sha256(data).hexdigest()
    told = {p.sha256 for p in later if p.file == promise.file}
    if found == promise.sha256 or found in told:
        return None
    # Behind the last promise, what was just being put in its place may be there already.
    if told or found in {p.sha256 for p in earlier if p.file == promise.file}:
        return f"{promise.file}: {len(data)} bytes, not what was promised nor anything later"
    return None


def untrue(store: Path) -> list[str]:
    """What the log of a store says is in a file, and is not."""
    path = store / LOG
    lines = [line for line in raw_lines(path) if line.whole] if path.exists() else []
    said = [decode_line(line.data) for line in lines]
    return [
        f"{line.data['file']}: {line.ev} in line {line.seq} says {size} bytes"
        for line in said
        if (size := line.data.get(_SIZES.get(line.ev, "")))
        and _size(store / "evidence" / line.data["file"]) < size
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def empty_state_files(store: Path) -> list[str]:
    """Files that are replaced as a whole, and must never be seen without content."""
    return [
        f"log/{path.relative_to(store / 'log')} is empty"
        for path in (store / "log").rglob("*")
        if path.is_file() and path.name != LOG_FILE and path.suffix != ".new"
        if path.stat().st_size == 0
    ]

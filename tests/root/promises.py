"""The recorder's promises in the log of its disk's writes (observer/sitecustomize.py)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.faults.promises import LOG, Promise

from .writelog import WriteLog

STORE = PurePosixPath("/var/lib/bodycam")


@dataclass(frozen=True, slots=True)
class Mark:
    """A promise, and when it was made, in boot time."""

    promise: Promise
    at_ns: int


def read_marks(log: WriteLog, end: int, final: Path) -> list[Mark]:
    """All of them, in order; `final` is what the store held at the end."""
    found = []
    for number, entry in enumerate(log.entries):
        if entry.offset < end or not entry.length:
            continue
        raw = json.loads(log.data(entry).rstrip(b"\0"))
        path = LOG if "lines" in raw else str(PurePosixPath(raw["file"]).relative_to(STORE))
        if "sha256" in raw:
            promise = Promise(number, path, 0, raw["sha256"], replaced=True)
        else:
            data = (final / path).read_bytes()
            size = _length(data, raw["lines"]) if "lines" in raw else raw["size"]
            digest = hashlib.sha256(data[:size]).hexdigest()
            promise = Promise(number, path, size, digest, replaced=False)
        found.append(Mark(promise, raw["at_ns"]))
    return found


def _length(log: bytes, lines: int) -> int:
    end = 0
    for _ in range(lines):
        end = log.index(b"\n", end) + 1
    return end

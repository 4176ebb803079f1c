"""What the recorder promised (observer/sitecustomize.py), and whether a store keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bodycam.custody.logfacts import raw_lines
from bodycam.formats.logline import decode_line

from .writelog import WriteLog

STORE = PurePosixPath("/var/lib/bodycam")
LOG = "log/events.jsonl"
_SIZES = {"seg.close": "size", "recovery": "bytes_intact"}


@dataclass(frozen=True, slots=True)
class Promise:
    """Durable from entry `entry` of the disk's log on: the first `size` bytes of a file, the content
    with this hash or a later one, or so many lines of the log.
    """

    entry: int
    at_ns: int
    pid: int
    file: str
    size: int = 0
    lines: int = 0
    sha256: str = ""


def read_promises(log: WriteLog, end: int) -> list[Promise]:
    """All marks, in order."""
    found = []
    for number, entry in enumerate(log.entries):
        if entry.offset < end or not entry.length:
            continue
        raw = json.loads(log.data(entry).rstrip(b"\0"))
        path = LOG if "lines" in raw else str(PurePosixPath(raw["file"]).relative_to(STORE))
        found.append(
            Promise(number, raw["at_ns"], raw["pid"], path, raw.get("size", 0),
                    raw.get("lines", 0), raw.get("sha256", ""))
        )  # fmt: skip
    return found


class Account:
    """All promises of a run, against what its store held at the end."""

    def __init__(self, promises: Sequence[Promise], final: Path) -> None:
        self._promises = promises
        self._final = {
            str(path.relative_to(final)): path.read_bytes()
            for path in final.rglob("*")
            if path.is_file()
        }

    def broken(self, cut: int, store: Path) -> list[str]:
        """What was promised before this entry, and is not kept."""
        latest: dict[str, Promise] = {}
        for promise in self._promises:
            if promise.entry < cut:
                latest[promise.file] = promise
        return [fault for p in latest.values() if (fault := self._fault(p, store / p.file))]

    def untrue(self, store: Path) -> list[str]:
        """What the log of a state says is in a file, and is not."""
        path = store / LOG
        lines = [line for line in raw_lines(path) if line.whole] if path.exists() else []
        said = [decode_line(line.data) for line in lines]
        return [
            f"{line['data']['file']}: {line['ev']} in line {line['seq']} says {size} bytes"
            for line in said
            if (size := line["data"].get(_SIZES.get(line["ev"], "")))
            and _size(store / "evidence" / line["data"]["file"]) < size
        ]

    def _fault(self, promise: Promise, path: Path) -> str | None:
        if not path.exists():
            return f"{promise.file}: is missing"
        data = path.read_bytes()
        if promise.sha256:
            later = {
                p.sha256
                for p in self._promises
                if p.file == promise.file and p.entry >= promise.entry
            }
            if hashlib.sha256(data).hexdigest() not in later:
                return (
                    f"{promise.file}: {len(data)} bytes, neither the promised ones nor later ones"
                )
            return None
        final = self._final[promise.file]
        size = promise.size or _length(final, promise.lines)
        if data[:size] != final[:size]:
            return (
                f"{promise.file}: {size} bytes were promised, of {len(data)} they are not the same"
            )
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _length(log: bytes, lines: int) -> int:
    end = 0
    for _ in range(lines):
        end = log.index(b"\n", end) + 1
    return end

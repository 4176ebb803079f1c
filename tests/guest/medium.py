"""A card as a power cut left it, read on the host: its files, and whether what was promised is there."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .recorder import CARD


@dataclass(frozen=True, slots=True)
class Promise:
    """The bytes of a file from `start` to `end`, which a sync has made durable."""

    path: str
    start: int
    end: int
    crc: int

    @classmethod
    def parse(cls, line: str) -> Promise:
        """A line of the guest's port (files/promise.c); paths are those below the card's root."""
        path, start, end, crc = line.rsplit(" ", 3)
        below = PurePosixPath(path).relative_to(CARD)
        return cls(str(below), int(start), int(end), int(crc, 16))

    @property
    def lasts(self) -> bool:
        """Whether the file keeps its name: a draft is renamed once it is durable, a probe has none."""
        return not self.path.endswith((".new", " (deleted)"))


def mount_and_copy(image: Path, out: Path) -> Path:
    """What the kernel would find: replay the journal on a copy, and copy evidence and log to `out`."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    replayed = out / "card.img"
    shutil.copyfile(image, replayed)
    _run("e2fsck", "-E", "journal_only", "-y", str(replayed))
    checked = subprocess.run(
        ["e2fsck", "-fn", str(replayed)], check=False, capture_output=True, text=True
    )
    if checked.returncode:
        raise AssertionError(f"the file system is damaged:\n{checked.stdout}")
    store = out / "store"
    store.mkdir()
    for folder in ("evidence", "log"):
        _run("debugfs", "-R", f"rdump /{folder} {store}", str(replayed))
    replayed.unlink()
    return store


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode > 1:  # 1: e2fsck has put something right, as it was asked to
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")


def broken(promises: Iterable[Promise], store: Path) -> list[Promise]:
    """Those whose bytes are not in the store, or not the same."""
    missing = []
    for promise in promises:
        path = store / promise.path
        if not promise.lasts:
            continue
        if not path.exists():
            missing.append(promise)
            continue
        with path.open("rb") as file:
            file.seek(promise.start)
            data = file.read(promise.end - promise.start)
        if len(data) < promise.end - promise.start or zlib.crc32(data) != promise.crc:
            missing.append(promise)
    return missing

"""The crash states of one run: each mounted, held against the promises, recovered and verified."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from bodycam.clock import NS
from bodycam.recovery import examine
from bodycam.signing import load_file_key, load_root
from tests.faults.aftermath import NextStart, StillClock, contents
from tests.faults.promises import broken, empty_state_files, untrue

from .mounting import mounted
from .promises import Mark, read_marks
from .writelog import CrashState, LoggedDisk, Medium, WriteLog, crash_states


class BrokenPromise(AssertionError):
    """A state that a power cut may leave lacks what was promised, or is not honest."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left in its folder: the disk's log, its store at the end, identity, root."""

    folder: Path
    disk: LoggedDisk


class Crashes:
    """All that may be left of one run; a context, for it mounts."""

    def __init__(self, run: Run) -> None:
        folder = run.folder
        self._disk = run.disk
        self._log = WriteLog(run.disk.log)
        self._medium = Medium(run.disk.base, self._log, run.disk.end)
        self._marks = read_marks(self._log, run.disk.end, folder / "final")
        self._promises = [mark.promise for mark in self._marks]
        self._image, self._mounted = folder / "state.img", folder / "state"
        self._mounted.mkdir()
        self._next = NextStart(
            "BC-0001", load_file_key(folder / "identity"), load_root(folder / "root.pem"),
            StillClock(time.time_ns()), folder / "root.pem",
        )  # fmt: skip
        self._seen: set[frozenset[tuple[str, str]]] = set()
        self._kinds: Counter[str] = Counter()
        self.lost_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    @property
    def states_checked(self) -> int:
        return sum(self._kinds.values())

    @property
    def promised(self) -> set[str]:
        """The kinds of files of which something was promised."""
        names = (PurePosixPath(promise.file) for promise in self._promises)
        return {name.suffix or name.name for name in names}

    def states(self, dice: random.Random) -> Iterator[CrashState]:
        return crash_states(self._log, self._disk.end, dice)

    def summary(self) -> str:
        return (
            f"{len(self._log.entries)} requests, {len(self._marks)} promises; states: "
            f"{dict(self._kinds)}, {len(self._seen)} with different files"
        )

    def check(self, state: CrashState) -> None:
        """Raises BrokenPromise."""
        self._medium.write_state(state, self._image)
        with mounted(self._image, self._mounted) as found:
            self._check(state, found / "store")
        self._kinds[state.kind] += 1

    def _check(self, state: CrashState, store: Path) -> None:
        where = f"cut at {state.cut} of {len(self._log.entries)}, {state.kind}"
        if not store.exists():  # the test itself has not made it durable yet
            return
        found = broken(self._promises, state.cut, store) + untrue(store) + empty_state_files(store)
        if found:
            raise BrokenPromise(f"{where}: {found}")
        self._measure_loss(state.cut, store)
        files = frozenset(contents(store).items())
        if files in self._seen:
            return
        self._seen.add(files)
        before = evidence(store)
        try:
            accused = self._next.start(store).accuses()
            assert not accused, accused
            self._next.verify(store)
        except AssertionError as fault:
            raise BrokenPromise(f"{where}: {fault}") from fault
        if evidence(store) != before:
            raise BrokenPromise(f"{where}: the recovery changed evidence")

    def _measure_loss(self, cut: int, store: Path) -> None:
        # The cut came at the latest with the recording's next sync, which it forestalled.
        synced = [mark for mark in self._marks if mark.promise.file.endswith(".mp4")]
        earlier = [mark for mark in synced if mark.promise.moment < cut]
        later = [mark for mark in synced if mark.promise.moment >= cut]
        if not earlier or not later or not _same_recording(earlier[-1], later[0]):
            return
        folder = store / Path(earlier[-1].promise.file).parent
        ends = [end for path in folder.iterdir() if (end := examine(path).end_ns) is not None]
        if ends:
            self.lost_s = max(self.lost_s, (later[0].at_ns - max(ends)) / NS)


def _same_recording(one: Mark, other: Mark) -> bool:
    return Path(one.promise.file).parent == Path(other.promise.file).parent


def evidence(store: Path) -> dict[str, str]:
    """The files that no recovery may change."""
    return contents(store / "evidence")

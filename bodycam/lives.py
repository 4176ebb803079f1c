"""How often the recorder was started and did not end in order: kept beside its sockets, until a reboot.

A recorder whose fifth life in a minute begins has died four times in it. What kills it is not known, so
the capture worker does without what is not needed for pictures.
"""

from __future__ import annotations

import json
from pathlib import Path

from .clock import NS, Clock
from .crashloop import DEATHS, WITHIN_NS
from .eventlog import EventLog

_FILE = "lives.json"
# What a capture worker in safe mode does without.
LEFT_OUT = ["sound", "overlay", "lens check"]


class Lives:
    """The starts of the last minute; a file that cannot be read or written counts for nothing."""

    def __init__(self, runtime: Path, clock: Clock, log: EventLog) -> None:
        self._path = runtime / _FILE
        self._clock, self._log = clock, log

    def begin(self) -> bool:
        """Count this life; True if it is one of a crash loop, which is then said."""
        now_ns = self._clock.boot_ns()
        before = [at for at in self._read() if 0 <= now_ns - at <= WITHIN_NS]
        lives = [*before, now_ns][-DEATHS:]
        self._write(lives)
        loop = len(lives) == DEATHS
        if loop:
            self._log.append(
                "crashloop", who="recorder", deaths=DEATHS - 1, within_s=WITHIN_NS // NS,
                left_out=LEFT_OUT,
            )  # fmt: skip
        return loop

    def end(self) -> None:
        """Note that this life ended in order: what was before does not count any more."""
        self._write([])

    def _read(self) -> list[int]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return []
        return [at for at in found if isinstance(at, int)] if isinstance(found, list) else []

    def _write(self, lives: list[int]) -> None:
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(json.dumps(lives), encoding="ascii")
            draft.rename(self._path)
        except OSError:
            # Without /run there are no sockets and no status either: those say it.
            return

"""A mark of the log that lies off its card: an older card, or another one, is noticed at the start.

| mark                      | log on the card                          | answer                     |
|---------------------------|------------------------------------------|----------------------------|
| none, or not readable     | any                                      | none: nothing is known     |
| line N                    | has it                                   | none: the log went on      |
| line N                    | has fewer than N lines                   | shorter                    |
| line N                    | has N or more, and its line N is another | other                      |

Each line names the one before, so one line vouches for all before it. A power cut leaves the old mark
or the new one; only durable lines are marked, so no honest card is behind its mark.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from .eventlog import EventLog
from .store import storage_error, write_atomically

_VERSION = 1
_FILE = "log-mark"
_MAX_BYTES = 4096


class Rollback(Enum):
    """What is wrong with the log on the card."""

    SHORTER = "shorter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Mark:
    """So many lines of the log, where they end, and the hash of the last of them."""

    lines: int
    end: int
    last: str


class Anchor:
    """The mark of one log, in a folder on the camera's own memory; one thread uses it."""

    def __init__(self, folder: Path, log: EventLog) -> None:
        self._path = folder / _FILE
        self._log = log
        self._fault_said = False
        self.mark = self._read()

    def _read(self) -> Mark | None:
        try:
            with self._path.open("rb") as file:
                body, _, checksum = file.read(_MAX_BYTES).partition(b"\n")
            fields = json.loads(body)
            whole = checksum == _checksum(body) and fields.pop("v") == _VERSION
            return Mark(**fields) if whole else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Not evidence, and nothing rests on it: without a mark nothing is known.
            return None

    def judge(self) -> Rollback | None:
        """What is wrong with the log, which was just opened."""
        mark, log = self.mark, self._log
        if mark is None or mark.lines == 0:
            return None
        if log.durable.size < mark.lines:
            return Rollback.SHORTER
        return None if log.hash_of_line_before(mark.end) == mark.last else Rollback.OTHER

    def say(self, rollback: Rollback, lines: int) -> None:
        """Log what was found wrong with a log of so many lines."""
        marked = self.mark.lines if self.mark else 0
        self._log.append(
            "store.rollback", sync=True, why=rollback.value, lines=lines, marked=marked
        )

    def keep(self) -> None:
        """Mark the log's durable lines; a mark that cannot be written is said once."""
        head = self._log.durable
        mark = Mark(head.size, head.end, head.last)
        if mark == self.mark:
            return
        body = json.dumps({"v": _VERSION, **asdict(mark)}).encode()
        try:
            write_atomically(self._path, body + b"\n" + _checksum(body))
        except OSError as fault:
            if not self._fault_said:
                self._fault_said = True
                self._log.append("store.unanchored", reason=str(storage_error(fault, self._path)))
            return
        self.mark, self._fault_said = mark, False


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode() + b"\n"

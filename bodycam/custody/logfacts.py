"""What one event log is known to hold, and what was done to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..formats.logline import MAX_LINE_BYTES, is_torn
from .findings import Finding, Verdict, worst
from .segmentfacts import Closing

_BLOCK_BYTES = 256 * 1024


class LogAnswer(Enum):
    """What was done to a log, as far as signed statements and its own chain show."""

    EDITED = "lines altered"
    CUT = "cut"
    ROLLED_BACK = "rolled back"
    TWO_HISTORIES = "two histories"
    SPLICED = "spliced"
    CHECKPOINT_REPLAYED = "checkpoint replayed"
    CERTIFICATE_SWAPPED = "certificate swapped"


@dataclass(slots=True)
class SegmentEntry:
    """What the log says of one evidence file; `synced_bytes` where it was left after an I/O error."""

    file: str
    recording: str
    segment: int
    opened_line: int
    closing: Closing | None = None
    recovered: Closing | None = None
    explanation: str = ""
    synced_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event that whoever reads the report should know of."""

    line: int
    ev: str
    utc: str
    boot: str
    boot_ns: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody outside of the camera had this much of the log before them, and when."""

    by: str
    at: str
    lines: int

    def as_json(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at, "lines": self.lines}


class LineTime(NamedTuple):
    """When a line was written."""

    boot: str
    logged_ns: int


@dataclass(slots=True)
class LogFacts:
    """One log: what its lines say, and what was found wrong. Collected once, then not changed."""

    path: Path
    lines: int = 0
    torn_bytes: int = 0
    device: str = ""
    first_utc: str = ""
    last_utc: str = ""
    last_clock: tuple[str, int] = ("none", 0)
    last_ev: str = ""
    last_line: LineTime | None = None
    boot_began: LineTime | None = None
    boots: list[str] = field(default_factory=list)
    segments: dict[str, SegmentEntry] = field(default_factory=dict)
    events: list[LogEvent] = field(default_factory=list)
    origin: str = ""
    checkpoint_size: int = 0
    vouched_lines: int = 0
    vouched_by: list[Vouched] = field(default_factory=list)
    stamps_not_read: int = 0
    answers: list[LogAnswer] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return worst(self.findings)

    def answer(self, answer: LogAnswer) -> None:
        if answer not in self.answers:
            self.answers.append(answer)

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path), "verdict": self.verdict.value,
            "answers": [answer.value for answer in self.answers], "lines": self.lines,
            "torn_bytes": self.torn_bytes, "utc_from": self.first_utc, "utc_to": self.last_utc,
            "last_event": self.last_ev, "boots": self.boots, "origin": self.origin,
            "checkpoint_lines": self.checkpoint_size, "vouched_lines": self.vouched_lines,
            "vouched_by": [vouched.as_json() for vouched in self.vouched_by],
            "events": [
                {"line": e.line, "ev": e.ev, "utc": e.utc, "data": e.data} for e in self.events
            ],
        }  # fmt: skip


class RawLine(NamedTuple):
    """One line of a file that may hold anything; `data` without its newline.

    A line that is not `whole` is torn, with all that follows `offset`.
    """

    number: int
    offset: int
    data: bytes
    whole: bool
    too_long: bool


def raw_lines(path: Path) -> Iterator[RawLine]:
    """The lines of a log up to the first torn one, each at most `MAX_LINE_BYTES` in memory."""
    number = offset = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            plain = _plain_lines(block)
            for data in plain:
                number += 1
                yield RawLine(number, offset, data, True, False)
                offset += len(data) + 1
            file.seek(offset)
            if plain:
                continue
            number += 1
            line = _line_by_itself(file, number, offset)
            yield line
            if not line.whole:
                return
            offset = file.tell()


def _plain_lines(block: bytes) -> list[bytes]:
    """The lines that end in this block, if each is as a log has it: no NUL, and not too long."""
    lines = block.split(b"\n")
    rest = lines.pop()
    if block.find(b"\0", 0, len(block) - len(rest)) >= 0:
        return []
    return lines if max(map(len, lines), default=0) <= MAX_LINE_BYTES else []


def _line_by_itself(file: BinaryIO, number: int, offset: int) -> RawLine:
    limit = MAX_LINE_BYTES + 2
    raw = file.readline(limit)
    size = len(raw)
    if size < limit and is_torn(raw):
        return RawLine(number, offset, raw.removesuffix(b"\n"), whole=False, too_long=False)
    whole = raw.endswith(b"\n")
    too_long = not whole and size == limit
    ended = whole
    while too_long and not ended and (rest := file.readline(limit)):
        ended = rest.endswith(b"\n")
    return RawLine(number, offset, raw[:-1] if whole else raw, ended, too_long)

"""What the recorder must know from an existing log, and a note of it for the next start.

Reading a long log anew takes seconds on a small board. `log/resume` says what was known after so
many lines; it is believed only if its own checksum holds and the log's line at that place is the
one it names, and what follows is read as always. Without it everything is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any, BinaryIO

from .errors import EvidenceError
from .formats.logline import GENESIS, MAX_LINE_BYTES, decode_line, is_torn
from .formats.tlog import Tree

RESUME_FILE = "resume"
RESUME_VERSION = 2
MAX_RESUME_BYTES = 256 * 1024
_MARKS = (
    b'"ev":"boot"', b'"ev":"shutdown"', b'"ev":"seg.', b'"ev":"recovery"', b'"ev":"gap"',
    b'"ev":"log.torn"', b'"ev":"rec.stop"',
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A segment that the log says was opened and never closed.

    `followed`: it was left after an I/O error, and its recording went on elsewhere or came to its end.
    """

    recording: str
    segment: int
    file: str
    followed: bool = False


@dataclass(frozen=True, slots=True)
class TornTail:
    """A file of what was set aside at the log's end."""

    file: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the log knew when it was opened again.

    `torn` are the tails that no line tells of yet. `left` is an interrupted segment of
    which the log has told, while nothing was recorded since: the start itself was cut off.
    `gap_told`: it has told of the gap after it, too.
    `vouched_lines`: what its checkpoint vouches for and is not there: lines were cut off, or changed.
    """

    lines: int
    torn: tuple[TornTail, ...]
    unclean: bool
    last_boot: str
    last_boot_ns: int
    open_segments: tuple[OpenSegment, ...]
    damaged_lines: int
    left: OpenSegment | None
    gap_told: bool
    vouched_lines: int | None = None


@dataclass(frozen=True, slots=True)
class LogHead:
    """So many lines of the log, and their Merkle root; where they end, and the last one's hash."""

    size: int
    root: bytes
    end: int = field(default=0, compare=False)
    last: str = field(default=GENESIS, compare=False)


class LogKnowledge:
    """Tree, chain and open segments of a log, kept up line by line."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.prev = GENESIS
        self.good_bytes = 0
        self.torn_bytes = 0
        self._open: dict[str, OpenSegment] = {}
        self._left: OpenSegment | None = None
        self._gap_told = False
        self.torn_told = ""
        self._clean = True
        self._last = b""
        self._damaged = 0

    @property
    def head(self) -> LogHead:
        """The log as far as it is known."""
        return LogHead(self.tree.size, self.tree.root(), self.good_bytes, self.prev)

    def line(self, line: bytes) -> None:
        """Take the next line, without its newline."""
        self.tree.append(line)
        self.prev = hashlib.sha256(line).hexdigest()
        self.good_bytes += len(line) + 1
        self._last = line
        # Parsing every heartbeat of a long log would delay READY: only what is asked for.
        if not any(mark in line for mark in _MARKS):
            return
        try:
            said = decode_line(line)
            self._take(said.ev, said.data)
        except (EvidenceError, KeyError, TypeError):
            # The verifier names it; the camera goes on and records.
            self._damaged += 1

    def _take(self, ev: str, data: dict[str, Any]) -> None:
        match ev:
            case "boot":
                self._clean = False
            case "shutdown":
                self._clean, self._left = True, None
            case "seg.open":
                self._follow(data["rec"])
                self._open[data["file"]] = OpenSegment(data["rec"], data["seg"], data["file"])
                self._left = None
            case "rec.stop" if data.get("reason") != "storage":
                self._follow(data["rec"])
            case "seg.close":
                self._open.pop(data["file"], None)
            case "recovery":
                told = self._open.pop(data["file"], None)
                if data["last"] and not (told and told.followed):
                    self._left, self._gap_told = told, False
            case "log.torn":
                self.torn_told = data["file"]
            case "gap":
                self._gap_told = True

    def _follow(self, recording: str) -> None:
        for file, segment in self._open.items():
            if segment.recording == recording:
                self._open[file] = replace(segment, followed=True)

    def read(self, file: BinaryIO) -> None:
        """Take what the file holds from its position on, up to the first torn line."""
        for raw in file:
            if is_torn(raw):
                self.torn_bytes = len(raw) + len(file.read())
                return
            self.line(raw[:-1])

    def recovered(self, torn: tuple[TornTail, ...]) -> Recovered:
        """All of it; `torn` is what was found to have been set aside."""
        boot, boot_ns, damaged = "", 0, self._damaged
        if self._last:
            try:
                said = decode_line(self._last)
                boot, boot_ns = said.boot, said.boot_ns
            except EvidenceError:
                damaged += 1
        lines = self.tree.size
        return Recovered(
            lines, torn, lines > 0 and not self._clean, boot, boot_ns,
            tuple(self._open.values()), damaged, self._left, self._gap_told,
        )  # fmt: skip

    # -- the note for the next start ----------------------------------------------------------

    def resume_note(self) -> bytes:
        """What is known now; write it only once all these lines are durable."""
        body = json.dumps({
            "v": RESUME_VERSION, "lines": self.tree.size, "bytes": self.good_bytes,
            "prev": self.prev, "peaks": [peak.hex() for peak in self.tree.peaks],
            "clean": self._clean, "damaged": self._damaged,
            "open": [asdict(segment) for segment in self._open.values()],
            "left": asdict(self._left) if self._left else None, "gap_told": self._gap_told,
            "torn_told": self.torn_told,
        }).encode()  # fmt: skip
        return body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


def read_log(fd: int, note: bytes | None) -> LogKnowledge:
    """What the log in `fd` says, going on from the note if that fits the log."""
    known = _resumed(fd, note) if note is not None else None
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(known.good_bytes if known else 0)
        known = known or LogKnowledge()
        known.read(file)
    return known


def _resumed(fd: int, note: bytes) -> LogKnowledge | None:
    """The knowledge that the note describes; None unless the log's line there is its line."""
    body, _, checksum = note.partition(b"\n")
    if checksum != hashlib.sha256(body).hexdigest().encode() + b"\n":
        return None
    known = LogKnowledge()
    try:
        fields = json.loads(body)
        lines, good_bytes = int(fields["lines"]), int(fields["bytes"])
        if fields["v"] != RESUME_VERSION or lines < 1 or not 0 < good_bytes < 2**62:
            return None
        known.tree = Tree(lines, [bytes.fromhex(peak) for peak in fields["peaks"]])
        known.prev, known.good_bytes = fields["prev"], good_bytes
        known._clean, known._damaged = fields["clean"], fields["damaged"]
        known._open = {s["file"]: OpenSegment(**s) for s in fields["open"]}
        known._left = OpenSegment(**fields["left"]) if fields["left"] else None
        known._gap_told, known.torn_told = fields["gap_told"], fields["torn_told"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, EvidenceError):
        return None
    known._last = line_before(fd, known.good_bytes)
    return known if hashlib.sha256(known._last).hexdigest() == known.prev else None


def line_before(fd: int, end: int) -> bytes:
    """The line that ends there with its newline; nothing if none does."""
    start = max(0, end - MAX_LINE_BYTES - 2)
    tail = os.pread(fd, end - start, start)
    if len(tail) != end - start or not tail.endswith(b"\n"):
        return b""
    return tail[:-1].rpartition(b"\n")[2]

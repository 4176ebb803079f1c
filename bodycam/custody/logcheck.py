"""Verifies the event log by itself: checks 12 and 13 of `verify`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import EvidenceError
from ..eventlog import CHECKPOINT_FILE, LOG_FILE
from ..formats import tlog
from ..formats.logline import GENESIS, MAX_LINE_BYTES, check_frame, decode_line
from ..signing import check, fingerprint
from .findings import Check, Finding, Findings, Verdict, worst
from .segmentfacts import Closing

_MAX_EVENTS = 1000
_NOTED = frozenset((
    "gap", "boot.unclean", "log.torn", "storage.full", "clock.step", "capture.stall",
    "capture.exit", "shutdown",
))  # fmt: skip


@dataclass(slots=True)
class SegmentEntry:
    """What the log says of one evidence file."""

    file: str
    recording: str
    segment: int
    opened_line: int
    closing: Closing | None = None
    recovered: Closing | None = None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event that whoever reads the report should know of."""

    line: int
    ev: str
    utc: str
    boot: str
    boot_ns: int
    data: dict[str, Any]


@dataclass(slots=True)
class LogFacts:
    """One log: what its lines say, and what was found wrong. Collected once, then not changed."""

    path: Path
    lines: int = 0
    torn_bytes: int = 0
    first_utc: str = ""
    last_utc: str = ""
    last_ev: str = ""
    boots: list[str] = field(default_factory=list)
    segments: dict[str, SegmentEntry] = field(default_factory=dict)
    events: list[LogEvent] = field(default_factory=list)
    origin: str = ""
    checkpoint_size: int = 0
    vouched_lines: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return worst(self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path), "verdict": self.verdict.value, "lines": self.lines,
            "torn_bytes": self.torn_bytes, "utc_from": self.first_utc, "utc_to": self.last_utc,
            "last_event": self.last_ev, "boots": self.boots, "origin": self.origin,
            "checkpoint_lines": self.checkpoint_size, "vouched_lines": self.vouched_lines,
            "events": [
                {"line": e.line, "ev": e.ev, "utc": e.utc, "data": e.data} for e in self.events
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a file that may hold anything; `data` without its newline."""

    number: int
    data: bytes
    whole: bool
    too_long: bool


def raw_lines(path: Path) -> Iterator[RawLine]:
    """The lines of a log, each at most `MAX_LINE_BYTES` in memory."""
    limit = MAX_LINE_BYTES + 2
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(limit):
            number += 1
            whole = raw.endswith(b"\n")
            too_long = not whole and len(raw) == limit
            ended = whole
            while too_long and not ended and (rest := file.readline(limit)):
                ended = rest.endswith(b"\n")
            yield RawLine(number, raw[:-1] if whole else raw, ended, too_long)


class LogCheck:
    """Reads one log twice: its lines, then the roots that signed statements name."""

    def __init__(self, path: Path, label: str) -> None:
        self.path = path / LOG_FILE if path.is_dir() else path
        self._found = Findings(label)
        self.facts = LogFacts(self.path)
        self._prev = GENESIS
        self._seq = 0
        self._bad_line = 0

    def read_lines(self) -> LogFacts:
        """(12) Every line stands in its own frame, follows the one before, and is numbered."""
        try:
            for line in raw_lines(self.path):
                if not line.whole:
                    self._take_tail(line)
                    break
                self._take(line)
        except OSError as fault:
            self._found.add(
                Check.LOG_LINES, Verdict.UNREADABLE, "", f"{fault.strerror}: check the path"
            )
        self.facts.findings = self._found.done()
        return self.facts

    def _take(self, line: RawLine) -> None:
        facts, place = self.facts, f"line {line.number}"
        prev, self._prev = self._prev, hashlib.sha256(line.data).hexdigest()
        facts.lines = line.number
        seq, self._seq = self._seq, self._seq + 1
        try:
            if line.too_long:
                raise EvidenceError(f"line is longer than {MAX_LINE_BYTES} bytes")
            fields = decode_line(line.data)
        except EvidenceError as fault:
            self._bad(line.number, fault.message)
            return
        after_bad = self._bad_line and self._bad_line == line.number - 1
        if fields["seq"] != seq and not after_bad:
            self._bad(line.number, f"has number {fields['seq']} where {seq} is expected")
        elif fields["prev"] != prev and not after_bad:
            self._bad(line.number, "does not follow the line before it")
        self._seq = fields["seq"] + 1
        try:
            self._collect(line.number, fields)
        except (KeyError, TypeError, ValueError) as fault:
            self._found.altered(
                Check.LOG_LINES, place, f"event {fields['ev']!r} lacks proper data: {fault!r}"
            )

    def _bad(self, number: int, text: str) -> None:
        self._bad_line = number
        self._found.altered(Check.LOG_LINES, f"line {number}", text)

    def _take_tail(self, line: RawLine) -> None:
        place = f"line {line.number}"
        try:
            check_frame(line.data[:-1])
        except EvidenceError:
            self.facts.torn_bytes = len(line.data)
            self._found.incomplete(
                Check.LOG_LINES, place,
                f"torn last line: {len(line.data)} bytes without a newline prove nothing",
            )  # fmt: skip
            return
        self._bad(line.number, "a whole line that does not end in a newline: changed after")

    def _collect(self, number: int, fields: dict[str, Any]) -> None:
        facts, ev, data = self.facts, fields["ev"], fields["data"]
        utc = str(fields["utc"])
        facts.first_utc = facts.first_utc or utc
        facts.last_utc, facts.last_ev = utc, ev
        if fields["boot"] not in facts.boots and len(facts.boots) < _MAX_EVENTS:
            facts.boots.append(fields["boot"])
        if ev in _NOTED and len(facts.events) < _MAX_EVENTS:
            facts.events.append(
                LogEvent(number, ev, utc, fields["boot"], fields["boot_ns"], dict(data))
            )
        match ev:
            case "seg.open":
                facts.segments[_text(data, "file")] = SegmentEntry(
                    _text(data, "file"), _text(data, "rec"), _whole(data, "seg"), number
                )
            case "seg.close":
                entry = facts.segments.get(_text(data, "file"))
                closing = Closing(
                    _whole(data, "size"), _whole(data, "frags"), _text(data, "last"),
                    _text(data, "reason"), number,
                )  # fmt: skip
                if entry is not None:
                    entry.closing = closing
            case "recovery" | "io.error":
                entry = facts.segments.get(str(data.get("file")))
                if entry is None:
                    return
                entry.explanation = f"{ev} in line {number}"
                if ev == "recovery":
                    entry.recovered = Closing(
                        _whole(data, "bytes_total"), _whole(data, "frags"),
                        _text(data, "last"), ev, number,
                    )  # fmt: skip

    # -- (13) signed statements about the log -------------------------------------------------

    def check_statements(
        self,
        keys: Mapping[bytes, tuple[ec.EllipticCurvePublicKey, bool]],
        heads: Mapping[int, tuple[str, str, bool]],
    ) -> LogFacts:
        """Compare the checkpoint, and the heads that fragments carry, with the lines.

        `keys` by their checkpoint key id, with whether their certificate is trusted; `heads` are
        {size: (root, where, trusted)}.
        """
        note = self._read_checkpoint()
        if note is not None:
            self.facts.origin, self.facts.checkpoint_size = note.origin, note.size
        wanted = {size for size in (*heads, note.size if note else 0) if size}
        roots = self._roots({size for size in wanted if size <= self.facts.lines})
        trusted = self._check_note(note, keys, roots) if note else 0
        for size in sorted(heads):
            root, where, is_trusted = heads[size]
            if self._check_root(size, root, where, roots) and is_trusted:
                trusted = max(trusted, size)
        self.facts.vouched_lines = trusted
        self._judge_vouched(note is not None)
        self.facts.findings = self._found.done()
        return self.facts

    def _read_checkpoint(self) -> tlog.Checkpoint | None:
        path = self.path.with_name(CHECKPOINT_FILE)
        if not path.exists():
            return None
        try:
            with path.open("rb") as file:
                return tlog.read_checkpoint_unverified(file.read(tlog.MAX_CHECKPOINT_BYTES + 1))
        except OSError as fault:
            self._found.add(
                Check.LOG_ROOT, Verdict.UNREADABLE, CHECKPOINT_FILE, str(fault.strerror)
            )
        except EvidenceError as fault:
            self._found.altered(Check.LOG_ROOT, CHECKPOINT_FILE, fault.message)
        return None

    def _roots(self, sizes: set[int]) -> dict[int, str]:
        tree, roots = tlog.Tree(), {}
        if sizes:
            for line in raw_lines(self.path):
                tree.append(line.data)
                if tree.size in sizes:
                    roots[tree.size] = tree.root().hex()
                    if len(roots) == len(sizes):
                        break
        return roots

    def _check_note(
        self,
        note: tlog.Checkpoint,
        keys: Mapping[bytes, tuple[ec.EllipticCurvePublicKey, bool]],
        roots: Mapping[int, str],
    ) -> int:
        root_holds = self._check_root(note.size, note.root.hex(), CHECKPOINT_FILE, roots)
        if note.key_id not in keys:
            self._found.add(
                Check.LOG_ROOT, Verdict.UNTRUSTED, CHECKPOINT_FILE,
                "is signed by a key whose certificate is not among what was given: "
                "verify the log together with its recordings",
            )  # fmt: skip
            return 0
        key, trusted = keys[note.key_id]
        try:
            check(key, note.body, note.signature)
        except EvidenceError:
            self._found.altered(
                Check.LOG_ROOT, CHECKPOINT_FILE, "the checkpoint's signature does not hold"
            )
            return 0
        return note.size if root_holds and trusted else 0

    def _check_root(self, size: int, root: str, where: str, roots: Mapping[int, str]) -> bool:
        if size > self.facts.lines:
            self._found.incomplete(
                Check.LOG_ROOT, where,
                f"vouches for {size} lines of the log, {self.facts.lines} are there: "
                "the end of the log is missing",
            )  # fmt: skip
            return False
        if size == 0 or roots.get(size) == root:
            return True
        behind = self._bad_line or None
        if behind is None:
            self._found.altered(
                Check.LOG_ROOT, where,
                f"the first {size} lines of the log are not those that it vouches for",
            )  # fmt: skip
        return False

    def _judge_vouched(self, has_note: bool) -> None:
        facts = self.facts
        if self._bad_line or facts.vouched_lines >= facts.lines:
            return
        low = facts.vouched_lines + 1
        if not facts.vouched_lines:
            if not has_note:
                self._found.add(
                    Check.LOG_ROOT, Verdict.UNTRUSTED, CHECKPOINT_FILE,
                    "is missing: the log is chained, but nobody signed it",
                )  # fmt: skip
            return
        self._found.incomplete(
            Check.LOG_ROOT, f"line {low}",
            f"lines {low} to {facts.lines} are chained, but not signed by any checkpoint yet",
        )  # fmt: skip


def key_id(key: ec.EllipticCurvePublicKey) -> bytes:
    """The four bytes by which a checkpoint names the key that signed it."""
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return bytes.fromhex(fingerprint(spki))[:4]


def _text(data: dict[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError(f"{name!r} is not a text")
    return value


def _whole(data: dict[str, Any], name: str) -> int:
    value = data[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise ValueError(f"{name!r} is not a whole number")
    return value

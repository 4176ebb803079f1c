"""Verifies the lines of the event log by themselves: check 12 of `verify`."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import UNSET

from ..errors import EvidenceError
from ..eventlog import LOG_FILE
from ..formats.logline import GENESIS, MAX_LINE_BYTES, LogLine, check_frame, decode_line
from .findings import Check, Findings, Verdict
from .linesread import LinesRead
from .logfacts import LineTime, LogAnswer, LogEvent, LogFacts, RawLine, SegmentEntry, raw_lines
from .segmentfacts import Closing

_MAX_EVENTS = 1000
_NOTED = frozenset((
    "gap", "boot.unclean", "log.torn", "storage.full", "clock.step", "capture.stall",
    "capture.exit", "shutdown",
))  # fmt: skip


# What these say is checked against more than the line's own frame and place.
_SEGMENTS = frozenset(("seg.open", "seg.close", "recovery", "io.error"))

TakeLine = Callable[[int, LogLine], None]
Follow = Callable[[Path], TakeLine]


class LogCheck:
    """Reads the lines of one log, once: `read` has what `LogRootCheck` needs of them.

    What `follow` gives for the path is handed number and fields of each line that stands in its own frame
    and follows the one before: whether somebody signed for it, `LogFacts.vouched_lines` says later.
    It is asked at the first such line.
    """

    def __init__(self, path: Path, label: str, follow: Follow | None = None) -> None:
        self.path = path / LOG_FILE if path.is_dir() else path
        self.label = label
        self.found = Findings(label)
        self.facts = LogFacts(self.path)
        self.read = LinesRead(self.path)
        self.bad_line = 0
        self._follow = follow
        self._told: TakeLine | None = None
        self._prev = GENESIS
        self._seq = 0
        self._boot: str | None = None
        self._logged_ns = 0

    def read_lines(self) -> LogFacts:
        """(12) Every line stands in its own frame, follows the one before, and is numbered."""
        try:
            for line in raw_lines(self.path):
                if not line.whole:
                    self._take_tail(line)
                    break
                self._take(line)
        except OSError as fault:
            self.found.add(
                Check.LOG_LINES, Verdict.UNREADABLE, "", f"{fault.strerror}: check the path"
            )
        if self._boot is not None:
            self.facts.last_line = LineTime(self._boot, self._logged_ns)
        self.facts.findings = self.found.done()
        return self.facts

    def _take(self, raw: RawLine) -> None:
        number, offset, data, _, too_long = raw
        self.facts.lines = number
        self.read.take(number, offset, data)
        prev, self._prev = self._prev, sha256(data).hexdigest()
        seq, self._seq = self._seq, self._seq + 1
        try:
            if too_long:
                raise EvidenceError(f"line is longer than {MAX_LINE_BYTES} bytes")
            line = decode_line(data)
        except EvidenceError as fault:
            self._bad(number, fault.message)
            return
        bad_before = self.bad_line
        if line.seq != seq or line.prev != prev:
            self._check_place(number, line, seq)
        self._seq = line.seq + 1
        try:
            self._collect(number, line)
            if self._follow is not None and self.bad_line == bad_before:
                if self._told is None:
                    self._told = self._follow(self.path)
                self._told(number, line)
        except (KeyError, TypeError, ValueError, OverflowError) as fault:
            self.found.altered(
                Check.LOG_LINES, f"line {number}",
                f"event {line.ev!r} lacks proper data: {fault!r}",
            )  # fmt: skip

    def _check_place(self, number: int, line: LogLine, seq: int) -> None:
        if self.bad_line and self.bad_line == number - 1:
            return  # what comes behind a bad line cannot follow it
        if line.seq != seq:
            self._bad(number, f"has number {line.seq} where {seq} is expected")
        else:
            self._bad(number, "does not follow the line before it")

    def _bad(self, number: int, text: str) -> None:
        self.bad_line = number
        self.facts.answer(LogAnswer.EDITED)
        self.found.altered(Check.LOG_LINES, f"line {number}", text)

    def _take_tail(self, line: RawLine) -> None:
        place = f"line {line.number}"
        try:
            check_frame(line.data[:-1])
        except EvidenceError:
            self.facts.torn_bytes = self.path.stat().st_size - line.offset
            self.found.incomplete(
                Check.LOG_LINES, place,
                f"torn last line: {self.facts.torn_bytes} bytes prove nothing",
            )  # fmt: skip
            return
        self._bad(line.number, "a whole line that does not end in a newline: changed after")

    def _collect(self, number: int, line: LogLine) -> None:
        facts, ev, boot = self.facts, line.ev, line.boot
        facts.last_utc = line.utc
        if not facts.first_utc:
            facts.first_utc = line.utc
        facts.last_ev = ev
        clk, unc_ms, logged_ns = line.clk, line.unc_ms, line.logged_ns
        facts.last_clock = (
            "none" if clk is UNSET else str(clk), 0 if unc_ms is UNSET else int(unc_ms)
        )  # fmt: skip
        logged_ns = int(line.boot_ns if logged_ns is UNSET else logged_ns)
        last, self._boot, self._logged_ns = self._boot, boot, logged_ns
        if boot != last or ev == "boot":
            self._follow_boot(number, line, last)
        if ev in _NOTED and len(facts.events) < _MAX_EVENTS:
            facts.events.append(LogEvent(number, ev, line.utc, boot, line.boot_ns, line.data))
        if ev in _SEGMENTS:
            self._collect_segment(number, ev, line.data)

    def _follow_boot(self, number: int, line: LogLine, last: str | None) -> None:
        """One camera, and each boot begins with `boot`: else lines of another log were put in."""
        facts, ev, boot = self.facts, line.ev, line.boot
        if boot != last:
            if last is not None and ev != "boot":
                self._spliced(number, "is of another boot, which never began in this log")
            if boot not in facts.boots and len(facts.boots) < _MAX_EVENTS:
                facts.boots.append(boot)
        if ev != "boot":
            return
        facts.boot_began = LineTime(boot, self._logged_ns)
        device = str(line.data.get("device", facts.device))
        if facts.device and device != facts.device:
            self._spliced(number, f"is of camera {device}, the lines before are of {facts.device}")
        facts.device = facts.device or device

    def _spliced(self, number: int, text: str) -> None:
        if self.bad_line and number - self.bad_line <= 1:
            return  # a hole in the numbers says already that lines are gone
        self.facts.answer(LogAnswer.SPLICED)
        self.found.altered(
            Check.LOG_LINES, f"line {number}", f"{text}: two logs were spliced together"
        )

    def _collect_segment(self, number: int, ev: str, data: dict[str, Any]) -> None:
        facts = self.facts
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
                if ev == "io.error":
                    entry.synced_bytes = _whole(data, "synced_bytes")
                if ev == "recovery":
                    entry.recovered = Closing(
                        _whole(data, "bytes_total"), _whole(data, "frags"),
                        _text(data, "last"), ev, number,
                    )  # fmt: skip


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

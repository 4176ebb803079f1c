"""Verifies the lines of the event log by themselves: check 12 of `verify`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import EvidenceError
from ..eventlog import LOG_FILE
from ..formats.logline import GENESIS, MAX_LINE_BYTES, check_frame, decode_line
from .findings import Check, Findings, Verdict
from .logfacts import LineTime, LogAnswer, LogEvent, LogFacts, RawLine, SegmentEntry, raw_lines
from .segmentfacts import Closing

_MAX_EVENTS = 1000
_NOTED = frozenset((
    "gap", "boot.unclean", "log.torn", "storage.full", "clock.step", "capture.stall",
    "capture.exit", "shutdown",
))  # fmt: skip


Follow = Callable[[Path, int, dict[str, Any]], None]


class LogCheck:
    """Reads the lines of one log.

    `follow` is handed the path, number and fields of each line that stands in its own frame and
    follows the one before: whether somebody signed for it, `LogFacts.vouched_lines` says later.
    """

    def __init__(self, path: Path, label: str, follow: Follow | None = None) -> None:
        self.path = path / LOG_FILE if path.is_dir() else path
        self.label = label
        self.found = Findings(label)
        self.facts = LogFacts(self.path)
        self._follow = follow
        self._prev = GENESIS
        self._seq = 0
        self.bad_line = 0

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
        self.facts.findings = self.found.done()
        return self.facts

    def _take(self, line: RawLine) -> None:
        facts = self.facts
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
        bad_before = self.bad_line
        after_bad = self.bad_line and self.bad_line == line.number - 1
        if fields["seq"] != seq and not after_bad:
            self._bad(line.number, f"has number {fields['seq']} where {seq} is expected")
        elif fields["prev"] != prev and not after_bad:
            self._bad(line.number, "does not follow the line before it")
        self._seq = fields["seq"] + 1
        try:
            self._collect(line.number, fields)
            if self._follow is not None and self.bad_line == bad_before:
                self._follow(self.path, line.number, fields)
        except (KeyError, TypeError, ValueError) as fault:
            self.found.altered(
                Check.LOG_LINES, f"line {line.number}",
                f"event {fields['ev']!r} lacks proper data: {fault!r}",
            )  # fmt: skip

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

    def _collect(self, number: int, fields: dict[str, Any]) -> None:
        facts, ev, data = self.facts, fields["ev"], fields["data"]
        utc = str(fields["utc"])
        facts.first_utc = facts.first_utc or utc
        facts.last_utc, facts.last_ev = utc, ev
        facts.last_clock = (str(fields.get("clk", "none")), int(fields.get("unc_ms", 0)))
        self._follow_boot(number, fields)
        if ev in _NOTED and len(facts.events) < _MAX_EVENTS:
            facts.events.append(
                LogEvent(number, ev, utc, fields["boot"], fields["boot_ns"], dict(data))
            )
        self._collect_segment(number, ev, data)

    def _follow_boot(self, number: int, fields: dict[str, Any]) -> None:
        """One camera, and each boot begins with `boot`: else lines of another log were put in."""
        facts, ev = self.facts, fields["ev"]
        here = LineTime(fields["boot"], int(fields.get("logged_ns", fields["boot_ns"])))
        last, facts.last_line = facts.last_line, here
        if last is None or here.boot != last.boot:
            if last is not None and ev != "boot":
                self._spliced(number, "is of another boot, which never began in this log")
            if here.boot not in facts.boots and len(facts.boots) < _MAX_EVENTS:
                facts.boots.append(here.boot)
        if ev != "boot":
            return
        facts.boot_began = here
        device = str(fields["data"].get("device", facts.device))
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

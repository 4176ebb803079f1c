"""What the log tells of a shift: when the camera ran, recorded, was switched, and was not able to.

Nothing is judged here, and nothing is expected: a field that an event lacks is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from msgspec import UNSET

from ..clock import NS, utc_from_text
from ..errors import EvidenceError
from ..formats.logline import LogLine, decode_line
from .logfacts import raw_lines

MAX_EVENTS = 500_000


@dataclass(slots=True)
class Span:
    """A stretch of time, in UTC ns; `kind` says what it was."""

    kind: str
    from_ns: int
    to_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, in UTC ns."""

    kind: str
    at_ns: int
    text: str


@dataclass(slots=True)
class Recorded:
    """One recording as the log tells it; times in UTC ns, None where the log does not say."""

    recording: str
    cause: str = ""
    pressed_ns: int | None = None
    first_ns: int | None = None
    asked_ms: int | None = None
    actual_ms: int | None = None
    reason: str = ""
    audio: bool | None = None
    tail_ns: int | None = None
    stopped_ns: int | None = None
    stop_reason: str = ""
    strain: tuple[str, ...] = ()
    cut_ns: int | None = None
    gaps: int = 0

    @property
    def end_ns(self) -> int | None:
        """When it ended, in whichever way."""
        return self.stopped_ns if self.stopped_ns is not None else self.cut_ns


@dataclass(slots=True)
class Shift:
    """The whole log, as far as a page shows it."""

    device: str = ""
    firmware: str = ""
    from_ns: int = 0
    to_ns: int = 0
    clock: str = ""
    unc_ms: int = 0
    lines: int = 0
    on: list[Span] = field(default_factory=list)
    ready: list[Span] = field(default_factory=list)
    switch: list[Span] = field(default_factory=list)
    muted: list[Span] = field(default_factory=list)
    covert: list[Span] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    toggles: list[Mark] = field(default_factory=list)
    recordings: dict[str, Recorded] = field(default_factory=dict)


def place_cuts(shift: Shift, last_ns: Mapping[str, int]) -> None:
    """Let interrupted recordings end where their last picture does, as the files prove."""
    for name, at_ns in last_ns.items():
        recorded = shift.recordings.get(name)
        if recorded is None or recorded.stopped_ns is not None:
            continue
        recorded.cut_ns = at_ns
        for span in (*shift.on, *shift.ready):
            if span.from_ns <= (recorded.first_ns or at_ns) <= span.to_ns < at_ns:
                span.to_ns = at_ns


def read_shift(log: Path) -> Shift:
    """The shift that a log tells of; an empty one if there is no log."""
    reader = _Reader()
    if log.is_file():
        for raw in raw_lines(log):
            if raw.number > MAX_EVENTS:
                break
            try:
                reader.take(decode_line(raw.data))
            except EvidenceError:
                continue  # the verifier's findings name the line
    return reader.finish()


_MARKS = {
    "marker": "marker", "capture.stall": "fault", "capture.exit": "fault", "capture.error": "fault",
    "storage.full": "fault", "storage.fault": "fault", "storage.low": "notice", "io.error": "fault",
    "clock.step": "clock", "boot.unclean": "fault", "log.torn": "fault", "recovery": "notice",
    "activation.refused": "fault", "key.missing": "fault", "key.bad": "fault",
    "wrapkey.bad": "notice", "sign.late": "notice", "sign.error": "fault", "config.rejected": "fault", "cert.expiring": "notice", "cert.expired": "notice", "wrapkey.missing": "fault",
    "switch.fault": "fault", "gpio.fault": "fault", "thread.died": "fault", "audio.lost": "notice",
    "video.dark": "notice", "video.frozen": "notice", "video.covered": "notice",
    "video.blurred": "notice", "overlay.lost": "notice",
    "power.battery": "notice", "power.heat": "notice", "power.load": "notice",
    "tamper.usb": "fault", "power.off": "fault", "power.charge_stuck": "fault", "power.recalled": "fault",
    "log.damaged": "fault", "log.rollback": "fault", "store.rollback": "fault",
    "selftest": "notice",
}  # fmt: skip


class _Reader:
    """Follows the events in order; each boot's boot time is placed in UTC by its first line."""

    def __init__(self) -> None:
        self.shift = Shift()
        self._boot = ""
        self._offset_ns = 0
        self._now_ns = 0
        self._on: Span | None = None
        self._open: dict[str, Span] = {}

    def take(self, line: LogLine) -> None:
        shift, ev, data = self.shift, line.ev, line.data
        if line.boot != self._boot or self._on is None or ev == "boot":
            self._new_boot(line)
        shift.lines += 1
        at_ns = self._at(line.boot_ns)
        logged = line.logged_ns
        self._now_ns = max(self._now_ns, at_ns, self._at(logged) if _is_int(logged) else at_ns)
        shift.to_ns = max(shift.to_ns, self._now_ns)
        shift.clock = shift.clock if line.clk is UNSET else str(line.clk)
        unc = line.unc_ms
        shift.unc_ms = max(shift.unc_ms, unc if _is_int(unc) else 0)
        if self._on is not None:
            self._on.to_ns = self._now_ns
        self._event(ev, at_ns, data)
        if ev in _MARKS:
            kind = "fault" if data.get("verdict") == "red" else _MARKS[ev]
            shift.marks.append(Mark(kind, at_ns, _words(ev, data)))

    def _at(self, boot_ns: int) -> int:
        return boot_ns + self._offset_ns

    def _new_boot(self, line: LogLine) -> None:
        try:
            utc_ns = utc_from_text(line.utc)
        except (ValueError, OverflowError):
            utc_ns = line.boot_ns
        self._close_all(self._now_ns)
        self._cut_open()
        if line.boot != self._boot:
            self._boot = line.boot
            self._offset_ns = utc_ns - line.boot_ns
        at_ns = self._at(line.boot_ns)
        self._now_ns = at_ns
        self.shift.from_ns = min(self.shift.from_ns or at_ns, at_ns)
        self._on = Span("on", at_ns, at_ns, "camera on")
        self.shift.on.append(self._on)

    def _event(self, ev: str, at_ns: int, data: dict[str, Any]) -> None:
        shift = self.shift
        match ev:
            case "boot":
                shift.device = str(data.get("device", shift.device))
                shift.firmware = str(data.get("fw", shift.firmware))
            case "ready":
                self._begin("ready", shift.ready, at_ns, "ready")
            case "shutdown":
                self._close_all(at_ns)
                shift.marks.append(Mark("end", at_ns, _words(ev, data)))
            case "switch.on" | "trigger.on":
                self._begin(ev.partition(".")[0], shift.switch, at_ns, "on")
                shift.toggles.append(Mark("on", at_ns, _words(ev, data)))
            case "switch.off" | "trigger.off":
                self._end(ev.partition(".")[0], at_ns)
                shift.toggles.append(Mark("off", at_ns, _words(ev, data)))
            case "mute.start":
                self._begin("mute", shift.muted, at_ns, "muted")
            case "mute.stop":
                self._end("mute", at_ns)
            case "covert.on":
                self._begin("covert", shift.covert, at_ns, "covert")
            case "covert.off":
                self._end("covert", at_ns)
            case "gap":
                self._gap(data)
            case _:
                self._recording(ev, at_ns, data)

    def _begin(self, name: str, spans: list[Span], at_ns: int, text: str) -> None:
        if name not in self._open:
            span = Span(text, at_ns, at_ns, text)
            self._open[name] = span
            spans.append(span)

    def _end(self, name: str, at_ns: int) -> None:
        span = self._open.pop(name, None)
        if span is not None:
            span.to_ns = max(span.from_ns, at_ns)

    def _close_all(self, at_ns: int) -> None:
        for name in list(self._open):
            self._end(name, at_ns)

    def _cut_open(self) -> None:
        for recorded in self.shift.recordings.values():
            if recorded.end_ns is None:
                recorded.cut_ns = self._now_ns

    def _gap(self, data: dict[str, Any]) -> None:
        start, end = data.get("from_ns"), data.get("to_ns")
        if _is_int(start) and _is_int(end):
            recorded = self.shift.recordings.get(str(data.get("rec")))
            if recorded is not None:
                recorded.gaps += 1
            where = "while recording" if data.get("rec") else "in standby"
            text = (
                f"gap of {(end - start) / NS:.2f} s {where}, cause: {data.get('cause', 'unknown')}"
            )
            self.shift.gaps.append(Span("gap", self._at(start), self._at(end), text))

    def _recording(self, ev: str, at_ns: int, data: dict[str, Any]) -> None:
        name = data.get("rec")
        if not isinstance(name, str):
            return
        known = self.shift.recordings.setdefault(name, Recorded(name))
        match ev:
            case "activation.start":
                known.pressed_ns, known.cause = at_ns, str(data.get("cause", ""))
            case "rec.start":
                first = data.get("first_ns")
                known.first_ns = self._at(first) if _is_int(first) else at_ns
                known.asked_ms, known.actual_ms = _int(data, "asked_ms"), _int(data, "actual_ms")
                known.reason = str(data.get("reason") or "")
                audio = data.get("audio")
                known.audio = audio if isinstance(audio, bool) else None
            case "tail.start":
                known.tail_ns = at_ns
            case "stop.cancelled":
                known.tail_ns = None
            case "rec.stop":
                known.stopped_ns, known.stop_reason = at_ns, str(data.get("reason", ""))
                known.strain = _strain(data)
            case "seg.open":
                known.first_ns = known.first_ns if known.first_ns is not None else at_ns

    def finish(self) -> Shift:
        self._close_all(self._now_ns)
        self._cut_open()
        return self.shift


def _strain(data: dict[str, Any]) -> tuple[str, ...]:
    """What a recording was made under: less load than asked for, or a firmware that holds back."""
    load, throttled = data.get("load"), data.get("throttled")
    met = [str(load)] if load not in (None, "full") else []
    return (*met, *(str(flag) for flag in (throttled if isinstance(throttled, list) else [])))


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _int(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    return value if _is_int(value) else None


def _words(ev: str, data: dict[str, Any]) -> str:
    shown = [
        f"{key}={value}"
        for key, value in data.items()
        if key in ("name", "pin", "reason", "cause", "bounce_ns", "edges", "file", "bytes", "frags",
                   "before_ns", "after_ns", "silent_ms", "why", "quantity", "level", "load",
                   "what", "id", "form", "verdict", "failed")
    ]  # fmt: skip
    return f"{ev} {' '.join(shown)}".strip()[:300]

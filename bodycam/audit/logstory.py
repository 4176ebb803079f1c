"""What one verified log tells: its runs, the events that the audit needs, heartbeats, clock samples.

Lines are taken as the verifier reads them, so nothing is parsed twice. Whether somebody signed for a
line is known only afterwards: `cut_to` then forgets what nobody did.

A **run** is one life of the recorder, from its `boot` line to the next one. Several runs may share
one boot of the kernel, and its boot time.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from msgspec import UNSET

from ..clock import NS, utc_from_text
from ..formats.logline import LogLine
from .anchors import Anchor, Anchors
from .beats import Beats
from .clocksamples import ClockSamples

_DEFAULT_HEARTBEAT_NS = 10 * NS
_LONGEST_HEARTBEAT_S = 3600
_LONGEST_PRE_RECORD_S = 86_400
_CLOCK_NS = range(-(2**62), 2**62)
# 1900 to 2500, as the verifier has it for fragments: nothing leaves the calendar.
_UTC_RANGE_NS = range(-2_208_988_800 * NS, 16_725_225_600 * NS)
_WANTED = frozenset((
    "ready", "shutdown", "switch.on", "switch.off", "trigger.on", "trigger.off", "switch.on_at_boot",
    "switch.gesture",
    "activation.start", "activation.refused", "activation.waiting", "activation.stop", "tail.start",
    "stop.cancelled", "rec.start", "rec.stop", "seg.open", "seg.close", "recovery", "io.error", "gap",
    "capture.stall", "capture.exit", "capture.error", "capture.ready", "storage.full",
    "storage.fault", "storage.ok", "wrapkey.missing", "switch.fault", "switch.fault_ended",
    "gpio.fault", "gpio.claimed", "thread.died", "power.heat", "power.battery", "power.throttled",
    "power.recalled", "power.off", "power.charge", "device.added", "device.removed", "mute.start",
    "mute.stop", "covert.on", "covert.off", "clock.step", "selftest",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One event; `at_ns` is when it happened, boot time."""

    line: int
    at_ns: int
    ev: str
    data: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.data.get(name)
        return value if isinstance(value, str) else ""

    def whole(self, name: str) -> int | None:
        """A whole number that a clock can show; nonsense beyond that would fit no column."""
        value = self.data.get(name)
        return value if is_whole(value) and value in _CLOCK_NS else None


@dataclass(slots=True)
class Run:
    """One life of the recorder; `written` holds when each of its lines was written, boot time."""

    boot: str
    line: int
    at_ns: int
    heartbeat_ns: int = _DEFAULT_HEARTBEAT_NS
    firmware: str = ""
    pre_record_ms: int | None = None
    written: array[int] = field(default_factory=lambda: array("q"))
    events: list[Told] = field(default_factory=list)
    beats: Beats = field(default_factory=Beats)
    samples: ClockSamples = field(default_factory=ClockSamples)

    @property
    def last_line(self) -> int:
        return self.line + len(self.written) - 1

    @property
    def last_ns(self) -> int:
        """When the last line was written."""
        return self.written[-1] if self.written else self.at_ns

    @property
    def shutdown(self) -> Told | None:
        return next((e for e in reversed(self.events) if e.ev == "shutdown"), None)

    @property
    def switched_off_for(self) -> str:
        """Why the system was switched off by itself, in the log's word; empty if it was not."""
        done = [e for e in self.named("power.off") if not e.text("refused")]
        return done[-1].text("reason") if done else ""

    def named(self, *names: str) -> list[Told]:
        """The events of these names, in order of time, then of lines."""
        return sorted((e for e in self.events if e.ev in names), key=lambda e: (e.at_ns, e.line))


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """One life of the recorder, placed in UTC."""

    run: Run
    anchor: Anchor
    start_us: int
    end_us: int

    def at_us(self, event: Told) -> int:
        return self.anchor.at_us(event.at_ns)


class LogStory:
    """Takes the lines of one log in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.device = ""
        self.runs: list[Run] = []
        self.unsigned_from: int | None = None
        self.unsigned_to_ns: tuple[str, int] | None = None

    def take(self, number: int, line: LogLine) -> None:
        """One line that stands in its own frame and follows the one before."""
        ev, data, at_ns = line.ev, line.data, line.boot_ns
        if at_ns not in _CLOCK_NS:
            return  # signed nonsense: it happened at no time
        logged_ns = line.logged_ns
        if type(logged_ns) is not int or logged_ns not in _CLOCK_NS:
            logged_ns = at_ns
        if ev == "boot" or not self.runs or self.runs[-1].boot != line.boot:
            self._begin(number, line)
        run = self.runs[-1]
        written = run.written
        missing = number - run.line - len(written)
        if missing:
            # Lines in between did not verify; no time is known of them.
            written.extend([logged_ns] * missing)
        written.append(logged_ns)
        # Nearly every line is one of these two.
        if ev == "heartbeat":
            run.beats.take(number, at_ns, data)
        elif ev == "clock.sample":
            self._sample(run, number, at_ns, data)
        elif ev in _WANTED:
            run.events.append(Told(number, at_ns, ev, data))

    def _begin(self, number: int, line: LogLine) -> None:
        data = line.data
        run = Run(line.boot, number, line.boot_ns)
        self.runs.append(run)
        beat_s, pre_s = data.get("heartbeat_s"), data.get("pre_record_s")
        if is_whole(beat_s) and 0 < beat_s <= _LONGEST_HEARTBEAT_S:
            run.heartbeat_ns = beat_s * NS
        if is_whole(pre_s) and 0 <= pre_s <= _LONGEST_PRE_RECORD_S:
            run.pre_record_ms = pre_s * 1000
        run.firmware = str(data.get("fw", ""))
        self.device = self.device or str(data.get("device", ""))
        unc = line.unc_ms
        try:
            utc_ns = utc_from_text(line.utc)
        except (ValueError, OverflowError):
            return  # an unplaced line: the samples that follow place its boot
        if is_whole(unc) and unc >= 0 and utc_ns in _UTC_RANGE_NS:
            source = "none" if line.clk is UNSET else str(line.clk)
            run.samples.take(number, run.at_ns, utc_ns, unc * 1000, source)

    def _sample(self, run: Run, number: int, at_ns: int, data: dict[str, Any]) -> None:
        utc_ns, error = data.get("utc_ns"), data.get("error_ms")
        if (
            type(utc_ns) is int and utc_ns in _UTC_RANGE_NS and type(error) is int and error >= 0
        ):  # fmt: skip
            source = str(data.get("source", "none"))
            run.samples.take(number, at_ns, utc_ns, error * 1000, source)

    def cut_to(self, signed_lines: int) -> None:
        """Forget every line behind the last one that somebody signed for."""
        last = self.runs[-1] if self.runs else None
        if last is not None and last.last_line > signed_lines:
            self.unsigned_from = signed_lines + 1
            self.unsigned_to_ns = (last.boot, last.last_ns)
        self.runs = [run for run in self.runs if run.line <= signed_lines]
        for run in self.runs:
            del run.written[max(0, signed_lines - run.line + 1) :]
            run.events = [e for e in run.events if e.line <= signed_lines]
            run.beats.cut_to(signed_lines)
            run.samples.cut_to(signed_lines)

    def place(self, anchors: Anchors) -> None:
        """Offer what is known of the time of day."""
        for run in self.runs:
            best = run.samples.best()
            if best is not None:
                anchors.offer(run.boot, best)


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether it is a whole number, which True is not."""
    return type(value) is int

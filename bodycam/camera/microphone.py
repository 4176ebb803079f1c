"""A microphone that may come, go and hang; the pictures never notice.

| state   | what happens                    | next    | said                                        |
|---------|---------------------------------|---------|---------------------------------------------|
| opening | the first sound                 | hearing | `audio.format` once; `audio.back` if lost   |
| opening | it fails, or 2 s without sound  | lost    | `audio.lost`                                |
| hearing | sound                           | hearing | `audio.gap` if some was lost                |
| hearing | it fails, or 2 s without sound  | lost    | `audio.lost`, stamped with the last sound   |
| lost    | sound after all                 | hearing | `audio.back`                                |
| lost    | a microphone is plugged in      | opening |                                             |
| lost    | 2 s after a failure             | opening |                                             |
| lost    | 10 s of silence                 | opening |                                             |
"""

from __future__ import annotations

from collections.abc import Iterator

from ..clock import MS, NS, Clock, wait
from ..config import Audio
from .alsa import AlsaReader, Ended, Opened, Piece
from .sampleclock import Line, SampleClock
from .sink import UnitSink
from .sound import announce
from .soundtrack import Soundtrack

_TICK_S = 0.1
_RETRY_NS = 2 * NS
_SILENT_NS = 2 * NS
_DEAF_NS = 10 * NS
_MAX_HANGING = 4
_MAX_HANGING_PLUGGED = 16
_AHEAD_NS = NS // 2
_GAPS_EVERY_NS = 10 * NS


class _Track:
    """Sound from one opening of the device: pieces wait here until it is known where they lie."""

    def __init__(self, audio: Audio, opened: Opened) -> None:
        self._opened = opened
        self._total = 0
        self._times = SampleClock(opened.rate_hz)
        self.held: list[tuple[int, Piece]] = []
        self.sound = Soundtrack(audio, opened.rate_hz, opened.channels)

    def hear(self, piece: Piece) -> Line | None:
        """Take a piece; the line that places the first of those that are held, if it is known."""
        self.held.append((self._total, piece))
        self._total += piece.samples
        return self._times.heard(self._total, piece.at_ns)

    def runs_away(self, piece: Piece) -> bool:
        """True if there is more sound than time: no microphone does that."""
        elapsed_ns = piece.at_ns - self._opened.at_ns
        return self._total * NS // self._opened.rate_hz > elapsed_ns * 101 // 100 + _AHEAD_NS


class _Gaps:
    """Told at once, then together every 10 s: a device that stutters must not fill the log."""

    def __init__(self) -> None:
        self._from_ns = self._to_ns = self._count = self._lost_ns = 0
        self._due_ns = 0

    def add(self, from_ns: int, to_ns: int) -> None:
        self._from_ns, self._to_ns = from_ns, to_ns
        self._count += 1
        self._lost_ns += to_ns - from_ns

    def report(self, sink: UnitSink, at_ns: int) -> None:
        if self._count and at_ns >= self._due_ns:
            sink.report(
                "audio.gap", self._to_ns, from_ns=self._from_ns, to_ns=self._to_ns,
                count=self._count, lost_ms=self._lost_ns // MS,
            )  # fmt: skip
            self._count = self._lost_ns = 0
            self._due_ns = at_ns + _GAPS_EVERY_NS


class Microphone:
    """`audio.device` as ALSA names it."""

    def __init__(self, audio: Audio, clock: Clock) -> None:
        self._audio = audio
        self._clock = clock
        self._announced = False
        self._lost_ns: int | None = None
        self._heard_ns = 0
        self._written_ns = 0
        self._gaps = _Gaps()
        self._hanging: list[AlsaReader] = []

    def run(self, sink: UnitSink) -> None:
        plugged = sink.microphones_seen()
        limit = _MAX_HANGING
        while not sink.stop.is_set():
            self._hanging = [reader for reader in self._hanging if reader.hangs]
            if len(self._hanging) < limit:
                self._attend(sink, plugged)
            due_ns = self._clock.boot_ns() + _RETRY_NS
            while self._clock.boot_ns() < due_ns and sink.microphones_seen() == plugged:
                if wait(self._clock, sink.stop, _TICK_S):
                    return
            # Where several attempts hang, another hangs too, unless it is another microphone.
            seen = sink.microphones_seen()
            limit = _MAX_HANGING if seen == plugged else _MAX_HANGING_PLUGGED
            plugged = seen

    def _attend(self, sink: UnitSink, plugged: int) -> None:
        """One reader, from its opening until it ends, is given up, or `sink.stop`."""
        reader = AlsaReader(self._audio, self._clock)
        self._hanging.append(reader)
        self._heard_ns = self._clock.boot_ns()
        track: _Track | None = None
        while not sink.stop.is_set():
            match reader.take(self._clock.real_s(_TICK_S)):
                case Opened() as opened:
                    track = _Track(self._audio, opened)
                case Piece() as piece if track is not None:
                    if track.runs_away(piece):
                        self._say_lost(sink, "gives more sound than there is time")
                        break
                    self._hear(sink, track, piece)
                case Ended(reason):
                    self._say_lost(sink, reason)
                    break
            if self._is_deaf(sink, plugged):
                break
        reader.abandon()
        if track is not None:
            self._write(sink, track.sound.finish())

    def _is_deaf(self, sink: UnitSink, plugged: int) -> bool:
        """Say so if nothing comes; True if it is time for another attempt."""
        silent_ns = self._clock.boot_ns() - self._heard_ns
        if silent_ns < _SILENT_NS:
            return False
        self._say_lost(
            sink, f"has given no sound for {_SILENT_NS // NS} s; it may hang or be in use"
        )
        return silent_ns > _DEAF_NS or sink.microphones_seen() != plugged

    def _hear(self, sink: UnitSink, track: _Track, piece: Piece) -> None:
        self._heard_ns = piece.at_ns
        line = track.hear(piece)
        if line is not None:
            self._place(sink, track, line)
        self._gaps.report(sink, piece.at_ns)

    def _place(self, sink: UnitSink, track: _Track, line: Line) -> None:
        first, _ = track.held[0]
        self._say_it_is_there(sink, track, line, line.at_ns(first))
        for count, piece in track.held[: line.reads]:
            jumped = count == first and line.jump_ns != 0
            self._write(sink, track.sound.add(piece.raw, line.at_ns(count), jumped))
        del track.held[: line.reads]

    def _say_it_is_there(self, sink: UnitSink, track: _Track, line: Line, at_ns: int) -> None:
        if not self._announced:
            announce(sink, self._audio.rate_hz, self._audio.channels, track.sound.config)
            self._announced = True
        if self._lost_ns is not None:
            sink.report("audio.back", at_ns, lost_ms=(at_ns - self._lost_ns) // MS)
            self._lost_ns = None
        elif line.jump_ns > 0:
            self._gaps.add(at_ns - line.jump_ns, at_ns)

    def _say_lost(self, sink: UnitSink, reason: str) -> None:
        if self._lost_ns is None:
            self._lost_ns = self._heard_ns
            reason = f"audio.device {self._audio.device}: {reason}"
            sink.report("audio.lost", self._lost_ns, reason=reason)

    def _write(self, sink: UnitSink, frames: Iterator[tuple[int, memoryview]]) -> None:
        for at_ns, data in frames:
            # A device that comes back must not give two frames one time.
            self._written_ns = max(at_ns, self._written_ns + 1)
            sink.audio(self._written_ns, data)

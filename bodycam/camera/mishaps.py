"""What a simulated camera does wrong, and when: every fault of a camera that a developer can ask for.

The mishaps stand in a file (`[simulate] mishaps`), each with the boot time from and until which it
happens, so that they outlive a worker, as a loose cable does.

| kind               | while it lasts                                                               |
|--------------------|------------------------------------------------------------------------------|
| absent             | it cannot be opened; one that runs is lost                                    |
| stall              | it gives no picture, and no error                                            |
| crash              | the process dies of SIGSEGV at its next picture                              |
| sound-crash        | the same at the next sound, as in a microphone's driver                      |
| stop-hangs         | it cannot be closed                                                          |
| no-keyframes       | keyframes are not marked as such, as by some drivers                         |
| no-parameter-sets  | keyframes come without SPS and PPS                                           |
| garbled            | slices are noise behind their first bytes                                    |
| headless           | the access unit has no start code                                            |
| empty              | the access unit has no bytes                                                 |
| giant              | each picture is blown up by `size` bytes of filler                           |
| clock-jump         | times of capture are `by_ns` off                                             |
| repeat             | each second picture has the time of the one before                           |
| sound-in-epoch     | times of sound are UTC                                                       |
| chatter            | each picture comes with `size` reports that it has no overlay                |
| dark, frozen       | the lens is covered up; the same picture comes again and again               |
"""

from __future__ import annotations

import os
import signal
import threading
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec

from ..clock import NS, Clock, wait
from ..config import Config
from ..errors import DeviceError
from ..media import NAL_PPS, NAL_SPS, Buffer, is_vcl, nal_type, split_annexb
from ..ringwriter import RingWriter
from .sink import UnitSink
from .source import Source, SourceFacts

_START = b"\0\0\0\1"
_FILLER = b"\0\0\0\1\x0c"
_KEPT_BYTES = 8
_FOREVER_S = 86_400.0


class MishapKind(Enum):
    """The table above."""

    ABSENT = "absent"
    STALL = "stall"
    CRASH = "crash"
    SOUND_CRASH = "sound-crash"
    STOP_HANGS = "stop-hangs"
    NO_KEYFRAMES = "no-keyframes"
    NO_PARAMETER_SETS = "no-parameter-sets"
    GARBLED = "garbled"
    HEADLESS = "headless"
    EMPTY = "empty"
    GIANT = "giant"
    CLOCK_JUMP = "clock-jump"
    REPEAT = "repeat"
    SOUND_IN_EPOCH = "sound-in-epoch"
    CHATTER = "chatter"
    DARK = "dark"
    FROZEN = "frozen"


class Mishap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One mishap, from and until (half-open) a boot time."""

    kind: MishapKind
    from_ns: int
    until_ns: int
    by_ns: int = 0
    size: Annotated[int, msgspec.Meta(ge=0, le=64 << 20)] = 0


class Mishaps:
    """The file of mishaps; it may be replaced at any time, and need not be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._listed: list[Mishap] = []

    @classmethod
    def of(cls, config: Config) -> Mishaps | None:
        """Those of a simulated camera; None where none are asked for."""
        simulate = config.simulate
        return cls(Path(simulate.mishaps)) if simulate is not None and simulate.mishaps else None

    def now(self, kind: MishapKind, at_ns: int) -> Mishap | None:
        """The mishap of that kind that goes on at that moment."""
        for mishap in self._list():
            if mishap.kind is kind and mishap.from_ns <= at_ns < mishap.until_ns:
                return mishap
        return None

    def _list(self) -> list[Mishap]:
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return []
        seen = (facts.st_ino, facts.st_mtime_ns)
        if seen != self._seen:
            self._listed = msgspec.json.decode(self._path.read_bytes(), type=list[Mishap])
            self._seen = seen
        return self._listed


def write_mishaps(path: Path, mishaps: list[Mishap]) -> None:
    """Replace the file, so that a camera reads the old list or the new one."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(mishaps))
    temporary.rename(path)


class MishapSource:
    """A camera around another: what goes wrong with opening and closing it."""

    def __init__(self, source: Source, mishaps: Mishaps, clock: Clock) -> None:
        self._source, self._mishaps, self._clock = source, mishaps, clock

    def open(self) -> SourceFacts:
        if self._mishaps.now(MishapKind.ABSENT, self._clock.boot_ns()):
            raise _absent()
        return self._source.open()

    def run(self, sink: UnitSink) -> None:
        self._source.run(sink)

    def close(self) -> None:
        if self._mishaps.now(MishapKind.STOP_HANGS, self._clock.boot_ns()):
            threading.Event().wait(_FOREVER_S)
        self._source.close()


class MishapSink(UnitSink):
    """The way to the recorder, on which pictures and sound go wrong."""

    def __init__(
        self, ring: RingWriter, clock: Clock, stop: threading.Event, mishaps: Mishaps
    ) -> None:
        super().__init__(ring, clock, stop)
        self._mishaps = mishaps
        self._pictures = 0
        self._before_ns = 0

    def video(self, at_ns: int, keyframe: bool, data: Buffer, every: int = 1) -> None:
        if self._is_on(MishapKind.ABSENT, at_ns):
            raise _absent()
        if self._is_on(MishapKind.CRASH, at_ns):
            os.kill(os.getpid(), signal.SIGSEGV)
        stall = self._mishaps.now(MishapKind.STALL, at_ns)
        if stall is not None:
            wait(self._clock, self.stop, (stall.until_ns - self._clock.boot_ns()) / NS)
            return
        chatter = self._mishaps.now(MishapKind.CHATTER, at_ns)
        for _ in range(chatter.size if chatter else 0):
            self.report("overlay.lost", reason="chatter")
        if self._is_on(MishapKind.NO_KEYFRAMES, at_ns):
            keyframe = False
        data = self._spoilt(at_ns, keyframe, data)
        super().video(self._time(at_ns), keyframe, data, every)

    def audio(self, at_ns: int, data: Buffer) -> None:
        if self._is_on(MishapKind.SOUND_CRASH, at_ns):
            os.kill(os.getpid(), signal.SIGSEGV)
        if self._is_on(MishapKind.SOUND_IN_EPOCH, at_ns):
            at_ns += self._clock.sample().offset_ns
        super().audio(at_ns, data)

    def _is_on(self, kind: MishapKind, at_ns: int) -> bool:
        return self._mishaps.now(kind, at_ns) is not None

    def _time(self, at_ns: int) -> int:
        jump = self._mishaps.now(MishapKind.CLOCK_JUMP, at_ns)
        told_ns = at_ns + (jump.by_ns if jump else 0)
        self._pictures += 1
        if self._is_on(MishapKind.REPEAT, at_ns) and self._pictures % 2 == 0 and self._before_ns:
            told_ns = self._before_ns
        self._before_ns = told_ns
        return told_ns

    def _spoilt(self, at_ns: int, keyframe: bool, data: Buffer) -> Buffer:
        if self._is_on(MishapKind.EMPTY, at_ns):
            return b""
        if self._is_on(MishapKind.HEADLESS, at_ns):
            return bytes(data)[len(_START) :]
        if keyframe and self._is_on(MishapKind.NO_PARAMETER_SETS, at_ns):
            data = _without_sets(data)
        if self._is_on(MishapKind.GARBLED, at_ns):
            data = _garbled(data)
        giant = self._mishaps.now(MishapKind.GIANT, at_ns)
        if giant is not None:
            data = bytes(data) + _FILLER + b"\xff" * giant.size + b"\x80"
        return data


def _absent() -> DeviceError:
    return DeviceError("the simulated camera is absent", "It comes back when its mishap is over")


def _without_sets(data: Buffer) -> bytes:
    nals = [nal for nal in split_annexb(data) if nal_type(nal) not in (NAL_SPS, NAL_PPS)]
    return b"".join(_START + bytes(nal) for nal in nals)


def _garbled(data: Buffer) -> bytes:
    out = b""
    for nal in split_annexb(data):
        kept = nal[:_KEPT_BYTES] if is_vcl(nal) else nal
        # No zeros: noise must not look like a start code.
        noise = bytes(byte | 1 for byte in os.urandom(len(nal) - len(kept)))
        out += _START + bytes(kept) + noise
    return out

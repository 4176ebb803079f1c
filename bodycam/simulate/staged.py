"""A camera whose life is told second by second: the recorder's own log, store and writers, no threads.

Nothing waits for time to pass, and no codec is needed: the pictures are a grey GOP of a second that was
encoded once. What comes out is real evidence: signed, chained, encrypted, with a signed log.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from ..clock import MS, NS, ClockSource, Instant
from ..contentkeys import ContentKeys
from ..eventlog import EventLog
from ..interleave import Pulled
from ..media import AccessUnit, Track
from ..mutes import MuteWindows
from ..recording import CloseReason, RecordingFacts, RecordingWriter
from ..segment import SealingKit
from ..signing import load_file_key, load_recipients
from ..store import Store

FIRMWARE = "bodycam staged"
_FRAME_NS = 250 * MS
_FRAGMENT_NS = 500 * MS
_SEGMENT_NS = 600 * NS
_BOOT_NS = 50 * NS
_GOP = 4
_START = b"\0\0\0\1"
# 64x48, grey, 4 pictures a second: x264, baseline. Two keyframes, for they must differ in their id.
_PARAMETERS = _START + _START.join(
    bytes.fromhex(nal) for nal in ("6742c00ada11e84000000300400000030203c489a8", "68ce039c80")
)
_KEYFRAMES = tuple(
    _PARAMETERS + _START + bytes.fromhex(nal)
    for nal in ("6588843a272727275d75d75d75d780", "6588820e89c9c9c9d75d75d75d75e0")
)
_OTHERS = tuple(_START + bytes.fromhex(n) for n in ("419a2286c0", "419a4286c0", "419a6286c0"))


class StagedClock:
    """A clock that stands where it is put; `wrong_s` is how far UTC is off, `unc_ms` what it says."""

    def __init__(self, day_utc_ns: int) -> None:
        self._day_utc_ns = day_utc_ns
        self.now_s = self.began_s = self.wrong_s = 0.0
        self.boot_id = str(uuid.uuid4())
        self.source, self.unc_ms = ClockSource.NTP, 5

    def begin(self) -> None:
        """A new boot of the kernel, now."""
        self.boot_id, self.began_s = str(uuid.uuid4()), self.now_s

    def boot_at_s(self, seconds: float) -> int:
        """Boot time at so many seconds of the day."""
        return _BOOT_NS + round((seconds - self.began_s) * 1e6) * 1000

    def boot_ns(self) -> int:
        return self.boot_at_s(self.now_s)

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def sample(self) -> Instant:
        utc_ns = self._day_utc_ns + round((self.now_s + self.wrong_s) * 1e6) * 1000
        return Instant(self.boot_ns(), utc_ns, self.source, self.unc_ms)

    def real_s(self, seconds: float) -> float:
        return seconds


class StagedCamera:
    """One camera in its store; all times are seconds of the day, on the true clock."""

    def __init__(self, store: Path, device: str, identity: Path, day_utc_ns: int) -> None:
        self.device = device
        self.clock = StagedClock(day_utc_ns)
        self._signer = load_file_key(identity)
        self._keys = ContentKeys(load_recipients(identity))
        self._store = Store(store, self.clock)
        self._store.open()
        self._log: EventLog | None = None
        self._beaten_s = 0.0
        self._recording: str | None = None
        self.camera_ok = True
        self.battery = 90

    @property
    def log(self) -> EventLog:
        """The open log; a camera that is off has none."""
        if self._log is None:
            raise AssertionError(f"{self.device} is off")
        return self._log

    def boot(self, at_s: float) -> None:
        """The kernel and the recorder start; a second later there are pictures."""
        self.clock.now_s = self._beaten_s = at_s
        self.clock.begin()
        self._log = EventLog(
            self._store.log, self.clock, f"example/bodycam/{self.device}", self._signer
        )
        recovered = self._log.open()
        self._log.append(
            "boot", fw=FIRMWARE, device=self.device, by="recorder", heartbeat_s=10, pre_record_s=30,
            pre_record_audio=False,
        )  # fmt: skip
        if recovered.unclean:
            self._log.append(
                "boot.unclean", last_boot=recovered.last_boot, last_ns=recovered.last_boot_ns
            )
        self._sample()
        self.say(at_s + 1, "ready")
        self._log.append("selftest", form="boot", verdict="green", failed=[], warned=[],
                         not_tested=[], checks={})  # fmt: skip

    def to(self, at_s: float) -> None:
        """Let time pass, with a heartbeat every ten seconds."""
        while self._beaten_s + 10 <= at_s:
            self._beaten_s += 10
            self.clock.now_s = self._beaten_s
            self.log.append(
                "heartbeat", state="recording" if self._recording else "standby", rec=self._recording,
                on_disk=self._recording is not None, camera=self.camera_ok, charge="unplugged",
                battery=self.battery, soc_milli_c=52_000, cell_milli_c=31_000, throttled=[],
            )  # fmt: skip
            if self._beaten_s % 60 == 0:
                self._sample()
        self.clock.now_s = at_s

    def _sample(self) -> None:
        _, found = self.log.sample_clock()
        self.log.append("clock.sample", found.boot_ns, utc_ns=found.utc_ns,
                        source=found.source.value, error_ms=found.unc_ms)  # fmt: skip

    def say(self, at_s: float, ev: str, /, **data: Any) -> int:
        """An event at that time; the number of its line."""
        self.to(at_s)
        return self.log.append(ev, **data)

    def record(
        self, press_s: float, stop_s: float, *, pre_s: float = 30, tail_s: float = 30
    ) -> None:
        """A recording by the switch, with its pictures from before the press and after the stop."""
        name = str(uuid.uuid4())
        first_s = max(press_s - pre_s, self.clock.began_s + 1)
        seq = self.say(press_s, "switch.on", pin="record")
        pressed_ns, first_ns = self.clock.boot_ns(), self.clock.boot_at_s(first_s)
        self.log.append(
            "activation.start", rec=name, cause="switch", continues=None, trigger_seq=seq
        )
        said: dict[str, Any] = {"asked_ms": round(pre_s * 1000), "actual_ms": (pressed_ns - first_ns) // MS,
                "reason": None, "audio": False}  # fmt: skip
        writer = self._writer(RecordingFacts(name, "switch", seq, pressed_ns, said, pressed_ns))
        self._recording = name
        self._film(writer, first_s, press_s)
        self.log.append("rec.start", first_ns, rec=name, first_ns=first_ns,
                        synced_ns=pressed_ns + 80 * MS, load="full", throttled=[], **said)  # fmt: skip
        self._film(writer, press_s, stop_s)
        self.log.append("switch.off", pin="record")
        if tail_s:
            self.log.append("tail.start", rec=name, ends_ns=self.clock.boot_at_s(stop_s + tail_s))
            self._film(writer, stop_s, stop_s + tail_s)
        self.log.append("activation.stop", rec=name, reason="stop")
        writer.close_segment(CloseReason.STOP, None)
        self.log.append("rec.stop", writer.last_picture_ns, rec=name, reason="stop", load="full",
                        throttled=[])  # fmt: skip
        self._recording = None

    def _writer(self, facts: RecordingFacts) -> RecordingWriter:
        kit = SealingKit(
            self.device, self.clock.boot_id, FIRMWARE, self._signer, self._keys, _FRAGMENT_NS,
            _FRAME_NS, self.log.head, self.clock.sample,
        )  # fmt: skip
        return RecordingWriter(self._store, kit, self.log, facts, _SEGMENT_NS, MuteWindows())

    def _film(self, writer: RecordingWriter, from_s: float, to_s: float) -> None:
        """Every picture in [from, to); the camera takes one at each quarter of a second of its boot."""
        number = -(-(self.clock.boot_at_s(from_s) - _BOOT_NS) // _FRAME_NS)
        end_ns = self.clock.boot_at_s(to_s)
        # A recording begins with a keyframe.
        number += -number % _GOP if writer.first_ns is None else 0
        while (at_ns := _BOOT_NS + number * _FRAME_NS) < end_ns:
            gop, place = divmod(number, _GOP)
            data = _OTHERS[place - 1] if place else _KEYFRAMES[gop % 2]
            at_s = self.clock.began_s + (at_ns - _BOOT_NS) / NS
            if at_s > self.clock.now_s:
                self.to(at_s)
            unit = AccessUnit(Track.VIDEO, at_ns, place == 0, number, data)
            writer.take(Pulled(number, unit), None)
            number += 1
        if to_s > self.clock.now_s:
            self.to(to_s)

    def shut_down(self, at_s: float, reason: str = "SIGTERM") -> None:
        """An orderly end."""
        self.say(at_s, "shutdown", reason=reason)
        self._end()

    def die(self) -> None:
        """The power is gone: no word, no checkpoint; what was signed before stays."""
        self._end(orderly=False)

    def _end(self, *, orderly: bool = True) -> None:
        if orderly:
            self.log.checkpoint()
        self.log.close()
        self._log = None

    def close(self) -> None:
        """Give the store back. Idempotent."""
        if self._log is not None:
            self._end()
        self._store.close()

"""What comes from the camera: the worker is watched, its units indexed, every hole named."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from . import activation as act
from .allowance import Allowance
from .buffer import PreRecordBuffer
from .capturetimes import CaptureTimes
from .checks.capture import source_text
from .clock import MS, NS, Clock
from .crashloop import DEATHS, WITHIN_NS
from .errors import DeviceError, EvidenceError
from .eventlog import EventLog
from .lives import LEFT_OUT
from .media import AudioFormat, Track, aac_format
from .ringcheck import GapFinder, KeyframeAge
from .sharedring import Descriptor
from .worker import Exit, Worker

_UNKILLABLE_NS = 5 * NS
_REBOOT_NS = 10 * NS
# A worker that began after the camera was there has seen it; one whose camera left gives no more.
_YOUNG_NS = _GONE_NS = NS // 2
_STOP_S = 1.0
# What the worker may put into the log, and nothing else.
_WORKER_EVENTS = frozenset({
    "capture.ready", "capture.error", "audio.format", "audio.lost", "audio.back",
    "audio.gap", "video.dark", "video.frozen", "video.covered", "video.blurred", "video.clear",
    "overlay.lost", "overlay.back", "oom",
})  # fmt: skip

_REPORTS_A_MINUTE = 240
# A worker that reports so much is out of its mind, and in the way of its pictures.
_MAD_REPORTS = 10 * _REPORTS_A_MINUTE


@dataclass(slots=True)
class Live:
    """What other threads may read of the recorder at any time."""

    ready: bool = False
    camera_ok: bool = False
    camera: str = ""
    camera_fault: str = ""
    state: act.State = act.State.STANDBY
    recording: str | None = None
    wanted_ns: int | None = None
    on_disk: bool = False
    storage_full: bool = False
    storage_fault: str | None = None
    inhibited: str | None = None
    muted: bool = False
    covert: bool = False
    audio_lost: bool = False
    lens: frozenset[str] = frozenset()  # what is wrong with the picture: "covered"
    unkillable: bool = False
    restarts: int = 0
    gaps: int = 0
    dropped: int = 0
    frames: int = 0


@dataclass(frozen=True, slots=True)
class CameraPlug:
    """A camera was plugged in, or out."""

    present: bool


@dataclass(frozen=True, slots=True)
class CameraHost:
    """What the camera's side may ask of the machine it runs on.

    `oom_kills`: how often the kernel has killed for want of memory. `ask_reboot`: for a reason.
    """

    oom_kills: Callable[[], int | None]
    ask_reboot: Callable[[str], None]


class Intake:
    """The camera's side of the recorder thread; it is called from nowhere else.

    The worker may die, hang or talk nonsense at any moment: the ring, what is in it and the log
    stay, and another worker goes on.
    """

    def __init__(
        self,
        clock: Clock,
        log: EventLog,
        ring: PreRecordBuffer,
        worker: Worker,
        live: Live,
        on_audio: Callable[[AudioFormat], None],
        host: CameraHost,
        *,
        frame_ns: int,
        gop_ns: int,
        stall_ns: int,
        has_sound: bool,
    ) -> None:
        self._clock, self._log, self._ring, self._worker = clock, log, ring, worker
        self._live = live
        self._on_audio = on_audio
        self._host = host
        self._has_sound = has_sound
        self._stall_ns = stall_ns
        self._gone_until_ns = 0
        self._gaps = GapFinder(frame_ns)
        self._keyframes = KeyframeAge(gop_ns)
        self._times = CaptureTimes(frame_ns)
        self._oom_kills = host.oom_kills()
        self._untimely_ns: int | None = None
        self._allowance = Allowance(_REPORTS_A_MINUTE)
        self.last_gap_end_ns: int | None = None

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    def resume_from(self, end_ns: int) -> None:
        """The pictures of a recorder that died in this same boot ended then."""
        self._gaps.resume_from(end_ns, "recorder restarted")

    def descriptors(self) -> list[int]:
        """What to wait on: the worker's end.

        Not its pipe: waking up for each unit costs more than all that is done with it, and the
        ring keeps a second's room for what is announced and not yet read.
        """
        return [self._worker.pid_fd] if self._worker.running else []

    def start(self) -> None:
        """Start a worker; one that cannot be started is tried again by `watch`."""
        try:
            self._worker.start()
        except DeviceError as fault:
            self._live.camera_fault = str(fault)
            self._log.append("capture.error", reason=str(fault))
            return
        self._times.worker_began(self._worker.began_ns)
        if self._worker.safe and self._has_sound and not self._live.audio_lost:
            self._live.audio_lost = True
            self._log.append(
                "audio.lost", reason="left out: recorder or capture worker crashed again and again"
            )

    def stop(self) -> None:
        """End the worker for good; one whose camera will not be closed is killed."""
        pid = self._worker.pid
        if not self._worker.stop(_STOP_S):
            self._log.append("capture.stop_timeout", pid=pid, waited_ms=int(_STOP_S * 1000))

    def receive(self) -> bool:
        """Index what was announced; True if a keyframe was among it."""
        if not self._worker.running:
            return False
        keyframe = False
        if self._ring.make_room():
            self._worker.note_alive()
        try:
            for descriptor in self._worker.receive():
                keyframe |= self._accept(descriptor)
        except (DeviceError, ValueError) as fault:
            self._log.append("capture.garbage", reason=str(fault))
            self._worker.kill()
        return keyframe

    def _accept(self, unit: Descriptor) -> bool:
        if unit.track is Track.AUDIO:
            self._accept_sound(unit)
            return False
        if unit.track is Track.VIDEO:
            unit = self._timed(unit)
        event = self._ring.accept(unit)
        if event is not None:
            self._report(event, unit.at_ns)
            return False
        live = self._live
        live.frames += 1
        live.dropped += unit.dropped
        self._watch_keyframes(unit)
        live.camera_ok = not self._keyframes.missing
        gap = self._gaps.feed(unit)
        if gap is not None:
            live.gaps += 1
            if live.ready:
                self.last_gap_end_ns = gap.to_ns
            self._log.append(
                "gap", gap.to_ns, from_ns=gap.from_ns, to_ns=gap.to_ns, frames=gap.frames,
                cause=gap.cause, rec=live.recording,
            )  # fmt: skip
        if not live.ready:
            live.ready = True
            self._log.append("ready", unit.at_ns)
        return unit.keyframe

    def _timed(self, unit: Descriptor) -> Descriptor:
        at_ns, jump = self._times.picture(unit.at_ns, unit.every, self._clock.boot_ns())
        if jump is not None:
            self._log.append("pts.jump", at_ns, by_ms=jump.by_ns // MS, count=jump.count)
        return unit if at_ns == unit.at_ns else replace(unit, at_ns=at_ns)

    def _accept_sound(self, unit: Descriptor) -> None:
        """Sound that was heard at no possible time is left out, and said to be lost."""
        now_ns = self._clock.boot_ns()
        if not self._times.sound_can_be_true(unit.at_ns, now_ns):
            self._ring.skip(unit)
            if self._untimely_ns is None:
                self._untimely_ns, self._live.audio_lost = now_ns, True
                self._log.append("audio.lost", reason=f"its time, {unit.at_ns} ns, cannot be true")
            return
        if self._untimely_ns is not None:
            lost_ms = (now_ns - self._untimely_ns) // MS
            self._untimely_ns, self._live.audio_lost = None, False
            self._log.append("audio.back", unit.at_ns, lost_ms=lost_ms)
        self._ring.accept(unit)

    def _watch_keyframes(self, unit: Descriptor) -> None:
        """A recording and a segment begin at a keyframe: ask for one that is long in coming."""
        age = self._keyframes.feed(unit)
        if age is None:
            return
        if not age.over:
            self._ring.request_keyframe()
        if age.first or age.over:
            self._log.append(
                "keyframe.age", unit.at_ns, age_ms=age.age_ns // MS, over=age.over
            )  # fmt: skip

    def _report(self, raw: bytes, at_ns: int) -> None:
        try:
            if not 0 < at_ns <= self._clock.boot_ns():
                raise ValueError(f"it happened at {at_ns}, which is not yet")
            fields = json.loads(raw)
            ev = fields.pop("ev")
            if ev not in _WORKER_EVENTS:
                raise ValueError(f"unknown event {ev!r}")
            if ev == "audio.format":
                self._on_audio(aac_format(bytes.fromhex(fields["config"])))
            if ev == "capture.ready":
                self._live.camera, self._live.camera_fault = source_text(fields), ""
            if ev == "capture.error":
                self._live.camera_fault = str(fields["reason"])
            if ev in ("audio.lost", "audio.back", "audio.format"):
                # A new worker that hears something says so with the format: it lost nothing.
                self._live.audio_lost = ev == "audio.lost"
            if ev.startswith("video."):
                self._note_lens(ev.removeprefix("video."), fields)
            if self._may_be_said():
                self._log.append(ev, at_ns, **fields)
        except (ValueError, KeyError, TypeError, AttributeError, EvidenceError) as fault:
            if self._may_be_said():
                self._log.append("capture.garbage", reason=f"report: {fault}")

    def _may_be_said(self) -> bool:
        """True within the allowance; beyond it reports are counted. Raises DeviceError for a flood."""
        may = self._allowance.take()
        if self._allowance.said % _MAD_REPORTS == 0:
            raise DeviceError(f"{_MAD_REPORTS} reports within a minute")
        return may

    def _say_suppressed(self, now_ns: int) -> None:
        lines = self._allowance.renew(now_ns)
        if lines:
            self._log.append("capture.suppressed", now_ns, lines=lines)

    def _note_lens(self, what: str, fields: dict[str, Any]) -> None:
        if what == "clear":
            self._live.lens -= {str(fields["was"])}
        else:
            self._live.lens |= {what}

    def plugged(self, plug: CameraPlug) -> None:
        """Wait neither for a time-out nor for a pause: look again now."""
        if not plug.present:
            self._gone_until_ns = self._clock.boot_ns() + self._stall_ns
            return
        worker = self._worker
        worker.retry_now()
        if worker.running and not self._live.camera_ok and worker.age_ns() > _YOUNG_NS:
            # It opened what was there before, or hangs in that.
            worker.kill()

    def watch(self) -> None:
        """Kill a worker that has gone silent, and replace one that has ended."""
        worker, live, now_ns = self._worker, self._live, self._clock.boot_ns()
        self._say_suppressed(now_ns)
        if not worker.running:
            if now_ns >= worker.restart_due_ns:
                self.start()
            return
        silent_ns = worker.silent_ns()
        if worker.killed_ns is not None:
            if now_ns - worker.killed_ns > _UNKILLABLE_NS and not live.unkillable:
                # A process in uninterruptible sleep holds the camera: only a reboot helps.
                live.unkillable = True
                self._log.append("capture.unkillable", pid=worker.pid)
            if now_ns - worker.killed_ns > _REBOOT_NS:
                self._host.ask_reboot("the capture worker hangs in the kernel")
        elif silent_ns > (_GONE_NS if now_ns < self._gone_until_ns else self._stall_ns):
            live.camera_ok = False
            self._gaps.worker_lost("stall")
            self._log.append("capture.stall", silent_ms=silent_ns // MS, pid=worker.pid)
            worker.kill()
        self.receive()
        killed, pid = worker.killed_ns is not None, worker.pid
        ended = worker.reap()
        if ended is not None:
            live.camera_ok = live.unkillable = False
            live.lens = frozenset()  # the next worker looks anew
            live.restarts += 1
            live.camera_fault = live.camera_fault or f"the capture worker ended: {ended.reason}"
            if not killed:
                self._gaps.worker_lost(f"worker {ended.reason}")
            self._log.append(
                "capture.exit", reason=ended.reason, epoch=worker.epoch, sig=ended.sig,
                code=ended.code,
            )  # fmt: skip
            self._look_for_causes(ended, pid, killed=killed)
            if now_ns >= worker.restart_due_ns:
                self.start()

    def _look_for_causes(self, ended: Exit, pid: int | None, *, killed: bool) -> None:
        """Say what a death was about, where that can be known."""
        before, self._oom_kills = self._oom_kills, self._host.oom_kills()
        if ended.sig == signal.SIGKILL and not killed and (self._oom_kills or 0) > (before or 0):
            self._log.append("oom", reason=f"the kernel killed process {pid}", by="kernel")
        if ended.loop:
            self._log.append(
                "crashloop", who="capture", deaths=DEATHS, within_s=WITHIN_NS // NS,
                left_out=LEFT_OUT,
            )  # fmt: skip

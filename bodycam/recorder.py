"""The recorder thread: decides when to record, and carries the effects out.

It never waits for the disk: the sealer writes, the switch thread logs toggles, and the health thread
makes the lines of this one durable. It owns the state machine, and with `Intake` the ring's index.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable
from dataclasses import replace

from . import activation as act
from .buffer import PreRecordBuffer
from .clock import MS, NS, Clock
from .config import AudioSource, Config
from .eventlog import EventLog
from .intake import CameraHost, CameraPlug, Intake, Live
from .job import Finished, Job, Refused, Report, Started
from .media import AudioFormat
from .mutes import MuteWindows
from .outcomes import Outcomes
from .owed import RESUME, Interrupted
from .power import Strain
from .prerecord import PreRecord, RingFacts, pre_record
from .recording import CloseReason, RecordingFacts
from .sealer import Sealer
from .signals import Cue
from .switches import Request
from .worker import Worker

_STANDBY_TICK_S = 0.1
_RECORDING_TICK_S = 0.05


class Recorder:
    """One thread; everything reaches it through `post`."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        log: EventLog,
        ring: PreRecordBuffer,
        worker: Worker,
        sealer_factory: Callable[[Callable[[Report], None], MuteWindows], Sealer],
        cue: Callable[[Cue], None],
        host: CameraHost,
        *,
        can_encrypt: bool,
        store_takes: Callable[[], bool],
        interrupted: Interrupted,
        strain: Callable[[], Strain],
        docked: Callable[[], bool],
    ) -> None:
        self._config, self._clock, self._log = config, clock, log
        self._ring, self._cue = ring, cue
        self._can_encrypt = can_encrypt
        self._store_takes = store_takes
        self._docked = docked
        self._frame_ns = NS // config.camera.fps
        self._mutes = MuteWindows()
        self.sealer = sealer_factory(self.report, self._mutes)
        self._machine = act.Activation(
            act.ActivationPolicy(
                config.recording.post_record_s * NS, config.recording.max_length_s * NS,
                config.mute.allowed, config.covert.allowed,
            )
        )  # fmt: skip
        self._inbox: queue.SimpleQueue[Request | Report | CameraPlug | str] = queue.SimpleQueue()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._waking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._stop = threading.Event()
        self._job: Job | None = None
        self._waiting_start: tuple[act.Start, int] | None = None
        self.live = Live()
        self._outcomes = Outcomes(
            clock, log, ring, self.live, cue, strain, interrupted, frame_ns=self._frame_ns
        )
        self._intake = Intake(
            clock, log, ring, worker, self.live, self._on_audio, host, frame_ns=self._frame_ns,
            gop_ns=config.camera.gop_ms * MS, stall_ns=config.watchdog.stall_ms * MS,
            has_sound=config.audio.source is not AudioSource.NONE,
        )  # fmt: skip
        if interrupted.end_ns is not None:
            self._intake.resume_from(interrupted.end_ns)
        self.beats = 0
        self.crashed: str | None = None

    # -- from other threads -------------------------------------------------------------------

    def start(self) -> None:
        self._intake.start()
        self.sealer.start()
        self._thread.start()

    def post(self, request: Request) -> None:
        """Hand over an activation event; never blocks, never drops."""
        self._inbox.put(request)
        self._wake()

    def report(self, report: Report) -> None:
        """Hand over what the sealer did."""
        self._inbox.put(report)
        self._wake()

    def plugged(self, present: bool) -> None:
        """A camera has come, or gone."""
        self._inbox.put(CameraPlug(present))
        self._wake()

    def inhibit(self, reason: str | None) -> None:
        """Close and refuse to record (battery, heat), or allow it again with None."""
        self._inbox.put(f"inhibit:{reason or ''}")
        self._wake()

    def shutdown(self, timeout_s: float) -> bool:
        """Close what is open and end; False if it did not within the time."""
        self._stop.set()
        self._wake()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        # One that has closed down hears nobody: its descriptor may be a file's by now.
        with self._waking:
            if self._wake_fd >= 0:
                os.eventfd_write(self._wake_fd, 1)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def worker_pid(self) -> int | None:
        return self._intake.worker_pid

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.beats += 1
                self._wait()
                if self._intake.receive() and self._waiting_start is not None:
                    self._start(*self._waiting_start)
                self._drain_inbox()
                self._intake.watch()
                self._step(act.TimePassed(self._clock.boot_ns()), -1)
                self._outcomes.note_strain()
                self._retry_storage()
            self._close_down()
        except BaseException as fault:
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise

    def _wait(self) -> None:
        fds = [self._wake_fd, *self._intake.descriptors()]
        standby = self.live.state is act.State.STANDBY and self.live.recording is None
        tick_s = _STANDBY_TICK_S if standby else _RECORDING_TICK_S
        ready, _, _ = select.select(fds, [], [], self._clock.real_s(tick_s))
        if self._wake_fd in ready:
            os.eventfd_read(self._wake_fd)

    def _on_audio(self, audio: AudioFormat) -> None:
        self.sealer.audio_format = audio

    def _drain_inbox(self) -> None:
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
            match message:
                case Request(event, log_seq):
                    self._step(event, log_seq)
                case Started():
                    self._outcomes.started(message)
                case Finished():
                    self._outcomes.finished(message)
                case Refused():
                    if self._outcomes.refused(message, current=message.job is self._job):
                        self._job = None
                case CameraPlug():
                    self._intake.plugged(message)
                case str():
                    self._on_inhibit(message.removeprefix("inhibit:") or None)

    # -- the state machine and its effects ----------------------------------------------------

    def _step(self, event: act.Event, log_seq: int) -> None:
        if self.live.inhibited and isinstance(event, act.DemandOn):
            self._log.append("activation.refused", event.at_ns, reason=self.live.inhibited)
            self._cue(Cue.REFUSED)
            return
        self._machine, effects = self._machine.on(event)
        if self._machine.state is act.State.STANDBY:
            self.live.wanted_ns = None
        elif self.live.state is act.State.STANDBY:
            self.live.wanted_ns = self._clock.boot_ns()
        self.live.state = self._machine.state
        for effect in effects:
            self._carry_out(effect, log_seq)

    def _carry_out(self, effect: act.Effect, log_seq: int) -> None:
        match effect:
            case act.Start():
                self._start(effect, log_seq)
            case act.BeginTail(at_ns, ends_ns):
                self._log.append("tail.start", at_ns, rec=self.live.recording, ends_ns=ends_ns)
            case act.CancelStop(at_ns, cause):
                self._log.append("stop.cancelled", at_ns, rec=self.live.recording, cause=cause)
            case act.Stop(at_ns, reason):
                self._stop_recording(at_ns, reason)
            case act.Roll(at_ns):
                self._roll(at_ns)
            case act.SetMarker(at_ns):
                self._log.append("marker", at_ns, rec=self.live.recording)
                self._cue(Cue.MARKER)
            case act.Answer():
                self._cue(Cue.QUERY)
            case act.Mute(at_ns, active):
                self._mute(at_ns, active=active)
            case act.Covert(at_ns, active):
                self.live.covert = active
                self._log.append("covert.on" if active else "covert.off", at_ns)

    def _start(self, start: act.Start, log_seq: int) -> None:
        if not self._can_encrypt:
            self._log.append("activation.refused", start.at_ns, reason="no recipient keys")
            self._cue(Cue.REFUSED)
            return
        asked_s = self._config.pre_record.seconds
        from_ns = start.at_ns - asked_s * NS
        outcomes = self._outcomes
        previous, owed = outcomes.previous_end_ns, outcomes.owed
        interrupted = owed.interrupted if owed else outcomes.interrupted
        # What the store refused was wanted all the time: as far back as the ring goes.
        resumes = start.cause == RESUME and interrupted.end_ns is not None
        if previous is not None and (resumes or previous > from_ns):
            # The GOP in which the last recording ended: better a second twice than one lost.
            from_ns = self._ring.keyframe_before(previous) or previous
        elif self.live.recording is not None:
            # One is still being written, and where it ends is not known yet: likewise.
            from_ns = self._ring.keyframe_before(from_ns) or from_ns
        cursor = self._ring.open_cursor(from_ns)
        if cursor is None:
            if self._waiting_start is None:
                self._log.append("activation.waiting", start.at_ns, cause=start.cause)
                self._ring.request_keyframe()
            self._waiting_start = (start, log_seq)
            return
        self._waiting_start = None
        found = pre_record(
            asked_s, start.at_ns, cursor.start_ns, self._config.camera.gop_ms * MS,
            RingFacts(previous, self._ring.cut_by_capacity_ns, self._intake.last_gap_end_ns),
            audio=self._config.pre_record.audio,
        )  # fmt: skip
        going_on = start.cause == "switch-on-at-start" and interrupted.recording
        cause = RESUME if going_on else start.cause
        facts = replace(
            self._facts(start.at_ns, cause, log_seq, found), continues=interrupted.recording,
            previous=interrupted.last_box,
        )  # fmt: skip
        if resumes:
            # Nothing here is from before the press: sound was wanted all the time.
            facts = replace(facts, audio_from_ns=0)
        outcomes.interrupted, outcomes.owed = Interrupted(), None
        self._begin(facts, start.at_ns)
        if self._docked():
            # In the dock the officer's press comes first, as anywhere else.
            self._log.append("rec.docked", start.at_ns, rec=facts.recording)
        self._job = Job(facts, cursor, owed)
        self.sealer.submit(self._job)

    def _facts(self, at_ns: int, cause: str, log_seq: int, found: PreRecord) -> RecordingFacts:
        recording = self.sealer.new_recording()
        self._outcomes.begun(recording, found)
        return RecordingFacts(
            recording, cause, log_seq, at_ns, found.fields(),
            0 if self._config.pre_record.audio else at_ns,
        )  # fmt: skip

    def _begin(self, facts: RecordingFacts, at_ns: int) -> None:
        self.live.recording = facts.recording
        self.live.on_disk = False
        # Whoever cuts the recording to its press later finds a keyframe there.
        self._ring.request_keyframe()
        self._log.append(
            "activation.start", at_ns, rec=facts.recording, cause=facts.cause,
            continues=facts.continues, trigger_seq=facts.trigger_seq,
        )  # fmt: skip

    def _stop_recording(self, at_ns: int, reason: str) -> None:
        self._waiting_start = None
        job = self._job
        if job is None:
            # It was wanted and could not be: the officer's stop is a fact all the same.
            self._log.append("activation.stop", at_ns, rec=None, reason=reason)
            self._outcomes.forget(at_ns)
            return
        known = {r.value for r in CloseReason}
        job.stop_reason = CloseReason(reason) if reason in known else CloseReason.STOP
        # A roll that is due comes first: its recording was announced and gets its keyframe.
        gop_ns = self._config.camera.gop_ms * MS
        job.stop_ns = at_ns if job.split is None else max(at_ns, job.split[0] + 2 * gop_ns)
        self._job = None
        self._log.append("activation.stop", at_ns, rec=self.live.recording, reason=reason)

    def _roll(self, at_ns: int) -> None:
        if self._job is None:
            return
        found = PreRecord(0, 0, None, audio=True)
        facts = replace(
            self._facts(at_ns, "auto-roll", -1, found), audio_from_ns=0,
            continues=self._job.facts.recording,
        )  # fmt: skip
        self._log.append(
            "activation.stop", at_ns, rec=self._job.facts.recording, reason="auto-roll"
        )
        self._job.split = (at_ns, facts)
        self._begin(facts, at_ns)

    def _mute(self, at_ns: int, *, active: bool) -> None:
        self.live.muted = active
        if active:
            self._mutes.start(at_ns)
        else:
            self._mutes.stop(at_ns)
        ev = "mute.start" if active else "mute.stop"
        self._log.append(ev, at_ns, rec=self.live.recording)

    def _retry_storage(self) -> None:
        if self._waiting_start is not None:
            return
        now_ns = self._clock.boot_ns()
        owed = self._outcomes.due(now_ns)
        if owed is not None and self._store_takes():
            self._start(owed.start_at(now_ns), owed.log_seq)

    def _on_inhibit(self, reason: str | None) -> None:
        now_ns = self._clock.boot_ns()
        if reason:
            self.live.inhibited = reason
            self._step(act.Close(now_ns, reason), -1)
        else:
            self.live.inhibited = None

    def _close_down(self) -> None:
        self._step(act.Close(self._clock.boot_ns(), "shutdown"), -1)
        # The worker's last units are already in the ring; nothing waits for more.
        self._intake.stop()
        self.sealer.shutdown(self._clock.real_s(5.0))
        self._drain_inbox()
        with self._waking:
            os.close(self._wake_fd)
            self._wake_fd = -1

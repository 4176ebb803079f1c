"""The health thread: heartbeats, clock samples, storage, and what other threads leave to be logged.

A heartbeat every ten seconds, also in standby, proves later that the camera could have recorded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .anchor import Anchor
from .buffer import PreRecordBuffer
from .checks.result import SelfTest
from .clock import MS, NS, Clock, utc_text, wait
from .config import Config
from .configchoice import ConfigWatch, Pending, Rejected
from .devices import DeviceWatch
from .eventlog import EventLog
from .lamps import Lamps
from .patterns import DARK
from .powerguard import PowerGuard
from .recorder import Recorder
from .renewal import LifeEdge
from .servicedue import ServiceDue
from .signals import reminders_due
from .statusfile import StatusFile
from .storehealth import StoreHealth
from .switches import SwitchReader

_LOOP_S = 0.5
_CLOCK_STEP_NS = 50 * MS
_CLOCK_SAMPLE_NS = 10 * NS
_CHECKPOINT_NS = 60 * NS
# A trigger that flutters must not keep the card busy with checkpoints.
_CHECKPOINT_APART_NS = 1 * NS


class Watchdog:
    """One thread that looks at everything else, logs what it sees, and writes the status file."""

    def __init__(
        self, config: Config, clock: Clock, log: EventLog, anchor: Anchor, health: StoreHealth,
        ring: PreRecordBuffer,
        recorder: Recorder, switches: SwitchReader, power: PowerGuard,
        devices: DeviceWatch, lamps: Lamps, service: ServiceDue,
        boot_check: Callable[[], SelfTest | None],
    ) -> None:  # fmt: skip
        self._config, self._clock, self._log = config, clock, log
        self._anchor, self._health = anchor, health
        self._ring, self._recorder, self._switches = ring, recorder, switches
        self._power, self._boot_check = power, boot_check
        self._devices, self._lamps = devices, lamps
        self.service, self._configs, self._kept = service, service.configs, False
        self._status_file = StatusFile(Path(config.store.runtime) / "status.json")
        self._frames_before = 0
        self._frames_before_ns = 0
        self._next_heartbeat_ns = 0
        self._next_sample_ns = 0
        self._next_checkpoint_ns = 0
        self._checkpoint_ns: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health")
        self.reminders = 0  # of a long recording, so far
        self.clock_unset = False
        self._status_fault = False
        self.beats = 0
        self.crashed: str | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._log.request_checkpoint()  # wakes the thread
        self._thread.join(5.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.beats += 1
                self._look()
                self._rest(self._clock.boot_ns() + int(_LOOP_S * NS))
        except BaseException as fault:
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise

    def _rest(self, until_ns: int) -> None:
        """Wait for the next look; a checkpoint that is asked for meanwhile is made at once."""
        while not self._stop.is_set():
            left_ns = until_ns - self._clock.boot_ns()
            if left_ns <= 0 or not wait(self._clock, self._log.checkpoint_wanted, left_ns / NS):
                return
            if not self._stop.is_set() and not self._requested_checkpoint():
                # One was made just now; the next look comes back to this.
                wait(self._clock, self._stop, max(0, until_ns - self._clock.boot_ns()) / NS)

    def _requested_checkpoint(self) -> bool:
        now_ns = self._clock.boot_ns()
        if self._checkpoint_ns is not None and now_ns < self._checkpoint_ns + _CHECKPOINT_APART_NS:
            return False
        self._checkpoint_ns = now_ns
        # Cleared first: what is asked for while this one is made gets one of its own.
        self._log.checkpoint_wanted.clear()
        self._log.checkpoint()
        self._anchor.keep()
        return True

    def _look(self) -> None:
        now_ns = self._clock.boot_ns()
        if now_ns >= self._next_sample_ns:
            self._next_sample_ns = now_ns + _CLOCK_SAMPLE_NS
            self.sample_clock(logged=True)
        else:
            self.sample_clock(logged=False)
        self._storage()
        self._power.say(self._log)
        self._remind(now_ns)
        if self._configs is not None:
            self._look_at_configuration(self._configs)
        if now_ns >= self._next_heartbeat_ns:
            self._next_heartbeat_ns = now_ns + self._config.watchdog.heartbeat_s * NS
            self._heartbeat(now_ns)
        if now_ns >= self._next_checkpoint_ns:
            self._next_checkpoint_ns = now_ns + _CHECKPOINT_NS
            self.say_latency()
            self._log.checkpoint()
            self._log.save_resume()
            self._anchor.keep()
        if self._log.checkpoint_owed:
            self._log.checkpoint()
        self._log.sync_pending()
        self.write_status()

    def _look_at_configuration(self, configs: ConfigWatch) -> None:
        if not self._kept and self._recorder.live.ready:
            self._kept = True
            try:
                configs.keep()
            except OSError as fault:
                self._log.append("config.unkept", reason=str(fault))
        match configs.look():
            case Pending(sha256):
                self._log.append("config.pending", sync=True, config_sha256=sha256)
            case Rejected(reason):
                self._log.append("config.rejected", sync=True, reason=reason, using="running")

    def sample_clock(self, *, logged: bool) -> None:
        """Read the clocks; log the sample, and a step whenever there was one."""
        before, sample = self._log.sample_clock()
        self._ring.publish_clock(sample)
        self.clock_unset = sample.source.value == "none"
        if before is not None and (
            abs(sample.offset_ns - before.offset_ns) > _CLOCK_STEP_NS
            or sample.source is not before.source
        ):
            self._log.append(
                "clock.step", sample.boot_ns, sync=True,
                before_utc=utc_text(before.utc_at(sample.boot_ns)),
                after_utc=utc_text(sample.utc_ns),
                step_ms=(sample.offset_ns - before.offset_ns) // MS,
                before_clk=before.source.value,
            )  # fmt: skip
        if logged:
            self._log.append(
                "clock.sample", sample.boot_ns, utc_ns=sample.utc_ns, source=sample.source.value,
                error_ms=sample.unc_ms,
            )  # fmt: skip
        ending = self.service.renewal.feed(sample)
        if ending is not None:
            self._note_certificate(ending)

    def _note_certificate(self, ending: LifeEdge) -> None:
        self._log.append(
            f"cert.{ending.life.value}", sync=True, name=ending.name,
            until=utc_text(ending.until_ns), days=ending.days,
        )  # fmt: skip

    def _storage(self) -> None:
        live, sealer = self._recorder.live, self._recorder.sealer
        self._health.look(
            sealer.last_sync_ns if live.on_disk else None, wanted=live.wanted_ns is not None,
            told=live.storage_fault is not None,
        )  # fmt: skip

    def say_latency(self) -> None:
        """How the syncs since the last time spread: a card that wears out gets slow first."""
        spread = self._recorder.sealer.sync_times.take()
        if spread is not None:
            self._log.append("io.latency", **spread.fields())

    def _remind(self, now_ns: int) -> None:
        live, long_ns = self._recorder.live, self._config.signals.long_s * NS
        wanted_ns = live.wanted_ns
        due = 0 if wanted_ns is None else reminders_due(now_ns - wanted_ns, long_ns)
        if wanted_ns is not None and due > self.reminders:
            self._log.append(
                "rec.long", now_ns, rec=live.recording, on_s=(now_ns - wanted_ns) // NS, count=due
            )
        self.reminders = due

    def _heartbeat(self, now_ns: int) -> None:
        live = self._recorder.live
        elapsed_ns = now_ns - self._frames_before_ns
        fps_milli = (live.frames - self._frames_before) * 1000 * NS // max(1, elapsed_ns)
        depth, space = self._ring.depth(), self._health.space
        latencies = list(self._recorder.sealer.sync_times.recent_ms)
        self._log.append(
            "heartbeat", now_ns, state=live.state.value, rec=live.recording,
            on_disk=live.on_disk, camera=live.camera_ok, signal=self._lamps.state,
            levels=self._switches.levels(), unreadable=self._switches.unreadable(),
            ring_ms=depth.video_ns // MS,
            ring_bytes=depth.payload_bytes,
            fps_milli=fps_milli if self._frames_before_ns else None, dropped=live.dropped,
            free_bytes=space.free_bytes if space else None,
            sync_ms_max=max(latencies, default=None), audio_lost=live.audio_lost,
            **self._power.beat(),
        )  # fmt: skip
        self._frames_before, self._frames_before_ns = live.frames, now_ns

    def status(self) -> dict[str, Any]:
        """What `bodycam status` shows."""
        live, now_ns = self._recorder.live, self._clock.boot_ns()
        depth, space = self._ring.depth(), self._health.space
        last_sync_ns = self._recorder.sealer.last_sync_ns
        sample, test = self._clock.sample(), self._boot_check()
        return {
            "device": self._config.device.id, "pid": os.getpid(),
            "worker_pid": self._recorder.worker_pid, "written_ns": now_ns,
            "state": live.state.value, **self._shown(), "ready": live.ready,
            "camera": live.camera_ok, "recording": live.recording, "on_disk": live.on_disk,
            "lens": sorted(live.lens), "docked": self._devices.docked,
            "muted": live.muted, "covert": live.covert, "inhibited": live.inhibited,
            "last_sync_age_ms": None if last_sync_ns is None else (now_ns - last_sync_ns) // MS,
            "ring_ms": depth.video_ns // MS, "ring_bytes": depth.payload_bytes,
            "ring_locked": self._ring.locked,
            "frames": live.frames, "dropped": live.dropped, "restarts": live.restarts,
            "gaps": live.gaps, "storage_full": live.storage_full,
            "storage_fault": live.storage_fault or self._health.fault,
            "free_bytes": space.free_bytes if space else None,
            "free_percent": space.free_percent if space else None,
            **self._power.status(),
            "clock": sample.source.value, "clock_unc_ms": sample.unc_ms,
            "utc": utc_text(sample.utc_ns), "log_fault": self._log.fault,
            "switches": self._switches.levels(), "unreadable": self._switches.unreadable(),
            "selftest": test.to_json() if test else None,
        }  # fmt: skip

    def _shown(self) -> dict[str, Any]:
        """What the officer sees, as the trace has it."""
        shown = self._lamps.shown
        return {
            "signal": self._lamps.state,
            "notices": [] if shown is None else [notice.value for notice in shown.also],
            "service": self.service.reasons(),
            "wearer_lamp": DARK.text if shown is None else shown.wearer,
            "public_lamp": DARK.text if shown is None else shown.public,
        }

    def write_status(self) -> None:
        """Replace the status file; the supervisor does so too, when the recorder is ready."""
        fault = self._status_file.replace(self.status)
        # Nobody's evidence: it is said once, and the recorder goes on.
        if fault is not None and not self._status_fault:
            self._log.append("status.fault", reason=fault)
        self._status_fault = fault is not None

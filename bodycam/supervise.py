"""One recorder out of a configuration: wire it, watch its threads, shut it down in order.

| moment           | what happens                                             | systemd hears  |
|------------------|----------------------------------------------------------|----------------|
| start            | lock, log (torn tail set aside), recovery, ring, worker  | STATUS         |
| first picture    | or 5 s without a camera: the switch works in either case | READY=1        |
| 3 s later        | the recorder's own self-test: a line in the log          |                |
| each 0.25 s      | if every thread moved                                    | WATCHDOG=1     |
| SIGTERM, SIGINT  | segment closed, log closed, within 2 s                   | STOPPING=1     |
| a thread is dead | as SIGTERM, exit 1: a clean recorder is started          | STOPPING=1     |
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .activation import SWITCH, DemandOn, State
from .anchor import Anchor
from .bootcheck import BootCheck
from .buffer import PreRecordBuffer
from .clock import NS, ClockSource, ScaledClock, wait
from .config import CHARGE_OFF
from .configchoice import Chosen, ConfigWatch
from .contentkeys import find_recipients
from .devices import DeviceActions, DeviceWatch
from .errors import BodycamError, DeviceError, ExitCode
from .eventlog import EventLog
from .gpio import Pins
from .keywatch import KeyState, KeyWatch
from .lamps import Lamps
from .lives import Lives
from .notify import Notifier
from .parts import (
    begin_log,
    load_key,
    log_origin,
    make_clock,
    make_recorder,
    make_ring,
    min_free_bytes,
    note_identity,
    open_pins,
    open_sensors,
    recover,
)
from .powerguard import PowerActions, PowerGuard
from .renewal import Renewal
from .servicedue import ServiceDue
from .signalplayer import SignalPlayer, TraceEvent
from .signals import Cue, Facts
from .signing import Signer
from .simulate.pins import SimulatedPins
from .stopping import on_signals
from .store import Store
from .storehealth import StoreHealth
from .switches import Request, SwitchReader
from .threadwatch import ThreadWatch, Watched
from .watchdog import Watchdog

_READY_ANYWAY_NS = 5 * NS
# Whoever has just switched off may switch on again, and wants the ring then.
_REST_NS = 5 * NS
# A lens that lies in the dark is not covered: nights are dark.
_NIGHT = frozenset({"dark"})
_LOOP_S = 0.25
_LAST_SIGNATURE_S = 1.0
_FIRST_LOOK_S = 1.0


class Supervisor:
    """Owns every part of one recorder for as long as `run` runs."""

    def __init__(
        self, chosen: Chosen, config_path: Path, last_good: Path | None, notifier: Notifier
    ) -> None:
        self._chosen, self._config, self._notifier = chosen, chosen.config, notifier
        # Without a last good one somebody runs it by hand, and starts it again himself.
        self._configs = ConfigWatch(config_path, chosen, last_good) if last_good else None
        self._rest_since_ns: int | None = None
        self._clock = make_clock(chosen.config)
        self._stop = threading.Event()
        self._stop_reason = "signal"
        self._closing = ExitStack()
        self._key_ok = self._keys_ok = False
        self._key_watch = KeyWatch()
        self._found: list[str] = []  # what is a technician's business
        self._ended = False
        self._booted_ns: int | None = None

    def stop(self, number: signal.Signals) -> None:
        """End in order."""
        self._stop_reason = number.name
        self._stop.set()

    def run(self) -> ExitCode:
        """Run until told to stop; the exit code. Raises what makes a start impossible."""
        on_signals((signal.SIGTERM, signal.SIGINT), self.stop)
        with self._closing:
            self._wire()
            failed: str | None = "supervisor"
            try:
                failed = self._watch()
            finally:
                self._shut_down(failed)
        return ExitCode.FAILURE if failed else ExitCode.OK

    # -- start --------------------------------------------------------------------------------

    def _wire(self) -> None:
        config, clock = self._config, self._clock
        Path(config.store.runtime).mkdir(mode=0o755, parents=True, exist_ok=True)
        store = Store(Path(config.store.path), clock)
        self._closing.callback(store.close)
        store.open()
        signer, key_fault = load_key(config.identity, clock, self._closing)
        log = self._log = EventLog(store.log, clock, log_origin(config), signer)
        recovered = log.open()
        self._closing.callback(log.close)
        self._anchor = Anchor(Path(config.store.anchor), log)
        self._rollback = self._anchor.judge()
        begin_log(log, recovered, config, self._chosen.text, "recorder")
        if self._chosen.rejected is not None:
            log.append(
                "config.rejected", sync=True, reason=str(self._chosen.rejected),
                using=self._chosen.origin.value,
            )  # fmt: skip
        if self._rollback is not None:
            self._anchor.say(self._rollback, recovered.lines)
        recipients = find_recipients(Path(config.identity.path), config.recipients)
        note_identity(log, key_fault, recipients)
        self._key_ok, self._keys_ok = key_fault is None, not recipients.missing
        self._found += [str(fault) for fault in (key_fault, *recipients.bad) if fault is not None]
        if recovered.vouched_lines is not None:
            self._found.append("the log was cut: keep the card, and verify it")
        interrupted = recover(log, recovered, store, clock.boot_id)
        log.sync()
        ring = make_ring(config)
        self._closing.callback(ring.close)
        if not ring.locked:
            log.append("ring.unlocked", bytes=config.ring_bytes, reason="limit on locked memory")
        self._health = StoreHealth(store, clock, log, min_free_bytes(config))
        self._closing.callback(self._health.close)
        self._lives = Lives(Path(config.store.runtime), clock, log)
        self._recorder = make_recorder(
            config, self._chosen.text, clock, store, log, ring, signer, recipients.keys,
            self._cue, can_encrypt=self._keys_ok, store_takes=self._health.takes,
            interrupted=interrupted, strain=lambda: self._power.machine.strain,
            docked=lambda: self._devices.docked, safe=self._lives.begin(),
            key_watch=self._key_watch,
        )  # fmt: skip
        self._wire_threads(store, ring, signer, key_fault)

    def _wire_threads(
        self, store: Store, ring: PreRecordBuffer, signer: Signer, key_fault: BodycamError | None
    ) -> None:
        config, clock, log = self._config, self._clock, self._log
        pins = open_pins(config, clock, self._on_world, log.append)
        self._closing.callback(pins.close)
        self._lamps = Lamps(
            SignalPlayer(pins.write, config.signals), clock, self._facts, self._publisher(pins)
        )
        self._switches = SwitchReader(
            config, pins, clock, log, self._recorder.post, lambda _: self._cue(Cue.PRESS_ACK)
        )
        self._power = PowerGuard(
            config, clock, open_sensors(config, clock, self._closing),
            PowerActions(
                lambda cut: pins.write(CHARGE_OFF, cut), ring.set_load, self._inhibit,
                lambda: self._recorder.live.recording is not None,
            ),
        )  # fmt: skip
        self._boot_check = BootCheck(
            config, clock, log, store, ring, self._recorder, self._switches, self._power, signer,
            key_fault,
        )  # fmt: skip
        self._devices = DeviceWatch(
            config, clock, log, DeviceActions(self._recorder.plugged, ring.microphone_seen)
        )
        self._watchdog = Watchdog(
            config, clock, log, self._anchor, self._health, ring, self._recorder,
            self._switches, self._power,
            self._devices, self._lamps,
            ServiceDue(self._found, Renewal(signer.certificates), self._configs),
            lambda: self._boot_check.answer,
        )  # fmt: skip
        self._watchdog.sample_clock(logged=True)
        self._lamps.start()
        self._power.start()
        # Too hot to start is known before the switch is looked at.
        wait(clock, self._power.looked, _FIRST_LOOK_S)
        self._recorder.start()
        self._switches.start()
        self._watchdog.start()
        self._boot_check.start()
        self._devices.start()

    def _inhibit(self, reason: str | None) -> None:
        self._recorder.inhibit(reason)
        if reason is None and self._switches.levels().get("record"):
            # The switch wins: what was wanted all the time goes on.
            resume = DemandOn(SWITCH, self._clock.boot_ns(), cause="resume")
            self._recorder.post(Request(resume, -1))

    def _on_world(self, world: dict[str, Any]) -> dict[str, Any]:
        """The part of the simulated world that lives in this process: its clock."""
        clock = self._clock
        change = world.get("clock")
        if not isinstance(clock, ScaledClock) or not isinstance(change, dict):
            raise DeviceError("world: only a simulated clock can be changed here")
        clock.step_utc(int(change["step_ms"]), ClockSource(change["source"]), int(change["unc_ms"]))
        return {"utc_ns": clock.sample().utc_ns}

    # -- while it runs ------------------------------------------------------------------------

    def _cue(self, cue: Cue) -> None:
        self._lamps.cue(cue)

    def _publisher(self, pins: Pins) -> Callable[[TraceEvent], None]:
        if isinstance(pins, SimulatedPins):
            return lambda event: pins.publish({"trace": event.to_json()})
        return lambda _: None

    def _facts(self) -> Facts:
        live, health, now_ns = self._recorder.live, self._watchdog, self._clock.boot_ns()
        power = self._power.machine
        sync_ns = self._recorder.sealer.last_sync_ns
        wanted_ns, booted_ns = live.wanted_ns, self._booted_ns
        return Facts(
            on=not self._ended,
            booted=booted_ns is not None,
            ready=live.ready and live.inhibited is None,
            recording=live.recording is not None and live.on_disk,
            wanted=wanted_ns is not None,
            # What was wanted while it booted begins when it can.
            wanted_age_ns=None if wanted_ns is None else now_ns - max(wanted_ns, booted_ns or 0),
            last_sync_age_ns=now_ns - sync_ns if sync_ns is not None and live.on_disk else None,
            stop_pending=self._switches.pending_off(),
            # Until the last fragment is closed the recording has not ended.
            tail=live.state is not State.RECORDING,
            camera_ok=live.camera_ok,
            keys_ok=self._keys_ok,
            store_ok=self._health.fault is None,
            switch_ok=not self._switches.faulty(),
            degraded=live.audio_lost or self._log.fault is not None,
            lens=bool(live.lens - _NIGHT),
            storage_full=live.storage_full,
            storage_low_percent=self._health.low_percent,
            battery_minutes=power.low_minutes,
            hot=power.hot,
            danger=power.danger,
            clock_unset=health.clock_unset,
            long=health.reminders,
            covert=live.covert,
            muted=live.muted,
            tamper=self._devices.tamper or self._rollback is not None,
            service=bool(health.service.reasons()),
            docked=self._devices.docked,
            unsigned=not self._key_ok or self._key_watch.state is KeyState.FAILING,
        )

    def _threads(self) -> dict[str, Watched]:
        return {
            "recorder": self._recorder, "sealer": self._recorder.sealer,
            "switch": self._switches, "health": self._watchdog, "signals": self._lamps,
            "power": self._power, "devices": self._devices,
        }  # fmt: skip

    def _watch(self) -> str | None:
        """Feed systemd while everything moves; the reason if a thread has died."""
        began_ns = self._clock.boot_ns()
        ready = False
        watch = ThreadWatch(self._threads(), began_ns)
        while not self._stop.is_set():
            now_ns = self._clock.boot_ns()
            self._power.check(now_ns)
            found = watch.look(now_ns)
            if found.dead is not None:
                return found.dead
            for name in found.hung:
                self._log.append("thread.stuck", now_ns, thread=name)
            if found.moving:
                self._notifier.send(watchdog="1")
            if not ready and (self._recorder.live.ready or now_ns - began_ns > _READY_ANYWAY_NS):
                ready = True
                self._booted_ns = now_ns
                self._watchdog.write_status()
                self._notifier.send(ready="1", status=f"{self._recorder.live.state.value}")
            if self._configs is not None and self._configs.pending and self._rests(now_ns):
                self._stop_reason = "config"
                return None
            wait(self._clock, self._stop, _LOOP_S if ready else 0.02)
        return None

    def _rests(self, now_ns: int) -> bool:
        """Nothing is recorded nor wanted, and has not been for a while: it may begin anew."""
        live = self._recorder.live
        busy = live.state is not State.STANDBY or live.recording is not None
        if busy or any(self._switches.levels().values()) or self._switches.pending_off():
            self._rest_since_ns = None
            return False
        self._rest_since_ns = self._rest_since_ns or now_ns
        return now_ns - self._rest_since_ns >= _REST_NS

    def _shut_down(self, failed: str | None) -> None:
        self._notifier.send(stopping="1")
        if failed:
            self._log.append("thread.died", sync=True, reason=failed)
        self._boot_check.stop()
        self._switches.stop()
        self._devices.stop()
        closed = self._recorder.shutdown(self._clock.real_s(10.0))
        self._power.stop()
        self._watchdog.stop()
        self._power.say(self._log)
        self._watchdog.say_latency()
        self._ended = True
        self._lamps.finish()
        if not failed and closed:
            self._log.append("shutdown", sync=True, reason=self._stop_reason)
            self._lives.end()
        self._log.checkpoint(wait_s=_LAST_SIGNATURE_S)
        self._anchor.keep()
        self._watchdog.write_status()

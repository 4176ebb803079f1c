"""The recorder's own self-test, once after each start: what it can know without disturbing anything.

| when                        | what happens                                                      |
|-----------------------------|-------------------------------------------------------------------|
| first picture, or 15 s      | pictures and sound are counted for 3 s                            |
| then                        | the checks, and their `selftest` line, signed by a checkpoint     |
| a recording runs meanwhile  | the card is judged by its syncs, and left alone                   |
| told to stop                | nothing is written any more                                       |

READY waits for none of it, no lamp follows from it: what keeps an officer from recording is shown by
its own signal already. It is there for the technician (`bodycam status`), and for whoever asks later
whether the camera would have worked.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from .activation import State
from .buffer import PreRecordBuffer
from .checks.capture import (
    SILENCE_DB,
    CameraFacts,
    SoundFacts,
    judge_camera,
    judge_ring,
    judge_sound,
)
from .checks.card import check_card, judge_syncs
from .checks.identity import check_certificates, check_key, check_recipients
from .checks.loading import broken_among, judge_modules
from .checks.modules import SPARE_MODULES, needed_modules
from .checks.result import CheckResult, Form, SelfTest, failed, ok, warn
from .checks.unit import check_battery, check_cell, check_clock, check_heat, space_of
from .checks.watchdog import (
    Systemd,
    ask_systemd,
    check_hardware_watchdog,
    check_own_watchdog,
    read_hardware,
)
from .clock import NS, Clock, SystemClock, wait
from .config import Config
from .errors import BodycamError, ExitCode
from .eventlog import EventLog
from .powerguard import PowerGuard
from .recorder import Recorder
from .revocation import CRL_FILE
from .signing import Signer
from .store import Store
from .switches import SwitchReader

_CAMERA_NS = 15 * NS
_COUNT_S = 3.0
_TICK_S = 0.25
_PIECES = 2
# libav's AAC of nothing but zeros takes 4 to 6 bytes a frame; the least noise takes over 40.
SILENT_AAC_BYTES = 8


class BootCheck:
    """One thread that lives until it has its answer."""

    def __init__(
        self, config: Config, clock: Clock, log: EventLog, store: Store, ring: PreRecordBuffer,
        recorder: Recorder, switches: SwitchReader, power: PowerGuard, signer: Signer,
        key_fault: BodycamError | None,
    ) -> None:  # fmt: skip
        self._config, self._clock, self._log, self._store = config, clock, log, store
        self._ring, self._recorder, self._switches = ring, recorder, switches
        self._power, self._signer, self._key_fault = power, signer, key_fault
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="selftest", daemon=True)
        self.answer: SelfTest | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """From here on nothing is logged, however long a check still takes."""
        self._stop.set()
        with self._writing:
            return

    def _run(self) -> None:
        try:
            self._look()
        except BaseException as fault:
            # The thread ends with it, the recorder goes on, and the log says why there is no answer.
            why = f"{type(fault).__name__}: {fault}"
            crash = failed("selftest", why, "Report this", ExitCode.FAILURE)
            device, now = self._config.device.id, self._clock.sample()
            self._tell(SelfTest(Form.BOOT, device, now, (crash,)))
            raise

    def _look(self) -> None:
        live, clock = self._recorder.live, self._clock
        deadline_ns = clock.boot_ns() + _CAMERA_NS
        while not live.ready and clock.boot_ns() < deadline_ns:
            if wait(clock, self._stop, _TICK_S):
                return
        began = clock.sample()
        frames = live.frames
        if wait(clock, self._stop, _COUNT_S):
            return
        seen, elapsed_ns = live.frames - frames, clock.boot_ns() - began.boot_ns
        camera = CameraFacts(
            seen, seen * 1000 * NS // max(1, elapsed_ns), live.dropped, live.camera,
            fault=live.camera_fault,
        )  # fmt: skip
        self._tell(SelfTest(Form.BOOT, self._config.device.id, began, self._results(camera)))

    def _tell(self, test: SelfTest) -> None:
        with self._writing:
            if self._stop.is_set():
                return
            self._log.append("selftest", test.began.boot_ns, sync=True, **test.log_data())
        self.answer = test
        self._log.request_checkpoint()

    def _results(self, camera: CameraFacts) -> tuple[CheckResult, ...]:
        config, signer, now = self._config, self._signer, self._clock.sample()
        identity, sysfs = Path(config.identity.path), Path(config.power.sysfs)
        power, hardware = self._power.reading, read_hardware(sysfs)
        # Only where the kernel does not say it itself.
        unclear = hardware is None or hardware.state != "active"
        systemd = ask_systemd() if unclear else Systemd({})
        return (
            judge_camera(camera, config), self._sound(camera), judge_ring(locked=self._ring.locked),
            self._pins(), check_key(signer, self._key_fault, config.identity.key, SystemClock()),
            check_certificates(signer, config, Path(config.store.path) / CRL_FILE, now),
            check_recipients(identity, config.recipients, signer), self._card(),
            space_of(self._store, config),
            check_clock(now, sysfs), check_battery(power, config.power), check_cell(power, config),
            check_heat(power, config.heat),
            check_own_watchdog(os.environ), check_hardware_watchdog(hardware, systemd),
            self._modules(),
        )  # fmt: skip

    def _sound(self, camera: CameraFacts) -> CheckResult:
        count, largest = self._ring.sound()
        silent = count > 0 and largest <= SILENT_AAC_BYTES
        fault = "it was lost" if self._recorder.live.audio_lost else ""
        return judge_sound(
            SoundFacts(count, fault, SILENCE_DB if silent else None), self._config,
            camera_ok=camera.frames > 0,
        )  # fmt: skip

    def _pins(self) -> CheckResult:
        levels = self._switches.levels()
        active = [pin for pin, level in levels.items() if level]
        if self._switches.faulty():
            return failed(
                "pins", "a switch cannot be read, or its line never rests",
                "See gpio.fault and switch.fault in the log; check its wire", ExitCode.DEVICE,
                active=active,
            )  # fmt: skip
        lost = self._switches.unreadable()
        if lost:
            return warn(
                "pins", f"{', '.join(lost)}: cannot be read",
                "gpio.fault in the log names who holds the line", active=active, lost=lost,
            )  # fmt: skip
        told = f", active: {', '.join(active)}" if active else ""
        return ok("pins", f"{len(levels)} inputs read{told}", active=active)

    def _card(self) -> CheckResult:
        live, sealer = self._recorder.live, self._recorder.sealer

        def idle() -> bool:
            wanted = live.state is not State.STANDBY or live.recording is not None
            return not (wanted or self._stop.is_set())

        if not idle():
            return judge_syncs(list(sealer.sync_times.recent_ms), self._config)
        return check_card(self._store.evidence, self._config, _PIECES, SystemClock(), idle)

    def _modules(self) -> CheckResult:
        modules = needed_modules(self._config)
        if self._recorder.live.frames:
            return ok("modules", "recorder and worker run on them", modules=modules)
        # Where there never was a picture nobody misses the processor, and a module may be why.
        return judge_modules(modules, broken_among(modules, at_once=1), SPARE_MODULES)

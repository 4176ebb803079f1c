"""The self-test of a camera on which no recorder runs: one answer, and a signed line that holds it.

It owns the store as a recorder does, so that the two never fight for camera and pins, and says so in
the log: `boot` by `selftest`, `selftest`, `shutdown`. What a recorder left interrupted stays for the
next recorder to find.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cryptography import x509

from ..checks.answer import Logged
from ..checks.capture import judge_camera, judge_ring, judge_sound
from ..checks.card import check_card
from ..checks.identity import check_certificates, check_key, check_recipients
from ..checks.loading import broken_among, judge_modules
from ..checks.modules import SPARE_MODULES, TOKEN, needed_modules, pins_modules
from ..checks.result import CheckResult, Form, SelfTest, fault, not_tested
from ..checks.unit import check_battery, check_cell, check_clock, check_heat, space_of
from ..checks.watchdog import (
    Systemd,
    check_hardware_watchdog,
    check_service_watchdog,
    read_hardware,
    simulated_watchdog,
)
from ..clock import Clock, SystemClock
from ..config import Config, pin_map
from ..configfile import ConfigText
from ..contentkeys import find_recipients
from ..errors import BodycamError, CannotOpen, DeviceError, StorageError
from ..eventlog import EventLog
from ..parts import begin_log, load_key, log_origin, open_pins
from ..revocation import CRL_FILE
from ..sensors import Sensors
from ..signing import FORCE_ROOT, NoKey, Signer, load_root
from ..store import Store
from .pincheck import Ask, Notes, check_inputs, show_outputs
from .trial import Trial
from .trialcheck import judge_lens, judge_recording, measure_sound

_BY = "selftest"
_FULL_PIECES, _SHORT_PIECES = 24, 4
_STORAGE_STEP = "Check card and mount, then: systemd-tmpfiles --create bodycam.conf"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line; `ask` is None where nobody can answer."""

    short: bool = False
    lamps: bool = False
    ask: Ask | None = None


class SelfTester:
    """One self-test. Raises AlreadyRunning if a recorder has the store."""

    def __init__(
        self, config: Config, text: ConfigText, clock: Clock, systemd: Systemd, say: Say
    ) -> None:
        self._config, self._text, self._clock = config, text, clock
        self._systemd, self._say = systemd, say
        self._root = Path(config.store.path)
        self._deadly: set[str] = set()

    def run(self, wish: Wish) -> tuple[SelfTest, Logged]:
        """Test everything that was asked for, then write the answer into the log."""
        config, clock = self._config, self._clock
        form = Form.SHORT if wish.short else Form.FULL
        self._say("loading each native module in a process of its own")
        modules = needed_modules(config)
        broken = broken_among(modules)
        self._deadly = {found.module for found in broken if found.deadly}
        with ExitStack() as closing:
            signer, missing = self._key(closing)
            store, log, storage = self._open(signer, closing)
            began = clock.sample()
            results = [] if storage is None else [fault("store", storage, _STORAGE_STEP)]
            results += self._record(store, signer, wish)
            results += self._pins(wish)
            results += identity_checks(config, signer, missing, clock)
            results += self._card(store, wish)
            results += unit_checks(config, clock, self._systemd)
            results.append(judge_modules(modules, broken, SPARE_MODULES))
            test = SelfTest(form, config.device.id, began, tuple(results))
            if log is None:
                return test, Logged(why_not=f"it cannot be written: {storage}")
            return test, _write(log, test, signer)

    def _key(self, closing: ExitStack) -> tuple[Signer, BodycamError | None]:
        if TOKEN in self._deadly:
            return NoKey(), DeviceError(f"the token's library, {TOKEN}, kills what loads it")
        return load_key(self._config.identity, self._clock, closing)

    def _open(
        self, signer: Signer, closing: ExitStack
    ) -> tuple[Store | None, EventLog | None, StorageError | None]:
        """Store and log, owned until the end; or what is wrong with the card."""
        config = self._config
        store = Store(self._root, self._clock)
        closing.callback(store.close)
        try:
            store.open()
            log = EventLog(store.log, self._clock, log_origin(config), signer)
            recovered = log.open()
            closing.callback(log.close)
            begin_log(log, recovered, config, self._text, _BY)
        except StorageError as wrong:
            return None, None, wrong
        return store, log, None

    def _record(self, store: Store | None, signer: Signer, wish: Wish) -> list[CheckResult]:
        names = ("camera", "recording", "lens", "microphone", "ring")
        if wish.short or store is None:
            why = "only in the full form" if wish.short else "the card does not take it"
            return [not_tested(name, why) for name in names]
        config = self._config
        found = find_recipients(Path(config.identity.path), config.recipients)
        self._say("recording for 2 s, then reading it back")
        trial = Trial(
            config,
            self._text,
            self._clock,
            signer,
            found.keys,
            can_encrypt=not found.missing,
        )
        try:
            facts = trial.run(self._force_root())
        except StorageError as wrong:
            return [
                fault("recording", wrong, _STORAGE_STEP),
                *(
                    not_tested(name, "the card did not take it")
                    for name in names
                    if name != "recording"
                ),
            ]
        sound, seen = measure_sound(facts.heard), facts.camera.frames > 0
        return [
            judge_camera(facts.camera, config), judge_recording(facts, config),
            judge_lens(facts, config), judge_sound(sound, config, camera_ok=seen),
            judge_ring(locked=facts.ring_locked),
        ]  # fmt: skip

    def _force_root(self) -> x509.Certificate | None:
        try:
            return load_root(Path(self._config.identity.path) / FORCE_ROOT)
        except CannotOpen:
            return None  # check_certificates says it

    def _pins(self, wish: Wish) -> list[CheckResult]:
        config, by_name = self._config, pin_map(self._config)
        if self._deadly.intersection(pins_modules(config.gpio.backend)):
            return [
                not_tested(name, "their library kills what loads it") for name in ("pins", "lamps")
            ]
        self._say("looking at the pins for a second")
        notes = Notes()
        try:
            with open_pins(config, self._clock, _no_world, notes.take) as pins:
                found = [check_inputs(pins, by_name, self._clock, notes)]
                if wish.lamps:
                    found.append(show_outputs(pins, by_name, self._clock, notes, wish.ask))
        except DeviceError as wrong:
            return [fault("pins", wrong, "Check [gpio]"), not_tested("lamps", "no pins")]
        return found if wish.lamps else [*found, not_tested("lamps", "only with --lamps")]

    def _card(self, store: Store | None, wish: Wish) -> list[CheckResult]:
        if store is None:
            return [not_tested("card", "it could not be opened")]
        self._say("writing and syncing as a recording does")
        pieces = _SHORT_PIECES if wish.short else _FULL_PIECES
        return [
            check_card(store.evidence, self._config, pieces, SystemClock(), lambda: True),
            space_of(store, self._config),
        ]


def identity_checks(
    config: Config, signer: Signer, missing: BodycamError | None, clock: Clock
) -> list[CheckResult]:
    """What the identity folder is worth; disturbs nothing."""
    crl = Path(config.store.path) / CRL_FILE
    return [
        check_key(signer, missing, config.identity.key, SystemClock()),
        check_certificates(signer, config, crl, clock.sample()),
        check_recipients(Path(config.identity.path), config.recipients, signer),
    ]


def unit_checks(config: Config, clock: Clock, systemd: Systemd) -> list[CheckResult]:
    """What the unit around the camera is like; disturbs nothing."""
    sysfs = Path(config.power.sysfs)
    # Without vcgencmd: it answers later, if at all, and hwmon says the same of the supply.
    reading = Sensors(sysfs, config.power.cell_sensor, None).read()
    own = simulated_watchdog() if config.simulate else check_service_watchdog(systemd)
    return [
        check_clock(clock.sample(), sysfs), check_battery(reading, config.power),
        check_cell(reading, config), check_heat(reading, config.heat), own,
        check_hardware_watchdog(read_hardware(sysfs), systemd),
    ]  # fmt: skip


def _write(log: EventLog, test: SelfTest, signer: Signer) -> Logged:
    line = 1 + log.append("selftest", test.began.boot_ns, sync=True, **test.log_data())
    log.append("shutdown", sync=True, reason=_BY)
    log.checkpoint()
    if log.fault:
        return Logged(line, why_not=log.fault)
    signed = signer.public_key is not None
    return Logged(line, signed, "" if signed else "there is no device key to sign it with")


def _no_world(world: dict[str, Any]) -> NoReturn:
    raise DeviceError(f"world: {sorted(world)} cannot be changed during a self-test")

"""The power thread: looks at the sensors twice a second and acts, the charger first.

It never touches the disk, so that a stalled card cannot keep a hot cell on the charger: what it has
to say waits in a queue for the health thread. Nor does it touch the gauge's bus: `gaugebus` does. What
it does, and when, is the table of `power`.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clock import MS, NS, Clock, wait
from .config import Config
from .errors import DeviceError
from .eventlog import EventLog
from .gaugebus import ROUND_S, GaugeBus, GaugeReading
from .power import PowerMachine
from .powerevents import (
    ChargeEdge,
    ChargeStuck,
    FlagsEdge,
    LevelEdge,
    PowerEvent,
    PowerReading,
    Recalled,
    SensorEdge,
)
from .sensors import Sensors
from .sharedring import Load

OFF_FILE = "poweroff"
_OVERDUE_NS = 3 * NS
_CLOSE_NS = 7 * NS // 2


@dataclass(frozen=True, slots=True)
class PowerActions:
    """What the thread may do to the rest of the camera; each returns at once.

    `inhibit`: close and refuse to record for a reason, or allow it again with None.
    `recording`: whether anything is still open.
    """

    charge_off: Callable[[bool], None]
    set_load: Callable[[Load], None]
    inhibit: Callable[[str | None], None]
    recording: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _LoadSet:
    load: Load


@dataclass(frozen=True, slots=True)
class _ControlFault:
    """The charger could not be told."""

    reason: str


@dataclass(frozen=True, slots=True)
class _SwitchedOff:
    """The system was asked to switch the camera off; `refused` says why it could not be."""

    reason: str
    refused: str | None


_Saying = PowerEvent | _LoadSet | _ControlFault | _SwitchedOff


class Range:
    """Lowest and highest value since it was last taken."""

    def __init__(self) -> None:
        self._range: tuple[int, int] | None = None

    def add(self, value: int | None) -> None:
        if value is not None:
            low, high = self._range or (value, value)
            self._range = (min(low, value), max(high, value))

    def take(self) -> list[int] | None:
        """[lowest, highest], None if there was no value; begins anew."""
        taken, self._range = self._range, None
        return None if taken is None else list(taken)


class PowerGuard:
    """One thread; other threads read its public attributes."""

    def __init__(
        self, config: Config, clock: Clock, sensors: Sensors, actions: PowerActions
    ) -> None:
        self._clock, self._sensors, self._do = clock, sensors, actions
        self._off_path = Path(config.store.runtime) / OFF_FILE
        self._fresh = threading.Event()
        self._bus = GaugeBus(clock, sensors, self._fresh, self._control_fault)
        self._bus_silent = False
        self._looked_ns = clock.boot_ns()
        self._overdue = False
        self._off_since_ns: int | None = None
        self._off_refused: str | None = None
        self._faults: dict[str, str | None] = {}
        self._ranges = {"soc": Range(), "cell": Range()}
        self._ranging = threading.Lock()
        self._load = Load.FULL
        self._close_reason: str | None = None
        self._unsaid: queue.SimpleQueue[tuple[_Saying, int]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power")
        self.machine = PowerMachine(config.heat, config.power)
        self.reading = PowerReading()
        self.looked = threading.Event()
        self.beats = 0
        self._crashed: str | None = None

    def start(self) -> None:
        # Of an earlier life: this one has not asked for anything yet.
        self._off_path.unlink(missing_ok=True)
        self._bus.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._fresh.set()
        self._thread.join(2.0)
        self._bus.stop()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and self._bus.crashed is None

    @property
    def crashed(self) -> str | None:
        return self._crashed or self._bus.crashed

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.beats += 1
                fresh = wait(self._clock, self._fresh, 2 * ROUND_S)
                self._fresh.clear()
                gauge = self._bus.latest(self._clock.boot_ns())
                # A reading counts once, however late the next one is.
                if fresh or gauge is None:
                    self._look(gauge)
        except BaseException as fault:
            self._crashed = f"{type(fault).__name__}: {fault}"
            raise

    def _look(self, gauge: GaugeReading | None) -> None:
        soc_milli_c, throttled = self._sensors.read_board()
        now_ns = self._clock.boot_ns()
        self._notice_silence(gauge, now_ns)
        reading = PowerReading(
            soc_milli_c, gauge.cell_milli_c if gauge else None, gauge.battery if gauge else None,
            throttled,
        )  # fmt: skip
        events = self.machine.feed(reading, now_ns)
        # Before anything else, and each time anew: nobody else may have the last word.
        self._cut_charge(self.machine.cut is not None)
        for event in events:
            self._unsaid.put((event, now_ns))
        self._shed_and_close()
        self._power_off(now_ns)
        with self._ranging:
            self._ranges["soc"].add(reading.soc_milli_c)
            self._ranges["cell"].add(reading.cell_milli_c)
        self.reading = reading
        self._looked_ns, self._overdue = now_ns, False
        self.looked.set()

    def _notice_silence(self, gauge: GaugeReading | None, now_ns: int) -> None:
        silent = gauge is None
        if silent is not self._bus_silent:
            self._bus_silent = silent
            why = "no answer for 2 s" if silent else None
            self._unsaid.put((SensorEdge("bus", why), now_ns))

    def _shed_and_close(self) -> None:
        load, reason = self.machine.load, self.machine.close_reason
        if load is not self._load:
            self._load = load
            self._do.set_load(load)
            self._unsaid.put((_LoadSet(load), self._clock.boot_ns()))
        if reason != self._close_reason:
            self._close_reason = reason
            self._do.inhibit(reason)

    # -- the charger ----------------------------------------------------------------------------

    def _cut_charge(self, cut: bool) -> None:
        try:
            self._do.charge_off(cut)
            self._control_fault("pin", None)
        except DeviceError as fault:
            self._control_fault("pin", str(fault))
        self._bus.tell_charger(cut=cut)

    def _control_fault(self, control: str, reason: str | None) -> None:
        """Say once that a control of the charger does not obey; from either thread."""
        if self._faults.get(control) != reason:
            self._faults[control] = reason
            if reason is not None:
                self._unsaid.put((_ControlFault(reason), self._clock.boot_ns()))

    def check(self, now_ns: int) -> None:
        """For another thread: where even this one hangs, nobody knows how hot the cell is."""
        late_ns = now_ns - self._looked_ns
        if not self._overdue and late_ns > _OVERDUE_NS:
            self._overdue = True
            self._cut_charge(True)
            self._unsaid.put((SensorEdge("all", f"no answer for {late_ns // MS} ms"), now_ns))

    # -- switching off --------------------------------------------------------------------------

    def _power_off(self, now_ns: int) -> None:
        reason = self.machine.off_reason
        if reason is None:
            self._off_since_ns = None
        elif self._off_since_ns is None:
            self._off_since_ns = now_ns
        elif (
            # A card that stalls must not keep an empty battery waiting: what is synced is safe.
            not self._do.recording() or now_ns - self._off_since_ns >= _CLOSE_NS
        ) and not self._off_path.exists():
            refused = self._ask_to_switch_off(reason, now_ns)
            if refused is None or refused != self._off_refused:
                self._unsaid.put((_SwitchedOff(reason, refused), now_ns))
            self._off_refused = refused

    def _ask_to_switch_off(self, reason: str, now_ns: int) -> str | None:
        # The recorder has no right to do it: bodycam-poweroff.path waits for this file.
        draft = self._off_path.with_suffix(".new")
        try:
            draft.write_text(json.dumps({"reason": reason, "at_ns": now_ns}) + "\n", "utf-8")
            draft.rename(self._off_path)
        except OSError as fault:
            return f"{self._off_path}: {fault.strerror}"
        return None

    # -- for the health thread ------------------------------------------------------------------

    def say(self, log: EventLog) -> None:
        """Append to the log what has happened since the last time."""
        while not self._unsaid.empty():
            saying, at_ns = self._unsaid.get()
            _say(log, saying, at_ns)

    def status(self) -> dict[str, Any]:
        """The power fields of the status file."""
        machine, reading = self.machine, self.reading
        return {
            "battery_percent": machine.percent, "battery_minutes": machine.minutes,
            "soc_milli_c": reading.soc_milli_c, "cell_milli_c": reading.cell_milli_c,
            "charge": machine.cut or "allowed", **machine.strain.fields(),
        }  # fmt: skip

    def beat(self) -> dict[str, Any]:
        """The power fields of a heartbeat; lowest and highest since the last one."""
        machine, reading = self.machine, self.reading
        with self._ranging:
            soc, cell = self._ranges["soc"].take(), self._ranges["cell"].take()
        return {
            "battery": machine.percent, "battery_minutes": machine.minutes,
            "soc_milli_c": reading.soc_milli_c, "soc_range_milli_c": soc,
            "cell_milli_c": reading.cell_milli_c, "cell_range_milli_c": cell,
            "charge": machine.cut or "allowed", **machine.strain.fields(),
        }  # fmt: skip


def _say(log: EventLog, saying: _Saying, at_ns: int) -> None:
    match saying:
        case ChargeEdge(reason, milli_c):
            log.append(
                "power.charge", at_ns, allowed=reason is None, reason=reason, milli_c=milli_c
            )
        case ChargeStuck(for_ns):
            log.append("power.charge_stuck", at_ns, for_ms=for_ns // MS)
        case _ControlFault(reason):
            log.append("power.charge_control", at_ns, reason=reason)
        case LevelEdge(quantity, level, value) if quantity in ("battery", "minutes"):
            log.append("power.battery", at_ns, quantity=quantity, level=level, value=value)
        case LevelEdge(quantity, level, value):
            log.append("power.heat", at_ns, quantity=quantity, level=level, value=value)
        case FlagsEdge(flags, edges):
            log.append("power.throttled", at_ns, flags=sorted(flags), edges=edges)
        case SensorEdge(sensor, why):
            log.append("power.sensor", at_ns, sensor=sensor, ok=why is None, reason=why)
        case Recalled(model, serial):
            log.append("power.recalled", at_ns, model=model, serial=serial)
        case _LoadSet(load):
            log.append("power.load", at_ns, load=load.text)
        case _SwitchedOff(reason, refused):
            log.append("power.off", at_ns, reason=reason, refused=refused)

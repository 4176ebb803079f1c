"""The device thread: what is plugged in and out, told to those who can use it, and to the log.

The kernel's own events are listened to through pyudev: those of udevd do not reach a service without
a network (systemd.exec, PrivateNetwork=). Every ten seconds sysfs is looked through whatever the
observer says; without pyudev that is all there is.

| the observer               | what is done                                                  |
|----------------------------|---------------------------------------------------------------|
| raises, or its socket dies | said; another one, and a rescan for what it missed            |
| overflows                  | likewise                                                      |
| missed what a rescan sees  | likewise                                                      |
| cannot be had              | said once, tried again with each rescan; rescans alone        |
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .allowance import Allowance
from .clock import NS, Clock, wait
from .config import Config
from .devicescan import SUBSYSTEMS, DeviceScan
from .devicetable import DeviceEdge, DeviceTable, Kind, SeenBy
from .errors import DeviceError
from .eventlog import EventLog

KERNEL_SYSFS = Path("/sys")
_ROUND_S = 0.5
_EVENT_S = 0.2
_TAMPER_NS = 10 * NS
_LINES_A_MINUTE = 60


@dataclass(frozen=True, slots=True)
class DeviceActions:
    """Whom it is told; each returns at once."""

    camera: Callable[[bool], None]
    microphone: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Uevent:
    """What the kernel said of one device."""

    subsystem: str
    path: str
    gone: bool
    told: dict[str, str]


class Observer:
    """The kernel's events about devices. Raises DeviceError if they cannot be had."""

    def __init__(self) -> None:
        try:
            pyudev: Any = importlib.import_module("pyudev")
            self._monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
            self._monitor.start()
        except (ImportError, OSError) as fault:
            raise DeviceError(
                f"no events about devices: {fault}", "Install bodycam[camera] with pyudev"
            ) from fault

    def fileno(self) -> int:
        return int(self._monitor.fileno())

    def next(self, timeout_s: float) -> Uevent | None:
        """The next event, or None after the time. Raises DeviceError if the observer is dead."""
        try:
            device = self._monitor.poll(timeout=timeout_s)
            if device is None:
                return None
            told = {str(name): str(value) for name, value in device.properties.items()}
            path, gone = str(device.device_path), device.action == "remove"
            return Uevent(told.get("SUBSYSTEM", ""), path, gone, told)
        except (OSError, ValueError, UnicodeError) as fault:
            raise DeviceError(f"the observer of devices failed: {fault}") from fault


class DeviceWatch:
    """One thread; `tamper` and `docked` may be read by others."""

    def __init__(self, config: Config, clock: Clock, log: EventLog, actions: DeviceActions) -> None:
        root = Path(config.power.sysfs)
        self._clock, self._log, self._do = clock, log, actions
        self._scan = DeviceScan(root, config.devices)
        self._rescan_ns = config.devices.rescan_s * NS
        self._table = DeviceTable()
        self._allowance = Allowance(_LINES_A_MINUTE)
        # Events of this machine say nothing of a simulated one.
        self._observing = root == KERNEL_SYSFS
        self._observer: Observer | None = None
        self._said_observer: str | None = ""
        self._trusted = False  # it was there since the last scan
        self._next_scan_ns = 0
        self._foreign_ns: int | None = None
        self._stop = threading.Event()
        # A driver that hangs when it is asked must not keep the recorder from ending.
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)
        self.beats = 0
        self.crashed: str | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def tamper(self) -> bool:
        """True while a foreign USB device is plugged in, and for ten seconds after."""
        foreign_ns = self._foreign_ns
        recent = foreign_ns is not None and self._clock.boot_ns() - foreign_ns < _TAMPER_NS
        return recent or self._table.foreign

    @property
    def docked(self) -> bool:
        """True while the camera stands in its dock, or hangs on its charger where there is none."""
        return self._table.docked

    def _run(self) -> None:
        try:
            self._observe()
            self._rescan(SeenBy.START)
            while not self._stop.is_set():
                self.beats += 1
                self._listen()
                now_ns = self._clock.boot_ns()
                unsaid = self._allowance.renew(now_ns)
                if unsaid:
                    self._log.append("device.suppressed", now_ns, lines=unsaid)
                if now_ns >= self._next_scan_ns:
                    self._observe()
                    self._rescan(SeenBy.RESCAN)
        except BaseException as fault:
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise

    # -- the observer ---------------------------------------------------------------------------

    def _observe(self) -> None:
        """Have an observer, if there can be one; say it when that changes."""
        if self._observer is not None:
            return
        try:
            if not self._observing:
                raise DeviceError("no events about devices: [power] sysfs is not the kernel's")
            self._observer = Observer()
        except DeviceError as fault:
            self._say_observer(str(fault))
            return
        self._say_observer(None)

    def _say_observer(self, why: str | None) -> None:
        if why != self._said_observer:
            self._said_observer = why
            self._log.append("device.observer", ok=why is None, reason=why)

    def _lose_observer(self, why: str) -> None:
        if self._observer is not None:
            self._observer = None
            self._trusted = False
            self._say_observer(why)
        # What it may have missed is looked for at once; then there is another.
        self._next_scan_ns = 0

    def _listen(self) -> None:
        """Take the events that come in the next half second."""
        if self._observer is None:
            left_ns = self._next_scan_ns - self._clock.boot_ns()
            wait(self._clock, self._stop, min(_ROUND_S, left_ns / NS))
            return
        timeout_s = self._clock.real_s(_ROUND_S)
        try:
            while (event := self._observer.next(timeout_s)) is not None:
                self._take(event)
                timeout_s = 0.0
                if self._stop.is_set() or self._clock.boot_ns() >= self._next_scan_ns:
                    return
        except DeviceError as fault:
            self._lose_observer(str(fault))

    def _take(self, event: Uevent) -> None:
        if event.subsystem not in SUBSYSTEMS:
            return
        device = None if event.gone else self._scan.look(event.path, event.subsystem, event.told)
        self._tell(self._table.see(event.path, device, SeenBy.OBSERVER))

    # -- the rescan -----------------------------------------------------------------------------

    def _rescan(self, by: SeenBy) -> None:
        """Hold what is known against what is there."""
        self._next_scan_ns = self._clock.boot_ns() + self._rescan_ns
        found = self._scan.scan()
        if self._table.differing(found):
            # A device is seen in sysfs a moment before its event: what comes now is no miss.
            patience_s = _EVENT_S
            while self._drain(patience_s):
                patience_s = 0.0
                found = self._scan.scan()
            found = self._scan.scan()
        missed = self._table.differing(found)
        for path in missed:
            self._tell(self._table.see(path, found.get(path), by))
        if missed and self._trusted:
            self._lose_observer(f"it missed {missed[0]}")
        self._trusted = self._observer is not None

    def _drain(self, patience_s: float) -> bool:
        """Take the events that wait; True if there were any."""
        taken = False
        try:
            while self._observer is not None and (event := self._observer.next(patience_s)):
                self._take(event)
                taken, patience_s = True, 0.0
        except DeviceError as fault:
            self._lose_observer(str(fault))
        return taken

    # -- who is told ----------------------------------------------------------------------------

    def _tell(self, edges: list[DeviceEdge]) -> None:
        now_ns = self._clock.boot_ns()
        for edge in edges:
            device = edge.device
            # First those who wait for it, then the disk.
            if device.foreign:
                self._foreign_ns = now_ns
            elif edge.seen_by is SeenBy.START:
                pass  # the worker looks for itself as it starts
            elif device.kind is Kind.CAMERA:
                self._do.camera(edge.present)
            elif device.kind is Kind.MICROPHONE and edge.present:
                self._do.microphone()
            if self._allowance.take():
                self._write(edge, now_ns)

    def _write(self, edge: DeviceEdge, now_ns: int) -> None:
        device, by = edge.device, edge.seen_by.value
        if edge.present and device.kind is Kind.USB and device.foreign:
            self._log.append(
                "tamper.usb",
                now_ns,
                name=device.name,
                id=device.ident,
                what=device.what,
                seen_by=by,
            )
            return
        self._log.append(
            "device.added" if edge.present else "device.removed", now_ns, kind=device.kind.value,
            name=device.name, id=device.ident, foreign=device.foreign, seen_by=by,
        )  # fmt: skip

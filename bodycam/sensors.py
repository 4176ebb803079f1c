"""Battery, temperatures and the firmware's throttling, as Linux tells them in files.

Read under a configurable root, so that a simulated unit has real files to read. What is missing,
unreadable or out of its range is None.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .clock import NS, Clock
from .gauge import Battery
from .power import UNDERVOLT
from .powerevents import PowerReading

_SOC_ZONES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal")
_CELSIUS = (-40_000, 130_000)
_WEEK_S = 7 * 86_400
# raspberrypi/documentation, "get_throttled": what is so now. Bits 16 to 19 say the same of the
# time since boot; the hwmon driver clears them as it reads.
_THROTTLED = {0: UNDERVOLT, 1: "capped", 2: "throttled", 3: "soft-limit"}


class Sensors:
    """The sensors of one camera."""

    def __init__(self, root: Path, cell_sensor: str, firmware: Firmware | None) -> None:
        self._root = root
        self._cell_sensor = cell_sensor
        self._firmware = firmware

    def read(self) -> PowerReading:
        """All of them as they are now. A gauge on a slow bus may take its time."""
        battery, cell_milli_c = self.read_gauge()
        soc_milli_c, throttled = self.read_board()
        return PowerReading(soc_milli_c, cell_milli_c, battery, throttled)

    def read_board(self) -> tuple[int | None, frozenset[str] | None]:
        """What the SoC says of itself: temperature and throttling."""
        return self._soc(), self._throttled()

    def read_gauge(self) -> tuple[Battery | None, int | None]:
        """Battery and the cell's temperature, over a bus that may hang."""
        folder = self._battery_folder()
        battery = None if folder is None else _battery(folder, supplied=self._supplied())
        return battery, self._cell(folder)

    def charge_controls(self) -> list[Path]:
        """The kernel's own switches of the charger, where its driver has one."""
        supplies = _below(self._root / "class/power_supply")
        controls = (folder / "charge_behaviour" for folder in supplies)
        return [path for path in controls if path.exists()]

    def _battery_folder(self) -> Path | None:
        for folder in _below(self._root / "class/power_supply"):
            # A mouse has a battery, too: its scope is "Device".
            if _text(folder / "type") == "Battery" and _text(folder / "scope") != "Device":
                return None if _text(folder / "present") == "0" else folder
        return None

    def _supplied(self) -> bool:
        return any(
            _text(folder / "type") != "Battery" and _text(folder / "online") == "1"
            for folder in _below(self._root / "class/power_supply")
        )

    def _soc(self) -> int | None:
        for zone in _below(self._root / "class/thermal", "thermal_zone"):
            if _text(zone / "type") in _SOC_ZONES:
                return _whole(zone / "temp", *_CELSIUS)
        return _first(self._hwmon("cpu_thermal"), "temp1_input", *_CELSIUS)

    def _cell(self, battery: Path | None) -> int | None:
        kind, _, name = self._cell_sensor.partition(":")
        if kind == "hwmon":
            return _first(self._hwmon(name), "temp1_input", *_CELSIUS)
        if kind == "iio":
            devices = _named(self._root / "bus/iio/devices", name)
            return _first(devices, "in_temp_input", *_CELSIUS)
        if kind == "none" or battery is None:
            return None
        tenths = _whole(battery / "temp", _CELSIUS[0] // 100, _CELSIUS[1] // 100)
        return None if tenths is None else tenths * 100

    def _throttled(self) -> frozenset[str] | None:
        flags = self._flags()
        alarm = _first(self._hwmon("rpi_volt"), "in0_lcrit_alarm", 0, 1)
        if alarm is None:
            return flags
        return (flags or frozenset()) | ({UNDERVOLT} if alarm else set())

    def _flags(self) -> frozenset[str] | None:
        for soc in _below(self._root / "devices/platform", "soc"):
            text = _text(soc / f"{soc.name}:firmware/get_throttled")
            if text is not None:
                return throttled_flags(text)
        return None if self._firmware is None else self._firmware.throttled()

    def _hwmon(self, name: str) -> Iterator[Path]:
        return _named(self._root / "class/hwmon", name)


def throttled_flags(text: str) -> frozenset[str] | None:
    """What `get_throttled` says holds now; None if that is not a number in hex."""
    try:
        bits = int(text.removeprefix("throttled="), 16)
    except ValueError:
        return None
    return frozenset(flag for bit, flag in _THROTTLED.items() if bits >> bit & 1)


def selected(text: str) -> str:
    """The choice in force of a file that lists them all: "[auto] inhibit-charge"."""
    _, opened, rest = text.partition("[")
    return (rest.partition("]")[0] if opened else text).strip()


class Firmware:
    """Asks the firmware through `vcgencmd`, which may hang: nobody ever waits for it.

    Each question is a process. Its answer is taken when it is there; one that does not come is
    killed, and no new question is put before the process is gone.
    """

    _EVERY_NS = 2 * NS
    _PATIENCE_NS = 2 * NS

    def __init__(self, program: str, clock: Clock) -> None:
        self._program, self._clock = program, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._answer_fd = -1
        self._asked_ns: int | None = None
        self._flags: frozenset[str] | None = None

    def throttled(self) -> frozenset[str] | None:
        """The last answer; None without one."""
        now_ns = self._clock.boot_ns()
        asked_ns = self._asked_ns
        if self._process is None:
            if self._program and (asked_ns is None or now_ns - asked_ns >= self._EVERY_NS):
                self._ask(now_ns)
        elif self._process.poll() is not None:
            self._take(self._process.returncode)
        elif asked_ns is not None and now_ns - asked_ns >= self._PATIENCE_NS:
            self._process.kill()
            self._flags = None
        return self._flags

    def _ask(self, now_ns: int) -> None:
        self._asked_ns = now_ns
        self._answer_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._process = subprocess.Popen(
                [self._program, "get_throttled"], stdin=subprocess.DEVNULL, stdout=write_fd,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:
            # Not installed: a camera without it, which is not asked again.
            self._program = ""
            os.close(self._answer_fd)
        finally:
            os.close(write_fd)

    def _take(self, code: int) -> None:
        answer = b""
        with suppress(BlockingIOError):  # a child of its own keeps the pipe open, and said nothing
            answer = os.read(self._answer_fd, 100)
        text = answer.decode("ascii", errors="replace").strip()
        self._flags = throttled_flags(text) if code == 0 else None
        os.close(self._answer_fd)
        self._process = None

    def close(self) -> None:
        """End a question that is still open. Idempotent."""
        if self._process is None:
            return
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it hangs in the kernel; it is no child for long
            self._process.wait(0.5)
        os.close(self._answer_fd)
        self._process = None


def _battery(folder: Path, *, supplied: bool) -> Battery:
    status = _text(folder / "status") or ""
    # "Not charging" at the dock is not discharging; without a supply it is.
    known = {"Discharging": True, "Charging": False, "Full": False, "Not charging": not supplied}
    charge, energy = folder / "charge_now", folder / "energy_now"
    stored = _whole(charge, 0, 10**9)
    draw = _either(folder, ("current_now", "current_avg"), -(10**8), 10**8)
    if stored is None:
        stored, draw = _whole(energy, 0, 10**9), _whole(folder / "power_now", -(10**8), 10**8)
    micro_volt = _whole(folder / "voltage_now", 500_000, 30_000_000)
    return Battery(
        percent=_whole(folder / "capacity", -(10**6), 10**6),
        milli_volt=None if micro_volt is None else micro_volt // 1000,
        seconds_left=_either(folder, ("time_to_empty_now", "time_to_empty_avg"), 1, _WEEK_S),
        stored=stored,
        draw=draw,
        charging=status == "Charging" if status in known else None,
        discharging=known.get(status),
        health=_text(folder / "health"),
        model=_text(folder / "model_name"),
        serial=_text(folder / "serial_number"),
    )


def _either(folder: Path, names: tuple[str, ...], low: int, high: int) -> int | None:
    values = (_whole(folder / name, low, high) for name in names)
    return next((value for value in values if value is not None), None)


def _first(folders: Iterator[Path], name: str, low: int, high: int) -> int | None:
    values = (_whole(folder / name, low, high) for folder in folders)
    return next((value for value in values if value is not None), None)


def _whole(path: Path, low: int, high: int) -> int | None:
    try:
        value = int(_text(path) or "")
    except ValueError:
        return None
    return value if low <= value <= high else None


def _named(parent: Path, name: str) -> Iterator[Path]:
    return (folder for folder in _below(parent) if _text(folder / "name") == name)


def _below(parent: Path, prefix: str = "") -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.name.startswith(prefix))
    except OSError:
        # This kernel knows no such kind of device.
        return []


def _text(path: Path) -> str | None:
    # Twice a second some thirty of them: read as plainly as possible.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            raw = os.read(fd, 200)
        finally:
            os.close(fd)
    except OSError:
        # A sensor that cannot be read is one that is not there; a loss is logged by the machine.
        return None
    return raw.decode("utf-8", errors="replace").strip()

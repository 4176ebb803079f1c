"""The simulated unit's sysfs: real files, as the kernel's drivers have them, for the sensors to read."""

from __future__ import annotations

import shutil
from pathlib import Path

from .scenario import PowerChange, Sensor

_BATTERY = "class/power_supply/battery"
_SOC = "class/thermal/thermal_zone0"
_DOCK = "class/power_supply/dock"
_SUPPLY = "class/hwmon/hwmon0"
_SENSORS = {
    Sensor.SOC: f"{_SOC}/temp",
    Sensor.CELL: f"{_BATTERY}/temp",
    Sensor.BATTERY: f"{_BATTERY}/capacity",
}
# What the drivers say of themselves.
_FIXED = {
    f"{_BATTERY}/type": "Battery",
    f"{_BATTERY}/charge_behaviour": "[auto] inhibit-charge force-discharge",
    f"{_SOC}/type": "cpu-thermal",
    f"{_SUPPLY}/name": "rpi_volt",
}


def change_power(root: Path, change: PowerChange) -> None:
    """Let the sensors say something else."""
    for name, fixed in _FIXED.items():
        if not (root / name).exists():
            set_file(root, name, fixed)
    values = {
        f"{_BATTERY}/capacity": change.battery,
        f"{_BATTERY}/time_to_empty_now": _times(change.minutes_left, 60),
        f"{_BATTERY}/temp": _times(change.cell_c, 10),
        f"{_BATTERY}/model_name": change.model,
        f"{_BATTERY}/status": {True: "Charging", False: "Discharging", None: None}[change.charging],
        f"{_SOC}/temp": _times(change.temperature_c, 1000),
        f"{_SUPPLY}/in0_lcrit_alarm": _times(change.undervolt, 1),
        "devices/platform/soc/soc:firmware/get_throttled": (
            None if change.throttled is None else f"{change.throttled:x}"
        ),
    }
    for name, value in values.items():
        if value is not None:
            set_file(root, name, value)
    for sensor in change.lost:
        (root / _SENSORS[sensor]).unlink(missing_ok=True)


def plug_usb(root: Path, product: str, *, present: bool) -> None:
    """Plug a USB device in, or out."""
    name = f"bus/usb/devices/1-{product.replace(':', '-')}"
    if not present:
        shutil.rmtree(root / name, ignore_errors=True)
        return
    vendor, number = (word.lstrip("0") or "0" for word in product.split(":"))
    told = f"DEVTYPE=usb_device\nPRODUCT={vendor}/{number}/100\nTYPE=0/0/0"
    set_file(root, f"{name}/uevent", told)


def put_in_dock(root: Path, *, present: bool) -> None:
    """Put the camera into a dock that is known by its supply, or take it out."""
    set_file(root, f"{_DOCK}/type", "Mains")
    set_file(root, f"{_DOCK}/online", int(present))


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor


def set_file(root: Path, name: str, value: int | str) -> None:
    """Write one file; it is never seen half written."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(f"{value}\n", encoding="ascii")
    draft.rename(path)

"""The sensors, on trees of real files as the kernel's drivers lay them out."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bodycam.clock import SystemClock
from bodycam.gauge import Battery
from bodycam.powerevents import PowerReading
from bodycam.sensors import Firmware, Sensors, selected, throttled_flags

# Zero 2 W with a MAX17048 and a thermistor at the cell, as `grep -r . /sys/class` shows it.
RIG = {
    "class/thermal/thermal_zone0/type": "cpu-thermal",
    "class/thermal/thermal_zone0/temp": "48312",
    "class/hwmon/hwmon0/name": "cpu_thermal",
    "class/hwmon/hwmon0/temp1_input": "48312",
    "class/hwmon/hwmon1/name": "rpi_volt",
    "class/hwmon/hwmon1/in0_lcrit_alarm": "0",
    "class/hwmon/hwmon2/name": "ntc_thermistor",
    "class/hwmon/hwmon2/temp1_input": "24500",
    "class/power_supply/bq27441/type": "Battery",
    "class/power_supply/bq27441/present": "1",
    "class/power_supply/bq27441/status": "Discharging",
    "class/power_supply/bq27441/capacity": "73",
    "class/power_supply/bq27441/voltage_now": "3912000",
    "class/power_supply/bq27441/current_now": "-412000",
    "class/power_supply/bq27441/charge_now": "1900000",
    "class/power_supply/bq27441/time_to_empty_now": "16500",
    "class/power_supply/bq27441/temp": "251",
    "class/power_supply/bq27441/health": "Good",
    "class/power_supply/bq27441/model_name": "INR18650-26J",
    "class/power_supply/bq27441/serial_number": "LOT17-0042",
    "class/power_supply/usb/type": "USB",
    "class/power_supply/usb/online": "0",
    "devices/platform/soc/soc:firmware/get_throttled": "0",
}


def tree(root: Path, **changes: str | None) -> Path:
    """The rig's files; a change names the end of a path, None takes the file away."""
    files = dict(RIG)
    for end, text in changes.items():
        name = next(name for name in RIG if name.replace("/", "_").endswith(end))
        if text is None:
            del files[name]
        else:
            files[name] = text
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")
    return root


def read(root: Path, cell: str = "battery") -> PowerReading:
    return Sensors(root, cell, None).read()


def test_everything_a_rig_has_is_read_in_one_look(tmp_path: Path) -> None:
    assert read(tree(tmp_path)) == PowerReading(
        soc_milli_c=48_312,
        cell_milli_c=25_100,
        battery=Battery(
            percent=73,
            milli_volt=3912,
            seconds_left=16_500,
            stored=1_900_000,
            draw=-412_000,
            discharging=True,
            charging=False,
            health="Good",
            model="INR18650-26J",
            serial="LOT17-0042",
        ),
        throttled=frozenset(),
    )


def test_a_machine_without_any_sensor_gives_nothing(tmp_path: Path) -> None:
    assert read(tmp_path) == PowerReading()


@pytest.mark.parametrize("text", ["", "-", "garbage", "-1000000", "200000", "1e3", "\x00\x00"])
def test_what_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, zone0_temp=text, hwmon0_temp1_input=text, bq27441_temp=text)
    reading = read(root)
    assert (reading.soc_milli_c, reading.cell_milli_c) == (None, None)


def test_an_absurd_percentage_is_handed_on_for_the_gauge_to_say_so(tmp_path: Path) -> None:
    reading = read(tree(tmp_path, capacity="255"))
    assert reading.battery is not None
    assert reading.battery.percent == 255


def test_the_soc_is_found_by_the_type_of_its_zone_not_by_its_number(tmp_path: Path) -> None:
    root = tree(tmp_path, zone0_type="gpu-thermal", hwmon0_temp1_input="51000")
    assert read(root).soc_milli_c == 51_000
    zone = root / "class/thermal/thermal_zone3"
    zone.mkdir()
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("63000\n")
    assert read(root).soc_milli_c == 63_000


def test_only_the_cameras_own_battery_is_one(tmp_path: Path) -> None:
    mouse = tmp_path / "class/power_supply/aaa-mouse"
    mouse.mkdir(parents=True)
    for name, text in {"type": "Battery", "scope": "Device", "capacity": "3"}.items():
        (mouse / name).write_text(text + "\n")
    assert read(tmp_path).battery is None
    battery = read(tree(tmp_path)).battery
    assert battery is not None
    assert battery.percent == 73


def test_a_battery_that_was_taken_out_gives_nothing(tmp_path: Path) -> None:
    reading = read(tree(tmp_path, present="0"))
    assert (reading.battery, reading.cell_milli_c) == (None, None)


@pytest.mark.parametrize(
    ("status", "supplied", "discharging", "charging"),
    [
        ("Charging", "1", False, True),
        ("Full", "1", False, False),
        ("Not charging", "1", False, False),
        ("Not charging", "0", True, False),
        ("Discharging", "0", True, False),
        ("Unknown", "0", None, None),
    ],
)
def test_whether_it_is_charged(
    tmp_path: Path, status: str, supplied: str, discharging: bool | None, charging: bool | None
) -> None:
    battery = read(tree(tmp_path, status=status, online=supplied)).battery
    assert battery is not None
    assert (battery.discharging, battery.charging) == (discharging, charging)


def test_energy_and_power_do_where_charge_and_current_are_not(tmp_path: Path) -> None:
    root = tree(tmp_path, charge_now=None)
    folder = root / "class/power_supply/bq27441"
    (folder / "energy_now").write_text("7000000\n")
    (folder / "power_now").write_text("1600000\n")
    battery = read(root).battery
    assert battery is not None
    assert (battery.stored, battery.draw) == (7_000_000, 1_600_000)


@pytest.mark.parametrize(
    ("cell", "milli_c"),
    [("battery", 25_100), ("hwmon:ntc_thermistor", 24_500), ("iio:ads1015", 26_000),
     ("hwmon:missing", None), ("none", None)],
)  # fmt: skip
def test_the_cells_sensor_is_the_one_that_is_named(
    tmp_path: Path, cell: str, milli_c: int | None
) -> None:
    device = tree(tmp_path) / "bus/iio/devices/iio:device1"
    device.mkdir(parents=True)
    (device / "name").write_text("ads1015\n")
    (device / "in_temp_input").write_text("26000\n")
    assert read(tmp_path, cell).cell_milli_c == milli_c


@pytest.mark.parametrize(
    ("alarm", "bits", "flags"),
    [
        ("0", "0", set()),
        ("1", "0", {"undervolt"}),
        ("0", "1", {"undervolt"}),
        ("0", "50005", {"undervolt", "throttled"}),
        ("0", "f000a", {"capped", "soft-limit"}),
        ("0", "50000", set()),
        (None, "4", {"throttled"}),
        ("1", None, {"undervolt"}),
        ("1", "no number", {"undervolt"}),
        (None, None, None),
    ],
)
def test_throttling_is_what_hwmon_and_the_firmware_say_now(
    tmp_path: Path, alarm: str | None, bits: str | None, flags: set[str] | None
) -> None:
    found = read(tree(tmp_path, lcrit_alarm=alarm, throttled=bits)).throttled
    assert found == (None if flags is None else frozenset(flags))


def test_a_pi_5_has_its_firmware_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "devices/platform/soc@107c000000/soc@107c000000:firmware"
    folder.mkdir(parents=True)
    (folder / "get_throttled").write_text("2\n")
    assert read(tmp_path).throttled == frozenset({"capped"})


def test_the_kernels_choice_stands_in_brackets() -> None:
    assert selected("auto [inhibit-charge] force-discharge\n") == "inhibit-charge"
    assert selected("auto\n") == "auto"


# -- vcgencmd ----------------------------------------------------------------------------------


def program(folder: Path, script: str) -> str:
    path = folder / "vcgencmd"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def until(firmware: Firmware, holds: Callable[[], bool]) -> None:
    """Ask as the power thread does, until a fact; no question may take long."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        began = time.monotonic()
        firmware.throttled()
        # Another process may have the processor: far above what is taken, far below a hang.
        assert time.monotonic() - began < 2
        time.sleep(0.02)


def test_the_firmware_is_asked_by_a_process_nobody_waits_for(tmp_path: Path) -> None:
    firmware = Firmware(program(tmp_path, 'echo "throttled=0x50005"'), SystemClock())
    assert firmware.throttled() is None
    until(firmware, lambda: firmware.throttled() == frozenset({"undervolt", "throttled"}))
    firmware.close()


def test_a_firmware_that_hangs_is_killed_and_only_then_asked_again(tmp_path: Path) -> None:
    script = f"echo $$ >> {tmp_path}/asked; exec sleep 1000"
    firmware = Firmware(program(tmp_path, script), SystemClock())
    asked = tmp_path / "asked"
    until(firmware, lambda: asked.exists() and len(asked.read_text().split()) == 2)
    first, _ = (int(pid) for pid in asked.read_text().split())
    assert not Path(f"/proc/{first}").exists()
    assert firmware.throttled() is None
    firmware.close()
    firmware.close()


def test_an_answer_that_a_grandchild_withholds_is_no_answer(tmp_path: Path) -> None:
    # The pipe stays open after the program has ended: reading it to its end would hang.
    marker = tmp_path / "ended"
    firmware = Firmware(program(tmp_path, f"sleep 5 & touch {marker}"), SystemClock())
    until(firmware, marker.exists)
    until(firmware, lambda: firmware._process is None)
    assert firmware.throttled() is None
    firmware.close()


@pytest.mark.parametrize("script", ["exit 1", 'echo "throttled=0x5"; exit 1', "echo error=1"])
def test_a_refusal_is_no_answer(tmp_path: Path, script: str) -> None:
    firmware = Firmware(program(tmp_path, script), SystemClock())
    firmware.throttled()
    until(firmware, lambda: firmware._process is None)
    assert firmware.throttled() is None
    firmware.close()


def test_without_the_program_it_is_not_tried_again(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    firmware = Firmware(str(tmp_path / "missing"), SystemClock())
    assert firmware.throttled() is None
    assert firmware._program == ""
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_flags_are_read_in_hex_with_and_without_a_name() -> None:
    assert throttled_flags("throttled=0x4") == throttled_flags("4") == frozenset({"throttled"})
    assert throttled_flags("") is None

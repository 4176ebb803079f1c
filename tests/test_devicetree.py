"""The overlay compiles and says what the pin map says; config.txt sets every pin to rest."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bodycam.config import Active, Pull, default_pins
from hardware.header import buses

HARDWARE = Path(__file__).resolve().parent.parent / "hardware"

# Every key of config.txt, and where Raspberry Pi documents it.
CONFIG_KEYS = {
    "gpio": "config_txt/gpio.adoc",
    "dtparam": "config_txt/common.adoc",
    "dtoverlay": "config_txt/common.adoc",
    "camera_auto_detect": "config_txt/common.adoc",
    "display_auto_detect": "config_txt/common.adoc",
    "disable_splash": "config_txt/boot.adoc",
    "boot_delay": "config_txt/boot.adoc",
    "force_eeprom_read": "config_txt/boot.adoc",
    "disable_poe_fan": "config_txt/boot.adoc",
}
# Parameters and overlays of /boot/firmware/overlays/README, and ours.
PARAMETERS = {"strict_gpiod", "hdmi", "audio", "i2c_arm", "watchdog", "rtc_bbat_vchg"}
OVERLAYS = {"disable-wifi", "disable-bt", "cma", "bodycam"}
FILTERS = {"all", "pi02", "pi4", "pi5"}


def compiled(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "overlay.dts").write_text(source, encoding="utf-8")
    return subprocess.run(
        ["dtc", "-@", "-Wno-unit_address_vs_reg", "-I", "dts", "-O", "dtb", "-o", "bodycam.dtbo",
         "overlay.dts"],
        check=False, cwd=folder, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The overlay as the firmware gets it, decompiled."""
    assert shutil.which("dtc"), "the tests need dtc: run `make install-system`"
    folder = tmp_path_factory.mktemp("dt")
    source = (HARDWARE / "bodycam-overlay.dts").read_text(encoding="utf-8")
    done = compiled(source, folder)
    assert (done.stderr, done.returncode) == ("", 0)
    return subprocess.run(
        ["dtc", "-q", "-I", "dtb", "-O", "dts", "bodycam.dtbo"],
        check=True, cwd=folder, capture_output=True, text=True, timeout=30,
    ).stdout  # fmt: skip


def test_the_kernel_calls_each_pin_what_the_map_calls_it(overlay: str) -> None:
    names = re.findall(r'gpio-line-names = "([^;]*)";', overlay)
    assert len(names) == 1
    lines = names[0].replace('", "', r"\0").split(r"\0")
    wanted = {pin.bcm: name for name, pin in default_pins().items()}
    wanted |= {bcm: name for name, bcm in buses().items()}
    assert lines == [wanted.get(bcm, "") for bcm in range(28)]


def test_nothing_but_names_touches_a_pin_of_the_map(overlay: str) -> None:
    assert "brcm,pins" not in overlay
    assert "gpio-hog" not in overlay
    fixups = overlay.partition("__fixups__")[2]
    targets = set(re.findall(r"(?m)^\t\t(\w+) = ", fixups))
    assert targets == {"gpio", "i2c_arm", "i2s_clk_producer", "sound"}
    assert len(re.findall(r"gpio = ", fixups)) == 1


@pytest.mark.parametrize(
    ("node", "compatible", "address"),
    [
        ("fuel-gauge@36", "maxim,max17048", 0x36),
        ("temperature-sensor@48", "ti,tmp102", 0x48),
        ("rtc@68", "maxim,ds3231", 0x68),
    ],
)
def test_each_chip_on_the_bus_has_its_driver_and_the_drawings_address(
    overlay: str, node: str, compatible: str, address: int
) -> None:
    body = overlay.partition(f"{node} {{")[2].partition("};")[0]
    assert f'compatible = "{compatible}";' in body
    assert f"reg = <0x{address:02x}>;" in body
    assert f"(0x{address:02x})" in (HARDWARE / "power.svg").read_text(encoding="utf-8")


def test_parts_can_be_left_out_by_parameters_that_name_their_fragments(overlay: str) -> None:
    source = (HARDWARE / "bodycam-overlay.dts").read_text(encoding="utf-8")
    left_out = dict(re.findall(r'(no\w+) = <0>,"([-\d]+)";', source))
    inside = {"nogauge": "fuel-gauge", "nothermometer": "temperature-sensor", "noclock": "rtc@",
              "nomicrophone": "simple-audio-card"}  # fmt: skip
    assert left_out.keys() == inside.keys()
    for name, numbers in left_out.items():
        bodies = [overlay.partition(f"fragment@{n} {{")[2].partition("fragment@")[0]
                  for n in numbers.strip("-").split("-")]  # fmt: skip
        assert inside[name] in "".join(bodies)
        assert name in overlay.partition("__overrides__")[2]


def test_a_slip_in_the_overlay_is_found(tmp_path: Path) -> None:
    source = (HARDWARE / "bodycam-overlay.dts").read_text(encoding="utf-8")
    assert compiled(source.replace("<&bodycam_codec>", "<&no_such_node"), tmp_path).returncode != 0


# -- config.txt -------------------------------------------------------------------------------------


def settings() -> list[tuple[str, str, str]]:
    """Filter, key and value of each line."""
    found, where = [], "all"
    for line in (HARDWARE / "config.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            where = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.append((where, key, value))
    return found


def numbers(text: str) -> list[int]:
    """The pins of a `gpio=` line: "5,22-25"."""
    ends = [part.partition("-") for part in text.split(",")]
    return [n for low, _, high in ends for n in range(int(low), int(high or low) + 1)]


def test_every_line_of_config_txt_is_one_that_the_firmware_knows() -> None:
    for where, key, value in settings():
        assert where in FILTERS
        assert key in CONFIG_KEYS
        if key == "dtparam":
            assert value.partition("=")[0] in PARAMETERS
        if key == "dtoverlay":
            assert value.split(",")[0] in OVERLAYS
        assert len(f"{key}={value}") <= 98  # the firmware cuts longer lines


def test_every_pin_is_at_rest_before_linux_runs() -> None:
    asked: dict[int, str] = {}
    for where, key, value in settings():
        if key == "gpio":
            assert where == "all"
            pins, _, state = value.partition("=")
            asked |= dict.fromkeys(numbers(pins), state)
    wanted = {}
    for pin in default_pins().values():
        if pin.direction == "in":
            wanted[pin.bcm] = {Pull.UP: "ip,pu", Pull.DOWN: "ip,pd", Pull.OFF: "ip,pn"}[pin.pull]
        else:
            high = pin.rest_active == (pin.active is Active.HIGH)
            wanted[pin.bcm] = "op,dh" if high else "op,dl"
    assert asked == wanted


@pytest.mark.parametrize("board", ["pi02", "pi4", "pi5"])
def test_each_board_loads_the_overlay_once_and_knows_its_parameters(board: str) -> None:
    loaded = [v for where, key, v in settings() if key == "dtoverlay" and where in (board, "all")]
    ours = [value.split(",") for value in loaded if value.startswith("bodycam")]
    assert len(ours) == 1
    source = (HARDWARE / "bodycam-overlay.dts").read_text(encoding="utf-8")
    for parameter in ours[0][1:]:
        assert f"\t{parameter} = " in source


def test_what_safety_leans_on_is_set() -> None:
    lines = {f"{key}={value}" for where, key, value in settings() if where == "all"}
    assert {"dtparam=strict_gpiod", "dtparam=watchdog=on", "dtparam=i2c_arm=on"} <= lines

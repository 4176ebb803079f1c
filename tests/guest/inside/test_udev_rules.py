"""71-bodycam.rules with the real udev: USB devices made by the kernel's own gadgets, plugged and judged.

Runs inside the guest, as root.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

GADGETS = Path("/sys/kernel/config/usb_gadget")
DEVICES = Path("/sys/bus/usb/devices")
HUB = 0x09


def until(what: str, holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@pytest.fixture(scope="module", autouse=True)
def _bus() -> None:
    subprocess.run(["modprobe", "-a", "dummy_hcd", "usb_f_mass_storage", "usb_storage"], check=True)


@contextmanager
def plugged(tmp_path: Path, vendor: int, product: int, device_class: int = 0) -> Iterator[Path]:
    """A disk on the bus; what it says that it is, is up to the caller."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(2**20))
    gadget = GADGETS / "foreign"
    function, config = gadget / "functions/mass_storage.0", gadget / "configs/c.1"
    for folder in (gadget, function, config):
        folder.mkdir()
    (gadget / "idVendor").write_text(hex(vendor))
    (gadget / "idProduct").write_text(hex(product))
    (gadget / "bDeviceClass").write_text(hex(device_class))
    (function / "lun.0/file").write_text(str(image))
    (config / "mass_storage.0").symlink_to(function)
    (gadget / "UDC").write_text(next(Path("/sys/class/udc").iterdir()).name)
    try:
        until("the device", lambda: device(vendor) is not None)
        found = device(vendor)
        assert found is not None
        yield found
    finally:
        (gadget / "UDC").write_text("\n")
        (config / "mass_storage.0").unlink()
        for folder in (config, function, gadget):
            folder.rmdir()
        until("the device to leave", lambda: device(vendor) is None)


def device(vendor: int) -> Path | None:
    for path in DEVICES.glob("*/idVendor"):
        if path.read_text().strip() == f"{vendor:04x}":
            return path.parent
    return None


def drivers(found: Path) -> list[str]:
    """What drives the device's interfaces."""
    return [
        (path / "driver").readlink().name
        for path in found.glob("*:*")
        if (path / "driver").exists()
    ]


def authorized(path: Path) -> str:
    return (path / "authorized").read_text().strip()


def interfaces(found: Path) -> list[str]:
    return [authorized(path) for path in found.glob("*:*")]


def test_a_foreign_disk_gets_no_driver(tmp_path: Path) -> None:
    with plugged(tmp_path, 0x0781, 0x5567) as found:
        until("udev's refusal", lambda: authorized(found) == "0")
        assert drivers(found) == []


def test_what_is_on_the_list_is_used(tmp_path: Path) -> None:
    with plugged(tmp_path, 0x0424, 0xEC00) as found:
        until("a driver", lambda: drivers(found) == ["usb-storage"])
        assert authorized(found) == "1"


def test_a_disk_that_calls_itself_a_hub_gets_no_driver_either(tmp_path: Path) -> None:
    with plugged(tmp_path, 0x0781, 0x5567, HUB) as found:
        until("udev's refusal", lambda: interfaces(found) == ["0"])
        assert authorized(found) == "1"
        assert drivers(found) == []


def test_a_rule_of_one_s_own_allows_a_device(tmp_path: Path) -> None:
    rules = Path("/run/udev/rules.d/70-bodycam-allow.rules")
    rules.parent.mkdir(exist_ok=True)
    shipped = Path("/usr/local/lib/udev/rules.d/71-bodycam.rules").read_text(encoding="utf-8")
    example = next(line for line in shipped.splitlines() if "0d8c" in line).lstrip("# ")
    rules.write_text(f"{example}\n", encoding="utf-8")
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    try:
        with plugged(tmp_path, 0x0D8C, 0x0014) as found:
            until("a driver", lambda: drivers(found) == ["usb-storage"])
    finally:
        rules.unlink()
        subprocess.run(["udevadm", "control", "--reload"], check=True)

"""Which devices sysfs shows: cameras, microphones, card, battery, dock, and all that is on USB.

The kernel tells the same in an event as in the file `uevent` of a device, so both are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from .config import Devices
from .devicetable import Device, Kind

SUBSYSTEMS = ("video4linux", "media", "sound", "block", "power_supply", "usb")
_FOLDERS = {
    "video4linux": "class/video4linux/video*",
    "media": "bus/media/devices/media*",
    "sound": "class/sound/pcmC*c",
    "block": "class/block/*",
    "power_supply": "class/power_supply/*",
    "usb": "bus/usb/devices/*",
}
# The Pi's decoders and image processors are video nodes, too.
_NO_CAMERA = re.compile(r"codec|isp|hevc", re.IGNORECASE)
_HUB = 9
_CLASSES = {
    0x01: "sound", 0x02: "network", 0x03: "input", 0x08: "storage", _HUB: "hub", 0x0A: "network",
    0x0E: "video", 0xE0: "wireless",
}  # fmt: skip


class DeviceScan:
    """Reads what is there, below one root."""

    def __init__(self, root: Path, wanted: Devices) -> None:
        self._root, self._wanted = root.resolve(), wanted

    def scan(self) -> dict[str, Device]:
        """Every device that matters, by its path below /sys."""
        found = {}
        for subsystem, pattern in _FOLDERS.items():
            for link in sorted(self._root.glob(pattern)):
                path = f"/{link.resolve().relative_to(self._root)}"
                device = self.look(path, subsystem)
                if device is not None:
                    found[path] = device
        return found

    def look(
        self, path: str, subsystem: str, event: Mapping[str, str] | None = None
    ) -> Device | None:
        """What is at a path now, or what an event told of it if it is gone already."""
        folder = self._root / path.lstrip("/")
        told = {**_told(folder), **(event or {})}
        match subsystem:
            case "usb":
                return self._usb(folder, told)
            case "video4linux" | "media":
                return self._camera(folder)
            case "sound" if re.fullmatch(r"pcmC\d+D\d+c", folder.name):
                card = folder.parent
                ident = _text(card / "id") or _text(folder / "id")
                return Device(Kind.MICROPHONE, folder.name, ident, self._below_foreign(folder))
            case "block" if told.get("DEVTYPE") == "disk":
                if fnmatchcase(folder.name, self._wanted.card):
                    ident = _text(folder / "device/cid")
                    return Device(Kind.CARD, folder.name, ident, self._below_foreign(folder))
            case "power_supply":
                return self._supply(folder)
        return None

    def _camera(self, folder: Path) -> Device | None:
        name = _text(folder / "name") or _text(folder / "model")
        if _NO_CAMERA.search(name) or not folder.name.startswith(("video", "media")):
            return None
        return Device(Kind.CAMERA, folder.name, name, self._below_foreign(folder))

    def _supply(self, folder: Path) -> Device | None:
        if _text(folder / "scope") == "Device":
            return None
        if _text(folder / "type") == "Battery":
            ident = f"{_text(folder / 'model_name')} {_text(folder / 'serial_number')}".strip()
            present = folder.is_dir() and _text(folder / "present") != "0"
            return Device(Kind.BATTERY, folder.name, ident) if present else None
        online = _text(folder / "online") == "1" and not self._wanted.dock
        return Device(Kind.DOCK, folder.name, _text(folder / "type")) if online else None

    def _usb(self, folder: Path, told: Mapping[str, str]) -> Device | None:
        product = _product(told.get("PRODUCT", ""))
        if product is None:
            return None
        allowed = self._allowed(product)
        if told.get("DEVTYPE") == "usb_interface":
            klass = _class(told.get("INTERFACE", ""))
            if allowed or klass == _HUB:
                return None
            # A device that calls itself a hub may be a keyboard all the same.
            what = _CLASSES.get(klass, f"class {klass:02x}")
            return Device(Kind.USB, folder.name, product, foreign=True, what=what)
        if told.get("DEVTYPE") != "usb_device":
            return None
        if product == self._wanted.dock:
            return Device(Kind.DOCK, folder.name, product)
        if not allowed and _class(told.get("TYPE", "")) == _HUB:
            return None
        names = (product, _text(folder / "product"), _text(folder / "serial"))
        ident = " ".join(name for name in names if name)
        return Device(
            Kind.USB, folder.name, ident, foreign=not allowed, what="" if allowed else "device"
        )

    def _allowed(self, product: str) -> bool:
        return product == self._wanted.dock or product in self._wanted.usb_allow

    def _below_foreign(self, folder: Path) -> bool:
        """True if the device hangs on USB and is not on the list."""
        for parent in folder.parents:
            if parent == self._root:
                return False
            told = _told(parent)
            if told.get("DEVTYPE") == "usb_device":
                product = _product(told.get("PRODUCT", ""))
                return product is None or not self._allowed(product)
        return False


def _product(text: str) -> str | None:
    """`vvvv:pppp` out of the kernel's `v/p/release`, in hex without zeros."""
    found = re.match(r"([0-9a-f]{1,4})/([0-9a-f]{1,4})/", text)
    return None if found is None else f"{found[1]:0>4}:{found[2]:0>4}"


def _class(text: str) -> int:
    """The class of `class/subclass/protocol`, in decimal; -1 if there is none."""
    first = text.partition("/")[0]
    return int(first) if first.isdecimal() else -1


def _told(folder: Path) -> dict[str, str]:
    lines = _text(folder / "uevent").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[:1000]
    except OSError:
        # It has gone, or this kind of device has no such file: it is nameless.
        return ""

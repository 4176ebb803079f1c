"""Which devices are there: what the kernel's observer saw, held against what a rescan finds; pure.

| seen                           | event                                                  |
|--------------------------------|--------------------------------------------------------|
| a device that was not known    | added, by the observer or by the rescan                |
| one that is no longer there    | removed, likewise                                      |
| the same again                 | none                                                   |
| the same with another identity | removed, and added                                     |

A device is known by its path below /sys. One of a foreign USB device is foreign itself: it is said
and never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a device is to the camera."""

    CAMERA = "camera"
    MICROPHONE = "microphone"
    CARD = "card"
    BATTERY = "battery"
    DOCK = "dock"
    USB = "usb"


class SeenBy(Enum):
    """Who noticed."""

    START = "start"
    OBSERVER = "observer"
    RESCAN = "rescan"


@dataclass(frozen=True, slots=True)
class Device:
    """One device: its kernel name, and who it says it is.

    `what`: for a foreign USB device `device`, or what one of its interfaces does.
    """

    kind: Kind
    name: str
    ident: str
    foreign: bool = False
    what: str = ""


@dataclass(frozen=True, slots=True)
class DeviceEdge:
    """A device has come, or gone."""

    device: Device
    present: bool
    seen_by: SeenBy


class DeviceTable:
    """The devices that are known to be there; whether any is foreign, and whether one is a dock."""

    def __init__(self) -> None:
        self.known: dict[str, Device] = {}
        # Read by other threads: each is replaced as a whole.
        self.foreign = self.docked = False

    def see(self, path: str, device: Device | None, by: SeenBy) -> list[DeviceEdge]:
        """Take what is now at a path; None if nothing is, or nothing that matters."""
        before = self.known.get(path)
        if device == before:
            return []
        edges = []
        if before is not None:
            del self.known[path]
            edges.append(DeviceEdge(before, present=False, seen_by=by))
        if device is not None:
            self.known[path] = device
            edges.append(DeviceEdge(device, present=True, seen_by=by))
        self.foreign = any(device.foreign for device in self.known.values())
        self.docked = any(device.kind is Kind.DOCK for device in self.known.values())
        return edges

    def differing(self, found: Mapping[str, Device]) -> list[str]:
        """The paths at which a rescan found something else."""
        paths = sorted({*found, *self.known})
        return [path for path in paths if found.get(path) != self.known.get(path)]

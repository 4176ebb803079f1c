"""The pins seam: raw edges in, lamps and haptic out; what is behind it is a board or simulated.

Active is not high: names and active levels on this side, BCM numbers and voltages on the other.
Debounce is not the driver's business: every edge is handed on, with the time it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from .config import Pin
from .debounce import Edge
from .errors import DeviceError
from .gpiochip import Chip


class Pins(Protocol):
    """Switches, buttons, lamps and motors of one camera, by name."""

    def edges(self, timeout_s: float) -> list[Edge]:
        """The raw edges since the last call, oldest first; waits so many of the clock's seconds."""
        ...

    def level(self, name: str) -> bool | None:
        """True if the pin is active now; None while the line cannot be had."""
        ...

    def write(self, name: str, active: bool) -> None:
        """Switch an output; one that cannot be had now is switched as soon as it can."""
        ...

    def reclaim(self, name: str) -> None:
        """Take an input anew that changes and brings no edges; twice in a row: poll it."""
        ...

    def close(self) -> None:
        """Outputs at rest, lines given back; a waiting `edges` returns. Idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class NoEdges(DeviceError):
    """The line is free, but the driver cannot tell its edges: claim it without."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A line that was claimed and answers no more."""

    pin: str
    reason: str


class Lines(Protocol):
    """A library that claims single lines of the header's chip, by our names."""

    backend: str

    @property
    def chip(self) -> Chip | None:
        """The chip that was found; None where the library goes without."""
        ...

    def claim(self, name: str, pin: Pin, *, edges: bool, active: bool) -> None:
        """Take a line: an input with its edges or without, an output at a level.

        Raises NoEdges, or DeviceError if the line cannot be had.
        """
        ...

    def release(self, name: str) -> None:
        """Give a line back; it counts as given back also if this raises DeviceError."""
        ...

    def level(self, name: str) -> bool:
        """Raises DeviceError if the line does not answer."""
        ...

    def write(self, name: str, active: bool) -> None:
        """Raises DeviceError if the line does not answer."""
        ...

    def wait(self, timeout_s: float) -> list[Edge | Lost]:
        """What came on the claimed inputs, oldest first; waits so many of the machine's seconds."""
        ...

    def wake(self) -> None:
        """Let `wait` return now."""
        ...

    def close(self) -> None: ...


def find_pin(pin_map: Mapping[str, Pin], name: str, direction: str) -> Pin:
    """The pin of that name and direction; a DeviceError lists what there is."""
    pin = pin_map.get(name)
    if pin is None or pin.direction != direction:
        known = ", ".join(sorted(n for n, p in pin_map.items() if p.direction == direction))
        kind = "output" if direction == "out" else "input"
        raise DeviceError(f"'{name}' is no {kind} pin", f"Use one of: {known}.")
    return pin

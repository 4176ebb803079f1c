"""The 40-pin header: what is where, which pins a bus needs, and the colours of the wires."""

from __future__ import annotations

import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Physical pins 1 to 40 of every Pi with the long header; a number is a BCM channel.
HEADER: tuple[int | str, ...] = (
    "3V3", "5V", 2, "5V", 3, "GND", 4, 14, "GND", 15, 17, 18, 27, "GND", 22, 23, "3V3", 24, 10, "GND",
    9, 25, 11, 8, "GND", 7, 0, 1, 5, "GND", 6, 12, 13, "GND", 19, 16, 26, 20, "GND", 21,
)  # fmt: skip
PHYSICAL = {bcm: i for i, bcm in enumerate(HEADER, 1) if isinstance(bcm, int)}

# Every Pi pulls BCM 0 to 8 up at reset, and 9 to 27 down.
PULLED_UP_AT_RESET = frozenset(range(9))

# What each pin of supply and ground is for; the same words stand at the wire's other end.
SUPPLY_USE = {
    1: "3V3: I2C, sheet 2",
    2: "5V: buzzer +",
    4: "5V in, sheet 2",
    6: "GND in, sheet 2",
    9: "GND rail",
    14: "GND: I2C, sheet 2",
    17: "3V3: motor, sheet 2",
    34: "GND: mic, sheet 2",
    39: "GND rail",
}

COLOURS = {
    "yellow": "#f2c500", "orange": "#f07f13", "violet": "#8e44ad", "grey": "#9aa0a6",
    "white": "#ffffff", "brown": "#7b4a21", "green": "#1e9e4a", "blue": "#1f66d1",
    "pink": "#f48fb1", "turquoise": "#17b8b0", "red": "#d7261e", "black": "#222222",
}  # fmt: skip


def stripes(wire: str) -> tuple[str, str | None]:
    """The colour of a wire, and that of its stripe if it has one."""
    base, _, stripe = wire.partition("-")
    return COLOURS[base], COLOURS[stripe] if stripe else None


def buses() -> dict[str, int]:
    """The pins that belong to a bus, by name, from pins.toml."""
    table = tomllib.loads((HERE / "pins.toml").read_text(encoding="utf-8"))["buses"]
    return {str(name): int(bcm) for name, bcm in table.items()}

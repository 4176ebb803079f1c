"""The boards of sheet 2 and the wires between them, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .header import PHYSICAL, buses

SIDES = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}


@dataclass(frozen=True, slots=True)
class Module:
    """A board or a connector: where it stands, and its terminals by side, each at an offset."""

    title: tuple[str, ...]
    box: tuple[int, int, int, int]  # x, y, width, height
    terminals: dict[str, tuple[str, int]]
    part: str = ""  # the word of bom.toml's `drawn`

    def at(self, terminal: str) -> tuple[int, int]:
        side, offset = self.terminals[terminal]
        x, y, width, height = self.box
        return {
            "left": (x, y + offset),
            "right": (x + width, y + offset),
            "top": (x + offset, y),
            "bottom": (x + offset, y + height),
        }[side]


@dataclass(frozen=True, slots=True)
class Wire:
    """From a terminal to a terminal; `via` are corners. The tag stands at both ends."""

    tag: str
    kind: str  # "+", "−" or "signal"
    start: tuple[str, str]
    end: tuple[str, str]
    via: tuple[tuple[int, int], ...] = ()


def _rows(side: str, names: Iterable[str], first: int = 84) -> dict[str, tuple[str, int]]:
    """Terminals in a row every 26 px."""
    return {name: (side, first + 26 * i) for i, name in enumerate(names)}


def _pin(bus: str) -> str:
    return f"pin {PHYSICAL[buses()[bus]]}"


def modules() -> dict[str, Module]:
    """Everything on the sheet."""
    i2c = ("3V3", "GND", "SDA", "SCL")
    mic = ("3V", "GND", "BCLK", "LRCL", "DOUT")
    both = _rows("left", i2c) | _rows("right", [f"{name}'" for name in i2c])
    return {
        "dock": Module(
            ("Dock contacts", "5 V, fused in the dock"),
            (40, 130, 200, 160),
            {"+": ("right", 84), "−": ("right", 120)},
            "dock contacts",
        ),
        "charger": Module(
            ("Charger with power path", "Zero 2 W: Adafruit 4755", "Pi 4, Pi 5: note 5"),
            (400, 130, 260, 190),
            {
                "VBUS": ("left", 84),
                "GND": ("left", 120),
                "OUT": ("right", 84),
                "GND'": ("right", 120),
                "CE": ("top", 60),
                "OUT'": ("top", 190),
                "LIPO": ("bottom", 50),
                "GND ": ("bottom", 130),
                "THERM": ("bottom", 210),
            },
            "charger",
        ),
        "boost": Module(
            ("Step-up to 5 V",),
            (820, 130, 220, 160),
            {
                "VIN": ("left", 84),
                "GND": ("left", 120),
                "VOUT": ("right", 84),
                "GND'": ("right", 120),
            },
            "step-up regulator",
        ),
        "pi": Module(
            ("Pi header, supply",),
            (1220, 130, 220, 160),
            {"pin 4": ("left", 84), "pin 6": ("left", 120)},
        ),
        "pack": Module(
            ("Battery pack, 1 cell high,", "with protection and NTC"),
            (400, 500, 260, 100),
            {"+": ("top", 50), "−": ("top", 130), "NTC": ("top", 190), "NTC'": ("top", 230)},
            "battery pack",
        ),
        "header": Module(
            ("Pi header, I2C",),
            (40, 660, 200, 180),
            _rows("right", ("pin 1", "pin 14", _pin("i2c-sda"), _pin("i2c-scl"))),
        ),
        "gauge": Module(
            ("Fuel gauge", "MAX17048 (0x36)"),
            (400, 660, 200, 180),
            both | {"CELL+": ("top", 50), "CELL−": ("top", 130)},
            "fuel gauge",
        ),
        "thermometer": Module(
            ("Thermometer on the cell", "TMP102 (0x48)"),
            (760, 660, 200, 180),
            both,
            "cell thermometer",
        ),
        "clock": Module(
            ("Clock DS3231 (0x68)", "not for Pi 5: note 7"),
            (1120, 660, 200, 180),
            _rows("left", i2c),
            "clock",
        ),
        "i2s": Module(
            ("Pi header, I2S",),
            (40, 858, 200, 182),
            _rows(
                "right",
                ("pin 17", "pin 34", _pin("i2s-bclk"), _pin("i2s-lrcl"), _pin("i2s-din")),
                60,
            ),
        ),
        "microphone": Module(
            ("I2S microphone",),
            (400, 858, 200, 182),
            _rows("left", mic, 60) | {"SEL": ("right", 86)},
            "microphone",
        ),
        "csi": Module(
            ("Pi, camera connector",),
            (760, 858, 200, 120),
            {"ribbon": ("right", 66)},
            "camera cable",
        ),
        "camera": Module(
            ("Camera Module 3",),
            (1240, 858, 200, 120),
            {"ribbon": ("left", 66)},
            "camera module",
        ),
    }


def wires() -> list[Wire]:
    """Every wire of the sheet. Tags P: power; a number: the header pin's, as on sheet 1."""
    i2c = (("3V3", "+", "1"), ("GND", "−", "14"), ("SDA", "signal", ""), ("SCL", "signal", ""))
    sda, scl = PHYSICAL[buses()["i2c-sda"]], PHYSICAL[buses()["i2c-scl"]]
    found = [
        Wire("P1", "+", ("dock", "+"), ("charger", "VBUS")),
        Wire("P2", "−", ("dock", "−"), ("charger", "GND")),
        Wire("P3", "+", ("charger", "OUT"), ("boost", "VIN")),
        Wire("P4", "−", ("charger", "GND'"), ("boost", "GND")),
        Wire("P5", "+", ("boost", "VOUT"), ("pi", "pin 4")),
        Wire("P6", "−", ("boost", "GND'"), ("pi", "pin 6")),
        Wire("P7", "+", ("pack", "+"), ("charger", "LIPO")),
        Wire("P8", "−", ("pack", "−"), ("charger", "GND ")),
        Wire("P9", "signal", ("pack", "NTC'"), ("charger", "THERM"), ((630, 436), (610, 436))),
    ]
    for first, second, last in (
        ("header", "gauge", ""), ("gauge", "thermometer", "'"), ("thermometer", "clock", "'"),
    ):  # fmt: skip
        for name, kind, number in i2c:
            tag = number or str(sda if name == "SDA" else scl)
            start = name + last if first != "header" else f"pin {tag}"
            found.append(Wire(tag, kind, (first, start), (second, name)))
    for name, kind in (("3V", "+"), ("GND", "−"), ("BCLK", ""), ("LRCL", ""), ("DOUT", "")):
        bus = {"BCLK": "i2s-bclk", "LRCL": "i2s-lrcl", "DOUT": "i2s-din"}.get(name)
        tag = str(PHYSICAL[buses()[bus]]) if bus else {"3V": "17", "GND": "34"}[name]
        found.append(Wire(tag, kind or "signal", ("i2s", f"pin {tag}"), ("microphone", name)))
    return found

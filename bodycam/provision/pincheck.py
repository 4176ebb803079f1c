"""The pins looked at: inputs rest where they are, outputs are switched before a technician's eyes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ..checks.result import CheckResult, Figure, failed, not_tested, ok, warn
from ..clock import NS, Clock, wait
from ..config import Pin
from ..errors import ExitCode
from ..gpio import Pins

# What a technician can see, hear or feel; the rest of the outputs is not for eyes.
SHOWN = ("wearer-red", "wearer-green", "wearer-blue", "public-red", "haptic", "buzzer")
_LOOK_NS = NS
_CHATTER_EDGES = 20
_SHOW_S = 0.7
_STEP = "Check its wire and its pull resistor: hardware/README.md"

Ask = Callable[[str], bool]


class Notes:
    """What the pins tell the log in a recorder: here it is part of the answer."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.polled: list[str] = []
        self.chip = ""
        self.second_choice = ""

    def take(self, ev: str, *, sync: bool = False, **data: Any) -> None:
        del sync
        match ev:
            case "gpio.fault":
                owner = f", held by {data['owner']}" if data.get("owner") else ""
                self.missing[data["pin"] or "all"] = f"{data['reason']}{owner}"
            case "gpio.polling":
                self.polled.append(data["pin"])
            case "gpio.chip":
                self.chip = f" on {data['label'] or 'the header'} through {data['backend']}"
                self.second_choice = data["reason"] or ""


def check_inputs(pins: Pins, pin_map: Mapping[str, Pin], clock: Clock, notes: Notes) -> CheckResult:
    """Every line can be had, every input read, and none chatters; a switch that is on is said."""
    name, edges = "pins", Counter[str]()
    inputs = [pin for pin, facts in pin_map.items() if facts.direction == "in"]
    until_ns = clock.boot_ns() + _LOOK_NS
    while (left_ns := until_ns - clock.boot_ns()) > 0:
        edges.update(edge.pin for edge in pins.edges(left_ns / NS))
    active = sorted(pin for pin in inputs if pins.level(pin))
    noisy = sorted(pin for pin, count in edges.items() if count >= _CHATTER_EDGES)
    figures: dict[str, Figure] = {
        "active": active, "chatter": noisy, "missing": sorted(notes.missing),
        "polled": notes.polled, "inputs": len(inputs),
    }  # fmt: skip
    if notes.missing:
        told = "; ".join(f"{pin}: {reason}" for pin, reason in notes.missing.items())
        return failed(
            name, f"cannot be had: {told}", "Stop its owner, or free it in config.txt: gpioinfo",
            ExitCode.DEVICE, **figures,
        )  # fmt: skip
    if noisy:
        return failed(
            name, f"{', '.join(noisy)}: the line never rests", _STEP, ExitCode.DEVICE, **figures
        )
    if "record" in active:
        return warn(
            name, "the record switch is on: the recorder will record once it is started",
            "Switch it off, unless that is wanted; else check its wire", **figures,
        )  # fmt: skip
    if notes.polled or notes.second_choice:
        why = notes.second_choice or f"{', '.join(notes.polled)} without edges"
        return warn(
            name, f"{len(inputs)} inputs read{notes.chip}, short presses may be missed: {why}",
            "Install python3-libgpiod (gpiod 2) and set [gpio] backend", **figures,
        )  # fmt: skip
    told = f", active: {', '.join(active)}" if active else ""
    return ok(name, f"{len(inputs)} inputs{notes.chip} at rest{told}", **figures)


def show_outputs(
    pins: Pins, pin_map: Mapping[str, Pin], clock: Clock, notes: Notes, ask: Ask | None
) -> CheckResult:
    """Switch on one lamp, motor and buzzer after the other; `ask` whether it was seen."""
    name = "lamps"
    outputs = [pin for pin in SHOWN if pin in pin_map and pin not in notes.missing]
    dead = []
    for pin in outputs:
        pins.write(pin, True)
        try:
            if ask is None:
                wait(clock, threading.Event(), _SHOW_S)
            elif not ask(pin):
                dead.append(pin)
        finally:
            pins.write(pin, False)
    if ask is None:
        return not_tested(name, f"{', '.join(outputs)} were on; nobody was asked who saw it")
    if dead:
        return failed(
            name, f"{', '.join(dead)}: nothing to be seen or felt",
            "Check its wire, resistor and transistor: hardware/README.md", ExitCode.DEVICE,
            dead=dead,
        )  # fmt: skip
    return ok(name, f"{len(outputs)} seen by the technician", shown=outputs)

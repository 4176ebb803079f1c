"""Lines through the `RPi.GPIO` interface: RPi.GPIO itself, or rpi-lgpio on newer kernels.

The interface gives a callback the channel and nothing else: the time is when the callback ran
(1 to 11 ms late), the level is read there, and edges are not numbered. lgpio, under rpi-lgpio, may
lose the wake-up of its first claim and then brings no edges until a line is claimed again.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

from .clock import Clock
from .config import Active, Pin, Pull
from .debounce import Edge
from .errors import DeviceError
from .gpio import Lost, NoEdges
from .gpiochip import Chip, find_chip, has_chips

MODULE = "RPi.GPIO"


class RpiLines:
    """`Lines` through RPi.GPIO. The library is one for the process, and so is this."""

    backend = "rpi"

    def __init__(
        self, chip_label: str, clock: Clock, work_dir: Path, dev: Path = Path("/dev")
    ) -> None:
        self._clock = clock
        # Kernels without character devices have RPi.GPIO's own way to the header.
        self.chip = find_chip(chip_label, dev) if has_chips(dev) else None
        self._gpio = _open_gpio(self.chip, work_dir)
        self._pins: dict[str, Pin] = {}
        self._names: dict[int, str] = {}
        self._seen: deque[Edge | Lost] = deque()
        self._arrived = threading.Condition()
        self._woken = False

    def claim(self, name: str, pin: Pin, *, edges: bool, active: bool) -> None:
        gpio = self._gpio
        pulls = {Pull.UP: gpio.PUD_UP, Pull.DOWN: gpio.PUD_DOWN, Pull.OFF: gpio.PUD_OFF}
        try:
            if pin.direction == "out":
                gpio.setup(pin.bcm, gpio.OUT, initial=_volts(pin, active=active))
            else:
                gpio.setup(pin.bcm, gpio.IN, pull_up_down=pulls[pin.pull])
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(
                f"pin '{name}' (BCM {pin.bcm}) cannot be claimed: {fault}",
                "Stop the program that holds it, or free the pin of its overlay in "
                "/boot/firmware/config.txt.",
            ) from fault
        self._pins[name] = pin
        self._names[pin.bcm] = name
        if edges and pin.direction == "in":
            try:
                # No bouncetime: it hides edges, and may keep the first level instead of the last.
                gpio.add_event_detect(pin.bcm, gpio.BOTH, callback=self._on_edge)
            except Exception as fault:  # the library's own errors share no base class
                self.release(name)
                raise NoEdges(f"pin '{name}' (BCM {pin.bcm}) has no edges: {fault}") from fault

    def release(self, name: str) -> None:
        with self._arrived:
            pin = self._pins.pop(name)
        try:
            if pin.direction == "in":
                self._gpio.remove_event_detect(pin.bcm)
            self._gpio.cleanup([pin.bcm])
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(
                f"pin '{name}' (BCM {pin.bcm}) cannot be given back: {fault}"
            ) from fault

    def level(self, name: str) -> bool:
        pin = self._pins[name]
        try:
            return bool(self._gpio.input(pin.bcm)) == (pin.active is Active.HIGH)
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(f"pin '{name}' (BCM {pin.bcm}) cannot be read: {fault}") from fault

    def write(self, name: str, active: bool) -> None:
        pin = self._pins[name]
        try:
            self._gpio.output(pin.bcm, _volts(pin, active=active))
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(
                f"pin '{name}' (BCM {pin.bcm}) cannot be switched: {fault}"
            ) from fault

    def _on_edge(self, channel: int) -> None:
        at_ns = self._clock.boot_ns()
        name = self._names[channel]
        with self._arrived:
            if name not in self._pins:
                return  # given back meanwhile
            try:
                self._seen.append(Edge(name, self.level(name), at_ns))
            except DeviceError as fault:
                # Raised here it would be printed by the library and forgotten.
                self._seen.append(Lost(name, str(fault)))
            self._arrived.notify_all()

    def wait(self, timeout_s: float) -> list[Edge | Lost]:
        with self._arrived:
            if not self._seen and not self._woken:
                self._arrived.wait(max(0.0, timeout_s))
            self._woken = False
            seen = list(self._seen)
            self._seen.clear()
            return seen

    def wake(self) -> None:
        with self._arrived:
            self._woken = True
            self._arrived.notify_all()

    def close(self) -> None:
        """Nothing is left once each line was released: the library stays open for the process."""


def _open_gpio(chip: Chip | None, work_dir: Path) -> Any:
    if chip is not None:
        # rpi-lgpio goes by number, and takes chip 0 where it does not know the board.
        os.environ["RPI_LGPIO_CHIP"] = str(chip.number)
    # lgpio keeps pipes in its working folder, and makes that everybody's while it is imported.
    os.environ.setdefault("LG_WD", str(work_dir.resolve()))
    here = Path.cwd()
    # Off a Pi the library is missing, or raises while it is imported or told how pins are named.
    try:
        gpio = importlib.import_module(MODULE)
        # A recorder that was killed leaves its lines set up; the warning about it is no news.
        gpio.setwarnings(False)
        gpio.setmode(gpio.BCM)
    except Exception as fault:  # the library's own errors share no base class
        raise DeviceError(
            f"RPi.GPIO cannot be used: {fault}",
            "On a Raspberry Pi install bodycam[camera]; elsewhere set [gpio] "
            'backend = "simulated".',
        ) from fault
    finally:
        os.chdir(here)
    return gpio


def _volts(pin: Pin, *, active: bool) -> int:
    return int(active == (pin.active is Active.HIGH))

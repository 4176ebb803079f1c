"""The pins seam: raw edges in, lamps and haptic out; what is behind it is `RPi.GPIO` or simulated.

Active is not high: names and active levels on this side, BCM numbers and voltages on the other.
Debounce is not the driver's business: every edge is handed on, with the time it was seen.
"""

from __future__ import annotations

import importlib
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from .clock import Clock
from .config import Active, Pin, Pull
from .debounce import Edge
from .errors import DeviceError


class Pins(Protocol):
    """Switches, buttons, lamps and motors of one camera, by name."""

    def edges(self, timeout_s: float) -> list[Edge]:
        """The raw edges since the last call, oldest first; waits so many of the clock's seconds.

        Raises DeviceError if an edge could not be read: re-read the levels and go on.
        """
        ...

    def level(self, name: str) -> bool:
        """True if the pin is active now."""
        ...

    def write(self, name: str, active: bool) -> None:
        """Switch an output."""
        ...

    def close(self) -> None:
        """Outputs at rest, lines given back; a waiting `edges` returns. Idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def find_pin(pin_map: Mapping[str, Pin], name: str, direction: str) -> Pin:
    """The pin of that name and direction; a DeviceError lists what there is."""
    pin = pin_map.get(name)
    if pin is None or pin.direction != direction:
        known = ", ".join(sorted(n for n, p in pin_map.items() if p.direction == direction))
        kind = "output" if direction == "out" else "input"
        raise DeviceError(f"'{name}' is no {kind} pin", f"Use one of: {known}.")
    return pin


def _open_gpio() -> Any:
    # Off a Pi the library is missing, or raises while it is imported or told how pins are named.
    try:
        gpio = importlib.import_module("RPi.GPIO")
        # A recorder that was killed leaves its lines set up; the warning about it is no news.
        gpio.setwarnings(False)
        gpio.setmode(gpio.BCM)
    except Exception as fault:  # the library's own errors share no base class
        raise DeviceError(
            f"RPi.GPIO cannot be used: {fault}",
            "On a Raspberry Pi install bodycam[camera]; elsewhere set [gpio] "
            'backend = "simulated".',
        ) from fault
    return gpio


class RpiPins:
    """Pins through the `RPi.GPIO` interface (RPi.GPIO, or rpi-lgpio on newer kernels).

    The interface gives a callback the channel and nothing else: the time is when the callback
    ran (1 to 11 ms late), the level is read there, and edges are not numbered.
    """

    def __init__(self, pin_map: Mapping[str, Pin], clock: Clock) -> None:
        self._pins = dict(pin_map)
        self._clock = clock
        self._gpio = _open_gpio()
        self._names = {pin.bcm: name for name, pin in self._pins.items()}
        self._seen: deque[Edge | DeviceError] = deque()
        self._arrived = threading.Condition()
        self._claimed: list[int] = []
        self._closed = False
        try:
            for name, pin in self._pins.items():
                self._claim(name, pin)
        except DeviceError:
            self.close()
            raise

    def _claim(self, name: str, pin: Pin) -> None:
        gpio = self._gpio
        pulls = {Pull.UP: gpio.PUD_UP, Pull.DOWN: gpio.PUD_DOWN, Pull.OFF: gpio.PUD_OFF}
        try:
            if pin.direction == "out":
                gpio.setup(pin.bcm, gpio.OUT, initial=_volts(pin, active=pin.rest_active))
                self._claimed.append(pin.bcm)
                return
            gpio.setup(pin.bcm, gpio.IN, pull_up_down=pulls[pin.pull])
            self._claimed.append(pin.bcm)
            # No bouncetime: it hides edges, and may keep the first level instead of the last.
            gpio.add_event_detect(pin.bcm, gpio.BOTH, callback=self._on_edge)
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(
                f"pin '{name}' (BCM {pin.bcm}) cannot be claimed: {fault}",
                "`gpioinfo` shows its owner: stop that program, or free the pin of its overlay "
                "in /boot/firmware/config.txt.",
            ) from fault

    def _on_edge(self, channel: int) -> None:
        at_ns = self._clock.boot_ns()
        with self._arrived:
            self._seen.append(self._edge(channel, at_ns))
            self._arrived.notify_all()

    def _edge(self, channel: int, at_ns: int) -> Edge | DeviceError:
        name = self._names[channel]
        try:
            return Edge(name, self.level(name), at_ns)
        except DeviceError as fault:
            # Raised here it would be printed and forgotten; `edges` raises it where it counts.
            return fault

    def edges(self, timeout_s: float) -> list[Edge]:
        with self._arrived:
            if not self._seen and not self._closed:
                self._arrived.wait(max(0.0, self._clock.real_s(timeout_s)))
            edges: list[Edge] = []
            while self._seen:
                seen = self._seen[0]
                if isinstance(seen, Edge):
                    edges.append(seen)
                elif edges:
                    break  # first what was read well; the fault waits for the next call
                self._seen.popleft()
                if isinstance(seen, DeviceError):
                    raise seen
            return edges

    def level(self, name: str) -> bool:
        pin = find_pin(self._pins, name, "in")
        try:
            return bool(self._gpio.input(pin.bcm)) == (pin.active is Active.HIGH)
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(
                f"pin '{name}' (BCM {pin.bcm}) cannot be read: {fault}",
                "Check that nothing else uses the pin (`gpioinfo`), then restart bodycam.",
            ) from fault

    def write(self, name: str, active: bool) -> None:
        pin = find_pin(self._pins, name, "out")
        try:
            self._gpio.output(pin.bcm, _volts(pin, active=active))
        except Exception as fault:  # the library's own errors share no base class
            raise DeviceError(
                f"pin '{name}' (BCM {pin.bcm}) cannot be switched: {fault}",
                "Check that nothing else uses the pin (`gpioinfo`), then restart bodycam.",
            ) from fault

    def close(self) -> None:
        with self._arrived:
            if self._closed:
                return
            self._closed = True
            self._arrived.notify_all()
        for bcm in self._claimed:
            pin = self._pins[self._names[bcm]]
            if pin.direction == "out":
                self._gpio.output(bcm, _volts(pin, active=pin.rest_active))
            else:
                self._gpio.remove_event_detect(bcm)
        if self._claimed:
            self._gpio.cleanup(self._claimed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _volts(pin: Pin, *, active: bool) -> int:
    return int(active == (pin.active is Active.HIGH))

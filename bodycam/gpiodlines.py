"""Lines through libgpiod: edges with the kernel's time, numbered by line.

Each line is a request of its own, so that one which another program holds costs only itself. The
kernel stamps an edge in its interrupt handler, by CLOCK_MONOTONIC: it offers no CLOCK_BOOTTIME,
and CLOCK_REALTIME jumps when the clock is set. The two differ by the time spent suspended, which
`Clock.boot_at` adds. A hole in `line_seq` proves that the kernel's queue of the line ran over.
"""

from __future__ import annotations

import errno
import os
import select

import gpiod
from gpiod.line import Bias, Direction, Value
from gpiod.line import Edge as Detection

from .clock import Clock
from .config import Active, Pin, Pull
from .debounce import Edge
from .errors import DeviceError
from .gpio import Lost, NoEdges
from .gpiochip import find_chip

# The most that the kernel keeps for one line: 5 s of a floating line at 200 edges a second.
_QUEUE_EDGES = 1024
_PULLS = {Pull.UP: Bias.PULL_UP, Pull.DOWN: Bias.PULL_DOWN, Pull.OFF: Bias.DISABLED}


class GpiodLines:
    """`Lines` on the kernel's character device."""

    backend = "gpiod"

    def __init__(self, chip_label: str, clock: Clock) -> None:
        self._label, self._clock = chip_label, clock
        self.chip = find_chip(chip_label)
        self._requests: dict[str, gpiod.LineRequest] = {}
        self._watched: dict[str, tuple[int, int]] = {}  # descriptor, and what to wait for on it
        self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def claim(self, name: str, pin: Pin, *, edges: bool, active: bool) -> None:
        self.chip = find_chip(self._label)  # it may have come back under another number
        try:
            self._requests[name] = gpiod.request_lines(
                str(self.chip.path), {pin.bcm: _settings(pin, edges=edges, active=active)},
                consumer=f"bodycam {name}", event_buffer_size=_QUEUE_EDGES,
            )  # fmt: skip
        except (OSError, ValueError) as fault:
            refused = f"{_place(name, pin)} cannot be claimed: {_words(fault)}"
            if edges and pin.direction == "in" and getattr(fault, "errno", 0) != errno.EBUSY:
                raise NoEdges(f"{refused} with its edges") from fault
            raise DeviceError(
                refused,
                "Stop the program that holds it, or free the pin of its overlay in "
                "/boot/firmware/config.txt.",
            ) from fault
        # Of the others only the end can come, when their chip goes.
        heard = edges and pin.direction == "in"
        self._watched[name] = (self._requests[name].fd, select.POLLIN if heard else 0)

    def release(self, name: str) -> None:
        del self._watched[name]
        self._requests.pop(name).release()

    def level(self, name: str) -> bool:
        request = self._requests[name]
        try:
            return request.get_value(request.offsets[0]) is Value.ACTIVE
        except OSError as fault:
            raise DeviceError(f"pin '{name}' cannot be read: {_words(fault)}") from fault

    def write(self, name: str, active: bool) -> None:
        request = self._requests[name]
        try:
            request.set_value(request.offsets[0], _value(active))
        except OSError as fault:
            raise DeviceError(f"pin '{name}' cannot be switched: {_words(fault)}") from fault

    def wait(self, timeout_s: float) -> list[Edge | Lost]:
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        names = {}
        for name, (fd, mask) in self._watched.copy().items():
            names[fd] = name
            poll.register(fd, mask)
        edges: list[Edge] = []
        lost: list[Lost] = []
        for fd, event in poll.poll(max(0.0, timeout_s * 1000)):
            if fd == self._waker:
                os.eventfd_read(fd)
            elif event & select.POLLIN:
                try:
                    edges += self._read(names[fd])
                except OSError as fault:
                    lost.append(Lost(names[fd], _words(fault)))
            elif names[fd] in self._watched:  # a lamp may be given back by another thread meanwhile
                lost.append(Lost(names[fd], os.strerror(errno.ENODEV)))
        return [*sorted(edges, key=lambda edge: edge.at_ns), *lost]

    def _read(self, name: str) -> list[Edge]:
        request = self._requests[name]
        edges = []
        # Until the queue is empty: whoever is told the time may rely on every edge before it.
        while request.wait_edge_events(0):
            edges += [
                Edge(
                    name, event.event_type is event.Type.RISING_EDGE,
                    self._clock.boot_at(event.timestamp_ns), event.line_seqno,
                )
                for event in request.read_edge_events(_QUEUE_EDGES)
            ]  # fmt: skip
        return edges

    def wake(self) -> None:
        os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        os.close(self._waker)


def _settings(pin: Pin, *, edges: bool, active: bool) -> gpiod.LineSettings:
    """No kernel debounce: it hides edges. Active-low is the kernel's business, also for edges."""
    active_low = pin.active is Active.LOW
    if pin.direction == "out":
        return gpiod.LineSettings(
            direction=Direction.OUTPUT, active_low=active_low, output_value=_value(active)
        )
    return gpiod.LineSettings(
        direction=Direction.INPUT, active_low=active_low, bias=_PULLS[pin.pull],
        edge_detection=Detection.BOTH if edges else Detection.NONE,
    )  # fmt: skip


def _value(active: bool) -> Value:
    return Value.ACTIVE if active else Value.INACTIVE


def _words(fault: OSError | ValueError) -> str:
    return (isinstance(fault, OSError) and fault.strerror) or str(fault)


def _place(name: str, pin: Pin) -> str:
    return f"pin '{name}' (BCM {pin.bcm})"

"""The pins of a real board: each line is claimed on its own, and what is missing is asked for again.

| a line           | what happens                                    | log              | from then on      |
|------------------|-------------------------------------------------|------------------|-------------------|
| free             | it is claimed, an input with its edges          | none             | edges             |
| free             | the driver has no edges for it                  | `gpio.polling`   | read every 5 ms   |
| held by somebody | it is left out, the others work                 | `gpio.fault`     | asked for each 1 s|
| lost in use      | the same                                        | `gpio.fault`     | asked for each 1 s|
| missing          | it is free again                                | `gpio.claimed`   | edges             |
| deaf             | `reclaim`: it is given back and claimed again   | none             | edges             |
| deaf again       | `reclaim`: it is claimed without edges          | `gpio.polling`   | read every 5 ms   |

Who lacks the record switch says so to the officer; a lamp that another program holds is no reason
to leave the officer without a camera.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from .clock import MS, NS, Clock
from .config import Gpio, Pin, PinsBackend
from .debounce import Edge
from .errors import DeviceError
from .gpio import Lines, Lost, NoEdges, find_pin
from .gpiochip import holder
from .rpilines import RpiLines

_POLL_NS = 5 * MS
_RETRY_NS = 1 * NS


class Note(Protocol):
    """Where events go: `EventLog.append`, or whoever wants to show them."""

    def __call__(
        self, ev: str, *, at_ns: int | None = None, sync: bool = False, **data: Any
    ) -> object: ...


class BoardPins:
    """`Pins` on the lines of a board. One thread reads edges and reclaims; any thread writes.

    What there is to note is noted by the thread that reads: who writes a lamp never waits for a card.
    """

    def __init__(self, lines: Lines, pin_map: Mapping[str, Pin], clock: Clock, note: Note) -> None:
        self._lines, self._clock, self._note = lines, clock, note
        self._pins = dict(pin_map)
        self._outputs = {  # what each was told last
            name: pin.rest_active for name, pin in self._pins.items() if pin.direction == "out"
        }
        self._claimed: set[str] = set()
        self._faulty: set[str] = set()  # missing, and said so
        self._polled: dict[str, bool] = {}
        self._reclaimed: set[str] = set()  # and not heard of since
        self._to_note: deque[tuple[str, int, dict[str, Any]]] = deque()
        self._next_retry_ns = 0
        self._closed = False
        self._reading = threading.Lock()
        self._lock = threading.RLock()
        self._claim_missing()
        self._take_notes()

    # -- Pins -------------------------------------------------------------------------------

    def edges(self, timeout_s: float) -> list[Edge]:
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS)
        with self._reading:
            while not self._closed:
                now_ns = self._clock.boot_ns()
                if now_ns >= self._next_retry_ns:
                    self._claim_missing()
                    self._take_notes()
                left_ns = max(0, deadline_ns - now_ns)
                slice_ns = min(left_ns, _POLL_NS) if self._polled else left_ns
                edges = self._sort(self._lines.wait(self._clock.real_s(slice_ns / NS)))
                edges += self._poll()
                self._take_notes()
                if edges or self._clock.boot_ns() >= deadline_ns:
                    return edges
            return []

    def level(self, name: str) -> bool | None:
        find_pin(self._pins, name, "in")
        with self._lock:
            if name not in self._claimed:
                return None
            try:
                return self._lines.level(name)
            except DeviceError as fault:
                self._lose(name, str(fault))
                return None

    def write(self, name: str, active: bool) -> None:
        find_pin(self._pins, name, "out")
        with self._lock:
            self._outputs[name] = active
            if name not in self._claimed:
                return
            try:
                self._lines.write(name, active)
            except DeviceError as fault:
                self._lose(name, str(fault))

    def reclaim(self, name: str) -> None:
        find_pin(self._pins, name, "in")
        with self._lock:
            if name not in self._claimed:
                return
            self._give_back(name)
            if name not in self._reclaimed:
                self._reclaimed.add(name)
                self._claim(name)
            elif self._take(name, edges=False):
                self._begin_polling(name, "it changes and brings no edges")
        self._take_notes()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._lines.wake()
        with self._reading, self._lock:
            for name in self._outputs:
                self.write(name, self._pins[name].rest_active)
            for name in [name for name in self._pins if name in self._claimed]:
                self._give_back(name)
            self._lines.close()
        self._take_notes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- claims -----------------------------------------------------------------------------

    def _claim_missing(self) -> None:
        self._next_retry_ns = self._clock.boot_ns() + _RETRY_NS
        with self._lock:
            for name in self._pins:
                if name not in self._claimed:
                    self._claim(name)

    def _claim(self, name: str) -> None:
        try:
            claimed = self._take(name, edges=True)
        except NoEdges as fault:
            claimed = self._take(name, edges=False)
            if claimed:
                self._begin_polling(name, str(fault))
        if claimed and name in self._faulty:
            self._faulty.discard(name)
            self._later("gpio.claimed", pin=name)

    def _take(self, name: str, *, edges: bool) -> bool:
        pin = self._pins[name]
        try:
            self._lines.claim(name, pin, edges=edges, active=self._outputs.get(name, False))
        except NoEdges:
            raise
        except DeviceError as fault:
            if name not in self._faulty:
                self._say(name, str(fault), self._holder(pin))
            return False
        self._claimed.add(name)
        return True

    def _holder(self, pin: Pin) -> str | None:
        chip = self._lines.chip
        try:
            return holder(chip, pin.bcm) if chip else None
        except DeviceError as fault:
            return str(fault)

    def _give_back(self, name: str) -> None:
        self._claimed.discard(name)
        self._polled.pop(name, None)
        try:
            self._lines.release(name)
        except DeviceError as fault:
            self._say(name, str(fault), None)

    def _lose(self, name: str, reason: str) -> None:
        self._say(name, reason, None)
        self._give_back(name)

    def _say(self, name: str, reason: str, owner: str | None) -> None:
        if name not in self._faulty:
            self._faulty.add(name)
            self._later("gpio.fault", pin=name, reason=reason, owner=owner)

    def _later(self, ev: str, **data: Any) -> None:
        self._to_note.append((ev, self._clock.boot_ns(), data))

    def _take_notes(self) -> None:
        while self._to_note:
            ev, at_ns, data = self._to_note.popleft()
            self._note(ev, at_ns=at_ns, sync=True, **data)

    # -- edges ------------------------------------------------------------------------------

    def _sort(self, found: list[Edge | Lost]) -> list[Edge]:
        edges = []
        for item in found:
            if isinstance(item, Edge):
                self._reclaimed.discard(item.pin)
                edges.append(item)
            else:
                with self._lock:
                    if item.pin in self._claimed:
                        self._lose(item.pin, item.reason)
        return edges

    def _begin_polling(self, name: str, reason: str) -> None:
        active = self.level(name)
        if active is not None:
            self._polled[name] = active
            self._later("gpio.polling", pin=name, every_ms=_POLL_NS // MS, reason=reason)

    def _poll(self) -> list[Edge]:
        edges = []
        for name in list(self._polled):
            active = self.level(name)
            if active is not None and active != self._polled[name]:
                self._polled[name] = active
                edges.append(Edge(name, active, self._clock.boot_ns()))
        return edges


def open_board(
    gpio: Gpio, pin_map: Mapping[str, Pin], clock: Clock, work_dir: Path, note: Note
) -> BoardPins:
    """The pins of this board, by the library that is configured or by the better of the two.

    Raises DeviceError if the header's chip cannot be found, or no library for it.
    """
    lines, reason = _choose(gpio, clock, work_dir)
    chip = lines.chip
    note(
        "gpio.chip", sync=True, backend=lines.backend, chip=chip and chip.path.name,
        label=chip and chip.label, reason=reason,
    )  # fmt: skip
    return BoardPins(lines, pin_map, clock, note)


def _choose(gpio: Gpio, clock: Clock, work_dir: Path) -> tuple[Lines, str | None]:
    """The lines, and why they are not gpiod's if those are better and were not ruled out."""
    if gpio.backend is PinsBackend.RPI:
        return RpiLines(gpio.chip, clock, work_dir), None
    try:
        return _gpiod_lines(gpio.chip, clock), None
    except DeviceError as fault:
        if gpio.backend is PinsBackend.GPIOD:
            raise
        reason = fault.message
    try:
        return RpiLines(gpio.chip, clock, work_dir), reason
    except DeviceError as fault:
        # Both look for the same chip: what both say is said once.
        reasons = dict.fromkeys([reason, fault.message])
        raise DeviceError("; ".join(reasons), fault.next_step) from fault


def _gpiod_lines(chip_label: str, clock: Clock) -> Lines:
    try:
        from .gpiodlines import GpiodLines
    except ImportError as fault:
        raise DeviceError(
            f"gpiod 2 cannot be used: {fault}", "Install bodycam[camera], or python3-libgpiod."
        ) from fault
    return GpiodLines(chip_label, clock)

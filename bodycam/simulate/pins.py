"""Simulated pins: switches that bounce, thrown through a control socket, at exact times.

The socket takes JSON lines and answers each with one:

    {"set": "record", "active": true}        throw a switch now; it bounces as real ones do
    {"set": "record", "active": true, "at_ns": 7, "bounce_us": [300, 900], "drop": [-1]}
    {"get": "record"}                        the level of any pin
    {"deaf": "record"}                       its edges are lost until the recorder reclaims the pin
    {"watch": true}                          then: output changes and what is published
    {"world": {...}}                         passed on to whoever simulates the rest of the world

A throw is the level at `at_ns`, then a flip at each offset of `bounce_us`. `drop` lists the steps
(0 is the throw itself, -1 the last) whose edges the driver loses: the line moves, nobody is told.
A switch stays where it is when the recorder dies: positions are kept in a file by the socket.
"""

from __future__ import annotations

import os
import random
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec

from ..clock import NS, Clock
from ..config import Pin
from ..debounce import Edge
from ..errors import DeviceError
from ..gpio import find_pin
from .control import ControlSocket, Json

_BOUNCE_US = 8000
_MAX_OFFSET_US = 3_600_000_000

_Offset = Annotated[int, msgspec.Meta(ge=1, le=_MAX_OFFSET_US)]


class _Set(msgspec.Struct, forbid_unknown_fields=True):
    set: str
    active: bool
    at_ns: int | None = None
    bounce_us: list[_Offset] | None = None
    drop: list[int] = []


class _Get(msgspec.Struct, forbid_unknown_fields=True):
    get: str


class _Deaf(msgspec.Struct, forbid_unknown_fields=True):
    deaf: str


class _Watch(msgspec.Struct, forbid_unknown_fields=True):
    watch: bool


class _World(msgspec.Struct, forbid_unknown_fields=True):
    world: dict[str, Any]


_REQUESTS: dict[str, type[_Set | _Get | _Deaf | _Watch | _World]] = {
    "set": _Set,
    "get": _Get,
    "deaf": _Deaf,
    "watch": _Watch,
    "world": _World,
}


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """The level a line takes at a moment, and whether the driver loses the edge."""

    at_ns: int
    thrown_ns: int
    active: bool
    lost: bool


@dataclass(slots=True)
class _Line:
    """An input: its level, what is planned for it, and how many edges and throws it has had."""

    active: bool
    deaf: bool = False
    seq: int = 0
    throws: int = 0
    plan: list[_Step] = field(default_factory=list)

    def throw(self, at_ns: int, steps: list[_Step]) -> None:
        """Plan a throw: it cuts short what earlier throws still bounce, and later ones cut it."""
        later = [step for step in self.plan if step.thrown_ns > at_ns]
        until_ns = min((step.thrown_ns for step in later), default=None)
        self.plan = [s for s in self.plan if s.at_ns < at_ns or s.thrown_ns > at_ns]
        for step in steps:
            if until_ns is None or step.at_ns < until_ns:
                insort(self.plan, step)

    def before(self, at_ns: int) -> bool:
        """Where the switch was put last before a moment."""
        earlier = [step for step in self.plan if step.thrown_ns < at_ns]
        return earlier[-1].active if earlier else self.active


class SimulatedPins:
    """`Pins` on a control socket; edges come with exactly the time that was asked for."""

    def __init__(
        self,
        pin_map: Mapping[str, Pin],
        clock: Clock,
        socket_path: Path,
        on_world: Callable[[Json], Json],
    ) -> None:
        self._pins = dict(pin_map)
        self._clock = clock
        self._path = socket_path
        self._on_world = on_world
        held = read_positions(socket_path)
        inputs = [name for name, pin in self._pins.items() if pin.direction == "in"]
        self._lines = {name: _Line(held.get(name, False)) for name in inputs}
        self._outputs = {n: p.rest_active for n, p in pin_map.items() if p.direction == "out"}
        self._edges: deque[Edge] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._control = ControlSocket(socket_path, self._answer)

    # -- Pins -------------------------------------------------------------------------------

    def edges(self, timeout_s: float) -> list[Edge]:
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS)
        with self._changed:
            while True:
                now_ns = self._clock.boot_ns()
                due_ns = self._advance(now_ns)
                if self._edges or self._closed or now_ns >= deadline_ns:
                    edges = list(self._edges)
                    self._edges.clear()
                    return edges
                wake_ns = deadline_ns if due_ns is None else min(due_ns, deadline_ns)
                self._changed.wait(self._clock.real_s((wake_ns - now_ns) / NS))

    def level(self, name: str) -> bool:
        find_pin(self._pins, name, "in")
        with self._changed:
            self._advance(self._clock.boot_ns())
            return self._lines[name].active

    def write(self, name: str, active: bool) -> None:
        find_pin(self._pins, name, "out")
        with self._changed:
            if self._outputs[name] == active:
                return
            self._outputs[name] = active
            at_ns = self._clock.boot_ns()
            self.publish({"pin": name, "active": active, "at_ns": at_ns})

    def reclaim(self, name: str) -> None:
        find_pin(self._pins, name, "in")
        with self._changed:
            self._lines[name].deaf = False

    def close(self) -> None:
        for name in self._outputs:
            self.write(name, self._pins[name].rest_active)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what the socket adds ---------------------------------------------------------------

    def publish(self, message: Json) -> None:
        """Send a message to everybody who watches; never waits for them."""
        self._control.publish(message)

    def _answer(self, request: Json) -> Json:
        kind = next((name for name in _REQUESTS if name in request), None)
        if kind is None:
            raise DeviceError("unknown request", f"Use one of: {', '.join(_REQUESTS)}.")
        try:
            wanted = msgspec.convert(request, _REQUESTS[kind])
        except msgspec.ValidationError as fault:
            raise DeviceError(f"{kind}: {fault}") from fault
        match wanted:
            case _Set():
                return self._throw(wanted)
            case _Get(get=name):
                return {"pin": name, "active": self._any_level(name)}
            case _Deaf(deaf=name):
                find_pin(self._pins, name, "in")
                with self._changed:
                    self._lines[name].deaf = True
                return {"deaf": name}
            case _Watch():
                return {"watch": wanted.watch}
            case _World(world=world):
                return self._on_world(world)

    def _any_level(self, name: str) -> bool:
        if name not in self._pins:
            raise DeviceError(f"no pin '{name}'", f"Use one of: {', '.join(sorted(self._pins))}.")
        with self._changed:
            return self._outputs[name] if name in self._outputs else self.level(name)

    def _throw(self, wanted: _Set) -> Json:
        find_pin(self._pins, wanted.set, "in")
        with self._changed:
            now_ns = self._clock.boot_ns()
            self._advance(now_ns)
            at_ns = now_ns if wanted.at_ns is None else wanted.at_ns
            if at_ns < now_ns:
                raise DeviceError(
                    f"set: at_ns {at_ns} has passed, it is {now_ns}", "Send throws ahead of time."
                )
            line = self._lines[wanted.set]
            offsets_us = wanted.bounce_us
            if offsets_us is None:
                offsets_us = []
                if line.before(at_ns) != wanted.active:
                    offsets_us = _bounce(f"{wanted.set}:{line.throws}")
            line.throw(at_ns, _steps(wanted, at_ns, offsets_us))
            line.throws += 1
            self._changed.notify_all()
        return {"pin": wanted.set, "active": wanted.active, "at_ns": at_ns, "bounce_us": offsets_us}

    def _advance(self, now_ns: int) -> int | None:
        """Let every line take its planned levels up to now; the time of the next one."""
        found: list[Edge] = []
        moved = False
        for name, line in self._lines.items():
            while line.plan and line.plan[0].at_ns <= now_ns:
                step = line.plan.pop(0)
                if step.active == line.active:
                    continue
                moved = True
                line.active = step.active
                line.seq += 1
                if not (step.lost or line.deaf):
                    found.append(Edge(name, step.active, step.at_ns, line.seq))
        self._edges.extend(sorted(found, key=lambda edge: edge.at_ns))
        if moved:
            self._keep_positions(now_ns)
        return min((line.plan[0].at_ns for line in self._lines.values() if line.plan), default=None)

    def _keep_positions(self, now_ns: int) -> None:
        # Where the hand has put it, not where the bounce is: dying in between must not matter.
        put = {name: line.before(now_ns + 1) for name, line in self._lines.items()}
        try:
            write_positions(self._path, put)
        except DeviceError as fault:
            self.publish({"error": str(fault)})


def _bounce(seed: str) -> list[int]:
    """Offsets of a real switch's bounce: with the throw 3 to 9 edges within 8 ms."""
    dice = random.Random(seed)  # noqa: S311  repeatable on purpose
    return sorted(dice.sample(range(50, _BOUNCE_US), dice.choice((2, 4, 6, 8))))


def _steps(wanted: _Set, at_ns: int, offsets_us: list[int]) -> list[_Step]:
    if len(offsets_us) % 2 or sorted(set(offsets_us)) != offsets_us:
        raise DeviceError(
            f"set: bounce_us {offsets_us[:8]} does not end at the level that was set",
            "Give an even number of rising offsets.",
        )
    count = len(offsets_us) + 1
    wrong = [index for index in wanted.drop if not -count <= index < count]
    if wrong:
        raise DeviceError(
            f"set: drop {wrong} is not among the {count} steps of this throw",
            f"Use {-count} to {count - 1}.",
        )
    lost = {index % count for index in wanted.drop}
    times_ns = [at_ns + offset_us * 1000 for offset_us in (0, *offsets_us)]
    return [
        _Step(time_ns, at_ns, wanted.active == (i % 2 == 0), i in lost)
        for i, time_ns in enumerate(times_ns)
    ]


def positions_path(socket_path: Path) -> Path:
    """The file in which simulated switches keep their positions while no recorder runs."""
    return socket_path.with_suffix(".json")


def read_positions(socket_path: Path) -> dict[str, bool]:
    """Where the switches were left; none were ever thrown if the file is not there."""
    path = positions_path(socket_path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, bool])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as fault:
        raise DeviceError(
            f"{path}: not a file of switch positions: {fault}", "Delete it."
        ) from fault


def write_positions(socket_path: Path, positions: Mapping[str, bool]) -> None:
    """Leave the switches like this, also for a recorder that is yet to start."""
    path = positions_path(socket_path)
    draft = path.with_suffix(".json.new")
    try:
        draft.write_bytes(msgspec.json.encode(dict(positions)))
        os.replace(draft, path)  # noqa: PTH105  one call, one error
    except OSError as fault:
        raise DeviceError(f"{path}: cannot be written: {fault.strerror}") from fault

"""What every `Pins` does, held by the simulated pins and by the real ones alike."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bodycam.boardpins import BoardPins, Note
from bodycam.clock import SystemClock
from bodycam.config import Active, Pin, default_pins
from bodycam.debounce import Edge
from bodycam.errors import DeviceError
from bodycam.gpio import Lines, Pins
from bodycam.gpiodlines import GpiodLines
from bodycam.rpilines import RpiLines
from bodycam.simulate.control import PinsClient
from bodycam.simulate.pins import SimulatedPins

BOUNCE_S = 0.05
LONG_S = 30


@dataclass
class Rig:
    """Pins, a hand that throws the record switch, and an eye on the outputs."""

    pins: Pins
    throw: Callable[[bool], object]
    lit: Callable[[str], bool]

    def edges_until(self, active: bool) -> list[Edge]:
        edges: list[Edge] = []
        while not edges or edges[-1].active != active or self.pins.level("record") != active:
            more = self.pins.edges(LONG_S)
            assert more, "no edge came"
            edges += more
        # Between two bounces it looks as if it had come to rest.
        while more := self.pins.edges(BOUNCE_S):
            edges += more
        return edges


@contextmanager
def soon(act: Callable[..., object], *args: object) -> Iterator[None]:
    """Something happens a moment after the body began, and is over when it ends."""
    timer = threading.Timer(0.02, act, args)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def is_active(pin: Pin, level: int) -> bool:
    return level == (pin.active is Active.HIGH)


class PinsContract:
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        raise NotImplementedError

    def test_a_throw_gives_edges_in_time_that_end_at_its_level(self, rig: Rig) -> None:
        clock = SystemClock()
        for active in (True, False):
            before_ns = clock.boot_ns()
            rig.throw(active)
            edges = rig.edges_until(active)
            assert {edge.pin for edge in edges} == {"record"}
            times = [edge.at_ns for edge in edges]
            assert times == sorted(times)
            assert before_ns <= times[0] <= times[-1] <= clock.boot_ns()
            assert rig.pins.level("record") is active

    def test_nobody_moves_nothing_comes(self, rig: Rig) -> None:
        assert rig.pins.edges(0) == []
        assert rig.pins.edges(0.01) == []
        assert rig.pins.level("record") is False

    def test_a_waiting_reader_wakes_at_the_edge(self, rig: Rig) -> None:
        with soon(rig.throw, True):
            assert rig.pins.edges(LONG_S)[0].active

    def test_outputs_follow_and_go_off_at_the_end(self, rig: Rig) -> None:
        assert not rig.lit("public-red")
        rig.pins.write("public-red", True)
        assert rig.lit("public-red")
        rig.pins.write("public-red", False)
        assert not rig.lit("public-red")

    def test_charging_is_cut_until_it_is_allowed(self, rig: Rig) -> None:
        assert rig.lit("charge-off")
        rig.pins.write("charge-off", False)
        assert not rig.lit("charge-off")
        rig.pins.write("charge-off", True)
        assert rig.lit("charge-off")

    def test_a_wrong_name_is_said_with_the_right_ones(self, rig: Rig) -> None:
        with pytest.raises(DeviceError, match=r"'wearer-red' is no input pin.*marker"):
            rig.pins.level("wearer-red")
        with pytest.raises(DeviceError, match=r"'record' is no output pin.*haptic"):
            rig.pins.write("record", True)

    def test_a_reclaimed_input_goes_on(self, rig: Rig) -> None:
        rig.pins.reclaim("record")
        assert rig.pins.level("record") is False
        rig.throw(True)
        assert rig.edges_until(True)[-1].pin == "record"
        with pytest.raises(DeviceError, match=r"'haptic' is no input pin"):
            rig.pins.reclaim("haptic")

    def test_close_wakes_the_reader_and_may_be_repeated(self, rig: Rig) -> None:
        with soon(rig.pins.close):
            assert rig.pins.edges(LONG_S) == []
        rig.pins.close()
        with rig.pins:
            pass


class TestSimulatedPins(PinsContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        path = tmp_path / "pins.sock"
        with (
            SimulatedPins(default_pins(), SystemClock(), path, lambda world: world) as pins,
            PinsClient(path) as client,
        ):
            yield Rig(pins, lambda active: client.set("record", active), client.get)


class BoardModule(ModuleType):
    """Shaped like `RPi.GPIO`, which cannot be imported off a Pi: lines with electrical levels."""

    BCM, IN, OUT, BOTH, PUD_OFF, PUD_DOWN, PUD_UP = 11, 1, 0, 33, 20, 21, 22

    def __init__(self) -> None:
        super().__init__("RPi.GPIO")
        self.levels: dict[int, int] = {}
        self.pulls: dict[int, int] = {}
        self.held: dict[int, int] = {}
        self.callbacks: dict[int, Callable[[int], None]] = {}
        self.cleaned: list[int] = []
        self.busy: set[int] = set()
        self.unreadable: set[int] = set()
        self.unwritable: set[int] = set()
        self.edgeless: set[int] = set()
        self.deaf: set[int] = set()

    def setwarnings(self, flag: bool) -> None:
        assert flag is False

    def setmode(self, mode: int) -> None:
        assert mode == self.BCM

    def setup(
        self, channel: int, direction: int, pull_up_down: int = PUD_OFF, initial: int | None = None
    ) -> None:
        if channel in self.busy:
            raise RuntimeError("GPIO busy")
        if direction == self.IN:
            self.pulls[channel] = pull_up_down
            self.levels[channel] = self.held.get(channel, int(pull_up_down == self.PUD_UP))
        elif initial is not None:
            self.levels[channel] = initial

    def input(self, channel: int) -> int:
        if channel in self.unreadable:
            raise RuntimeError("GPIO not allocated")
        return self.levels[channel]

    def output(self, channel: int, value: int) -> None:
        if channel in self.unwritable:
            raise RuntimeError("bad lineinfo IOCTL")
        self.levels[channel] = value

    def add_event_detect(self, channel: int, edge: int, callback: Callable[[int], None]) -> None:
        assert edge == self.BOTH
        if channel in self.edgeless:
            raise RuntimeError("Failed to add edge detection")
        self.callbacks[channel] = callback

    def remove_event_detect(self, channel: int) -> None:
        self.callbacks.pop(channel, None)

    def cleanup(self, channels: list[int]) -> None:
        self.cleaned += channels

    def drive(self, channel: int, level: int) -> None:
        """What the world does to a line: the level, then the library's callback, if it hears."""
        self.levels[channel] = self.held[channel] = level
        if channel in self.callbacks and channel not in self.deaf:
            self.callbacks[channel](channel)


@dataclass
class Notes:
    """What the pins have to say for the log."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(
        self, ev: str, *, at_ns: int | None = None, sync: bool = False, **data: Any
    ) -> None:
        assert sync, "what becomes of a pin is durable at once"
        self.lines.append((ev, data))

    def of(self, ev: str) -> list[dict[str, Any]]:
        return [data for name, data in self.lines if name == ev]


def keep_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what lgpio and rpi-lgpio are told where they are imported."""
    for name in ("LG_WD", "RPI_LGPIO_CHIP"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def install_board(monkeypatch: pytest.MonkeyPatch) -> BoardModule:
    """Let `import RPi.GPIO` find the stand-in; the environment that it is told is taken back."""
    keep_environment(monkeypatch)
    board = BoardModule()
    monkeypatch.setitem(sys.modules, "RPi", ModuleType("RPi"))
    monkeypatch.setitem(sys.modules, "RPi.GPIO", board)
    return board


def on_stand_in(pin_map: dict[str, Pin], folder: Path, notes: Note | None = None) -> BoardPins:
    """Pins through the stand-in; `folder` holds no device files, whatever this machine has."""
    clock = SystemClock()
    return BoardPins(RpiLines("", clock, folder, folder), pin_map, clock, notes or Notes())


class TestRpiLinesOnAStandIn(PinsContract):
    @pytest.fixture
    def rig(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Rig]:
        board = install_board(monkeypatch)
        pin_map = default_pins()
        with on_stand_in(pin_map, tmp_path) as pins:
            yield Rig(
                pins,
                lambda active: board.drive(pin_map["record"].bcm, int(not active)),
                lambda name: is_active(pin_map[name], board.levels[pin_map[name].bcm]),
            )


@pytest.mark.pi
class TestBoardPins(PinsContract):
    """On a Pi, with one jumper wire from the buzzer's pin (BCM 16) to the switch's (BCM 17)."""

    @pytest.fixture(params=["gpiod", "rpi"])
    def rig(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
        pin_map, clock = default_pins(), SystemClock()
        lines: Lines = RpiLines("", clock, tmp_path)
        if request.param == "gpiod":
            lines = GpiodLines("", clock)
        with BoardPins(lines, pin_map, clock, Notes()) as pins:
            pins.write("buzzer", True)  # high: the switch is active low
            pins.edges(0.1)
            yield Rig(pins, lambda active: pins.write("buzzer", not active), lines.level)

"""The real pins as far as they go off a Pi: what is asked of RPi.GPIO, and how failures read.

The contract that they share with the simulated pins is in test_pins_contract.py.
"""

from __future__ import annotations

import sys

import pytest

from bodycam.clock import SystemClock
from bodycam.config import Active, Pin, Pull, default_pins
from bodycam.errors import DeviceError, ExitCode
from bodycam.gpio import RpiPins
from tests.test_pins_contract import BoardModule, install_board


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> BoardModule:
    return install_board(monkeypatch)


def both_ways() -> dict[str, Pin]:
    return {
        "record": Pin(bcm=17, direction="in", active=Active.LOW, pull=Pull.UP),
        "vehicle-lights": Pin(bcm=25, direction="in", active=Active.HIGH, pull=Pull.DOWN),
        "holster": Pin(bcm=24, direction="in", active=Active.LOW, pull=Pull.OFF),
        "wearer-red": Pin(bcm=5, direction="out", active=Active.HIGH),
        "buzzer": Pin(bcm=16, direction="out", active=Active.LOW),
    }


def test_without_the_library_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "RPi", None)
    with pytest.raises(DeviceError) as refused:
        RpiPins(default_pins(), SystemClock())
    assert refused.value.exit_code is ExitCode.DEVICE
    assert "RPi.GPIO cannot be used" in str(refused.value)
    assert 'elsewhere set [gpio] backend = "simulated"' in str(refused.value)


def test_off_a_pi_the_librarys_own_words_are_passed_on(
    board: BoardModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def setmode(mode: int) -> None:
        raise RuntimeError("can not open gpiochip")

    monkeypatch.setattr(board, "setmode", setmode)
    with pytest.raises(DeviceError, match=r"RPi\.GPIO cannot be used: can not open gpiochip"):
        RpiPins(default_pins(), SystemClock())


def test_pulls_levels_and_idle_outputs_come_from_the_pin_map(board: BoardModule) -> None:
    with RpiPins(both_ways(), SystemClock()) as pins:
        assert board.pulls == {17: board.PUD_UP, 25: board.PUD_DOWN, 24: board.PUD_OFF}
        assert [board.levels[5], board.levels[16]] == [0, 1]
        assert not pins.level("record")
        assert not pins.level("vehicle-lights")
        pins.write("wearer-red", True)
        pins.write("buzzer", True)
        assert [board.levels[5], board.levels[16]] == [1, 0]


def test_an_edge_carries_the_active_level_and_the_time_of_its_callback(board: BoardModule) -> None:
    clock = SystemClock()
    with RpiPins(both_ways(), clock) as pins:
        before_ns = clock.boot_ns()
        board.drive(17, 0)
        board.drive(25, 1)
        board.drive(17, 1)
        edges = pins.edges(0)
    assert [(e.pin, e.active, e.line_seq) for e in edges] == [
        ("record", True, None),
        ("vehicle-lights", True, None),
        ("record", False, None),
    ]
    assert before_ns <= edges[0].at_ns <= edges[1].at_ns <= edges[2].at_ns <= clock.boot_ns()


def test_a_fault_inside_the_callback_is_raised_by_the_reader(board: BoardModule) -> None:
    with RpiPins(both_ways(), SystemClock()) as pins:
        board.drive(25, 1)
        board.unreadable.add(17)
        board.drive(17, 0)  # must not raise: the library would print it and go on
        board.unreadable.clear()
        board.drive(25, 0)
        assert [edge.active for edge in pins.edges(0)] == [True]
        with pytest.raises(DeviceError, match=r"pin 'record' \(BCM 17\) cannot be read"):
            pins.edges(0)
        assert [edge.active for edge in pins.edges(0)] == [False]


def test_a_busy_pin_is_named_and_the_others_are_given_back(board: BoardModule) -> None:
    board.busy.add(24)
    with pytest.raises(DeviceError, match=r"pin 'holster' \(BCM 24\) cannot be claimed: GPIO busy"):
        RpiPins(both_ways(), SystemClock())
    assert board.cleaned == [17, 25]


def test_closing_cuts_charging(board: BoardModule) -> None:
    with RpiPins(default_pins(), SystemClock()) as pins:
        pins.write("charge-off", False)
        assert board.levels[9] == 1
    assert board.levels[9] == 0


def test_closing_switches_outputs_off_and_frees_every_line(board: BoardModule) -> None:
    pins = RpiPins(both_ways(), SystemClock())
    pins.write("wearer-red", True)
    pins.write("buzzer", True)
    pins.close()
    pins.close()
    assert [board.levels[5], board.levels[16]] == [0, 1]
    assert board.callbacks == {}
    assert sorted(board.cleaned) == [5, 16, 17, 24, 25]

"""The board's pins as far as they go off a Pi: what is asked of RPi.GPIO, and how failures read.

The contract that they share with the simulated pins is in test_pins_contract.py; real kernels,
with libgpiod and rpi-lgpio, are met in tests/guest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bodycam.boardpins import open_board
from bodycam.clock import MS, SystemClock
from bodycam.config import Active, Config, Gpio, Pin, PinsBackend, Pull, Store, default_pins
from bodycam.errors import DeviceError, ExitCode
from bodycam.gpiochip import find_chip
from bodycam.parts import open_pins
from bodycam.rpilines import RpiLines
from tests.test_pins_contract import (
    BoardModule,
    Notes,
    install_board,
    keep_environment,
    on_stand_in,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_environment(monkeypatch)


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


# -- no pins at all -------------------------------------------------------------------------


def test_without_the_library_the_next_step_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "RPi", None)
    with pytest.raises(DeviceError) as refused:
        RpiLines("", SystemClock(), tmp_path, tmp_path)
    assert refused.value.exit_code is ExitCode.DEVICE
    assert "RPi.GPIO cannot be used" in str(refused.value)
    assert 'elsewhere set [gpio] backend = "simulated"' in str(refused.value)


def test_off_a_pi_the_librarys_own_words_are_passed_on(
    board: BoardModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def setmode(mode: int) -> None:
        raise RuntimeError("can not open gpiochip")

    monkeypatch.setattr(board, "setmode", setmode)
    with pytest.raises(DeviceError, match=r"RPi\.GPIO cannot be used: can not open gpiochip"):
        RpiLines("", SystemClock(), tmp_path, tmp_path)


def test_without_the_headers_chip_the_label_that_was_looked_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no GPIO chip is labelled 'pinctrl-x'; there is no chip"):
        find_chip("pinctrl-x", tmp_path)
    (tmp_path / "gpiochip0").write_bytes(b"")
    (tmp_path / "gpiochip4").symlink_to("gpiochip0")
    with pytest.raises(DeviceError, match=r"there is gpiochip0 \(.*\)\. `gpiodetect` lists"):
        find_chip("pinctrl-x", tmp_path)


def test_a_recorder_without_any_pins_says_why_in_the_log(tmp_path: Path) -> None:
    gpio = Gpio(backend=PinsBackend.AUTO, chip="a label that no chip has")
    config, notes = Config(gpio=gpio, store=Store(runtime=str(tmp_path))), Notes()
    with pytest.raises(DeviceError) as refused:
        open_pins(config, SystemClock(), lambda world: world, notes)
    assert notes.lines == [
        ("gpio.fault", {"pin": None, "reason": str(refused.value), "owner": None})
    ]
    assert "labelled 'a label that no chip has'" in str(refused.value)


def test_a_backend_that_was_asked_for_is_never_replaced_by_another(tmp_path: Path) -> None:
    gpio = Gpio(backend=PinsBackend.GPIOD, chip="a label that no chip has")
    with pytest.raises(DeviceError, match="no GPIO chip is labelled 'a label that no chip has'"):
        open_board(gpio, default_pins(), SystemClock(), tmp_path, Notes())


def test_the_librarys_folder_is_its_own(board: BoardModule, tmp_path: Path) -> None:
    """lgpio makes its working folder that of the whole process, and paths may be relative."""
    here = Path.cwd()
    RpiLines("", SystemClock(), tmp_path, tmp_path)
    assert Path.cwd() == here


# -- what is asked of the library -------------------------------------------------------------


def test_pulls_levels_and_idle_outputs_come_from_the_pin_map(
    board: BoardModule, tmp_path: Path
) -> None:
    with on_stand_in(both_ways(), tmp_path) as pins:
        assert board.pulls == {17: board.PUD_UP, 25: board.PUD_DOWN, 24: board.PUD_OFF}
        assert [board.levels[5], board.levels[16]] == [0, 1]
        assert pins.level("record") is False
        assert pins.level("vehicle-lights") is False
        pins.write("wearer-red", True)
        pins.write("buzzer", True)
        assert [board.levels[5], board.levels[16]] == [1, 0]


def test_an_edge_carries_the_active_level_and_the_time_of_its_callback(
    board: BoardModule, tmp_path: Path
) -> None:
    clock = SystemClock()
    with on_stand_in(both_ways(), tmp_path) as pins:
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


def test_closing_cuts_charging(board: BoardModule, tmp_path: Path) -> None:
    with on_stand_in(default_pins(), tmp_path) as pins:
        pins.write("charge-off", False)
        assert board.levels[9] == 1
    assert board.levels[9] == 0


def test_closing_switches_outputs_off_and_frees_every_line(
    board: BoardModule, tmp_path: Path
) -> None:
    pins = on_stand_in(both_ways(), tmp_path)
    pins.write("wearer-red", True)
    pins.write("buzzer", True)
    pins.close()
    pins.close()
    assert [board.levels[5], board.levels[16]] == [0, 1]
    assert board.callbacks == {}
    assert sorted(board.cleaned) == [5, 16, 17, 24, 25]


# -- one line fails, the others work --------------------------------------------------------


def test_a_busy_pin_is_left_out_and_claimed_once_it_is_free(
    board: BoardModule, tmp_path: Path
) -> None:
    notes = Notes()
    board.busy |= {17, 5}
    with on_stand_in(both_ways(), tmp_path, notes) as pins:
        assert [fault["pin"] for fault in notes.of("gpio.fault")] == ["record", "wearer-red"]
        assert "pin 'record' (BCM 17) cannot be claimed: GPIO busy" in notes.lines[0][1]["reason"]
        assert pins.level("record") is None
        assert pins.level("holster") is True
        pins.write("wearer-red", True)
        board.drive(25, 1)
        assert [edge.pin for edge in pins.edges(0)] == ["vehicle-lights"]

        board.busy.clear()
        while pins.level("record") is None:
            assert pins.edges(0.2) == []
        assert notes.of("gpio.claimed") == [{"pin": "record"}, {"pin": "wearer-red"}]
        assert len(notes.of("gpio.fault")) == 2, "a fault is said once"
        assert board.levels[5] == 1, "an output takes the level that it was given meanwhile"
        board.drive(17, 0)
        assert [edge.active for edge in pins.edges(0)] == [True]


def test_a_line_that_fails_inside_the_callback_is_lost_and_claimed_again(
    board: BoardModule, tmp_path: Path
) -> None:
    notes = Notes()
    with on_stand_in(both_ways(), tmp_path, notes) as pins:
        board.drive(25, 1)
        board.unreadable.add(17)
        board.drive(17, 0)  # must not raise: the library would print it and go on
        board.unreadable.clear()
        assert [edge.active for edge in pins.edges(0)] == [True]
        [fault] = notes.of("gpio.fault")
        assert fault["pin"] == "record"
        assert "cannot be read: GPIO not allocated" in fault["reason"]
        assert pins.level("record") is None
        while pins.level("record") is None:
            pins.edges(0.2)
        assert notes.of("gpio.claimed") == [{"pin": "record"}]


# -- a driver that brings no edges -----------------------------------------------------------


def test_where_the_driver_has_no_edges_the_level_is_read_and_the_log_says_so(
    board: BoardModule, tmp_path: Path
) -> None:
    notes, clock = Notes(), SystemClock()
    board.edgeless.add(17)
    with on_stand_in(both_ways(), tmp_path, notes) as pins:
        [polling] = notes.of("gpio.polling")
        assert (polling["pin"], polling["every_ms"]) == ("record", 5)
        assert "Failed to add edge detection" in polling["reason"]
        for active in (True, False):
            before_ns = clock.boot_ns()
            board.drive(17, int(not active))
            [edge] = pins.edges(30)
            assert (edge.pin, edge.active, edge.line_seq) == ("record", active, None)
            assert before_ns <= edge.at_ns <= clock.boot_ns()
        board.drive(25, 1)
        assert [edge.pin for edge in pins.edges(30)] == ["vehicle-lights"]
        assert pins.edges(0.02) == []


def test_a_deaf_line_is_claimed_again_and_polled_if_that_does_not_help(
    board: BoardModule, tmp_path: Path
) -> None:
    notes = Notes()
    with on_stand_in(both_ways(), tmp_path, notes) as pins:
        pins.reclaim("record")
        assert board.cleaned == [17]
        board.drive(17, 0)
        assert [edge.active for edge in pins.edges(0)] == [True], "heard again: no more is needed"
        pins.reclaim("record")
        assert notes.lines == []

        board.deaf.add(17)
        board.drive(17, 1)
        assert pins.edges(0) == []
        pins.reclaim("record")
        assert [line["pin"] for line in notes.of("gpio.polling")] == ["record"]
        board.drive(17, 0)
        [edge] = pins.edges(30)
        assert edge.active


# -- the kernel's time -----------------------------------------------------------------------


def test_an_edges_kernel_time_becomes_boot_time() -> None:
    """In a time name space boot time can be a day ahead, as after a day of sleep."""
    script = (
        "import time; from bodycam.clock import SystemClock, ScaledClock\n"
        "clock, scaled = SystemClock(), ScaledClock(3, 0, 0, 'b')\n"
        "for _ in range(100):\n"
        "    a, ka = clock.boot_ns(), scaled.boot_ns()\n"
        "    m = time.clock_gettime_ns(time.CLOCK_MONOTONIC)\n"
        "    print(a, clock.boot_at(m), clock.boot_at(m + 7) - clock.boot_at(m), clock.boot_ns(),\n"
        "          ka, scaled.boot_at(m), scaled.boot_ns(), m)\n"
    )
    slept_ns = {}
    for ahead_s in (0, 86_400):
        command = ["unshare", "--time", "--boottime", str(ahead_s), sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            before, at, apart, after, k_before, k_at, k_after, monotonic = map(int, line.split())
            slept_ns[ahead_s] = at - monotonic
            assert before - MS <= at <= after + MS
            assert apart == 7
            assert k_before - 3 * MS <= k_at <= k_after + 3 * MS
    assert abs(slept_ns[86_400] - slept_ns[0] - 86_400_000 * MS) < MS

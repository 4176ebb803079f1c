"""The board's pins on a real kernel: libgpiod and rpi-lgpio on chips of gpio-sim."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bodycam.boardpins import BoardPins, open_board
from bodycam.clock import MS, NS, SystemClock
from bodycam.config import Gpio, Pin, PinsBackend, default_pins
from bodycam.errors import DeviceError
from bodycam.gpiochip import HEADER_LABELS, find_chip, holder
from bodycam.gpiodlines import GpiodLines
from tests.guest.inside.gpiosim import SimChip, simulated_chip
from tests.guest.inside.uhidgpio import LABEL as INTERRUPTLESS
from tests.guest.inside.uhidgpio import InterruptlessChip
from tests.switchrig import SwitchRig, reading, switch_log
from tests.test_pins_contract import Notes, PinsContract, Rig, is_active

# lgpio's SWIG on Python 3.13; as an error it would be swallowed and end the process by a signal.
pytestmark = pytest.mark.filterwarnings(
    "ignore:builtin type .* has no __module__ attribute:DeprecationWarning"
)

CLOCK = SystemClock()
LABEL = "under-test"
BACKENDS = ["gpiod", "rpi"]
# gpio-sim takes the chip's own resistor for the hand on the switch: claiming would release it.
PINS = {**default_pins(), "record": Pin(bcm=17, direction="in")}
RECORD, MARKER = PINS["record"].bcm, PINS["marker"].bcm
HERE = Path(__file__).parent
_NATURAL_STARTS = int(os.environ.get("BODYCAM_DEAF_STARTS", "20"))


@pytest.fixture(autouse=True)
def revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """rpi-lgpio asks the device tree which Pi this is; here it is none."""
    monkeypatch.setenv("RPI_LGPIO_REVISION", "c03115")


@pytest.fixture(scope="module")
def chip() -> Iterator[SimChip]:
    """One for all: the RPi.GPIO of a process opens its chip once."""
    with simulated_chip(LABEL) as chip:
        yield chip


def board(backend: str, folder: Path, notes: Any, pins: dict[str, Pin] | None = None) -> BoardPins:
    gpio = Gpio(backend=PinsBackend(backend), chip=LABEL)
    return open_board(gpio, pins or PINS, CLOCK, folder, notes)


def put(chip: SimChip, active: bool, line: int = RECORD) -> None:
    chip.drive(line, int(not active))


# -- the contract ------------------------------------------------------------------------------


class KernelPins(PinsContract):
    backend: str

    @pytest.fixture
    def rig(self, chip: SimChip, tmp_path: Path) -> Iterator[Rig]:
        pin_map = default_pins()
        with board(self.backend, tmp_path, Notes(), pin_map) as pins:
            yield Rig(
                pins,
                lambda active: put(chip, active),
                lambda name: is_active(pin_map[name], chip.level(pin_map[name].bcm)),
            )

    def test_closing_leaves_every_output_at_rest(self, chip: SimChip, tmp_path: Path) -> None:
        with board(self.backend, tmp_path, Notes()) as pins:
            pins.write("public-red", True)
            pins.write("charge-off", False)
        assert chip.level(PINS["public-red"].bcm) == 0
        assert is_active(PINS["charge-off"], chip.level(PINS["charge-off"].bcm))
        assert {holder(find_chip(LABEL), pin.bcm) for pin in PINS.values()} == {None}


class TestGpiodPins(KernelPins):
    backend = "gpiod"


class TestRpiPins(KernelPins):
    backend = "rpi"


# -- edges of 1 to 60 ms -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flip:
    """What the hand did: the level, and the time after which the line took it."""

    active: bool
    before_ns: int


def flip(chip: SimChip, widths_ms: list[float], *, first: bool = True) -> list[Flip]:
    """Turn the switch to and fro; each level is kept for so many ms."""
    flips = []
    for index, width_ms in enumerate(widths_ms):
        active = first == (index % 2 == 0)
        flips.append(Flip(active, CLOCK.boot_ns()))
        put(chip, active)
        time.sleep(width_ms / 1000)
    return flips


def toggles(edges: list[tuple[int, bool]], on_ms: int, off_ms: int) -> list[tuple[int, bool]]:
    """The rule in other words than the debouncer's: levels that were kept for long enough."""
    found = []
    level = False
    for (at_ns, active), (until_ns, _) in pairwise([*edges, (2**63, False)]):
        if until_ns - at_ns >= (on_ms if active else off_ms) * MS and active != level:
            level = active
            found.append((at_ns, active))
    return found


def logged_toggles(rig: SwitchRig) -> list[tuple[int, bool]]:
    lines = [*rig.lines("switch.on"), *rig.lines("switch.off")]
    return sorted((line["boot_ns"], line["ev"] == "switch.on") for line in lines)


def test_each_of_100_edges_of_1_to_60_ms_is_logged_with_the_kernels_time(
    chip: SimChip, tmp_path: Path
) -> None:
    dice = random.Random(4)
    put(chip, False)
    with (
        switch_log(tmp_path) as rig,
        board("gpiod", tmp_path, rig.log.append) as pins,
        reading(rig, pins, off_stable_ms=40),
    ):
        flips = flip(chip, [dice.uniform(1, 60) for _ in range(100)])
        rig.until_logged("switch.edge", 100)
        rig.until_level("record", active=False)
    edges = rig.lines("switch.edge")
    assert [line["data"]["line_seq"] for line in edges] == list(range(1, 101))
    assert [line["data"]["active"] for line in edges] == [flip.active for flip in flips]
    times = [line["boot_ns"] for line in edges]
    for at_ns, turned, following in zip(times, flips, [*flips[1:], None], strict=True):
        assert turned.before_ns <= at_ns
        assert following is None or at_ns <= following.before_ns
    late_ms = sorted((at - flip.before_ns) / MS for at, flip in zip(times, flips, strict=True))
    print(f"kernel time after the flip began: median {late_ms[50]:.2f}, worst {late_ms[-1]:.2f} ms")
    expected = toggles([(at, flip.active) for at, flip in zip(times, flips, strict=True)], 30, 40)
    assert len(expected) > 10
    assert logged_toggles(rig) == expected
    assert rig.lines("switch.reconciled") == rig.lines("switch.lost_pulse") == []


def test_100_edges_through_rpi_lgpio_give_the_right_toggles(chip: SimChip, tmp_path: Path) -> None:
    """Its edges come late and without a time: what bounces for 1 to 20 ms, and then rests."""
    dice = random.Random(5)
    put(chip, False)
    told = 0
    with (
        switch_log(tmp_path) as rig,
        board("rpi", tmp_path, rig.log.append) as pins,
        reading(rig, pins),
    ):
        for burst in range(11):
            turns = flip(chip, [dice.uniform(1, 20) for _ in range(9)], first=burst % 2 == 0)
            rig.until_level("record", turns[-1].active)
            told += len(turns)
    levels = [active for _, active in logged_toggles(rig)]
    assert all(before is not after for before, after in pairwise(levels))
    assert len(levels) >= 11
    assert levels[-1] is True
    print(f"rpi-lgpio told {len(rig.lines('switch.edge'))} of {told} edges")


def test_edges_that_the_kernel_had_no_room_for_leave_a_hole(chip: SimChip, tmp_path: Path) -> None:
    put(chip, False)
    with board("gpiod", tmp_path, Notes()) as pins:
        put(chip, True)
        assert [edge.line_seq for edge in pins.edges(30)] == [1]
        flip(chip, [0] * 3000)
        numbers = [edge.line_seq for edge in pins.edges(0)]
    # Turned so fast, some edges are one to the kernel; more than its queue holds are not.
    assert len(numbers) >= 1024
    assert numbers[0] is not None
    assert numbers[0] > 2
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


# -- lines of others -----------------------------------------------------------------------------


@contextmanager
def another_program(chip: SimChip, line: int) -> Iterator[subprocess.Popen[str]]:
    """A second process that holds a line."""
    script = (
        "import sys, gpiod; r = gpiod.request_lines(sys.argv[1], {int(sys.argv[2]): None}, 'blink')\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, f"/dev/{chip.name}", str(line)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        yield program
        program.kill()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_busy_record_switch_names_its_owner_and_is_taken_once_it_is_free(
    backend: str, chip: SimChip, tmp_path: Path
) -> None:
    with another_program(chip, RECORD) as program, switch_log(tmp_path) as rig:
        put(chip, True)
        with board(backend, tmp_path, rig.log.append) as pins, reading(rig, pins):
            [fault] = rig.lines("gpio.fault")
            assert fault["data"]["pin"] == "record"
            assert fault["data"]["owner"].startswith(
                f"'blink', process {program.pid} ({sys.executable} -c import sys, gpiod;"
            )
            rig.until("the fault is shown", rig.reader.faulty)
            put(chip, True, MARKER)
            assert rig.until_logged("key.on")["data"]["pin"] == "marker"

            freed_ns = CLOCK.boot_ns()
            program.kill()
            claimed = rig.until_logged("gpio.claimed")
            on = rig.until_logged("switch.on")
            rig.until("the fault is over", lambda: not rig.reader.faulty())
            put(chip, False)
            rig.until_logged("switch.off")
    assert claimed["data"] == {"pin": "record"}
    assert claimed["boot_ns"] - freed_ns < 5 * NS
    assert on["boot_ns"] - claimed["boot_ns"] < NS
    assert len(rig.lines("gpio.fault")) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_busy_lamp_costs_the_officer_one_lamp(
    backend: str, chip: SimChip, tmp_path: Path
) -> None:
    notes = Notes()
    with another_program(chip, PINS["buzzer"].bcm), board(backend, tmp_path, notes) as pins:
        assert [fault["pin"] for fault in notes.of("gpio.fault")] == ["buzzer"]
        pins.write("buzzer", True)
        pins.write("public-red", True)
        assert chip.level(PINS["public-red"].bcm) == 1
        put(chip, not pins.level("record"))
        assert [edge.pin for edge in pins.edges(30)] == ["record"]


def test_a_line_that_the_kernel_keeps_is_named_without_a_process(tmp_path: Path) -> None:
    with simulated_chip("hogged", {RECORD: "spi0 CS0"}):
        gpio = Gpio(backend=PinsBackend.GPIOD, chip="hogged")
        notes = Notes()
        with open_board(gpio, PINS, CLOCK, tmp_path, notes):
            [fault] = notes.of("gpio.fault")
    assert (fault["pin"], fault["owner"]) == ("record", "'spi0 CS0'")
    assert "free the pin of its overlay in /boot/firmware/config.txt" in fault["reason"]


# -- chips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order",
    [
        ("header", "expander", "sound-card"),
        ("expander", "header", "sound-card"),
        ("sound-card", "expander", "header"),
    ],
)
def test_the_headers_chip_is_found_by_its_label_wherever_it_is(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        chips = {label: stack.enter_context(simulated_chip(label)) for label in order}
        chip = chips["header"]
        link = Path("/dev/gpiochip99")  # Raspberry Pi OS links a Pi 5's old number like this
        link.symlink_to(chip.name)
        stack.callback(link.unlink)
        assert find_chip("header").path.name == chip.name
        notes = Notes()
        gpio = Gpio(backend=PinsBackend.AUTO, chip="header")
        with open_board(gpio, PINS, CLOCK, tmp_path, notes) as pins:
            put(chip, not pins.level("record"))
            assert [edge.pin for edge in pins.edges(30)] == ["record"]
        assert notes.of("gpio.chip") == [
            {"backend": "gpiod", "chip": chip.name, "label": "header", "reason": None}
        ]
        # RPi.GPIO opens its chip once in a process.
        script = (
            "import sys, pathlib\n"
            "from bodycam.rpilines import RpiLines\n"
            "from bodycam.boardpins import BoardPins\n"
            "from bodycam.clock import SystemClock\n"
            "from bodycam.config import default_pins\n"
            "folder, clock = pathlib.Path(sys.argv[1]), SystemClock()\n"
            "lines = RpiLines('header', clock, folder)\n"
            "with BoardPins(lines, default_pins(), clock, print) as pins:\n"
            "    pins.write('public-red', True); print('lit', flush=True); sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as program:  # fmt: skip
            assert program.stdout is not None
            assert program.stdout.readline() == "lit\n"
            lit = {label: chip.level(PINS["public-red"].bcm) for label, chip in chips.items()}
            program.communicate("")
        assert lit == {"sound-card": 0, "header": 1, "expander": 0}


def chips_there() -> str:
    with pytest.raises(DeviceError, match="no GPIO chip is labelled 'none'; there is") as refused:
        find_chip("none")
    return str(refused.value)


def test_without_a_label_it_is_the_header_of_any_raspberry_pi() -> None:
    with ExitStack() as stack:
        if not any(f"'{label}'" in chips_there() for label in HEADER_LABELS):
            chip = stack.enter_context(simulated_chip("pinctrl-rp1"))
            assert find_chip().path.name == chip.name
        label = find_chip().label
        other = next(other for other in HEADER_LABELS if other != label)
        stack.enter_context(simulated_chip(other))
        with pytest.raises(DeviceError, match="more than one GPIO chip is labelled"):
            find_chip()


def test_a_chip_that_goes_and_comes_back_is_used_again(tmp_path: Path) -> None:
    with simulated_chip("coming-and-going") as chip, switch_log(tmp_path) as rig:
        put(chip, False)
        lines = GpiodLines("coming-and-going", CLOCK)
        with (
            BoardPins(lines, PINS, CLOCK, rig.log.append) as pins,
            reading(rig, pins),
        ):
            pins.write("public-red", True)
            chip.unplug()
            rig.until_logged("gpio.fault", len(PINS))
            assert pins.level("record") is None
            chip.plug()
            put(chip, False)
            rig.until_logged("gpio.claimed", len(PINS))
            assert chip.level(PINS["public-red"].bcm) == 1
            put(chip, True)
            rig.until_logged("switch.on")
    assert {line["data"]["pin"] for line in rig.lines("gpio.fault")} == set(PINS)


# -- drivers that bring no edges ------------------------------------------------------------------


def test_a_chip_without_interrupts_is_polled_and_the_log_says_so(tmp_path: Path) -> None:
    pin_map = {**default_pins(), "record": Pin(bcm=1, direction="in")}
    with InterruptlessChip() as device, switch_log(tmp_path) as rig:
        device.levels[1] = 1
        while True:
            try:
                lines = GpiodLines(INTERRUPTLESS, CLOCK)
                break
            except DeviceError:
                time.sleep(0.05)  # the driver is still looking at its new device
        with BoardPins(lines, pin_map, CLOCK, rig.log.append) as pins, reading(rig, pins):
            [polling] = rig.lines("gpio.polling")
            for count in (1, 2):
                device.levels[1] = 0
                rig.until_logged("switch.on", count)
                device.levels[1] = 1
                rig.until_logged("switch.off", count)
    assert polling["data"] == {
        "pin": "record",
        "every_ms": 5,
        "reason": "pin 'record' (BCM 1) cannot be claimed: No such device or address with its edges",
    }
    assert len(rig.lines("switch.edge")) == 4
    assert {line["data"]["line_seq"] for line in rig.lines("switch.edge")} == {None}
    # The chip has four lines: every other pin is missing, and said so.
    assert len(rig.lines("gpio.fault")) == len(pin_map) - 1


@dataclass(frozen=True, slots=True)
class Start:
    """One start of lgpio: when the switch was moved, and what the log says."""

    moved_ns: dict[str, int]
    log: list[dict[str, Any]]

    def of(self, ev: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["ev"] == ev]


def starts(chip: SimChip, count: int, settle_ms: int, **environment: str) -> list[Start]:
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.guest.inside.deafstarts",
            LABEL, str(chip.sysfs), str(count), str(settle_ms),
        ],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return [Start(**json.loads(line)) for line in done.stdout.splitlines()]


def check_healed(start: Start) -> None:
    [on], [off] = start.of("switch.on"), start.of("switch.off")
    assert on["data"]["settled_ns"] - start.moved_ns["on"] < NS
    assert off["data"]["settled_ns"] - start.moved_ns["off"] < NS
    for deaf in start.of("gpio.deaf"):
        assert deaf["logged_ns"] - start.moved_ns["on"] < NS


def test_starts_of_rpi_lgpio_are_deaf_at_times_and_healed_within_a_second(chip: SimChip) -> None:
    found = starts(chip, _NATURAL_STARTS, 100)
    assert len(found) == _NATURAL_STARTS
    deaf = [start for start in found if start.of("gpio.deaf")]
    print(f"{len(deaf)} of {len(found)} starts of rpi-lgpio with one line were deaf")
    for start in found:
        check_healed(start)


def test_a_start_that_is_deaf_for_certain_hears_the_release(chip: SimChip, tmp_path: Path) -> None:
    library = tmp_path / "latewait.so"
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "latewait.c"], check=True
    )
    for start in starts(chip, 3, 500, LD_PRELOAD=str(library)):
        check_healed(start)
        assert [deaf["data"] for deaf in start.of("gpio.deaf")] == [{"pin": "record", "missed": 1}]
        [reconciled] = start.of("switch.reconciled")
        assert reconciled["data"]["active"] is True
        assert [edge["data"]["active"] for edge in start.of("switch.edge")] == [False]
        assert start.of("gpio.polling") == []

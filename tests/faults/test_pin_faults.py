"""The board's pins cannot be had: held by another program, without edges, or under another number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bodycam.config import default_pins
from bodycam.errors import ExitCode
from bodycam.simulate.unit import Unit
from tests.rig import QUICK

from .conftest import Faulty

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("daemon")]

_STAND_IN = Path(__file__).with_name("board")
_PINS = default_pins()
RECORD, HAPTIC, PUBLIC = (_PINS[name].bcm for name in ("record", "haptic", "public-red"))
LIGHT = {"camera": {**QUICK["camera"], "fps": 10}}
# gpiochip's number, and its label; a number that is a link to another.
LAYOUTS: dict[str, dict[int, str | int]] = {
    "Pi 4": {0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"},
    "Pi 5, kernel 6.6.31": {
        0: "gpio-brcmstb@107d508500", 1: "gpio-brcmstb@107d508520", 2: "gpio-brcmstb@107d517c00",
        3: "gpio-brcmstb@107d517c20", 4: "pinctrl-rp1",
    },
    "Pi 5, kernel 6.6.45": {
        0: "pinctrl-rp1", 4: 0, 10: "gpio-brcmstb@107d508500", 11: "gpio-brcmstb@107d508520",
    },
    "Pi 5, kernel 6.12.96": {
        10: "gpio-brcmstb@107d508500", 11: "gpio-brcmstb@107d508520", 15: "pinctrl-rp1", 0: 15,
    },
}  # fmt: skip
HEADER = {"Pi 4": 0, "Pi 5, kernel 6.6.31": 4, "Pi 5, kernel 6.6.45": 0, "Pi 5, kernel 6.12.96": 15}


class Board:
    """The folder that a header's stand-in lives in."""

    def __init__(self, folder: Path, layout: dict[int, str | int]) -> None:
        self.folder = folder
        dev = folder / "dev"
        dev.mkdir(parents=True)
        for number, label in layout.items():
            chip = dev / f"gpiochip{number}"
            if isinstance(label, int):
                chip.symlink_to(f"gpiochip{label}")
            else:
                chip.write_text(label + "\n", encoding="ascii")
        for name in ("busy", "edgeless", "written"):
            (folder / name).touch()
        os.mkfifo(folder / "hand")

    def put(self, name: str, *channels: int) -> None:
        """Say which lines are `busy` or `edgeless` from now on."""
        draft = self.folder / f"{name}.new"
        draft.write_text(" ".join(map(str, channels)), encoding="ascii")
        draft.rename(self.folder / name)

    def drive(self, channel: int, level: int) -> None:
        with (self.folder / "hand").open("w", encoding="ascii") as hand:
            hand.write(f"{channel} {level}\n")

    def strokes(self, channel: int) -> int:
        """How often an output was switched on."""
        return (
            (self.folder / "written").read_text(encoding="ascii").split("\n").count(f"{channel} 1")
        )


@pytest.fixture(scope="session")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("chips") / "chips.so"
    source = str(_STAND_IN / "chips.c")
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), source],
        check=True,
    )
    return library


def on_the_board(unit: Unit) -> None:
    """Let the recorder use the library of a real board instead of simulated pins."""
    text = unit.config_path.read_text(encoding="utf-8")
    simulated = 'backend = "simulated"'
    assert text.count(simulated) == 1
    unit.config_path.write_text(text.replace(simulated, 'backend = "rpi"'), encoding="utf-8")


def test_f11_f12_a_busy_switch_names_its_owner_and_records_once_it_is_free(
    unit: Faulty, chips: Path, tmp_path: Path
) -> None:
    """On the newest kernel's numbers; and the line that is free at last has no edges: it is polled."""
    layout = "Pi 5, kernel 6.12.96"
    board = Board(tmp_path / "board", LAYOUTS[layout])
    with (board.folder / "dev" / "gpiochip15").open("a", encoding="ascii") as chip:
        chip.write(f"{RECORD} spi0 CS0\n")
    board.put("busy", RECORD)
    environment = {"GPIO_BOARD": str(board.folder), "PYTHONPATH": str(_STAND_IN)}
    with unit(LIGHT, before=on_the_board, preload=[chips], environment=environment) as rig:
        fault = rig.until_logged("gpio.fault")["data"]
        assert (fault["pin"], fault["owner"]) == ("record", "'spi0 CS0'")
        assert f"pin 'record' (BCM {RECORD}) cannot be claimed: GPIO busy" in fault["reason"]
        rig.until("the signal", lambda: rig.unit.status()["signal"] == "fault")
        answer = rig.status()
        assert answer.returncode == ExitCode.DEVICE
        assert "SWITCHES   CANNOT BE READ: record" in answer.stdout
        rig.until("5 quick", lambda: board.strokes(HAPTIC) >= 5)
        assert board.strokes(PUBLIC) == 0

        board.put("edgeless", RECORD)
        board.put("busy")
        rig.until_logged("gpio.claimed")
        assert rig.until_logged("gpio.polling")["data"]["pin"] == "record"
        rig.until("the signal", lambda: rig.unit.status()["signal"] == "ready")
        board.drive(RECORD, 0)
        start = rig.until_logged("rec.start")
        rig.until("the lamp", lambda: board.strokes(PUBLIC) > 0)
        board.drive(RECORD, 1)
        rig.until_logged("rec.stop")
    assert start["data"]["actual_ms"] >= 1000, "the ring was kept all the time"
    [found] = rig.events("gpio.chip")
    assert (found["data"]["chip"], found["data"]["label"]) == ("gpiochip15", "pinctrl-rp1")
    assert len(rig.events("gpio.fault")) == 1, "said once"


def test_f11_without_any_pins_the_recorder_does_not_pretend_to_run(tmp_path: Path) -> None:
    """The library is missing: no lamp can say so, the log and the exit code do."""
    unit = Unit(tmp_path / "unit", QUICK, 1)
    unit.prepare()
    on_the_board(unit)
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "run", "--config", str(unit.config_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == ExitCode.DEVICE
    assert "install bodycam[camera]" in done.stderr
    raw = (unit.card / "log" / "events.jsonl").read_bytes().split(b"\n")[:-1]
    [fault] = [line["data"] for line in map(json.loads, raw) if line["ev"] == "gpio.fault"]
    assert (fault["pin"], fault["owner"]) == (None, None)
    assert "RPi.GPIO cannot be used" in fault["reason"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_f12_the_header_s_chip_is_found_whatever_its_number(
    layout: str, chips: Path, tmp_path: Path
) -> None:
    board = Board(tmp_path / "board", LAYOUTS[layout])
    script = (
        "import json, sys; from pathlib import Path\n"
        "from bodycam.boardpins import open_board\n"
        "from bodycam.clock import SystemClock\n"
        "from bodycam.config import Gpio, PinsBackend, default_pins\n"
        "def note(ev, *, at_ns=None, sync=False, **data): print(json.dumps([ev, data]))\n"
        "gpio, work = Gpio(backend=PinsBackend.RPI), Path(sys.argv[1])\n"
        "open_board(gpio, default_pins(), SystemClock(), work, note).close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={
            **os.environ, "LD_PRELOAD": str(chips), "GPIO_BOARD": str(board.folder),
            "PYTHONPATH": str(_STAND_IN),
        },
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    [[ev, data]] = [json.loads(line) for line in done.stdout.splitlines()]
    number = HEADER[layout]
    assert (ev, data["chip"]) == ("gpio.chip", f"gpiochip{number}")
    assert data["label"] == LAYOUTS[layout][number]
    assert (board.folder / "chip").read_text(encoding="ascii") == str(number)

"""The rig's papers say what the pin map says: drawing and table are made from it, and up to date."""

from __future__ import annotations

import importlib.util
import sys
from itertools import combinations, pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import msgspec
import pytest

from bodycam.config import INPUT_PINS, OUTPUT_PINS, default_pins

HARDWARE = Path(__file__).resolve().parent.parent / "hardware"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def wiring() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wiring", HARDWARE / "wiring.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wiring"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_drawing_is_what_the_pin_map_makes(wiring: ModuleType) -> None:
    drawn = (HARDWARE / "wiring.svg").read_text(encoding="utf-8")
    assert drawn == wiring.drawing(default_pins()), "run `python hardware/wiring.py`"


def test_the_readmes_table_is_what_the_pin_map_makes(wiring: ModuleType) -> None:
    readme = (HARDWARE / "README.md").read_text(encoding="utf-8")
    assert readme == wiring.with_table(readme, default_pins()), "run `python hardware/wiring.py`"
    assert "| 11 | 17 | record | in | low | up | yellow | slide switch, or push button |" in readme


def test_the_daemon_reads_the_same_file_as_the_drawing() -> None:
    packaged = HARDWARE.parent / "bodycam" / "pins.toml"
    assert packaged.read_bytes() == (HARDWARE / "pins.toml").read_bytes()


def test_every_pin_the_recorder_knows_is_mapped_and_drawn(wiring: ModuleType) -> None:
    assert {*INPUT_PINS, *OUTPUT_PINS} <= default_pins().keys()
    drawn = [t.text or "" for t in ET.fromstring(_svg()).iter(f"{SVG}text")]
    for name, pin in default_pins().items():
        physical = wiring.PHYSICAL[pin.bcm]
        assert f"{name} · BCM {pin.bcm} · pin {physical} · {pin.wire} wire" in drawn


def test_the_header_is_the_one_on_the_board(wiring: ModuleType) -> None:
    # From the Raspberry Pi documentation, the corners of each group.
    assert [wiring.PHYSICAL[bcm] for bcm in (2, 14, 17, 27, 22, 5, 13, 12, 26, 21)] == [
        3, 8, 11, 13, 15, 29, 33, 32, 37, 40,
    ]  # fmt: skip
    grounds = [i for i, label in enumerate(wiring.HEADER, 1) if label == "GND"]
    assert grounds == [6, 9, 14, 20, 25, 30, 34, 39]
    assert sorted(wiring.PHYSICAL) == list(range(28))


def test_no_two_wires_cross_or_share_a_colour(wiring: ModuleType) -> None:
    wires = {
        line.get("stroke", ""): [
            tuple(float(n) for n in point.split(",")) for point in line.get("points", "").split()
        ]
        for line in ET.fromstring(_svg()).iter(f"{SVG}polyline")
        if line.get("stroke-width") == "4.5"
    }
    assert len(wires) == len(default_pins())
    for first, second in combinations(wires.values(), 2):
        for a in pairwise(first):
            for b in pairwise(second):
                assert not _touch(a, b)


def test_a_pin_that_moves_takes_its_wire_along(wiring: ModuleType) -> None:
    pins = default_pins()
    pins["record"] = msgspec.structs.replace(pins["record"], bcm=4)
    assert "record · BCM 4 · pin 7 · yellow wire" in wiring.drawing(pins)
    assert wiring.pin_table(pins).splitlines()[2].startswith("| 7 | 4 | record |")


def _svg() -> str:
    return (HARDWARE / "wiring.svg").read_text(encoding="utf-8")


def _touch(a: tuple[tuple[float, ...], ...], b: tuple[tuple[float, ...], ...]) -> bool:
    """True if two level or upright segments meet."""
    return all(
        max(min(p[axis] for p in a), min(p[axis] for p in b))
        <= min(max(p[axis] for p in a), max(p[axis] for p in b))
        for axis in (0, 1)
    )

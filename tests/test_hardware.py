"""The rig's papers say what the pin map says, and a technician can read them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import msgspec
import pytest

from bodycam.config import INPUT_PINS, OUTPUT_PINS, Active, Heat, default_pins
from hardware import boards, bom, power, wiring
from hardware.header import HEADER, PHYSICAL, PULLED_UP_AT_RESET, SUPPLY_USE, buses, stripes

from .drawings import Drawing, crosses, meet

HARDWARE = Path(__file__).resolve().parent.parent / "hardware"
# What stands on a wire on purpose: the sleeve's number, a resistor's value.
_ON_A_LINE = re.compile(r"^(P?\d+|[\d.]+ k?Ω( ½ W)?|M|BZ|reed contact|PC817|ribbon)$")


def sheet(name: str) -> Drawing:
    return Drawing((HARDWARE / name).read_text(encoding="utf-8"))


SHEETS = pytest.mark.parametrize("name", ["wiring.svg", "power.svg"])


# -- what is made from the pin map is up to date ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("wiring.svg", lambda: wiring.drawing(default_pins())),
        ("power.svg", power.drawing),
        ("BOM.md", lambda: bom.document(bom.load())),
    ],
)
def test_what_is_made_is_up_to_date(name: str, made: Callable[[], str]) -> None:
    assert (HARDWARE / name).read_text(encoding="utf-8") == made(), (
        "run `python hardware/wiring.py`"
    )


def test_the_readmes_table_is_what_the_pin_map_makes() -> None:
    readme = (HARDWARE / "README.md").read_text(encoding="utf-8")
    assert readme == wiring.with_table(readme, default_pins()), "run `python hardware/wiring.py`"
    assert "| 11 | 17 | record | in | low | up | yellow | slide switch" in readme


def test_the_daemon_reads_the_same_file_as_the_drawing() -> None:
    packaged = HARDWARE.parent / "bodycam" / "pins.toml"
    assert packaged.read_bytes() == (HARDWARE / "pins.toml").read_bytes()


# -- the pin map ------------------------------------------------------------------------------------


def test_the_header_is_the_one_on_the_board() -> None:
    # From the Raspberry Pi documentation, the corners of each group.
    assert [PHYSICAL[bcm] for bcm in (2, 14, 17, 27, 22, 5, 13, 12, 26, 21)] == [
        3, 8, 11, 13, 15, 29, 33, 32, 37, 40,
    ]  # fmt: skip
    grounds = [i for i, label in enumerate(HEADER, 1) if label == "GND"]
    assert grounds == [6, 9, 14, 20, 25, 30, 34, 39]
    assert sorted(PHYSICAL) == list(range(28))
    for physical, words in SUPPLY_USE.items():
        assert words.startswith(str(HEADER[physical - 1]))


def test_every_pin_the_recorder_knows_is_mapped_and_no_bus_is_cut() -> None:
    pins = default_pins()
    assert {*INPUT_PINS, *OUTPUT_PINS} <= pins.keys()
    assert {pin.bcm for pin in pins.values()} & {*buses().values()} == set()


def test_nothing_moves_sounds_or_charges_before_the_recorder_runs() -> None:
    pins = default_pins()
    for name in ("haptic", "buzzer", "charge-off"):
        assert pins[name].bcm not in PULLED_UP_AT_RESET  # low turns each of the transistors off
    assert (pins["charge-off"].active, pins["charge-off"].rest_active) == (Active.LOW, True)


def test_a_lit_lamp_and_a_driven_transistor_are_within_what_a_pi_gives() -> None:
    # Raspberry Pi documentation: 16 mA a pin, 50 mA in all. Supply at its highest, lamps at their lowest.
    drop_v = {"wearer-red": 1.8, "wearer-green": 2.7, "wearer-blue": 2.7, "public-red": 1.8}
    milliamps = {
        name: (3.4 - drop_v[name]) / ohms * 1000 for name, ohms in wiring.LAMP_OHMS.items()
    } | dict.fromkeys(("haptic", "buzzer", "charge-off"), (3.4 - 0.6) / 1000 * 1000)
    assert milliamps.keys() == set(OUTPUT_PINS)
    assert max(milliamps.values()) <= 16
    assert sum(milliamps.values()) <= 50
    # And each transistor is turned on hard: ten times the base current its load needs.
    base_ma = (3.0 - 0.8) / 1000 * 1000 - 0.8 / 10_000 * 1000
    for load_ma in (100, 30, 4.4 / 2200 * 1000):
        assert load_ma / base_ma <= 50  # BC337-40: 250 at least at 100 mA


def test_ce_is_high_when_the_transistor_is_off_and_low_when_it_is_on() -> None:
    # BQ24074: high from 1.4 V. OUT is 3.0 V from an empty cell, 4.4 V from the dock; 10 kΩ on the board.
    for out_v in (3.0, 4.4):
        assert out_v * 10_000 / (10_000 + 2_200) > 1.4 * 1.5


# -- the drawings -----------------------------------------------------------------------------------


def test_every_wire_of_the_header_is_named_at_both_ends() -> None:
    words = Counter(w.text for w in sheet("wiring.svg").words())
    for name, pin in default_pins().items():
        physical = PHYSICAL[pin.bcm]
        assert words[f"{name} · BCM {pin.bcm} · pin {physical} · {pin.wire} wire"] == 1
        assert words[f"{name} ({pin.bcm})"] == 1
        assert words[str(physical)] == 2  # in the header, and on the sleeve at the part


def test_every_wire_of_sheet_2_carries_its_tag_at_both_ends() -> None:
    words = Counter(w.text for w in sheet("power.svg").words())
    tags = Counter(wire.tag for wire in boards.wires())
    assert {tag: words[tag] for tag in tags} == {tag: 2 * count for tag, count in tags.items()}
    assert {tags[tag] for tag in tags if tag.startswith("P")} == {1}
    found = boards.modules()
    for wire in boards.wires():
        header = [terminal for _, terminal in (wire.start, wire.end) if terminal.startswith("pin ")]
        assert header in ([], [f"pin {wire.tag}"]) or wire.tag in ("P5", "P6")
        for module, terminal in (wire.start, wire.end):
            assert terminal in found[module].terminals


def test_sheet_2_uses_the_pins_that_sheet_1_leaves_to_it() -> None:
    pins = {int(w.text.removeprefix("pin ")) for w in sheet("power.svg").words()
            if re.fullmatch(r"pin \d+", w.text)}  # fmt: skip
    used = {PHYSICAL[pin.bcm] for pin in default_pins().values()}
    free = {PHYSICAL[bcm] for bcm in buses().values()} | SUPPLY_USE.keys()
    assert pins & used == set()
    assert pins <= free
    assert pins >= {p for p, words in SUPPLY_USE.items() if "sheet 2" in words}


@SHEETS
def test_no_two_wires_cross(name: str) -> None:
    for (_, first), (_, second) in combinations(sheet(name).wires(), 2):
        for a in pairwise(first):
            for b in pairwise(second):
                assert not meet(a, b), (a, b)


def test_no_two_wires_of_the_header_look_alike_and_none_like_supply() -> None:
    looks = [stripes(pin.wire) for pin in default_pins().values()]
    assert len(set(looks)) == len(looks)
    assert {pin.wire for pin in default_pins().values()} & {"red", "black"} == set()


@SHEETS
def test_the_sheet_prints_on_a4_and_can_be_read(name: str) -> None:
    drawing = sheet(name)
    assert drawing.width / drawing.height == pytest.approx(297 / 210, rel=0.001)
    points = [w.size / drawing.width * 297 / 25.4 * 72 for w in drawing.words()]
    assert min(points) > 7


@SHEETS
def test_no_words_lie_on_others_or_leave_the_page(name: str) -> None:
    drawing = sheet(name)
    for words in drawing.words():
        assert 0 < words.box.left < words.box.right < drawing.width, words
        assert 0 < words.box.top < words.box.bottom < drawing.height, words
    for first, second in combinations(drawing.words(), 2):
        assert not first.box.touches(second.box), (first, second)


@SHEETS
def test_no_line_strikes_words_out(name: str) -> None:
    drawing = sheet(name)
    lines = list(drawing.lines())
    for words in drawing.words():
        if not _ON_A_LINE.match(words.text):
            assert [line for line in lines if crosses(line, words.box)] == [], words


def test_a_pin_that_moves_takes_its_wire_along() -> None:
    pins = default_pins()
    pins["record"] = msgspec.structs.replace(pins["record"], bcm=4)
    assert "record · BCM 4 · pin 7 · yellow wire" in wiring.drawing(pins)
    assert wiring.pin_table(pins).splitlines()[2].startswith("| 7 | 4 | record |")


def test_a_part_whose_wires_would_cross_the_header_is_refused() -> None:
    pins = default_pins()
    pins["wearer-red"] = msgspec.structs.replace(pins["wearer-red"], bcm=8)
    with pytest.raises(SystemExit, match=r"wearer-red, wearer-green, wearer-blue: on both sides"):
        wiring.drawing(pins)


# -- the bill of materials --------------------------------------------------------------------------


def test_every_drawn_part_is_in_the_bill_with_its_count() -> None:
    drawn = wiring.parts_drawn(default_pins()) + power.parts_drawn()
    bill = bom.load()
    for at, build in enumerate(bill.builds):
        # A Pi 5 has a clock of its own; the sheet says so beside it.
        wanted = drawn - Counter({"clock": int(build == "Pi 5")})
        listed = Counter({item.drawn: item.count[at] for item in bill.items if item.drawn})
        assert +listed == wanted, build
        assert len([item for item in bill.items if item.drawn in drawn]) == len(drawn)


def test_each_build_is_complete() -> None:
    bill = bom.load()
    assert bill.builds == ("Zero 2 W", "Pi 4", "Pi 5")
    whats = {item.what for item in bill.items}
    assert len(whats) == len(bill.items)
    for what in ("board", "camera module", "camera cable", "memory card", "battery pack", "fuse",
                 "charger with power path", "cooling", "enclosure", "microphone"):  # fmt: skip
        item = next(item for item in bill.items if item.what == what)
        assert all(count == 1 for count in item.count), what
        assert all(item.part), what


def test_the_bill_says_which_numbers_nobody_looked_up() -> None:
    text = bom.document(bom.load())
    for item in bom.load().items:
        listed = f"| {item.what} | {item.checked} |" in text
        assert listed == bool(item.checked)
        assert bool(item.checked) != (item.what in text.rpartition("Not looked up")[2])


# -- heat -------------------------------------------------------------------------------------------


def test_the_chargers_own_window_is_what_the_papers_say() -> None:
    # BQ24074: 75 µA into the thermistor, charging between 0.3 V and 2.1 V. For 103AT-2 see TI's table.
    window = [
        round(1 / (1 / 298.15 + math.log(volts / 75e-6 / 10_000) / 3950) - 273.15)
        for volts in (2.1, 0.3)
    ]
    assert window == [3, 47]
    for paper in ("SAFETY.md", "BOM.md"):
        text = (HARDWARE / paper).read_text(encoding="utf-8")
        assert "3 to 47 °C" in text
        assert "-1 to 51 °C" in text


def test_the_limits_of_the_papers_are_those_of_the_recorder() -> None:
    limits = Heat()
    text = (HARDWARE / "SAFETY.md").read_text(encoding="utf-8")
    for sentence in (
        f"cell below {limits.charge_from_c} or above {limits.charge_to_c} °C",
        f"cell {limits.cell_shed_c} °C; SoC {limits.soc_shed_c} °C",
        f"cell {limits.cell_close_c} °C; SoC {limits.soc_close_c} °C closes only",
        f"from {limits.cell_cold_c} to {limits.cell_close_c} °C. Below {limits.charge_from_c} °C",
    ):
        assert sentence in text
    steps = (HARDWARE / "ACCEPTANCE.md").read_text(encoding="utf-8")
    assert f"SoC below {limits.soc_close_c} °C, cell below {limits.cell_close_c} °C" in steps

"""Draws the wiring from the pin map: `python hardware/wiring.py` writes both sheets and the tables.

Sheet 1, wiring.svg, is what hangs on the header's pins; sheet 2, power.svg, what feeds the Pi and
what is on its buses. What hangs on which pin comes from pins.toml, how it is connected from `CELLS`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bodycam.config import Pin, default_pins  # noqa: E402  (run as a file, the root is not on the path)
from hardware import bom, power, symbols  # noqa: E402
from hardware.header import HEADER, HERE, PHYSICAL, SUPPLY_USE, buses, stripes  # noqa: E402
from hardware.legend import legend  # noqa: E402
from hardware.pen import BOLD, WIDTH, Pen, page, rect, tag, text  # noqa: E402

TABLE_BEGIN, TABLE_END = "<!-- pin table: made by wiring.py -->", "<!-- end of pin table -->"


@dataclass(frozen=True, slots=True)
class Cell:
    """One part with its wires: how it is drawn, and how much room that takes."""

    pins: tuple[str, ...]
    what: str
    draw: Callable[[list[Pen]], None]
    above: int = 50  # px from the cell's top to its first wire
    below: int = 26
    pitch: int = 0  # px from wire to wire


# Ohms in line with each lamp; test_hardware computes the currents from them.
LAMP_OHMS = {"wearer-red": 330, "wearer-green": 100, "wearer-blue": 100, "public-red": 330}

CELLS = (
    Cell(("record",), "slide switch (or push button)", lambda p: symbols.draw_switch(p[0])),
    Cell(("marker",), "push button, normally open", lambda p: symbols.draw_button(p[0]), above=56),
    Cell(("mute",), "push button, normally open", lambda p: symbols.draw_button(p[0]), above=56),
    Cell(("covert",), "slide switch", lambda p: symbols.draw_switch(p[0])),
    Cell(
        ("holster",),
        "holster sensor: reed contact, or open collector",
        lambda p: symbols.draw_sensor(p[0]),
    ),
    Cell(
        ("vehicle-lights",),
        "opto-coupler PC817, 12 V side isolated",
        lambda p: symbols.draw_opto(p[0]),
        above=58,
        below=90,
    ),
    Cell(
        ("wearer-red", "wearer-green", "wearer-blue"),
        "RGB LED, common cathode",
        lambda p: symbols.draw_rgb(
            p, [str(LAMP_OHMS[f"wearer-{c}"]) for c in ("red", "green", "blue")]
        ),
        above=92,
        pitch=36,
    ),
    Cell(
        ("public-red",),
        "red LED, 5 mm",
        lambda p: symbols.draw_led(p[0], str(LAMP_OHMS["public-red"])),
        above=58,
    ),
    Cell(
        ("haptic",),
        "vibration motor 3 V, at most 100 mA",
        lambda p: symbols.draw_driver(p[0], "1", "vibration motor", "3V3, pin 17"),
        above=112,
        below=56,
    ),
    Cell(
        ("buzzer",),
        "active buzzer 5 V, at most 30 mA",
        lambda p: symbols.draw_driver(p[0], "2", "active buzzer", "5V, pin 2"),
        above=112,
        below=56,
    ),
    Cell(
        ("charge-off",),
        "charger's CE (sheet 2): low or open cuts charging",
        lambda p: symbols.draw_charger(p[0], "3"),
        above=124,
        below=56,
    ),
)
WHAT = {name: cell.what for cell in CELLS for name in cell.pins}

# Where things are on the page, in px.
TOP, ROW = 92, 39
BOX = (558, 942)
CENTRE = WIDTH // 2
LANE = {-1: 448, 1: 1052}


def _row_y(physical: int) -> int:
    return TOP + 28 + (physical - 1) // 2 * ROW


def _wire(points: list[tuple[float, float]], wire: str) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    base, stripe = stripes(wire)
    marks = (
        f'<polyline points="{path}" fill="none" stroke="#444" stroke-width="7"/>'
        f'<polyline class="wire" points="{path}" fill="none" stroke="{base}" stroke-width="5"/>'
    )
    if stripe:
        marks += (
            f'<polyline points="{path}" fill="none" stroke="{stripe}" stroke-width="5" '
            'stroke-dasharray="7 7"/>'
        )
    return marks


@dataclass(frozen=True, slots=True)
class _End:
    """Where a wire leaves the header, and where its part begins."""

    physical: int
    name: str
    y: float


def _cells_of(pins: Mapping[str, Pin], out: int) -> list[Cell]:
    """The cells of one side of the header, by their first pin. All wires of a part are on one side."""
    mine = []
    for cell in CELLS:
        sides = {PHYSICAL[pins[name].bcm] % 2 == (out < 0) for name in cell.pins}
        if len(sides) > 1:
            raise SystemExit(
                f"pins.toml: {', '.join(cell.pins)}: on both sides of the header; "
                "put the wires of one part on one side"
            )
        if sides == {True}:
            mine.append(cell)
    return sorted(mine, key=lambda cell: min(PHYSICAL[pins[name].bcm] for name in cell.pins))


def _side(pins: Mapping[str, Pin], out: int, parts: Counter[str]) -> list[str]:
    """Wires and parts of one side, from top to bottom, without a crossing."""
    cells = _cells_of(pins, out)
    heights = [cell.above + cell.pitch * (len(cell.pins) - 1) + cell.below for cell in cells]
    bottom = _row_y(39) + 34
    gap = (bottom - TOP - sum(heights)) / max(1, len(cells) - 1)
    if gap < 0:
        raise SystemExit("too many parts on one side of the header; move one to the other side")
    ends: list[_End] = []
    marks: list[str] = []
    top = float(TOP)
    for cell, height in zip(cells, heights, strict=True):
        names = sorted(cell.pins, key=lambda name: PHYSICAL[pins[name].bcm])
        mine = [
            _End(PHYSICAL[pins[name].bcm], name, top + cell.above + cell.pitch * i)
            for i, name in enumerate(names)
        ]
        ends += mine
        marks += _part(cell, mine, pins, out, top, parts)
        top += height + gap
    # Wires that rise turn off the nearer to the header the higher they are, those that fall the
    # lower they are: then none crosses another.
    rising = [end for end in ends if end.y < _row_y(end.physical)]
    falling = [end for end in reversed(ends) if end.y >= _row_y(end.physical)]
    track = {end: i for group in (rising, falling) for i, end in enumerate(group, 1)}
    edge = BOX[0] if out < 0 else BOX[1]
    step = min(16, (abs(LANE[out] - edge) - 14) / max(len(rising), len(falling), 1))
    for end in ends:
        turn = edge + out * step * track[end]
        row = float(_row_y(end.physical))
        path = [(CENTRE + out * 32.0, row), (turn, row), (turn, end.y), (float(LANE[out]), end.y)]
        marks.append(_wire(path, pins[end.name].wire))
        marks.append(tag(LANE[out] + out * 16, end.y, str(end.physical)))
    return marks


def _part(
    cell: Cell, ends: list[_End], pins: Mapping[str, Pin], out: int, top: float, parts: Counter[str]
) -> list[str]:
    marks = []
    anchor = "end" if out < 0 else "start"
    for i, end in enumerate(ends):
        pin = pins[end.name]
        title = f"{end.name} · BCM {pin.bcm} · pin {end.physical} · {pin.wire} wire"
        marks.append(text(LANE[out], top + 14 + 17 * i, title, anchor=anchor, style=BOLD))
    marks.append(text(LANE[out], top + 14 + 17 * len(ends), cell.what, anchor=anchor))
    by_name = {end.name: Pen(LANE[out], end.y, out) for end in ends}
    cell.draw([by_name[name] for name in cell.pins])
    for pen in by_name.values():
        marks += pen.marks
        parts.update(pen.parts)
    return marks


def _header(pins: Mapping[str, Pin]) -> list[str]:
    used = {pin.bcm: name for name, pin in pins.items()}
    reserved = {bcm: name for name, bcm in buses().items()}
    height = 20 * ROW + 18
    marks = [
        rect(BOX[0], TOP, BOX[1] - BOX[0], height, fill="#f3f6f3", stroke="#5c7a5c", round_=10)
    ]
    for physical in range(1, 41):
        marks += _header_pin(physical, used, reserved)
    marks.append(rect(CENTRE - 35, _row_y(1) - 16, 32, 32, fill="none", line=2.4))
    return marks


def _header_pin(physical: int, used: Mapping[int, str], reserved: Mapping[int, str]) -> list[str]:
    label = HEADER[physical - 1]
    out = -1 if physical % 2 else 1
    x, y = CENTRE + out * 19, _row_y(physical)
    if isinstance(label, str):
        words = SUPPLY_USE.get(physical, label)
        fill, number = ("#222", "#fff") if label == "GND" else ("#fff", "#222")
    elif label in used:
        fill, words, number = "#d9e4d9", f"{used[label]} ({label})", "#222"
    else:
        fill, words, number = "#eee", f"{reserved.get(label, 'free')} ({label})", "#777"
    style = f' fill="{number}"{BOLD}'
    # The label stands above its wire's height, so that the wire does not strike it out.
    lift = -6 if label in used else 5
    ink = ' fill="#777"' if number == "#777" else ""
    return [
        f'<circle cx="{x}" cy="{y}" r="13" fill="{fill}" stroke="#222" stroke-width="1.2"/>',
        text(x, y + 5, str(physical), anchor="middle", style=style),
        text(x + out * 20, y + lift, words, anchor="end" if out < 0 else "start", style=ink),
    ]


_NOTES = (
    "Power off. A GPIO takes 3.3 V: never lead 5 V or 12 V to one.",
    "A wire carries its header pin's number on a sleeve at both ends. Red is supply, black is ground.",
    "All ground symbols are one rail; join it with pins 9 and 39. Pin 17 gets two wires: motor, microphone.",
    "Pin 1: inner row, at the card's end (Zero 2 W) or the end away from the USB sockets (Pi 4, Pi 5).",
    "Slide switch: middle contact to the resistor, one end contact to ground: on is towards that end.",
    "Push button with four legs: take two that lie diagonally.",
    "T1 to T3 BC337-40, D1 and D2 1N5819: the bar of the diode is at + of motor and buzzer.",
    "Pins marked with a bus are for sheet 2. Overlay googlevoicehat would take pin 36: do not load it.",
)


def drawing(pins: Mapping[str, Pin]) -> str:
    """Sheet 1 as SVG."""
    return _sheet(pins, Counter())


def parts_drawn(pins: Mapping[str, Pin]) -> Counter[str]:
    """What sheet 1 shows, counted in the words of bom.toml's `drawn`."""
    parts: Counter[str] = Counter()
    _sheet(pins, parts)
    return parts


def _sheet(pins: Mapping[str, Pin], parts: Counter[str]) -> str:
    hint = "seen from above, pin 1 at the top left; BCM number in brackets"
    marks = [
        text(CENTRE, TOP - 10, hint, anchor="middle"),
        *_header(pins),
        *_side(pins, -1, parts),
        *_side(pins, 1, parts),
    ]
    y = _row_y(39) + 62
    marks += [text(40, y + 18 * i, f"{i + 1}. {note}") for i, note in enumerate(_NOTES)]
    marks += legend(800, y)
    origin = "made from hardware/pins.toml by hardware/wiring.py; sheet 2 is power.svg"
    return page("sheet 1 of 2: the 40-pin header", origin, marks)


def pin_table(pins: Mapping[str, Pin]) -> str:
    """The pin map as a Markdown table, in the order of the header."""
    rows = [
        "| pin | BCM | name | direction | active | pull | wire | connected to |",
        "|----:|----:|------|-----------|--------|------|------|--------------|",
    ]
    for name, pin in sorted(pins.items(), key=lambda item: PHYSICAL[item[1].bcm]):
        pull = pin.pull.value if pin.direction == "in" else "-"
        rows.append(
            f"| {PHYSICAL[pin.bcm]} | {pin.bcm} | {name} | {pin.direction} | {pin.active.value} "
            f"| {pull} | {pin.wire} | {WHAT[name]} |"
        )
    return "\n".join(rows)


def with_table(readme: str, pins: Mapping[str, Pin]) -> str:
    """The README with its pin table made anew."""
    before, begin, rest = readme.partition(TABLE_BEGIN)
    _, end, after = rest.partition(TABLE_END)
    return f"{before}{begin}\n{pin_table(pins)}\n{end}{after}"


def main() -> None:
    pins = default_pins()
    (HERE / "wiring.svg").write_text(drawing(pins), encoding="utf-8")
    (HERE / "power.svg").write_text(power.drawing(), encoding="utf-8")
    readme = HERE / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8"), pins), encoding="utf-8")
    (HERE / "BOM.md").write_text(bom.document(bom.load()), encoding="utf-8")


if __name__ == "__main__":
    main()

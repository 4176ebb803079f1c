"""Draws the wiring from the pin map: `python hardware/wiring.py` writes wiring.svg and the table.

What hangs on which pin comes from pins.toml, how it is connected from `PARTS`; a test compares the
drawing and the README's table with what this program makes of the pin map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from bodycam.config import Pin, default_pins

HERE = Path(__file__).resolve().parent
TABLE_BEGIN, TABLE_END = "<!-- pin table: made by wiring.py -->", "<!-- end of pin table -->"

# Physical pins 1 to 40 of every Pi with the long header; a number is a BCM channel.
HEADER: tuple[int | str, ...] = (
    "3V3", "5V", 2, "5V", 3, "GND", 4, 14, "GND", 15, 17, 18, 27, "GND", 22, 23, "3V3", 24, 10, "GND",
    9, 25, 11, 8, "GND", 7, 0, 1, 5, "GND", 6, 12, 13, "GND", 19, 16, 26, 20, "GND", 21,
)  # fmt: skip
PHYSICAL = {bcm: i for i, bcm in enumerate(HEADER, 1) if isinstance(bcm, int)}
RESERVED = {
    2: "I2C", 3: "I2C", 14: "console", 15: "console",
    18: "I2S", 19: "I2S", 20: "I2S", 21: "I2S",
}  # fmt: skip

COLOURS = {
    "yellow": "#f2c500", "orange": "#f07f13", "violet": "#8e44ad", "grey": "#9aa0a6",
    "white": "#ffffff", "brown": "#7b4a21", "red": "#d7261e", "green": "#1e9e4a", "blue": "#1f66d1",
    "pink": "#f48fb1", "turquoise": "#17b8b0", "black": "#222222", "beige": "#e8d8b0",
}  # fmt: skip
SUPPLY = {"3V3": "#e67e22", "5V": "#c0392b", "GND": "#222222"}


@dataclass(frozen=True, slots=True)
class Part:
    """How a pin is connected: the symbol, what it is, and the values that go with it."""

    symbol: str
    what: str
    value: str = ""
    supply: str = ""


PARTS: dict[str, Part] = {
    "record": Part("switch", "slide switch, or push button"),
    "marker": Part("button", "push button"),
    "mute": Part("button", "push button"),
    "covert": Part("switch", "slide switch"),
    "holster": Part("sensor", "holster sensor, open collector"),
    "vehicle-lights": Part("opto", "opto-coupler PC817, 12 V side isolated"),
    "wearer-red": Part("led", "RGB LED, common cathode: R", "330"),
    "wearer-green": Part("led", "RGB LED: G", "100"),
    "wearer-blue": Part("led", "RGB LED: B", "100"),
    "public-red": Part("led", "red LED, 5 mm", "330"),
    "haptic": Part("driver", "vibration motor 3 V, at most 100 mA", "M", "+3V3 (pin 17)"),
    "buzzer": Part("driver", "active buzzer 5 V, at most 30 mA", "BZ", "+5V (pin 2)"),
    "charge-off": Part("charger", "charger's CE, by a transistor: low or open cuts charging"),
}

# Sizes in px: the picture, the header, and the height of a cell with its wire's place in it.
WIDTH, TOP, ROW = 1500, 118, 36
BOX = (605, 895)
CENTRE = WIDTH // 2
LANE = {-1: 455, 1: 1045}
CELL = {
    "switch": (84, 54),
    "button": (84, 54),
    "sensor": (84, 54),
    "led": (84, 54),
    "opto": (150, 56),
    "driver": (176, 116),
    "charger": (150, 90),
}


class Pen:
    """Draws one part along its wire; `out` is the direction away from the header."""

    def __init__(self, x: float, y: float, out: int) -> None:
        self.x, self.y, self.out = x, y, out
        self.marks: list[str] = []

    def at(self, along: float, down: float = 0) -> tuple[float, float]:
        return self.x + self.out * along, self.y + down

    def line(self, *points: tuple[float, float], width: float = 1.8) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))
        self.marks.append(
            f'<polyline points="{path}" fill="none" stroke="#222" stroke-width="{width:g}"/>'
        )

    def shape(self, *points: tuple[float, float], fill: str = "#222") -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))
        self.marks.append(f'<polygon points="{path}" fill="{fill}" stroke="#222"/>')

    def dot(self, along: float, down: float = 0, radius: float = 3, fill: str = "#222") -> None:
        x, y = self.at(along, down)
        self.marks.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="#222" '
            'stroke-width="1.8"/>'
        )

    def text(
        self, along: float, down: float, words: str, size: int = 13, anchor: str = "middle"
    ) -> None:
        # "near" and "far" are ends of the text as seen from the header.
        ends = {
            "near": "start" if self.out > 0 else "end",
            "far": "end" if self.out > 0 else "start",
        }
        x, y = self.at(along, down)
        self.marks.append(_text(x, y, words, size=size, anchor=ends.get(anchor, anchor)))

    def box(
        self, begin: float, end: float, words: str, *, down: float = 0, half: float = 11
    ) -> None:
        x = min(self.at(begin)[0], self.at(end)[0])
        self.marks.append(
            f'<rect x="{x:g}" y="{self.y + down - half:g}" width="{end - begin:g}" '
            f'height="{2 * half:g}" fill="#fff" stroke="#222" stroke-width="1.8"/>'
        )
        self.text((begin + end) / 2, down + 5, words)

    def ground(self, along: float, down: float = 0) -> None:
        self.line((along, down), (along, down + 12))
        for i, half in enumerate((11, 7, 3)):
            self.line((along - half, down + 12 + 4 * i), (along + half, down + 12 + 4 * i))

    def diode(self, begin: float, down: float, fill: str) -> None:
        """A diode of 22 px that conducts away from the header."""
        self.shape((begin, down - 10), (begin, down + 10), (begin + 20, down), fill=fill)
        self.line((begin + 21, down - 11), (begin + 21, down + 11), width=2.6)


def _text(
    x: float, y: float, words: str, *, size: int = 13, anchor: str = "middle", style: str = ""
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{style}>'
        f"{escape(words)}</text>"
    )


def _protected(pen: Pen) -> None:
    pen.line((0, 0), (30, 0))
    pen.box(30, 96, "1 kΩ")
    pen.line((96, 0), (140, 0))


def draw_switch(pen: Pen, _: Part) -> None:
    _protected(pen)
    pen.dot(140, fill="#fff")
    pen.dot(196, fill="#fff")
    pen.line((143, -2), (194, -22))
    pen.line((199, 0), (250, 0))
    pen.ground(250)


def draw_button(pen: Pen, _: Part) -> None:
    _protected(pen)
    pen.dot(140, fill="#fff")
    pen.dot(196, fill="#fff")
    pen.line((136, -12), (200, -12))
    pen.line((168, -12), (168, -24))
    pen.line((158, -24), (178, -24))
    pen.line((199, 0), (250, 0))
    pen.ground(250)


def draw_sensor(pen: Pen, _: Part) -> None:
    _protected(pen)
    pen.box(140, 230, "sensor", half=15)
    pen.line((230, 0), (270, 0))
    pen.text(134, -6, "OUT", 10, "far")
    pen.text(236, -6, "0 V", 10, "near")
    pen.ground(270)


def draw_led(pen: Pen, part: Part) -> None:
    colour = part.what.rsplit(": ", maxsplit=1)[-1]
    pen.line((0, 0), (30, 0))
    pen.box(30, 96, f"{part.value} Ω")
    pen.line((96, 0), (150, 0))
    pen.diode(150, 0, {"G": COLOURS["green"], "B": COLOURS["blue"]}.get(colour, COLOURS["red"]))
    for shift in (0, 10):
        pen.line((162 + shift, -14), (170 + shift, -24), width=1.4)
        pen.shape((173 + shift, -28), (171 + shift, -21), (166 + shift, -25))
    pen.line((171, 0), (250, 0))
    pen.ground(250)


def draw_opto(pen: Pen, _: Part) -> None:
    pen.line((0, 0), (120, 0))
    pen.box(120, 210, "PC817", down=26, half=44)
    for along, down, number in ((128, 4, "4"), (128, 58, "3"), (202, 4, "1"), (202, 58, "2")):
        pen.text(along, down, number, 11)
    pen.line((120, 54), (90, 54))
    pen.ground(90, 54)
    pen.line((210, 0), (240, 0))
    pen.box(240, 322, "1 kΩ ½ W")
    pen.line((322, 0), (346, 0))
    pen.dot(349, fill="#fff")
    pen.text(349, -16, "+12 V lights", 12)
    pen.line((210, 54), (346, 54))
    pen.dot(349, 54, fill="#fff")
    pen.text(349, 76, "vehicle 0 V, not GND", 12, "far")
    # A reversed battery or a spike must not reach the coupler's diode.
    pen.line((226, 54), (226, 38))
    pen.shape((216, 38), (236, 38), (226, 20), fill="#fff")
    pen.line((215, 19), (237, 19), width=2.6)
    pen.line((226, 19), (226, 0))
    pen.text(244, 33, "1N4148", 11, "near")


def _transistor(pen: Pen) -> None:
    pen.line((0, 0), (14, 0))
    pen.box(14, 74, "1 kΩ")
    pen.line((74, 0), (150, 0))
    pen.dot(100)
    pen.line((100, 0), (100, 14))
    pen.box(71, 129, "10 kΩ", down=25)
    pen.ground(100, 36)
    # The transistor: base bar, collector up, emitter down with its arrow.
    pen.dot(160, radius=24, fill="none")
    pen.line((150, -14), (150, 14), width=3)
    pen.line((150, -6), (170, -18), (170, -40))
    pen.line((150, 6), (170, 18), (170, 30))
    pen.shape((171, 19), (160, 17), (165, 9))
    pen.text(190, 22, "BC337", 12, "near")
    pen.ground(170, 30)


def draw_driver(pen: Pen, part: Part) -> None:
    _transistor(pen)
    pen.line((170, -40), (226, -40))
    pen.box(226, 280, part.value, down=-40, half=16)
    pen.line((280, -40), (320, -40))
    pen.dot(323, -40, fill="#fff")
    pen.text(323, -16, part.supply, 12)
    pen.line((200, -40), (200, -74), (242, -74))
    pen.diode(242, -74, "#fff")
    pen.line((263, -74), (304, -74), (304, -40))
    pen.dot(200, -40)
    pen.dot(304, -40)
    pen.text(318, -76, "1N5819", 12, "near")


def draw_charger(pen: Pen, _: Part) -> None:
    _transistor(pen)
    # Without the transistor CE is high, and charging is cut: a dead Pi never charges a cell.
    pen.line((170, -40), (250, -40))
    pen.dot(205, -40)
    pen.line((205, -40), (205, -22))
    pen.box(176, 234, "47 kΩ", down=-11)
    pen.line((205, 0), (205, 8), (250, 8))
    pen.box(250, 340, "charger", down=-16, half=36)
    pen.text(256, -34, "CE", 11, "near")
    pen.text(256, 14, "OUT", 11, "near")


DRAW: dict[str, Callable[[Pen, Part], None]] = {
    "switch": draw_switch,
    "button": draw_button,
    "sensor": draw_sensor,
    "led": draw_led,
    "opto": draw_opto,
    "driver": draw_driver,
    "charger": draw_charger,
}


def _wire(points: list[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="#444" stroke-width="6.5"/>'
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="4.5"/>'
    )


def _row_y(physical: int) -> int:
    return TOP + 30 + (physical - 1) // 2 * ROW


def _side(pins: Mapping[str, Pin], out: int) -> list[str]:
    """Wires and parts of one side, from top to bottom, without a crossing."""
    mine = sorted(
        (PHYSICAL[pin.bcm], name)
        for name, pin in pins.items()
        if PHYSICAL[pin.bcm] % 2 == (out < 0)
    )
    heights = [CELL[PARTS[name].symbol][0] for _, name in mine]
    bottom = _row_y(39) + 30
    gap = (bottom - TOP - sum(heights)) / max(1, len(mine) - 1)
    ends = []
    cell_top = float(TOP - 14)
    for (physical, name), height in zip(mine, heights, strict=True):
        ends.append((physical, name, cell_top, cell_top + CELL[PARTS[name].symbol][1]))
        cell_top += height + gap
    # Wires that rise turn off the nearer to the header the higher they are, those that fall the
    # lower they are: then none crosses another.
    rising = [end for end in ends if end[3] < _row_y(end[0])]
    falling = [end for end in reversed(ends) if end[3] >= _row_y(end[0])]
    track = {end: i for group in (rising, falling) for i, end in enumerate(group, 1)}
    edge = BOX[0] if out < 0 else BOX[1]
    marks = []
    for end in ends:
        physical, name, cell_top, y = end
        pin, part = pins[name], PARTS[name]
        turn = edge + out * 20 * track[end]
        pin_x = CENTRE + out * 32
        path = [(pin_x, _row_y(physical)), (turn, _row_y(physical)), (turn, y), (LANE[out], y)]
        marks.append(_wire([(float(x), float(at)) for x, at in path], COLOURS[pin.wire]))
        pen = Pen(LANE[out], y, out)
        title = f"{name} · BCM {pin.bcm} · pin {physical} · {pin.wire} wire"
        anchor = "end" if out < 0 else "start"
        bold = ' font-weight="bold"'
        marks.append(_text(LANE[out], cell_top + 2, title, anchor=anchor, style=bold))
        marks.append(_text(LANE[out], cell_top + 18, part.what, size=12, anchor=anchor))
        DRAW[part.symbol](pen, part)
        marks += pen.marks
    return marks


def _header(used: Mapping[int, str]) -> list[str]:
    height = 20 * ROW + 24
    board = (
        f'<rect x="{BOX[0]}" y="{TOP}" width="{BOX[1] - BOX[0]}" height="{height}" rx="10" '
        'fill="#e9efe9" stroke="#5c7a5c" stroke-width="2"/>'
    )
    return [board] + [mark for i in range(1, 41) for mark in _header_pin(i, used)]


def _header_pin(physical: int, used: Mapping[int, str]) -> list[str]:
    label = HEADER[physical - 1]
    out = -1 if physical % 2 else 1
    x, y = CENTRE + out * 19, _row_y(physical)
    if isinstance(label, str):
        fill, words, ink = SUPPLY[label], label, "#222"
    elif label in used:
        fill, words, ink = "#5c7a5c", f"GPIO{label}", "#222"
    else:
        note = f" {RESERVED[label]}" if label in RESERVED else ""
        fill, words, ink = "#c9d2c9", f"GPIO{label}{note}", "#8a948a"
    number = "#fff" if fill != "#c9d2c9" else "#667066"
    # The label stands above its wire's height, so that the wire does not strike it out.
    lift = -5 if label in used else 5
    return [
        f'<circle cx="{x}" cy="{y}" r="13" fill="{fill}"/>',
        _text(x, y + 4, str(physical), size=12, style=f' fill="{number}" font-weight="bold"'),
        _text(
            x + out * 20,
            y + lift,
            words,
            size=12,
            anchor="end" if out < 0 else "start",
            style=f' fill="{ink}"',
        ),
    ]


_NOTES = (
    "Power the Pi off before wiring. A GPIO takes 3.3 V: never lead 5 V or 12 V to one.",
    "Join all ground symbols on one rail, and the rail with pins 9 and 39.",
    "Pin 1 is at the end of the board that has the card. Diode: the bar is the stripe.",
    "LED: the longer leg goes to the resistor. RGB LED: the longest leg is the common one, to ground.",
    "BC337: flat side towards you, from left to right collector, base, emitter. PC817: the dot is at 1.",
    "Grey pins stay free: I2C is for clock and fuel gauge, I2S for the microphone.",
)


def drawing(pins: Mapping[str, Pin]) -> str:
    """The wiring as SVG."""
    height = _row_y(39) + 30 + 60 + 24 * len(_NOTES)
    used = {pin.bcm: name for name, pin in pins.items()}
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="DejaVu Sans, Arial, sans-serif">'
    )
    marks = [
        svg,
        "<title>bodycam wiring</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(CENTRE, 40, "bodycam: wiring of the 40-pin header", size=22),
        _text(CENTRE, 66, "made from hardware/pins.toml by hardware/wiring.py", size=13),
        _text(CENTRE, TOP - 12, "seen from above, pin 1 at the top left", size=12),
        *_header(used),
        *_side(pins, -1),
        *_side(pins, 1),
    ]
    y = _row_y(39) + 30 + 50
    marks += [
        _text(60, y + 24 * i, f"{i + 1}. {note}", anchor="start") for i, note in enumerate(_NOTES)
    ]
    return "\n".join([*marks, "</svg>", ""])


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
            f"| {pull} | {pin.wire} | {PARTS[name].what} |"
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
    readme = HERE / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8"), pins), encoding="utf-8")


if __name__ == "__main__":
    main()

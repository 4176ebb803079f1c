"""Sheet 2: what feeds the Pi, and what is on its buses; written by `python hardware/wiring.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .boards import SIDES, Module, Wire, modules, wires
from .pen import BOLD, INK, Pen, page, rect, tag, text

_NOTES = (
    (
        "1.",
        "Wire in this order: header and buses, step-up, charger; the pack last, F1 at the pack.",
    ),
    ("2.", "P1 to P8: 0.5 mm² (AWG 20) for Zero 2 W, 1 mm² (AWG 17) for Pi 4 and Pi 5."),
    ("", "F1: 3 A slow for Zero 2 W, 6.3 A slow for Pi 4 and Pi 5. Red is +, black is −."),
    ("3.", "Tap CELL+ and CELL− close to the charger: thin wires, no current flows in them."),
    (
        "4.",
        "Adafruit 4755: cut its jumper THERM, or the NTC is ignored. Set the rate jumper to what",
    ),
    ("", "the pack's sheet allows. Its CE has 10 kΩ to GND; against that the 2.2 kΩ wins."),
    ("5.", "Pi 4, Pi 5: a board with BQ25895. LIPO is BAT, OUT is SYS, THERM is TS with 5.23 kΩ"),
    ("", "to REGN and 30.1 kΩ to GND. Wire pins 2 and 4 in parallel, and 6 and 14 too."),
    ("6.", "T4's collector to pin 5; on a Pi 5 to J2, the pad of the power button."),
    ("7.", "Pi 5 has its own clock: RTC battery at J5, dtoverlay=bodycam,noclock."),
    ("8.", "Qwiic cable: red 3V3, black GND, blue SDA, yellow SCL; the boards in any order."),
    ("9.", "Ribbon: contacts away from the flap at both ends. Never crease it."),
    ("10.", "S1 is inside the case: off for storage and transport."),
    ("11.", "Nothing goes into the Pi's own supply socket while pins 4 and 6 feed it."),
)
_KIND = {"+": ("#d7261e", 4.5), "−": ("#222", 4.5), "signal": ("#1f66d1", 2.6)}


def _module(module: Module) -> list[str]:
    x, y, width, height = module.box
    marks = [rect(x, y, width, height, fill="#fafafa", line=2, round_=8)]
    above = [offset for side, offset in module.terminals.values() if side == "top"]
    base = y + (48 if above else 24)
    for i, line in enumerate(module.title):
        style = BOLD if i == 0 else ""
        marks.append(text(x + width / 2, base + 17 * i, line, anchor="middle", style=style))
    for name, (side, _) in module.terminals.items():
        px, py = module.at(name)
        words = name.rstrip("' ")
        marks.append(f'<circle cx="{px}" cy="{py}" r="4" fill="#fff" stroke="{INK}"/>')
        where = {
            "left": (px + 10, py + 5, "start"),
            "right": (px - 10, py + 5, "end"),
            "top": (px, py + 19, "middle"),
            "bottom": (px, py - 10, "middle"),
        }[side]
        marks.append(text(where[0], where[1], words, anchor=where[2]))
    return marks


def _wire(wire: Wire, found: dict[str, Module]) -> list[str]:
    first, last = found[wire.start[0]], found[wire.end[0]]
    points = [first.at(wire.start[1]), *wire.via, last.at(wire.end[1])]
    colour, width = _KIND[wire.kind]
    if wire.kind == "signal":
        colour = {"5": "#f2c500"}.get(wire.tag, colour)
    marks = [
        _line(points, width=width + 1.6),
        _line(points, stroke=colour, width=width, extra=' class="wire"'),
    ]
    for module, terminal in ((first, wire.start[1]), (last, wire.end[1])):
        dx, dy = SIDES[module.terminals[terminal][0]]
        x, y = module.at(terminal)
        marks.append(tag(x + 26 * dx, y + 24 * dy, wire.tag))
    return marks


def _line(
    points: Iterable[tuple[float, float]], *, stroke: str = INK, width: float = 1.8, extra: str = ""
) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{extra}/>'
    )


_DASHES = ' stroke-dasharray="7 4"'


def _extras() -> list[str]:
    """What is no wire from terminal to terminal: fuse, taps, switch, the way to sheet 1, the ribbon."""
    earth = [
        _line([(640 - half, 974 + 4 * i), (640 + half, 974 + 4 * i)])
        for i, half in enumerate((11, 7, 3))
    ]
    dots = [
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}" stroke="{INK}" stroke-width="1.8"/>'
        for x, y, r, fill in (
            (530, 452, 3, INK), (450, 374, 3, INK), (530, 374, 3, INK),
            (712, 214, 4, "#fff"), (768, 214, 4, "#fff"),
        )
    ]  # fmt: skip
    return [
        rect(438, 394, 24, 40),
        _line([(450, 394), (450, 434)]),
        text(468, 419, "F1"),
        # The NTC's other lead joins the minus of the pack.
        _line([(590, 500), (590, 452), (530, 452)]),
        # Taps of the gauge: at the charger's end of P7 and P8.
        _line([(450, 374), (392, 374), (392, 630), (450, 630), (450, 660)], extra=_DASHES),
        text(386, 560, "CELL+", anchor="end"),
        _line([(530, 374), (546, 374)], extra=_DASHES),
        text(550, 379, "CELL−"),
        _line([(530, 660), (530, 630)], extra=_DASHES),
        text(538, 634, "CELL−, from P8"),
        # To sheet 1.
        _line([(460, 130), (460, 100)]),
        text(460, 92, "sheet 1: T3 collector", anchor="middle"),
        _line([(590, 130), (590, 100)]),
        text(640, 92, "sheet 1: 2.2 kΩ", anchor="middle"),
        # The main switch in P3.
        rect(712, 204, 56, 20, stroke="none"),
        _line([(715, 211), (766, 194)]),
        text(740, 186, "S1", anchor="middle"),
        # SEL to ground: the left channel.
        _line([(600, 944), (640, 944), (640, 974)]),
        *earth,
        text(656, 960, "GND: left"),
        *dots,
        _line([(964, 924), (1236, 924)], width=17),
        _line([(964, 924), (1236, 924)], stroke="#eee", width=14),
        text(1100, 929, "ribbon", anchor="middle"),
        text(1100, 962, "Zero 2 W, Pi 5: 22 to 15-way", anchor="middle"),
        text(1100, 980, "Pi 4: 15 to 15-way", anchor="middle"),
    ]


def _wake() -> Pen:
    """A short low on SCL when the dock's 5 V arrives: a Pi that switched itself off starts again."""
    pen = Pen(40, 420)
    pen.marks.append(text(40, 352, "Wake at the dock (note 6)", style=BOLD))
    pen.words(-14, 5, "from P1", anchor="near")
    pen.line((44, 0), (84, 0))
    pen.dot(44)
    pen.line((44, 0), (44, 30))
    pen.box(18, 70, "10 kΩ", down=41)
    pen.ground(44, 52)
    pen.line((84, -12), (84, 12), width=3)
    pen.line((92, -12), (92, 12), width=3)
    pen.words(80, -18, "+", anchor="far")
    pen.words(88, -24, "C1 10 µF", anchor="near")
    pen.line((92, 0), (104, 0))
    pen.box(104, 156, "10 kΩ")
    pen.line((156, 0), (226, 0))
    pen.dot(172)
    pen.line((172, 0), (172, 30))
    pen.box(144, 204, "100 kΩ", down=41)
    pen.ground(172, 52)
    pen.transistor(226, "T4")
    pen.line((246, -36), (246, -44))
    pen.words(250, -50, "pin 5 (Pi 5: J2)", anchor="middle")
    pen.parts.update(["capacitor 10 µF", "resistor 100 kΩ", "resistor 10 kΩ", "resistor 10 kΩ"])
    return pen


def drawing() -> str:
    """Sheet 2 as SVG."""
    found = modules()
    marks: list[str] = []
    for module in found.values():
        marks += _module(module)
    for wire in wires():
        marks += _wire(wire, found)
    marks += _extras()
    for i, (number, note) in enumerate(_NOTES):
        if number:
            marks.append(text(740, 350 + 19 * i, number))
        marks.append(text(770, 350 + 19 * i, note))
    marks += _wake().marks
    origin = "made by hardware/wiring.py; sheet 1 is wiring.svg"
    return page("sheet 2 of 2: power, buses, camera", origin, marks)


def parts_drawn() -> Counter[str]:
    """What sheet 2 shows, in the words of bom.toml's `drawn`."""
    boards = Counter(module.part for module in modules().values() if module.part)
    return boards + Counter(["fuse", "main switch"]) + _wake().parts

"""What hangs on a pin, drawn: switch, button, sensor, lamp, opto-coupler, motor, charger.

Each drawer is given a pen at the end of the wire, or one pen for each wire of the part.
"""

from __future__ import annotations

from .header import COLOURS
from .pen import Pen


def _protected(pen: Pen) -> None:
    pen.line((0, 0), (40, 0))
    pen.resistor(40, 100, "1 kΩ")
    pen.line((100, 0), (152, 0))


def draw_switch(pen: Pen) -> None:
    _protected(pen)
    pen.dot(155, fill="#fff")
    pen.dot(211, fill="#fff")
    pen.line((158, -2), (209, -20))
    pen.line((214, 0), (300, 0))
    pen.words(155, 20, "2: middle")
    pen.words(225, 20, "1: end", anchor="near")
    pen.ground(300)
    pen.parts["slide switch"] += 1


def draw_button(pen: Pen) -> None:
    _protected(pen)
    pen.dot(155, fill="#fff")
    pen.dot(211, fill="#fff")
    pen.line((151, -11), (215, -11))
    pen.line((183, -11), (183, -20))
    pen.line((174, -20), (192, -20))
    pen.line((214, 0), (300, 0))
    pen.words(183, 20, "closes when pressed")
    pen.ground(300)
    pen.parts["push button"] += 1


def draw_sensor(pen: Pen) -> None:
    _protected(pen)
    pen.box(152, 268, "reed contact", half=15)
    pen.line((268, 0), (320, 0))
    pen.ground(320)
    pen.parts["holster sensor"] += 1


def _lamp(pen: Pen, ohms: str, colour: str, anode: str) -> None:
    pen.line((0, 0), (40, 0))
    pen.resistor(40, 106, f"{ohms} Ω")
    pen.line((106, 0), (170, 0))
    pen.words(164, -7, anode, anchor="far")
    pen.diode(170, 0, COLOURS[colour])
    for shift in (0, 10):
        pen.line((182 + shift, -13), (190 + shift, -22), width=1.4)
        pen.shape((193 + shift, -26), (191 + shift, -19), (186 + shift, -23))


def draw_led(pen: Pen, ohms: str) -> None:
    _lamp(pen, ohms, "red", "A")
    pen.words(212, -8, "K", anchor="near")
    pen.line((191, 0), (300, 0))
    pen.ground(300)
    pen.parts["red LED"] += 1


def draw_rgb(pens: list[Pen], ohms: list[str]) -> None:
    """One lamp with four legs: the three anodes, and the common cathode to ground."""
    first, last = pens[0], pens[-1]
    for pen, value, colour, name in zip(
        pens, ohms, ("red", "green", "blue"), ("R", "G", "B"), strict=True
    ):
        _lamp(pen, value, colour, name)
        pen.line((191, 0), (250, 0))
        if pen is not first:
            pen.dot(250)
    down = last.y - first.y
    first.line((250, 0), (250, down))
    last.line((250, 0), (330, 0))
    last.words(256, -8, "K, longest leg", anchor="near")
    last.ground(330)
    last.parts["RGB LED"] += 1


def draw_opto(pen: Pen) -> None:
    pen.line((0, 0), (120, 0))
    pen.box(120, 200, "PC817", down=28, half=46)
    for along, down, number in ((129, 5, "4"), (129, 61, "3"), (191, 5, "1"), (191, 61, "2")):
        pen.words(along, down, number)
    pen.line((120, 56), (90, 56))
    pen.ground(90, 56)
    pen.line((200, 0), (244, 0))
    pen.resistor(244, 330, "1 kΩ ½ W")
    pen.line((330, 0), (362, 0))
    pen.dot(365, fill="#fff")
    pen.words(365, -16, "+12 V, fused 1 A")
    pen.line((200, 56), (362, 56))
    pen.dot(365, 56, fill="#fff")
    pen.words(425, 80, "0 V of the vehicle, not GND", anchor="far")
    # A reversed battery or a spike must not reach the coupler's diode.
    pen.line((222, 56), (222, 39))
    pen.shape((212, 39), (232, 39), (222, 21), fill="#fff")
    pen.line((211, 20), (233, 20), width=2.6)
    pen.line((222, 20), (222, 0))
    pen.words(240, 35, "1N4148", anchor="near")
    pen.parts["opto-coupler"] += 1
    pen.parts["diode 1N4148"] += 1


def _transistor(pen: Pen, name: str) -> None:
    pen.line((0, 0), (40, 0))
    pen.resistor(40, 100, "1 kΩ")
    pen.line((100, 0), (170, 0))
    pen.dot(126)
    pen.line((126, 0), (126, 14))
    pen.resistor(94, 158, "10 kΩ", down=25)
    pen.ground(126, 36)
    pen.transistor(170, name)


def draw_driver(pen: Pen, name: str, load: str, supply: str) -> None:
    _transistor(pen, f"T{name}")
    pen.line((190, -36), (250, -36))
    pen.box(250, 300, "M" if load == "vibration motor" else "BZ", down=-36, half=15)
    pen.words(242, -42, "−", anchor="far")
    pen.words(308, -42, "+", anchor="near")
    pen.line((300, -36), (352, -36))
    pen.dot(355, -36, fill="#fff")
    pen.words(355, -12, supply)
    pen.line((226, -36), (226, -68), (264, -68))
    pen.diode(264, -68)
    pen.line((286, -68), (328, -68), (328, -36))
    pen.dot(226, -36)
    pen.dot(328, -36)
    pen.words(340, -66, f"D{name} 1N5819", anchor="near")
    pen.parts[load] += 1
    pen.parts["diode 1N5819"] += 1


def draw_charger(pen: Pen, name: str) -> None:
    """Without the transistor CE is high and charging is cut: a dead Pi never charges a cell."""
    _transistor(pen, f"T{name}")
    pen.line((190, -36), (340, -36))
    pen.dot(246, -36)
    pen.line((246, -36), (246, -68), (254, -68))
    pen.resistor(254, 322, "2.2 kΩ", down=-68)
    pen.line((322, -68), (340, -68))
    pen.box(340, 430, "", down=-46, half=38)
    pen.words(346, -62, "OUT", anchor="near")
    pen.words(346, -30, "CE", anchor="near")
    pen.words(385, -14, "charger")

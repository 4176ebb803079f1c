"""What the parts look like in the hand: which leg is which."""

from __future__ import annotations

from .pen import BOLD, INK, Pen, text


def legend(x: float, y: float) -> list[str]:
    """Small pictures side by side; `x`, `y` is the top left corner."""
    marks = [text(x, y, "Which leg is which", size=14, style=BOLD)]
    for offset, draw in ((50, _transistor), (200, _lamp), (330, _rgb), (480, _diode), (610, _opto)):
        pen = Pen(x + offset, y + 34)
        draw(pen)
        marks += pen.marks
    return marks


def _legs(pen: Pen, names: list[str], spread: float = 22) -> None:
    start = -spread * (len(names) - 1) / 2
    for i, name in enumerate(names):
        pen.line((start + spread * i, 0), (start + spread * i, 34))
        pen.words(start + spread * i, 50, name)


def _transistor(pen: Pen) -> None:
    pen.marks.append(
        f'<path d="M {pen.x - 32} {pen.y} v -14 h 64 v 14 z" fill="#ddd" stroke="{INK}"/>'
    )
    _legs(pen, ["C", "B", "E"])
    pen.words(0, 70, "BC337: flat side")
    pen.words(0, 87, "and print face you")


def _lamp(pen: Pen) -> None:
    pen.marks.append(
        f'<path d="M {pen.x - 16} {pen.y} v -8 a 16 14 0 0 1 32 0 v 8 z" fill="#fff" stroke="{INK}"/>'
    )
    pen.line((-11, 0), (-11, 34))
    pen.line((11, 0), (11, 24))
    pen.words(-11, 50, "A")
    pen.words(11, 50, "K")
    pen.words(0, 70, "LED: A is the")
    pen.words(0, 87, "longer leg")


def _rgb(pen: Pen) -> None:
    pen.marks.append(
        f'<path d="M {pen.x - 20} {pen.y} v -8 a 20 14 0 0 1 40 0 v 8 z" fill="#fff" stroke="{INK}"/>'
    )
    for along, length, name in ((-33, 28, "R"), (-11, 34, "K"), (11, 28, "G"), (33, 28, "B")):
        pen.line((along / 2.2, 0), (along, 12), (along, length))
        pen.words(along, 50, name)
    pen.words(0, 70, "RGB LED: K is the")
    pen.words(0, 87, "longest leg")


def _diode(pen: Pen) -> None:
    pen.line((-46, 12), (46, 12))
    pen.marks.append(
        f'<rect x="{pen.x - 20}" y="{pen.y + 3}" width="40" height="18" fill="#fff" stroke="{INK}"/>'
        f'<rect x="{pen.x + 8}" y="{pen.y + 3}" width="6" height="18" fill="{INK}"/>'
    )
    pen.words(-46, 42, "A")
    pen.words(46, 42, "K")
    pen.words(0, 70, "diode: the ring")
    pen.words(0, 87, "is K, the bar")


def _opto(pen: Pen) -> None:
    pen.marks.append(
        f'<rect x="{pen.x - 26}" y="{pen.y - 4}" width="52" height="40" fill="#fff" stroke="{INK}"/>'
    )
    pen.dot(-18, 4, radius=3)
    for along, down, name in ((-36, 10, "1"), (-36, 32, "2"), (36, 32, "3"), (36, 10, "4")):
        pen.words(along, down, name)
    pen.words(0, 70, "PC817 from above:")
    pen.words(0, 87, "the dot is at 1")

"""A pen that draws along a wire, away from the header, and counts the parts it draws."""

from __future__ import annotations

from collections import Counter
from xml.sax.saxutils import escape

INK = "#222"


def text(
    x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", style: str = ""
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{style}>'
        f"{escape(words)}</text>"
    )


BOLD = ' font-weight="bold"'
# Both sheets are an A4 page on its side; 13 px of it are 7 points in print.
WIDTH, HEIGHT = 1500, 1060


def page(title: str, origin: str, marks: list[str]) -> str:
    """A sheet as SVG: its title, where it comes from, and what is drawn on it."""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="DejaVu Sans, Arial, sans-serif">'
    )
    head = [
        opening,
        f"<title>bodycam wiring, {escape(title)}</title>",
        rect(0, 0, WIDTH, HEIGHT, stroke="none"),
        text(WIDTH / 2, 36, f"bodycam, {title}", size=22, anchor="middle"),
        text(WIDTH / 2, 58, origin, anchor="middle"),
    ]
    return "\n".join([*head, *marks, "</svg>", ""])


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str = "#fff",
    stroke: str = INK,
    line: float = 1.8,
    round_: float = 0,
) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"/>'
    )


def tag(x: float, y: float, words: str) -> str:
    """The sleeve at a wire's end, with what is printed on it."""
    sleeve = rect(x - 13, y - 10, 26, 20, line=1.4, round_=5)
    return sleeve + text(x, y + 5, words, anchor="middle", style=BOLD)


class Pen:
    """Draws from a point; `out` is 1 to draw to the right, -1 to draw to the left."""

    def __init__(self, x: float, y: float, out: int = 1) -> None:
        self.x, self.y, self.out = x, y, out
        self.marks: list[str] = []
        self.parts: Counter[str] = Counter()

    def at(self, along: float, down: float = 0) -> tuple[float, float]:
        return self.x + self.out * along, self.y + down

    def line(self, *points: tuple[float, float], width: float = 1.8, dash: bool = False) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))
        dashes = ' stroke-dasharray="7 5"' if dash else ""
        self.marks.append(
            f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="{width:g}"'
            f"{dashes}/>"
        )

    def shape(self, *points: tuple[float, float], fill: str = INK) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))
        self.marks.append(f'<polygon points="{path}" fill="{fill}" stroke="{INK}"/>')

    def dot(self, along: float, down: float = 0, radius: float = 3, fill: str = INK) -> None:
        x, y = self.at(along, down)
        self.marks.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{INK}" '
            'stroke-width="1.8"/>'
        )

    def words(
        self, along: float, down: float, words: str, size: int = 13, anchor: str = "middle"
    ) -> None:
        """Text; "near" and "far" are its ends as seen from where the wire comes from."""
        ends = {
            "near": "start" if self.out > 0 else "end",
            "far": "end" if self.out > 0 else "start",
        }
        x, y = self.at(along, down)
        self.marks.append(text(x, y, words, size=size, anchor=ends.get(anchor, anchor)))

    def box(
        self, begin: float, end: float, words: str, *, down: float = 0, half: float = 11
    ) -> None:
        x = min(self.at(begin)[0], self.at(end)[0])
        self.marks.append(rect(x, self.y + down - half, end - begin, 2 * half))
        if words:
            self.words((begin + end) / 2, down + 5, words)

    def resistor(self, begin: float, end: float, value: str, *, down: float = 0) -> None:
        self.box(begin, end, value, down=down)
        self.parts[f"resistor {value}"] += 1

    def ground(self, along: float, down: float = 0) -> None:
        self.line((along, down), (along, down + 10))
        for i, half in enumerate((11, 7, 3)):
            self.line((along - half, down + 10 + 4 * i), (along + half, down + 10 + 4 * i))

    def diode(self, begin: float, down: float = 0, fill: str = "#fff") -> None:
        """A diode of 22 px that conducts away from the header; its bar is the cathode."""
        self.shape((begin, down - 10), (begin, down + 10), (begin + 20, down), fill=fill)
        self.line((begin + 21, down - 11), (begin + 21, down + 11), width=2.6)

    def transistor(self, along: float, name: str) -> None:
        """An NPN in its circle with the base at `along`, the collector up, the emitter to ground."""
        self.dot(along + 10, radius=24, fill="none")
        self.line((along, -14), (along, 14), width=3)
        self.line((along, -6), (along + 20, -18), (along + 20, -36))
        self.line((along, 6), (along + 20, 18), (along + 20, 34))
        self.shape((along + 21, 19), (along + 10, 17), (along + 15, 9))
        self.words(along - 18, -6, "B", anchor="far")
        self.words(along + 26, -25, "C", anchor="near")
        self.words(along + 26, 34, "E", anchor="near")
        self.words(along + 40, 5, f"{name} BC337", anchor="near")
        self.ground(along + 20, 34)
        self.parts["transistor"] += 1

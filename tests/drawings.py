"""Reads an SVG as a technician's eye does: where text stands, where wires run, what touches what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
_NARROW, _WIDE = set("iIjltfr.,:;'|()[]-·/ "), set("mwMW@%Ω½+−")


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Words:
    text: str
    size: float
    box: Box


Segment = tuple[tuple[float, float], tuple[float, float]]


class Drawing:
    """A sheet, read."""

    def __init__(self, svg: str) -> None:
        self.root = ET.fromstring(svg)
        self.width, self.height = (float(self.root.get(name, "0")) for name in ("width", "height"))

    def words(self) -> list[Words]:
        return [_words(node) for node in self.root.iter(f"{SVG}text")]

    def wires(self) -> list[tuple[str, list[tuple[float, float]]]]:
        """Each wire: its colour and its corners."""
        return [
            (node.get("stroke", ""), _points(node))
            for node in self.root.iter(f"{SVG}polyline")
            if node.get("class") == "wire"
        ]

    def lines(self) -> Iterator[Segment]:
        """Every straight stroke, wires too."""
        for node in self.root.iter(f"{SVG}polyline"):
            yield from pairwise(_points(node))


def _points(node: ET.Element) -> list[tuple[float, float]]:
    corners = [tuple(float(n) for n in p.split(",")) for p in node.get("points", "").split()]
    return [(x, y) for x, y in corners]


def _words(node: ET.Element) -> Words:
    text, size = node.text or "", float(node.get("font-size", "0"))
    # DejaVu Sans as a browser sets it, rounded up: narrow, wide, a capital or in between.
    width = size * sum(
        0.38 if c in _NARROW else 0.95 if c in _WIDE else 0.74 if c.isupper() else 0.63
        for c in text
    )
    if node.get("font-weight") == "bold":
        width *= 1.1
    x, y = float(node.get("x", "0")), float(node.get("y", "0"))
    left = {"start": x, "middle": x - width / 2, "end": x - width}[node.get("text-anchor", "start")]
    return Words(text, size, Box(left, y - 0.74 * size, left + width, y + 0.2 * size))


def crosses(segment: Segment, box: Box) -> bool:
    """True if a level or upright stroke runs through a box."""
    (x1, y1), (x2, y2) = segment
    stroke = Box(min(x1, x2), min(y1, y2), max(x1, x2) + 0.01, max(y1, y2) + 0.01)
    return (x1 == x2 or y1 == y2) and stroke.touches(box)


def meet(a: Segment, b: Segment) -> bool:
    """True if two level or upright segments meet."""
    return all(
        max(min(p[axis] for p in a), min(p[axis] for p in b))
        <= min(max(p[axis] for p in a), max(p[axis] for p in b))
        for axis in (0, 1)
    )

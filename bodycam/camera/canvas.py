"""Simple shapes straight on the planes of a yuv420p picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Colour(NamedTuple):
    """One colour in limited-range YCbCr (BT.601)."""

    y: int
    u: int
    v: int

    @classmethod
    def rgb(cls, value: int) -> Colour:
        """From 0xRRGGBB."""
        r, g, b = value >> 16 & 255, value >> 8 & 255, value & 255
        y = 16 + (66 * r + 129 * g + 25 * b) // 256
        u = 128 + (-38 * r - 74 * g + 112 * b) // 256
        v = 128 + (112 * r - 94 * g - 18 * b) // 256
        return cls(y, u, v)


class Canvas:
    """The three planes of a picture, to draw on; coordinates are pixels, rounded to even."""

    def __init__(self, y: Plane, u: Plane, v: Plane) -> None:
        self.planes = (y, u, v)
        self.height, self.width = y.shape

    @classmethod
    def blank(cls, width: int, height: int) -> Canvas:
        return cls(
            np.zeros((height, width), np.uint8),
            np.full((height // 2, width // 2), 128, np.uint8),
            np.full((height // 2, width // 2), 128, np.uint8),
        )

    def rect(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle, cut at the edges."""
        x0, x1 = _even(left, self.width), _even(right, self.width)
        y0, y1 = _even(top, self.height), _even(bottom, self.height)
        self.planes[0][y0:y1, x0:x1] = colour.y
        self.planes[1][y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = colour.u
        self.planes[2][y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = colour.v

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A filled circle."""
        for plane, value, step in zip(self.planes, colour, (1, 2, 2), strict=True):
            rows, columns = np.ogrid[: plane.shape[0], : plane.shape[1]]
            inside = (columns - x / step) ** 2 + (rows - y / step) ** 2 <= (radius / step) ** 2
            plane[inside] = value

    def gradient(self, top: int, bottom: int, first: Colour, last: Colour) -> None:
        """Rows that blend from one colour into another."""
        for plane, a, b, step in zip(self.planes, first, last, (1, 2, 2), strict=True):
            y0, y1 = top // step, bottom // step
            plane[y0:y1] = np.linspace(a, b, y1 - y0).astype(np.uint8)[:, None]


class Sprite:
    """A small picture with holes, to be laid over a canvas. Black luma (0) is the hole."""

    def __init__(self, canvas: Canvas) -> None:
        solid = canvas.planes[0] > 0
        self._planes = canvas.planes
        self._masks = (solid, solid[::2, ::2], solid[::2, ::2])
        self.width, self.height = canvas.width, canvas.height

    def mirrored(self) -> Sprite:
        """The same, facing the other way."""
        y, u, v = (np.ascontiguousarray(plane[:, ::-1]) for plane in self._planes)
        return Sprite(Canvas(y, u, v))

    def draw(self, canvas: Canvas, left: float, top: float) -> None:
        """Lay it over the canvas, cut at the edges."""
        x, y = int(left) & ~1, int(top) & ~1
        x0, x1 = max(0, -x), min(self.width, canvas.width - x)
        y0, y1 = max(0, -y), min(self.height, canvas.height - y)
        if x0 >= x1 or y0 >= y1:
            return
        for target, source, mask, step in zip(
            canvas.planes, self._planes, self._masks, (1, 2, 2), strict=True
        ):
            part = slice(y0 // step, y1 // step), slice(x0 // step, x1 // step)
            rows = slice((y + y0) // step, (y + y1) // step)
            columns = slice((x + x0) // step, (x + x1) // step)
            np.copyto(target[rows, columns], source[part], where=mask[part])


def _even(value: float, limit: int) -> int:
    return min(max(0, round(value)), limit) & ~1

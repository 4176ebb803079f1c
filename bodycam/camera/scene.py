"""The synthetic street: it moves, and every picture says which one it is.

Dusk over a town that pans slowly, cars both ways, a pedestrian, street lamps passing by; the
frame number as blocks and the flash as in `frame_code`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas, Colour, Sprite
from .frame_code import FLASH_FRAMES, CodeLayout, Plane, write_code

_SKY_TOP, _SKY_LOW = Colour.rgb(0x2B4C7E), Colour.rgb(0xF2B380)
_FAR, _WINDOW = Colour.rgb(0x5D6480), Colour.rgb(0xFFD98A)
_NEAR = (Colour.rgb(0x4A3F4B), Colour.rgb(0x584A45), Colour.rgb(0x3D4655))
_PAVEMENT, _ROAD_FAR, _ROAD = Colour.rgb(0x8D8A86), Colour.rgb(0x4A4C50), Colour.rgb(0x303236)
_KERB, _PAINT, _POLE = Colour.rgb(0xB9B6B0), Colour.rgb(0xDAD9D2), Colour.rgb(0x23252A)
_GLASS, _TYRE, _HUB = Colour.rgb(0xA9C6D8), Colour.rgb(0x14161A), Colour.rgb(0x9A9DA3)
_LIGHT, _SKIN, _COAT = Colour.rgb(0xFFF3C4), Colour.rgb(0xD9A27E), Colour.rgb(0xC9512F)
_SUN = Colour.rgb(0xFFE3AE)

# Shares of the picture: width of a house, its height, windows across.
_FAR_HOUSES = ((0.06, 0.18), (0.04, 0.26), (0.09, 0.15), (0.05, 0.30), (0.07, 0.21), (0.03, 0.34))
_NEAR_HOUSES = ((0.13, 0.24, 4), (0.10, 0.33, 3), (0.16, 0.19, 5), (0.09, 0.28, 3), (0.14, 0.22, 4))
_HORIZON, _KERB_AT, _MIDDLE = 0.56, 0.60, 0.73


@dataclass(frozen=True, slots=True)
class _Mover:
    """Something that crosses the picture: how fast (widths a second), where, how much later."""

    sprite: Sprite
    speed: float
    top: float
    phase: float

    def draw(self, canvas: Canvas, seconds: float) -> None:
        span = canvas.width + self.sprite.width
        travelled = (self.phase + seconds * abs(self.speed)) % 1 * span
        left = travelled - self.sprite.width if self.speed > 0 else canvas.width - travelled
        self.sprite.draw(canvas, left, self.top)


class Scene:
    """Draws frame `n` of the street; a function of the number alone, so restarts do not show."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self._fps = fps
        self.layout = CodeLayout.of(width, height)
        self._background = _background(width, height)
        self._town = _town(width, height)
        self._movers = _movers(width, height)
        self._dash = max(8, width // 12)

    def draw(self, planes: tuple[Plane, Plane, Plane], number: int) -> None:
        """Draw frame `number` over the whole of these planes."""
        canvas = Canvas(*planes)
        # Wraps after an hour, far from the precision limits of what follows.
        seconds = number % (3600 * self._fps) / self._fps
        self._draw_town(canvas, seconds)
        self._draw_road(canvas, seconds)
        for mover in self._movers:
            mover.draw(canvas, seconds)
        layout = self.layout
        size, left, top = layout.flash_size, layout.flash_left, layout.flash_top
        rim = layout.cell // 4 + 2
        canvas.rect(left - rim, top - rim, left + size + rim, top + size + rim, _POLE)
        canvas.rect(left, top, left + size, top + size, Colour(16, 128, 128))
        write_code(planes[0], layout, number, number % self._fps < FLASH_FRAMES)

    def _draw_town(self, canvas: Canvas, seconds: float) -> None:
        shift = int(seconds * canvas.width / 40) % canvas.width & ~1
        low = self._town.height
        for into, town, step in zip(canvas.planes, self._town.planes, (1, 2, 2), strict=True):
            at = shift // step
            into[: low // step] = town[:, at : at + into.shape[1]]

    def _draw_road(self, canvas: Canvas, seconds: float) -> None:
        low = self._town.height
        for into, road, step in zip(canvas.planes, self._background.planes, (1, 2, 2), strict=True):
            into[low // step :] = road[low // step :]
        period = 2 * self._dash
        shift = int(seconds * canvas.width / 5) % period
        top = canvas.height * _MIDDLE
        for left in range(-shift, canvas.width, period):
            canvas.rect(left, top, left + self._dash, top + canvas.height / 90, _PAINT)


def _background(width: int, height: int) -> Canvas:
    canvas = Canvas.blank(width, height)
    horizon, kerb = round(height * _HORIZON) & ~1, round(height * _KERB_AT) & ~1
    canvas.rect(0, horizon, width, kerb, _PAVEMENT)
    canvas.gradient(kerb, height, _ROAD_FAR, _ROAD)
    canvas.rect(0, kerb, width, kerb + height / 60, _KERB)
    return canvas


def _town(width: int, height: int) -> Canvas:
    """Sky and houses, twice side by side, so that any window of one width pans round."""
    horizon = round(height * _HORIZON) & ~1
    once = Canvas.blank(width, horizon)
    once.gradient(0, horizon, _SKY_TOP, _SKY_LOW)
    once.disc(width * 0.72, height * 0.40, height * 0.07, _SUN)
    left = 0.0
    for i in range(24):
        across, tall = _FAR_HOUSES[i % len(_FAR_HOUSES)]
        once.rect(left, horizon - tall * height, left + across * width, horizon, _FAR)
        left += across * width
    left = 0.0
    for i in range(10):
        across, tall, windows = _NEAR_HOUSES[i * 3 % len(_NEAR_HOUSES)]
        if left < width * 0.93:
            top = horizon - tall * height * 0.9
            _house(once, left, top, across * width * 0.92, windows, _NEAR[i % len(_NEAR)])
        left += across * width
    y, u, v = (np.hstack((plane, plane)) for plane in once.planes)
    return Canvas(y, u, v)


def _house(
    canvas: Canvas, left: float, top: float, across: float, windows: int, colour: Colour
) -> None:
    canvas.rect(left, top, left + across, canvas.height, colour)
    pitch = across / windows
    storey = pitch * 1.1
    floors = int((canvas.height - top) / storey)
    for row in range(floors):
        for column in range(windows):
            lit = (row * 5 + column * 3 + windows) % 4
            x, y = left + (column + 0.3) * pitch, top + (row + 0.3) * storey
            glass = _WINDOW if lit == 0 else Colour(colour.y + 14, colour.u, colour.v)
            canvas.rect(x, y, x + pitch * 0.42, y + storey * 0.5, glass)


def _movers(width: int, height: int) -> tuple[_Mover, ...]:
    def car(scale: float, paint: int) -> Sprite:
        return _car(round(width * scale) & ~1, Colour.rgb(paint))

    def on(share: float, sprite: Sprite) -> float:
        return float(height * share - sprite.height)

    walker, lamp = _walker(round(height * 0.17) & ~1), _lamp(round(height * 0.52) & ~1)
    far, van = car(0.15, 0x2F6DB5), car(0.17, 0xD8D8D4)
    near, last = car(0.23, 0xB3261E), car(0.21, 0x2E7D5B)
    return (
        _Mover(walker, 0.045, on(0.615, walker), 0.30),
        _Mover(far.mirrored(), -0.16, on(0.70, far), 0.10),
        _Mover(van.mirrored(), -0.16, on(0.70, van), 0.62),
        _Mover(near, 0.21, on(0.845, near), 0.25),
        _Mover(last, 0.21, on(0.845, last), 0.75),
        _Mover(lamp, -0.025, on(0.62, lamp), 0.20),
        _Mover(lamp, -0.025, on(0.62, lamp), 0.70),
    )


def _car(width: int, paint: Colour) -> Sprite:
    """A car facing right."""
    height = round(width * 0.38) & ~1
    canvas = Canvas.blank(width, height)
    for i in range(8):  # the cabin narrows towards the roof
        inset = (7 - i) * width * 0.012
        band = height * (0.02 + i * 0.055)
        canvas.rect(
            width * 0.22 + inset, band, width * 0.74 - inset, band + height * 0.06,
            paint if i < 2 else _GLASS,
        )  # fmt: skip
    canvas.rect(width * 0.47, 0, width * 0.50, height * 0.46, paint)
    canvas.rect(width * 0.02, height * 0.44, width * 0.98, height * 0.80, paint)
    shade = Colour(max(24, paint.y - 30), paint.u, paint.v)
    canvas.rect(width * 0.02, height * 0.68, width * 0.98, height * 0.80, shade)
    canvas.rect(width * 0.93, height * 0.48, width * 0.98, height * 0.60, _LIGHT)
    canvas.rect(width * 0.02, height * 0.48, width * 0.05, height * 0.60, Colour.rgb(0xD0211C))
    for x in (0.21, 0.79):
        canvas.disc(width * x, height * 0.78, height * 0.20, _TYRE)
        canvas.disc(width * x, height * 0.78, height * 0.09, _HUB)
    return Sprite(canvas)


def _walker(height: int) -> Sprite:
    width = round(height * 0.36) & ~1
    canvas = Canvas.blank(width, height)
    canvas.rect(width * 0.2, height * 0.2, width * 0.8, height * 0.6, _COAT)
    canvas.rect(width * 0.25, height * 0.6, width * 0.45, height, _POLE)
    canvas.rect(width * 0.55, height * 0.6, width * 0.75, height, _POLE)
    canvas.disc(width * 0.5, height * 0.11, height * 0.09, _SKIN)
    return Sprite(canvas)


def _lamp(height: int) -> Sprite:
    width = round(height * 0.24) & ~1
    canvas = Canvas.blank(width, height)
    canvas.rect(width * 0.46, height * 0.04, width * 0.54, height, _POLE)
    canvas.rect(width * 0.46, height * 0.02, width * 0.98, height * 0.05, _POLE)
    canvas.rect(width * 0.66, height * 0.05, width * 0.98, height * 0.08, _LIGHT)
    return Sprite(canvas)

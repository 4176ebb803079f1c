"""Labelled footage for the lens check: real photographs and made scenes, seen by a made camera.

The photographs and the film are those of Debian's opencv-doc (OpenCV's own samples, Apache-2.0).
Two pictures a second, as the lens check looks; 640x360, luma, limited range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Light = NDArray[np.float32]
SAMPLES = Path("/usr/share/doc/opencv-doc/examples")
WIDTH, HEIGHT = 640, 360
LOOKS_A_SECOND = 2
_WORLD = (1280, 800)
_rows, _columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)

STREET = (
    "data/leuvenA.jpg", "text/scenetext01.jpg", "text/scenetext05.jpg", "text/scenetext06.jpg",
    "data/building.jpg", "data/home.jpg", "text/scenetext04.jpg", "data/leuvenB.jpg",
)  # fmt: skip
INDOOR = (
    "data/left01.jpg", "data/box_in_scene.png", "data/basketball1.png", "data/stuff.jpg",
    "data/right08.jpg", "text/scenetext03.jpg", "data/aloeL.jpg",
)  # fmt: skip


def light(array: Any) -> Light:
    return np.asarray(array, np.float32)


@cache
def photograph(name: str) -> Light:
    """A real picture, large enough to look around in."""
    picture = cv2.imread(str(SAMPLES / name), cv2.IMREAD_GRAYSCALE)
    assert picture is not None, f"{name} is missing: apt-get install opencv-doc"
    height, width = picture.shape
    scale = max(1.0, _WORLD[0] / width, _WORLD[1] / height)
    return light(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))


@cache
def film() -> list[Light]:
    """People crossing a square, from a tripod; a picture each half second."""
    capture, pictures = cv2.VideoCapture(str(SAMPLES / "data/vtest.avi")), []
    while capture.grab():
        if int(capture.get(cv2.CAP_PROP_POS_FRAMES)) % 5 == 0:
            grey = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2GRAY)
            pictures.append(light(cv2.resize(grey[72:504], (WIDTH, HEIGHT))))
    assert len(pictures) > 100
    return pictures


# -- worlds that no photograph was at hand for ---------------------------------------------------


def texture(slope: float, seed: int, size: tuple[int, int] = _WORLD) -> Light:
    """Something rough: its spectrum falls with this power of the frequency; deviation 1."""
    width, height = size
    spectrum = np.fft.rfft2(np.random.default_rng(seed).normal(0, 1, (height, width)))
    down, across = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    rough = np.fft.irfft2(spectrum / frequency**slope, s=(height, width))
    return light((rough - rough.mean()) / rough.std())


def plaster(seed: int) -> Light:
    """A rough wall, lit from one side."""
    slope = np.linspace(-25, 25, _WORLD[0], dtype=np.float32)
    return light(130 + 4 * texture(0.7, seed) + slope)


def painted(seed: int) -> Light:
    """A smooth wall with a skirting board and a switch."""
    wall = 180 + 1.5 * texture(0.5, seed) + np.linspace(-15, 15, _WORLD[0], dtype=np.float32)
    wall[640:700] += 35
    wall[700:] -= 90
    wall[300:340, 900:930] = 225
    wall[312:328, 908:922] = 205
    return light(cv2.GaussianBlur(wall, (0, 0), 0.7))


def bricks(seed: int) -> Light:
    random = np.random.default_rng(seed)
    wall = np.full(_WORLD[::-1], 120, np.float32)
    for row in range(0, _WORLD[1], 26):
        for left in range(-60 + row // 26 % 2 * 30, _WORLD[0], 60):
            tone = float(random.uniform(70, 105))
            cv2.rectangle(wall, (left + 2, row + 2), (left + 57, row + 23), tone, -1)
    return light(cv2.GaussianBlur(wall, (0, 0), 0.8)) + 6 * texture(0.8, seed)


def torchlit(seed: int) -> Light:
    """The smooth wall by night, in the light of a torch."""
    rows, columns = np.mgrid[0 : _WORLD[1], 0 : _WORLD[0]].astype(np.float32)
    spot = np.exp(-(((columns - 600) / 500) ** 2) - ((rows - 350) / 350) ** 2)
    return light(painted(seed) * spot)


def lamps(world: Light, count: int, seed: int) -> Light:
    """Lamps with their glare."""
    random = np.random.default_rng(seed)
    glare = np.zeros_like(world)
    for _ in range(count):
        x, y = int(random.integers(world.shape[1])), int(random.integers(world.shape[0] * 2 // 3))
        cv2.circle(glare, (x, y), int(random.integers(2, 7)), float(random.uniform(300, 1500)), -1)
    return light(world + 0.3 * glare + 1.4 * cv2.GaussianBlur(glare, (0, 0), 14))


def night_street(seed: int) -> Light:
    return lamps(photograph(STREET[seed % len(STREET)]) * 0.11, 9, seed)


def few_lights(seed: int) -> Light:
    """A park at night: black, but for lamps, windows, and what they shine upon."""
    world = 3 + 2 * np.clip(texture(1.3, seed), -1, 3)
    random = np.random.default_rng(seed)
    for _ in range(12):
        x, y = int(random.integers(_WORLD[0])), int(random.integers(200, 600))
        cv2.rectangle(world, (x, y), (x + 9, y + 14), float(random.uniform(40, 140)), -1)
    return lamps(light(world), 14, seed)


# -- how it is looked at -------------------------------------------------------------------------


class View:
    """A camera on somebody's chest: it wanders over a world, turns, comes nearer, and shakes."""

    def __init__(self, world: Light, seed: int, unrest: float = 1.0) -> None:
        self._world, self._unrest = world, unrest
        self._random = np.random.default_rng(seed)
        height, width = world.shape
        self._fit = min(width / WIDTH, height / HEIGHT)
        self._at, self._speed = np.array([width / 2, height / 2]), np.zeros(2)
        self._zoom, self._angle = 0.8, 0.0

    def look(self) -> Light:
        random, unrest = self._random, self._unrest
        self._speed = 0.8 * self._speed + random.normal(0, 14 * unrest, 2)
        self._at = self._at + self._speed
        near = self._zoom * np.exp(random.normal(0, 0.03 * unrest))
        self._zoom = float(np.clip(near, 0.5, 0.98))
        self._angle = 0.9 * self._angle + random.normal(0, unrest)
        return self._shaken(self._seen())

    def _seen(self) -> Light:
        height, width = self._world.shape
        scale = self._fit * self._zoom
        half = np.array([WIDTH, HEIGHT]) * scale / 2
        self._at = np.clip(self._at, half, np.maximum(half, [width, height] - half))
        turn = np.radians(self._angle)
        c, s = np.cos(turn) * scale, np.sin(turn) * scale
        x, y = self._at - np.array([c * WIDTH - s * HEIGHT, s * WIDTH + c * HEIGHT]) / 2
        flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
        matrix = np.array([[c, -s, x], [s, c, y]], np.float32)
        return light(
            cv2.warpAffine(
                self._world, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT
            )
        )

    def _shaken(self, seen: Light) -> Light:
        """Some pictures are blurred by the step that was just taken."""
        length = int(min(19, abs(self._random.normal(0, 4 * self._unrest)))) | 1
        if length < 3:
            return seen
        path = np.zeros((length, length), np.float32)
        path[length // 2] = 1
        centre = (length / 2 - 0.5, length / 2 - 0.5)
        turn = cv2.getRotationMatrix2D(centre, self._random.uniform(0, 180), 1)
        path = light(cv2.warpAffine(path, turn, (length, length)))
        return light(cv2.filter2D(seen, -1, path / path.sum()))


@dataclass
class Sensor:
    """Exposure that follows the light a little late, read-out and shot noise, eight bits."""

    seed: int
    noise: float = 1.0
    follows: bool = True
    most_gain: float = 3.0
    smooths: bool = False
    _gain: float = 1.0
    _grain: list[Light] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        shape = (HEIGHT + 64, WIDTH + 64)
        self._grain = [light(self.random.normal(0, 1, shape)) for _ in range(4)]
        if self.smooths:
            self._grain = [light(cv2.GaussianBlur(g, (0, 0), 0.8) * 1.6) for g in self._grain]

    def expose(self, seen: Light) -> Plane:
        if self.follows:
            wanted = float(np.clip(110 / max(1.0, float(seen.mean())), 0.2, self.most_gain))
            self._gain += 0.6 * (wanted - self._gain)
        exposed = np.clip(seen * self._gain, 0, 255)
        strength = self.noise * max(1.0, self._gain) * np.sqrt(1 + exposed / 80)
        y, x = self.random.integers(64, size=2)
        # Another grain for each picture: noise that only moved would be a picture of itself.
        self._grain.append(self._grain.pop(0))
        grain = self._grain[0][y : y + HEIGHT, x : x + WIDTH]
        seen_as = np.clip(np.rint(16 + exposed * 0.86 + grain * strength), 16, 235)
        return np.asarray(seen_as, np.uint8)

"""The labelled set: ordinary scenes, and what may happen to a lens in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import count, islice

import cv2
import numpy as np

from bodycam.camera.canvas import Canvas
from bodycam.camera.scene import Scene
from tests.lens_footage import (
    HEIGHT,
    INDOOR,
    LOOKS_A_SECOND,
    STREET,
    WIDTH,
    Light,
    Plane,
    Sensor,
    View,
    bricks,
    few_lights,
    film,
    light,
    night_street,
    painted,
    photograph,
    plaster,
    texture,
    torchlit,
)

Seen = Iterator[Light]
Pair = tuple[Plane, Plane]
_PLACE_LOOKS = 30 * LOOKS_A_SECOND
_rows, _columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


# -- ordinary ------------------------------------------------------------------------------------


def _places(worlds: tuple[Callable[[], Light], ...], seed: int, unrest: float) -> Seen:
    """Half a minute at each place."""
    for n in count(seed):
        view = View(worlds[n % len(worlds)](), seed * 1000 + n, unrest)
        for _ in range(_PLACE_LOOKS):
            yield view.look()


def _photographs(names: tuple[str, ...], seed: int, unrest: float) -> Seen:
    return _places(tuple(partial(photograph, name) for name in names), seed, unrest)


def walking(seed: int) -> Seen:
    return _photographs(STREET, seed, 1.0)


def running(seed: int) -> Seen:
    return _photographs(STREET, seed, 2.5)


def standing(seed: int) -> Seen:
    return _photographs(STREET, seed, 0.15)


def indoors(seed: int) -> Seen:
    return _photographs(INDOOR, seed, 0.6)


def tripod(seed: int) -> Seen:
    pictures = film()
    for n in count(seed * 7):
        yield pictures[n % len(pictures)]


def still(seed: int) -> Seen:
    """Nothing moves at all; only the sensor's noise."""
    return _photographs((*STREET, *INDOOR), seed, 0.0)


def wall(seed: int) -> Seen:
    """Standing in front of a wall that fills the picture."""
    worlds = (
        partial(plaster, seed),
        partial(bricks, seed),
        partial(painted, seed),
        partial(torchlit, seed),
    )
    return _places(worlds, seed, 0.2)


def night(seed: int) -> Seen:
    return _places(tuple(partial(night_street, n) for n in range(8)), seed, 0.8)


def park(seed: int) -> Seen:
    return _places((partial(few_lights, seed), partial(few_lights, seed + 50)), seed, 0.5)


def fog(seed: int) -> Seen:
    random = np.random.default_rng(seed)
    for n, seen in enumerate(_photographs(STREET, seed, 0.6)):
        if n % _PLACE_LOOKS == 0:
            contrast = random.uniform(0.08, 0.3)
        yield light(150 + (seen - 128) * contrast)


def rain(seed: int) -> Seen:
    random = np.random.default_rng(seed)
    drops = _drops(seed)
    for seen in _photographs(STREET, seed, 0.8):
        streaks = np.zeros((HEIGHT, WIDTH), np.float32)
        for x, y in random.integers((0, 0), (WIDTH, HEIGHT), (60, 2)).tolist():
            cv2.line(streaks, (x, y), (x + 2, y + int(random.integers(8, 30))), 28, 1)
        wet = cv2.GaussianBlur(seen, (0, 0), 7)
        yield light(30 + 0.7 * (seen + (wet - seen) * drops) + streaks)


def _drops(seed: int) -> Light:
    """Where drops on the glass blur a tenth of the picture."""
    drops = np.zeros((HEIGHT, WIDTH), np.float32)
    for x, y, size in np.random.default_rng(seed).integers(12, (WIDTH, HEIGHT, 26), (14, 3)):
        cv2.circle(drops, (int(x), int(y)), int(size), 1, -1)
    return light(cv2.GaussianBlur(drops, (0, 0), 3))


def sun(seed: int) -> Seen:
    """Into the sun: a glare that wanders and veils the rest."""
    for n, seen in enumerate(_photographs(STREET, seed, 0.8)):
        x, y = WIDTH * (0.5 + 0.6 * np.sin(n / 23)), HEIGHT * (0.25 + 0.3 * np.cos(n / 31))
        far = (_columns - x) ** 2 + (_rows - y) ** 2
        yield light(seen * 0.6 + 700 * np.exp(-far / 1500) + 170 * np.exp(-far / 90_000))


def doors(seed: int) -> Seen:
    """In and out of the light every ten seconds; the exposure comes after."""
    for n, seen in enumerate(_photographs((*STREET, *INDOOR), seed, 0.8)):
        yield seen * (0.15 if n // 20 % 2 else 1.6)


def drawn(seed: int) -> Seen:
    """The synthetic camera's street."""
    scene, canvas = Scene(WIDTH, HEIGHT, 30), Canvas.blank(WIDTH, HEIGHT)
    for n in count(seed * 900, 15):
        scene.draw(canvas.planes, n)
        yield light((canvas.planes[0].astype(np.float32) - 16) / 0.86)


@dataclass(frozen=True)
class Ordinary:
    """A kind of scene that must not be taken for a fault, and the camera that sees it."""

    name: str
    seen: Callable[[int], Seen]
    noise: float = 1.0
    most_gain: float = 3.0
    smooths: bool = False
    shake_px: float = 1.5

    def pairs(self, seed: int) -> Iterator[Pair]:
        """Twice a second two pictures that follow each other."""
        sensor = self.sensor(seed)
        for seen in self.seen(seed):
            yield sensor.expose(seen), sensor.expose(moved(seen, sensor, self.shake_px))

    def sensor(self, seed: int) -> Sensor:
        return Sensor(seed, self.noise, most_gain=self.most_gain, smooths=self.smooths)


def moved(seen: Light, sensor: Sensor, shake_px: float) -> Light:
    """The same, a thirtieth of a second later, from a camera that is carried."""
    down, across = np.rint(sensor.random.normal(0, shake_px, 2)).astype(int)
    return np.roll(seen, (int(down), int(across)), (0, 1))


ORDINARY = (
    Ordinary("street, walking", walking),
    Ordinary("street, running", running, smooths=True, shake_px=5),
    Ordinary("street, standing", standing, noise=0.7, shake_px=0.5),
    Ordinary("indoors", indoors, noise=1.5, smooths=True),
    Ordinary("tripod", tripod, noise=0.5, shake_px=0),
    Ordinary("nothing moves", still, noise=0.5, shake_px=0),
    Ordinary("wall", wall, shake_px=0.5),
    Ordinary("street at night", night, noise=1.6, most_gain=4),
    Ordinary("park at night", park, noise=1.6, most_gain=8),
    Ordinary("fog", fog),
    Ordinary("rain", rain),
    Ordinary("into the sun", sun),
    Ordinary("through doors", doors, smooths=True),
    Ordinary("drawn street", drawn, noise=0.6, shake_px=0),
)


# -- faults --------------------------------------------------------------------------------------

Defect = Callable[[Light, float, int], Light]


@cache
def _hand(seed: int, covers: float, bright: float) -> tuple[Light, Light]:
    """How much of each pixel a hand close to the lens takes, and its shade."""
    random = np.random.default_rng(seed)
    turn = random.uniform(0, 2 * np.pi)
    x, y = _columns / WIDTH - 0.5, _rows / HEIGHT - 0.5
    along = light(x * np.cos(turn) + y * np.sin(turn))
    edge = float(np.quantile(along, covers)) if covers < 1 else 9.0
    fingers = light(y * np.cos(turn) - x * np.sin(turn))
    skin = bright * (1 + 0.12 * texture(2.2, seed, (WIDTH, HEIGHT)) + 0.5 * along)
    for k in (-1, 0, 1):  # the creases between the fingers
        skin = skin - bright * 0.3 * np.exp(-(((fingers - 0.25 * k) / 0.03) ** 2))
    takes = light(1 / (1 + np.exp((along - edge) / 0.04)))
    return light(cv2.GaussianBlur(takes, (0, 0), 16)), light(cv2.GaussianBlur(skin, (0, 0), 12))


def hand(covers: float, bright: float) -> Defect:
    """A hand, or a glove: too near to be in focus, never quite at rest."""

    def over(seen: Light, seconds: float, seed: int) -> Light:
        pair = _hand(seed, covers, bright)
        move = np.array([
            [1, 0, 14 * np.sin(1.3 * seconds + seed)], [0, 1, 9 * np.cos(1.7 * seconds)],
        ], np.float32)  # fmt: skip
        moved = [
            light(cv2.warpAffine(a, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE))
            for a in pair
        ]
        return light(seen * (1 - moved[0]) + np.maximum(moved[1], 0) * moved[0])

    return over


def palm(bright: float, slope: float) -> Defect:
    """A hand laid upon the lens: nothing has an edge, light comes in from one side."""

    def over(seen: Light, seconds: float, seed: int) -> Light:
        del seen
        turn = np.random.default_rng(seed).uniform(0, 2 * np.pi) + 0.05 * np.sin(seconds)
        along = (_columns / WIDTH - 0.5) * np.cos(turn) + (_rows / HEIGHT - 0.5) * np.sin(turn)
        return light(bright * np.exp(slope * along) * (1 + 0.2 * _flesh(seed)))

    return over


@cache
def _flesh(seed: int) -> Light:
    return light(cv2.GaussianBlur(texture(2.2, seed, (WIDTH, HEIGHT)), (0, 0), 50))


def cap(seen: Light, seconds: float, seed: int) -> Light:
    """Something opaque, close on the lens."""
    del seconds, seed
    return light(seen * 0 + 0.5)


def smear(width_px: float, share: float) -> Defect:
    """Grease on the glass: most of the light is scattered, some comes straight."""

    def over(seen: Light, seconds: float, seed: int) -> Light:
        del seed
        come = share * min(1.0, seconds / 2)
        scattered = cv2.GaussianBlur(seen, (0, 0), width_px)
        return light(10 * come + 0.95 * (seen * (1 - come) + scattered * come))

    return over


@dataclass(frozen=True)
class Faulty:
    """Ordinary footage to which something happens after `BEFORE` looks, for `DURING` looks."""

    fault: str
    name: str
    ordinary: Ordinary
    seed: int
    defect: Defect | None

    def __str__(self) -> str:
        return f"{self.name}; {self.ordinary.name}"

    def pairs(self) -> Iterator[Pair]:
        ordinary = self.ordinary
        sensor = Sensor(self.seed, ordinary.noise, most_gain=8, smooths=self.seed % 2 == 1)
        held: Plane | None = None
        for n, seen in enumerate(islice(ordinary.seen(self.seed), BEFORE + DURING + AFTER)):
            after = moved(seen, sensor, ordinary.shake_px)
            if not BEFORE <= n < BEFORE + DURING:
                yield sensor.expose(seen), sensor.expose(after)
            elif self.defect is None:
                held = sensor.expose(seen) if held is None else held
                yield held, held
            else:
                seconds = (n - BEFORE) / LOOKS_A_SECOND
                yield (
                    sensor.expose(self.defect(seen, seconds, self.seed)),
                    sensor.expose(self.defect(after, seconds + 0.03, self.seed)),
                )


BEFORE, DURING, AFTER = 16, 28, 10
_BRIGHT = {"glove": 25.0, "shaded hand": 70.0, "hand": 120.0}
_PLACES = (
    "street, walking", "street, standing", "indoors", "rain", "through doors",
    "street at night", "park at night",
)  # fmt: skip


def faulty(seed: int) -> Iterator[Faulty]:
    """Each fault in front of each of seven places."""
    seeds = count(1000 * seed)
    for ordinary in (ordinary for ordinary in ORDINARY if ordinary.name in _PLACES):
        for what, bright in _BRIGHT.items():
            for covers in (1.0, 0.97, 0.9):
                name = f"{what} over {covers:.0%}"
                yield Faulty("covered", name, ordinary, next(seeds), hand(covers, bright))
            yield Faulty("covered", f"{what} laid on", ordinary, next(seeds), palm(bright, 1.5))
        yield Faulty("blurred", "thin smear", ordinary, next(seeds), smear(8, 0.9))
        yield Faulty("blurred", "thick smear", ordinary, next(seeds), smear(12, 0.95))
        yield Faulty("dark", "cap", ordinary, next(seeds), cap)
        yield Faulty("frozen", "frozen", ordinary, next(seeds), None)

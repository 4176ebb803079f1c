"""What the lens check says of pictures, and when; the pictures are made here."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bodycam.camera.lens import LensCheck, LensEvent
from bodycam.clock import MS, NS

Plane = NDArray[np.uint8]
STEP_NS = NS // 2
_NOISE = np.random.default_rng(1)


def street() -> Plane:
    """Something with edges: blocks of many brightnesses."""
    blocks = np.random.default_rng(2).integers(40, 220, (18, 32))
    return np.kron(blocks, np.ones((20, 20))).astype(np.uint8)


def noisy(picture: Plane, sigma: float = 1.5) -> Plane:
    """The same, as a sensor gives it: no two pictures are equal."""
    noise = _NOISE.normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


def black() -> Plane:
    return np.full((360, 640), 16, np.uint8)


def look(pictures: Iterable[Plane], lens: LensCheck | None = None) -> list[LensEvent]:
    """What is said of these pictures, two a second from boot time 1 s on."""
    lens = lens or LensCheck()
    said = []
    for n, picture in enumerate(pictures):
        said += lens.look(picture, NS + n * STEP_NS)
    return said


def at_ns(n: int) -> int:
    return NS + n * STEP_NS


def test_a_picture_that_stands_still_on_a_tripod_is_not_frozen() -> None:
    assert look(noisy(street(), 0.5) for _ in range(40)) == []


def test_a_frozen_picture_is_told_once_with_its_beginning_and_its_end() -> None:
    still = noisy(street())
    said = look([*(noisy(street()) for _ in range(4)), *[still] * 20, noisy(street())])
    said += look([])
    assert said == [LensEvent("video.frozen", at_ns(5), {"found_ms": 3000})]


def test_the_end_carries_the_duration() -> None:
    pictures = [black()] * 20 + [noisy(street()) for _ in range(10)]
    assert look(noisy(picture) if i < 20 else picture for i, picture in enumerate(pictures)) == [
        LensEvent("video.dark", at_ns(0), {"found_ms": 3000}),
        LensEvent(
            "video.clear", at_ns(20), {"was": "dark", "from_ns": at_ns(0), "ms": 20 * STEP_NS // MS}
        ),
    ]


def test_a_shadow_of_two_seconds_is_no_event() -> None:
    assert look([noisy(street())] + [noisy(black()) for _ in range(4)] + [noisy(street())]) == []


def test_a_flash_of_light_does_not_end_the_dark() -> None:
    pictures = [noisy(black()) for _ in range(20)]
    pictures[12] = noisy(street())
    assert [event.ev for event in look(pictures)] == ["video.dark"]


def test_black_that_does_not_change_is_dark_and_not_frozen() -> None:
    assert [event.ev for event in look([black()] * 20)] == ["video.dark"]


def test_every_picture_may_be_shown_and_two_a_second_are_looked_at() -> None:
    lens, said = LensCheck(), []
    for n in range(30 * 5):
        # In between there is light: whoever looked at these pictures would see no dark.
        picture = black() if n % 15 == 0 else street()
        said += lens.look(picture, NS + n * NS // 30)
    assert [event.ev for event in said] == ["video.dark"]

"""What the lens check says of pictures, and when; the pictures are made here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bodycam.camera.lens import LensCheck, LensEvent
from bodycam.clock import MS, NS

Plane = NDArray[np.uint8]
Picture = NDArray[Any]
STEP_NS, FRAME_NS = NS // 2, NS // 30
_NOISE = np.random.default_rng(1)


def street() -> Plane:
    """Something with edges: blocks of many brightnesses."""
    blocks = np.random.default_rng(2).integers(40, 220, (18, 32))
    return np.kron(blocks, np.ones((20, 20))).astype(np.uint8)


def soft(picture: Plane, width_px: float) -> Plane:
    return cv2.GaussianBlur(picture, (0, 0), width_px).astype(np.uint8)


def palm() -> NDArray[np.float64]:
    """Shades so soft that no octave of fine detail is left."""
    rows, columns = np.mgrid[0:360, 0:640]
    return np.asarray(100 + 30 * np.cos(columns / 130) + 20 * np.cos(rows / 90))


def noisy(picture: Picture, sigma: float = 1.5) -> Plane:
    """The same, as a sensor gives it: no two pictures are equal."""
    noise = _NOISE.normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


def black() -> Plane:
    return np.full((360, 640), 16, np.uint8)


STILL = noisy(street())


def look(pictures: Iterable[Picture], sigma: float = 1.5) -> list[LensEvent]:
    """What is said of these pictures, two a second from boot time 1 s on, each with its successor.

    Every picture has noise of its own, but for one that is STILL, or all if sigma is 0.
    """
    lens, said = LensCheck(), []
    for n, picture in enumerate(pictures):
        for later_ns in (0, FRAME_NS):
            seen = picture if picture is STILL or not sigma else noisy(picture, sigma)
            said += lens.look(seen.astype(np.uint8, copy=False), at_ns(n) + later_ns)
    return said


def at_ns(n: int) -> int:
    return NS + n * STEP_NS


def test_a_picture_that_stands_still_on_a_tripod_is_not_frozen() -> None:
    assert look([street()] * 40, sigma=0.5) == []


def test_a_frozen_picture_is_told_once_with_its_beginning() -> None:
    said = look([*[street()] * 4, *[STILL] * 20, street()])
    assert said == [LensEvent("video.frozen", at_ns(5), {"found_ms": 3000})]


def test_the_end_carries_the_duration() -> None:
    assert look([black()] * 20 + [street()] * 10) == [
        LensEvent("video.dark", at_ns(0), {"found_ms": 3000}),
        LensEvent(
            "video.clear", at_ns(20), {"was": "dark", "from_ns": at_ns(0), "ms": 20 * STEP_NS // MS}
        ),
    ]


def test_a_shadow_of_two_seconds_is_no_event() -> None:
    assert look([street(), *[black()] * 4, street()]) == []


def test_a_flash_of_light_does_not_end_the_dark() -> None:
    pictures = [*[black()] * 12, street(), *[black()] * 7]
    assert [event.ev for event in look(pictures)] == ["video.dark"]


def test_black_that_does_not_change_is_dark_and_not_frozen() -> None:
    assert [event.ev for event in look([black()] * 20, sigma=0)] == ["video.dark"]


def test_a_lamp_far_away_is_light() -> None:
    night = black()
    night[100:104, 200:204] = 235
    assert look([night] * 20) == []


def test_a_palm_is_covered_and_a_smear_is_blurred() -> None:
    """Both are found through noise; how well, tests/test_lens_footage.py measures."""
    assert [event.ev for event in look([palm()] * 20)] == ["video.covered"]
    assert [event.ev for event in look([soft(street(), 9)] * 20)] == ["video.blurred"]


def test_a_bare_wall_is_no_hand() -> None:
    wall = np.tile(np.linspace(130, 190, 640), (360, 1))
    assert look([wall] * 60, sigma=3) == []


def test_one_fault_gives_way_to_another() -> None:
    pictures: list[Picture] = [*[palm()] * 12, *[black()] * 12]
    assert [event.ev for event in look(pictures)] == ["video.covered", "video.clear", "video.dark"]


def test_every_picture_may_be_shown_and_pairs_are_looked_at_twice_a_second() -> None:
    lens, looked = LensCheck(), []
    for n in range(60):
        if lens.wants(NS + n * FRAME_NS):
            looked.append(n)
        lens.look(street(), NS + n * FRAME_NS)
    assert looked == [0, 1, 16, 17, 32, 33, 48, 49], "a picture and the next, then not for 0.5 s"


def test_pictures_too_far_apart_say_only_whether_they_are_dark_or_frozen() -> None:
    """Half a second later a carried camera sees something else: nothing in common means nothing."""
    lens = LensCheck()
    assert [e for n in range(40) for e in lens.look(noisy(palm()), at_ns(n))] == []
    lens = LensCheck()
    said = [e.ev for n in range(40) for e in lens.look(noisy(black()), at_ns(n))]
    assert said == ["video.dark"]


@pytest.mark.parametrize("size", [(1080, 1920), (720, 1280), (180, 320), (90, 160), (48, 64)])
def test_a_picture_of_any_size_is_judged(size: tuple[int, int]) -> None:
    height, width = size
    sharp = cv2.resize(street(), (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    assert look([sharp] * 24) == []
    dark = np.full(size, 16, np.uint8)
    assert [event.ev for event in look([dark] * 24)] == ["video.dark"]


@given(arrays(np.uint8, (36, 64)), st.lists(st.integers(0, 3 * NS), max_size=30))
def test_no_picture_and_no_time_makes_it_raise(picture: Plane, later_ns: list[int]) -> None:
    lens, moment = LensCheck(), NS
    large = np.kron(picture, np.ones((6, 6), np.uint8))
    for step_ns in later_ns:
        moment += step_ns
        for event in lens.look(large, moment):
            assert event.at_ns <= moment

"""What is in the picture: the street, the frame number, the flash, the overlay; and encoding it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bodycam.camera.encoder import VideoEncoder
from bodycam.camera.frame_code import CodeLayout, read_flash, read_number, write_code
from bodycam.camera.overlay import Overlay, clock_text
from bodycam.camera.scene import Scene
from bodycam.clock import MS, NS, ClockSource, Instant, utc_from_text
from bodycam.config import Camera
from bodycam.media import is_vcl, split_annexb
from tests.scene_reader import read_frames

SIZES = [(320, 180), (640, 360), (854, 480), (1280, 720), (1920, 1080)]
NOON = utc_from_text("2026-11-23T14:05:09.345Z")
NTP = Instant(7 * NS, NOON, ClockSource.NTP, 5)


def grey(width: int, height: int, level: int = 120) -> NDArray[np.uint8]:
    return np.full((height, width), level, np.uint8)


# -- frame number and flash ----------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from(SIZES))
def test_what_is_written_is_read(number: int, flash: bool, size: tuple[int, int]) -> None:
    luma, layout = grey(*size), CodeLayout.of(*size)
    write_code(luma, layout, number, flash)
    assert read_number(luma, layout) == number
    assert read_flash(luma, layout) is flash


@given(st.integers(0, 2**32 - 1), st.integers(0, 31), st.booleans())
def test_a_damaged_block_is_not_misread(number: int, block: int, complement: bool) -> None:
    luma, layout = grey(320, 180), CodeLayout.of(320, 180)
    write_code(luma, layout, number, False)
    top, left = layout.top + complement * layout.cell, layout.left + block * layout.cell
    damaged = luma[top : top + layout.cell, left : left + layout.cell]
    damaged[:] = 251 - damaged
    assert read_number(luma, layout) is None


def test_a_picture_without_blocks_has_no_number() -> None:
    assert read_number(grey(320, 180), CodeLayout.of(320, 180)) is None


@pytest.mark.parametrize(("size", "kbps"), [((320, 180), 200), ((640, 360), 400)])
def test_numbers_survive_a_starved_encoder(
    tmp_path: Path, size: tuple[int, int], kbps: int
) -> None:
    encoder = VideoEncoder(Camera(bitrate_kbps=kbps), *size)
    scene, first = Scene(*size, 30), 0xABCD_EF00 // 30 * 30
    clip = tmp_path / "clip.h264"
    with clip.open("wb") as out:
        for number in range(first, first + 90):
            scene.draw(encoder.planes, number)
            out.write(encoder.encode()[1])
    frames = read_frames(clip)
    assert [frame.number for frame in frames] == list(range(first, first + 90))
    assert [i for i, frame in enumerate(frames) if frame.flash] == [0, 1, 30, 31, 60, 61]


def test_the_street_moves_and_a_restart_does_not_show() -> None:
    encoder = VideoEncoder(Camera(), 640, 360)
    pictures = []
    for number in (1000, 1001, 1000):
        Scene(640, 360, 30).draw(encoder.planes, number)
        pictures.append(encoder.planes[0].copy())
    above_the_code = slice(0, CodeLayout.of(640, 360).top)
    assert (pictures[0][above_the_code] != pictures[1][above_the_code]).mean() > 0.005
    assert (pictures[0] == pictures[2]).all()


@pytest.mark.parametrize("size", [(64, 64), (64, 2304), (4096, 64), (322, 182), (1366, 768)])
def test_every_size_that_the_configuration_takes_can_be_drawn(size: tuple[int, int]) -> None:
    encoder, scene = VideoEncoder(Camera(), *size), Scene(*size, 30)
    overlay = Overlay(*size, "B" * 32)
    for number in (0, 123_456, 2**32 - 1):
        scene.draw(encoder.planes, number)
        overlay.draw(encoder.planes[0], NTP, 7 * NS, number)
        assert encoder.planes[0].min() >= 16
        encoder.encode()


# -- encoder -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_one_picture_in_one_access_unit_out(width: int, height: int) -> None:
    encoder, scene = VideoEncoder(Camera(gop_ms=500), width, height), Scene(width, height, 30)
    overlay = Overlay(width, height, "BC-0001")
    began = time.process_time()
    keyframes = []
    for number in range(45):
        scene.draw(encoder.planes, number)
        overlay.draw(encoder.planes[0], NTP, number, number)
        keyframe, data = encoder.encode()
        keyframes += [number] if keyframe else []
        assert sum(is_vcl(nal) for nal in split_annexb(data)) == 1
    assert keyframes == [0, 15, 30]
    spent = (time.process_time() - began) / 45
    print(f"{width}x{height}: {spent * 1000:.1f} ms a picture, {spent * 30:.0%} of a core")


def test_the_rate_is_a_cap_even_for_noise() -> None:
    kbps, seconds = 400, 4
    encoder = VideoEncoder(Camera(bitrate_kbps=kbps), 320, 180)
    noise = np.random.default_rng(1)
    total = 0
    for _ in range(30 * seconds):
        for plane in encoder.planes:
            plane[:] = noise.integers(16, 235, plane.shape, np.uint8)
        total += len(encoder.encode()[1])
    # One second of buffer on top, which a ring that holds many seconds does not feel.
    assert total * 8 / 1000 < kbps * (seconds + 1) * 1.05


# -- overlay -------------------------------------------------------------------------------------


def test_the_time_is_utc_with_its_quality() -> None:
    assert clock_text(NTP, 7 * NS) == "2026-11-23 14:05:09.3Z ntp +-5ms"
    assert clock_text(NTP, 8 * NS) == "2026-11-23 14:05:10.3Z ntp +-5ms"
    rtc = Instant(7 * NS, NOON, ClockSource.RTC, 60_000)
    assert clock_text(rtc, 7 * NS) == "2026-11-23 14:05:09.3Z rtc +-60s"


def test_an_unset_clock_never_shows_a_date() -> None:
    unset = Instant(0, NOON, ClockSource.NONE, 16_000_000)
    assert clock_text(unset, 754 * NS + 620 * MS) == "TIME UNSET +12:34.6"


@pytest.mark.parametrize("size", SIZES)
def test_the_overlay_stays_clear_of_number_and_flash(size: tuple[int, int]) -> None:
    luma, layout = grey(*size), CodeLayout.of(*size)
    write_code(luma, layout, 0xA5A5_5A5A, True)
    before = luma.copy()
    Overlay(*size, "BC-0001").draw(luma, NTP, 7 * NS, 4_294_967_295)
    changed = np.flatnonzero((luma != before).any(axis=1))
    assert changed.size
    assert changed.max() < min(layout.flash_top, layout.top)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", [16, 128, 235])
def test_the_overlay_is_legible_on_anything(size: tuple[int, int], level: int) -> None:
    luma = grey(*size, level)
    Overlay(*size, "BC-0001").draw(luma, NTP, 7 * NS, 123)
    assert luma.max() >= 220, "light ink"
    assert luma.min() <= 40, "dark rim"


@pytest.mark.parametrize("size", SIZES)
def test_the_whole_line_fits_the_picture(size: tuple[int, int]) -> None:
    pictures = []
    for number in (4_294_967_290, 4_294_967_291):
        pictures.append(grey(*size))
        Overlay(*size, "BC-0001").draw(pictures[-1], NTP, 7 * NS, number)
    assert (pictures[0] != pictures[1]).any(), "the last digit is there"

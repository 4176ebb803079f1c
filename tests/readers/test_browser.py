"""Chromium plays the encrypted file: Media Source Extensions, ClearKey, and a picture to look at."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from bodycam.camera.frame_code import CodeLayout, read_number

from ..evidence import FPS, Evidence
from .browser import Browser, page
from .conftest import HEIGHT, SECONDS, WIDTH
from .opening import Opened, opened_by_jose

pytestmark = pytest.mark.system

SEEK_S = 2.0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


def content_type(segment: Path) -> str:
    """The codecs as the sample entries name them."""
    raw = segment.read_bytes()[:65536]
    at = raw.index(b"avcC") + 5
    sound = ",mp4a.40.2" if b"enca" in raw else ""
    return f'video/mp4; codecs="avc1.{raw[at : at + 3].hex()}{sound}"'


def shown_number(png: bytes) -> int | None:
    """The frame number in the blocks of a screenshot."""
    with av.open(io.BytesIO(png), "r", format="png_pipe") as container:
        picture = next(container.decode(video=0)).to_ndarray(format="gray")
    return read_number(np.ascontiguousarray(picture), CodeLayout.of(WIDTH, HEIGHT))


def test_chromium_plays_and_seeks_with_the_licence(
    evidence: Evidence, browser: Browser, tmp_path: Path
) -> None:
    segment = evidence.segments[0]
    opened = opened_by_jose(segment, evidence.custody_key, tmp_path)
    with page(segment, opened.licence, content_type(segment)) as (address, asked):
        browser.open(address)
        facts = json.loads(browser.run(f"show({SEEK_S})"))
        png = browser.screenshot(WIDTH, HEIGHT)
    (tmp_path / "screenshot.png").write_bytes(png)
    assert (facts["width"], facts["height"]) == (WIDTH, HEIGHT)
    assert facts["played"] >= 0.5
    assert facts["frames"] >= FPS // 2
    assert facts["duration"] == pytest.approx(SECONDS, abs=0.1)
    assert (facts["sound_bytes"] > 0) == ("mp4a" in content_type(segment))
    # The second `pssh` made it ask, and for this key only.
    kids = json.loads(asked[0])["kids"]
    assert [base64.urlsafe_b64decode(kid + "==").hex() for kid in kids] == [opened.kid]
    assert shown_number(png) == pytest.approx(SEEK_S * FPS, abs=1)


def test_without_the_right_key_no_picture_is_shown(
    evidence: Evidence, browser: Browser, tmp_path: Path
) -> None:
    segment = evidence.segments[0]
    right = opened_by_jose(segment, evidence.custody_key, tmp_path)
    wrong = right.licence.replace(_b64u(right), base64.urlsafe_b64encode(bytes(16)).decode()[:22])
    assert wrong != right.licence
    with page(segment, wrong, content_type(segment)) as (address, _):
        browser.open(address)
        browser.run("Promise.race([show(1).catch(String), new Promise(d => setTimeout(d, 3000))])")
        png = browser.screenshot(WIDTH, HEIGHT)
    assert shown_number(png) is None


def _b64u(opened: Opened) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(opened.key)).rstrip(b"=").decode()

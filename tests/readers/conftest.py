"""Evidence for readers: with and without sound, and from the daemon itself."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from bodycam.camera.frame_code import CodeLayout, write_code
from bodycam.media import AccessUnit, Track

from ..evidence import FPS, FRAME_NS, START_NS, Evidence, build_store, footage, of_track

WIDTH, HEIGHT, SECONDS = 320, 180, 3


def numbered_pictures(frames: int) -> list[AccessUnit]:
    """Pictures that say which one they are, in blocks that survive encoding."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, FPS), Fraction(FPS)
    codec.options = {"preset": "ultrafast", "bf": "0", "g": "15", "qp": "28",
                     "x264-params": "repeat-headers=1:annexb=1"}  # fmt: skip
    layout = CodeLayout.of(WIDTH, HEIGHT)
    units: list[AccessUnit] = []

    def take(packets: Sequence[Any]) -> None:
        units.extend(
            AccessUnit(Track.VIDEO, START_NS + p.pts * FRAME_NS, p.is_keyframe, p.pts, bytes(p))
            for p in packets
        )

    for number in range(frames):
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        picture[:HEIGHT] = np.linspace(60, 200, WIDTH, dtype=np.uint8)[None, :]
        write_code(picture[:HEIGHT], layout, number, flash=False)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        take(codec.encode(frame))
    take(codec.encode(None))
    return units


@pytest.fixture(scope="session", params=["video and sound", "video only"])
def evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    pictures = numbered_pictures(SECONDS * FPS)
    folder = tmp_path_factory.mktemp("readers")
    if request.param == "video only":
        return build_store(folder, units=pictures, audio=None, segment_s=SECONDS)
    sounds = of_track(footage(SECONDS), Track.AUDIO)
    units = sorted([*pictures, *sounds], key=lambda unit: (unit.at_ns, unit.track))
    return build_store(folder, units=units, segment_s=SECONDS)

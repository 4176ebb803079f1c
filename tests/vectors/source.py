"""The footage of the vectors: a few coded pictures and sounds, checked in as text.

Another release of the encoder makes other bytes, so they are made once and kept:
`python -m tests.vectors.source` makes them anew.
"""

from __future__ import annotations

import base64
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from bodycam.clock import NS
from bodycam.media import AccessUnit, AudioFormat, Track, aac_config

from ..evidence import START_NS

SOURCE = Path(__file__).with_name("source.json")
RATE_HZ = 8000
AUDIO = AudioFormat(RATE_HZ, 1, aac_config(RATE_HZ, 1))
FPS, FRAMES, SIDE = 20, 28, 64


def read_units() -> list[AccessUnit]:
    """Pictures and sounds in order of capture."""
    kept = json.loads(SOURCE.read_text())
    units = [
        AccessUnit(Track.VIDEO, START_NS + i * NS // FPS, key, i, base64.b64decode(data))
        for i, (key, data) in enumerate(kept["pictures"])
    ] + [
        AccessUnit(
            Track.AUDIO, START_NS + i * 1024 * NS // RATE_HZ, True, i, base64.b64decode(data)
        )
        for i, data in enumerate(kept["sounds"])
    ]  # fmt: skip
    return sorted(units, key=lambda unit: (unit.at_ns, unit.track))


def _pictures() -> list[Any]:
    import av
    import numpy as np

    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width = codec.height = SIDE
    codec.pix_fmt, codec.time_base, codec.framerate = "yuv420p", Fraction(1, FPS), Fraction(FPS)
    codec.options = {
        "preset": "veryslow", "bf": "0", "g": str(FPS), "keyint_min": str(FPS), "sc_threshold": "0",
        "threads": "1", "qp": "34", "x264-params": "repeat-headers=1:annexb=1:bframes=0",
    }  # fmt: skip
    packets = []
    for number in range(FRAMES):
        picture = np.full((SIDE * 3 // 2, SIDE), 128, np.uint8)
        picture[:SIDE] = np.arange(SIDE, dtype=np.uint8)[None, :] * 3
        picture[8:24, number : number + 16] = 240
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        packets += codec.encode(frame)
    packets += codec.encode(None)
    return [[p.is_keyframe, base64.b64encode(bytes(p)).decode()] for p in packets]


def _sounds() -> list[str]:
    import av
    import numpy as np

    codec = av.CodecContext.create("aac", "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = RATE_HZ, "mono", "fltp"
    codec.bit_rate = 8000
    wave = (0.3 * np.sin(np.arange(RATE_HZ * FRAMES // FPS) * 0.3)).astype(np.float32)
    packets = []
    for at in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, at
        packets += codec.encode(frame)
    return [base64.b64encode(bytes(p)).decode() for p in packets]


def main() -> None:
    kept = {"pictures": _pictures(), "sounds": _sounds()}
    SOURCE.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()

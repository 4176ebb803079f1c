"""How loud AAC frames are: `python -m bodycam.camera.soundlevel`, for whoever must not load a codec.

On stdin one line of JSON, {"config": hex, "sizes": [...]}, then the frames; on stdout {"peak_db": N}.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import Any, cast

import av
import numpy as np

SILENCE_DB = -120


def peak_db(config: bytes, frames: Iterable[bytes]) -> int:
    """The loudest sample in dB of full scale; -120 for nothing but zeros."""
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = config
    peak = 0.0
    for data in frames:
        for frame in decoder.decode(av.Packet(data)):
            samples = cast("Any", frame).to_ndarray()
            peak = max(peak, float(np.abs(samples).max(initial=0.0)))
    return max(SILENCE_DB, round(20 * math.log10(peak))) if peak > 0 else SILENCE_DB


def main() -> int:
    head = json.loads(sys.stdin.buffer.readline())
    frames = [sys.stdin.buffer.read(size) for size in head["sizes"]]
    print(json.dumps({"peak_db": peak_db(bytes.fromhex(head["config"]), frames)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

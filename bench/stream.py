"""Work W: one H.264 stream for everybody, encoded once and kept in a cache folder.

A moving test pattern with noise, High profile, constant rate, a keyframe a second with its
parameter sets, no B-frames. Played beyond its end it begins again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

FPS = 30
GOP = 30
STEP_NS = 1_000_000_000 // FPS


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What is encoded."""

    width: int = 1920
    height: int = 1080
    kbps: int = 8000
    seconds: int = 60

    @property
    def name(self) -> str:
        return f"w{self.width}x{self.height}-{self.kbps}k-{self.seconds}s"


class Stream:
    """Access units read from the cached file, each a fresh copy as an encoder hands it over."""

    def __init__(self, index: Path) -> None:
        facts = json.loads(index.read_text(encoding="ascii"))
        self.index = index
        self.file = index.with_suffix(".h264")
        self.spec = StreamSpec(**facts["spec"])
        self.sizes: list[int] = facts["sizes"]
        self._fd = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        self._offsets = [0]
        for size in self.sizes:
            self._offsets.append(self._offsets[-1] + size)

    def unit(self, number: int) -> bytes:
        at = number % len(self.sizes)
        return os.pread(self._fd, self.sizes[at], self._offsets[at])

    def payload(self, first: int, end: int) -> int:
        """Bytes of the units from `first` up to, without, `end`."""
        return sum(self.sizes[i % len(self.sizes)] for i in range(first, end))

    @property
    def mbit_s(self) -> float:
        return sum(self.sizes) * 8 / 1e6 * FPS / len(self.sizes)


def is_keyframe(number: int) -> bool:
    return number % GOP == 0


def first_in_window(press: int, keep_s: int) -> int:
    """The first unit that a ring of whole GOPs can give for a press: a keyframe in the window."""
    from_unit = max(0, press - keep_s * FPS)
    return -(-from_unit // GOP) * GOP


def cached(folder: Path, spec: StreamSpec) -> Stream:
    """The stream out of the cache, encoded now if it is not there."""
    index = folder / f"{spec.name}.json"
    if not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _encode(index, spec)
    return Stream(index)


def _encode(index: Path, spec: StreamSpec) -> None:
    import av

    codec = av.CodecContext.create("libx264", "w")
    video: Any = codec
    video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
    video.framerate, video.bit_rate, video.gop_size = FPS, spec.kbps * 1000, GOP
    video.max_b_frames = 0
    video.options = {
        "preset": "veryfast",
        "profile": "high",
        "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:repeat-headers=1:"
        f"vbv-maxrate={spec.kbps}:vbv-bufsize={spec.kbps}",
    }
    sizes: list[int] = []
    unfinished = index.with_suffix(".part")
    with unfinished.open("wb") as file:
        for frame in chain(_frames(spec), [None]):
            sizes.extend(file.write(bytes(packet)) for packet in video.encode(frame))
    if len(sizes) != spec.seconds * FPS:
        raise RuntimeError(f"libx264 gave {len(sizes)} units for {spec.seconds * FPS} pictures")
    unfinished.rename(index.with_suffix(".h264"))
    index.write_text(json.dumps({"spec": asdict(spec), "sizes": sizes}), encoding="ascii")


def _frames(spec: StreamSpec) -> Any:
    import av
    import numpy as np

    width, height = spec.width, spec.height
    rng = np.random.default_rng(1)
    noise = [rng.integers(-6, 7, (height + 64, width + 64), dtype=np.int16) for _ in range(4)]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pattern = ((x // 8 + y // 8) % 200 + 16).astype(np.int16)
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    for i in range(spec.seconds * FPS):
        dx, dy = i * 37 % 64, i * 53 % 64
        luma = np.roll(pattern, i * 4, 1) + noise[i % 4][dy : dy + height, dx : dx + width]
        picture[:height] = np.clip(luma, 16, 235)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = i
        yield frame

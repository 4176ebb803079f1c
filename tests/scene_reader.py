"""Reads the synthetic scene back from a finished video: frame numbers, flashes, beeps.

Times are seconds of the file's own time line, start offsets included, so that picture and sound
can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from bodycam.camera.frame_code import CodeLayout, read_flash, read_number
from bodycam.camera.tone import BEEP_HZ

_STEP_S = 0.001
_WINDOW_S = 0.004
# AAC fades in over its first two blocks of 1,024 samples (ISO/IEC 14496-3, 4.6.11): a beep that sounded
# already when the sound began rises there, and did not begin there.
_FADE_IN_SAMPLES = 2 * 1024


@dataclass(frozen=True)
class FrameSeen:
    """One decoded picture and what its blocks say; `number` is None if the check fails."""

    index: int
    pts_s: float
    number: int | None
    flash: bool


def read_frames(path: Path | str) -> list[FrameSeen]:
    """Every picture of the file, in order."""
    seen: list[FrameSeen] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = _luma(frame)
            layout = CodeLayout.of(frame.width, frame.height)
            number, flash = read_number(luma, layout), read_flash(luma, layout)
            seen.append(FrameSeen(len(seen), frame.time or 0.0, number, flash))
    return seen


def flash_onsets(frames: list[FrameSeen]) -> list[float]:
    """When each flash begins; one that is already lit in the first frame is left out."""
    pairs = pairwise(frames)
    return [now.pts_s for before, now in pairs if now.flash and not before.flash]


def beep_onsets(path: Path | str) -> list[float]:
    """When each 1 kHz beep begins; one that already sounds when the sound begins is left out."""
    start_s, rate_hz, samples = _sound(path)
    if not samples.size:
        return []
    step, window = int(rate_hz * _STEP_S), int(rate_hz * _WINDOW_S)
    tone = np.exp(-2j * np.pi * BEEP_HZ * np.arange(len(samples)) / rate_hz)
    running = np.concatenate(([0], np.cumsum(samples * tone)))
    ends = np.arange(window, len(running), step)
    level = np.abs(running[ends] - running[ends - window]) / window
    loud = level > 0.4 / 4  # a pure tone of amplitude 0.4 gives 0.2: half of that is the edge
    rises = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    rises = rises[ends[rises] - window > _FADE_IN_SAMPLES]
    # The level passes half where half of the window is beep.
    return [float(start_s + (ends[i] - window / 2) / rate_hz) for i in rises]


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def _sound(path: Path | str) -> tuple[float, int, NDArray[np.float32]]:
    """Start, rate and samples of the first channel, laid out by time: a hole is silence."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return 0.0, 1, np.zeros(0, np.float32)
        pieces: list[tuple[int, NDArray[np.float32]]] = []
        rate_hz, start_s = container.streams.audio[0].rate, None
        for frame in container.decode(audio=0):
            at_s = frame.time or 0.0
            start_s = at_s if start_s is None else start_s
            pieces.append((round((at_s - start_s) * rate_hz), frame.to_ndarray()[0]))
    total = max((at + len(piece) for at, piece in pieces), default=0)
    samples = np.zeros(total, np.float32)
    for at, piece in pieces:
        samples[max(0, at) : at + len(piece)] = piece[max(0, -at) :]
    return start_s or 0.0, rate_hz, samples

"""How much detail a picture has, octave by octave, block by block.

In a picture that is in focus each octave of detail is about as strong as the next coarser one,
whatever it shows: street, room, fog, the dark around a lamp. A lens out of focus takes the fine
octaves away and leaves the coarse. Noise has fine octaves too, but other ones in each picture: so two
pictures are measured that follow each other, and what counts is what both show.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Numbers = NDArray[np.float32]
_SIZE = (320, 180)
_BLOCKS = (8, 6)
_OCTAVES = 4
_FAR_PX = 16
_WINDOW = cv2.createHanningWindow((_SIZE[0] // 2, _SIZE[1] // 2), cv2.CV_32F)
# So much of the noise in the finest octave may be left in the next where a camera smooths pictures
# in time; without that, none of it is in both.
_NOISE_KEPT = 0.4
# The blocks with least detail show what is noise alone.
_QUIET_PERCENTILE = 8


@dataclass(frozen=True, slots=True)
class Detail:
    """Of 48 blocks: mean luma, and the strength of fine and of coarse detail in steps of luma.

    `noise` is that of the reduced pictures.
    """

    luma: Numbers
    fine: Numbers
    coarse: Numbers
    noise: float


def reduced(picture: Plane) -> Plane:
    """A picture of any size as `measure` wants it."""
    return cv2.resize(picture, _SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def measure(first: Plane, second: Plane) -> Detail:
    """What two reduced pictures show that were taken a few hundredths of a second apart."""
    bands, others = _bands(first), _bands(_aligned(first, second))
    finest, fine = (_by_block(bands[i] * others[i]) for i in (0, 1))
    differ = _by_block(bands[0] * bands[0]) - np.maximum(finest, 0)
    noise = max(0.0, float(np.percentile(differ, _QUIET_PERCENTILE))) ** 0.5
    fine = fine - (_NOISE_KEPT * noise) ** 2
    return Detail(
        _by_block(first.astype(np.float32)),
        np.sqrt(np.maximum(fine, 0)),
        np.sqrt(_by_block(bands[3] * bands[3])),
        noise,
    )


def _aligned(first: Plane, second: Plane) -> Plane:
    """The second picture, moved by whole pixels to where the camera pointed at the first."""
    (across, down), _ = cv2.phaseCorrelate(_halved(first), _halved(second), _WINDOW)
    if max(abs(across), abs(down)) > _FAR_PX:
        return second  # nothing to hold on to, only noise
    move = np.array([[1, 0, -round(2 * across)], [0, 1, -round(2 * down)]], np.float32)
    moved = cv2.warpAffine(second, move, _SIZE, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(np.uint8, copy=False)


def _bands(picture: Plane) -> list[Numbers]:
    """What each octave shows that the next coarser one does not."""
    levels = [picture.astype(np.float32)]
    for _ in range(_OCTAVES):
        levels.append(_halved(levels[-1]))
    return [level - _doubled(coarser, level.shape) for level, coarser in pairwise(levels)]


def _halved(level: Plane | Numbers) -> Numbers:
    height, width = level.shape
    return _numbers(cv2.resize(level, (width // 2, height // 2), interpolation=cv2.INTER_AREA))


def _doubled(level: Numbers, shape: tuple[int, ...]) -> Numbers:
    return _numbers(cv2.resize(level, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))


def _by_block(level: Numbers) -> Numbers:
    return _numbers(cv2.resize(level, _BLOCKS, interpolation=cv2.INTER_AREA))


def _numbers(array: NDArray[Any]) -> Numbers:
    return array.astype(np.float32, copy=False)

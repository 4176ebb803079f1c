"""The frame number as black and white blocks in the picture, and the flash: written and read.

Two rows of 32 blocks near the lower edge: the number, most significant bit first, and under it
its complement, so that a damaged picture is not misread. The flash is a patch on the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
BITS = 32
BLACK, WHITE = 16, 235
FLASH_FRAMES = 2
_SHIFTS = np.arange(BITS - 1, -1, -1, dtype=np.uint32)
_MIN_CONTRAST = 64


@dataclass(frozen=True, slots=True)
class CodeLayout:
    """Where blocks and flash lie in a picture of one size; all even, all in pixels.

    Readable from 320 pixels of width on; below that the blocks are drawn but too small.
    """

    cell: int
    left: int
    top: int
    flash_left: int
    flash_top: int
    flash_size: int

    @classmethod
    def of(cls, width: int, height: int) -> CodeLayout:
        cell = max(2, width // 80 * 2)
        flash = 3 * cell
        return cls(
            cell=cell,
            left=(width - BITS * cell) // 4 * 2,
            top=height - 3 * cell,
            flash_left=width - flash - cell,
            flash_top=height // 10 * 2,
            flash_size=flash,
        )


def write_code(luma: Plane, layout: CodeLayout, number: int, flash: bool) -> None:
    """Draw the blocks and the patch on the luma of one picture."""
    bits = (np.uint32(number) >> _SHIFTS) & 1
    row = np.repeat(BLACK + bits.astype(np.uint8) * (WHITE - BLACK), layout.cell)
    top, left, cell = layout.top, layout.left, layout.cell
    luma[top : top + cell, left : left + len(row)] = row
    luma[top + cell : top + 2 * cell, left : left + len(row)] = (WHITE + BLACK) - row
    y, x, size = layout.flash_top, layout.flash_left, layout.flash_size
    luma[y : y + size, x : x + size] = WHITE if flash else BLACK


def read_number(luma: Plane, layout: CodeLayout) -> int | None:
    """The number of a decoded picture; None if block and complement do not agree."""
    cell, margin = layout.cell, layout.cell // 4
    rows = luma[layout.top : layout.top + 2 * cell, layout.left : layout.left + BITS * cell]
    if rows.shape != (2 * cell, BITS * cell):
        return None
    blocks = rows.reshape(2, cell, BITS, cell)
    inner = blocks[:, margin : cell - margin, :, margin : cell - margin]
    levels = inner.astype(np.int32).mean(axis=(1, 3))
    contrast = levels[0] - levels[1]
    if np.abs(contrast).min() < _MIN_CONTRAST:
        return None
    return int(((contrast > 0).astype(np.uint64) << _SHIFTS.astype(np.uint64)).sum())


def read_flash(luma: Plane, layout: CodeLayout) -> bool:
    """True if the patch of a decoded picture is lit."""
    y, x, size = layout.flash_top, layout.flash_left, layout.flash_size
    margin = size // 4
    patch = luma[y + margin : y + size - margin, x + margin : x + size - margin]
    return bool(patch.mean() > (BLACK + WHITE) / 2)

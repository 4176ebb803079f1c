"""What is burnt into the picture: UTC with its quality, device id, frame counter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clock import MS, NS, ClockSource, Instant, utc_text

Plane = NDArray[np.uint8]
_BLACK, _WHITE = 16, 235


def clock_text(sample: Instant, at_ns: int) -> str:
    """The time of a moment as the overlay says it; an unset clock is never shown as a date."""
    if sample.source is ClockSource.NONE:
        minutes, rest = divmod(at_ns // (100 * MS), 600)
        return f"TIME UNSET +{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    text = utc_text(sample.utc_at(at_ns))
    width = f"{sample.unc_ms}ms" if sample.unc_ms < 10_000 else f"{sample.unc_ms * MS // NS}s"
    return f"{text[:10]} {text[11:21]}Z {sample.source.value} +-{width}"


class Overlay:
    """Writes light text with a dark outline on the luma plane, legible on any picture.

    Glyphs are drawn once and kept: fixed pitch, so that the digits of the time stand still.
    """

    def __init__(self, width: int, height: int, device_id: str) -> None:
        self._device_id = device_id
        self._glyph_px = max(12, height // 30)
        self._glyphs: dict[str, tuple[Plane, Plane]] = {}
        self._margin = max(4, height // 60)
        self._pitch = round(self._glyph_px * 0.68)
        self._columns = max(1, (width - 2 * self._margin) // self._pitch)

    def draw(self, luma: Plane, sample: Instant, at_ns: int, number: int) -> None:
        """Burn the line in; two lines where one is too long for the picture."""
        left, right = clock_text(sample, at_ns), f"{self._device_id}  #{number}"
        whole = f"{left}  {right}"
        lines = (whole,) if len(whole) <= self._columns else (left, right)
        line_px = self._glyph_px + self._glyph_px // 3
        for i, line in enumerate(lines):
            self._write(luma, self._margin + i * line_px, line[: self._columns])

    def _write(self, luma: Plane, top: int, line: str) -> None:
        pairs = [self._glyphs.get(c) or self._make_glyph(c) for c in line]
        ink = np.hstack([pair[0] for pair in pairs])
        rim = np.hstack([pair[1] for pair in pairs])
        strip = luma[top : top + ink.shape[0], self._margin : self._margin + ink.shape[1]]
        ink, rim = ink[: strip.shape[0], : strip.shape[1]], rim[: strip.shape[0], : strip.shape[1]]
        np.minimum(strip, rim, out=strip)
        np.maximum(strip, ink, out=strip)

    def _make_glyph(self, character: str) -> tuple[Plane, Plane]:
        """Ink (0 where there is none) and the highest luma its outline leaves around it."""
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, self._glyph_px / 30
        tall = self._glyph_px + self._glyph_px // 4
        (across, _), _ = cv2.getTextSize(character, font, scale, 2)
        wide = max(across, self._pitch)
        cell: Plane = np.zeros((tall, wide), np.uint8)
        origin = ((wide - across) // 2, self._glyph_px)
        cv2.putText(cell, character, origin, font, scale, 255, 2, cv2.LINE_AA)
        if wide > self._pitch:
            cell = cv2.resize(cell, (self._pitch, tall), interpolation=cv2.INTER_AREA).astype(
                np.uint8
            )
        spread = max(3, self._glyph_px // 5 | 1)
        dark = cv2.dilate(cell, np.ones((spread, spread), np.uint8))
        ink = (cell.astype(np.uint16) * _WHITE // 255).astype(np.uint8)
        rim = (255 - dark.astype(np.uint16) * (255 - _BLACK) // 255).astype(np.uint8)
        self._glyphs[character] = ink, rim
        return ink, rim

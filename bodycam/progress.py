"""A progress bar on stderr for whatever takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_QUIET_S = 2.0
_EVERY_S = 0.2
_WIDTH = 30


class Progress:
    """Call `update` as often as you like; it shows itself only when it is worth it.

    On a terminal one line is redrawn; elsewhere a line is written for each tenth.
    """

    def __init__(self, label: str, total: int, out: TextIO | None = None) -> None:
        self._label = label
        self._total = max(1, total)
        self._out = out if out is not None else sys.stderr
        self._terminal = self._out.isatty()
        self._began = self._drawn = time.monotonic()
        self._tenth = -1

    def update(self, done: int) -> None:
        """So much of the total is done."""
        now = time.monotonic()
        if now - self._began < _QUIET_S or now - self._drawn < _EVERY_S:
            return
        self._drawn = now
        share = min(1.0, done / self._total)
        if self._terminal:
            full = int(share * _WIDTH)
            bar = "#" * full + "." * (_WIDTH - full)
            self._out.write(f"\r{self._label} [{bar}] {share:4.0%}")
            self._out.flush()
        elif int(share * 10) > self._tenth:
            self._tenth = int(share * 10)
            self._out.write(f"{self._label} {share:4.0%}\n")

    def close(self) -> None:
        """End the line, if one was drawn. Idempotent."""
        if self._terminal and self._drawn > self._began:
            self._out.write("\r" + " " * (len(self._label) + _WIDTH + 10) + "\r")
            self._out.flush()
        self._drawn = self._began

"""A progress bar on stderr for whatever takes longer than two seconds."""

from __future__ import annotations

import sys
from typing import TextIO

from .clock import NS, SystemClock

_QUIET_NS = 2 * NS
_EVERY_NS = NS // 5
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
        self._clock = SystemClock()
        self._began_ns = self._drawn_ns = self._clock.boot_ns()
        self._tenth = -1

    def update(self, done: int) -> None:
        """So much of the total is done."""
        now_ns = self._clock.boot_ns()
        if now_ns - self._began_ns < _QUIET_NS or now_ns - self._drawn_ns < _EVERY_NS:
            return
        self._drawn_ns = now_ns
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
        if self._terminal and self._drawn_ns > self._began_ns:
            self._out.write("\r" + " " * (len(self._label) + _WIDTH + 10) + "\r")
            self._out.flush()
        self._drawn_ns = self._began_ns

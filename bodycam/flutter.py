"""Edges of a flag that may flutter: each is said, up to a number a minute; beyond it they are counted.

An under-voltage alarm that comes and goes ten times a second must not fill the log.
"""

from __future__ import annotations

from .clock import NS

_WINDOW_NS = 60 * NS
_EDGES_A_MINUTE = 6


class Flutter:
    """One set of flags."""

    def __init__(self) -> None:
        self.flags: frozenset[str] = frozenset()
        self._window_ns = 0
        self._said = 0
        self._unsaid = 0

    def feed(self, flags: frozenset[str], now_ns: int) -> int:
        """How many edges a line now stands for; 0 if there is nothing to say."""
        edge = flags != self.flags
        self.flags = flags
        if now_ns - self._window_ns >= _WINDOW_NS:
            self._window_ns, self._said = now_ns, 0
            unsaid, self._unsaid = self._unsaid, 0
            if unsaid:
                self._said = 1
                return unsaid + edge
        if not edge:
            return 0
        if self._said >= _EDGES_A_MINUTE:
            self._unsaid += 1
            return 0
        self._said += 1
        return 1

"""How much one source may write into the log: a loose plug or a mad worker must not fill it."""

from __future__ import annotations

from .clock import NS


class Allowance:
    """So many lines a minute; beyond that they are counted."""

    _WINDOW_NS = 60 * NS

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._since_ns = 0
        self._said = 0
        self._unsaid = 0

    def take(self) -> bool:
        """True if one more line may be written."""
        self._said += 1
        if self._said <= self._lines:
            return True
        self._unsaid += 1
        return False

    @property
    def said(self) -> int:
        """Lines that were asked for in this minute, those that are only counted too."""
        return self._said

    def renew(self, now_ns: int) -> int:
        """Begin a new minute when it is time; how many lines were not written in the last one."""
        if now_ns - self._since_ns < self._WINDOW_NS:
            return 0
        self._since_ns = now_ns
        unsaid, self._said, self._unsaid = self._unsaid, 0, 0
        return unsaid

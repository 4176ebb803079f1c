"""A process that dies again and again, and what its next life leaves out.

| lives | a death                                   | next lives | said        |
|-------|-------------------------------------------|------------|-------------|
| full  | fewer than five in 60 s                   | full       |             |
| full  | the fifth in 60 s                         | safe       | `crashloop` |
| safe  | after less than 10 minutes                | safe       |             |
| safe  | after 10 minutes: what was it is over     | full       |             |

A camera that is not there is no crash: that death says why, and safe mode would not cure it.
"""

from __future__ import annotations

from collections import deque

from .clock import NS

DEATHS = 5
WITHIN_NS = 60 * NS
_CURED_NS = 600 * NS


class CrashLoop:
    """The table above; pure, times are passed in."""

    def __init__(self, *, safe: bool = False) -> None:
        self._deaths: deque[int] = deque(maxlen=DEATHS)
        self.safe = safe

    def died(self, began_ns: int, now_ns: int) -> bool:
        """Count a death; True if it is the one that makes it a loop."""
        if self.safe:
            if now_ns - began_ns >= _CURED_NS:
                self.safe = False
                self._deaths.clear()
            return False
        self._deaths.append(now_ns)
        self.safe = len(self._deaths) == DEATHS and now_ns - self._deaths[0] <= WITHIN_NS
        return self.safe

"""When a sample was heard: its place in the count of samples, laid on boot time.

A read tells when its last sample was there at the latest, never too early. So the line through
the samples runs along the earliest reads. What moves it:

| state    | a read                               | next     | the samples held, and this read's      |
|----------|--------------------------------------|----------|----------------------------------------|
| starting | less than 0.2 s since the first      | starting | are held: the first reads may be late  |
| starting | 0.2 s since the first                | settled  | are placed by the earliest read        |
| settled  | within 20 ms of the line             | settled  | are placed; the line follows the drift |
| settled  | later than that                      | doubtful | are held: late, or samples were lost?  |
| doubtful | within 20 ms of the line             | settled  | are placed: it was only late           |
| doubtful | 0.2 s of reads, all later            | settled  | begin after a gap, at the earliest (1) |
| any      | 20 ms earlier than the line          | settled  | begin earlier: the line had been wrong |

To follow is to fall to each earlier read at once, and to rise towards later ones by no more than
1 ms a second, which no crystal exceeds: what is later still is a reader that lags, or a loss.

(1) Those up to the last read within 20 ms of the earliest. What is later than that to the end is doubtful
anew: a read may have been late just before something was lost, and says nothing of what came after.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..clock import MS, NS

OFF_LINE_NS = 20 * MS
DECIDED_NS = 200 * MS
_DECIDED_READS = 3
_DRIFT_PPM = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """Sample `n` was heard at `at_ns(n)`; `jump_ns` is how far the line was moved just now.

    It places the first `reads` of the reads that are held, the one just told of included.
    """

    rate_hz: int
    origin_ns: int
    jump_ns: int = 0
    reads: int = 1

    def at_ns(self, count: int) -> int:
        return self.origin_ns + count * NS // self.rate_hz


@dataclass(frozen=True, slots=True)
class _Late:
    """A read that is off the line: when, and where it would lay the line."""

    at_ns: int
    origin_ns: int


class SampleClock:
    """The table above."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._origin_ns: int | None = None
        self._held: list[_Late] = []
        self._total = 0

    def heard(self, total: int, at_ns: int) -> Line | None:
        """So many samples had come by that moment; the line that places them, None to hold them."""
        highest_ns = self._highest_ns(total - self._total)
        self._total = total
        origin_ns = at_ns - total * NS // self._rate_hz
        if self._origin_ns is None or origin_ns - self._origin_ns > OFF_LINE_NS:
            return self._hold(_Late(at_ns, origin_ns))
        held, self._held = len(self._held), []
        if origin_ns - self._origin_ns < -OFF_LINE_NS:
            return self._move(origin_ns, held + 1)
        self._origin_ns = min(origin_ns, highest_ns)
        return Line(self._rate_hz, self._origin_ns, reads=held + 1)

    def _highest_ns(self, samples: int) -> int:
        """Where a line would be that had risen as fast as it may during so many samples."""
        rise_ns = samples * NS // self._rate_hz * _DRIFT_PPM // 1_000_000
        return (self._origin_ns or 0) + rise_ns

    def _hold(self, late: _Late) -> Line | None:
        held = self._held
        held.append(late)
        if len(held) < _DECIDED_READS or late.at_ns - held[0].at_ns < DECIDED_NS:
            return None
        origin_ns = min(read.origin_ns for read in held)
        near = [i for i, read in enumerate(held) if read.origin_ns - origin_ns <= OFF_LINE_NS]
        placed = near[-1] + 1
        self._held = held[placed:]
        return self._move(origin_ns, placed)

    def _move(self, origin_ns: int, reads: int) -> Line:
        before_ns = origin_ns if self._origin_ns is None else self._origin_ns
        self._origin_ns = origin_ns
        return Line(self._rate_hz, origin_ns, origin_ns - before_ns, reads)

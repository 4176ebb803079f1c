"""Where the boots of a camera lie in UTC: one anchor for each, the best that was ever sampled.

Within a boot, durations are boot time alone. UTC of any moment of a boot is that of its anchor plus
the boot time in between: the sample with the smallest error; of equal ones, the latest line. A clock
that was 40 minutes wrong in the morning and was set at noon is right for the whole boot. A clock that
nothing set (`none`) says nothing of the time of day, whatever error it gives.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..clock import ClockSource
from ..custody.segmentfacts import SegmentFacts


@dataclass(frozen=True, slots=True)
class Anchor:
    """One moment on both clocks, and how far UTC may be off."""

    boot_ns: int
    utc_ns: int
    err_us: int
    source: str
    seq: int

    def at_us(self, boot_ns: int) -> int:
        """UTC of another moment of the same boot, in whole microseconds."""
        return (self.utc_ns + boot_ns - self.boot_ns) // 1000

    def span_ns(self, start_us: int, end_us: int) -> tuple[int, int]:
        """The moments of the boot, [start, end) in ns, that lie in [start, end) of UTC."""
        offset_ns = self.boot_ns - self.utc_ns
        return start_us * 1000 + offset_ns, end_us * 1000 + offset_ns


class Anchors:
    """The best anchor of each boot: of its log or, where that is missing, of signed fragments."""

    def __init__(self) -> None:
        self._logged: dict[str, Anchor] = {}
        self._signed: dict[str, Anchor] = {}

    def offer(self, boot: str, anchor: Anchor) -> None:
        """Take what a verified line says, if nothing better is known of that boot."""
        _keep_better(self._logged, boot, anchor)

    def offer_segment(self, segment: SegmentFacts) -> None:
        """Take what the first and the last fragment say."""
        for known in (segment.first, segment.last):
            if segment.head is not None and known is not None:
                found = Anchor(known.boot_ns, known.utc_ns, known.unc_ms * 1000, known.clk, -1)
                _keep_better(self._signed, segment.head.boot, found)

    def forget(self, boot: str) -> None:
        """Let nothing place a boot in time: what places it cannot be true."""
        self._logged.pop(boot, None)
        self._signed.pop(boot, None)

    def of(self, boot: str) -> Anchor | None:
        """The anchor of a boot; None of one that nothing places in time."""
        return self._logged.get(boot) or self._signed.get(boot)


def _keep_better(best: dict[str, Anchor], boot: str, anchor: Anchor) -> None:
    if anchor.source == ClockSource.NONE.value:
        return
    known = best.get(boot)
    if known is None or (anchor.err_us, -anchor.seq) < (known.err_us, -known.seq):
        best[boot] = anchor

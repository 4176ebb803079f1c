"""Where pictures are missing, and which stretches are proven: check 11 of `verify`.

A camera may slow down in the dark, or leave out every second picture on purpose; so how long a picture
should stand is asked of its neighbours, and a fragment is judged once the pictures behind it are known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice, pairwise
from statistics import median_low

from ..clock import MS, NS, utc_text
from ..formats import mp4
from .fields import FragFields
from .findings import Check, Findings
from .segmentfacts import Gap, Held, SegmentFacts, utc_at

_GAP_FRAMES = 3
_AROUND = 7
_HELD_FRAMES = 2
_MAX_GAPS = 1000
# Fragments without pictures bring no frame time nearer: so many wait for it at most.
_MAX_WAITING = 64
TICK_NS = NS // mp4.VIDEO_TIMESCALE + 1


@dataclass(frozen=True, slots=True)
class _Shown:
    """A fragment, and how long each of its pictures stands, as far as that could be read."""

    frag: FragFields
    ticks: Sequence[int]
    place: str
    chained: bool

    @property
    def spans(self) -> list[tuple[int, int]]:
        """From when to when each of its pictures stands, in boot time."""
        ends = [self.frag.boot_ns + _ns(ticks) for ticks in accumulate(self.ticks)]
        return list(pairwise([self.frag.boot_ns, *ends]))


class Continuity:
    """Takes the verified fragments of a segment in order."""

    def __init__(self, findings: Findings, facts: SegmentFacts) -> None:
        self._found = findings
        self._facts = facts
        self._waiting: deque[_Shown] = deque()
        self._ahead = 0
        self._past: deque[int] = deque(maxlen=_AROUND)
        self._last: FragFields | None = None
        self._open_gap: Gap | None = None

    def take(self, frag: FragFields, ticks: Sequence[int], place: str, *, chained: bool) -> None:
        """One fragment; `ticks` is empty where its `moof` could not be read, and `chained` says
        whether an unbroken chain leads from HEAD to it.
        """
        self._waiting.append(_Shown(frag, ticks, place, chained))
        self._ahead += len(ticks)
        while self._waiting and (
            self._ahead - len(self._waiting[0].ticks) >= _AROUND
            or len(self._waiting) > _MAX_WAITING
        ):
            self._settle()

    def finish(self) -> None:
        """The segment ends here; a long last picture is a gap of its own."""
        while self._waiting:
            self._settle()
        if self._open_gap is not None and self._last is not None:
            self._say(self._open_gap, self._last)
            self._open_gap = None

    def _settle(self) -> None:
        shown = self._waiting.popleft()
        ticks = shown.ticks
        self._ahead -= len(ticks)
        frames = self._frames(ticks)
        if shown.chained:
            self._hold(shown, frames)
        self._say_gaps(shown, frames)
        if frames:
            self._facts.frame_ticks = frames[-1]
        self._past.extend(ticks[-_AROUND:])
        self._last = shown.frag

    def _frames(self, ticks: Sequence[int]) -> list[int]:
        """The frame time at each picture, in ticks."""
        behind = islice(chain.from_iterable(s.ticks for s in self._waiting), _AROUND)
        near, first = [*self._past, *ticks, *behind], len(self._past)
        return [
            median_low(near[max(0, at - _AROUND) : at + _AROUND + 1])
            for at in range(first, first + len(ticks))
        ]

    # -- which pictures are proven ------------------------------------------------------------

    def _hold(self, shown: _Shown, frames: Sequence[int]) -> None:
        # A frame that was lost shows as a long duration of the one before: that one is held for
        # one frame time, the rest is not.
        for (from_ns, to_ns), ticks, frame in zip(shown.spans, shown.ticks, frames, strict=True):
            frame_ns = _ns(frame)
            whole = ticks <= _HELD_FRAMES * frame + 1
            self._hold_from(from_ns, to_ns if whole else from_ns + frame_ns, frame_ns)

    def _hold_from(self, from_ns: int, to_ns: int, frame_ns: int) -> None:
        held = self._facts.held
        if held and held[-1].from_ns <= from_ns <= held[-1].to_ns + frame_ns:
            held[-1] = Held(held[-1].from_ns, max(held[-1].to_ns, to_ns))
        else:
            held.append(Held(from_ns, to_ns))

    # -- where no picture is, and whether the camera counted it -------------------------------

    def _say_gaps(self, shown: _Shown, frames: Sequence[int]) -> None:
        # A loss shows as a long last picture, and is counted in the fragment that follows.
        frag = shown.frag
        inside = [
            Gap(from_ns, to_ns, 0, shown.place)
            for (from_ns, to_ns), ticks, frame in zip(shown.spans, shown.ticks, frames, strict=True)
            if ticks > _GAP_FRAMES * frame
        ]
        last, self._open_gap = self._open_gap, None
        if inside and inside[-1].to_ns >= frag.end_ns - 2 * TICK_NS:
            self._open_gap = inside.pop()
        before = self._between(frag, frames[0] if frames else self._facts.frame_ticks)
        gaps = [g for g in (last, before) if g is not None] + inside
        if not gaps and frag.drop:
            self._found.incomplete(
                Check.CONTINUITY, shown.place, f"the camera counts {frag.drop} lost frames here"
            )
        for i, gap in enumerate(gaps):
            self._say(Gap(gap.from_ns, gap.to_ns, 0 if i else frag.drop, shown.place), frag)

    def _between(self, frag: FragFields, frame: int) -> Gap | None:
        last = self._last
        if last is None or not frag.nv or not frame:
            return None
        gap = Gap(last.end_ns, frag.boot_ns, 0, "")
        return gap if is_gap(gap.to_ns - gap.from_ns, frame) else None

    def _say(self, gap: Gap, known: FragFields) -> None:
        if len(self._facts.gaps) < _MAX_GAPS:
            self._facts.gaps.append(gap)
        counted = f"{gap.dropped} lost frames" if gap.dropped else "no lost frame"
        self._found.incomplete(
            Check.CONTINUITY, gap.place,
            f"gap: no picture for {(gap.to_ns - gap.from_ns) // MS} ms from "
            f"{utc_text(utc_at(known, gap.from_ns))}; the camera counts {counted}",
        )  # fmt: skip


def is_gap(step_ns: int, frame_ticks: int) -> bool:
    """Whether nothing was shown for longer than pictures of that frame time may be apart."""
    return step_ns * mp4.VIDEO_TIMESCALE // NS > _GAP_FRAMES * frame_ticks


def _ns(ticks: int) -> int:
    return ticks * NS // mp4.VIDEO_TIMESCALE

"""Whether each fragment of a segment is what its record says, and time goes forward: check 8."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import MS, NS
from ..errors import EvidenceError
from ..formats import mp4
from .continuity import TICK_NS, Continuity
from .fields import FragFields
from .findings import Check, Findings
from .moofindex import RunIndex, index_moof
from .segmentfacts import SegmentFacts

MAX_FRAGMENT_NS = 500 * MS
_SLACK_NS = 50 * MS


class FragmentCheck:
    """Takes the verified fragments of a segment in order."""

    def __init__(self, findings: Findings, facts: SegmentFacts) -> None:
        self._found = findings
        self._facts = facts
        self._newest_ns: int | None = None
        self._continuity = Continuity(findings, facts)
        self.proven_to_ns: int | None = None

    def take(
        self, frag: FragFields, moof: bytes | None, mdat_bytes: int, place: str, *, chained: bool
    ) -> None:
        """One fragment; `moof` is None where its bytes do not hold what was signed, and `chained`
        says whether an unbroken chain leads from HEAD to it.
        """
        facts = self._facts
        # (8) time goes forward, a fragment is short, and counts agree with the moof.
        if frag.end_ns < frag.boot_ns or (
            self._newest_ns is not None and frag.nv and frag.boot_ns <= self._newest_ns
        ):
            self._found.altered(Check.TIMES, place, "its capture time does not go forward")
        ticks: Sequence[int] = ()
        if moof is not None:
            try:
                ticks = self._moof(frag, moof, mdat_bytes)
            except EvidenceError as fault:
                self._found.altered(Check.TIMES, place, fault.message)
        if frag.nv:
            self._newest_ns = frag.boot_ns
        if ticks and chained:
            self.proven_to_ns = frag.boot_ns + sum(ticks) * NS // mp4.VIDEO_TIMESCALE
        self._continuity.take(frag, ticks, place, chained=chained)
        if facts.first is None:
            facts.first = frag
        facts.last = frag
        facts.fragments += 1
        facts.pictures += frag.nv
        facts.sounds += frag.na
        facts.dropped += frag.drop
        facts.muted += frag.mute
        facts.max_unc_ms = max(facts.max_unc_ms, frag.unc_ms)

    def _moof(self, frag: FragFields, moof: bytes, mdat_bytes: int) -> Sequence[int]:
        """How long each picture stands, in the track's timescale."""
        runs = {run.track_id: run for run in index_moof(moof)}
        video, audio = runs.get(mp4.VIDEO_TRACK_ID), runs.get(mp4.AUDIO_TRACK_ID)
        counts = (len(video.durations) if video else 0, len(audio.durations) if audio else 0)
        if counts != (frag.nv, frag.na):
            raise EvidenceError(
                f"record counts {frag.nv} pictures and {frag.na} sounds, the moof "
                f"{counts[0]} and {counts[1]}"
            )
        if sum(run.total_bytes for run in runs.values()) != mdat_bytes:
            raise EvidenceError("the samples do not fill the mdat")
        if video is None or not video.durations:
            return ()
        self._check_times(frag, video)
        return video.durations

    def _check_times(self, frag: FragFields, video: RunIndex) -> None:
        head = self._facts.head
        if head is not None:
            base_ns = head.boot_ns + video.base_time * NS // mp4.VIDEO_TIMESCALE
            if abs(base_ns - frag.boot_ns) > 2 * TICK_NS:
                raise EvidenceError("media time and capture time of the first picture differ")
        span_ns = sum(video.durations[:-1]) * NS // mp4.VIDEO_TIMESCALE
        if span_ns > MAX_FRAGMENT_NS + _SLACK_NS:
            raise EvidenceError(f"fragment of {span_ns // MS} ms, at most {MAX_FRAGMENT_NS // MS}")

    def finish(self) -> None:
        """No fragment follows: those that were waited with are judged."""
        self._continuity.finish()

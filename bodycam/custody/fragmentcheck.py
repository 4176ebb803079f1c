"""Checks that follow the fragments of one segment through time: 8 and 11 of `verify`."""

from __future__ import annotations

from statistics import median_low

from ..clock import MS, NS, utc_text
from ..errors import EvidenceError
from ..formats import mp4
from .fields import FragFields
from .findings import Check, Findings
from .moofindex import RunIndex, index_moof
from .segmentfacts import Gap, Held, SegmentFacts, utc_at

MAX_FRAGMENT_NS = 500 * MS
_SLACK_NS = 50 * MS
_TICK_NS = NS // mp4.VIDEO_TIMESCALE + 1
GAP_FRAMES = 3
_HELD_FRAMES = 2
_MAX_GAPS = 1000


class FragmentCheck:
    """Takes the verified fragments of a segment in order."""

    def __init__(self, findings: Findings, facts: SegmentFacts) -> None:
        self._found = findings
        self._facts = facts
        self._open_gap: Gap | None = None
        self._newest_ns: int | None = None

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
        gaps = []
        if moof is not None:
            try:
                gaps = self._moof(frag, moof, mdat_bytes, place, chained=chained)
            except EvidenceError as fault:
                self._found.altered(Check.TIMES, place, fault.message)
        if frag.nv:
            self._newest_ns = frag.boot_ns
        self._say_gaps(frag, gaps, place)
        if facts.first is None:
            facts.first = frag
        facts.last = frag
        facts.fragments += 1
        facts.pictures += frag.nv
        facts.sounds += frag.na
        facts.dropped += frag.drop
        facts.muted += frag.mute
        facts.max_unc_ms = max(facts.max_unc_ms, frag.unc_ms)

    def _moof(
        self, frag: FragFields, moof: bytes, mdat_bytes: int, place: str, *, chained: bool
    ) -> list[Gap]:
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
            return []
        gaps = self._pictures(frag, video, place)
        if chained:
            self._hold(frag, video)
        return gaps

    def _hold(self, frag: FragFields, video: RunIndex) -> None:
        # A frame that was lost shows as a long duration of the one before: that one is held for
        # one frame time, the rest is not.
        frame_ns, at_ns = self._facts.frame_ns, frag.boot_ns
        most_ticks = _HELD_FRAMES * frame_ns * mp4.VIDEO_TIMESCALE // NS + 1
        if max(video.durations) <= most_ticks:
            self._hold_from(at_ns, at_ns + sum(video.durations) * NS // mp4.VIDEO_TIMESCALE)
            return
        for ticks in video.durations:
            step_ns = ticks * NS // mp4.VIDEO_TIMESCALE
            self._hold_from(at_ns, at_ns + (step_ns if ticks <= most_ticks else frame_ns))
            at_ns += step_ns

    def _hold_from(self, from_ns: int, to_ns: int) -> None:
        held, frame_ns = self._facts.held, self._facts.frame_ns
        if held and held[-1].from_ns <= from_ns <= held[-1].to_ns + frame_ns:
            held[-1] = Held(held[-1].from_ns, max(held[-1].to_ns, to_ns))
        else:
            held.append(Held(from_ns, to_ns))

    def _pictures(self, frag: FragFields, video: RunIndex, place: str) -> list[Gap]:
        head = self._facts.head
        if head is not None:
            base_ns = head.boot_ns + video.base_time * NS // mp4.VIDEO_TIMESCALE
            if abs(base_ns - frag.boot_ns) > 2 * _TICK_NS:
                raise EvidenceError("media time and capture time of the first picture differ")
        ticks = video.durations
        span_ns = sum(ticks[:-1]) * NS // mp4.VIDEO_TIMESCALE
        if span_ns > MAX_FRAGMENT_NS + _SLACK_NS:
            raise EvidenceError(f"fragment of {span_ns // MS} ms, at most {MAX_FRAGMENT_NS // MS}")
        if len(ticks) > 2 or not self._facts.frame_ns:
            self._facts.frame_ns = median_low(ticks) * NS // mp4.VIDEO_TIMESCALE
        if max(ticks) * NS // mp4.VIDEO_TIMESCALE <= GAP_FRAMES * self._facts.frame_ns:
            return []
        gaps, at_ns = [], frag.boot_ns
        for duration in (t * NS // mp4.VIDEO_TIMESCALE for t in ticks):
            if duration > GAP_FRAMES * self._facts.frame_ns:
                gaps.append(Gap(at_ns, at_ns + duration, 0, place))
            at_ns += duration
        return gaps

    # -- (11) where no picture is, and whether the camera counted it -------------------------

    def _say_gaps(self, frag: FragFields, gaps: list[Gap], place: str) -> None:
        # A loss shows as a long last picture, and is counted in the fragment that follows.
        last, self._open_gap = self._open_gap, None
        if gaps and gaps[-1].to_ns >= frag.end_ns - 2 * _TICK_NS:
            self._open_gap = gaps.pop()
        before = self._between(frag)
        gaps = [g for g in (last, before) if g is not None] + gaps
        if not gaps and frag.drop:
            self._found.incomplete(
                Check.CONTINUITY, place, f"the camera counts {frag.drop} lost frames here"
            )
        for i, gap in enumerate(gaps):
            self._say(Gap(gap.from_ns, gap.to_ns, 0 if i else frag.drop, place), frag)

    def _between(self, frag: FragFields) -> Gap | None:
        last = self._facts.last
        if last is None or not frag.nv or not self._facts.frame_ns:
            return None
        if frag.boot_ns - last.end_ns <= GAP_FRAMES * self._facts.frame_ns:
            return None
        return Gap(last.end_ns, frag.boot_ns, 0, "")

    def _say(self, gap: Gap, known: FragFields) -> None:
        if len(self._facts.gaps) < _MAX_GAPS:
            self._facts.gaps.append(gap)
        counted = f"{gap.dropped} lost frames" if gap.dropped else "no lost frame"
        self._found.incomplete(
            Check.CONTINUITY, gap.place,
            f"gap: no picture for {(gap.to_ns - gap.from_ns) // MS} ms from "
            f"{utc_text(utc_at(known, gap.from_ns))}; the camera counts {counted}",
        )  # fmt: skip

    def finish(self) -> None:
        """A long last picture of the segment is a gap of its own."""
        if self._open_gap is not None and self._facts.last is not None:
            self._say(self._open_gap, self._facts.last)
            self._open_gap = None

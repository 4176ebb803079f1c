"""Verifies what the segments of one recording say of each other: checks 10 and 11 of `verify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..clock import MS, utc_text
from ..formats import mp4
from ..formats.records import NO_PREVIOUS
from .continuity import is_gap
from .findings import Check, Finding, Findings, Verdict, worst
from .segmentfacts import SegmentFacts, utc_at

_DEFAULT_FRAME_TICKS = mp4.VIDEO_TIMESCALE // 10


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """One recording: its segments in order, and what was found across them."""

    recording: str
    segments: tuple[SegmentFacts, ...]
    findings: tuple[Finding, ...]

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        return (*(f for s in self.segments for f in s.findings), *self.findings)

    @property
    def verdict(self) -> Verdict:
        return worst(self.all_findings)

    @property
    def device(self) -> str:
        return next((s.head.dev for s in self.segments if s.head), "")

    @property
    def held(self) -> list[SegmentFacts]:
        """The segments that hold at least one fragment."""
        return [s for s in self.segments if s.first is not None]

    def as_json(self) -> dict[str, Any]:
        held = self.held
        begin = held[0].utc_from_ns if held else None
        end = held[-1].utc_to_ns if held else None
        return {
            "recording": self.recording, "device": self.device, "verdict": self.verdict.value,
            "utc_from": utc_text(begin) if begin is not None else None,
            "utc_to": utc_text(end) if end is not None else None,
            "segments": [segment.as_json() for segment in self.segments],
            "findings": [finding.as_json() for finding in self.findings],
        }  # fmt: skip


class RecordingCheck:
    """Compares the segments of one recording; `whole` if its folder was given, not single files."""

    def __init__(
        self,
        recording: str,
        segments: Sequence[SegmentFacts],
        label: str,
        explained: Mapping[str, str],
        *,
        whole: bool,
    ) -> None:
        self._recording = recording
        self._segments = sorted(segments, key=_number)
        self._found = Findings(label)
        self._explained = explained
        self._whole = whole

    def run(self) -> RecordingReport:
        headed = [s for s in self._segments if s.head is not None]
        self._check_same(headed)
        if self._whole and headed:
            self._check_first(headed[0])
        for before, after in pairwise(headed):
            self._check_pair(before, after)
        self._check_vouched(headed)
        return RecordingReport(self._recording, tuple(self._segments), self._found.done())

    def _check_same(self, headed: Sequence[SegmentFacts]) -> None:
        # (10) one device, one recording, one certificate, one boot.
        if not headed or headed[0].head is None:
            return
        first = headed[0].head
        for segment in headed[1:]:
            head = segment.head
            if head is None:
                continue
            for what, here, there in (
                ("camera", head.dev, first.dev), ("recording", head.rec, first.rec),
                ("boot", head.boot, first.boot), ("certificate", head.x5t, first.x5t),
            ):  # fmt: skip
                if here != there and not (what == "certificate" and not segment.signed):
                    self._found.altered(
                        Check.RECORDING, segment.name,
                        f"is of another {what} ({here[:36]}) than {headed[0].name} ({there[:36]})",
                    )  # fmt: skip

    def _check_vouched(self, headed: Sequence[SegmentFacts]) -> None:
        # (4) what a slow key has not signed in its segment, the next segment vouches for.
        later: SegmentFacts | None = None
        vouched = False
        for segment in reversed(headed):
            follows = (
                later is not None and later.head is not None and later.head.prev == segment.last_box
            )
            if segment.unvouched is not None and not (follows and vouched):
                count, place = segment.unvouched.count, segment.unvouched.place
                self._found.add(
                    Check.SIGNATURE, Verdict.UNTRUSTED, segment.name,
                    f"nothing vouches for the last {count} records, from {place} on: the device key "
                    "did not sign them, or their signatures were taken away",
                )  # fmt: skip
            vouched = segment.vouched or (follows and vouched)
            later = segment

    def _check_first(self, first: SegmentFacts) -> None:
        head = first.head
        if head is None:
            return
        if head.seg > 0:
            numbers = "segment 0 is" if head.seg == 1 else f"segments 0 to {head.seg - 1} are"
            self._found.altered(Check.RECORDING, first.name, f"{numbers} missing before it")

    def _check_pair(self, before: SegmentFacts, after: SegmentFacts) -> None:
        # (10) numbers without holes, and HEAD names the last box of the segment before.
        one, two = before.head, after.head
        if one is None or two is None:
            return
        if two.seg == one.seg:
            self._found.altered(Check.RECORDING, after.name, f"segment {two.seg} is there twice")
            return
        if two.seg > one.seg + 1:
            self._missing(before, after, one.seg + 1, two.seg - 1)
            return
        if two.prev != before.last_box:
            self._unchained(before, after)
        self._check_gap(before, after)

    def _missing(self, before: SegmentFacts, after: SegmentFacts, low: int, high: int) -> None:
        if not self._whole:
            return
        # A file whose HEAD never reached the card holds its number, and no evidence.
        empty = {_number(s) for s in self._segments if s.head is None}
        if set(range(low, high + 1)) <= empty:
            return
        numbers = f"segment {low} is" if low == high else f"segments {low} to {high} are"
        self._found.altered(
            Check.RECORDING, after.name, f"{numbers} missing between {before.name} and it"
        )

    def _unchained(self, before: SegmentFacts, after: SegmentFacts) -> None:
        why = self._explained.get(before.name)
        if why is not None and not before.ended:
            self._found.incomplete(
                Check.RECORDING, after.name,
                f"follows a record that {before.name} has lost; the log explains it: {why}",
            )  # fmt: skip
            return
        what = "was changed" if before.ended else "lacks what was there at its end"
        self._found.altered(
            Check.RECORDING, after.name, f"does not follow {before.name}: that file {what}"
        )

    def _check_gap(self, before: SegmentFacts, after: SegmentFacts) -> None:
        # (11) no hole in capture time at the roll.
        if before.last is None or after.first is None or after.head is None:
            return
        gap_ns = after.first.boot_ns - before.last.end_ns
        if is_gap(gap_ns, before.frame_ticks or after.frame_ticks or _DEFAULT_FRAME_TICKS):
            cause = after.head.trig.get("cause", "unknown")
            self._found.incomplete(
                Check.CONTINUITY, after.name,
                f"gap: no picture for {gap_ns // MS} ms from "
                f"{utc_text(utc_at(before.last, before.last.end_ns))}, between {before.name} and "
                f"it; cause: {str(cause)[:80]}",
            )  # fmt: skip


def check_continuations(recordings: Sequence[RecordingReport]) -> list[Finding]:
    """Whether recordings that continue another name its last box (check 10)."""
    by_id = {r.recording: r for r in recordings}
    found = Findings("recordings")
    for report in recordings:
        head = report.segments[0].head if report.segments else None
        if head is None or head.seg != 0 or head.cont is None or head.prev == NO_PREVIOUS:
            continue
        before = by_id.get(head.cont)
        if before is None or not before.segments:
            continue
        last = before.segments[-1]
        if last.last_box != head.prev and last.head is not None:
            found.add(
                Check.RECORDING, Verdict.ALTERED if last.ended else Verdict.INCOMPLETE,
                f"recording {report.recording}",
                f"continues recording {head.cont}, whose last record is not the one it names",
            )  # fmt: skip
    return found.items


def _number(segment: SegmentFacts) -> int:
    if segment.head is not None:
        return segment.head.seg
    digits = segment.path.stem.rsplit("_", 1)[-1]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 10**9

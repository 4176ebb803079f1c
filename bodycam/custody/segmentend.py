"""Judges how a segment file ends: with END, torn by a power cut, cut off, or changed.

A torn tail is what a power cut leaves behind the last whole signature box: a part of a fragment,
zeros, or old blocks; and whatever stands behind the first block that never came, for several fragments
may wait for one sync. It is missing evidence. Whatever else does not fit was changed.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from ..clock import utc_text
from ..errors import EvidenceError
from ..formats.blanks import SECTOR_BYTES
from ..formats.mp4 import FTYP
from ..formats.records import read_payload
from ..signing import check
from .findings import Check, Findings, Verdict
from .segmentfacts import Closing, SegmentFacts, utc_at
from .segmentwalk import Sealed, SegmentBytes, Tail

_GARBAGE_BYTES = 8
_HEADER_BYTES = 24


class SegmentEnd:
    """The end of one file, and what the log's `closing` says of it."""

    def __init__(
        self,
        data: SegmentBytes,
        closing: Closing | None,
        findings: Findings,
        facts: SegmentFacts,
    ) -> None:
        self._data = data
        self._closing = closing
        self._found = findings
        self._facts = facts
        self._solid = data.zeros_from()

    def _closed_by_log(self) -> bool:
        return self._closing is not None and self._closing.size <= self._facts.size

    def is_torn(
        self, unit: Sealed, digest: str, tail: Tail | None, key: ec.EllipticCurvePublicKey | None
    ) -> bool:
        """Whether the last box is a write that a power cut tore, rather than one changed later.

        Only where no END and no log says that more was there: whoever tears the last fragment
        gains no more than whoever cuts it off.
        """
        if self._facts.ended or self._closed_by_log():
            return False
        if unit.end > self._solid:
            return True
        is_end = b'"t":"end"' in unit.payload
        garbage_follows = tail is not None and not tail.out_of_place and not is_end
        try:
            box = read_payload(unit.payload)
            if key is not None and not box.unsigned:
                check(key, box.record, box.signature)
        except EvidenceError:
            garbage = not is_end and _is_garbage(unit.payload[8:-90])
            return garbage_follows or garbage or self._ends_blank()
        return garbage_follows and digest.encode() not in box.record

    def _ends_blank(self) -> bool:
        # The last sector, which the file fills in part, never came.
        size = self._data.size
        part = self._data.read(size - size % SECTOR_BYTES, size % SECTOR_BYTES)
        return bool(part) and not any(part)

    def torn_from(self, start: int) -> None:
        """Everything from here on is a torn tail."""
        self._facts.torn_bytes = self._facts.size - start

    def judge(self, tail: Tail | None, boxes: int) -> None:
        """Say what the tail is, and after when there is no evidence; `boxes` were verified."""
        place = ""
        if boxes:
            number = self._facts.fragments
            place = f"after fragment {number}" if boxes > 1 else "after the head"
        facts = self._facts
        if tail is None and self._data.size < facts.size:
            tail = Tail(
                self._data.size,
                facts.size - self._data.size,
                "a block never came",
                out_of_place=False,
            )
        if tail is not None:
            self._judge_tail(tail, boxes, place)
        if facts.torn_bytes:
            self._found.incomplete(
                Check.CONTAINER, place,
                f"torn tail: {facts.torn_bytes} bytes are not a whole fragment and prove nothing",
            )  # fmt: skip
        headless = boxes == 0 and not facts.torn_bytes and facts.size
        if not facts.ended and not headless:
            self._found.incomplete(Check.END, place, _no_evidence_after(facts, boxes))

    def _judge_tail(self, tail: Tail, boxes: int, place: str) -> None:
        found = self._found
        if self._facts.ended:
            found.altered(Check.CONTAINER, "", f"{tail.size} bytes stand behind END")
        elif tail.out_of_place and tail.start + _HEADER_BYTES <= self._solid:
            found.altered(Check.CONTAINER, place or "head", tail.text)
        elif self._closed_by_log() and self._closing is not None:
            found.altered(
                Check.CONTAINER, place or "head",
                f"{tail.text}; the log (line {self._closing.line}) says that the segment was "
                f"complete at {self._closing.size} bytes",
            )  # fmt: skip
        elif boxes or self._begins_as_ours():
            self.torn_from(tail.start)
        else:
            found.add(Check.CONTAINER, Verdict.UNREADABLE, "", "is not an evidence segment")

    def _begins_as_ours(self) -> bool:
        start = self._data.read(0, len(FTYP))
        return start == FTYP or FTYP.startswith(start.rstrip(b"\0"))


def _no_evidence_after(facts: SegmentFacts, boxes: int) -> str:
    if facts.last is not None:
        when = utc_text(utc_at(facts.last, facts.last.end_ns))
        return f"no evidence after {when} (fragment {facts.last.n}): END is missing"
    if boxes:
        return "no evidence in it: END is missing, and there is no fragment"
    return "no evidence in it: the file was cut before its HEAD was written"


def _is_garbage(record: bytes) -> bool:
    # A record of ours is text; blocks that were never written are not.
    return sum(not 0x20 <= byte < 0x7F for byte in record) > _GARBAGE_BYTES

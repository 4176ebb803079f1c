"""ONVIF SEIs at the two ends of an exported part, and how its samples are rebuilt for the proof.

The SEI in front of a part belongs to the GOP that was cut off, and makes other people's validators
call the part not valid: it is taken out. The SEI of the part's last GOP stands in the picture that
follows: where the part ends with its GOP, it is put behind the last picture. The clip manifest
carries both, so that both samples can be put back as the camera signed them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import EvidenceError
from ..formats.cenc import length_prefixed
from ..formats.onvif import before_picture, is_onvif_sei
from ..media import Buffer
from .fields import FragFields, read_fields
from .opened import OpenedSegment, PlainFragment
from .openingkey import OpeningKey
from .segmentfacts import SegmentFacts


def split_sample(sample: Buffer, prefix: int = 4) -> list[memoryview]:
    """The NAL units of a sample as MP4 stores it. Raises EvidenceError if they do not fill it."""
    view, nals, at = memoryview(sample), [], 0
    while at < len(view):
        size = int.from_bytes(view[at : at + prefix], "big")
        at += prefix + size
        if at > len(view):
            raise EvidenceError("a picture's NAL units do not fill it")
        nals.append(view[at - size : at])
    return nals


def seis_of(sample: Buffer) -> list[bytes]:
    """The ONVIF SEIs in a picture."""
    return [bytes(nal) for nal in split_sample(sample) if len(nal) and is_onvif_sei(nal)]


def without_orphan(fragment: PlainFragment) -> tuple[PlainFragment, list[bytes]]:
    """The first fragment of a clip without the SEIs in front of it, and these."""
    if not fragment.pictures:
        return fragment, []
    first = fragment.pictures[0]
    seis = seis_of(first.data)
    kept = length_prefixed([nal for nal in split_sample(first.data) if bytes(nal) not in seis])
    if not seis or put_back(kept, seis) != first.data:
        return fragment, []
    pictures = (replace(first, data=kept), *fragment.pictures[1:])
    return replace(fragment, pictures=pictures), seis


def with_following(fragment: PlainFragment, seis: Sequence[bytes]) -> PlainFragment:
    """The last fragment of a clip with the SEIs of its last GOP behind its last picture."""
    if not seis:
        return fragment
    last = fragment.pictures[-1]
    longer = replace(last, data=last.data + length_prefixed(seis))
    return replace(fragment, pictures=(*fragment.pictures[:-1], longer))


def put_back(sample: Buffer, seis: Sequence[bytes]) -> bytes:
    """A picture with the SEIs that were taken out of it."""
    return length_prefixed(before_picture(split_sample(sample), seis))


def following_seis(
    segments: Sequence[SegmentFacts], facts: SegmentFacts, n: int, key: OpeningKey
) -> list[bytes]:
    """The SEIs of the GOP that ends with fragment `n` of a segment, from the picture after it.

    None if a GOP does not end there, or nothing follows.
    """
    at = next(i for i, segment in enumerate(segments) if segment is facts)
    wanted = (facts, n + 1)
    if facts.last is not None and n == facts.last.n:
        if at + 1 == len(segments):
            return []
        wanted = (segments[at + 1], 1)
    with OpenedSegment(wanted[0].path, key) as opened:
        for unit, box in opened.records():
            fields = read_fields(box.record)
            if isinstance(fields, FragFields) and fields.n == wanted[1]:
                pictures = opened.decrypt(unit, box, fields).pictures
                return seis_of(pictures[0].data) if pictures else []
    return []


@dataclass(frozen=True, slots=True)
class SeiEdits:
    """What an export did to the first and to the last picture of a clip."""

    dropped: tuple[bytes, ...] = ()
    appended: tuple[bytes, ...] = ()

    def check(self) -> None:
        """Raises EvidenceError if anything but ONVIF SEIs could hide behind the last picture."""
        if not all(nal and is_onvif_sei(nal) for nal in (*self.dropped, *self.appended)):
            raise EvidenceError("names something as an ONVIF SEI that is none")

    def undo(self, sample: bytes, *, first: bool, last: bool) -> bytes:
        """A picture of the clip as the camera signed it."""
        tail = length_prefixed(self.appended)
        if last and tail and sample.endswith(tail):
            sample = sample[: -len(tail)]
        return put_back(sample, self.dropped) if first and self.dropped else sample

"""A segment opened with a custodian's key: its samples as they were before encryption.

Verify first, then open: decryption alone proves nothing. While it decrypts, it recomputes the
signed hash of the plaintext, so that what comes out is what the camera put in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from ..errors import CannotOpen, EvidenceError
from ..formats import cenc, mp4, mp4read
from ..formats.records import SignatureBox, read_payload
from .fields import FragFields, HeadFields, read_fields
from .openingkey import OpeningKey
from .segmentwalk import Sealed, SegmentBytes, walk

MAX_FRAGMENT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PlainSample:
    """One decrypted sample; times in the track's timescale, from the segment's first picture."""

    time: int
    duration: int
    keyframe: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class PlainFragment:
    """One decrypted fragment with the signed record that stands for it."""

    box: SignatureBox
    fields: FragFields
    pictures: tuple[PlainSample, ...]
    sounds: tuple[PlainSample, ...]


class OpenedSegment:
    """One segment file and its content key. Raises CannotOpen if the key does not fit."""

    def __init__(self, path: Path, key: OpeningKey) -> None:
        self.path = path
        self._data = SegmentBytes(path)
        try:
            self._open(key)
        except BaseException:
            self._data.close()
            raise

    def _open(self, key: OpeningKey) -> None:
        first = next(iter(walk(self._data)), None)
        moov = first.box("moov") if isinstance(first, Sealed) else None
        if not isinstance(first, Sealed) or moov is None:
            raise CannotOpen(f"{self.path}: has no HEAD", "Run bodycam verify on it")
        self.head_box = read_payload(first.payload)
        head = read_fields(self.head_box.record)
        if not isinstance(head, HeadFields):
            raise EvidenceError(f"{self.path}: does not begin with HEAD")
        self.head = head
        self.init = mp4read.read_init(self._data.read(moov.start, moov.end - moov.start))
        name = f"{head.rec}/{head.seg}"
        try:
            self._key = key.open(self.init, name)
        except CannotOpen as fault:
            raise CannotOpen(f"{self.path}: {fault.message}", fault.next_step) from fault
        self.salt = cenc.plain_salt(self._key, self.init.kid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()

    def records(self) -> Iterator[tuple[Sealed, SignatureBox]]:
        """The signature boxes behind HEAD, in order, up to the first that is torn."""
        for part in walk(self._data):
            if not isinstance(part, Sealed) or part.break_text:
                return
            if part.index > 0:
                yield part, read_payload(part.payload)

    def begins_with_keyframe(self, unit: Sealed) -> bool:
        """Whether the fragment can be decoded from its first picture on."""
        return any(
            run.track_id == mp4.VIDEO_TRACK_ID and run.samples[0].keyframe
            for run in self._runs(unit)
            if run.samples
        )

    def _runs(self, unit: Sealed) -> list[mp4.TrackRun]:
        moof = unit.box("moof")
        if moof is None:
            return []
        return mp4read.read_fragment(self._data.read(moof.start, moof.end - moof.start))

    def decrypt(self, unit: Sealed, box: SignatureBox, fields: FragFields) -> PlainFragment:
        """One fragment in clear. Raises EvidenceError if it is not what the camera signed."""
        mdat = unit.box("mdat")
        runs = self._runs(unit)
        size = sum(sample.size for run in runs for sample in run.samples)
        if mdat is None or mdat.end - mdat.body != size or size > MAX_FRAGMENT_BYTES:
            raise EvidenceError(f"{self.path}, fragment {fields.n}: samples do not fill the mdat")
        data = memoryview(self._data.read(mdat.body, size))
        plain: dict[int, tuple[PlainSample, ...]] = {}
        at = 0
        for run in runs:
            length = sum(sample.size for sample in run.samples)
            plain[run.track_id] = tuple(self._samples(run, data[at : at + length]))
            at += length
        pictures = plain.get(mp4.VIDEO_TRACK_ID, ())
        sounds = plain.get(mp4.AUDIO_TRACK_ID, ())
        if (plain_hash(self.salt, pictures), plain_hash(self.salt, sounds)) != (
            fields.plain_v, fields.plain_a,
        ):  # fmt: skip
            raise EvidenceError(
                f"{self.path}, fragment {fields.n}: decrypts to something else than was signed",
                "Run bodycam verify on it",
            )
        return PlainFragment(box, fields, pictures, sounds)

    def _samples(self, run: mp4.TrackRun, data: memoryview) -> Iterator[PlainSample]:
        at, time = 0, run.base_time
        for sample in run.samples:
            pieces = cenc.crypt_sample(self._key, sample.aux, data[at : at + sample.size])
            yield PlainSample(time, sample.duration, sample.keyframe, b"".join(pieces))
            at += sample.size
            time += sample.duration


def plain_hash(salt: bytes, samples: tuple[PlainSample, ...]) -> str:
    """`plain.v` or `plain.a` of one fragment; empty where it has no sample of that track."""
    if not samples:
        return ""
    digest = hashlib.sha256(salt)
    for sample in samples:
        digest.update(len(sample.data).to_bytes(4, "big"))
        digest.update(sample.data)
    return digest.hexdigest()


def without_after(fragment: PlainFragment, video_end: int, audio_end: int) -> PlainFragment:
    """The fragment without samples at or after the given times."""
    return replace(
        fragment,
        pictures=tuple(s for s in fragment.pictures if s.time < video_end),
        sounds=tuple(s for s in fragment.sounds if s.time < audio_end),
    )

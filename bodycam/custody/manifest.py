"""The clip manifest: the signed records behind an exported clip.

One JSON object beside the clip. It proves nothing by itself; the camera's signatures in it do:

    version     1
    segments    in order; of each
        head        record (verbatim), signature and certificates (base64), as in the segment
        kid, salt   hex; the salt of `plain.v` and `plain.a`, derived from the content key
        records     every FRAG and END record up to the last one used: record, signature, and how
                    many pictures and sounds of it the clip holds (0 and 0: not in the clip);
                    `rest_v` and `rest_a` are its last samples (base64) where a later segment holds
                    the same moments once more and the clip shows those
    clip        file name, sha256, bytes, and the boot time of its first moment; the ONVIF SEIs
                that were taken out of its first picture, and those put behind its last (base64)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec

from ..boundedfile import read_bounded
from ..errors import EvidenceError
from ..formats.records import MAX_CERTIFICATES, SignatureBox
from .opened import OpenedSegment

MANIFEST_VERSION = 1
MAX_MANIFEST_BYTES = 512 * 1024 * 1024
MAX_SEIS = 4


def manifest_path(clip: Path) -> Path:
    """Where the manifest of a clip lies."""
    return clip.with_name(f"{clip.name}.evidence.json")


def to_base64(raw: bytes) -> str:
    """As the manifest writes bytes."""
    return base64.b64encode(raw).decode("ascii")


class ManifestWriter:
    """Writes a manifest while the clip is written; nothing of it is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._file.write(f'{{"version":{MANIFEST_VERSION},"segments":[')
        self._segments = 0
        self._records = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin_segment(self, segment: OpenedSegment) -> None:
        box = segment.head_box
        head = {
            "record": box.record.decode(), "signature": to_base64(box.signature),
            "certificates": [to_base64(der) for der in box.certificates],
        }  # fmt: skip
        start = {
            "head": head, "kid": segment.init.kid.hex(), "salt": segment.salt.hex(),
            "rate_hz": segment.init.audio.rate_hz if segment.init.audio else 0,
        }  # fmt: skip
        comma = "," if self._segments else ""
        self._file.write(f'{comma}\n{json.dumps(start)[:-1]},"records":[')
        self._segments += 1
        self._records = 0

    def record(
        self,
        box: SignatureBox,
        pictures: int,
        sounds: int,
        rest_v: Sequence[bytes] = (),
        rest_a: Sequence[bytes] = (),
    ) -> None:
        """One FRAG or END record, and how much of it the clip holds."""
        entry: dict[str, Any] = {
            "record": box.record.decode(), "signature": to_base64(box.signature),
            "pictures": pictures, "sounds": sounds,
        }  # fmt: skip
        if rest_v or rest_a:
            entry["rest_v"] = [to_base64(data) for data in rest_v]
            entry["rest_a"] = [to_base64(data) for data in rest_a]
        comma = "," if self._records else ""
        self._file.write(f"{comma}\n{json.dumps(entry)}")
        self._records += 1

    def end_segment(self) -> None:
        self._file.write("]}")

    def finish(self, clip: dict[str, Any]) -> None:
        self._file.write(f'],\n"clip":{json.dumps(clip)}}}\n')
        self._file.flush()


Base64 = Annotated[str, msgspec.Meta(max_length=64 * 1024)]
Record = Annotated[str, msgspec.Meta(max_length=64 * 1024)]


class HeadEntry(msgspec.Struct, frozen=True):
    """HEAD as the segment carries it."""

    record: Record
    signature: Base64
    certificates: Annotated[list[Base64], msgspec.Meta(max_length=MAX_CERTIFICATES)]


class RecordEntry(msgspec.Struct, frozen=True):
    """One record behind HEAD, and how many of its samples the clip holds."""

    record: Record
    signature: Base64
    pictures: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    sounds: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    rest_v: list[str] = []
    rest_a: list[str] = []


class SegmentEntry(msgspec.Struct, frozen=True):
    """One segment that the clip has something of."""

    head: HeadEntry
    kid: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    salt: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    rate_hz: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    records: list[RecordEntry]


class ClipEntry(msgspec.Struct, frozen=True):
    """The clip as it was exported."""

    file: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    bytes: int
    origin_ns: int
    sei_dropped: Annotated[list[Base64], msgspec.Meta(max_length=MAX_SEIS)] = []
    sei_appended: Annotated[list[Base64], msgspec.Meta(max_length=MAX_SEIS)] = []


class Manifest(msgspec.Struct, frozen=True):
    """A whole manifest, types checked, nothing proven yet."""

    version: int
    segments: list[SegmentEntry]
    clip: ClipEntry


def read_manifest(path: Path) -> Manifest:
    """Parse a manifest. Raises CannotOpen if it cannot be read, EvidenceError if it is none."""
    raw = read_bounded(path, MAX_MANIFEST_BYTES, "Give the manifest with --manifest")
    if len(raw) > MAX_MANIFEST_BYTES:
        raise EvidenceError(f"{path}: manifest of over {MAX_MANIFEST_BYTES} bytes")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise EvidenceError(f"{path}: not a clip manifest: {fault}") from fault
    if manifest.version != MANIFEST_VERSION:
        raise EvidenceError(f"{path}: manifest version {manifest.version}, this program knows 1")
    return manifest


def from_base64(text: str) -> bytes:
    """Raises EvidenceError if it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as fault:
        raise EvidenceError(f"not base64: {text[:20]!r}") from fault

"""Read back what `mp4` writes, from bytes that nobody vouches for yet."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import EvidenceError
from ..media import AudioFormat, Buffer, VideoFormat, aac_format, picture_size
from .boxes import Box, child, children, descend
from .cenc import IV_BYTES, SampleAux
from .mp4 import (
    AUDIO_TRACK_ID,
    HPKE_SYSTEM_ID,
    KEYWRAP_SYSTEM_ID,
    SYNC_SAMPLE,
    VIDEO_TRACK_ID,
    Sample,
    TrackRun,
)

MAX_SAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class InitSegment:
    """What `moov` says: the formats, the key id, and the content key as it was wrapped."""

    video: VideoFormat
    audio: AudioFormat | None
    kid: bytes
    wrapped: bytes
    hpke: bytes


def _take(view: Buffer, fmt: str, at: int, end: int) -> tuple[int, ...]:
    if at + struct.calcsize(fmt) > end:
        raise EvidenceError(f"field at byte {at} runs over the end of its box")
    return struct.unpack_from(fmt, view, at)


def read_init(moov: Buffer) -> InitSegment:
    """Parse a whole `moov` box. Raises EvidenceError where it is not one of ours."""
    top = child(moov, 0, len(moov), "moov")
    video, audio, kid = None, None, b""
    wrapped: dict[bytes, bytes] = {}
    for found in children(moov, top.body, top.end):
        if found.kind == "trak":
            entry = _sample_entry(moov, found)
            if entry.kind == "encv":
                video = _video(moov, entry)
                kid = _kid(moov, entry, 78)
            elif entry.kind == "enca":
                audio = _audio(moov, entry)
        elif found.kind == "pssh":
            system, data = _wrapped(moov, found)
            wrapped.setdefault(system, data)
    if video is None:
        raise EvidenceError("moov has no protected video track")
    return InitSegment(
        video, audio, kid,
        wrapped.get(KEYWRAP_SYSTEM_ID.bytes, b""), wrapped.get(HPKE_SYSTEM_ID.bytes, b""),
    )  # fmt: skip


def _sample_entry(moov: Buffer, trak: Box) -> Box:
    stsd = descend(moov, trak.body, trak.end, "mdia/minf/stbl/stsd")
    for entry in children(moov, stsd.body + 8, stsd.end):
        return entry
    raise EvidenceError("stsd has no sample entry")


def _video(moov: Buffer, entry: Box) -> VideoFormat:
    avcc = child(moov, entry.body + 78, entry.end, "avcC")
    at = avcc.body + 6
    (length,) = _take(moov, ">H", at, avcc.end)
    sps = bytes(moov[at + 2 : at + 2 + length])
    at += 3 + length
    (length,) = _take(moov, ">H", at, avcc.end)
    pps = bytes(moov[at + 2 : at + 2 + length])
    if at + 2 + length > avcc.end or not sps:
        raise EvidenceError("avcC is cut short")
    width, height = picture_size(sps)
    return VideoFormat(sps, pps, width, height)


def _audio(moov: Buffer, entry: Box) -> AudioFormat:
    esds = child(moov, entry.body + 28, entry.end, "esds")
    raw = bytes(moov[esds.body : esds.end])
    at = raw.find(b"\x05\x80\x80\x80")
    if at < 0 or at + 5 > len(raw):
        raise EvidenceError("esds has no decoder specific information")
    return aac_format(raw[at + 5 : at + 5 + raw[at + 4]])


def _kid(moov: Buffer, entry: Box, fixed: int) -> bytes:
    sinf = child(moov, entry.body + fixed, entry.end, "sinf")
    tenc = descend(moov, sinf.body, sinf.end, "schi/tenc")
    if tenc.end - tenc.body != 24:
        raise EvidenceError("tenc has an unknown size")
    return bytes(moov[tenc.body + 8 : tenc.end])


def _wrapped(moov: Buffer, pssh: Box) -> tuple[bytes, bytes]:
    system = bytes(moov[pssh.body + 4 : pssh.body + 20])
    at = pssh.body + 20
    (count,) = _take(moov, ">I", at, pssh.end)
    at += 4 + 16 * min(count, 16)
    (size,) = _take(moov, ">I", at, pssh.end)
    if at + 4 + size != pssh.end:
        raise EvidenceError("pssh has a wrong data size")
    return system, bytes(moov[at + 4 : pssh.end])


def read_fragment(moof: Buffer) -> list[TrackRun]:
    """The runs of one `moof`, in the order of their data."""
    top = child(moof, 0, len(moof), "moof")
    return [
        _run(moof, found) for found in children(moof, top.body, top.end) if found.kind == "traf"
    ]


def _run(moof: Buffer, traf: Box) -> TrackRun:
    parts = {found.kind: found for found in children(moof, traf.body, traf.end)}
    missing = {"tfhd", "tfdt", "trun", "senc"} - set(parts)
    if missing:
        raise EvidenceError(f"traf lacks {', '.join(sorted(missing))}")
    _, track_id = _take(moof, ">II", parts["tfhd"].body, parts["tfhd"].end)
    if track_id not in (VIDEO_TRACK_ID, AUDIO_TRACK_ID):
        raise EvidenceError(f"traf of unknown track {track_id}")
    _, base_time = _take(moof, ">IQ", parts["tfdt"].body, parts["tfdt"].end)
    trun, senc = parts["trun"], parts["senc"]
    flags, count, _ = _take(moof, ">IIi", trun.body, trun.end)
    width = 12 if flags & 0x400 else 8
    if count > MAX_SAMPLES or trun.body + 12 + count * width != trun.end:
        raise EvidenceError(f"trun announces {count} samples, its size says otherwise")
    auxes = _auxes(moof, senc, count)
    samples = []
    for i, aux in enumerate(auxes):
        at = trun.body + 12 + i * width
        duration, size = struct.unpack_from(">II", moof, at)
        sync = width == 8 or struct.unpack_from(">I", moof, at + 8)[0] == SYNC_SAMPLE
        samples.append(Sample(size, duration, sync, aux))
    return TrackRun(track_id, base_time, tuple(samples))


def _auxes(moof: Buffer, senc: Box, count: int) -> list[SampleAux]:
    flags, announced = _take(moof, ">II", senc.body, senc.end)
    if announced != count:
        raise EvidenceError(f"senc lists {announced} samples, trun {count}")
    at, auxes = senc.body + 8, []
    for _ in range(count):
        if at + IV_BYTES > senc.end:
            raise EvidenceError("senc is cut short")
        iv = bytes(moof[at : at + IV_BYTES])
        at += IV_BYTES
        pairs: tuple[tuple[int, int], ...] = ()
        if flags & 2:
            (n,) = _take(moof, ">H", at, senc.end)
            at += 2
            if at + 6 * n > senc.end:
                raise EvidenceError("senc is cut short")
            raw = struct.unpack_from(">" + "HI" * n, moof, at)
            pairs = tuple(zip(raw[::2], raw[1::2], strict=True))
            at += 6 * n
        auxes.append(SampleAux(iv, pairs))
    return auxes

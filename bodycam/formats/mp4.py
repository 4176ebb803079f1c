"""The segment's boxes: an init segment and fragments, protected with `cenc`.

Only what the format needs is written: one video and at most one audio track, no edit lists, no
B-frames, decode time = presentation time, 64-bit wherever a long file could need it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ..media import AudioFormat, VideoFormat
from .boxes import box, full_box
from .cenc import IV_BYTES, SampleAux

VIDEO_TIMESCALE = 90_000
VIDEO_TRACK_ID = 1
AUDIO_TRACK_ID = 2
KEYWRAP_SYSTEM_ID = UUID("8f3f7d0c-52c1-4ef1-9a3b-6a0d3f5b1c77")
HPKE_SYSTEM_ID = UUID("c1f0b9a4-6e57-4d33-8b0e-9d5a2e417f60")
CLEARKEY_SYSTEM_ID = UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b")
EPOCH_1904_S = 2_082_844_800
_NTP_1900_S = 2_208_988_800

SYNC_SAMPLE = 0x0200_0000
OTHER_SAMPLE = 0x0101_0000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
FTYP = box("ftyp", b"iso6", bytes(4), b"iso6", b"cmfc", b"mp41")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a fragment; `duration` in the track's timescale."""

    size: int
    duration: int
    keyframe: bool
    aux: SampleAux


@dataclass(frozen=True, slots=True)
class TrackRun:
    """The samples of one track in one fragment, and the decode time of the first."""

    track_id: int
    base_time: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Protection:
    """The key id of a segment and the system-specific boxes that carry the wrapped key.

    Empty where the camera does not wrap in that way.
    """

    kid: bytes
    wrapped: bytes
    hpke: bytes = b""


def init_segment(
    video: VideoFormat,
    audio: AudioFormat | None,
    protection: Protection | None,
    created_utc_ns: int | None,
) -> bytes:
    """`ftyp` and `moov`; a creation time of None (clock not trusted) is written as 0.

    Without a protection the tracks are plain: what an export is demuxed from.
    """
    created = 0 if created_utc_ns is None else created_utc_ns // 10**9 + EPOCH_1904_S
    kid = protection.kid if protection else None
    tracks = [_video_track(video, kid, created)]
    extends = [_trex(VIDEO_TRACK_ID)]
    if audio is not None:
        tracks.append(_audio_track(audio, kid, created))
        extends.append(_trex(AUDIO_TRACK_ID))
    mvhd = full_box(
        "mvhd", 1, 0, struct.pack(">QQIQ", created, created, VIDEO_TIMESCALE, 0),
        struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, bytes(24), struct.pack(">I", 3),
    )  # fmt: skip
    moov = box(
        "moov", mvhd, *tracks, box("mvex", *extends), *(_pssh(protection) if protection else ())
    )
    return FTYP + moov


def _pssh(protection: Protection) -> list[bytes]:
    # The last box has no data: it makes browsers fire `encrypted` (W3C "cenc" init data).
    return [
        full_box("pssh", 1, 0, system.bytes, struct.pack(">I", 1), protection.kid,
                 struct.pack(">I", len(data)), data)
        for system, data in (
            (KEYWRAP_SYSTEM_ID, protection.wrapped), (HPKE_SYSTEM_ID, protection.hpke),
            (CLEARKEY_SYSTEM_ID, b""),
        )
        if data or system == CLEARKEY_SYSTEM_ID
    ]  # fmt: skip


def _trex(track_id: int) -> bytes:
    return full_box("trex", 0, 0, struct.pack(">5I", track_id, 1, 0, 0, 0))


def _sinf(original: bytes, kid: bytes) -> bytes:
    tenc = full_box("tenc", 0, 0, struct.pack(">BBBB", 0, 0, 1, IV_BYTES), kid)
    return box(
        "sinf", box("frma", original), full_box("schm", 0, 0, b"cenc", struct.pack(">I", 0x10000)),
        box("schi", tenc),
    )  # fmt: skip


def avcc(video: VideoFormat) -> bytes:
    """AVCDecoderConfigurationRecord with 4-byte lengths (ISO/IEC 14496-15, 5.3.3.1)."""
    sps = video.sps
    high = b""
    if sps[1] in (100, 110, 122, 144):
        # 4:2:0, 8 bit: the only form the encoders here produce.
        high = bytes((0xFD, 0xF8, 0xF8, 0))
    return b"".join((
        bytes((1, sps[1], sps[2], sps[3], 0xFF, 0xE1)), struct.pack(">H", len(sps)), sps,
        b"\x01", struct.pack(">H", len(video.pps)), video.pps, high,
    ))  # fmt: skip


def _esds(audio: AudioFormat) -> bytes:
    def descriptor(tag: int, body: bytes) -> bytes:
        return bytes((tag, 0x80, 0x80, 0x80, len(body))) + body

    specific = descriptor(5, audio.config)
    decoder = descriptor(4, struct.pack(">BBBHII", 0x40, 0x15, 0, 0, 0, 0) + specific)
    return full_box(
        "esds", 0, 0, descriptor(3, struct.pack(">HB", 0, 0) + decoder + descriptor(6, b"\x02"))
    )


def video_entry(video: VideoFormat, kid: bytes | None) -> bytes:
    """Sample entry `encv`, or `avc1` where there is no key."""
    config = box("avcC", avcc(video))
    body = struct.pack(
        ">6xH16xHHIIIH32xHh", 1, video.width, video.height, 0x480000, 0x480000, 0, 1, 24, -1
    )
    if kid is None:
        return box("avc1", body, config)
    return box("encv", body, config, _sinf(b"avc1", kid))


def audio_entry(audio: AudioFormat, kid: bytes | None) -> bytes:
    """Sample entry `enca`, or `mp4a` where there is no key."""
    body = struct.pack(">6xH8xHHHHI", 1, audio.channels, 16, 0, 0, audio.rate_hz << 16)
    if kid is None:
        return box("mp4a", body, _esds(audio))
    return box("enca", body, _esds(audio), _sinf(b"mp4a", kid))


def _video_track(video: VideoFormat, kid: bytes | None, created: int) -> bytes:
    tkhd = _tkhd(VIDEO_TRACK_ID, created, 0, video.width, video.height)
    vmhd = full_box("vmhd", 0, 1, bytes(8))
    return _track(
        tkhd, created, VIDEO_TIMESCALE, b"vide", b"Video\0", vmhd, video_entry(video, kid)
    )


def _audio_track(audio: AudioFormat, kid: bytes | None, created: int) -> bytes:
    tkhd = _tkhd(AUDIO_TRACK_ID, created, 0x100, 0, 0)
    smhd = full_box("smhd", 0, 0, bytes(4))
    return _track(tkhd, created, audio.rate_hz, b"soun", b"Sound\0", smhd, audio_entry(audio, kid))


def _tkhd(track_id: int, created: int, volume: int, width: int, height: int) -> bytes:
    return full_box(
        "tkhd", 1, 3, struct.pack(">QQIIQ8xHHHH", created, created, track_id, 0, 0, 0, 0, volume, 0),
        _MATRIX, struct.pack(">II", width << 16, height << 16),
    )  # fmt: skip


def _track(
    tkhd: bytes, created: int, timescale: int, handler: bytes, name: bytes, media_header: bytes,
    entry: bytes,
) -> bytes:  # fmt: skip
    mdhd = full_box("mdhd", 1, 0, struct.pack(">QQIQHH", created, created, timescale, 0, 0x55C4, 0))
    hdlr = full_box("hdlr", 0, 0, struct.pack(">I4s12x", 0, handler), name)
    dref = full_box("dref", 0, 0, struct.pack(">I", 1), full_box("url ", 0, 1))
    empty = struct.pack(">I", 0)
    stbl = box(
        "stbl", full_box("stsd", 0, 0, struct.pack(">I", 1), entry), full_box("stts", 0, 0, empty),
        full_box("stsc", 0, 0, empty), full_box("stsz", 0, 0, empty, empty),
        full_box("stco", 0, 0, empty),
    )  # fmt: skip
    minf = box("minf", media_header, box("dinf", dref), stbl)
    return box("trak", tkhd, box("mdia", mdhd, hdlr, minf))


def prft(track_id: int, utc_ns: int, media_time: int) -> bytes:
    """Producer reference time (ISO/IEC 14496-12, 8.16.5): best estimate at capture."""
    seconds, rest = divmod(utc_ns, 10**9)
    ntp = (seconds + _NTP_1900_S & 0xFFFF_FFFF) << 32 | (rest << 32) // 10**9
    return full_box("prft", 1, 24, struct.pack(">IQQ", track_id, ntp, media_time))


def moof(sequence: int, runs: Sequence[TrackRun]) -> bytes:
    """Movie fragment for the given runs, whose data follow in one `mdat` in the same order.

    Offsets are relative to the moof, so they stay small however long the file is.
    """
    sencs = [_senc(run) for run in runs]
    # Every offset has a fixed width: sizes are known before the offsets are.
    sizes = [len(_traf(run, senc, 0, 0)) for run, senc in zip(runs, sencs, strict=True)]
    payload = sum(sample.size for run in runs for sample in run.samples)
    traf_at = 8 + 16
    data_at = traf_at + sum(sizes) + len(mdat_header(payload))
    trafs = []
    for run, senc, size in zip(runs, sencs, sizes, strict=True):
        traf_at += size
        # senc is the last box of a traf; its first entry lies 16 bytes into it.
        trafs.append(_traf(run, senc, data_at, traf_at - len(senc) + 16))
        data_at += sum(sample.size for sample in run.samples)
    return box("moof", full_box("mfhd", 0, 0, struct.pack(">I", sequence)), *trafs)


def _traf(run: TrackRun, senc: bytes, data_offset: int, senc_offset: int) -> bytes:
    video = run.track_id == VIDEO_TRACK_ID
    count = len(run.samples)
    tfhd = full_box("tfhd", 0, 0x020000, struct.pack(">I", run.track_id))
    tfdt = full_box("tfdt", 1, 0, struct.pack(">Q", run.base_time))
    if video:
        entries = b"".join(
            struct.pack(
                ">III", s.duration, s.size, SYNC_SAMPLE if s.keyframe else OTHER_SAMPLE
            )
            for s in run.samples
        )  # fmt: skip
    else:
        entries = b"".join(struct.pack(">II", s.duration, s.size) for s in run.samples)
    trun = full_box(
        "trun", 0, 0x701 if video else 0x301, struct.pack(">Ii", count, data_offset), entries
    )
    if not senc:
        return box("traf", tfhd, tfdt, trun)
    infos = bytes(
        IV_BYTES + (2 + 6 * len(s.aux.subsamples) if s.aux.subsamples else 0) for s in run.samples
    )
    saiz = full_box("saiz", 0, 0, struct.pack(">BI", 0, count), infos)
    saio = full_box("saio", 0, 0, struct.pack(">II", 1, senc_offset))
    return box("traf", tfhd, tfdt, trun, saiz, saio, senc)


def _senc(run: TrackRun) -> bytes:
    if not any(s.aux.iv for s in run.samples):
        return b""
    flags = 2 if run.track_id == VIDEO_TRACK_ID else 0
    entries = b"".join(s.aux.pack() for s in run.samples)
    return full_box("senc", 0, flags, struct.pack(">I", len(run.samples)), entries)


def mdat_header(size: int) -> bytes:
    """The header of an `mdat` with so many bytes of content."""
    if size + 8 < 1 << 32:
        return struct.pack(">I4s", size + 8, b"mdat")
    return struct.pack(">I4sQ", 1, b"mdat", size + 16)

"""Access units, and the few facts about H.264 that a recorder must know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from .errors import EvidenceError

Buffer = bytes | bytearray | memoryview

NAL_SLICE = 1
NAL_IDR = 5
NAL_SEI = 6
NAL_SPS = 7
NAL_PPS = 8

# Searched in the ring's own memory: half the time of a copy and bytes.find.
_START_CODE = re.compile(b"\0\0\1")


class Track(IntEnum):
    """What an access unit belongs to; EVENT carries the worker's own reports."""

    VIDEO = 1
    AUDIO = 2
    EVENT = 3


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture (Annex B) or one AAC frame, with the boot time of its capture.

    `seq` counts the units of a track without holes; `dropped` says how many of the same track
    were lost just before this one. `epoch` is the number of the worker that made it.
    """

    track: Track
    at_ns: int
    keyframe: bool
    seq: int
    data: Buffer
    dropped: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """The parameter sets in force and what they say (ITU-T H.264, 7.3.2.1)."""

    sps: bytes
    pps: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """AAC as the worker encodes it; `config` is the AudioSpecificConfig (ISO/IEC 14496-3)."""

    rate_hz: int
    channels: int
    config: bytes
    frame_samples: int = 1024


def split_annexb(data: Buffer) -> list[memoryview]:
    """The NAL units of one access unit, without start codes, trailing zeros or copies."""
    view = memoryview(data)
    begins = [found.end() for found in _START_CODE.finditer(view)]
    if not begins or bytes(view[: begins[0] - 3]) not in (b"", b"\0"):
        raise EvidenceError("access unit does not begin with a start code")
    nals = []
    for begin, end in zip(begins, [*(at - 3 for at in begins[1:]), len(view)], strict=True):
        nal = view[begin:end]
        # A zero before a start code belongs to it; others are padding.
        while nal and nal[-1] == 0:
            nal = nal[:-1]
        if nal:
            nals.append(nal)
    return nals


def nal_type(nal: Buffer) -> int:
    return nal[0] & 0x1F


def is_vcl(nal: Buffer) -> bool:
    """True for a NAL unit that holds picture data (types 1 to 5)."""
    return 1 <= nal_type(nal) <= 5


class _Bits:
    """Exp-Golomb reader over an RBSP (emulation prevention removed)."""

    def __init__(self, nal: Buffer, limit: int = 256) -> None:
        rbsp = bytes(nal[1:limit]).replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(rbsp, "big")
        self._left = len(rbsp) * 8

    def u(self, n: int) -> int:
        if n > self._left:
            raise EvidenceError("NAL unit ends inside its header")
        self._left -= n
        return (self._value >> self._left) & ((1 << n) - 1)

    def ue(self) -> int:
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
            if zeros > 32:
                raise EvidenceError("NAL unit has an impossible Exp-Golomb code")
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def se(self) -> int:
        k = self.ue()
        return (k + 1) // 2 if k & 1 else -(k // 2)


def is_b_slice(nal: Buffer) -> bool:
    """True if this slice is bidirectional (slice_type 1 or 6, H.264 table 7-6)."""
    bits = _Bits(nal, 24)
    bits.ue()
    return bits.ue() % 5 == 1


_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for i in range(count):
        if not bits.u(1):
            continue
        last, following = 8, 8
        for _ in range(16 if i < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def picture_size(sps: Buffer) -> tuple[int, int]:
    """Width and height after cropping that a sequence parameter set declares (7.4.2.1.1)."""
    bits = _Bits(sps)
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            bits.u(1)
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue()
    bits.u(1)
    mbs_wide, map_units_high = bits.ue() + 1, bits.ue() + 1
    frame_mbs_only = bits.u(1)
    if not frame_mbs_only:
        bits.u(1)
    bits.u(1)
    left = right = top = bottom = 0
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
    unit_x = 1 if chroma in (0, 3) else 2
    unit_y = (2 if chroma == 1 else 1) * (2 - frame_mbs_only)
    width = mbs_wide * 16 - unit_x * (left + right)
    height = map_units_high * 16 * (2 - frame_mbs_only) - unit_y * (top + bottom)
    if not (0 < width <= 16_384 and 0 < height <= 16_384):
        raise EvidenceError(f"sequence parameter set declares an impossible {width}x{height}")
    return width, height


def video_format(nals: list[memoryview]) -> VideoFormat | None:
    """The format that the parameter sets among these NAL units announce, if both are there."""
    sps = next((bytes(n) for n in nals if nal_type(n) == NAL_SPS), None)
    pps = next((bytes(n) for n in nals if nal_type(n) == NAL_PPS), None)
    if sps is None or pps is None:
        return None
    width, height = picture_size(sps)
    return VideoFormat(sps, pps, width, height)


_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


def aac_config(rate_hz: int, channels: int) -> bytes:
    """The two-byte AudioSpecificConfig of AAC-LC (ISO/IEC 14496-3, 1.6.2.1)."""
    value = 2 << 11 | _AAC_RATES.index(rate_hz) << 7 | channels << 3
    return value.to_bytes(2, "big")


def aac_format(config: bytes) -> AudioFormat:
    """What an AudioSpecificConfig announces."""
    if len(config) < 2:
        raise EvidenceError("AudioSpecificConfig is shorter than two bytes")
    value = int.from_bytes(config[:2], "big")
    index = value >> 7 & 15
    if index >= len(_AAC_RATES):
        raise EvidenceError(f"AudioSpecificConfig has sampling frequency index {index}, want 0-11")
    return AudioFormat(_AAC_RATES[index], value >> 3 & 15, bytes(config))

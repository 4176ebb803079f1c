"""What a `moof` says of its samples, without the encryption's part: what verification needs."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import EvidenceError
from ..formats.boxes import Box, child, children
from ..formats.mp4read import MAX_SAMPLES

_VIDEO_FLAGS, _AUDIO_FLAGS = 0x701, 0x301


@dataclass(frozen=True, slots=True)
class RunIndex:
    """The samples of one track in one fragment; durations in the track's timescale."""

    track_id: int
    base_time: int
    durations: tuple[int, ...]
    total_bytes: int


def index_moof(moof: bytes) -> list[RunIndex]:
    """The runs of one `moof`. Raises EvidenceError where it is not one of ours."""
    top = child(moof, 0, len(moof), "moof")
    try:
        return [_run(moof, f) for f in children(moof, top.body, top.end) if f.kind == "traf"]
    except struct.error as fault:
        raise EvidenceError("a field of the moof runs over its end") from fault


def _run(moof: bytes, traf: Box) -> RunIndex:
    parts = {found.kind: found for found in children(moof, traf.body, traf.end)}
    missing = {"tfhd", "tfdt", "trun", "senc"} - set(parts)
    if missing:
        raise EvidenceError(f"traf lacks {', '.join(sorted(missing))}")
    (track_id,) = struct.unpack_from(">4xI", moof, parts["tfhd"].body)
    (base_time,) = struct.unpack_from(">4xQ", moof, parts["tfdt"].body)
    trun = parts["trun"]
    flags, count = struct.unpack_from(">II", moof, trun.body)
    width = 12 if flags == _VIDEO_FLAGS else 8
    table = moof[trun.body + 12 : trun.end]
    if flags not in (_VIDEO_FLAGS, _AUDIO_FLAGS) or count > MAX_SAMPLES:
        raise EvidenceError(f"trun of {count} samples with flags {flags:#x}")
    if len(table) != count * width:
        raise EvidenceError(f"trun announces {count} samples, its size says otherwise")
    fields = struct.unpack(f">{len(table) // 4}I", table)
    step = width // 4
    return RunIndex(track_id, base_time, fields[::step], sum(fields[1::step]))

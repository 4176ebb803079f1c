"""What can be read of a recording after its end or its death: counted unit by unit.

Of ours only what is signed counts, and each sample is decrypted and compared with the stream that
was fed. Of a peer's file every picture counts that PyAV's demuxer finds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.stream import GOP, Stream
from bodycam.errors import EvidenceError
from bodycam.formats import cenc, mp4read, records
from bodycam.formats.boxes import Box, read_header
from bodycam.formats.keywrap import unwrap
from bodycam.formats.onvif import is_onvif_sei
from bodycam.media import split_annexb
from bodycam.signing import check, load_private_key, public_key_of


@dataclass(frozen=True, slots=True)
class Saved:
    """`exact`: from the first unit on, every one is bit for bit what was fed, none left out."""

    units: int
    exact: bool
    file_bytes: int
    payload_bytes: int
    last_end_ns: int = 0


def picture(stream: Stream, number: int) -> bytes:
    """A unit as an MP4 sample holds it."""
    return cenc.length_prefixed(split_annexb(stream.unit(number)))


def ours(store: Path, key: Path, stream: Stream) -> Saved:
    """Every segment of the one recording in a store."""
    reader = _Reader(stream, key)
    size = 0
    for path in sorted(store.glob("evidence/*/*.mp4")):
        size += path.stat().st_size
        reader.segment(path)
    payload = stream.payload(reader.first, reader.first + reader.units)
    return Saved(reader.units, reader.exact, size, payload, reader.last_end_ns)


class _Reader:
    """Goes through signed fragments in order."""

    def __init__(self, stream: Stream, key: Path) -> None:
        self._stream = stream
        self._key = load_private_key(key)
        self.first = self.units = self.last_end_ns = 0
        self.exact = True

    def segment(self, path: Path) -> None:
        data = path.read_bytes()
        view = memoryview(data)
        moov = moof = mdat = None
        content_key, signer = b"", None
        for box in _whole_boxes(view):
            if box.kind == "moov":
                moov = box
            elif box.kind == "moof":
                moof = box
            elif box.kind == "mdat":
                mdat = box
            elif box.extended == records.SIGNATURE_UUID:
                found = records.read_payload(bytes(view[box.body : box.end]))
                signer = signer or public_key_of(found.certificates[0])
                check(signer, found.record, found.signature)
                fields = records.parse_record(found.record)
                covered = view[fields["off"] : fields["off"] + fields["len"]]
                if hashlib.sha256(covered).hexdigest() != fields["sha256"]:
                    raise EvidenceError(f"{path}: fragment {fields['n']} is altered")
                if fields["t"] == "head" and moov is not None:
                    init = mp4read.read_init(view[moov.start : moov.end])
                    place = f"{fields['rec']}/{fields['seg']}"
                    content_key = unwrap(init.wrapped, self._key, init.kid, place)
                elif fields["t"] == "frag" and moof is not None and mdat is not None:
                    self._fragment(view, moof, mdat, content_key)
                    self.last_end_ns = fields["end_ns"]

    def _fragment(self, view: memoryview, moof: Box, mdat: Box, key: bytes) -> None:
        at = mdat.body
        for run in mp4read.read_fragment(view[moof.start : moof.end]):
            for sample in run.samples:
                encrypted = view[at : at + sample.size]
                at += sample.size
                clear = _as_fed(b"".join(cenc.crypt_sample(key, sample.aux, encrypted)))
                if not self.units:
                    self.first = self._find(clear)
                self.exact &= clear == picture(self._stream, self.first + self.units)
                self.units += 1

    def _find(self, clear: bytes) -> int:
        for number in range(0, len(self._stream.sizes), GOP):
            if picture(self._stream, number) == clear:
                return number
        raise EvidenceError("the first picture is none of the stream's keyframes")


def _as_fed(sample: bytes) -> bytes:
    """A sample without the ONVIF SEIs that the recorder put into it."""
    kept, at = [], 0
    while at < len(sample):
        end = at + 4 + int.from_bytes(sample[at : at + 4], "big")
        if not is_onvif_sei(sample[at + 4 : end]):
            kept.append(sample[at:end])
        at = end
    return b"".join(kept)


def _whole_boxes(view: memoryview) -> Any:
    at = 0
    while at < len(view):
        try:
            box = read_header(view, at, len(view))
        except EvidenceError:
            # The tail that a kill left.
            return
        yield box
        at = box.end


def peer(path: Path, stream: Stream, first: int) -> Saved:
    """A file that PyAV may or may not be able to open; a last picture that is cut does not count."""
    import av

    units, exact, cut = 0, True, False
    size = path.stat().st_size if path.exists() else 0
    try:
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    exact &= not cut
                    cut = bytes(packet) != picture(stream, first + units)
                    units += not cut
    except (av.FFmpegError, IndexError):
        # No moov, or it ends within a box: what was read before counts.
        return Saved(units, exact, size, stream.payload(first, first + units))
    return Saved(units, exact, size, stream.payload(first, first + units))

"""Common encryption, scheme `cenc` (ISO/IEC 23001-7): AES-128-CTR with subsamples.

IV = u8 track id | u56 sample counter from 0; the key is fresh for each segment, so no pair of key
and IV can recur. Of video only whole AES blocks of picture data are protected, counted from the
end of the NAL unit, so that length, NAL header and at least 32 bytes of slice header stay clear.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import EvidenceError
from ..media import Buffer, is_vcl

KEY_BYTES = 16
IV_BYTES = 8
_CLEAR_VCL_BYTES = 33
_MAX_CLEAR = 0xFFFF
_PLAIN_INFO = b"bodycam plain v1"


@dataclass(frozen=True, slots=True)
class SampleAux:
    """One entry of `senc`: the IV and the (clear, protected) byte counts; none = all protected."""

    iv: bytes
    subsamples: tuple[tuple[int, int], ...] = ()

    def pack(self) -> bytes:
        if not self.subsamples:
            return self.iv
        pairs = b"".join(struct.pack(">HI", c, p) for c, p in self.subsamples)
        return self.iv + struct.pack(">H", len(self.subsamples)) + pairs


def sample_iv(track_id: int, counter: int) -> bytes:
    return struct.pack(">Q", track_id << 56 | counter)


def plain_salt(key: bytes, kid: bytes) -> bytes:
    """The salt of `plain.v` and `plain.a`: HKDF-SHA256 (RFC 5869) of the content key."""
    return HKDF(hashes.SHA256(), 32, salt=kid, info=_PLAIN_INFO).derive(key)


def length_prefixed(nals: Sequence[Buffer]) -> bytes:
    """A video sample as MP4 stores it: each NAL unit behind its 32-bit length."""
    parts: list[Buffer] = []
    for nal in nals:
        parts.append(len(nal).to_bytes(4, "big"))
        parts.append(nal)
    return b"".join(parts)


def video_subsamples(nals: Sequence[Buffer]) -> tuple[tuple[int, int], ...]:
    """Which bytes of a length-prefixed sample are clear and which protected."""
    pairs: list[tuple[int, int]] = []
    clear = 0
    for nal in nals:
        protected = max(0, len(nal) - _CLEAR_VCL_BYTES) & ~15 if is_vcl(nal) else 0
        clear += 4 + len(nal) - protected
        if protected:
            while clear > _MAX_CLEAR:
                pairs.append((_MAX_CLEAR, 0))
                clear -= _MAX_CLEAR
            pairs.append((clear, protected))
            clear = 0
    while clear > _MAX_CLEAR:
        pairs.append((_MAX_CLEAR, 0))
        clear -= _MAX_CLEAR
    if clear:
        pairs.append((clear, 0))
    return tuple(pairs)


def crypt_sample(key: bytes, aux: SampleAux, sample: Buffer) -> list[Buffer]:
    """Encrypt or decrypt one sample (CTR is its own inverse); pieces in order."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(aux.iv + bytes(8))).encryptor()
    if not aux.subsamples:
        return [cipher.update(sample)]
    view = memoryview(sample)
    pieces: list[Buffer] = []
    at = 0
    for clear, protected in aux.subsamples:
        pieces.append(view[at : at + clear])
        at += clear
        if protected:
            pieces.append(cipher.update(view[at : at + protected]))
            at += protected
    if at != len(view):
        raise EvidenceError(f"subsamples cover {at} of {len(view)} bytes of a sample")
    return pieces

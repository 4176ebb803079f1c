"""ONVIF Media Signing: SEIs in the video that vouch for the pictures before them.

A GOP's SEI stands before the first slice of the next GOP's keyframe. It holds a hash of each slice
of its GOP, the hash of the keyframe of the GOP before, and the device's signature over all of it.

What is hashed: slices (NAL types 1 and 5), from the NAL header to the stop bit, as they are in the
stream. The first slice of the keyframe is the anchor, `H(nal)`; every other one `H(anchor, H(nal))`.
The hash of a GOP is the hash of these hashes in order. Numbers are big-endian and the linked hash
of the first GOP is zeros, as in the reference code (the text of the specification differs).
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..errors import EvidenceError
from ..media import NAL_IDR, NAL_SEI, NAL_SLICE, Buffer, is_vcl, nal_type

ONVIF_UUID = UUID("005bc93f-2d71-5e95-ada4-796f90877a6f")
HASH_BYTES = 32
NO_LINK = bytes(HASH_BYTES)
MAX_SEI_BYTES = 256 * 1024
# What the reference validator has room for, with SHA-256.
MAX_HASHES = 600
MAX_PEM_BYTES = 32 * 1024
MAX_CERTIFICATES = 4
_MAX_COUNT = 0xFFFF
# An ECDSA P-256 signature in DER has at most 72 bytes; the reference wants one size for all.
_SIGNATURE_BYTES = 72
_SEI_VERSION = bytes((1, 0, 0))
_USER_DATA_UNREGISTERED = 5
_STOP = b"\x80"
_SHA256_OID = bytes.fromhex("0609608648016503040201")
_CRYPTO = b"\x01" + bytes((len(_SHA256_OID),)) + _SHA256_OID + b"\x00\x00\x00"
_EPOCH_1601_S = 11_644_473_600
_GENERAL, _HASHES, _SIGNATURE, _CRYPTO_INFO, _VENDOR, _CERTIFICATES = range(1, 7)
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_PEM = re.compile(re.escape(_BEGIN) + rb"([A-Za-z0-9+/=\s]*)" + re.escape(_END))
_NEEDS_ESCAPE = re.compile(rb"\0\0(?=[\0-\3])")


@dataclass(frozen=True, slots=True)
class Vendor:
    """What a SEI says of the device; the truth about it is in the certificate."""

    firmware: str
    serial: str
    manufacturer: str


@dataclass(frozen=True, slots=True)
class SignedSei:
    """One SEI taken apart; nothing in it is proven yet. UTC is None where it was not known."""

    counter: int
    start_utc_ns: int | None
    end_utc_ns: int | None
    count: int
    gop_hash: bytes
    linked_hash: bytes
    hashes: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    vendor: Vendor | None
    document: bytes
    signature: bytes


# -- hashing --------------------------------------------------------------------------------


def begins_gop(nal: Buffer) -> bool:
    """True for the first slice of an IDR picture: first_mb_in_slice is 0, one bit of 1."""
    return nal_type(nal) == NAL_IDR and len(nal) > 1 and bool(nal[1] & 0x80)


def is_hashed(nal: Buffer) -> bool:
    """True for a slice; parameter sets, delimiters and SEIs are not vouched for."""
    return nal_type(nal) in (NAL_SLICE, NAL_IDR)


def _digest(nal: Buffer) -> bytes:
    if nal[-1] == 0:
        nal = bytes(nal).rstrip(b"\0")
    return hashlib.sha256(nal).digest()


@dataclass(slots=True)
class Gop:
    """The hashes of a GOP while it grows."""

    anchor: bytes = b""
    hashes: list[bytes] = field(default_factory=list)

    def add(self, nal: Buffer) -> None:
        """Take one slice; the first one is the anchor of the others."""
        digest = _digest(nal)
        if self.hashes:
            digest = hashlib.sha256(self.anchor + digest).digest()
        else:
            self.anchor = digest
        self.hashes.append(digest)

    def hash(self) -> bytes:
        return hashlib.sha256(b"".join(self.hashes)).digest()


# -- writing --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _GopStart:
    """Where a GOP began, and what was signed then."""

    at_ns: int
    utc: int
    counter: int
    linked: bytes
    seis: tuple[bytes, ...]


class OnvifSigner:
    """Makes the SEIs of one stream, in order of its pictures.

    A keyframe that is fed again takes the signer back to it and gets the same SEI: what an I/O
    error spoiled is written again from there. `forget` bounds how far back that may be.
    """

    def __init__(
        self, sign: Callable[[bytes], bytes], certificates: Sequence[bytes], vendor: Vendor
    ) -> None:
        self._sign = sign
        self._same = (
            _tlv(_CRYPTO_INFO, _CRYPTO) + _tlv(_VENDOR, _vendor_value(vendor))
            + _tlv(_CERTIFICATES, b"\x01\x00" + pem_chain(certificates))
        )  # fmt: skip
        self._starts: deque[_GopStart] = deque()
        self._gop = Gop()

    def feed(self, nals: Sequence[Buffer], at_ns: int, utc_ns: int | None) -> list[bytes]:
        """Hash one picture; at a keyframe, the SEI of the GOP before, if there is one.

        `at_ns` is its capture time, which tells pictures apart; `utc_ns` is None if not known.
        """
        seis: list[bytes] = []
        for nal in nals:
            if begins_gop(nal):
                seis = self._begin(at_ns, utc_ns)
            if is_hashed(nal) and self._starts:
                self._gop.add(nal)
        return seis

    def forget(self, keep: int) -> None:
        """Forget all but the newest GOPs: nothing before them will be fed again."""
        while len(self._starts) > keep:
            self._starts.popleft()

    def _begin(self, at_ns: int, utc_ns: int | None) -> list[bytes]:
        ended = self._starts[-1] if self._starts else None
        while self._starts and self._starts[-1].at_ns > at_ns:
            self._starts.pop()
        gop, self._gop = self._gop, Gop()
        if self._starts and self._starts[-1].at_ns == at_ns:
            return list(self._starts[-1].seis)
        utc = 0 if utc_ns is None else _from_utc(utc_ns)
        if ended is None or ended is not (self._starts[-1] if self._starts else None):
            # The first GOP, or one that nobody remembers: it follows nothing.
            start = _GopStart(at_ns, utc, ended.counter + 1 if ended else 1, NO_LINK, ())
        else:
            counter = (ended.counter + 1) & 0xFFFFFFFF
            start = _GopStart(at_ns, utc, counter, gop.anchor, self._seis(ended, gop, utc))
        self._starts.append(start)
        return list(start.seis)

    def _seis(self, start: _GopStart, gop: Gop, end_utc: int) -> tuple[bytes, ...]:
        general = (
            b"\x02" + _SEI_VERSION + b"\x00"
            + struct.pack(">qqIH", start.utc, end_utc, start.counter,
                          min(len(gop.hashes), _MAX_COUNT))
            + gop.hash() + start.linked
        )  # fmt: skip
        tlvs = self._same + _tlv(_GENERAL, general)
        if len(gop.hashes) <= MAX_HASHES:
            tlvs += _tlv(_HASHES, b"\x01" + b"".join(gop.hashes))
        size = 16 + 1 + len(tlvs) + 3 + 3 + _SIGNATURE_BYTES
        document = b"".join([
            bytes((NAL_SEI, _USER_DATA_UNREGISTERED)), b"\xff" * (size // 255), bytes((size % 255,)),
            ONVIF_UUID.bytes, b"\x00", tlvs,
        ])  # fmt: skip
        signature = self._sign(document)
        if not signature:
            return ()  # the key did not answer: this GOP stays unsigned, as its records do
        padded = signature.ljust(_SIGNATURE_BYTES, b"\x01")
        value = b"\x01" + struct.pack(">H", len(signature)) + padded
        return (_escape(document + _tlv(_SIGNATURE, value) + _STOP),)


def before_picture(nals: Sequence[Buffer], seis: Sequence[bytes]) -> list[Buffer]:
    """The NAL units of a picture with SEIs where they belong: before its first slice."""
    at = next((i for i, nal in enumerate(nals) if is_vcl(nal)), len(nals))
    return [*nals[:at], *seis, *nals[at:]]


def pem_chain(certificates: Sequence[bytes]) -> bytes:
    """Certificates (DER, leaf first) as a SEI carries them."""
    lines = []
    for der in certificates:
        text = base64.b64encode(der)
        rows = [text[i : i + 64] for i in range(0, len(text), 64)]
        lines += [_BEGIN, *rows, _END]
    return b"\n".join(lines) + b"\n"


def _vendor_value(vendor: Vendor) -> bytes:
    texts = [text.encode()[:255] for text in (vendor.firmware, vendor.serial, vendor.manufacturer)]
    return b"\x01" + b"".join(bytes((len(text),)) + text for text in texts)


def _tlv(tag: int, value: bytes) -> bytes:
    return struct.pack(">BH", tag, len(value)) + value


def _escape(data: bytes) -> bytes:
    return _NEEDS_ESCAPE.sub(b"\0\0\3", data)


def _from_utc(utc_ns: int) -> int:
    return utc_ns // 100 + _EPOCH_1601_S * 10_000_000


# -- reading --------------------------------------------------------------------------------


def is_onvif_sei(nal: Buffer) -> bool:
    """True for a SEI of ONVIF Media Signing, whatever else is wrong with it."""
    if nal_type(nal) != NAL_SEI:
        return False
    head = bytes(nal[: 2 + MAX_SEI_BYTES // 255 + 16])
    size = re.match(rb"\x06\x05\xff*[^\xff]", head, re.DOTALL)
    return size is not None and head[size.end() : size.end() + 16] == ONVIF_UUID.bytes


def read_sei(nal: Buffer) -> SignedSei:
    """Take a SEI apart. Raises EvidenceError unless it is one as this file writes them."""
    if len(nal) > MAX_SEI_BYTES or not is_onvif_sei(nal):
        raise EvidenceError(f"no ONVIF SEI, or one of {len(nal)} bytes")
    raw = bytes(nal).rstrip(b"\0")
    plain = raw.replace(b"\0\0\3", b"\0\0")
    if _escape(plain) != raw:
        raise EvidenceError("SEI's emulation prevention is not as an encoder writes it")
    at = 2
    while at < len(plain) and plain[at] == 0xFF:
        at += 1
    size = (at - 2) * 255 + plain[at] if at < len(plain) else 0
    begin = at + 1
    if len(plain) != begin + size + 1 or plain[-1:] != _STOP:
        raise EvidenceError(f"SEI says {size} bytes, has {len(plain) - begin - 1}")
    if size < 17 or plain[begin + 16] != 0:
        raise EvidenceError("SEI has flags that this program does not know")
    values: dict[int, bytes] = {}
    tag, at, end, signed_at = 0, begin + 17, begin + size, 0
    while at < end:
        if at + 3 > end:
            raise EvidenceError("SEI ends inside a field")
        tag, length = struct.unpack_from(">BH", plain, at)
        if at + 3 + length > end or tag in values:
            raise EvidenceError(f"SEI field {tag} is cut short or comes twice")
        signed_at = at
        values[tag] = plain[at + 3 : at + 3 + length]
        at += 3 + length
    if tag != _SIGNATURE:
        raise EvidenceError("SEI does not end with a signature")
    return _read_values(values, plain[:signed_at])


def _read_values(values: dict[int, bytes], document: bytes) -> SignedSei:
    general, signature = values.get(_GENERAL, b""), values[_SIGNATURE]
    if values.get(_CRYPTO_INFO) != _CRYPTO:
        raise EvidenceError("SEI is not hashed with SHA-256")
    if len(general) != 27 + 2 * HASH_BYTES or general[0] != 2 or general[4] != 0:
        raise EvidenceError("SEI's general field is of another version, or of a part of a GOP")
    start, end, counter, count = struct.unpack_from(">qqIH", general, 5)
    if len(signature) < 3 or signature[0] != 1:
        raise EvidenceError("SEI's signature field is of another version")
    (length,) = struct.unpack_from(">H", signature, 1)
    padding = signature[3 + length :]
    if length == 0 or 3 + length > len(signature) or padding.strip(b"\x01"):
        raise EvidenceError(f"SEI's signature of {length} bytes does not fill its field")
    return SignedSei(
        counter, _to_utc(start), _to_utc(end), count, general[27 : 27 + HASH_BYTES],
        general[27 + HASH_BYTES :], _read_hashes(values.get(_HASHES)),
        _read_pem(values.get(_CERTIFICATES, b"")), _read_vendor(values.get(_VENDOR)), document,
        signature[3 : 3 + length],
    )  # fmt: skip


def _to_utc(value: int) -> int | None:
    return (value - _EPOCH_1601_S * 10_000_000) * 100 if value else None


def _read_hashes(value: bytes | None) -> tuple[bytes, ...]:
    if value is None:
        return ()
    if value[:1] != b"\x01" or len(value) % HASH_BYTES != 1:
        raise EvidenceError("SEI's hash list is of another version or not of whole hashes")
    return tuple(value[i : i + HASH_BYTES] for i in range(1, len(value), HASH_BYTES))


def _read_pem(value: bytes) -> tuple[bytes, ...]:
    if value[:1] != b"\x01" or len(value) > 2 + MAX_PEM_BYTES:
        raise EvidenceError("SEI has no certificates, too many, or of another version")
    try:
        chain = tuple(base64.b64decode(b"".join(text.split())) for text in _PEM.findall(value))
    except ValueError as fault:
        raise EvidenceError("SEI's certificates are not PEM") from fault
    if not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise EvidenceError(f"SEI has {len(chain)} certificates, want 1 to {MAX_CERTIFICATES}")
    return chain


def _read_vendor(value: bytes | None) -> Vendor | None:
    if value is None:
        return None
    at = 1
    texts: list[str] = []
    while at < len(value) and len(texts) < 3:
        texts.append(value[at + 1 : at + 1 + value[at]].decode("utf-8", "replace"))
        at += 1 + value[at]
    if value[:1] != b"\x01" or len(texts) != 3 or at != len(value):
        raise EvidenceError("SEI's vendor field does not end where it says")
    return Vendor(*texts)

"""Signature boxes: a JSON record carried verbatim, an ECDSA signature over it, and a chain.

HEAD covers `ftyp` and `moov`; each FRAG covers one fragment; END closes the segment. Every record
names the hash of the signature box before it, so nothing can be removed, swapped or put in.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ..errors import EvidenceError
from ..media import Buffer
from .boxes import uuid_box

SIGNATURE_UUID = UUID("d5a2f3c8-7b1e-4c0a-9f64-2b8e51d07c3a")
RECORD_VERSION = 1
MAX_RECORD_BYTES = 64 * 1024
MAX_SIGNATURE_BYTES = 1024
MAX_CERTIFICATES = 4
MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_PAYLOAD_BYTES = (
    8 + MAX_RECORD_BYTES + 2 + MAX_SIGNATURE_BYTES + 1 + 4 * (4 + MAX_CERTIFICATE_BYTES)
)
NO_PREVIOUS = "0" * 64


@dataclass(frozen=True, slots=True)
class SignatureBox:
    """One signature box taken apart; the record's bytes are not parsed yet."""

    record: bytes
    signature: bytes
    certificates: tuple[bytes, ...]
    payload_sha256: str

    @property
    def unsigned(self) -> bool:
        return not self.signature


def encode_record(fields: dict[str, Any]) -> bytes:
    """The record's bytes: one line of UTF-8 JSON, never re-serialised after this."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def signature_payload(
    record: bytes, signature: bytes, certificates: Sequence[bytes] | None = None
) -> bytes:
    """The content of a signature box; certificates (leaf first, no root) only for HEAD."""
    parts = [
        struct.pack(">II", 0, len(record)), record,
        struct.pack(">H", len(signature)), signature,
    ]  # fmt: skip
    if certificates is not None:
        parts.append(bytes((len(certificates),)))
        for der in certificates:
            parts += [struct.pack(">I", len(der)), der]
    return b"".join(parts)


def signature_box(payload: bytes) -> bytes:
    return uuid_box(SIGNATURE_UUID, payload)


def payload_hash(payload: Buffer) -> str:
    return hashlib.sha256(payload).hexdigest()


def read_payload(payload: bytes) -> SignatureBox:
    """Take a signature box apart. Raises EvidenceError unless it ends exactly where it says."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise EvidenceError(f"signature box of {len(payload)} bytes")
    try:
        version_flags, length = struct.unpack_from(">II", payload, 0)
        if version_flags != 0:
            raise EvidenceError(f"signature box has version or flags {version_flags:#x}, want 0")
        if length > MAX_RECORD_BYTES:
            raise EvidenceError(f"record of {length} bytes, at most {MAX_RECORD_BYTES}")
        record = payload[8 : 8 + length]
        at = 8 + length
        (size,) = struct.unpack_from(">H", payload, at)
        signature = payload[at + 2 : at + 2 + size]
        at += 2 + size
        certificates: list[bytes] = []
        if at < len(payload):
            count = payload[at]
            at += 1
            if count > MAX_CERTIFICATES:
                raise EvidenceError(f"{count} certificates, at most {MAX_CERTIFICATES}")
            for _ in range(count):
                (size,) = struct.unpack_from(">I", payload, at)
                certificates.append(payload[at + 4 : at + 4 + size])
                at += 4 + size
    except struct.error as fault:
        raise EvidenceError("signature box is cut short") from fault
    if at != len(payload):
        raise EvidenceError("signature box does not end where it says")
    return SignatureBox(record, signature, tuple(certificates), payload_hash(payload))


def parse_record(record: bytes) -> dict[str, Any]:
    """The fields of a record whose signature and hash were checked before."""
    try:
        fields = json.loads(record.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float)
    except (UnicodeDecodeError, ValueError, RecursionError) as fault:
        raise EvidenceError(f"record is not JSON: {fault}") from fault
    if not isinstance(fields, dict) or fields.get("v") != RECORD_VERSION:
        version = fields.get("v") if isinstance(fields, dict) else None
        raise EvidenceError(f"record has version {version!r}, this program knows 1")
    return fields


def _no_float(text: str) -> float:
    raise ValueError(f"number {text} is not an integer")

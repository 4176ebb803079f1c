"""The content key, wrapped to post-quantum recipients: HPKE (RFC 9180, draft-ietf-hpke-pq).

KEM MLKEM768-X25519 (0x647a, which is X-Wing), HKDF-SHA256, AES-256-GCM, base mode. The plaintext
is the ClearKey licence that the JWE of `keywrap` holds, too. Keys are X-Wing keys in the PEM forms
of draft-connolly-cfrg-xwing-kem, so that other programs read them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from ..errors import CannotOpen, EvidenceError
from .keywrap import MAX_RECIPIENTS, b64u, b64u_bytes, key_in_licence, licence

HPKE_VERSION = 1
MAX_HPKE_BYTES = 64 * 1024
SUITE = {"kem": 0x647A, "kdf": 0x0001, "aead": 0x0002}
PUBLIC_BYTES, SEED_BYTES = 1216, 32
_MLKEM_PUBLIC_BYTES, _MLKEM_SEED_BYTES = 1184, 64
_INFO = "bodycam content key v1 "
# SubjectPublicKeyInfo and PKCS#8 of 1.3.6.1.4.1.62253.25722: all lengths are fixed.
_OID = bytes.fromhex("300d060b2b0601040183e62d81c87a")
_SPKI = bytes.fromhex("308204d4") + _OID + bytes.fromhex("038204c100")
_PKCS8 = bytes.fromhex("3034020100") + _OID + bytes.fromhex("0420")


@dataclass(frozen=True, slots=True)
class PqPublicKey:
    """A recipient's X-Wing public key: ML-KEM-768, then X25519."""

    raw: bytes

    @property
    def kid(self) -> str:
        """The recipient's `kid`: SHA-256 of the raw key."""
        return b64u(hashlib.sha256(self.raw).digest())

    def pem(self) -> bytes:
        return _pem("PUBLIC KEY", _SPKI + self.raw)


@dataclass(frozen=True, slots=True, repr=False)
class PqPrivateKey:
    """A recipient's X-Wing private key: the seed that both of its parts grow from."""

    seed: bytes

    @staticmethod
    def generate() -> PqPrivateKey:
        return PqPrivateKey(os.urandom(SEED_BYTES))

    def _parts(self) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        grown = hashlib.shake_256(self.seed).digest(_MLKEM_SEED_BYTES + 32)
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(grown[:_MLKEM_SEED_BYTES]),
            x25519.X25519PrivateKey.from_private_bytes(grown[_MLKEM_SEED_BYTES:]),
        )

    def key(self) -> hpke.MLKEM768X25519PrivateKey:
        return hpke.MLKEM768X25519PrivateKey(*self._parts())

    def public_key(self) -> PqPublicKey:
        post_quantum, classic = self._parts()
        return PqPublicKey(
            post_quantum.public_key().public_bytes_raw() + classic.public_key().public_bytes_raw()
        )

    def pem(self) -> bytes:
        return _pem("PRIVATE KEY", _PKCS8 + self.seed)


def load_pq_public(pem: bytes) -> PqPublicKey:
    """Raises ValueError if the PEM does not hold an X-Wing public key that can be used."""
    public = PqPublicKey(_unpem("PUBLIC KEY", pem, _SPKI, PUBLIC_BYTES))
    _public(public)
    return public


def load_pq_private(pem: bytes) -> PqPrivateKey:
    """Raises ValueError if the PEM does not hold an X-Wing private key."""
    return PqPrivateKey(_unpem("PRIVATE KEY", pem, _PKCS8, SEED_BYTES))


def is_pq_private(pem: bytes) -> bool:
    """Whether a PEM is meant as an X-Wing private key, rather than an EC one."""
    try:
        load_pq_private(pem)
    except ValueError:
        return False
    return True


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _unpem(label: str, pem: bytes, prefix: bytes, size: int) -> bytes:
    lines = pem.decode("ascii").split()
    body = "".join(lines).removeprefix(f"-----BEGIN{label.replace(' ', '')}-----")
    body = body.removesuffix(f"-----END{label.replace(' ', '')}-----")
    try:
        der = base64.b64decode(body, validate=True)
    except binascii.Error as fault:
        raise ValueError(f"not one {label} in PEM: {fault}") from fault
    if not der.startswith(prefix) or len(der) != len(prefix) + size:
        raise ValueError("not a key of ML-KEM-768 with X25519 (X-Wing)")
    return der[len(prefix) :]


def _public(key: PqPublicKey) -> hpke.MLKEM768X25519PublicKey:
    try:
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(key.raw[:_MLKEM_PUBLIC_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(key.raw[_MLKEM_PUBLIC_BYTES:]),
        )
    except UnsupportedAlgorithm as fault:
        raise ValueError(f"this build of `cryptography` has no ML-KEM: {fault}") from fault


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def _info(segment: str) -> bytes:
    return (_INFO + segment).encode()


def hpke_wrap(recipients: Sequence[PqPublicKey], key: bytes, kid: bytes, segment: str) -> bytes:
    """A document that opens to the content key for any one of the recipients.

    `segment` ("<recording>/<number>") is part of HPKE's `info`: the key opens in no other one.
    """
    if not recipients:
        raise ValueError("no recipients to wrap the content key to")
    suite, text, entries = _suite(), licence(key, kid), []
    enc_bytes = hpke.KEM.MLKEM768_X25519.enc_length()
    for recipient in recipients:
        sealed = suite.encrypt(text, _public(recipient), info=_info(segment))
        entries.append({
            "kid": recipient.kid, "enc": b64u(sealed[:enc_bytes]), "ct": b64u(sealed[enc_bytes:]),
        })  # fmt: skip
    document = {"v": HPKE_VERSION, "suite": SUITE, "recipients": entries}
    return json.dumps(document, separators=(",", ":")).encode()


def hpke_recipients_of(document: bytes) -> list[str]:
    """The key ids that a document is addressed to. Raises EvidenceError if it is none."""
    return [str(entry["kid"]) for entry in _parse(document)["recipients"]]


def hpke_unwrap(document: bytes, private: PqPrivateKey, kid: bytes, segment: str) -> bytes:
    """The content key with this key id. Raises CannotOpen if it was not wrapped to this key."""
    entries = _parse(document)["recipients"]
    mine = private.public_key().kid
    entry = next((e for e in entries if e["kid"] == mine), None)
    if entry is None:
        raise CannotOpen(
            f"the segment is not addressed to this key ({mine})",
            "Use the private key of one of: " + ", ".join(hpke_recipients_of(document)),
        )
    try:
        sealed = b64u_bytes(str(entry["enc"])) + b64u_bytes(str(entry["ct"]))
        opened = _suite().decrypt(sealed, private.key(), info=_info(segment))
        return key_in_licence(opened, kid)
    except (InvalidTag, KeyError, ValueError, TypeError) as fault:
        raise CannotOpen(
            f"the wrapped content key is damaged, or of another segment: {fault!r}"
        ) from fault


def _parse(document: bytes) -> dict[str, Any]:
    if len(document) > MAX_HPKE_BYTES:
        raise EvidenceError(f"wrapped key of {len(document)} bytes, at most {MAX_HPKE_BYTES}")
    try:
        fields = json.loads(document)
        if fields["v"] != HPKE_VERSION or fields["suite"] != SUITE:
            raise ValueError(f"version {fields['v']!r} or suite {fields['suite']!r} is unknown")
        if not 1 <= len(fields["recipients"]) <= MAX_RECIPIENTS:
            raise ValueError(f"{len(fields['recipients'])} recipients")
        for entry in fields["recipients"]:
            entry["kid"]
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise EvidenceError(f"wrapped key is not an HPKE document: {fault!r}") from fault
    return dict(fields)

"""The content key, wrapped to each recipient: JWE General JSON (RFC 7516).

ECDH-ES+A256KW on P-256 (RFC 7518, 4.6) and A256GCM. The plaintext is a W3C ClearKey licence, so
that `jose jwe dec` yields the very JSON a browser needs. `wrap` takes public keys only: the camera
cannot open what it has closed. `unwrap` is for whoever holds a private key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ..errors import CannotOpen, EvidenceError

ALGORITHM = "ECDH-ES+A256KW"
MAX_JWE_BYTES = 64 * 1024
MAX_RECIPIENTS = 16


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64u_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {
        "kty": "EC", "crv": "P-256",
        "x": b64u(numbers.x.to_bytes(32, "big")), "y": b64u(numbers.y.to_bytes(32, "big")),
    }  # fmt: skip


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """The recipient's `kid`: RFC 7638 thumbprint."""
    jwk = public_jwk(key)
    text = json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return b64u(hashlib.sha256(text.encode()).digest())


def licence(key: bytes, kid: bytes) -> bytes:
    """What is wrapped: a W3C ClearKey licence for one content key."""
    return json.dumps(
        {"keys": [{"kty": "oct", "kid": b64u(kid), "k": b64u(key)}], "type": "temporary"},
        separators=(",", ":"),
    ).encode()


def key_in_licence(text: bytes, kid: bytes) -> bytes:
    """The content key with this id. Raises CannotOpen if the licence is for another one."""
    keys = {b64u_bytes(k["kid"]): b64u_bytes(k["k"]) for k in json.loads(text)["keys"]}
    if kid not in keys:
        raise CannotOpen("the wrapped content key is for another segment")
    return keys[kid]


def _derive(shared: bytes) -> bytes:
    # RFC 7518, 4.6.2: AlgorithmID, empty PartyU and PartyV, key length in bits.
    info = struct.pack(">I", len(ALGORITHM)) + ALGORITHM.encode() + bytes(8)
    return ConcatKDFHash(hashes.SHA256(), 32, info + struct.pack(">I", 256)).derive(shared)


def wrap(
    recipients: Sequence[ec.EllipticCurvePublicKey], key: bytes, kid: bytes, segment: str
) -> bytes:
    """A JWE that opens to the content key for any one of the recipients.

    `segment` ("<recording>/<number>") stands in its protected header and binds it to the segment;
    the `aad` member would do so too, but Debian's `jose` 11 does not follow RFC 7516 there. Raises
    ValueError without recipients: a segment that nobody can open must not be written.
    """
    if not recipients:
        raise ValueError("no recipients to wrap the content key to")
    cek = os.urandom(32)
    entries = []
    for recipient in recipients:
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        kek = _derive(ephemeral.exchange(ec.ECDH(), recipient))
        entries.append({
            "header": {
                "alg": ALGORITHM, "kid": thumbprint(recipient),
                "epk": public_jwk(ephemeral.public_key()),
            },
            "encrypted_key": b64u(aes_key_wrap(kek, cek)),
        })  # fmt: skip
    header = json.dumps({"enc": "A256GCM", "segment": segment}, separators=(",", ":"))
    protected = b64u(header.encode())
    iv = os.urandom(12)
    sealed = AESGCM(cek).encrypt(iv, licence(key, kid), protected.encode())
    document = {
        "protected": protected, "recipients": entries, "iv": b64u(iv),
        "ciphertext": b64u(sealed[:-16]), "tag": b64u(sealed[-16:]),
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def recipients_of(jwe: bytes) -> list[str]:
    """The key ids that a JWE is addressed to."""
    return [str(entry["header"]["kid"]) for entry in _parse(jwe)["recipients"]]


def unwrap(jwe: bytes, private: ec.EllipticCurvePrivateKey, kid: bytes, segment: str) -> bytes:
    """The content key with this key id. Raises CannotOpen if it was not wrapped to this key."""
    document = _parse(jwe)
    mine = thumbprint(private.public_key())
    entry = next((e for e in document["recipients"] if e["header"].get("kid") == mine), None)
    if entry is None:
        raise CannotOpen(
            f"the segment is not addressed to this key ({mine})",
            "Use the private key of one of: " + ", ".join(recipients_of(jwe)),
        )
    try:
        header = json.loads(b64u_bytes(document["protected"]))
        if header["segment"] != segment:
            raise EvidenceError(
                f"the wrapped key belongs to segment {header['segment']}, not to {segment}"
            )
        epk = entry["header"]["epk"]
        point = ec.EllipticCurvePublicNumbers(
            int.from_bytes(b64u_bytes(epk["x"]), "big"), int.from_bytes(b64u_bytes(epk["y"]), "big"),
            ec.SECP256R1(),
        ).public_key()  # fmt: skip
        cek = aes_key_unwrap(
            _derive(private.exchange(ec.ECDH(), point)), b64u_bytes(entry["encrypted_key"])
        )
        opened = AESGCM(cek).decrypt(
            b64u_bytes(document["iv"]),
            b64u_bytes(document["ciphertext"]) + b64u_bytes(document["tag"]),
            str(document["protected"]).encode(),
        )
        return key_in_licence(opened, kid)
    except (InvalidUnwrap, InvalidTag, KeyError, ValueError, TypeError, RecursionError) as fault:
        raise CannotOpen(f"the wrapped content key is damaged: {fault!r}") from fault


def _parse(jwe: bytes) -> dict[str, Any]:
    if len(jwe) > MAX_JWE_BYTES:
        raise EvidenceError(f"wrapped key of {len(jwe)} bytes, at most {MAX_JWE_BYTES}")
    try:
        document = json.loads(jwe)
        recipients = document["recipients"]
        if not 1 <= len(recipients) <= MAX_RECIPIENTS:
            raise ValueError(f"{len(recipients)} recipients")
        for entry in recipients:
            entry["header"]["kid"]
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise EvidenceError(f"wrapped key is not a JWE: {fault!r}") from fault
    return dict(document)

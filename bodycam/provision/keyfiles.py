"""Private keys and certificates in files: created once, never replaced by accident."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import CannotOpen

MAX_PASSPHRASE_BYTES = 1024


def write_key(path: Path, key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> None:
    """A private key that only its owner can read (0600). Raises FileExistsError."""
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        protection = serialization.BestAvailableEncryption(passphrase)
    _create(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        ),
        0o600,
    )


def write_public(path: Path, *parts: x509.Certificate | x509.CertificateSigningRequest) -> None:
    """Certificates, in order, or a request, for anybody to read. Raises FileExistsError."""
    _create(path, b"".join(p.public_bytes(serialization.Encoding.PEM) for p in parts), 0o644)


def write_public_key(path: Path, key: ec.EllipticCurvePublicKey) -> None:
    """A public key for anybody to read. Raises FileExistsError."""
    _create(
        path,
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        0o644,
    )


def write_pem(path: Path, pem: bytes, *, private: bool) -> None:
    """A key that is PEM already. Raises FileExistsError."""
    _create(path, pem, 0o600 if private else 0o644)


def read_key(path: Path, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key. Raises CannotOpen: not there, wrong passphrase, another kind of key."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Check the path") from fault
    except TypeError as fault:
        # The library's word for: encrypted without a passphrase, or the other way round.
        raise CannotOpen(f"{path}: {fault}", "See --passphrase-file") from fault
    except ValueError as fault:
        raise CannotOpen(f"{path}: wrong passphrase, or not a private key in PEM") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise CannotOpen(f"{path}: not an EC P-256 private key")
    return key


def is_encrypted(path: Path) -> bool:
    """Whether a private key needs a passphrase."""
    try:
        return b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Check the path") from fault


def read_passphrase(path: Path) -> bytes:
    """The first line of a file. Raises CannotOpen if it is empty or others can read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            line = file.readline(MAX_PASSPHRASE_BYTES).rstrip(b"\r\n")
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Check the path") from fault
    if mode & 0o077:
        raise CannotOpen(f"{path}: mode {mode:04o} lets others read it", f"Run: chmod 0600 {path}")
    if not line:
        raise CannotOpen(f"{path}: its first line is empty", "Put the passphrase there")
    return line


def _create(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

"""The device key: sign records, check signatures. What a certificate is worth: certificates.py.

ECDSA P-256 over SHA-256, signatures in DER (ECDSA-Sig-Value), so that `openssl dgst` checks them.
"""

from __future__ import annotations

import hashlib
import stat
import threading
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning

from .clock import NS
from .errors import CannotOpen, ConfigError, DeviceError, EvidenceError, KeyMissing
from .media import Buffer

DEVICE_KEY = "device.key"
DEVICE_CHAIN = "device.pem"
RECIPIENTS = "recipients"
FORCE_ROOT = "root.pem"
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_HASH = ec.ECDSA(hashes.SHA256())
# What `cryptography` raises for a hostile certificate; not all of it is a ValueError.
BAD_CERTIFICATE = (
    ValueError, TypeError, OverflowError, OSError, InvalidSignature, UnsupportedAlgorithm,
    x509.InvalidVersion, x509.ExtensionNotFound, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType, CryptographyDeprecationWarning,
)  # fmt: skip


class Promise:
    """A signature that was asked for: there at once, late, or never."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._signature = b""
        self._fault: DeviceError | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Nobody wants it any more: a key that has not begun need not."""
        self.cancelled = True

    def keep(self, signature: bytes) -> None:
        self._signature = signature
        self._done.set()

    def fail(self, fault: DeviceError) -> None:
        self._fault = fault
        self._done.set()

    def wait(self, seconds: float = 0) -> bytes | None:
        """The signature, empty if there is no key; None if it is not there yet.

        Raises DeviceError if the key refused.
        """
        if not self._done.wait(seconds):
            return None
        if self._fault is not None:
            raise self._fault
        return self._signature


class Signer(Protocol):
    """The device-key seam: a key that signs and never leaves."""

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """DER, leaf first, without the root; empty if there is no key."""
        ...

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey | None: ...

    def sign(self, message: bytes) -> bytes:
        """A signature over the message; empty if there is no key."""
        ...

    def ask(self, message: bytes) -> Promise:
        """The same, without waiting for it."""
        ...


class FileKey:
    """A device key in a file that only the recorder may read."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]) -> None:
        self._key = key
        self._certificates = tuple(c.public_bytes(serialization.Encoding.DER) for c in chain)

    @property
    def certificates(self) -> tuple[bytes, ...]:
        return self._certificates

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, _HASH)

    def ask(self, message: bytes) -> Promise:
        return asked(self, message)


class NoKey:
    """No device key: records are hash-chained but unsigned, and say so."""

    certificates: tuple[bytes, ...] = ()
    public_key = None

    def sign(self, message: bytes) -> bytes:
        del message
        return b""

    def ask(self, message: bytes) -> Promise:
        return asked(self, message)


def asked(signer: Signer, message: bytes) -> Promise:
    """A promise that is kept at once, for keys that are quick."""
    promise = Promise()
    try:
        promise.keep(signer.sign(message))
    except DeviceError as fault:
        promise.fail(fault)
    return promise


def load_file_key(identity: Path) -> FileKey:
    """The device key and its certificate chain from an identity folder.

    Raises KeyMissing if either is not there, DeviceError if it is unreadable, readable by others, or
    does not match the other: the camera then records unsigned.
    """
    key_path = identity / DEVICE_KEY
    chain = load_chain(identity)
    try:
        mode = key_path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise DeviceError(
                f"{key_path}: mode {stat.S_IMODE(mode):04o} lets others read the device key",
                f"Run: chmod 0600 {key_path}",
            )
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    except OSError as fault:
        raise _unreadable(fault, "Provision this camera: no device key") from fault
    except (ValueError, TypeError) as fault:
        raise DeviceError(f"{key_path}: device key is damaged: {fault}") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise DeviceError(f"{key_path}: not an EC P-256 key", "Provision this camera again")
    if key.public_key() != chain[0].public_key():
        raise DeviceError(f"{identity / DEVICE_CHAIN}: the certificate is not of {key_path}")
    return FileKey(key, chain)


def load_chain(identity: Path) -> list[x509.Certificate]:
    """The certificate chain from an identity folder, leaf first. Raises DeviceError."""
    path = identity / DEVICE_CHAIN
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as fault:
        raise _unreadable(fault, "Provision this camera: no certificate") from fault
    except ValueError as fault:
        raise DeviceError(f"{path}: certificate is damaged: {fault}") from fault


def _unreadable(fault: OSError, next_step: str) -> DeviceError:
    kind = KeyMissing if isinstance(fault, FileNotFoundError) else DeviceError
    return kind(f"{fault.filename}: {fault.strerror}", next_step)


def load_recipients(identity: Path) -> list[ec.EllipticCurvePublicKey]:
    """The public keys that every content key is wrapped to, in order of their file names.

    Raises ConfigError for a file that is not an EC P-256 public key. None at all is the caller's
    business: it refuses to record in clear.
    """
    return [load_recipient(path) for path in sorted((identity / RECIPIENTS).glob("*.pem"))]


def load_recipient(path: Path) -> ec.EllipticCurvePublicKey:
    """One recipient's public key. Raises ConfigError if the file is not one of EC P-256."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{path}: not a public key: {fault}") from fault
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ConfigError(f"{path}: not an EC P-256 public key")
    return key


def load_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A custodian's private key. Raises CannotOpen if it is not one."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Give the custodian's key") from fault
    except (ValueError, TypeError) as fault:
        raise CannotOpen(f"{path}: not an unencrypted private key in PEM: {fault}") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise CannotOpen(f"{path}: not an EC P-256 private key")
    return key


def load_root(path: Path) -> x509.Certificate:
    """The force root that a verifier trusts. Raises CannotOpen if it is not a certificate."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Give the root with --trust") from fault
    except ValueError as fault:
        raise CannotOpen(f"{path}: not a PEM certificate: {fault}") from fault


def fingerprint(der: Buffer) -> str:
    return hashlib.sha256(der).hexdigest()


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse a certificate; what the library only tolerates for now is refused."""
    with warnings.catch_warnings(action="error", category=CryptographyDeprecationWarning):
        return x509.load_der_x509_certificate(der)


def public_key_of(der: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key in a certificate. Raises EvidenceError if there is none."""
    try:
        key = load_certificate(der).public_key()
    except BAD_CERTIFICATE as fault:
        raise EvidenceError(f"certificate cannot be parsed: {fault}") from fault
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise EvidenceError("certificate does not hold an EC P-256 key")
    return key


def check(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> None:
    """Raises EvidenceError unless the signature is the key's over the message."""
    try:
        key.verify(signature, message, _HASH)
    except InvalidSignature as fault:
        raise EvidenceError("signature does not match the record") from fault


def common_name(certificate: x509.Certificate) -> str:
    """The name a person knows the certificate's owner by: a device, an authority."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else "unnamed"


def extension_of(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    """An extension's value, if the certificate has it."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def utc_ns_of(moment: datetime) -> int:
    """A certificate's time, which is whole seconds."""
    return int(moment.timestamp()) * NS

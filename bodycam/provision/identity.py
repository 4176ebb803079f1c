"""A camera's identity: its key and certificate chain, and who may open what it records.

    FOLDER/identity/device.key              the camera's private key, mode 0600
    FOLDER/identity/device.pem              its certificate, then the intermediate authority's
    FOLDER/identity/root.pem                the force root, for information
    FOLDER/identity/recipients/<name>.pem   public keys that every content key is wrapped to
    FOLDER/authority/root.pem, root.key     the force root: what a verifier trusts
    FOLDER/authority/intermediate.key       signs device certificates
    FOLDER/authority/<name>.key             a recipient's private key: opens segments

Only `identity/` belongs on a camera; `authority/` stays with the force and its custodians.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..clock import NS
from ..signing import DEVICE_CHAIN, DEVICE_KEY, RECIPIENTS

_DAY = timedelta(days=1)
_ROOT_YEARS, _INTERMEDIATE_YEARS, _DEVICE_YEARS = 20, 10, 3


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the parts of a new identity lie."""

    identity: Path
    authority: Path

    @property
    def root(self) -> Path:
        """The force root's certificate: `bodycam verify --trust`."""
        return self.authority / "root.pem"

    def recipient_key(self, name: str) -> Path:
        """A recipient's private key: `bodycam export --key`."""
        return self.authority / f"{name}.key"


@dataclass(frozen=True, slots=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_identity(
    folder: Path,
    device: str,
    now_utc_ns: int,
    recipients: Sequence[str] = ("custody", "oversight"),
    force: str = "Example Police",
) -> Identity:
    """Make a force of one camera: authorities, the device's key, the recipients' keys.

    For demonstrations and tests: a real force keeps each private key of `authority/` apart.
    Raises FileExistsError rather than replace a key.
    """
    made = Identity(folder / "identity", folder / "authority")
    now = datetime.fromtimestamp(now_utc_ns // NS, UTC)
    (made.identity / RECIPIENTS).mkdir(parents=True, mode=0o700)
    made.authority.mkdir(parents=True, mode=0o700)
    root = _authority(f"{force} body-worn video root", None, now, _ROOT_YEARS, path_length=1)
    middle = _authority(f"{force} device authority", root, now, _INTERMEDIATE_YEARS, path_length=0)
    device_key = ec.generate_private_key(ec.SECP256R1())
    leaf = _device_certificate(device, device_key, middle, now)

    _write_key(made.authority / "root.key", root.key)
    _write_key(made.authority / "intermediate.key", middle.key)
    _write_public(made.root, _pem(root.certificate))
    _write_key(made.identity / DEVICE_KEY, device_key)
    _write_public(made.identity / DEVICE_CHAIN, _pem(leaf) + _pem(middle.certificate))
    _write_public(made.identity / "root.pem", _pem(root.certificate))
    for name in recipients:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_key(made.recipient_key(name), key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _write_public(made.identity / RECIPIENTS / f"{name}.pem", public)
    return made


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: _Authority | None, now: datetime, years: int
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issued_by = issuer.certificate.subject if issuer else subject
    issuer_key = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back, so that a camera whose clock is a little behind is not turned away.
        .not_valid_before(now - _DAY)
        .not_valid_after(now + years * 365 * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def _usage(*, signs_evidence: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs_evidence, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=not signs_evidence,
        crl_sign=not signs_evidence, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _authority(
    name: str, issuer: _Authority | None, now: datetime, years: int, *, path_length: int
) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(name, key, issuer, now, years)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs_evidence=False), critical=True)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return _Authority(key, certificate)


def _device_certificate(
    device: str, key: ec.EllipticCurvePrivateKey, issuer: _Authority, now: datetime
) -> x509.Certificate:
    return (
        _builder(device, key, issuer, now, _DEVICE_YEARS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_evidence=True), critical=True)
        .sign(issuer.key, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _create(path, pem, 0o600)


def _write_public(path: Path, pem: bytes) -> None:
    _create(path, pem, 0o644)


def _create(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)

"""Makes certificate chains that must not be trusted, each wrong in one thing, without our profile.

Run it to write them as PEM files: `python -m tests.hostile_certificates FOLDER`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from bodycam.certificates import EVIDENCE_SIGNING, Trust

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICE = "cam-0001"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Wanted:
    """One certificate as it should be; a hostile one replaces a field or two."""

    name: str
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    ca: bool = False
    path_length: int | None = None
    signs: bool = True
    issues: bool = False
    purposes: tuple[x509.ObjectIdentifier, ...] = ()
    begins: datetime = NOW - DAY
    ends: datetime = NOW + 900 * DAY
    hash: hashes.SHA256 | hashes.SHA384 = field(default_factory=hashes.SHA256)
    extra: tuple[x509.UnrecognizedExtension, ...] = ()


def root() -> Wanted:
    return Wanted("root", ca=True, path_length=1, signs=False, issues=True, ends=NOW + 7000 * DAY)


def middle() -> Wanted:
    return Wanted("middle", ca=True, path_length=0, signs=False, issues=True)


def leaf() -> Wanted:
    return Wanted(DEVICE, purposes=(EVIDENCE_SIGNING,))


def make(wanted: Wanted, issuer: Wanted | None) -> x509.Certificate:
    by = issuer or wanted
    name, issued_by = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one.name)]) for one in (wanted, by)
    )
    usage = x509.KeyUsage(
        wanted.signs, False, False, False, False, wanted.issues, wanted.issues, False, False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issued_by)
        .public_key(wanted.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wanted.begins)
        .not_valid_after(wanted.ends)
        .add_extension(x509.BasicConstraints(wanted.ca, wanted.path_length), critical=True)
        .add_extension(usage, critical=True)
    )
    if wanted.purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(wanted.purposes), critical=False)
    for extension in wanted.extra:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(by.key, wanted.hash)


def chain_of(*wanted: Wanted) -> list[x509.Certificate]:
    """Certificates, leaf first, each issued by the next one, the last by itself."""
    return [make(one, by) for one, by in zip(wanted, [*wanted[1:], None], strict=True)]


def _with_another_root() -> list[x509.Certificate]:
    good = chain_of(leaf(), middle(), root())
    return [*good[:2], make(root(), None)]


def _self_signed() -> list[x509.Certificate]:
    return [make(leaf(), None), make(root(), None)]


def _a_leaf_that_issues() -> list[x509.Certificate]:
    # A stolen camera's key signs a certificate for another camera.
    return chain_of(replace(leaf(), name="cam-0002"), leaf(), middle(), root())


def _sha1() -> list[x509.Certificate]:
    """The library refuses to make one; openssl does not."""
    top, between, good = root(), middle(), leaf()
    chain = chain_of(good, between, top)
    authority = between.key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    extensions = (
        f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage={EVIDENCE_SIGNING.dotted_string}\n"
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(chain[0].subject)
        .sign(good.key, hashes.SHA256())
    )
    signed = _openssl_sha1(request, chain[1], authority, extensions)
    return [signed, *chain[1:]]


def _openssl_sha1(
    request: x509.CertificateSigningRequest, issuer: x509.Certificate, key: bytes, extensions: str
) -> x509.Certificate:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "csr").write_bytes(request.public_bytes(PEM))
        (place / "ca").write_bytes(issuer.public_bytes(PEM))
        (place / "key").write_bytes(key)
        (place / "ext").write_text(extensions)
        done = subprocess.run(
            ["openssl", "x509", "-req", "-sha1", "-in", "csr", "-CA", "ca", "-CAkey", "key",
             "-set_serial", "7", "-days", "900", "-extfile", "ext"],
            check=True, cwd=place, capture_output=True, timeout=60,
        )  # fmt: skip
    return x509.load_pem_x509_certificate(done.stdout)


# What is wrong, how it is made, and the answer it must get.
HOSTILE: dict[str, tuple[Callable[[], list[x509.Certificate]], Trust]] = {
    "another force's root": (_with_another_root, Trust.UNKNOWN_ISSUER),
    "self-signed leaf": (_self_signed, Trust.UNKNOWN_ISSUER),
    "intermediate that is no authority": (
        lambda: chain_of(leaf(), replace(middle(), ca=False, path_length=None), root()),
        Trust.UNKNOWN_ISSUER,
    ),
    "leaf that issues for another camera": (_a_leaf_that_issues, Trust.UNKNOWN_ISSUER),
    "intermediate below an intermediate": (
        lambda: chain_of(leaf(), replace(middle(), name="sub"), middle(), root()),
        Trust.UNKNOWN_ISSUER,
    ),
    "root that allows no intermediate": (
        lambda: chain_of(leaf(), middle(), replace(root(), path_length=0)),
        Trust.UNKNOWN_ISSUER,
    ),
    "intermediate that may not sign certificates": (
        lambda: chain_of(leaf(), replace(middle(), issues=False, signs=True), root()),
        Trust.UNKNOWN_ISSUER,
    ),
    "intermediate on P-384": (
        lambda: chain_of(
            leaf(), replace(middle(), key=ec.generate_private_key(ec.SECP384R1())), root()
        ),
        Trust.UNKNOWN_ISSUER,
    ),
    "SHA-1": (_sha1, Trust.UNKNOWN_ISSUER),
    "SHA-384": (
        lambda: chain_of(replace(leaf(), hash=hashes.SHA384()), middle(), root()),
        Trust.UNKNOWN_ISSUER,
    ),
    "critical extension not known": (
        lambda: chain_of(
            replace(leaf(), extra=(x509.UnrecognizedExtension(
                x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"),)),
            middle(), root(),
        ),
        Trust.UNKNOWN_ISSUER,
    ),
    "RSA leaf": (
        lambda: chain_of(replace(leaf(), key=rsa.generate_private_key(65537, 2048)),
                         middle(), root()),
        Trust.NOT_FOR_SIGNING,
    ),
    "P-384 leaf": (
        lambda: chain_of(replace(leaf(), key=ec.generate_private_key(ec.SECP384R1())),
                         middle(), root()),
        Trust.NOT_FOR_SIGNING,
    ),
    "leaf that may sign certificates": (
        lambda: chain_of(replace(leaf(), issues=True), middle(), root()),
        Trust.NOT_FOR_SIGNING,
    ),
    "leaf that is an authority": (
        lambda: chain_of(replace(leaf(), ca=True), middle(), root()), Trust.NOT_FOR_SIGNING,
    ),
    "leaf without digitalSignature": (
        lambda: chain_of(replace(leaf(), signs=False), middle(), root()), Trust.NOT_FOR_SIGNING,
    ),
    "leaf for web servers": (
        lambda: chain_of(replace(leaf(), purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)),
                         middle(), root()),
        Trust.NOT_FOR_SIGNING,
    ),
    "leaf without a purpose": (
        lambda: chain_of(replace(leaf(), purposes=()), middle(), root()), Trust.NOT_FOR_SIGNING,
    ),
    "expired leaf": (
        lambda: chain_of(replace(leaf(), begins=NOW - 9 * DAY, ends=NOW - DAY), middle(), root()),
        Trust.EXPIRED,
    ),
    "expired intermediate": (
        lambda: chain_of(leaf(), replace(middle(), begins=NOW - 9 * DAY, ends=NOW - DAY), root()),
        Trust.EXPIRED,
    ),
    "expired root": (
        lambda: chain_of(leaf(), middle(), replace(root(), begins=NOW - 9 * DAY, ends=NOW - DAY)),
        Trust.EXPIRED,
    ),
    "leaf of tomorrow": (
        lambda: chain_of(replace(leaf(), begins=NOW + DAY), middle(), root()), Trust.NOT_YET_VALID,
    ),
}  # fmt: skip


def der(chain: Sequence[x509.Certificate]) -> list[bytes]:
    """As HEAD carries them: leaf first, without the root."""
    return [c.public_bytes(serialization.Encoding.DER) for c in chain[:-1]]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for what, (builder, trust) in HOSTILE.items():
        name = "".join(c if c.isalnum() else "-" for c in what)
        pem = b"".join(c.public_bytes(PEM) for c in builder())
        (folder / f"{name}.pem").write_bytes(f"# {what}: {trust.value}\n".encode() + pem)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

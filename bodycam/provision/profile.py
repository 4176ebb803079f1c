"""Makes certificates, requests and revocation lists as FORMAT.md, "Certificates", has them.

Pure: keys and times are passed in, nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from ..certificates import DOCUMENT_SIGNING, EVIDENCE_SIGNING
from ..clock import NS
from ..errors import ConfigError, EvidenceError
from ..signing import BAD_CERTIFICATE

ROOT_YEARS, INTERMEDIATE_YEARS = 20, 10
DEVICE_DAYS = 3 * 365
CRL_DAYS = 30
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority's key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Revoked:
    """One entry of a revocation list: not to be trusted from `from_utc_ns` on."""

    serial: int
    from_utc_ns: int
    at_utc_ns: int
    reason: x509.ReasonFlags


def new_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_root(force: str, now_utc_ns: int) -> Issuer:
    """A force root: what a verifier trusts. One authority may stand below it."""
    return _authority(f"{force} body-worn video root", None, now_utc_ns, ROOT_YEARS, 1)


def new_intermediate(force: str, root: Issuer, now_utc_ns: int) -> Issuer:
    """The authority that signs cameras and revocation lists; none stands below it."""
    return _authority(f"{force} device authority", root, now_utc_ns, INTERMEDIATE_YEARS, 0)


def _authority(
    name: str, issuer: Issuer | None, now_utc_ns: int, years: int, path_length: int
) -> Issuer:
    key = new_key()
    certificate = (
        _builder(name, key.public_key(), issuer, now_utc_ns, years * 365)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs_evidence=False), critical=True)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Issuer(key, certificate)


def device_certificate(
    device: str, key: ec.EllipticCurvePublicKey, issuer: Issuer, now_utc_ns: int, days: int
) -> x509.Certificate:
    """A camera's certificate: it signs evidence, and nothing else."""
    return (
        _builder(device, key, issuer, now_utc_ns, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_evidence=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([EVIDENCE_SIGNING, DOCUMENT_SIGNING]), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def _builder(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: Issuer | None,
    now_utc_ns: int,
    days: int,
) -> x509.CertificateBuilder:
    now = moment(now_utc_ns)
    authority = (
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_key_identifier(issuer))
        if issuer
        else x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.certificate.subject if issuer else _name(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A day back, so that a camera whose clock is a little behind is not turned away.
        .not_valid_before(now - _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(authority, critical=False)
    )


def request(device: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    """A camera's request for a certificate, signed by its own key."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(device))
        .sign(key, hashes.SHA256())
    )


def check_request(csr: x509.CertificateSigningRequest, device: str) -> ec.EllipticCurvePublicKey:
    """The key that a request asks to have certified. Raises EvidenceError with what is wrong.

    What else it asks for is ignored: a camera does not say what it may do.
    """
    try:
        key = csr.public_key()
        names = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise EvidenceError("its key is not EC P-256")
        if csr.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
            raise EvidenceError("it is not signed with ECDSA and SHA-256")
        if not csr.is_signature_valid:
            raise EvidenceError("its own signature does not hold: whoever made it lacks the key")
    except BAD_CERTIFICATE as fault:
        raise EvidenceError(f"it cannot be parsed: {fault}") from fault
    if [name.value for name in names] != [device]:
        asked = ", ".join(str(name.value) for name in names) or "nobody"
        raise EvidenceError(f"it is for {asked}, not for {device}")
    return key


def revocation_list(
    issuer: Issuer, revoked: Sequence[Revoked], number: int, now_utc_ns: int, days: int = CRL_DAYS
) -> x509.CertificateRevocationList:
    """The list of what the authority revoked, valid for `days`."""
    now = moment(now_utc_ns)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now)
        .next_update(now + days * _DAY)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_key_identifier(issuer)),
            critical=False,
        )
    )
    for entry in revoked:
        since = moment(entry.from_utc_ns)
        one = (
            x509.RevokedCertificateBuilder()
            .serial_number(entry.serial)
            .revocation_date(moment(entry.at_utc_ns))
            .add_extension(x509.InvalidityDate(since), critical=False)
        )
        # RFC 5280, 5.3.1: "unspecified" is said by saying nothing.
        if entry.reason is not x509.ReasonFlags.unspecified:
            one = one.add_extension(x509.CRLReason(entry.reason), critical=False)
        builder = builder.add_revoked_certificate(one.build())
    return builder.sign(issuer.key, hashes.SHA256())


def moment(utc_ns: int) -> datetime:
    """A time as certificates hold it: whole seconds."""
    return datetime.fromtimestamp(utc_ns // NS, UTC)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_identifier(issuer: Issuer) -> x509.SubjectKeyIdentifier:
    return issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value


def _usage(*, signs_evidence: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs_evidence, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=not signs_evidence,
        crl_sign=not signs_evidence, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def check_device_name(device: str) -> None:
    """Raises ConfigError unless it can be a camera's id, as in `[device] id`."""
    if not _is_name(device):
        raise ConfigError(
            f"authority: device {device!r}; accepted: 1 to 32 letters, digits, '-' or '.'"
        )


def _is_name(text: str) -> bool:
    plain = text.replace("-", "").replace(".", "")
    return 0 < len(text) <= 32 and text.isascii() and plain.isalnum() and text[0].isalnum()

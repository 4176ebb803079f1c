"""Certificate policy: what a chain is worth, when it signed and now. FORMAT.md, "Certificates".

Two answers that do not change each other: what the certificate was worth when it signed decides
the verdict; what became of it since is said beside it. A certificate that has expired since takes
nothing back. A revoked one vouches only for what was certainly signed before the revocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from .clock import MS, NS, utc_text
from .revocation import Revocation, RevocationLists
from .signing import (
    BAD_CERTIFICATE,
    common_name,
    extension_of,
    load_certificate,
    utc_ns_of,
)

# The extended key usage of a device certificate: one of ours, and RFC 9336's for documents.
EVIDENCE_SIGNING = x509.ObjectIdentifier("2.25.162402619306510249478206808653890473111")
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
}  # fmt: skip
_LAST_NS = 253_402_300_799 * NS


class Trust(Enum):
    """What a signature is worth, by the certificate chain at the time of signing."""

    TRUSTED = "trusted"
    UNSIGNED = "unsigned"
    UNKNOWN_ISSUER = "unknown issuer"
    NOT_FOR_SIGNING = "not for signing evidence"
    NOT_YET_VALID = "not yet valid at signing"
    EXPIRED = "expired at signing"
    REVOKED = "revoked at signing"


class Standing(Enum):
    """What a chain is at one moment: when it signed, or now."""

    VALID = "valid"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class SigningTime:
    """When something was signed: within [lo, hi], or not known at all."""

    lo_ns: int | None = None
    hi_ns: int | None = None

    @classmethod
    def of(cls, utc_ns: int, source: str, unc_ms: int) -> SigningTime:
        """From a record's UTC estimate. A clock that was not set proves no time."""
        if source == "none":
            return cls()
        lo_ns, hi_ns = utc_ns - unc_ms * MS, utc_ns + unc_ms * MS
        # A record may claim any uncertainty; no certificate is older than 1970 or outlives 9999.
        return cls(min(max(lo_ns, 0), _LAST_NS), min(max(hi_ns, 0), _LAST_NS))


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """The answer for one chain: who signed, and whether the root vouches for it.

    `at_signing` and `now` tell the two moments apart; `not_known` is what could not be judged.
    """

    trust: Trust
    device: str
    detail: str
    at_signing: Standing = Standing.NOT_KNOWN
    now: Standing = Standing.NOT_KNOWN
    revoked_from_ns: int | None = None
    not_known: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        begin = self.revoked_from_ns
        return {
            "trust": self.trust.value, "device": self.device, "detail": self.detail,
            "at_signing": self.at_signing.value, "now": self.now.value,
            "revoked_from": utc_text(begin) if begin is not None else None,
            "not_known": list(self.not_known),
        }  # fmt: skip


@dataclass(slots=True)
class TrustPolicy:
    """What a verifier goes by: the root, revocation lists, and the time it judges at."""

    root: x509.Certificate | None
    crls: Sequence[x509.CertificateRevocationList] = ()
    now_utc_ns: int | None = None
    _lists: RevocationLists | None = None

    def revocation(self, chain: Sequence[x509.Certificate]) -> Revocation:
        """What the lists say of a chain, root last."""
        if self._lists is None:
            self._lists = RevocationLists(self.crls)
        return self._lists.ask(chain, self.now_utc_ns)


def judge_chain(
    certificates: Sequence[bytes], policy: TrustPolicy, signed: SigningTime
) -> ChainVerdict:
    """Whether the chain leads to the root and was worth something when it signed. Never raises."""
    if not certificates:
        return ChainVerdict(Trust.UNSIGNED, "", "no device key signed this")
    device = ""
    try:
        chain = [load_certificate(der) for der in certificates]
        device = common_name(chain[0])
        if policy.root is None:
            return ChainVerdict(Trust.UNKNOWN_ISSUER, device, "no root given: use --trust ROOT.pem")
        chain.append(policy.root)
        fault = _issuers_fault(chain)
        if fault:
            return ChainVerdict(Trust.UNKNOWN_ISSUER, device, fault)
        fault = _purpose_fault(chain[0])
        if fault:
            return ChainVerdict(Trust.NOT_FOR_SIGNING, device, fault)
        return _judge_time(chain, device, policy, signed)
    except BAD_CERTIFICATE as fault:
        reason = str(fault) or type(fault).__name__
        return ChainVerdict(
            Trust.UNKNOWN_ISSUER, device, f"chain does not lead to the root: {reason}"
        )


# -- the chain by itself --------------------------------------------------------------------


def _issuers_fault(chain: Sequence[x509.Certificate]) -> str:
    """Why the chain, root last, does not hold together; empty if it does (RFC 5280, 6.1)."""
    for certificate in chain[:-1]:
        if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
            return f"{common_name(certificate)} is not signed with ECDSA and SHA-256"
        critical = {e.oid for e in certificate.extensions if e.critical} - _UNDERSTOOD
        if critical:
            names = ", ".join(sorted(oid.dotted_string for oid in critical))
            return f"{common_name(certificate)} has critical extensions not known here: {names}"
    for below, (subject, issuer) in enumerate(pairwise(chain)):
        subject.verify_directly_issued_by(issuer)
        fault = _authority_fault(issuer, below)
        if fault:
            return f"{common_name(issuer)} {fault}"
    return ""


def _authority_fault(issuer: x509.Certificate, below: int) -> str:
    """Why this one may not issue the one before it, with `below` authorities under it."""
    if not _is_p256(issuer):
        return "has no P-256 key"
    constraints = extension_of(issuer, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return "is no authority"
    if constraints.path_length is not None and below > constraints.path_length:
        return f"allows {constraints.path_length} authorities below it, not {below}"
    usage = extension_of(issuer, x509.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        return "may not sign certificates"
    return ""


def _purpose_fault(leaf: x509.Certificate) -> str:
    """Why a leaf may not sign evidence; empty if it may."""
    if not _is_p256(leaf):
        return "its key is not EC P-256"
    constraints = extension_of(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        return "it is an authority's"
    usage = extension_of(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        return "key usage is not digitalSignature alone"
    extended = extension_of(leaf, x509.ExtendedKeyUsage)
    if extended is None or EVIDENCE_SIGNING not in extended:
        return "extended key usage does not name the signing of evidence"
    return ""


# -- the chain in time ----------------------------------------------------------------------


def _judge_time(
    chain: Sequence[x509.Certificate], device: str, policy: TrustPolicy, signed: SigningTime
) -> ChainVerdict:
    revoked = policy.revocation(chain)
    at_signing, why = _validity(chain, signed.lo_ns, signed.hi_ns)
    not_known = [revoked.not_known] if revoked.not_known else []
    if at_signing is Standing.NOT_KNOWN:
        not_known.append(f"whether the certificate of {device} was valid when it signed: {why}")
    now, since = _standing_now(chain, policy, revoked)
    trust, detail = Trust.TRUSTED, f"issued by {common_name(chain[-1])}{since}"
    after = _revoked_at_signing(revoked, signed)
    if after:
        trust, at_signing, detail = Trust.REVOKED, Standing.REVOKED, f"{revoked.reason}; {after}"
    elif at_signing in (Standing.EXPIRED, Standing.NOT_YET_VALID):
        trust = Trust.EXPIRED if at_signing is Standing.EXPIRED else Trust.NOT_YET_VALID
        detail = why
    elif revoked.from_ns is not None:
        detail += f"; {revoked.reason}, and signed before that"
    return ChainVerdict(trust, device, detail, at_signing, now, revoked.from_ns, tuple(not_known))


def _revoked_at_signing(revoked: Revocation, signed: SigningTime) -> str:
    """Why a revocation counts against a signature; empty if there is none, or it came later.

    The time is the camera's own word: whoever has its key can write an earlier one.
    """
    if revoked.from_ns is None:
        return ""
    if signed.lo_ns is None or signed.hi_ns is None:
        return "when it signed is not known"
    if signed.hi_ns < revoked.from_ns:
        return ""
    if signed.lo_ns < revoked.from_ns:
        return "its clock cannot tell whether it signed before that"
    return "it signed after that"


def _validity(
    chain: Sequence[x509.Certificate], lo_ns: int | None, hi_ns: int | None
) -> tuple[Standing, str]:
    """Whether every certificate was valid over [lo, hi], and why not."""
    if lo_ns is None or hi_ns is None:
        return Standing.NOT_KNOWN, "the camera's clock was not set"
    unsure = ""
    for certificate in chain:
        begin = utc_ns_of(certificate.not_valid_before_utc)
        end = utc_ns_of(certificate.not_valid_after_utc)
        span = (
            f"{common_name(certificate)} is valid {utc_text(begin)[:10]} to {utc_text(end)[:10]}, "
            f"signed {utc_text(lo_ns)[:10]}"
        )
        if lo_ns > end:
            return Standing.EXPIRED, span
        if hi_ns < begin:
            return Standing.NOT_YET_VALID, span
        if lo_ns < begin or hi_ns > end:
            unsure = f"{span}, give or take {(hi_ns - lo_ns) // 2 // NS} s"
    return (Standing.NOT_KNOWN, unsure) if unsure else (Standing.VALID, "")


def _standing_now(
    chain: Sequence[x509.Certificate], policy: TrustPolicy, revoked: Revocation
) -> tuple[Standing, str]:
    """What the chain is at the time of judging, and the words to add to "issued by …"."""
    now_ns = policy.now_utc_ns
    if revoked.from_ns is not None:
        return Standing.REVOKED, ""
    if now_ns is None:
        return Standing.NOT_KNOWN, ""
    standing, _ = _validity(chain, now_ns, now_ns)
    if standing is not Standing.EXPIRED:
        return standing, ""
    ended = [c for c in chain if utc_ns_of(c.not_valid_after_utc) < now_ns]
    words = ", ".join(f"{common_name(c)} on {c.not_valid_after_utc:%Y-%m-%d}" for c in ended)
    return standing, f"; expired since: {words}"


def _is_p256(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"

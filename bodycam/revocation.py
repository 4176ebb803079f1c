"""Revocation lists: from when on a certificate is not to be trusted.

An entry holds for ever, however old the list; only the absence of one grows stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import SignatureAlgorithmOID

from .boundedfile import read_bounded
from .clock import utc_text
from .errors import CannotOpen
from .signing import BAD_CERTIFICATE, common_name, extension_of, fingerprint, utc_ns_of

# Where a store keeps the force's list.
CRL_FILE = Path("trust") / "crl.pem"
MAX_CRL_BYTES = 16 * 1024 * 1024
_CRL_PEM = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


def load_crls(path: Path) -> list[x509.CertificateRevocationList]:
    """The revocation lists in a PEM file. Raises CannotOpen if there is none."""
    data = read_bounded(path, MAX_CRL_BYTES, "Give the list with --crl")
    if len(data) > MAX_CRL_BYTES:
        raise CannotOpen(f"{path}: bigger than {MAX_CRL_BYTES} bytes")
    try:
        crls = [x509.load_pem_x509_crl(found) for found in _CRL_PEM.findall(data)]
    except BAD_CERTIFICATE as fault:
        raise CannotOpen(f"{path}: not a revocation list: {fault}") from fault
    if not crls:
        raise CannotOpen(f"{path}: holds no revocation list in PEM", "Give the list with --crl")
    return crls


@dataclass(slots=True)
class Revocation:
    """What the lists say of one certificate."""

    from_ns: int | None = None
    reason: str = ""
    not_known: str = ""


class RevocationLists:
    """Lists that somebody gave, each checked once against the authority that is to have made it."""

    def __init__(self, crls: Sequence[x509.CertificateRevocationList]) -> None:
        self._crls = crls
        self._lists: dict[str, list[x509.CertificateRevocationList]] = {}

    def ask(self, chain: Sequence[x509.Certificate], now_utc_ns: int | None) -> Revocation:
        """The earliest revocation of any certificate of the chain, by all lists that count."""
        answer = Revocation()
        for certificate, issuer in pairwise(chain):
            for crl in self._of(issuer):
                entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if entry is None:
                    continue
                begin_ns, reason = _revoked_from(entry)
                if answer.from_ns is None or begin_ns < answer.from_ns:
                    answer.from_ns = begin_ns
                    name = common_name(certificate)
                    answer.reason = f"{name} was revoked from {utc_text(begin_ns)} ({reason})"
        if answer.from_ns is None:
            answer.not_known = self._freshness(chain, now_utc_ns)
        return answer

    def _freshness(self, chain: Sequence[x509.Certificate], now_utc_ns: int | None) -> str:
        """What a list without an entry leaves open for the leaf; empty if nothing."""
        whether = f"whether the certificate of {common_name(chain[0])} was revoked"
        lists = self._of(chain[1])
        if not lists:
            claimed = any(crl.issuer == chain[1].subject for crl in self._crls)
            why = (
                "is not signed by its issuer, or not of a kind known here"
                if claimed
                else "was given"
            )
            return f"{whether}: {'the revocation list' if claimed else 'no revocation list'} {why}"
        newest = lists[0]
        following = newest.next_update_utc
        made = f"the revocation list is of {newest.last_update_utc:%Y-%m-%d}"
        if now_utc_ns is None or following is None:
            return f"{whether} later: {made}"
        if utc_ns_of(following) < now_utc_ns:
            return f"{whether} later: {made}, and was to be replaced by {following:%Y-%m-%d}"
        return ""

    def _of(self, issuer: x509.Certificate) -> list[x509.CertificateRevocationList]:
        """The lists that this authority signed, newest first."""
        name = fingerprint(issuer.public_bytes(serialization.Encoding.DER))
        if name not in self._lists:
            good = [crl for crl in self._crls if _is_list_of(crl, issuer)]
            self._lists[name] = sorted(good, key=lambda c: c.last_update_utc, reverse=True)
        return self._lists[name]


def _is_list_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether the list is whole, of a kind known here, and signed by this authority."""
    key = issuer.public_key()
    try:
        if crl.issuer != issuer.subject or not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        usage = extension_of(issuer, x509.KeyUsage)
        if usage is None or not usage.crl_sign or any(e.critical for e in crl.extensions):
            return False
        if crl.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
            return False
        return crl.is_signature_valid(key)
    except BAD_CERTIFICATE:
        return False


def _revoked_from(entry: x509.RevokedCertificate) -> tuple[int, str]:
    """Since when not to trust it: the invalidity date if it is given, else the revocation's."""
    found = {type(e.value): e.value for e in _entry_extensions(entry)}
    invalid = found.get(x509.InvalidityDate)
    reason = found.get(x509.CRLReason)
    since = entry.revocation_date_utc
    if isinstance(invalid, x509.InvalidityDate):
        since = min(since, invalid.invalidity_date_utc)
    said = reason.reason.value if isinstance(reason, x509.CRLReason) else "no reason given"
    return utc_ns_of(since), said


def _entry_extensions(
    entry: x509.RevokedCertificate,
) -> Iterator[x509.Extension[x509.ExtensionType]]:
    try:
        yield from entry.extensions
    except BAD_CERTIFICATE:
        return  # what it revokes is revoked, whatever else it says

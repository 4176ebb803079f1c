"""Checks what HEAD says of its segment: 3 and 7 of `verify`."""

from __future__ import annotations

import re

from cryptography import x509

from ..clock import NS
from ..errors import EvidenceError
from ..formats import mp4read
from ..formats.keywrap import recipients_of
from ..signing import BAD_CERTIFICATE, Trust, fingerprint, judge_chain, load_certificate
from .fields import HeadFields
from .findings import Check, Findings, Verdict
from .segmentfacts import SegmentFacts

_NAME = re.compile(r"(?P<dev>.+)_(?P<rec>[0-9a-fA-F-]{36})_(?P<seg>\d{5,9})\.mp4")
_TRUST_FINDING = {
    Trust.UNSIGNED: "is not signed: no device key vouches for it",
    Trust.UNKNOWN_ISSUER: "is signed, but the signer is not trusted",
    Trust.NOT_VALID_AT_SIGNING: "is signed with a certificate that was not valid at the time",
    Trust.NOT_FOR_SIGNING: "is signed with a certificate that is not for signing evidence",
}


def check_head(
    head: HeadFields, facts: SegmentFacts, root: x509.Certificate | None, found: Findings
) -> None:
    """Judge the certificate chain, and compare HEAD with it and with the file's name."""
    # (3) the chain leads to the root and was valid when it signed: an answer of its own.
    signed_ns = head.utc_ns
    if head.clk == "none" and facts.certificates:
        # A camera that did not know the time: validity cannot be judged, only the issuer.
        signed_ns = _valid_from_ns(facts.certificates[0], signed_ns)
    facts.signer = judge_chain(facts.certificates, root, signed_ns)
    if facts.signer.trust is not Trust.TRUSTED:
        found.add(
            Check.CERTIFICATE, Verdict.UNTRUSTED, "",
            f"{_TRUST_FINDING[facts.signer.trust]} ({facts.signer.detail})",
        )  # fmt: skip
    # (7) HEAD, certificate and file name agree.
    if facts.certificates:
        if head.x5t != fingerprint(facts.certificates[0]):
            found.altered(Check.HEAD, "head", "names another certificate than the one here")
        if facts.signer.device not in ("", head.dev):
            found.altered(
                Check.HEAD, "head",
                f"says device {head.dev!r}, its certificate {facts.signer.device!r}",
            )  # fmt: skip
    name = _NAME.fullmatch(facts.name)
    if name and (name["dev"], name["rec"], int(name["seg"])) != (head.dev, head.rec, head.seg):
        found.altered(
            Check.HEAD, "head",
            f"is segment {head.seg} of recording {head.rec} of {head.dev}: the file was renamed "
            "or taken from elsewhere",
        )  # fmt: skip


def check_moov(moov: bytes, found: Findings) -> None:
    """(7) The segment can be opened by somebody: a wrapped key is there."""
    try:
        init = mp4read.read_init(moov)
        if not init.wrapped:
            raise EvidenceError("no wrapped key: nobody can open this segment")
        recipients_of(init.wrapped)
    except EvidenceError as fault:
        found.altered(Check.HEAD, "head", fault.message)


def _valid_from_ns(der: bytes, otherwise_ns: int) -> int:
    try:
        moment = load_certificate(der).not_valid_before_utc
    except BAD_CERTIFICATE:
        return otherwise_ns
    return int(moment.timestamp()) * NS

"""Checks what HEAD says of its segment: 3 and 7 of `verify`."""

from __future__ import annotations

import re

from ..certificates import SigningTime, Trust, TrustPolicy, judge_chain
from ..errors import EvidenceError
from ..formats import mp4read
from ..formats.hpkewrap import hpke_recipients_of
from ..formats.keywrap import recipients_of
from ..signing import fingerprint
from .fields import HeadFields, Utc
from .findings import Check, Findings, Verdict
from .segmentfacts import SegmentFacts

_NAME = re.compile(r"(?P<dev>.+)_(?P<rec>[0-9a-fA-F-]{36})_(?P<seg>\d{5,9})\.mp4")
_TRUST_FINDING = {
    Trust.UNSIGNED: "is not signed: no device key vouches for it",
    Trust.UNKNOWN_ISSUER: "is signed, but the signer is not trusted",
    Trust.NOT_YET_VALID: "is signed with a certificate that was not valid yet",
    Trust.EXPIRED: "is signed with a certificate that had expired",
    Trust.REVOKED: "is signed with a certificate that was revoked",
    Trust.NOT_FOR_SIGNING: "is signed with a certificate that is not for signing evidence",
}


def check_head(head: HeadFields, facts: SegmentFacts, policy: TrustPolicy, found: Findings) -> None:
    """Judge the certificate chain, and compare HEAD with it and with the file's name."""
    judge_signer(head, facts, policy, found, "")
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


def judge_signer(
    signed: Utc, facts: SegmentFacts, policy: TrustPolicy, found: Findings, place: str
) -> None:
    """(3) The chain leads to the root and was valid when it signed: an answer of its own."""
    when = SigningTime.of(signed.utc_ns, signed.clk, signed.unc_ms)
    facts.signer = judge_chain(facts.certificates, policy, when)
    if facts.signer.trust is not Trust.TRUSTED:
        found.add(
            Check.CERTIFICATE, Verdict.UNTRUSTED, place,
            f"{_TRUST_FINDING[facts.signer.trust]} ({facts.signer.detail})",
        )  # fmt: skip


def check_moov(moov: bytes, found: Findings) -> None:
    """(7) The segment can be opened by somebody: a wrapped key is there."""
    try:
        init = mp4read.read_init(moov)
        if not init.wrapped and not init.hpke:
            raise EvidenceError("no wrapped key: nobody can open this segment")
        if init.wrapped:
            recipients_of(init.wrapped)
        if init.hpke:
            hpke_recipients_of(init.hpke)
    except EvidenceError as fault:
        found.altered(Check.HEAD, "head", fault.message)

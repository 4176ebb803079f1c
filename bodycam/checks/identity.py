"""Checks of the camera's identity: does its key sign, for whom, and who can open what it records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from ..certificates import SigningTime, Trust, TrustPolicy, judge_chain
from ..clock import Clock, ClockSource, Instant, utc_text
from ..config import Config, Recipients
from ..contentkeys import PQ_RECIPIENTS, ContentKeys, load_pq_recipients
from ..errors import BodycamError, CannotOpen, ConfigError, DeviceError, EvidenceError, ExitCode
from ..renewal import DAY_NS, RENEW_BEFORE_DAYS
from ..revocation import load_crls
from ..signing import (
    BAD_CERTIFICATE,
    FORCE_ROOT,
    RECIPIENTS,
    Signer,
    check,
    common_name,
    load_certificate,
    load_recipients,
    load_root,
    public_key_of,
    utc_ns_of,
)
from .result import CheckResult, failed, fault, not_tested, ok, warn

WANTED_RECIPIENTS = 2
_NONCE_BYTES = 32
_PATIENCE_S = 10
_PROVISION = "Provision this camera: bodycam authority csr, then sign"
_RENEW = "Renew: bodycam authority sign device.csr --renew"


def check_key(signer: Signer, missing: BodycamError | None, kind: str, clock: Clock) -> CheckResult:
    """The device key signs something new, and its own certificate's key agrees."""
    if missing is not None:
        return fault("key", missing, _PROVISION)
    nonce = os.urandom(_NONCE_BYTES)
    before_ns = clock.boot_ns()
    try:
        signature = signer.ask(nonce).wait(_PATIENCE_S)
        if signature is None:
            raise DeviceError(f"no answer for {_PATIENCE_S} s", "Check the token and its driver")
        sign_us = (clock.boot_ns() - before_ns) // 1000
        check(public_key_of(signer.certificates[0]), nonce, signature)
    except (DeviceError, EvidenceError) as wrong:
        return failed("key", f"does not sign: {wrong.message}", _PROVISION, ExitCode.DEVICE)
    where = "in a file" if kind == "file" else "in a token"
    return ok("key", f"{where}, signs in {sign_us / 1000:.1f} ms", sign_us=sign_us)


def check_certificates(signer: Signer, config: Config, crl: Path, now: Instant) -> CheckResult:
    """The chain is this camera's, leads to the force root, and lasts."""
    name = "certificates"
    try:
        chain = [load_certificate(der) for der in signer.certificates]
    except BAD_CERTIFICATE as wrong:
        return failed(name, f"cannot be read: {wrong}", _PROVISION, ExitCode.DEVICE)
    if not chain:
        return not_tested(name, "no device key, no certificate to judge")
    device = common_name(chain[0])
    if device != config.device.id:
        return failed(
            name, f"of {device}, but [device] id is {config.device.id}",
            "Set [device] id, or sign this camera's request for its own name", ExitCode.DEVICE,
        )  # fmt: skip
    ends_ns = min(utc_ns_of(c.not_valid_after_utc) for c in chain)
    until, days = utc_text(ends_ns)[:10], (ends_ns - now.utc_ns) // DAY_NS
    try:
        root = load_root(Path(config.identity.path) / FORCE_ROOT)
        policy = TrustPolicy(root, load_crls(crl) if crl.exists() else [], now.utc_ns)
    except CannotOpen as wrong:
        return warn(
            name, f"until {until}; the chain was not judged: {wrong.message}",
            f"Copy the force root to {config.identity.path}/{FORCE_ROOT}, its list to {crl}",
            until=until,
        )  # fmt: skip
    signed = SigningTime.of(now.utc_ns, now.source.value, now.unc_ms)
    verdict = judge_chain(signer.certificates, policy, signed)
    if verdict.trust is not Trust.TRUSTED:
        return failed(
            name, f"{verdict.trust.value}: {verdict.detail or f'until {until}'}", _RENEW,
            ExitCode.DEVICE, until=until,
        )  # fmt: skip
    if now.source is ClockSource.NONE:
        return warn(
            name, f"until {until}; whether that has passed is not known, the clock is not set",
            "Set the clock, then test again", until=until,
        )  # fmt: skip
    if days < RENEW_BEFORE_DAYS:
        return warn(name, f"until {until}: {days} days left", _RENEW, until=until, days=days)
    return ok(name, f"of {device}, by {common_name(root)}, until {until}", until=until, days=days)


def check_recipients(identity: Path, wanted: Recipients, signer: Signer) -> CheckResult:
    """Content keys can be wrapped to at least two hands, and the camera's is not one of them."""
    name = "recipients"
    folder = identity / RECIPIENTS
    step = f"Copy the recipients' .pem files of two hands into {folder}"
    try:
        classic = load_recipients(identity) if wanted.classic else []
        post_quantum = load_pq_recipients(identity) if wanted.post_quantum else []
    except BodycamError as wrong:
        return fault(name, wrong, step)
    for is_wanted, found, place in (
        (wanted.classic, classic, folder),
        (wanted.post_quantum, post_quantum, identity / PQ_RECIPIENTS),
    ):
        if is_wanted and not found:
            return failed(
                name, f"{place}: none: nothing will be recorded",
                f"Copy the recipients' .pem files of two hands into {place}", ExitCode.USAGE,
            )  # fmt: skip
    if signer.public_key is not None and _holds(classic, signer.public_key):
        return failed(
            name, f"{folder}: the camera's own key is among them: it could open what it closed",
            "Take that file away", ExitCode.USAGE,
        )  # fmt: skip
    try:
        ContentKeys(classic, post_quantum).take("selftest", 0)
    except ConfigError as wrong:
        return fault(name, wrong, step)
    hands = min(
        len({key.public_numbers() for key in classic}) if wanted.classic else WANTED_RECIPIENTS,
        len({key.kid for key in post_quantum}) if wanted.post_quantum else WANTED_RECIPIENTS,
    )
    names = [
        *_names(folder, wanted.classic),
        *_names(identity / PQ_RECIPIENTS, wanted.post_quantum),
    ]
    text = ", ".join(names)
    if hands < WANTED_RECIPIENTS:
        return warn(
            name, f"{text}: one hand alone can open, and lose, everything", step, names=names
        )
    return ok(name, text, names=names)


def _holds(keys: Sequence[ec.EllipticCurvePublicKey], wanted: ec.EllipticCurvePublicKey) -> bool:
    return any(key.public_numbers() == wanted.public_numbers() for key in keys)


def _names(folder: Path, is_wanted: bool) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.pem")) if is_wanted else []

"""Verifies a video by its ONVIF SEIs alone, without a manifest: check 16 of `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from ..certificates import Trust
from ..errors import BodycamError, CannotOpen
from .findings import Check, Findings, Verdict
from .onvifcheck import OnvifReport, OnvifValidator, OnvifVerdict
from .verify import Report, trust_policy

_ONVIF_FINDINGS = {
    OnvifVerdict.MISSING: Verdict.INCOMPLETE,
    OnvifVerdict.PENDING: Verdict.INCOMPLETE,
    OnvifVerdict.NOT_SIGNED: Verdict.UNTRUSTED,
    OnvifVerdict.INVALID: Verdict.ALTERED,
}


def verify_onvif(
    clip: Path,
    root: x509.Certificate | None,
    *,
    crls: Sequence[Path] = (),
    now_utc_ns: int | None = None,
) -> Report:
    """What the ONVIF SEIs in a video of any container prove; sound is not covered by them."""
    found = Findings(clip.name)
    policy, notes = trust_policy(root, crls, (), now_utc_ns)
    onvif: OnvifReport | None = None
    try:
        onvif = _read_onvif(clip, OnvifValidator(policy))
    except BodycamError as fault:
        found.add(Check.ONVIF, Verdict.UNREADABLE, "", str(fault))
    if onvif is not None:
        verdict = _ONVIF_FINDINGS.get(onvif.verdict)
        if verdict is not None:
            found.add(Check.ONVIF, verdict, "", "; ".join((onvif.verdict.value, *onvif.reasons)))
        if onvif.verdict is not OnvifVerdict.NOT_SIGNED and onvif.key.trust is not Trust.TRUSTED:
            found.add(
                Check.CERTIFICATE, Verdict.UNTRUSTED, "",
                f"{onvif.key.trust.value}: {onvif.key.detail}",
            )  # fmt: skip
        notes += onvif.key.not_known
        notes += onvif_notes(onvif)
    return Report((), (), found.done(), tuple(notes), None, onvif)


def onvif_notes(report: OnvifReport) -> list[str]:
    """What the SEIs of a video cannot tell by themselves."""
    if report.verdict is OnvifVerdict.NOT_SIGNED:
        return []
    notes = ["whether the sound is genuine: ONVIF Media Signing covers pictures only"]
    if report.gops.endswith("P"):
        notes.append("whether the last GOP is genuine: its signature would stand behind it")
    if report.orphan:
        notes.append(
            "what was before: the video begins with the signature of a GOP that is not here"
        )
    return notes


def _read_onvif(clip: Path, validator: OnvifValidator) -> OnvifReport:
    try:
        from .clipreader import ClipError, read_pictures
    except ImportError as fault:
        raise CannotOpen(
            f"reading a clip needs PyAV: {fault}", "pip install 'bodycam[media]'"
        ) from fault
    try:
        for prefix, sample in read_pictures(clip):
            validator.feed_sample(sample, prefix)
    except ClipError as fault:
        raise CannotOpen(f"{clip}: cannot be read to its end: {fault}") from fault
    return validator.finish()

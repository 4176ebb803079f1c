"""What ONVIF Media Signing says of a stream: a verdict for each GOP, and one for the key.

| verdict    | letter | when                                                                      |
|------------|--------|---------------------------------------------------------------------------|
| valid      | .      | its SEI is signed, holds its hashes, and links to the GOP before          |
| missing    | M      | the same, but the SEI lists slices that are not here                      |
| not valid  | N      | a slice, the SEI or the link does not hold, or there is no SEI for it     |
| pending    | P      | the last GOP: its SEI would stand behind it                               |
| not signed | U      | there is no SEI anywhere                                                  |

Whether the key is anybody's whom the root vouches for is a second, separate answer. A SEI in front
of the first picture belongs to a GOP that was cut off; it is set aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..certificates import ChainVerdict, SigningTime, TrustPolicy, judge_chain
from ..clock import utc_text
from ..errors import EvidenceError
from ..formats.onvif import Gop, SignedSei, begins_gop, is_hashed, is_onvif_sei, read_sei
from ..media import Buffer, split_annexb
from ..signing import check, public_key_of
from .clipsei import split_sample

_MAX_REASONS = 20


class OnvifVerdict(Enum):
    """The answers of ONVIF Media Signing, for a GOP and for a stream."""

    VALID = "valid"
    MISSING = "valid, but pictures are missing"
    INVALID = "not valid"
    PENDING = "pending"
    NOT_SIGNED = "not signed"


_LETTERS = {
    OnvifVerdict.VALID: ".", OnvifVerdict.MISSING: "M", OnvifVerdict.INVALID: "N",
    OnvifVerdict.PENDING: "P", OnvifVerdict.NOT_SIGNED: "U",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OnvifReport:
    """What the SEIs of one stream prove; `gops` has one letter a GOP."""

    verdict: OnvifVerdict
    gops: str
    key: ChainVerdict
    serial: str
    utc_from_ns: int | None
    utc_to_ns: int | None
    reasons: tuple[str, ...]
    orphan: bool

    def as_json(self) -> dict[str, Any]:
        begin, end = self.utc_from_ns, self.utc_to_ns
        return {
            "verdict": self.verdict.value, "gops": self.gops, "key": self.key.as_json(),
            "serial": self.serial, "reasons": list(self.reasons),
            "orphan_sei_in_front": self.orphan,
            "utc_from": utc_text(begin) if begin is not None else None,
            "utc_to": utc_text(end) if end is not None else None,
        }  # fmt: skip

    def __str__(self) -> str:
        counts = {name: self.gops.count(letter) for name, letter in _LETTERS.items()}
        words = ", ".join(f"{n} {name.value}" for name, n in counts.items() if n)
        if self.verdict is OnvifVerdict.NOT_SIGNED:
            return f"{self.verdict.value} ({words or 'no GOP'})"
        signer = self.key.device or "(nobody)"
        return (
            f"{self.verdict.value} (GOPs: {words or 'none'}); key of {signer}: "
            f"{self.key.trust.value}, {self.key.detail}"
        )


class OnvifValidator:
    """Takes the NAL units of one stream in order, without start codes or lengths."""

    def __init__(self, policy: TrustPolicy) -> None:
        self._policy = policy
        self._pending: list[Gop] = []
        self._letters: list[str] = []
        self._reasons: list[str] = []
        self._before: bytes | None = None  # anchor of the GOP before the oldest pending one
        self._chain: tuple[bytes, ...] = ()
        self._first: SignedSei | None = None
        self._last: SignedSei | None = None
        self._signed = self._orphan = False

    def feed_sample(self, sample: Buffer, prefix: int) -> None:
        """Take one picture as a file holds it: NAL units behind lengths, or start codes (0)."""
        try:
            nals = split_sample(sample, prefix) if prefix else split_annexb(sample)
        except EvidenceError as fault:
            self._judge_all(fault.message)
            return
        for nal in nals:
            self.feed(nal)

    def feed(self, nal: Buffer) -> None:
        """Take one NAL unit; nothing in it can make this raise."""
        if not len(nal):
            return
        if is_onvif_sei(nal):
            self._sei(nal)
        elif is_hashed(nal):
            if begins_gop(nal) or not self._pending:
                self._pending.append(Gop())
            self._pending[-1].add(nal)

    def _sei(self, nal: Buffer) -> None:
        self._signed = True
        if not self._pending and not self._letters and not self._orphan:
            self._orphan = True
            return
        try:
            sei = self._proven(nal)
        except EvidenceError as fault:
            self._judge_all(fault.message)
            return
        if not self._pending:
            self._say(OnvifVerdict.INVALID, "a SEI whose pictures are not here")
            return
        # The newest GOP is the SEI's own; for those before it nobody vouches.
        while len(self._pending) > 1:
            self._invalid(self._pending.pop(0), "it has no SEI")
        gop = self._pending.pop(0)
        verdict, why = _compare(gop, sei)
        if self._before is not None and sei.linked_hash != self._before:
            verdict, why = OnvifVerdict.INVALID, "it does not follow the GOP before it"
        self._say(verdict, why)
        # What was signed, not what is here: the GOP behind a spoiled keyframe is judged by itself.
        self._before = sei.hashes[0] if sei.hashes else gop.anchor

    def _proven(self, nal: Buffer) -> SignedSei:
        sei = read_sei(nal)
        if self._chain and sei.certificates != self._chain:
            raise EvidenceError("its SEI is signed by another key than the first one")
        check(public_key_of(sei.certificates[0]), sei.document, sei.signature)
        self._chain = sei.certificates
        self._first, self._last = self._first or sei, sei
        return sei

    def _judge_all(self, why: str) -> None:
        if not self._pending:
            self._say(OnvifVerdict.INVALID, why)
        while self._pending:
            self._invalid(self._pending.pop(0), why)

    def _invalid(self, gop: Gop, why: str) -> None:
        self._say(OnvifVerdict.INVALID, why)
        self._before = gop.anchor

    def _say(self, verdict: OnvifVerdict, why: str = "") -> None:
        self._letters.append(_LETTERS[verdict])
        if why and len(self._reasons) < _MAX_REASONS:
            self._reasons.append(f"GOP {len(self._letters)}: {why}")

    def finish(self) -> OnvifReport:
        """The answer. Only the last GOP may be without its SEI."""
        while self._pending:
            gop = self._pending.pop(0)
            if not self._signed:
                self._say(OnvifVerdict.NOT_SIGNED)
            elif self._pending:
                self._invalid(gop, "it has no SEI")
            else:
                self._say(OnvifVerdict.PENDING)
        begin = self._first.start_utc_ns if self._first else None
        end = self._last.end_utc_ns if self._last else None
        known = begin is not None and end is not None
        key = judge_chain(
            self._chain, self._policy, SigningTime(begin, end) if known else SigningTime()
        )
        vendor = self._first.vendor if self._first else None
        return OnvifReport(
            self._verdict(), "".join(self._letters), key, vendor.serial if vendor else "",
            begin, end, tuple(self._reasons), self._orphan,
        )  # fmt: skip

    def _verdict(self) -> OnvifVerdict:
        if not self._signed:
            return OnvifVerdict.NOT_SIGNED
        for verdict in (OnvifVerdict.INVALID, OnvifVerdict.MISSING, OnvifVerdict.VALID):
            if _LETTERS[verdict] in self._letters:
                return verdict
        return OnvifVerdict.PENDING


def _compare(gop: Gop, sei: SignedSei) -> tuple[OnvifVerdict, str]:
    if gop.hash() == sei.gop_hash:
        return OnvifVerdict.VALID, ""
    if not sei.hashes or gop.hashes[0] != sei.hashes[0]:
        return OnvifVerdict.INVALID, "its pictures are not those that were signed"
    listed = iter(sei.hashes)
    if all(digest in listed for digest in gop.hashes):
        return OnvifVerdict.MISSING, f"{len(sei.hashes) - len(gop.hashes)} slices are missing"
    return OnvifVerdict.INVALID, "its pictures are not those that were signed, or in another order"

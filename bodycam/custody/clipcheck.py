"""Verifies an exported clip against its manifest: check 15 of `verify`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ..certificates import ChainVerdict, SigningTime, Trust, TrustPolicy, judge_chain
from ..clock import MS
from ..errors import BodycamError, CannotOpen, EvidenceError
from ..formats.records import payload_hash, signature_payload
from ..signing import check, fingerprint, public_key_of
from .clipfacts import ClipFacts
from .clipsei import SeiEdits
from .fields import EndFields, FragFields, HeadFields, Utc, read_fields
from .findings import Check, Findings, Verdict
from .hashing import file_sha256
from .manifest import (
    ClipEntry,
    Manifest,
    RecordEntry,
    SegmentEntry,
    from_base64,
    read_manifest,
)
from .onvifcheck import OnvifValidator
from .segmentfacts import utc_at
from .verify import Report, trust_policy
from .vouching import Unvouched, Vouching

_TIME_SLACK_NS = 30 * MS


@dataclass(slots=True)
class _Wanted:
    """What the clip must hold next of one track: a fragment's samples, and their signed hash."""

    place: str
    salt: bytes
    count: int
    rest: tuple[bytes, ...]
    sha256: str
    at_ns: int


@dataclass(slots=True)
class _Proof:
    """What the manifest's records prove before the clip is looked at."""

    head: HeadFields | None = None
    signer: ChainVerdict = field(default_factory=lambda: ChainVerdict(Trust.UNSIGNED, "", ""))
    first: FragFields | None = None
    last: FragFields | None = None
    unc_ms: int = 0
    fragments: int = 0
    pictures: list[_Wanted] = field(default_factory=list)
    sounds: list[_Wanted] = field(default_factory=list)
    unvouched: dict[str, Unvouched] = field(default_factory=dict)
    _waiting: list[str] = field(default_factory=list)
    _prev: str = ""

    def follow(self, head: HeadFields) -> None:
        """The next segment begins; it vouches for the one before if it names its last box."""
        if head.prev != self._prev:
            self._waiting.clear()

    def vouched(self, vouching: Vouching, place: str, last_box: str, used: int) -> None:
        """A segment ends: the hash of its last record here, the number of the last the clip uses."""
        if vouching.any:
            for before in self._waiting:
                del self.unvouched[before]
            self._waiting.clear()
        owed = vouching.owed_until(used)
        if owed is not None:
            self.unvouched[place] = owed
            self._waiting.append(place)
        self._prev = last_box


def verify_clip(
    clip: Path,
    manifest: Path,
    root: x509.Certificate | None,
    *,
    crls: Sequence[Path] = (),
    now_utc_ns: int | None = None,
) -> Report:
    """Whether the clip's samples, fragment by fragment, are those that the camera signed.

    The file need not be byte for byte the one exported: a remuxed copy proves as well.
    """
    found = Findings(clip.name)
    policy, notes = trust_policy(root, crls, (), now_utc_ns)
    proof, same, counted = _Proof(), False, (0, 0)
    video_signing = OnvifValidator(policy)
    try:
        read = read_manifest(manifest)
        proof = _check_records(read, policy, found)
        for place, owed in proof.unvouched.items():
            found.add(
                Check.SIGNATURE, Verdict.UNTRUSTED, place,
                f"nothing vouches for its last {owed.count} records, from {owed.place} on",
            )  # fmt: skip
        same = file_sha256(clip) == read.clip.sha256
        counted = _check_samples(clip, read.clip, proof, found, video_signing)
    except EvidenceError as fault:
        found.altered(Check.CLIP, "manifest", fault.message)
    except BodycamError as fault:
        found.add(Check.CLIP, Verdict.UNREADABLE, "", str(fault))
    notes += proof.signer.not_known
    if not same:
        notes.append("who wrote this file: it is not byte for byte the one that was exported")
    facts = _facts(clip, proof, counted, same=same, damaged=len({f.place for f in found.items}))
    onvif = video_signing.finish()
    return Report((), (), found.done(), tuple(notes), facts, onvif)


def _facts(
    clip: Path, proof: _Proof, counted: tuple[int, int], *, same: bool, damaged: int
) -> ClipFacts:
    first, last = proof.first, proof.last
    return ClipFacts(
        clip.name, proof.head.dev if proof.head else "", proof.head.rec if proof.head else "",
        proof.signer, proof.fragments, max(0, proof.fragments - damaged),
        *counted, first.utc_ns if first else None, utc_at(last, last.end_ns) if last else None,
        proof.unc_ms, last.clk if last else "none", same,
    )  # fmt: skip


# -- the records ----------------------------------------------------------------------------


def _check_records(manifest: Manifest, policy: TrustPolicy, found: Findings) -> _Proof:
    proof = _Proof()
    for number, segment in enumerate(manifest.segments):
        try:
            _check_segment(segment, policy, proof, found)
        except EvidenceError as fault:
            found.altered(Check.CLIP, f"segment {number} of the clip", fault.message)
    return proof


def _check_segment(
    segment: SegmentEntry, policy: TrustPolicy, proof: _Proof, found: Findings
) -> None:
    record, signature = segment.head.record.encode(), from_base64(segment.head.signature)
    certificates = [from_base64(text) for text in segment.head.certificates]
    key = public_key_of(certificates[0]) if certificates else None
    _check_signature(key, record, signature)
    vouching = Vouching(key) if key is not None else None
    head = read_fields(record)
    if not isinstance(head, HeadFields):
        raise EvidenceError("does not begin with a HEAD record")
    if certificates and head.x5t != fingerprint(certificates[0]):
        raise EvidenceError("HEAD names another certificate than the one here")
    signer = _judge_signer(head, certificates, policy)
    if signer.trust is not Trust.TRUSTED:
        found.add(
            Check.CERTIFICATE, Verdict.UNTRUSTED, f"segment {head.seg}",
            f"{signer.trust.value}: {signer.detail}",
        )  # fmt: skip
    if proof.head is None or signer.trust is not Trust.TRUSTED:
        proof.head, proof.signer = proof.head or head, signer
    if (head.dev, head.boot) != (proof.head.dev, proof.head.boot):
        raise EvidenceError("is of another camera or another boot than the segments before it")
    if vouching is not None:
        vouching.take(head, record, "head", signed=bool(signature))
    proof.follow(head)
    prev = payload_hash(signature_payload(record, signature, certificates))
    salt = bytes.fromhex(segment.salt)
    used = 0
    for n, entry in enumerate(segment.records, start=1):
        place = f"segment {head.seg}, fragment {n}"
        record, signature = entry.record.encode(), from_base64(entry.signature)
        _check_signature(key, record, signature)
        fields = read_fields(record)
        if isinstance(fields, HeadFields) or fields.n != n or fields.prev != prev:
            raise EvidenceError(f"{place}: does not follow the record before it")
        prev = payload_hash(signature_payload(record, signature))
        if vouching is not None:
            vouching.take(fields, record, place, signed=bool(signature))
        if isinstance(fields, EndFields):
            continue
        if entry.pictures or entry.sounds:
            used = n
            _want(fields, entry, salt, place, proof)
    if vouching is not None:
        proof.vouched(vouching, f"segment {head.seg}", prev, used)


def _judge_signer(signed: Utc, certificates: Sequence[bytes], policy: TrustPolicy) -> ChainVerdict:
    when = SigningTime.of(signed.utc_ns, signed.clk, signed.unc_ms)
    return judge_chain(certificates, policy, when)


def _check_signature(
    key: ec.EllipticCurvePublicKey | None, record: bytes, signature: bytes
) -> None:
    if key is not None:
        if signature:  # a late or a later one vouches for a record without
            check(key, record, signature)
    elif signature:
        raise EvidenceError("signed, but no certificate is there")


def _want(fields: FragFields, entry: RecordEntry, salt: bytes, place: str, proof: _Proof) -> None:
    if proof.last is not None and fields.boot_ns < proof.last.boot_ns:
        raise EvidenceError(f"{place}: its capture time does not go forward")
    held = (entry.pictures + len(entry.rest_v), entry.sounds + len(entry.rest_a))
    if held != (fields.nv, fields.na):
        raise EvidenceError(
            f"{place}: {held[0]} pictures and {held[1]} sounds are accounted for, "
            f"{fields.nv} and {fields.na} were signed"
        )
    proof.first = proof.first or fields
    proof.last = fields
    proof.unc_ms = max(proof.unc_ms, fields.unc_ms)
    proof.fragments += 1
    for wanted, count, rest, sha256 in (
        (proof.pictures, entry.pictures, entry.rest_v, fields.plain_v),
        (proof.sounds, entry.sounds, entry.rest_a, fields.plain_a),
    ):
        last = tuple(from_base64(text) for text in rest)
        wanted.append(_Wanted(place, salt, count, last, sha256, fields.boot_ns))


# -- the samples ----------------------------------------------------------------------------


class _Track:
    """Feeds the samples of one track to the hashes they were signed with."""

    def __init__(self, what: str, wanted: list[_Wanted], origin_ns: int, found: Findings) -> None:
        self._what = what
        self._wanted: Iterator[_Wanted] = iter([w for w in wanted if w.count])
        self._origin_ns = origin_ns
        self._found = found
        self._now: _Wanted | None = next(self._wanted, None)
        self._seen = 0
        self._digest = hashlib.sha256(self._now.salt if self._now else b"")
        self.count = 0
        self._extra = 0

    def feed(self, sample: bytes, at_ns: int | None) -> None:
        now = self._now
        self.count += 1
        if now is None:
            self._extra += 1
            return
        if self._seen == 0 and self._what == "pictures":
            self._check_time(now, at_ns)
        self._digest.update(len(sample).to_bytes(4, "big"))
        self._digest.update(sample)
        self._seen += 1
        if self._seen == now.count:
            for left_out in now.rest:
                self._digest.update(len(left_out).to_bytes(4, "big") + left_out)
            if self._digest.hexdigest() != now.sha256:
                self._found.altered(
                    Check.CLIP, now.place, f"its {self._what} are not those that were signed"
                )
            self._now = next(self._wanted, None)
            self._seen = 0
            self._digest = hashlib.sha256(self._now.salt if self._now else b"")

    def _check_time(self, now: _Wanted, at_ns: int | None) -> None:
        due_ns = now.at_ns - self._origin_ns
        if at_ns is None or abs(at_ns - due_ns) > _TIME_SLACK_NS:
            shown = "nowhere" if at_ns is None else f"at {at_ns // MS} ms"
            self._found.altered(
                Check.CLIP,
                now.place,
                f"stands {shown} in the clip, was captured at {due_ns // MS} ms",
            )

    def finish(self) -> None:
        if self._extra:
            self._found.altered(
                Check.CLIP, "after its end", f"{self._extra} {self._what} that nobody signed"
            )
        if self._now is not None:
            self._found.incomplete(
                Check.CLIP, self._now.place,
                f"the clip ends here: {self._now.count - self._seen} {self._what} of it are missing",
            )  # fmt: skip


def _check_samples(
    clip: Path, entry: ClipEntry, proof: _Proof, found: Findings, video_signing: OnvifValidator
) -> tuple[int, int]:
    try:
        from .clipreader import ClipError, read_samples
    except ImportError as fault:
        raise CannotOpen(
            f"reading a clip needs PyAV: {fault}", "pip install 'bodycam[media]'"
        ) from fault
    video = _Track("pictures", proof.pictures, entry.origin_ns, found)
    audio = _Track("sounds", proof.sounds, entry.origin_ns, found)
    edits = _sei_edits(entry)
    last = sum(wanted.count for wanted in proof.pictures) - 1
    try:
        for is_video, data, at_ns in read_samples(clip):
            if is_video:
                video_signing.feed_sample(data, 4)
                signed = edits.undo(data, first=video.count == 0, last=video.count == last)
                video.feed(signed, at_ns)
            else:
                audio.feed(data, at_ns)
    except ClipError as fault:
        found.altered(Check.CLIP, "", f"cannot be read to its end: {fault}")
    video.finish()
    audio.finish()
    return video.count, audio.count


def _sei_edits(entry: ClipEntry) -> SeiEdits:
    edits = SeiEdits(
        tuple(from_base64(text) for text in entry.sei_dropped),
        tuple(from_base64(text) for text in entry.sei_appended),
    )
    edits.check()
    return edits

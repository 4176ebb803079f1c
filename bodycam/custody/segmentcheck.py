"""Verifies one segment file: checks 1 to 9 and 11 of `verify`."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from ..certificates import Trust, TrustPolicy
from ..errors import CannotOpen, EvidenceError
from ..formats.boxes import Box
from ..formats.records import NO_PREVIOUS, SignatureBox, payload_hash, read_payload
from ..signing import check, public_key_of
from .fields import EndFields, FragFields, HeadFields, read_fields
from .findings import Check, Findings, Verdict
from .fragmentcheck import FragmentCheck
from .hashing import RangeHasher
from .headcheck import check_head, check_moov, judge_signer
from .progress import Progress, no_progress
from .segmentend import SegmentEnd
from .segmentfacts import Closing, SegmentFacts
from .segmentwalk import Sealed, SegmentBytes, Tail, walk
from .vouching import MAX_OWED, Vouching

_AHEAD = 6


def check_segment(
    path: Path,
    policy: TrustPolicy,
    hasher: RangeHasher,
    closing: Closing | None = None,
    progress: Progress = no_progress,
    label: str | None = None,
) -> SegmentFacts:
    """Everything that the file itself can prove, and what the log's `closing` adds to it.

    Never raises for what is in the file: a finding says what and where.
    """
    findings = Findings(label or path.name)
    facts = SegmentFacts(path)
    try:
        with SegmentBytes(path) as data:
            facts.size = data.size
            if closing is None or closing.size > data.size:
                data.end_where_blank()
            _SegmentCheck(data, policy, closing, findings, facts).run(hasher, progress)
    except CannotOpen as fault:
        findings.add(Check.CONTAINER, Verdict.UNREADABLE, "", str(fault))
    facts.findings, facts.more_findings = findings.done(), findings.more
    return facts


class _SegmentCheck:
    """The state of one run over one file."""

    def __init__(
        self,
        data: SegmentBytes,
        policy: TrustPolicy,
        closing: Closing | None,
        findings: Findings,
        facts: SegmentFacts,
    ) -> None:
        self._data = data
        self._policy = policy
        self._found = findings
        self._facts = facts
        self._key: ec.EllipticCurvePublicKey | None = None
        self._unsigned = False
        self._vouching: Vouching | None = None
        self._owed: deque[tuple[int, int]] = deque(maxlen=MAX_OWED)
        self._said_unchecked = False
        self._prev: str | None = None
        self._chained = True
        self._n = 0
        self._shift = 0
        self._end = SegmentEnd(data, closing, findings, facts)
        self._fragments = FragmentCheck(findings, facts)

    def run(self, hasher: RangeHasher, progress: Progress) -> None:
        waiting: deque[tuple[Sealed, Future[str]]] = deque()
        tail: Tail | None = None
        for part in walk(self._data):
            if isinstance(part, Tail):
                tail = part
                break
            waiting.append((part, hasher.submit(self._data, part.start, part.box_start)))
            while len(waiting) > _AHEAD:
                unit, digest = waiting.popleft()
                self._settle(unit, digest.result())
                progress(unit.end, self._data.size)
        while waiting:
            unit, digest = waiting.popleft()
            if not waiting and self._end.is_torn(unit, digest.result(), tail, self._key):
                self._end.torn_from(unit.start)
                tail = None
            else:
                self._settle(unit, digest.result())
        progress(self._data.size, self._data.size)
        self._fragments.finish()
        self._end.judge(tail, self._n)
        if self._prev is None:
            self._facts.last_box = NO_PREVIOUS
        if self._vouching is not None:
            self._facts.vouched, self._facts.unvouched = (
                self._vouching.any, self._vouching.unvouched,
            )  # fmt: skip
        last = self._facts.last
        if last is not None and self._facts.signer.trust is Trust.TRUSTED:
            # A certificate may expire, or be revoked, between the first fragment and the last.
            judge_signer(last, self._facts, self._policy, self._found, _place_of(last))

    # -- one signature box ------------------------------------------------------------------

    def _settle(self, unit: Sealed, digest: str) -> None:
        place = self._place(unit)
        if self._facts.ended:
            self._found.altered(Check.CONTAINER, place, "stands behind END, where nothing may")
        if unit.break_text:
            self._found.altered(Check.CONTAINER, place, unit.break_text)
        # (2) a signature box is exactly its fields.
        try:
            box = read_payload(unit.payload)
        except EvidenceError as fault:
            self._found.altered(Check.SIGNATURE_BOX, place, fault.message)
            self._pass(unit)
            return
        if unit.index == 0:
            self._take_certificates(box, place)
        if not self._check_signature(box, place):
            self._pass(unit)
            return
        try:
            fields = read_fields(box.record)
        except EvidenceError as fault:
            self._found.altered(Check.SIGNATURE, place, fault.message)
            self._pass(unit)
            return
        place = _place_of(fields)
        self._vouch(box, fields, place)
        self._check_chain(unit, fields, place)
        good = self._check_bytes(unit, fields, digest, place)
        self._take(unit, fields, place, good=good)
        self._note_vouched(fields)
        self._pass(unit)

    def _place(self, unit: Sealed) -> str:
        if unit.index == 0:
            return "head"
        return f"fragment {self._n}" if unit.start != unit.box_start else f"record {self._n}"

    def _pass(self, unit: Sealed) -> None:
        self._prev = self._facts.last_box = payload_hash(unit.payload)
        self._n += 1
        self._facts.intact_bytes = unit.end

    def _take_certificates(self, box: SignatureBox, place: str) -> None:
        # (3) the leaf certificate names the key; whether the root vouches for it is judged apart.
        self._facts.certificates = box.certificates
        if not box.certificates:
            self._unsigned = box.unsigned
            if not box.unsigned:
                self._found.altered(Check.CERTIFICATE, place, "signed, but no certificate is there")
            return
        try:
            self._key = public_key_of(box.certificates[0])
            self._vouching = Vouching(self._key)
        except EvidenceError as fault:
            self._found.altered(Check.CERTIFICATE, place, fault.message)

    def _check_signature(self, box: SignatureBox, place: str) -> bool:
        # (4) the signature holds before the record is parsed.
        if self._unsigned:
            if not box.unsigned:
                self._found.altered(Check.SIGNATURE, place, "is signed, but HEAD is not")
            return box.unsigned
        if self._key is None:
            if not self._said_unchecked:
                self._said_unchecked = True
                self._found.altered(
                    Check.SIGNATURE, place, "HEAD is damaged: from here no signature can be checked"
                )
            return False
        if box.unsigned:
            return (
                True  # a late or a later signature vouches for it, or the recording's check says so
            )
        try:
            check(self._key, box.record, box.signature)
        except EvidenceError as fault:
            self._found.altered(Check.SIGNATURE, place, fault.message)
            return False
        return True

    def _vouch(
        self, box: SignatureBox, fields: HeadFields | FragFields | EndFields, place: str
    ) -> None:
        if self._vouching is None:
            return
        try:
            self._vouching.take(fields, box.record, place, signed=not box.unsigned)
        except EvidenceError as fault:
            self._found.altered(Check.SIGNATURE, place, fault.message)

    def _note_vouched(self, fields: HeadFields | FragFields | EndFields) -> None:
        """What is held counts once a signature vouches for its record."""
        facts = self._facts
        if self._vouching is None:
            return
        if isinstance(fields, FragFields) and self._fragments.proven_to_ns is not None:
            self._owed.append((fields.n, self._fragments.proven_to_ns))
        while self._owed and self._owed[0][0] <= self._vouching.vouched_to:
            facts.vouched_to_ns = self._owed.popleft()[1]

    def _check_chain(
        self, unit: Sealed, fields: HeadFields | FragFields | EndFields, place: str
    ) -> None:
        # (5) numbers without holes, and each record names the box before it.
        if unit.index == 0 and not isinstance(fields, HeadFields):
            self._found.altered(Check.CHAIN, place, "the file does not begin with HEAD")
        if unit.index > 0 and isinstance(fields, HeadFields):
            self._found.altered(Check.CHAIN, place, "a second HEAD")
        broken = self._prev is not None and fields.prev != self._prev
        if fields.n > self._n:
            missing = f"{self._n}" if fields.n == self._n + 1 else f"{self._n} to {fields.n - 1}"
            self._found.altered(Check.CHAIN, place, f"fragment {missing} is missing before it")
        elif fields.n < self._n:
            self._found.altered(
                Check.CHAIN, place, f"stands where number {self._n} is expected: moved or repeated"
            )
        elif broken:
            self._found.altered(Check.CHAIN, place, "does not follow the record before it")
        if broken or fields.n != self._n:
            self._chained = False
        self._n = fields.n

    def _check_bytes(
        self, unit: Sealed, fields: HeadFields | FragFields | EndFields, digest: str, place: str
    ) -> bool:
        # (6) the record covers exactly the bytes since the signature box before it.
        length = unit.box_start - unit.start
        if fields.off + self._shift != unit.start:
            # Said once: what was cut out or put in shifts everything behind it alike.
            self._shift = unit.start - fields.off
            self._found.altered(
                Check.BYTES, place, f"was written at byte {fields.off}, stands at {unit.start}"
            )
        if fields.len != length:
            self._found.altered(
                Check.BYTES, place, f"covers {fields.len} bytes, {length} are there"
            )
            return False
        if fields.sha256 != digest:
            self._found.altered(
                Check.BYTES, place,
                f"bytes {unit.start} to {unit.box_start} differ from those that were signed",
            )  # fmt: skip
            return False
        return True

    def _take(
        self, unit: Sealed, fields: HeadFields | FragFields | EndFields, place: str, *, good: bool
    ) -> None:
        facts = self._facts
        facts.signed = not self._unsigned
        if isinstance(fields, HeadFields):
            if facts.head is None:
                facts.head = fields
                moov = unit.box("moov")
                check_head(fields, facts, self._policy, self._found)
                if moov is not None and good:
                    check_moov(self._bytes_of(moov), self._found)
            return
        known = facts.heads.setdefault(fields.log[0], (fields.log[1], place))
        if known[0] != fields.log[1]:
            self._found.altered(
                Check.LOG_ROOT, place, f"names another log root for size {fields.log[0]}"
            )
        if isinstance(fields, FragFields):
            moof, mdat = unit.box("moof"), unit.box("mdat")
            if not unit.break_text and (moof is None or mdat is None):
                self._found.altered(Check.CONTAINER, place, "a FRAG record without a fragment")
                return
            intact = good and moof is not None and mdat is not None
            self._fragments.take(
                fields,
                self._bytes_of(moof) if intact and moof else None,
                mdat.end - mdat.body if mdat else 0,
                place,
                chained=self._chained,
            )
            return
        self._take_end(unit, fields, place)

    def _take_end(self, unit: Sealed, fields: EndFields, place: str) -> None:
        # (9) END is there, is last, and counts right.
        self._facts.ended = True
        self._facts.reason = fields.reason
        if unit.start != unit.box_start and not unit.break_text:
            self._found.altered(Check.CONTAINER, place, "a fragment that only END covers")
        if fields.frags != fields.n - 1:
            self._found.altered(
                Check.END, place, f"counts {fields.frags} fragments as number {fields.n}"
            )

    def _bytes_of(self, box: Box) -> bytes:
        return self._data.read(box.start, box.end - box.start)


def _place_of(fields: HeadFields | FragFields | EndFields) -> str:
    if isinstance(fields, HeadFields):
        return "head"
    return f"fragment {fields.n}" if isinstance(fields, FragFields) else "end"

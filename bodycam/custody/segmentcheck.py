"""Verifies one segment file: checks 1 to 9 and 11 of `verify`."""

from __future__ import annotations

import re
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ..clock import NS, utc_text
from ..errors import CannotOpen, EvidenceError
from ..formats import mp4read
from ..formats.boxes import Box
from ..formats.keywrap import recipients_of
from ..formats.mp4 import FTYP
from ..formats.records import NO_PREVIOUS, SignatureBox, payload_hash, read_payload
from ..signing import (
    BAD_CERTIFICATE,
    Trust,
    check,
    fingerprint,
    judge_chain,
    load_certificate,
    public_key_of,
)
from .fields import EndFields, FragFields, HeadFields, read_fields
from .findings import Check, Findings, Verdict
from .fragmentcheck import FragmentCheck
from .hashing import RangeHasher
from .progress import Progress, no_progress
from .segmentfacts import Closing, SegmentFacts, utc_at
from .segmentwalk import SCAN_BYTES, Sealed, SegmentBytes, Tail, walk

_AHEAD = 6
_SECTOR = 512
_GARBAGE_BYTES = 8
NAME = re.compile(r"(?P<dev>.+)_(?P<rec>[0-9a-fA-F-]{36})_(?P<seg>\d{5,9})\.mp4")
_TRUST_FINDING = {
    Trust.UNSIGNED: "is not signed: no device key vouches for it",
    Trust.UNKNOWN_ISSUER: "is signed, but the signer is not trusted",
    Trust.NOT_VALID_AT_SIGNING: "is signed with a certificate that was not valid at the time",
    Trust.NOT_FOR_SIGNING: "is signed with a certificate that is not for signing evidence",
}


def check_segment(
    path: Path,
    root: x509.Certificate | None,
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
            _SegmentCheck(data, root, closing, findings, facts).run(hasher, progress)
    except CannotOpen as fault:
        findings.add(Check.CONTAINER, Verdict.UNREADABLE, "", str(fault))
    facts.findings, facts.more_findings = findings.done(), findings.more
    return facts


class _SegmentCheck:
    """The state of one run over one file."""

    def __init__(
        self,
        data: SegmentBytes,
        root: x509.Certificate | None,
        closing: Closing | None,
        findings: Findings,
        facts: SegmentFacts,
    ) -> None:
        self._data = data
        self._root = root
        self._closing = closing
        self._found = findings
        self._facts = facts
        self._key: ec.EllipticCurvePublicKey | None = None
        self._unsigned = False
        self._said_unchecked = False
        self._prev: str | None = None
        self._n = 0
        self._shift = 0
        self._ended = False
        self._torn = False
        self._solid = data.zeros_from()
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
        while waiting and not self._torn:
            unit, digest = waiting.popleft()
            if not waiting and self._is_torn(unit, digest.result(), tail):
                self._torn_from(unit.start)
            else:
                self._settle(unit, digest.result())
        progress(self._data.size, self._data.size)
        self._fragments.finish()
        if tail is not None and not self._torn:
            self._judge_tail(tail)
        self._judge_end()

    # -- one signature box ------------------------------------------------------------------

    def _settle(self, unit: Sealed, digest: str) -> None:
        place = self._place(unit)
        if self._ended:
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
        self._check_chain(unit, fields, place)
        good = self._check_bytes(unit, fields, digest, place)
        self._take(unit, fields, place, good=good)
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
            self._found.altered(Check.SIGNATURE, place, "the signature was removed")
            return False
        try:
            check(self._key, box.record, box.signature)
        except EvidenceError as fault:
            self._found.altered(Check.SIGNATURE, place, fault.message)
            return False
        return True

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
                self._check_head(fields, self._bytes_of(moov) if moov and good else None)
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
            )
            return
        self._take_end(unit, fields, place)

    def _take_end(self, unit: Sealed, fields: EndFields, place: str) -> None:
        # (9) END is there, is last, and counts right.
        self._ended = self._facts.ended = True
        self._facts.reason = fields.reason
        if unit.start != unit.box_start and not unit.break_text:
            self._found.altered(Check.CONTAINER, place, "a fragment that only END covers")
        if fields.frags != fields.n - 1:
            self._found.altered(
                Check.END, place, f"counts {fields.frags} fragments as number {fields.n}"
            )

    def _bytes_of(self, box: Box) -> bytes:
        return self._data.read(box.start, box.end - box.start)

    # -- HEAD -------------------------------------------------------------------------------

    def _check_head(self, head: HeadFields, moov: bytes | None) -> None:
        # (3) the chain leads to the root and was valid when it signed: an answer of its own.
        facts, found = self._facts, self._found
        signed_ns = head.utc_ns
        if head.clk == "none" and facts.certificates:
            # A camera that did not know the time: validity cannot be judged, only the issuer.
            signed_ns = _valid_from_ns(facts.certificates[0], signed_ns)
        facts.signer = judge_chain(facts.certificates, self._root, signed_ns)
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
        name = NAME.fullmatch(facts.name)
        if name and (name["dev"], name["rec"], int(name["seg"])) != (head.dev, head.rec, head.seg):
            found.altered(
                Check.HEAD, "head",
                f"is segment {head.seg} of recording {head.rec} of {head.dev}: the file was "
                "renamed or taken from elsewhere",
            )  # fmt: skip
        if moov is not None:
            self._check_moov(moov)

    def _check_moov(self, moov: bytes) -> None:
        try:
            init = mp4read.read_init(moov)
            if not init.wrapped:
                raise EvidenceError("no wrapped key: nobody can open this segment")
            recipients_of(init.wrapped)
        except EvidenceError as fault:
            self._found.altered(Check.HEAD, "head", fault.message)

    # -- the end of the file ----------------------------------------------------------------

    def _closed_by_log(self) -> bool:
        return self._closing is not None and self._closing.size <= self._facts.size

    def _is_torn(self, unit: Sealed, digest: str, tail: Tail | None) -> bool:
        """Whether the last box is a write that a power cut tore, rather than one changed later.

        Only where no END and no log says that more was there: whoever tears the last fragment
        gains no more than whoever cuts it off.
        """
        if self._ended or self._closed_by_log() or b'"t":"end"' in unit.payload:
            return False
        if unit.end > self._solid:
            return True
        garbage_follows = tail is not None and not tail.out_of_place
        try:
            box = read_payload(unit.payload)
            if self._key is not None:
                check(self._key, box.record, box.signature)
        except EvidenceError:
            # A record of ours is text; blocks that were never written are not.
            return garbage_follows or _is_garbage(unit.payload[8:-90])
        if digest.encode() in box.record:
            return False
        return garbage_follows or self._has_zero_sector(unit.start, unit.box_start)

    def _has_zero_sector(self, start: int, end: int) -> bool:
        at = -(-start // _SECTOR) * _SECTOR
        while at + _SECTOR <= end:
            block = self._data.read(at, min(SCAN_BYTES, end - at))
            for offset in range(0, len(block) - _SECTOR + 1, _SECTOR):
                if not any(block[offset : offset + _SECTOR]):
                    return True
            at += SCAN_BYTES
        return False

    def _torn_from(self, start: int) -> None:
        self._torn = True
        self._facts.torn_bytes = self._facts.size - start

    def _judge_tail(self, tail: Tail) -> None:
        found, place = self._found, self._after()
        if tail.out_of_place and tail.start + 24 <= self._solid and not self._ended:
            found.altered(Check.CONTAINER, place if self._n else "head", tail.text)
        elif self._n == 0:
            self._judge_headless(tail)
        elif self._ended:
            found.altered(Check.CONTAINER, "", f"{tail.size} bytes stand behind END")
        elif self._closed_by_log() and self._closing is not None:
            found.altered(
                Check.CONTAINER, place,
                f"{tail.text}; the log (line {self._closing.line}) says that the segment was "
                f"complete at {self._closing.size} bytes",
            )  # fmt: skip
        else:
            self._torn_from(tail.start)

    def _judge_headless(self, tail: Tail) -> None:
        start = self._data.read(0, len(FTYP))
        if self._closed_by_log():
            self._found.altered(Check.CONTAINER, "head", f"HEAD cannot be found: {tail.text}")
        elif FTYP.startswith(start.rstrip(b"\0")) or start == FTYP:
            self._torn_from(0)
        else:
            self._found.add(Check.CONTAINER, Verdict.UNREADABLE, "", "is not an evidence segment")

    def _after(self) -> str:
        return f"after fragment {self._facts.fragments}" if self._n > 1 else "after the head"

    def _judge_end(self) -> None:
        facts = self._facts
        if facts.torn_bytes:
            self._found.incomplete(
                Check.CONTAINER, self._after() if self._n else "",
                f"torn tail: {facts.torn_bytes} bytes are not a whole fragment and prove nothing",
            )  # fmt: skip
        if facts.ended or (self._n == 0 and not facts.torn_bytes and facts.size):
            return
        if facts.last is not None:
            when = utc_text(utc_at(facts.last, facts.last.end_ns))
            text = f"no evidence after {when} (fragment {facts.last.n}): END is missing"
        elif self._n:
            text = "no evidence in it: END is missing, and there is no fragment"
        else:
            text = "no evidence in it: the file was cut before its HEAD was written"
        self._found.incomplete(Check.END, self._after() if self._n else "", text)
        if facts.head is None and self._prev is None:
            facts.last_box = NO_PREVIOUS


def _place_of(fields: HeadFields | FragFields | EndFields) -> str:
    if isinstance(fields, HeadFields):
        return "head"
    return f"fragment {fields.n}" if isinstance(fields, FragFields) else "end"


def _is_garbage(record: bytes) -> bool:
    return sum(not 0x20 <= byte < 0x7F for byte in record) > _GARBAGE_BYTES


def _valid_from_ns(der: bytes, otherwise_ns: int) -> int:
    try:
        moment = load_certificate(der).not_valid_before_utc
    except BAD_CERTIFICATE:
        return otherwise_ns
    return int(moment.timestamp()) * NS

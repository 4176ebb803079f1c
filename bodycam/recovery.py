"""What an interrupted segment still holds: read at the next start, never rewritten.

Only the structure, the chain's last link and the hash of the last whole fragment are looked at:
the camera must be ready soon, and the verifier checks everything.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import EvidenceError
from .formats.blanks import first_blank
from .formats.boxes import read_header
from .formats.records import SIGNATURE_UUID, SignatureBox, parse_record, read_payload
from .signing import check, public_key_of


@dataclass(frozen=True, slots=True)
class Remains:
    """The intact prefix of a segment: `last_box` is the hash of its last signature box, `end_ns`
    the boot time at which its last picture ends, if it has any.
    """

    fragments: int
    intact_bytes: int
    total_bytes: int
    last_box: str
    end_ns: int | None
    complete: bool


def examine(path: Path) -> Remains:
    """The intact prefix of one file; nothing at all if it is missing or empty."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Remains(0, 0, 0, "", None, complete=False)
    try:
        total = os.fstat(fd).st_size
        if total == 0:
            return Remains(0, 0, 0, "", None, complete=False)
        with mmap.mmap(fd, total, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            solid = first_blank(mapped.find, lambda at, length: mapped[at : at + length], total)
            return _examine(view, solid, total)
    finally:
        os.close(fd)


def _is_signed(box: SignatureBox, head: SignatureBox) -> bool:
    """Whether the signature came to the card as well, if there is one: it may come late."""
    if not head.certificates or box.unsigned:
        return True
    try:
        check(public_key_of(head.certificates[0]), box.record, box.signature)
    except EvidenceError:
        return False
    return True


def _examine(view: memoryview, solid: int, total: int) -> Remains:
    at, boxes = 0, []
    while at < solid:
        try:
            found = read_header(view, at, solid)
            if found.extended == SIGNATURE_UUID:
                payload = bytes(view[found.body : found.end])
                box = read_payload(payload)
                boxes.append((found.end, box, parse_record(box.record)))
        except EvidenceError:
            break
        at = found.end
    while boxes:
        end, box, fields = boxes[-1]
        off, length = fields.get("off"), fields.get("len")
        if isinstance(off, int) and isinstance(length, int) and off >= 0:
            covered = hashlib.sha256(view[off : off + max(0, length)]).hexdigest()
            if covered == fields.get("sha256") and _is_signed(box, boxes[0][1]):
                ends = [f.get("end_ns") for _, _, f in boxes if f.get("t") == "frag"]
                last = ends[-1] if ends and isinstance(ends[-1], int) else None
                ended = fields.get("t") == "end"
                return Remains(len(ends), end, total, box.payload_sha256, last, complete=ended)
        boxes.pop()
    return Remains(0, 0, total, "", None, complete=False)

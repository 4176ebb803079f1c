"""Cutting evidence up and sewing it together, as an attacker would: with and without a key."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bodycam.custody.segmentwalk import Sealed, SegmentBytes, walk
from bodycam.formats import tlog
from bodycam.formats.boxes import Box, child
from bodycam.formats.logline import GENESIS, encode_line
from bodycam.formats.records import (
    encode_record,
    payload_hash,
    read_payload,
    signature_box,
    signature_payload,
)
from bodycam.signing import Signer

Fields = dict[str, Any]


def units_of(path: Path) -> list[Sealed]:
    """The signature boxes of a segment, each with the range that it covers."""
    with SegmentBytes(path) as data:
        return [part for part in walk(data) if isinstance(part, Sealed)]


def parts_of(path: Path) -> list[bytes]:
    """HEAD, fragments and END, each with its signature box; together the whole file."""
    raw = path.read_bytes()
    return [raw[unit.start : unit.end] for unit in units_of(path)]


def flip(path: Path, at: int, mask: int = 1) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= mask
    path.write_bytes(raw)


def replace_once(path: Path, old: bytes, new: bytes) -> None:
    raw = path.read_bytes()
    assert raw.count(old) == 1, (old, raw.count(old))
    path.write_bytes(raw.replace(old, new))


def box_at(path: Path, number: int, kind: str) -> Box:
    """A box in the range that record `number` covers."""
    found = units_of(path)[number].box(kind)
    assert found is not None
    return found


def same(_: int, value: Any) -> Any:
    return value


def reseal(
    path: Path, signer: Signer, *, edit: Callable[[Fields], None] = lambda _: None,
    cover: Callable[[int, bytes], bytes] = same, record: Callable[[int, bytes], bytes] = same,
    certificates: tuple[bytes, ...] | None = None,
) -> None:  # fmt: skip
    """Write the segment anew with a good chain, signed by `signer`, after an edit.

    `edit` has the last word on a record's fields, `record` on its bytes.
    """
    raw, out, prev = path.read_bytes(), b"", ""
    for number, unit in enumerate(units_of(path)):
        covered = cover(number, raw[unit.start : unit.box_start])
        fields = json.loads(read_payload(unit.payload).record)
        fields |= {
            "off": len(out), "len": len(covered), "sha256": hashlib.sha256(covered).hexdigest(),
        }  # fmt: skip
        if number:
            fields["prev"] = prev
        edit(fields)
        line = record(number, encode_record(fields))
        chain = signer.certificates if certificates is None else certificates
        payload = signature_payload(line, signer.sign(line), None if number else chain)
        out += covered + signature_box(payload)
        prev = payload_hash(payload)
    path.write_bytes(out)


def resize_box(moov: bytes, inner: Box, content: bytes) -> bytes:
    """`ftyp` and `moov` with one box inside `moov` given other content."""
    top = child(moov, 0, len(moov), "moov")
    made = (8 + len(content)).to_bytes(4, "big") + inner.kind.encode() + content
    body = moov[top.body : inner.start] + made + moov[inner.end : top.end]
    return moov[: top.start] + (8 + len(body)).to_bytes(4, "big") + b"moov" + body


def log_lines(log: Path) -> list[bytes]:
    return log.read_bytes().split(b"\n")[:-1]


def write_log(log: Path, lines: list[bytes]) -> None:
    log.write_bytes(b"".join(line + b"\n" for line in lines))


def rechain(lines: list[bytes], edit: Callable[[Fields], None], first: int = 0) -> list[bytes]:
    """Lines with an edit, and from line `first` on with numbers, chain and checksums that hold."""
    out = lines[:first]
    prev = hashlib.sha256(out[-1]).hexdigest() if out else GENESIS
    for raw in lines[first:]:
        fields = json.loads(raw)
        fields.pop("crc")
        fields |= {"seq": len(out), "prev": prev}
        edit(fields)
        out.append(encode_line(fields))
        prev = hashlib.sha256(out[-1]).hexdigest()
    return out


def root_of(lines: list[bytes]) -> bytes:
    tree = tlog.Tree()
    for line in lines:
        tree.append(line)
    return tree.root()


def sign_checkpoint(path: Path, lines: list[bytes], signer: Signer) -> None:
    """Replace a checkpoint by one over these lines, under the same name and key id."""
    text, _, signatures = path.read_text().partition("\n\n")
    origin, *_ = text.split("\n")
    _, name, encoded = signatures.splitlines()[0].split(" ")
    root = base64.b64encode(root_of(lines)).decode()
    body = f"{origin}\n{len(lines)}\n{root}\n"
    signed = base64.b64decode(encoded)[:4] + signer.sign(body.encode())
    note = f"{body}\n\u2014 {name} {base64.b64encode(signed).decode()}\n"
    path.write_bytes(note.encode())

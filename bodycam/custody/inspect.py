"""What is in a segment, box by box, or in a log, line by line. Nothing is verified here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..checkpointfile import CHECKPOINT_FILE
from ..errors import CannotOpen, EvidenceError
from ..eventlog import LOG_FILE
from ..formats import checkpoint, mp4, mp4read
from ..formats.boxes import Box, children
from ..formats.hpkewrap import hpke_recipients_of
from ..formats.keywrap import recipients_of
from ..formats.logline import decode_line
from ..formats.records import SIGNATURE_UUID, parse_record, read_payload
from .logfacts import raw_lines
from .segmentwalk import MAX_INDEX_BYTES, SegmentBytes

_CONTAINERS = frozenset((
    "moov", "trak", "mdia", "minf", "stbl", "dinf", "mvex", "moof", "traf", "sinf", "schi",
))  # fmt: skip
# Bytes of fields that stand before the boxes inside.
_PREFIX = {"stsd": 8, "dref": 8, "encv": 78, "avc1": 78, "enca": 28, "mp4a": 28}
_MAX_BOXES = 1_000_000
_DATA_CHARS = 100


def inspect(path: Path) -> list[dict[str, Any]]:
    """One object a box (offset, size, depth, what it says) or a line. Raises CannotOpen."""
    if path.is_dir():
        path = path / LOG_FILE
    if path.suffix == ".jsonl":
        return list(_lines(path))
    if path.name == CHECKPOINT_FILE:
        return [_checkpoint(path)]
    with SegmentBytes(path) as data:
        return list(_boxes(data))


def text(entries: list[dict[str, Any]]) -> str:
    """The entries for people: a tree of boxes, or the lines of a log."""
    return "".join(f"{_row(entry)}\n" for entry in entries)


def _row(entry: dict[str, Any]) -> str:
    if "line" in entry:
        return (
            f"{entry['line']:>7}  {entry.get('utc', ''):<24}  {entry.get('ev', '?'):<18} "
            f"{entry['says']}"
        )
    if "box" not in entry:
        return str(entry["says"])
    indent = "  " * entry["depth"]
    name = f"{indent}{entry['box']}"
    rows = [f"{entry['offset']:>12} {entry['size']:>11}  {name:<18} {entry['says']}".rstrip()]
    record = entry.get("record")
    if record is not None:
        pad = " " * 26 + indent
        rows += [f"{pad}{key}: {_short(value)}" for key, value in record.items()]
    return "\n".join(rows)


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _DATA_CHARS else shown[: _DATA_CHARS - 1] + "\u2026"


# -- segments ---------------------------------------------------------------------------------


def _boxes(data: SegmentBytes) -> Iterator[dict[str, Any]]:
    at = 0
    for _ in range(_MAX_BOXES):
        if at >= data.size:
            return
        try:
            found = data.header(at)
        except EvidenceError as fault:
            yield {
                "box": "?", "offset": at, "size": data.size - at, "depth": 0, "says": fault.message
            }  # fmt: skip
            return
        yield from _top(data, found)
        at = found.end


def _top(data: SegmentBytes, found: Box) -> Iterator[dict[str, Any]]:
    entry = _entry(found, 0)
    size = found.end - found.start
    if found.kind == "mdat" or size > MAX_INDEX_BYTES:
        entry["says"] = f"{found.end - found.body} bytes of samples" if found.kind == "mdat" else ""
        yield entry
        return
    raw = data.read(found.start, size)
    if found.extended == SIGNATURE_UUID:
        entry["body"] = found.body
        yield entry | _signature(raw[found.body - found.start :], found.body)
        return
    entry["says"] = _says(raw, Box(found.kind, 0, found.body - found.start, size))
    yield entry
    yield from _inside(raw, found.start, Box(found.kind, 0, found.body - found.start, size), 1)


def _entry(found: Box, base: int, depth: int = 0) -> dict[str, Any]:
    return {
        "box": found.kind, "offset": base + found.start, "size": found.end - found.start,
        "depth": depth, "says": "",
    }  # fmt: skip


def _inside(raw: bytes, base: int, parent: Box, depth: int) -> Iterator[dict[str, Any]]:
    if parent.kind not in _CONTAINERS and parent.kind not in _PREFIX:
        return
    try:
        for found in children(raw, parent.body + _PREFIX.get(parent.kind, 0), parent.end):
            entry = _entry(found, base, depth)
            entry["says"] = _says(raw, found)
            yield entry
            yield from _inside(raw, base, found, depth + 1)
    except EvidenceError as fault:
        yield {
            "box": "?", "offset": base + parent.body, "size": parent.end - parent.body,
            "depth": depth, "says": fault.message,
        }  # fmt: skip


def _signature(payload: bytes, offset: int) -> dict[str, Any]:
    """A signature box taken apart, with where each part lies: what a check by hand cuts out."""
    try:
        box = read_payload(payload)
        record = parse_record(box.record)
    except EvidenceError as fault:
        return {"says": f"signature box: {fault.message}"}
    signature_at = offset + 8 + len(box.record) + 2
    certificates, at = [], signature_at + len(box.signature) + 1
    for der in box.certificates:
        certificates.append({"offset": at + 4, "size": len(der)})
        at += 4 + len(der)
    signed = "unsigned" if box.unsigned else f"signed ({len(box.signature)} bytes)"
    return {
        "says": f"{str(record.get('t')).upper()} {record.get('n')}, {signed}, "
        f"box hash {box.payload_sha256[:16]}\u2026",
        "record": record,
        "record_at": {"offset": offset + 8, "size": len(box.record)},
        "signature_at": {"offset": signature_at, "size": len(box.signature)},
        "certificates_at": certificates,
        "payload_sha256": box.payload_sha256,
    }


def _says(raw: bytes, found: Box) -> str:
    body = raw[found.body : found.end]
    try:
        return _describe(raw, found, body)
    except (EvidenceError, IndexError, KeyError, ValueError) as fault:
        return f"cannot be read: {fault}"


def _describe(raw: bytes, found: Box, body: bytes) -> str:
    match found.kind:
        case "ftyp":
            brands = " ".join(body[i : i + 4].decode("latin-1") for i in range(8, len(body), 4))
            return f"{body[:4].decode('latin-1')}, compatible {brands}"
        case "moov":
            init = mp4read.read_init(raw[found.start : found.end])
            sound = f", AAC {init.audio.rate_hz} Hz" if init.audio else ", no sound"
            return f"H.264 {init.video.width}x{init.video.height}{sound}, key id {init.kid.hex()}"
        case "moof":
            runs = mp4read.read_fragment(raw[found.start : found.end])
            names = {mp4.VIDEO_TRACK_ID: "pictures", mp4.AUDIO_TRACK_ID: "sounds"}
            return ", ".join(
                f"{len(run.samples)} {names[run.track_id]} from {run.base_time}" for run in runs
            )
        case "mfhd":
            return f"sequence {int.from_bytes(body[4:8], 'big')}"
        case "tfdt":
            return f"decode time {int.from_bytes(body[4:12], 'big')}"
        case "prft":
            return f"media time {int.from_bytes(body[16:24], 'big')}"
        case "pssh":
            system = body[4:20].hex()
            at = 28 + 16 * int.from_bytes(body[20:24], "big")
            if system == mp4.KEYWRAP_SYSTEM_ID.hex:
                return "wrapped key for " + ", ".join(recipients_of(body[at:]))
            if system == mp4.HPKE_SYSTEM_ID.hex:
                return "post-quantum wrapped key for " + ", ".join(hpke_recipients_of(body[at:]))
            return f"system {system}"
        case "frma" | "hdlr":
            at = 0 if found.kind == "frma" else 8
            return body[at : at + 4].decode("latin-1")
    return ""


# -- logs -------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for raw in raw_lines(path):
            try:
                line = decode_line(raw.data)
            except EvidenceError as fault:
                yield {"line": raw.number, "says": fault.message}
                continue
            shown = " ".join(f"{k}={_short(v)}" for k, v in line.data.items())
            yield {
                "line": raw.number, "utc": line.utc, "ev": line.ev, "boot_ns": line.boot_ns,
                "data": line.data, "says": shown,
            }  # fmt: skip
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Check path and permissions") from fault


def _checkpoint(path: Path) -> dict[str, Any]:
    try:
        note = checkpoint.parse_checkpoint_unverified(
            path.read_bytes()[: checkpoint.MAX_CHECKPOINT_BYTES + 1]
        )
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Check path and permissions") from fault
    except EvidenceError as fault:
        return {"says": fault.message}
    signers = [f"{s.name} (key {s.key_id.hex()})" for s in note.signatures]
    return {
        "origin": note.origin, "lines": note.size, "root": note.root.hex(), "signers": signers,
        "says": f"checkpoint of {note.origin}: {note.size} lines, root {note.root.hex()}, "
        f"says to be signed by {', '.join(signers)}",
    }  # fmt: skip

"""ISO base media file format boxes (ISO/IEC 14496-12, 4.2): make one, walk over many."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from ..errors import EvidenceError
from ..media import Buffer

MAX_BOXES = 4096


@dataclass(frozen=True, slots=True)
class Box:
    """Where one box lies: `start` of its header, `body` of its content, `end` behind it."""

    kind: str
    start: int
    body: int
    end: int
    extended: UUID | None = None


def box(kind: str, *parts: Buffer) -> bytes:
    """One box; a 64-bit length where 32 bits do not suffice."""
    size = 8 + sum(len(p) for p in parts)
    if size < 1 << 32:
        return b"".join([struct.pack(">I4s", size, kind.encode("ascii")), *parts])
    return b"".join([struct.pack(">I4sQ", 1, kind.encode("ascii"), size + 8), *parts])


def full_box(kind: str, version: int, flags: int, *parts: Buffer) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def uuid_box(extended: UUID, *parts: Buffer) -> bytes:
    return box("uuid", extended.bytes, *parts)


def read_header(view: Buffer, at: int, end: int) -> Box:
    """The box that begins at `at`. Raises EvidenceError if it does not fit before `end`.

    `view` must hold at least the header (up to 32 bytes); `end` may lie behind it.
    """
    if end - at < 8 or len(view) < at + 8:
        raise EvidenceError(f"box header at byte {at} is cut short")
    size, raw = struct.unpack_from(">I4s", view, at)
    kind = raw.decode("latin-1")
    body = at + 8
    if size == 1:
        if end - at < 16 or len(view) < at + 16:
            raise EvidenceError(f"box header at byte {at} is cut short")
        (size,) = struct.unpack_from(">Q", view, body)
        body += 8
    extended = None
    if kind == "uuid":
        if end - body < 16 or len(view) < body + 16:
            raise EvidenceError(f"box header at byte {at} is cut short")
        extended = UUID(bytes=bytes(view[body : body + 16]))
        body += 16
    if size < body - at:
        raise EvidenceError(f"box '{kind}' at byte {at} has an impossible size of {size}")
    if at + size > end:
        raise EvidenceError(f"box '{kind}' at byte {at} is cut short: {size} bytes announced")
    return Box(kind, at, body, at + size, extended)


def children(view: Buffer, start: int, end: int) -> Iterator[Box]:
    """The boxes that fill a range exactly. Raises EvidenceError for anything else."""
    at, count = start, 0
    while at < end:
        found = read_header(view, at, end)
        yield found
        at, count = found.end, count + 1
        if count > MAX_BOXES:
            raise EvidenceError(f"more than {MAX_BOXES} boxes at byte {start}")


def child(view: Buffer, start: int, end: int, kind: str) -> Box:
    """The first box of a kind in a range. Raises EvidenceError if there is none."""
    for found in children(view, start, end):
        if found.kind == kind:
            return found
    raise EvidenceError(f"no '{kind}' box between bytes {start} and {end}")


def descend(view: Buffer, start: int, end: int, path: str) -> Box:
    """The box at a path such as "trak/mdia/mdhd", first match at each level."""
    found: Box | None = None
    for kind in path.split("/"):
        found = child(view, start, end, kind)
        start, end = found.body, found.end
    if found is None:
        raise EvidenceError("empty box path")
    return found

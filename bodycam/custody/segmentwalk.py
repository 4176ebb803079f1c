"""Walks over the boxes of one segment, from bytes that nobody vouches for yet.

    ftyp moov uuid(HEAD) { prft moof mdat uuid(FRAG) } x N uuid(END)

Only box headers and small boxes are read here. Where the structure breaks, the walk goes on at the
next signature box it can find, so that what lies behind the break is still judged.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import CannotOpen, EvidenceError
from ..formats.blanks import first_blank, sector_after
from ..formats.boxes import Box, read_header
from ..formats.mp4 import FTYP
from ..formats.records import (
    MAX_CERTIFICATE_BYTES,
    MAX_CERTIFICATES,
    MAX_PAYLOAD_BYTES,
    MAX_RECORD_BYTES,
    MAX_SIGNATURE_BYTES,
    SIGNATURE_UUID,
)

MAX_INDEX_BYTES = 1024 * 1024
SCAN_BYTES = 1024 * 1024
# A file of nothing but signature boxes, or of their marks, must not keep a verifier for hours.
MAX_BREAKS = 1000
_HEADER_BYTES = 32
_WINDOW_BYTES = 8192
_MARK = SIGNATURE_UUID.bytes
_HEAD_BOXES = ("ftyp", "moov")
_FRAGMENT_BOXES = ("prft", "moof", "mdat")
_KNOWN = frozenset((*_HEAD_BOXES, *_FRAGMENT_BOXES))


@dataclass(frozen=True, slots=True)
class Sealed:
    """One signature box and the range it stands behind; `index` counts the boxes from 0."""

    index: int
    start: int
    box_start: int
    end: int
    payload: bytes
    boxes: tuple[Box, ...]
    break_text: str

    def box(self, kind: str) -> Box | None:
        return next((b for b in self.boxes if b.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Tail:
    """What lies behind the last signature box that could be found."""

    start: int
    size: int
    text: str
    out_of_place: bool


class SegmentBytes:
    """Random and sequential reading of one file, never more than asked for in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.size = os.fstat(self._fd).st_size
        except OSError as fault:
            raise CannotOpen(f"{path}: {fault.strerror}", "Check path and permissions") from fault
        self.may_be_torn = False
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        self._window_at, self._window = 0, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, at: int, length: int) -> bytes:
        """Up to `length` bytes; fewer only at the end of the file. For one thread."""
        # Headers and small boxes stand close together: one system call reads them all.
        offset = at - self._window_at
        if offset >= 0 and offset + length <= len(self._window):
            return self._window[offset : offset + length]
        if length <= _WINDOW_BYTES // 2:
            self._window_at, self._window = at, self._pread(at, _WINDOW_BYTES)
            return self._window[:length]
        return self._pread(at, length)

    def _pread(self, at: int, length: int) -> bytes:
        try:
            data = os.pread(self._fd, length, at)
            while len(data) < min(length, self.size - at):
                more = os.pread(self._fd, length - len(data), at + len(data))
                if not more:
                    break
                data += more
        except OSError as fault:
            raise CannotOpen(
                f"{self.path}: cannot be read at byte {at}: {fault.strerror}",
                "Copy the file again, or read the card with another reader",
            ) from fault
        return data

    def read_into(self, at: int, buffer: memoryview) -> int:
        """Fill the buffer from the file; how many bytes there were. For any thread."""
        try:
            return os.preadv(self._fd, [buffer], at)
        except OSError as fault:
            raise CannotOpen(
                f"{self.path}: cannot be read at byte {at}: {fault.strerror}",
                "Copy the file again, or read the card with another reader",
            ) from fault

    def header(self, at: int) -> Box:
        """The box that begins at `at`, with offsets in the file. Raises EvidenceError."""
        found = read_header(self.read(at, _HEADER_BYTES), 0, self.size - at)
        return Box(found.kind, at, at + found.body, at + found.end, found.extended)

    def find(self, mark: bytes, at: int) -> int:
        """Where the mark is found first, from `at` on; -1 if nowhere."""
        while at < self.size:
            block = self.read(at, SCAN_BYTES + len(mark))
            found = block.find(mark)
            if found >= 0:
                return at + found
            at += SCAN_BYTES
        return -1

    def end_where_blank(self) -> None:
        """A power cut may have torn it: it ends where the first block is that never came."""
        self.may_be_torn = True
        self.size = first_blank(self.find, self.read, self.size)

    def begins_blank(self, at: int) -> bool:
        """Whether the rest of this sector never came: a write in the middle of one was torn."""
        rest = self.read(at, sector_after(at) - at)
        return self.may_be_torn and bool(rest) and not any(rest)

    def zeros_from(self) -> int:
        """Where the zeros begin that fill the rest of the file; its size if there are none."""
        at = self.size
        while at > 0:
            begin = max(0, at - SCAN_BYTES)
            block = self.read(begin, at - begin).rstrip(b"\0")
            if block:
                at = begin + len(block)
                break
            at = begin
        # A signature may end in a few zeros by chance, not in sixteen.
        return at if self.size - at >= 16 else self.size


def walk(data: SegmentBytes) -> Iterator[Sealed | Tail]:
    """Every signature box in order, then the tail if bytes are left."""
    at = index = 0
    search = _Search(data)
    while at < data.size or index == 0:
        try:
            unit = _next(data, at, index)
            search.count(unit)
        except _Broken as broken:
            if data.begins_blank(at):
                yield Tail(at, data.size - at, str(broken), out_of_place=False)
                return
            found = search.resume(at, index, str(broken))
            if found is None:
                given_up = search.given_up
                text = f"more than {MAX_BREAKS} breaks" if given_up else str(broken)
                yield Tail(at, data.size - at, text, broken.out_of_place or given_up)
                return
            unit = found
        yield unit
        at, index = unit.end, index + 1


class _Broken(Exception):
    """The structure breaks here; `out_of_place` if a whole known box stands where none may."""

    def __init__(self, text: str, *, out_of_place: bool = False) -> None:
        super().__init__(text)
        self.out_of_place = out_of_place


def _next(data: SegmentBytes, start: int, index: int) -> Sealed:
    wanted = _HEAD_BOXES if index == 0 else _FRAGMENT_BOXES
    boxes: list[Box] = []
    at = start
    while True:
        if at == data.size:
            raise _Broken(f"the file ends at byte {at} before a signature box")
        try:
            found = data.header(at)
        except EvidenceError as fault:
            raise _Broken(fault.message) from fault
        if found.extended == SIGNATURE_UUID and len(boxes) in (
            (len(wanted),) if index == 0 else (0, len(wanted))
        ):
            break
        expected = wanted[len(boxes)] if len(boxes) < len(wanted) else "uuid"
        if found.kind != expected or expected == "uuid":
            raise _Broken(
                f"box {found.kind!r} at byte {at} where {expected!r} must stand",
                out_of_place=_is_ours(found),
            )
        if found.kind != "mdat" and found.end - found.start > MAX_INDEX_BYTES:
            raise _Broken(f"box {found.kind!r} at byte {at} is over {MAX_INDEX_BYTES} bytes")
        boxes.append(found)
        at = found.end
    if found.end - found.body > MAX_PAYLOAD_BYTES:
        raise _Broken(f"signature box at byte {at} is over {MAX_PAYLOAD_BYTES} bytes")
    if index == 0 and data.read(0, len(FTYP)) != FTYP:
        raise _Broken("'ftyp' is not that of an evidence segment")
    payload = data.read(found.body, found.end - found.body)
    if _payload_length(payload) not in (0, len(payload)):
        raise _Broken(f"signature box at byte {at} does not end where it says")
    return Sealed(index, start, at, found.end, payload, tuple(boxes), "")


def _is_ours(found: Box) -> bool:
    """Whether a box is of a kind that segments have, or a signature box with a wrong byte."""
    if found.extended is not None:
        same = sum(a == b for a, b in zip(found.extended.bytes, _MARK, strict=True))
        return same >= len(_MARK) - 1
    return found.kind in _KNOWN


class _Search:
    """Goes on behind a break, at the next signature box that is all there, wherever it stands."""

    def __init__(self, data: SegmentBytes) -> None:
        self._data = data
        self._breaks = 0

    @property
    def given_up(self) -> bool:
        return self._breaks > MAX_BREAKS

    def count(self, unit: Sealed) -> None:
        """A signature box that covers nothing: END once, else a waste of time."""
        self._breaks += not unit.boxes
        if self.given_up:
            raise _Broken(f"more than {MAX_BREAKS} breaks", out_of_place=True)

    def resume(self, start: int, index: int, why: str) -> Sealed | None:
        data, at = self._data, start + 8
        while not self.given_up and (mark := data.find(_MARK, at)) >= 0:
            self._breaks += 1
            body = mark + len(_MARK)
            end = body + _payload_length(data.read(body, MAX_PAYLOAD_BYTES))
            if end > body:
                payload = data.read(body, end - body)
                return Sealed(index, start, mark - 8, end, payload, (), why)
            at = mark + 1
        return None


def _payload_length(raw: bytes) -> int:
    """How long a signature box's content is by its own fields; 0 if it is not all there."""
    try:
        _, record = struct.unpack_from(">II", raw, 0)
        at = 8 + record
        (signature,) = struct.unpack_from(">H", raw, at)
        at += 2 + signature
        if record > MAX_RECORD_BYTES or signature > MAX_SIGNATURE_BYTES or at > len(raw):
            return 0
        if b'"t":"head"' in raw[8 : 8 + record]:
            count = raw[at]
            at += 1
            for _ in range(count if count <= MAX_CERTIFICATES else 0):
                (size,) = struct.unpack_from(">I", raw, at)
                if size > MAX_CERTIFICATE_BYTES:
                    return 0
                at += 4 + size
    except (struct.error, IndexError):
        return 0
    return at if at <= len(raw) else 0

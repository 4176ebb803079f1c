"""One line of the event log: JSON, chained by hash, framed by a checksum.

`prev` is the SHA-256 of the line before (without its newline); `crc` is the CRC-32 of the line up
to it, so that a torn or flipped line is known by itself, even the last one.
"""

from __future__ import annotations

import json
from typing import Any, Literal
from zlib import crc32

import msgspec

from ..errors import EvidenceError

LOG_VERSION = 1
MAX_LINE_BYTES = 16 * 1024
GENESIS = "0" * 64
_FIELDS = {
    "seq": int, "boot": str, "boot_ns": int, "utc": str, "ev": str, "data": dict, "prev": str,
}  # fmt: skip


class LogLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The fields of a line; what a line may lack is UNSET then, and of any type."""

    v: Literal[1]
    seq: int
    boot: str
    boot_ns: int
    utc: str
    ev: str
    data: dict[str, Any]
    prev: str
    logged_ns: Any = msgspec.UNSET
    clk: Any = msgspec.UNSET
    unc_ms: Any = msgspec.UNSET
    crc: Any = msgspec.UNSET


# What msgspec raises for bytes that it does not take.
_NOT_TAKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TYPED = msgspec.json.Decoder(LogLine)
_UNTYPED = msgspec.json.Decoder()


def encode_line(fields: dict[str, Any]) -> bytes:
    """The line for these fields, without its newline."""
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    return body + f',"crc":"{crc32(body):08x}"}}'.encode()


def is_torn(line: bytes) -> bool:
    """Whether a part of the line never reached the card: it has no newline, or a NUL is in it.

    Blocks that a power cut kept from the card read as zeros, and later ones may be there. JSON
    holds no NUL. `line` with its newline.
    """
    return not line.endswith(b"\n") or b"\0" in line


def check_frame(line: bytes) -> None:
    """Raises EvidenceError unless the line's checksum is its own."""
    if len(line) > MAX_LINE_BYTES:
        raise EvidenceError(f"line of {len(line)} bytes, at most {MAX_LINE_BYTES}")
    if line[-18:] != b',"crc":"%08x"}' % crc32(line[:-18]):
        raise EvidenceError("line does not match its own checksum")


def decode_line(line: bytes) -> LogLine:
    """The fields of a line whose frame holds. Raises EvidenceError for anything else."""
    check_frame(line)
    try:
        return _TYPED.decode(line)
    except _NOT_TAKEN:
        return _odd_line(line)


def _odd_line(line: bytes) -> LogLine:
    """A line that no camera of ours wrote: with more fields, without some, or with odd numbers."""
    fields = _parsed(line)
    if not isinstance(fields, dict) or fields.get("v") != LOG_VERSION:
        raise EvidenceError("line has an unknown version")
    for name, kind in _FIELDS.items():
        if not isinstance(fields.get(name), kind):
            raise EvidenceError(f"line lacks a proper '{name}'")
    return LogLine(**{name: fields[name] for name in LogLine.__struct_fields__ if name in fields})


def _parsed(line: bytes) -> Any:
    """What `json` makes of a line; msgspec makes the same of all that it takes, five times as fast."""
    try:
        return _UNTYPED.decode(line)
    except _NOT_TAKEN:
        pass  # it is stricter: NaN, numbers beyond a double, lone surrogates, a byte order mark
    try:
        found = json.loads(line)
        # Half a surrogate pair is no text: it can be neither printed nor kept, and no camera writes it.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as fault:
        raise EvidenceError(f"line is not JSON: {fault}") from fault
    return found

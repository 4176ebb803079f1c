"""The event log as a Merkle tree (RFC 6962, 2.1) and its checkpoints (C2SP tlog-checkpoint)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from ..errors import EvidenceError

EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_CHECKPOINT_BYTES = 16 * 1024
ECDSA_TYPE = 0x02


def leaf_hash(line: bytes) -> bytes:
    return hashlib.sha256(b"\0" + line).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """An append-only tree that keeps only the roots of its full subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # largest subtree first

    def append(self, line: bytes) -> None:
        node = leaf_hash(line)
        size = self.size
        while size & 1:
            node = _node(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = _node(peak, root)
        return root


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: the log of `origin` had `size` lines with this root."""

    origin: str
    size: int
    root: bytes
    body: bytes
    key_id: bytes
    signature: bytes


def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """The three lines that a checkpoint's signature covers."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n".encode()


def checkpoint_note(body: bytes, name: str, key_id: bytes, signature: bytes) -> bytes:
    """A signed note (C2SP signed-note): the body, a blank line, one signature line."""
    encoded = base64.b64encode(key_id + signature).decode("ascii")
    return body + f"\n\u2014 {name} {encoded}\n".encode()


def read_checkpoint_unverified(note: bytes) -> Checkpoint:
    """Parse a checkpoint. Its signature is not checked here."""
    if len(note) > MAX_CHECKPOINT_BYTES:
        raise EvidenceError(f"checkpoint of {len(note)} bytes, at most {MAX_CHECKPOINT_BYTES}")
    try:
        text, signatures = note.decode("utf-8").split("\n\n", 1)
        origin, size, root = text.split("\n")
        dash, _, encoded = signatures.splitlines()[0].split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash != "\u2014" or len(raw) < 5 or not size.isdigit() or len(size) > 18:
            raise ValueError("signature line")
        return Checkpoint(
            origin, int(size), base64.b64decode(root, validate=True), (text + "\n").encode(),
            raw[:4], raw[4:],
        )  # fmt: skip
    except (ValueError, IndexError) as fault:
        raise EvidenceError(f"checkpoint is not a signed note: {fault}") from fault

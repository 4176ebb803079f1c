"""A proof that one line is in a log, as a file that stands alone.

The line, a C2SP tlog-proof (index, path, checkpoint with its cosignatures), and the certificates
of the camera that signed the checkpoint. Whoever has the force root needs nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from ..errors import EvidenceError
from .checkpoint import (
    MAX_CHECKPOINT_BYTES,
    Checkpoint,
    parse_checkpoint_unverified,
    read_hash,
    read_size,
)
from .logline import MAX_LINE_BYTES
from .records import MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES
from .tlog import MAX_PROOF_HASHES, check_inclusion, leaf_hash

MAX_PROOF_BYTES = 256 * 1024
_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Where a line is in the log, and the path from it to a checkpoint's root."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def text(self) -> bytes:
        """As a C2SP tlog-proof."""
        lines = [_HEADER, f"index {self.index}", *encode_hashes(self.path), "", ""]
        return "\n".join(lines).encode() + self.checkpoint.note()


@dataclass(frozen=True, slots=True)
class LineProof:
    """A line of a log with its proof and the signer's certificates, leaf first."""

    line: bytes
    proof: InclusionProof
    certificates: tuple[bytes, ...]

    def check_path(self) -> None:
        """Raises EvidenceError unless the line is in the tree of the checkpoint.

        The checkpoint's signature is not checked here.
        """
        note = self.proof.checkpoint
        check_inclusion(
            leaf_hash(self.line), self.proof.index, note.size, note.root, self.proof.path
        )


class ProofFile(msgspec.Struct, frozen=True):
    """The keys of a proof file."""

    version: Literal[1]
    line: Annotated[str, msgspec.Meta(max_length=MAX_LINE_BYTES)]
    proof: Annotated[str, msgspec.Meta(max_length=MAX_CHECKPOINT_BYTES + 64 * 1024)]
    certificates: Annotated[list[bytes], msgspec.Meta(max_length=MAX_CERTIFICATES)]


def encode_proof(proof: LineProof) -> bytes:
    """The proof file: one JSON object."""
    file = ProofFile(
        1, proof.line.decode("utf-8"), proof.proof.text().decode("utf-8"),
        list(proof.certificates),
    )  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def decode_proof(data: bytes) -> LineProof:
    """Take a proof file apart; nothing is proven yet. Raises EvidenceError."""
    if len(data) > MAX_PROOF_BYTES:
        raise EvidenceError(f"proof of {len(data)} bytes, at most {MAX_PROOF_BYTES}")
    try:
        file = msgspec.json.decode(data, type=ProofFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise EvidenceError(f"not a proof of a log line: {fault}") from fault
    if any(len(der) > MAX_CERTIFICATE_BYTES for der in file.certificates):
        raise EvidenceError(f"a certificate is bigger than {MAX_CERTIFICATE_BYTES} bytes")
    proof = parse_tlog_proof(file.proof.encode())
    return LineProof(file.line.encode(), proof, tuple(file.certificates))


def parse_tlog_proof(data: bytes) -> InclusionProof:
    """A C2SP tlog-proof; extra data is left out. Raises EvidenceError."""
    head, blank, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as fault:
        raise EvidenceError("not a tlog-proof: not ASCII before the checkpoint") from fault
    if not blank or lines[0] != _HEADER:
        raise EvidenceError(f"not a tlog-proof: does not begin with {_HEADER}")
    rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
    if not rest or not rest[0].startswith("index "):
        raise EvidenceError("not a tlog-proof: names no index")
    return InclusionProof(
        read_size(rest[0].removeprefix("index ")), decode_hashes(rest[1:]),
        parse_checkpoint_unverified(note),
    )  # fmt: skip


def encode_hashes(hashes: Sequence[bytes]) -> list[str]:
    """The lines of a proof, one hash each."""
    return [base64.b64encode(node).decode("ascii") for node in hashes]


def decode_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    """The hashes of a proof's lines. Raises EvidenceError."""
    if len(lines) > MAX_PROOF_HASHES:
        raise EvidenceError(f"proof of {len(lines)} hashes; accepted: at most {MAX_PROOF_HASHES}")
    return tuple(read_hash(line) for line in lines)

"""Checkpoints: signed notes that say how many lines a log has (C2SP tlog-checkpoint, signed-note).

The camera signs with its device key (ECDSA P-256, signature type 0x02); a witness adds
cosignatures with its time (Ed25519, type 0x04, C2SP tlog-cosignature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from ..errors import EvidenceError
from .tlog import HASH_BYTES, MAX_SIZE

MAX_CHECKPOINT_BYTES = 16 * 1024
# The signed-note spec asks for 16 at least; a post-quantum one takes 5 kB.
MAX_SIGNATURES = 64
_MAX_NAME = 200
_DASH = "\u2014"
_COSIGNATURE_TYPE = b"\x04"
_ED25519_BYTES = 64


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note: who says to have signed, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        encoded = base64.b64encode(self.key_id + self.signature).decode("ascii")
        return f"{_DASH} {self.name} {encoded}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: the log of `origin` had `size` lines with this root."""

    origin: str
    size: int
    root: bytes
    body: bytes
    signatures: tuple[NoteSignature, ...]

    @property
    def device(self) -> str:
        """The camera that the origin names."""
        return self.origin.rpartition("/")[2]

    def note(self) -> bytes:
        return self.body + b"\n" + "".join(s.line() for s in self.signatures).encode()

    def by_log(self) -> tuple[NoteSignature, ...]:
        """The signatures in the log's own name."""
        return tuple(s for s in self.signatures if s.name == self.origin)


def device_key_id(spki: bytes) -> bytes:
    """The key id of an ECDSA key: of its SubjectPublicKeyInfo in DER, without the name."""
    return hashlib.sha256(spki).digest()[:4]


def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """The three lines that a checkpoint's signature covers."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n".encode()


def parse_checkpoint_unverified(note: bytes) -> Checkpoint:
    """Parse a checkpoint. Its signatures are not checked here."""
    if len(note) > MAX_CHECKPOINT_BYTES:
        raise EvidenceError(f"checkpoint of {len(note)} bytes, at most {MAX_CHECKPOINT_BYTES}")
    try:
        text, blank, tail = note.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError as fault:
        raise EvidenceError("checkpoint is not a signed note: not UTF-8") from fault
    lines = text.split("\n")
    if not blank or len(lines) < 3 or "" in lines or any(c < " " for c in text if c != "\n"):
        raise EvidenceError(
            "checkpoint is not a signed note: three lines, a blank line, signatures"
        )
    origin, size, root = lines[:3]
    return Checkpoint(
        origin, read_size(size), read_hash(root), (text + "\n").encode(), read_signatures(tail)
    )


def read_signatures(text: str) -> tuple[NoteSignature, ...]:
    """The signature lines of a note, at least one. Raises EvidenceError."""
    lines = text.split("\n")
    if lines[-1] or not 2 <= len(lines) <= MAX_SIGNATURES + 1:
        raise EvidenceError(
            f"note with {len(lines) - 1} signatures; accepted: 1 to {MAX_SIGNATURES}"
        )
    return tuple(_read_signature(line) for line in lines[:-1])


def _read_signature(line: str) -> NoteSignature:
    dash, name, encoded = (*line.split(" "), "", "")[:3]
    raw = read_base64(encoded)
    if line != f"{dash} {name} {encoded}" or dash != _DASH or not is_key_name(name) or len(raw) < 5:
        raise EvidenceError("note has a signature line that is none")
    return NoteSignature(name, raw[:4], raw[4:])


def is_key_name(name: str) -> bool:
    """Not empty, and without spaces, control characters and '+'."""
    return 0 < len(name) <= _MAX_NAME and name.isprintable() and not set(name) & {" ", "+"}


def read_size(text: str) -> int:
    """A number of lines: decimal, no leading zeros. Raises EvidenceError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or str(int(text)) != text:
        raise EvidenceError(f"{text[:40]!r} is not a number of lines")
    if int(text) > MAX_SIZE:
        raise EvidenceError(f"a log of {text} lines; accepted: at most 2^62")
    return int(text)


def read_hash(text: str) -> bytes:
    """A hash in base64. Raises EvidenceError."""
    value = read_base64(text)
    if len(value) != HASH_BYTES:
        raise EvidenceError(f"{text[:60]!r} is not a hash")
    return value


def read_base64(text: str) -> bytes:
    """Canonical base64, so that one value has one spelling. Raises EvidenceError."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as fault:
        raise EvidenceError(f"{text[:60]!r} is not base64") from fault
    if base64.b64encode(value).decode("ascii") != text:
        raise EvidenceError(f"{text[:60]!r} is not base64 in its one spelling")
    return value


# -- witnesses --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's name and public key."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        hashed = self.name.encode() + b"\n" + _COSIGNATURE_TYPE + self.public
        return hashlib.sha256(hashed).digest()[:4]

    def text(self) -> str:
        """As a verifier is told it: a C2SP vkey."""
        key = base64.b64encode(_COSIGNATURE_TYPE + self.public).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{key}"


def read_witness_key(text: str) -> WitnessKey:
    """A witness's vkey. Raises EvidenceError for anything else."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = read_base64(encoded)
    key = WitnessKey(name, raw[1:])
    if not is_key_name(name) or raw[:1] != _COSIGNATURE_TYPE or len(raw) != 33:
        raise EvidenceError("not a witness key: NAME+KEYID+BASE64, as `bodycam witness` prints it")
    if key.key_id.hex() != key_id:
        raise EvidenceError(f"witness key of {name}: its key id is {key.key_id.hex()}")
    return key


def cosigned_message(body: bytes, at_s: int) -> bytes:
    """What a witness signs: the time, and the checkpoint's own lines."""
    return f"cosignature/v1\ntime {at_s}\n".encode() + body


def cosign(
    key: ed25519.Ed25519PrivateKey, witness: WitnessKey, body: bytes, at_s: int
) -> NoteSignature:
    """A witness's signature line for a checkpoint."""
    signature = key.sign(cosigned_message(body, at_s))
    return NoteSignature(witness.name, witness.key_id, at_s.to_bytes(8, "big") + signature)


def cosigned_at(checkpoint: Checkpoint, witness: WitnessKey) -> int | None:
    """When this witness saw the checkpoint, in s since 1970; None if it did not cosign.

    Raises EvidenceError if a line in its name does not hold.
    """
    for line in checkpoint.signatures:
        if (line.name, line.key_id) != (witness.name, witness.key_id):
            continue
        at_s = int.from_bytes(line.signature[:8], "big")
        if len(line.signature) != 8 + _ED25519_BYTES or at_s >= 2**63:
            raise EvidenceError(f"cosignature of {witness.name} is malformed")
        public = ed25519.Ed25519PublicKey.from_public_bytes(witness.public)
        try:
            public.verify(line.signature[8:], cosigned_message(checkpoint.body, at_s))
        except InvalidSignature as fault:
            raise EvidenceError(f"cosignature of {witness.name} does not hold") from fault
        return at_s
    return None

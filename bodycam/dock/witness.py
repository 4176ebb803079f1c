"""The witness: sees that each camera's log only grows, and signs what it saw, with the time.

The rules are those of C2SP tlog-witness. In this order, the first that fails decides:

| status | when                                                                        |
|-------:|-----------------------------------------------------------------------------|
| 400    | the request is malformed                                                    |
| 404    | no camera of this origin is registered                                      |
| 403    | no trusted key of the camera signed the checkpoint                          |
| 400    | the old size is above the checkpoint's                                      |
| 409    | the old size is not the one last cosigned (the body names that one), or     |
|        | the same size has another root                                              |
| 422    | the consistency proof does not hold: rollback or a second history           |
| 200    | the body is the cosignature; what it says is on disk                        |

A power cut leaves the checkpoint before or the one after; no cosignature is answered before its
checkpoint is durable.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from ..certificates import SigningTime, Trust, TrustPolicy, judge_chain
from ..clock import NS, Clock
from ..custody.logkeys import Chain, LogKeys, read_chain
from ..errors import AlreadyRunning, CannotOpen, EvidenceError
from ..formats.checkpoint import (
    MAX_CHECKPOINT_BYTES,
    Checkpoint,
    WitnessKey,
    cosign,
    is_key_name,
    parse_checkpoint_unverified,
    read_size,
)
from ..formats.logproof import decode_hashes, encode_hashes
from ..formats.tlog import EMPTY_ROOT, MAX_PROOF_HASHES, check_consistency
from ..signing import fingerprint
from ..store import storage_error, sync_directory, write_atomically

MAX_REQUEST_BYTES = MAX_CHECKPOINT_BYTES + 64 * (MAX_PROOF_HASHES + 1)
SIZE_TYPE = "text/x.tlog.size"
KEY_FILE = "witness.key"
_MAX_CHAINS = 16


class Status(IntEnum):
    """The HTTP statuses of the protocol."""

    OK = 200
    BAD_REQUEST = 400
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says to one request."""

    status: Status
    body: str
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size that was cosigned last, the proof from it, the new checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint

    def encode(self) -> bytes:
        lines = [f"old {self.old_size}", *encode_hashes(self.proof), "", ""]
        return "\n".join(lines).encode() + self.checkpoint.note()


def parse_request(data: bytes) -> AddCheckpoint:
    """An add-checkpoint request. Raises EvidenceError for anything else."""
    if len(data) > MAX_REQUEST_BYTES:
        raise EvidenceError(f"request of {len(data)} bytes, at most {MAX_REQUEST_BYTES}")
    head, blank, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as fault:
        raise EvidenceError("request is not ASCII before the checkpoint") from fault
    if not blank or not lines[0].startswith("old "):
        raise EvidenceError("request does not begin with 'old SIZE', hashes and an empty line")
    return AddCheckpoint(
        read_size(lines[0].removeprefix("old ")), decode_hashes(lines[1:]),
        parse_checkpoint_unverified(note),
    )  # fmt: skip


class Witness:
    """The latest checkpoint of each camera, and the key that signs for having seen it.

        STORE/witness.key                             Ed25519, mode 0600
        STORE/cameras/<hash of origin>/origin         the camera
        STORE/cameras/<hash of origin>/<hash>.pem     its certificates
        STORE/cameras/<hash of origin>/latest         its latest checkpoint, cosigned

    Safe to call from any thread; one process at a time owns the store.
    """

    def __init__(self, store: Path, name: str, policy: TrustPolicy, clock: Clock) -> None:
        self._store, self._policy, self._clock = store, policy, clock
        # One for all cameras: to check the old size and to replace it must be one step.
        self._lock = threading.Lock()
        try:
            (store / "cameras").mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock_fd = os.open(store / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as fault:
            raise storage_error(fault, store) from fault
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            self.close()
            raise AlreadyRunning(f"{store}: another witness is running on this store") from fault
        self._key = _load_key(store / KEY_FILE)
        public = self._key.public_key().public_bytes_raw()
        self.key = WitnessKey(name, public)

    def close(self) -> None:
        """Give the store back. Idempotent."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    # -- cameras ------------------------------------------------------------------------------

    def add_camera(self, origin: str, pem: bytes) -> Answer:
        """Register a camera whose certificate the force root vouches for."""
        if not is_key_name(origin):
            return Answer(Status.BAD_REQUEST, "origin is no name of a log\n")
        try:
            chain = read_chain(pem)
        except EvidenceError as fault:
            return Answer(Status.BAD_REQUEST, f"{fault.message}\n")
        verdict = judge_chain(chain, self._policy, self._now())
        if verdict.trust is not Trust.TRUSTED:
            return Answer(Status.FORBIDDEN, f"camera is not trusted: {verdict.detail}\n")
        if verdict.device != origin.rpartition("/")[2]:
            return Answer(Status.FORBIDDEN, f"certificate is of {verdict.device}\n")
        with self._lock:
            other = self._origin_of(fingerprint(chain[0]))
            if other not in ("", origin):
                # One key under two names could keep two logs.
                return Answer(Status.FORBIDDEN, f"this camera keeps its log as {other}\n")
            return self._register(origin, chain)

    def _register(self, origin: str, chain: Chain) -> Answer:
        folder = self._folder(origin)
        path = folder / f"{fingerprint(chain[0])[:16]}.pem"
        if path.exists():
            return Answer(Status.OK, "known\n")
        if folder.is_dir() and len(list(folder.glob("*.pem"))) >= _MAX_CHAINS:
            return Answer(Status.FORBIDDEN, f"camera has {_MAX_CHAINS} certificates already\n")
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o750)
                sync_directory(folder.parent)
            write_atomically(folder / "origin", origin.encode())
            pems = [
                x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
                for der in chain
            ]
            write_atomically(path, b"".join(pems))
        except OSError as fault:
            raise storage_error(fault, path) from fault
        return Answer(Status.OK, "registered\n")

    def _origin_of(self, x5t: str) -> str:
        for path in (self._store / "cameras").glob(f"*/{x5t[:16]}.pem"):
            return path.with_name("origin").read_text(encoding="utf-8")
        return ""

    def _folder(self, origin: str) -> Path:
        return self._store / "cameras" / hashlib.sha256(origin.encode()).hexdigest()[:32]

    def _now(self) -> SigningTime:
        sample = self._clock.sample()
        return SigningTime(sample.utc_ns, sample.utc_ns)

    # -- checkpoints --------------------------------------------------------------------------

    def add_checkpoint(self, data: bytes) -> Answer:
        """Cosign a checkpoint that continues the latest one; the rules are the module's table.

        Raises StorageError if it cannot be made durable: nothing was cosigned then.
        """
        try:
            request = parse_request(data)
        except EvidenceError as fault:
            return Answer(Status.BAD_REQUEST, f"{fault.message}\n")
        note = request.checkpoint
        if not self._folder(note.origin).is_dir():
            return Answer(Status.NOT_FOUND, f"no camera {note.origin} is registered\n")
        refused = self._check_signature(note)
        if refused:
            return Answer(Status.FORBIDDEN, f"{refused}\n")
        if request.old_size > note.size:
            return Answer(Status.BAD_REQUEST, "old size is above the checkpoint's\n")
        with self._lock:
            return self._advance(request)

    def _check_signature(self, note: Checkpoint) -> str:
        keys = LogKeys(
            read_chain(path.read_bytes()) for path in self._folder(note.origin).glob("*.pem")
        )
        try:
            judged = keys.judge(note, self._policy, self._now())
        except EvidenceError as fault:
            return fault.message
        if judged is None:
            return "no known key of this camera signed the checkpoint"
        return "" if judged[0].trust is Trust.TRUSTED else f"not trusted: {judged[0].detail}"

    def _advance(self, request: AddCheckpoint) -> Answer:
        note, path = request.checkpoint, self._folder(request.checkpoint.origin) / "latest"
        size, root = 0, EMPTY_ROOT
        if path.exists():
            latest = parse_checkpoint_unverified(path.read_bytes())
            size, root = latest.size, latest.root
        if request.old_size != size:
            return Answer(Status.CONFLICT, f"{size}\n", SIZE_TYPE)
        if note.size == size and note.root != root:
            return Answer(Status.CONFLICT, f"{size}\n", SIZE_TYPE)
        try:
            check_consistency(size, root, note.size, note.root, request.proof)
        except EvidenceError as fault:
            return Answer(Status.UNPROCESSABLE, f"{fault.message}\n")
        at_s = self._clock.sample().utc_ns // NS
        line = cosign(self._key, self.key, note.body, at_s)
        cosigned = Checkpoint(note.origin, note.size, note.root, note.body, (*note.by_log(), line))
        try:
            write_atomically(path, cosigned.note())
        except OSError as fault:
            raise storage_error(fault, path) from fault
        return Answer(Status.OK, line.line())


def _load_key(path: Path) -> ed25519.Ed25519PrivateKey:
    try:
        if not path.exists():
            key = ed25519.Ed25519PrivateKey.generate()
            _create_key(path, key)
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as fault:
        raise storage_error(fault, path) from fault
    except (ValueError, TypeError) as fault:
        raise CannotOpen(f"{path}: not an unencrypted private key in PEM: {fault}") from fault
    if not isinstance(loaded, ed25519.Ed25519PrivateKey):
        raise CannotOpen(f"{path}: not an Ed25519 key")
    return loaded


def _create_key(path: Path, key: ed25519.Ed25519PrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Whole or not at all: half a key file would keep the witness from ever starting again.
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_directory(path.parent)

"""The event log: append, recover, checkpoint.

One JSON line an event, each chained to the line before; the lines are the leaves of a Merkle tree
whose head every fragment record carries. The file's blocks are reserved ahead, so that the log can
still be written when the disk is full.

What a power cut leaves: every line that `append(sync=True)` returned for, and a prefix of those
after it. A torn last line is copied to `events.torn-<seq>`, cut off, and said so in the next line.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from .clock import Clock, Instant, utc_text
from .errors import EvidenceError, StorageError
from .formats import tlog
from .formats.logline import GENESIS, LOG_VERSION, decode_line, encode_line
from .signing import Signer, fingerprint
from .store import reserve, storage_error, sync_directory, write_atomically

LOG_FILE = "events.jsonl"
CHECKPOINT_FILE = "checkpoint"
_RESERVE_BYTES = 1024 * 1024
_MAX_PENDING_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A segment that the log says was opened and never closed."""

    recording: str
    segment: int
    file: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the log knew when it was opened again."""

    lines: int
    torn_bytes: int
    unclean: bool
    last_boot: str
    last_boot_ns: int
    open_segments: tuple[OpenSegment, ...]
    damaged_lines: int


class EventLog:
    """The append-only log of one camera. Safe to call from any thread."""

    def __init__(self, folder: Path, clock: Clock, origin: str, signer: Signer) -> None:
        self._folder = folder
        self._path = folder / LOG_FILE
        self._clock = clock
        self._origin = origin
        self._signer = signer
        self._tree = tlog.Tree()
        self._prev = GENESIS
        self._lock = threading.Lock()
        self._fd = -1
        self._offset = 0
        self._reserved = 0
        self._pending = bytearray()
        self._unsynced = False
        self._durable = (0, tlog.EMPTY_ROOT.hex())
        self._sample: Instant | None = None
        self.fault: str | None = None
        self.last_sync_ns = 0

    def open(self) -> Recovered:
        """Read what is there, set a torn tail aside, and make ready to append.

        Raises StorageError if the file cannot be opened or read.
        """
        try:
            existed = self._path.exists()
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            if not existed:
                sync_directory(self._folder)
            recovered, good_bytes = self._replay()
            if recovered.torn_bytes:
                self._set_aside(good_bytes, recovered.lines)
        except OSError as fault:
            raise storage_error(fault, self._path) from fault
        self._offset = good_bytes
        self._durable = (self._tree.size, self._tree.root().hex())
        return recovered

    def _replay(self) -> tuple[Recovered, int]:
        replay = _Replay()
        good_bytes = torn_bytes = 0
        with os.fdopen(os.dup(self._fd), "rb") as lines:
            for raw in lines:
                if not raw.endswith(b"\n"):
                    torn_bytes = len(raw)
                    break
                line = raw[:-1]
                self._tree.append(line)
                self._prev = hashlib.sha256(line).hexdigest()
                good_bytes += len(raw)
                replay.line(line)
        return replay.result(self._tree.size, torn_bytes), good_bytes

    def _set_aside(self, good_bytes: int, seq: int) -> None:
        # Idempotent: a power cut between the copy and the cut leads to the same two files.
        torn = os.pread(self._fd, os.fstat(self._fd).st_size - good_bytes, good_bytes)
        write_atomically(self._folder / f"events.torn-{seq}", torn)
        os.ftruncate(self._fd, good_bytes)
        os.fsync(self._fd)

    def append(self, ev: str, at_ns: int | None = None, *, sync: bool = False, **data: Any) -> int:
        """Append one event that happened at `at_ns` (now if None); its sequence number.

        With `sync` it is durable on return unless `fault` says otherwise: then the line is kept
        in memory, in its place in the chain, and written with the next one.
        """
        with self._lock:
            now_ns = self._clock.boot_ns()
            sample = self._sample or self._resample()
            seq = self._tree.size
            boot_ns = now_ns if at_ns is None else at_ns
            line = encode_line({
                "v": LOG_VERSION, "seq": seq, "boot": self._clock.boot_id, "boot_ns": boot_ns,
                "logged_ns": now_ns, "utc": utc_text(sample.utc_at(boot_ns)),
                "clk": sample.source.value, "unc_ms": sample.unc_ms, "ev": ev, "data": data,
                "prev": self._prev,
            })  # fmt: skip
            self._tree.append(line)
            self._prev = hashlib.sha256(line).hexdigest()
            self._pending += line + b"\n"
            self._flush()
        if sync:
            self.sync()
        return seq

    def _resample(self) -> Instant:
        sample = self._clock.sample()
        self._sample = sample
        return sample

    def sample_clock(self) -> tuple[Instant | None, Instant]:
        """Read the clocks anew; the sample before, and this one."""
        with self._lock:
            before = self._sample
            return before, self._resample()

    def sync(self) -> None:
        """Make every line appended so far durable; `fault` says if it is not."""
        # Outside the lock: while the card stalls, other threads still append.
        with self._lock:
            head = (self._tree.size, self._tree.root().hex())
            written = not self._pending
            self._unsynced = False
        try:
            os.fdatasync(self._fd)
        except OSError as fault:
            self.fault = str(storage_error(fault, self._path))
            return
        if written and head[0] > self._durable[0]:
            self._durable = head
        self.last_sync_ns = self._clock.boot_ns()

    def sync_pending(self) -> None:
        """Make durable what threads that must not wait have appended."""
        if self._unsynced:
            self.sync()

    def _flush(self) -> None:
        end = self._offset + len(self._pending)
        if end > self._reserved and reserve(self._fd, self._offset, _RESERVE_BYTES):
            self._reserved = self._offset + _RESERVE_BYTES
        try:
            written, view = 0, bytes(self._pending)
            while written < len(view):
                written += os.pwrite(self._fd, view[written:], self._offset + written)
            self._offset = end
            self._pending.clear()
            self._unsynced = True
            self.fault = None
        except OSError as fault:
            self.fault = str(storage_error(fault, self._path))
            if len(self._pending) > _MAX_PENDING_BYTES:
                raise StorageError(f"{self._path}: cannot be written: {fault.strerror}") from fault

    def head(self) -> tuple[int, str]:
        """Number of durable lines and their Merkle root, as every fragment record carries them.

        Only what a power cut leaves may be named in a signed record: the next boot would use the
        numbers of lost lines again, and honest evidence would contradict its log.
        """
        return self._durable

    def checkpoint(self) -> None:
        """Sign the log as it is now and replace the checkpoint file. Nothing without a key."""
        key = self._signer.public_key
        if key is None:
            return
        with self._lock:
            self._flush()
            body = tlog.checkpoint_body(self._origin, self._tree.size, self._tree.root())
        spki = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.sync()
        key_id = bytes.fromhex(fingerprint(spki))[:4]
        note = tlog.checkpoint_note(body, self._origin, key_id, self._signer.sign(body))
        try:
            write_atomically(self._folder / CHECKPOINT_FILE, note)
        except OSError as fault:
            self.fault = str(storage_error(fault, self._folder / CHECKPOINT_FILE))

    def close(self) -> None:
        """Give back the reserved blocks and close. Idempotent."""
        with self._lock:
            if self._fd >= 0:
                if not self._pending:
                    os.ftruncate(self._fd, self._offset)
                os.close(self._fd)
                self._fd = -1


class _Replay:
    """Collects what the recorder must know from an existing log."""

    def __init__(self) -> None:
        self._open: dict[str, OpenSegment] = {}
        self._clean = True
        self._last = b""
        self._damaged = 0

    def line(self, line: bytes) -> None:
        self._last = line
        # Parsing every heartbeat of a long log would delay READY: only what is asked for.
        if not any(mark in line for mark in _MARKS):
            return
        try:
            fields = decode_line(line)
        except EvidenceError:
            # The verifier names it; the camera goes on and records.
            self._damaged += 1
            return
        self._take(fields["ev"], fields["data"])

    def _take(self, ev: str, data: dict[str, Any]) -> None:
        match ev:
            case "boot":
                self._clean = False
            case "shutdown":
                self._clean = True
            case "seg.open":
                self._open[data["file"]] = OpenSegment(data["rec"], data["seg"], data["file"])
            case "seg.close" | "recovery":
                self._open.pop(data["file"], None)

    def result(self, lines: int, torn_bytes: int) -> Recovered:
        boot, boot_ns = "", 0
        if self._last:
            try:
                fields = decode_line(self._last)
                boot, boot_ns = fields["boot"], fields["boot_ns"]
            except EvidenceError:
                self._damaged += 1
        return Recovered(
            lines, torn_bytes, lines > 0 and not self._clean, boot, boot_ns,
            tuple(self._open.values()), self._damaged,
        )  # fmt: skip


_MARKS = (b'"ev":"boot"', b'"ev":"shutdown"', b'"ev":"seg.', b'"ev":"recovery"')

"""The event log: append, recover, checkpoint.

One JSON line an event, each chained to the line before; the lines are the leaves of a Merkle tree
whose head every fragment record carries. The file's blocks are reserved ahead, so that the log can
still be written when the disk is full.

What a power cut leaves: every line that `append(sync=True)` returned for, and a prefix of those
after it. A torn last line is copied to `events.torn-<seq>`, cut off, and said so in the next line.
Only lines that are durable are ever signed for, in a checkpoint or in a fragment's `log`: a log
that is shorter than a signed statement was cut by somebody.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from .checkpointfile import PATIENCE_S, CheckpointFile
from .clock import Clock, Instant, utc_text
from .errors import StorageError
from .formats.logline import LOG_VERSION, encode_line
from .formats.tlog import EMPTY_ROOT
from .logreplay import (
    MAX_RESUME_BYTES,
    RESUME_FILE,
    LogHead,
    LogKnowledge,
    Recovered,
    TornTail,
    line_before,
    read_log,
)
from .signing import Signer
from .store import reserve, storage_error, sync_directory, write_atomically

LOG_FILE = "events.jsonl"
TORN_FILE = "events.torn-"
_RESERVE_BYTES = 1024 * 1024
_MAX_PENDING_BYTES = 4 * 1024 * 1024


class EventLog:
    """The append-only log of one camera. Safe to call from any thread."""

    def __init__(self, folder: Path, clock: Clock, origin: str, signer: Signer) -> None:
        self._folder = folder
        self._path = folder / LOG_FILE
        self._clock = clock
        self._checkpoint = CheckpointFile(
            folder, clock, origin, signer,
            lambda reason: self.append("sign.error", rec=None, reason=reason, unsigned=0),
            self._note_fault,
        )  # fmt: skip
        self._known = LogKnowledge()
        self._durable = LogHead(0, EMPTY_ROOT)
        # What was written since the last sync that held: written again when one fails.
        self._doubtful = bytearray()
        self._proven = 0
        self._failed_syncs = 0
        self._lock = threading.Lock()
        self._fd = -1
        self._offset = 0
        self._reserved = 0
        self._pending = bytearray()
        self._unsynced = False
        self._sample: Instant | None = None
        self.fault: str | None = None
        self.last_sync_ns = 0
        # Set by whoever wants a checkpoint soon; the health thread serves and clears it.
        self.checkpoint_wanted = threading.Event()

    def open(self) -> Recovered:
        """Read what is there, set a torn tail aside, and make ready to append.

        Raises StorageError if the file cannot be opened or read.
        """
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            # Whoever made it may have died before its name was durable.
            sync_directory(self._folder)
            self._known = read_log(self._fd, self._read_resume())
            if self._known.torn_bytes:
                self._set_aside(self._known.good_bytes, self._known.tree.size)
            recovered = replace(
                self._known.recovered(self._untold()),
                vouched_lines=self._checkpoint.keep_ahead(self._known.head),
            )
            # What a killed recorder wrote may still be in memory only.
            os.fdatasync(self._fd)
        except OSError as fault:
            raise storage_error(fault, self._path) from fault
        self._offset = self._proven = self._known.good_bytes
        self._durable = self._known.head
        self._checkpoint.publish_certificates()
        return recovered

    def _read_resume(self) -> bytes | None:
        path = self._folder / RESUME_FILE
        if not path.exists():
            return None
        with path.open("rb") as file:
            return file.read(MAX_RESUME_BYTES)

    def _set_aside(self, good_bytes: int, seq: int) -> None:
        # Idempotent: a power cut between the copy and the cut leads to the same two files.
        torn = os.pread(self._fd, os.fstat(self._fd).st_size - good_bytes, good_bytes)
        write_atomically(self._folder / f"{TORN_FILE}{seq}", torn)
        os.ftruncate(self._fd, good_bytes)
        os.fsync(self._fd)

    def _untold(self) -> tuple[TornTail, ...]:
        # Tails are told of in their order; the power may have been cut before that, more than once.
        told = self._known.torn_told.removeprefix(TORN_FILE)
        after = int(told) if told.isdecimal() else -1
        tails = {
            int(number): TornTail(path.name, path.stat().st_size)
            for path in self._folder.glob(f"{TORN_FILE}*")
            if (number := path.name.removeprefix(TORN_FILE)).isdecimal()
        }
        return tuple(tails[number] for number in sorted(tails) if number > after)

    def append(self, ev: str, at_ns: int | None = None, *, sync: bool = False, **data: Any) -> int:
        """Append one event that happened at `at_ns` (now if None); its sequence number.

        With `sync` it is durable on return unless `fault` says otherwise: then the line is kept
        in memory, in its place in the chain, and written with the next one.
        """
        with self._lock:
            now_ns = self._clock.boot_ns()
            sample = self._sample or self._resample()
            seq = self._known.tree.size
            boot_ns = now_ns if at_ns is None else at_ns
            line = encode_line({
                "v": LOG_VERSION, "seq": seq, "boot": self._clock.boot_id, "boot_ns": boot_ns,
                "logged_ns": now_ns, "utc": utc_text(sample.utc_at(boot_ns)),
                "clk": sample.source.value, "unc_ms": sample.unc_ms, "ev": ev, "data": data,
                "prev": self._known.prev,
            })  # fmt: skip
            self._known.line(line)
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
        with self._lock:
            self._flush()
            written = None if self._pending else self._known.head
            offset, failed_before = self._offset, self._failed_syncs
            self._unsynced = False
        # Outside the lock: while the card stalls, other threads still append.
        try:
            os.fdatasync(self._fd)
        except OSError as fault:
            with self._lock:
                self._take_back()
                self._note_fault(fault, self._path)
            return
        self.last_sync_ns = self._clock.boot_ns()
        with self._lock:
            if self._failed_syncs != failed_before:
                return  # what failed meanwhile was told to another thread
            if offset > self._proven:
                del self._doubtful[: offset - self._proven]
                self._proven = offset
            if written and written.size > self._durable.size:
                self._durable = written

    def _take_back(self) -> None:
        # Linux forgets what failed: a later sync says nothing of these lines unless they are
        # written anew.
        self._failed_syncs += 1
        self._pending[:0] = self._doubtful
        self._doubtful.clear()
        self._offset = self._proven
        self._unsynced = True

    def sync_pending(self) -> None:
        """Make durable what threads that must not wait have appended."""
        if self._unsynced:
            self.sync()

    def _flush(self) -> None:
        if not self._pending:
            return
        end = self._offset + len(self._pending)
        if end > self._reserved and reserve(self._fd, self._offset, _RESERVE_BYTES):
            self._reserved = self._offset + _RESERVE_BYTES
        try:
            written, view = 0, bytes(self._pending)
            while written < len(view):
                written += os.pwrite(self._fd, view[written:], self._offset + written)
            self._offset = end
            self._doubtful += self._pending
            self._pending.clear()
            self._unsynced = True
            self.fault = None
        except OSError as fault:
            self._note_fault(fault, self._path)
            if len(self._pending) > _MAX_PENDING_BYTES:
                raise StorageError(f"{self._path}: cannot be written: {fault.strerror}") from fault

    @property
    def durable(self) -> LogHead:
        """What a power cut leaves."""
        with self._lock:
            return self._durable

    def hash_of_line_before(self, end: int) -> str:
        """Of the line that ends there with its newline; of nothing if none does."""
        return hashlib.sha256(line_before(self._fd, end)).hexdigest()

    def head(self) -> tuple[int, str]:
        """Number of durable lines and their Merkle root, as every fragment record carries them.

        Only what a power cut leaves may be named in a signed record: the next boot would use the
        numbers of lost lines again, and honest evidence would contradict its log.
        """
        with self._lock:
            return self._durable.size, self._durable.root.hex()

    def request_checkpoint(self) -> None:
        """Ask for a checkpoint soon, without waiting for it."""
        self.checkpoint_wanted.set()

    @property
    def checkpoint_owed(self) -> bool:
        """True while the signature of one is on its way: call `checkpoint` again soon."""
        return self._checkpoint.owed

    def checkpoint(self, wait_s: float = PATIENCE_S) -> None:
        """Sign the log as it is now and replace the checkpoint file. Nothing without a key.

        A key that is slow is waited for this long, on the log's clock; the next call takes it then.
        """
        self._checkpoint.sign(self._synced, wait_s)

    def _synced(self) -> LogHead:
        with self._lock:
            self._flush()
        self.sync()
        return self.durable

    def save_resume(self) -> None:
        """Note what is known, for a quick next start; not evidence, nothing rests on it."""
        with self._lock:
            if self._pending or self._known.head != self._durable:
                return
            note = self._known.resume_note()
        if len(note) <= MAX_RESUME_BYTES:
            try:
                write_atomically(self._folder / RESUME_FILE, note)
            except OSError as fault:
                self._note_fault(fault, self._folder / RESUME_FILE)

    def _note_fault(self, fault: OSError, path: Path) -> None:
        self.fault = str(storage_error(fault, path))

    def close(self) -> None:
        """Give back the reserved blocks and close. Idempotent."""
        if self._fd >= 0:
            self.save_resume()
        with self._lock:
            if self._fd >= 0:
                if not self._pending:
                    os.ftruncate(self._fd, self._offset)
                os.close(self._fd)
                self._fd = -1

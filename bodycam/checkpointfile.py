"""The checkpoint beside a log: the device's signature over so many lines, and who can check it.

| file                 | what it is                                                                 |
|----------------------|----------------------------------------------------------------------------|
| `checkpoint`         | the newest; replaced as a whole                                            |
| `checkpoint.ahead-N` | one that vouches for N lines which are not there: kept as the proof of it  |
| `certificates/*.pem` | the chains of the keys that signed, named by the leaf, and never replaced  |
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .clock import Clock
from .errors import DeviceError, EvidenceError
from .formats import checkpoint
from .logreplay import LogHead
from .signing import Promise, Signer, fingerprint
from .store import make_folder, write_atomically

CHECKPOINT_FILE = "checkpoint"
CERTIFICATES = "certificates"
AHEAD = "checkpoint.ahead-"
PATIENCE_S = 0.25


class CheckpointFile:
    """What vouches for one log. Safe to call from any thread.

    `refused` hears once why a key does not sign; `failed` of each file that could not be written.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        origin: str,
        signer: Signer,
        refused: Callable[[str], object],
        failed: Callable[[OSError, Path], None],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._origin = origin
        self._signer = signer
        self._refused, self._failed = refused, failed
        # Held while a checkpoint is made: an older one must not replace a newer one.
        self._signing = threading.Lock()
        self._asked: tuple[bytes, Promise] | None = None
        self._refusal: str | None = None

    def keep_ahead(self, now: LogHead) -> int | None:
        """How many lines the checkpoint vouches for, if they are not there; it is then kept.

        The next checkpoint takes its place, and would take the proof with it.
        """
        path = self._folder / CHECKPOINT_FILE
        if not path.exists():
            return None
        with path.open("rb") as file:
            raw = file.read(checkpoint.MAX_CHECKPOINT_BYTES)
        try:
            note = checkpoint.parse_checkpoint_unverified(raw)
        except EvidenceError:
            return None  # the verifier names it, if the recorder does not replace it before
        if note.size < now.size or LogHead(note.size, note.root) == now:
            return None
        write_atomically(self._folder / f"{AHEAD}{note.size}", raw)
        return note.size

    @property
    def owed(self) -> bool:
        """True while a signature is on its way: call `sign` again soon."""
        return self._asked is not None

    def sign(self, durable: Callable[[], LogHead], wait_s: float) -> None:
        """Have the lines signed that `durable` answers, and replace the file. Nothing without a key.

        A key that is slow is waited for this long, on the log's clock; the next call takes it then.
        """
        key = self._signer.public_key
        if key is None:
            return
        spki = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with self._signing:
            body, promise = self._asked or self._ask(durable())
            self._asked = None
            try:
                signed = promise.wait(self._clock.real_s(wait_s))
            except DeviceError as fault:
                self._note_refusal(str(fault))
                return
            if signed is None:
                self._asked = (body, promise)
                return
            self._note_refusal(None)
            signature = checkpoint.NoteSignature(
                self._origin, checkpoint.device_key_id(spki), signed
            )
            self._replace(CHECKPOINT_FILE, body + b"\n" + signature.line().encode())

    def _ask(self, head: LogHead) -> tuple[bytes, Promise]:
        body = checkpoint.checkpoint_body(self._origin, head.size, head.root)
        return body, self._signer.ask(body)

    def _note_refusal(self, reason: str | None) -> None:
        if reason is not None and reason != self._refusal:
            self._refused(reason)
        self._refusal = reason

    def publish_certificates(self) -> None:
        """Lay the chain beside the log, so that checkpoints can be checked without any recording."""
        chain = self._signer.certificates
        if not chain:
            return
        folder = self._folder / CERTIFICATES
        try:
            make_folder(folder)
        except OSError as fault:
            self._failed(fault, folder)
            return
        # Named by what it holds and never replaced: an older key's checkpoints stay checkable.
        name = f"{CERTIFICATES}/{fingerprint(chain[0])[:16]}.pem"
        if not (self._folder / name).exists():
            pem = [
                x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
                for der in chain
            ]
            self._replace(name, b"".join(pem))

    def _replace(self, name: str, data: bytes) -> None:
        try:
            write_atomically(self._folder / name, data)
        except OSError as fault:
            self._failed(fault, self._folder / name)

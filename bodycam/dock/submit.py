"""Brings a camera's log before a witness, and keeps what it answers beside the log."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ..certificates import SigningTime, Trust, TrustPolicy
from ..custody.logfacts import Vouched
from ..custody.logkeys import LogKeys
from ..custody.logproofs import LogFolder, seen_by
from ..custody.logroots import WITNESSED_FILE
from ..errors import BodycamError, EvidenceError
from ..formats.checkpoint import (
    Checkpoint,
    WitnessKey,
    read_signatures,
    read_size,
    read_witness_key,
)
from ..formats.tlog import consistency_proof
from ..store import storage_error, write_atomically
from .witness import AddCheckpoint, Status

_MAX_ANSWER_BYTES = 64 * 1024
_TIMEOUT_S = 30.0
# Another dock may bring the same log at the same time.
_TRIES = 5


class WitnessUnreachable(BodycamError):
    """The witness did not answer; the log is as it was."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    text: str


def submit(log: LogFolder, url: str, policy: TrustPolicy, witness: WitnessKey | None) -> Vouched:
    """Have the log's checkpoint cosigned; `log/checkpoint.witnessed` then holds both.

    Raises EvidenceError if the camera is not trusted, or the witness holds another history.
    """
    note = log.checkpoint()
    log.check_root(note, "its checkpoint")
    judged = LogKeys(log.chains()).judge(note, policy, SigningTime())
    if judged is None or judged[0].trust is not Trust.TRUSTED:
        why = judged[0].detail if judged else "its certificate is not beside the log"
        raise EvidenceError(f"{log.folder}: the checkpoint's signer is not trusted: {why}")
    known = witness or read_witness_key(_call(url, "key", None).text)
    reply = _submit(log, url, note)
    cosigned = Checkpoint(
        note.origin, note.size, note.root, note.body, (*note.by_log(), *read_signatures(reply))
    )
    (vouched,) = seen_by(cosigned, (known,))
    try:
        write_atomically(log.folder / WITNESSED_FILE, cosigned.note())
    except OSError as fault:
        raise storage_error(fault, log.folder / WITNESSED_FILE) from fault
    return vouched


def _submit(log: LogFolder, url: str, note: Checkpoint) -> str:
    old_size = 0
    if (log.folder / WITNESSED_FILE).exists():
        old_size = log.checkpoint(WITNESSED_FILE).size
    registered = False
    for _ in range(_TRIES):
        proof = consistency_proof(log.leaves[: note.size], min(old_size, note.size))
        request = AddCheckpoint(min(old_size, note.size), tuple(proof), note)
        reply = _call(url, "add-checkpoint", request.encode())
        if reply.status == Status.OK:
            return reply.text
        if reply.status in (Status.NOT_FOUND, Status.FORBIDDEN) and not registered:
            registered = True
            _register(log, url, note)
        elif reply.status == Status.CONFLICT:
            old_size = _other_size(reply, note, old_size)
        else:
            raise EvidenceError(f"{url}: refused with {reply.status}: {reply.text.strip()[:200]}")
    raise WitnessUnreachable(f"{url}: its size changed {_TRIES} times", "Try again")


def _other_size(reply: _Reply, note: Checkpoint, old_size: int) -> int:
    size = read_size(reply.text.strip())
    if size > note.size:
        raise EvidenceError(
            f"the log was rolled back: the witness saw {size} lines of {note.origin}, "
            f"its checkpoint has {note.size}",
            "Keep the card as it is; somebody put an old image back",
        )
    if size == old_size:
        raise EvidenceError(f"two histories: the witness holds other {size} lines of {note.origin}")
    return size


def _register(log: LogFolder, url: str, note: Checkpoint) -> None:
    pems = [
        x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
        for der in log.chain_of(note)
    ]
    body = note.origin.encode() + b"\n" + b"".join(pems)
    reply = _call(url, "add-camera", body)
    if reply.status != Status.OK:
        raise EvidenceError(f"{url}: refused the camera: {reply.text.strip()[:200]}")


def _call(url: str, name: str, body: bytes | None) -> _Reply:
    if not url.startswith(("http://", "https://")):
        raise WitnessUnreachable(f"{url}: not an http or https address", "Give --url http://…")
    request = urllib.request.Request(f"{url.rstrip('/')}/{name}", data=body)  # noqa: S310  checked above
    if body is not None:
        request.add_header("Content-Type", "text/plain; charset=utf-8")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            return _reply(reply.status, reply)
    except urllib.error.HTTPError as fault:
        with fault:
            return _reply(fault.code, fault)
    except (OSError, http.client.HTTPException) as fault:
        raise WitnessUnreachable(
            f"{url}: {fault}", "Check the address, and that it runs"
        ) from fault


def _reply(status: int, answer: http.client.HTTPResponse | urllib.error.HTTPError) -> _Reply:
    data = answer.read(_MAX_ANSWER_BYTES)
    length = answer.headers.get("Content-Length", "")
    # A read with a limit takes a connection that broke for the end of the answer.
    if length.isdecimal() and len(data) < min(int(length), _MAX_ANSWER_BYTES):
        raise http.client.IncompleteRead(data, int(length) - len(data))
    return _Reply(status, data.decode("utf-8", "replace"))

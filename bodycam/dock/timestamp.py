"""Has a log's checkpoint stamped by a TSA (RFC 3161), over HTTP or by files.

log/timestamps/<lines>-<hash>.note   the checkpoint, byte for byte
log/timestamps/<lines>-<hash>.tsr    the TSA's response over it
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from ..boundedfile import read_bounded
from ..custody.logproofs import LogFolder
from ..custody.logroots import MAX_TOKEN_BYTES, TIMESTAMPS
from ..custody.stamps import imprint, make_query, read_stamp
from ..errors import BodycamError, EvidenceError
from ..store import storage_error, write_atomically

_TIMEOUT_S = 30.0
_CONTENT_TYPE = "application/timestamp-query"


class TsaUnreachable(BodycamError):
    """The TSA did not answer; nothing was stamped."""


def begin(log: LogFolder) -> tuple[Path, bytes]:
    """Set the latest checkpoint aside, and make the request for it. The note's path, and DER.

    Raises EvidenceError if the log is not what the checkpoint says.
    """
    note = log.latest()
    log.check_root(note, "its checkpoint")
    data = note.note()
    name = f"{note.size}-{hashlib.sha256(data).hexdigest()[:8]}.note"
    path = log.folder / TIMESTAMPS / name
    try:
        path.parent.mkdir(mode=0o750, exist_ok=True)
        write_atomically(path, data)
    except OSError as fault:
        raise storage_error(fault, path) from fault
    return path, make_query(data).as_bytes()


def finish(log: LogFolder, response: bytes) -> Path:
    """Keep a TSA's response beside the checkpoint that it is of.

    Raises EvidenceError if it is a refusal, or of none of the checkpoints set aside.
    """
    stamped = imprint(read_stamp(response))
    for note in sorted((log.folder / TIMESTAMPS).glob("*.note")):
        if hashlib.sha256(note.read_bytes()).digest() == stamped:
            path = note.with_suffix(".tsr")
            try:
                write_atomically(path, response)
            except OSError as fault:
                raise storage_error(fault, path) from fault
            return path
    raise EvidenceError(
        f"{log.folder / TIMESTAMPS}: the response is of none of these checkpoints",
        "Make the request with: bodycam log timestamp --query FILE",
    )


def ask(url: str, query: bytes) -> bytes:
    """Send the request to a TSA over HTTP; its response."""
    if not url.startswith(("http://", "https://")):
        raise TsaUnreachable(f"{url}: not an http or https address", "Give --tsa http://…")
    request = urllib.request.Request(url, data=query)  # noqa: S310  checked above
    request.add_header("Content-Type", _CONTENT_TYPE)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            data: bytes = reply.read(MAX_TOKEN_BYTES + 1)
            return data
    except (OSError, http.client.HTTPException) as fault:
        raise TsaUnreachable(f"{url}: {fault}", "Check the address, or use --query") from fault


def read_response(path: Path) -> bytes:
    """A TSA's response from a file."""
    return read_bounded(path, MAX_TOKEN_BYTES, "Give the TSA's response")

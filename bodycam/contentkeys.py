"""Content keys, wrapped ahead: pressing the switch waits for no public-key arithmetic.

A wrapped key is bound to its segment, so the id of the next recording is chosen ahead, too. Each
key is handed out once. Only the first segment of a recording is prepared: what a roll costs, the
ring hides.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from .config import Recipients
from .errors import ConfigError
from .formats import cenc
from .formats.hpkewrap import PqPublicKey, hpke_wrap, load_pq_public
from .formats.keywrap import wrap
from .signing import RECIPIENTS, load_recipient

PQ_RECIPIENTS = "recipients-pq"
_Key = TypeVar("_Key")
_MAX_PROMISED = 4


@dataclass(frozen=True, slots=True, repr=False)
class ContentKey:
    """The key of one segment, and what each kind of recipient opens it with."""

    recording: str
    segment: int
    key: bytes
    kid: bytes
    jwe: bytes
    hpke: bytes


class ContentKeys:
    """Makes content keys and wraps them to the recipients. Safe to call from any thread."""

    def __init__(
        self,
        recipients: Sequence[ec.EllipticCurvePublicKey],
        post_quantum: Sequence[PqPublicKey] = (),
    ) -> None:
        self._recipients = tuple(recipients)
        self._post_quantum = tuple(post_quantum)
        self._lock = threading.Lock()
        self._ready: ContentKey | None = None
        self._promised: dict[str, ContentKey] = {}

    def prepare(self) -> None:
        """Make the first key of the next recording, unless it is there. For an idle moment."""
        if self._ready is None and (self._recipients or self._post_quantum):
            self._ready = self._make(str(uuid.uuid4()), 0)

    def new_recording(self) -> str:
        """The id of a new recording: the one whose first key is ready, if there is one."""
        with self._lock:
            ready, self._ready = self._ready, None
            if ready is None:
                return str(uuid.uuid4())
            self._promised[ready.recording] = ready
            # A recording that was refused never asks for its key.
            while len(self._promised) > _MAX_PROMISED:
                del self._promised[next(iter(self._promised))]
            return ready.recording

    def take(self, recording: str, segment: int) -> ContentKey:
        """The key of a segment, once: a second call makes another one.

        Raises ValueError without recipients: what nobody can open must not be written.
        """
        with self._lock:
            promised = self._promised.pop(recording, None) if segment == 0 else None
        return promised or self._make(recording, segment)

    def _make(self, recording: str, segment: int) -> ContentKey:
        if not self._recipients and not self._post_quantum:
            raise ValueError("no recipients to wrap the content key to")
        key, kid, name = os.urandom(cenc.KEY_BYTES), os.urandom(16), f"{recording}/{segment}"
        return ContentKey(
            recording, segment, key, kid,
            wrap(self._recipients, key, kid, name) if self._recipients else b"",
            hpke_wrap(self._post_quantum, key, kid, name) if self._post_quantum else b"",
        )  # fmt: skip


def load_pq_recipients(identity: Path) -> list[PqPublicKey]:
    """The post-quantum recipients' public keys, in order of their file names.

    Raises ConfigError for a file that is none.
    """
    return [load_pq_recipient(path) for path in sorted((identity / PQ_RECIPIENTS).glob("*.pem"))]


def load_pq_recipient(path: Path) -> PqPublicKey:
    """One post-quantum recipient's public key. Raises ConfigError if the file is none."""
    try:
        return load_pq_public(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{path}: not a post-quantum recipient's key: {fault}") from fault


@dataclass(frozen=True, slots=True)
class FoundRecipients:
    """Who can open what is recorded: the makers of content keys, and what is wrong with the rest.

    `missing` are folders in which a wanted kind of recipient has nobody: nothing may be recorded.
    `bad` says of single files why nobody can be encrypted to with them; the others still can.
    """

    keys: ContentKeys
    missing: tuple[Path, ...]
    bad: tuple[ConfigError, ...]


def find_recipients(identity: Path, wanted: Recipients) -> FoundRecipients:
    """Every recipient that can be had, for a recorder that has to go on with those. Never raises."""
    missing: list[Path] = []
    bad: list[ConfigError] = []

    def found(folder: str, load: Callable[[Path], _Key], *, is_wanted: bool) -> list[_Key]:
        keys = []
        for path in sorted((identity / folder).glob("*.pem")) if is_wanted else []:
            try:
                keys.append(load(path))
            except ConfigError as fault:
                bad.append(fault)
        if is_wanted and not keys:
            missing.append(identity / folder)
        return keys

    keys = ContentKeys(
        found(RECIPIENTS, load_recipient, is_wanted=wanted.classic),
        found(PQ_RECIPIENTS, load_pq_recipient, is_wanted=wanted.post_quantum),
    )
    return FoundRecipients(keys, tuple(missing), tuple(bad))

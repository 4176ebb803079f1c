"""The register of issued certificates: which camera holds which, until when, revoked or not.

One JSON file, replaced as a whole. It is written before a certificate leaves the authority: what
was ever issued can be revoked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

import msgspec

from ..boundedfile import read_bounded
from ..clock import utc_from_text
from ..errors import CannotOpen, StorageError
from ..store import write_atomically

REGISTER = "register.json"
MAX_REGISTER_BYTES = 256 * 1024 * 1024
_Utc = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.]{8,12}Z$")]
_Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One issued certificate."""

    serial: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,40}$")]
    device: str
    issued: _Utc
    not_before: _Utc
    not_after: _Utc
    sha256: _Hash
    key: _Hash
    revoked_from: _Utc | None = None
    revoked_at: _Utc | None = None
    reason: str = ""

    def standing(self, now_utc_ns: int) -> str:
        """What it is worth now: `valid`, `expired` or `revoked`."""
        if self.revoked_from is not None:
            return "revoked"
        return "expired" if utc_from_text(self.not_after) < now_utc_ns else "valid"


class Register(msgspec.Struct, frozen=True):
    """Everything an authority has issued, in order."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
    crl_number: Annotated[int, msgspec.Meta(ge=0)] = 0
    certificates: tuple[Entry, ...] = ()

    def of(self, name: str) -> tuple[Entry, ...]:
        """The certificate of that serial number, or all of that device."""
        return tuple(e for e in self.certificates if name in (e.serial, e.device))

    def with_entry(self, entry: Entry) -> Self:
        return msgspec.structs.replace(self, certificates=(*self.certificates, entry))

    def with_changed(self, changed: dict[str, Entry]) -> Self:
        """The same with other entries for the serial numbers given."""
        entries = tuple(changed.get(e.serial, e) for e in self.certificates)
        return msgspec.structs.replace(self, certificates=entries)


def read_register(folder: Path) -> Register:
    """The register of an authority. Raises CannotOpen if it is missing or damaged."""
    path = folder / REGISTER
    data = read_bounded(
        path, MAX_REGISTER_BYTES, "Name an authority's folder, or make one: authority init"
    )
    if len(data) > MAX_REGISTER_BYTES:
        raise CannotOpen(f"{path}: bigger than {MAX_REGISTER_BYTES} bytes")
    try:
        return msgspec.json.decode(data, type=Register)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise CannotOpen(f"{path}: damaged: {fault}", "Put back a copy of it") from fault


def write_register(folder: Path, register: Register) -> None:
    """Replace the register. It is on the medium when this returns."""
    data = msgspec.json.format(msgspec.json.encode(register), indent=1) + b"\n"
    try:
        write_atomically(folder / REGISTER, data)
    except OSError as fault:
        raise StorageError(
            f"{folder / REGISTER}: {fault.strerror}",
            "Check disk and permissions; nothing was issued",
        ) from fault


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other commands from changing the authority meanwhile."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise CannotOpen(f"{folder}: {fault.strerror}", "Name an authority's folder") from fault
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as fault:
        raise StorageError(f"{folder}: another command is changing it", "Try again") from fault
    finally:
        os.close(fd)

"""Recipients: who may open what a camera records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import CannotOpen, ConfigError, StorageError
from ..formats.hpkewrap import PqPrivateKey, load_pq_public
from ..formats.keywrap import thumbprint
from . import profile
from .keyfiles import write_key, write_pem, write_public_key


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key that content keys are wrapped to, and its `kid` in the wrapped key."""

    name: str
    kid: str
    path: Path


def new_recipient(name: str, private: Path, public: Path, passphrase: bytes | None = None) -> str:
    """Make a recipient's key pair; its `kid`. Raises ConfigError rather than replace a key."""
    key = profile.new_key()
    with _created(name, private, public):
        write_key(private, key, passphrase)
        write_public_key(public, key.public_key())
    return thumbprint(key.public_key())


def new_pq_recipient(name: str, private: Path, public: Path) -> str:
    """Make a post-quantum recipient's key pair, which has no passphrase; its `kid`."""
    key = PqPrivateKey.generate()
    with _created(name, private, public):
        write_pem(private, key.pem(), private=True)
        write_pem(public, key.public_key().pem(), private=False)
    return key.public_key().kid


@contextmanager
def _created(name: str, private: Path, public: Path) -> Iterator[None]:
    try:
        for folder in (private.parent, public.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except FileExistsError as fault:
        raise ConfigError(
            f"authority recipient: {fault.filename} is there already: {name} has a key",
            "Take another name or folder",
        ) from fault
    except OSError as fault:
        raise StorageError(f"{fault.filename}: {fault.strerror}", "Check the folder") from fault


def list_recipients(folder: Path) -> list[Recipient]:
    """The public keys in a folder, by name. Raises CannotOpen for a file that holds none."""
    if not folder.is_dir():
        raise CannotOpen(f"{folder}: no such folder", "Name the folder with recipients' .pem files")
    found = []
    for path in sorted(folder.glob("*.pem")):
        try:
            found.append(Recipient(path.stem, _kid(path.read_bytes()), path))
        except OSError as fault:
            raise CannotOpen(f"{path}: {fault.strerror}") from fault
        except (ValueError, UnsupportedAlgorithm) as fault:
            raise CannotOpen(
                f"{path}: neither an EC P-256 nor an ML-KEM-768 with X25519 public key"
            ) from fault
    return found


def _kid(pem: bytes) -> str:
    try:
        return load_pq_public(pem).kid
    except ValueError:
        key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("not an EC P-256 public key")
    return thumbprint(key)

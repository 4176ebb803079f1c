"""A camera's identity: its key and certificate chain, and who may open what it records.

    FOLDER/identity/device.key              the camera's private key, mode 0600
    FOLDER/identity/device.pem              its certificate, then the intermediate authority's
    FOLDER/identity/root.pem                the force root, for the self-test
    FOLDER/identity/recipients/<name>.pem   public keys that every content key is wrapped to
    FOLDER/authority/root.pem, root.key     the force root: what a verifier trusts
    FOLDER/authority/intermediate.key       signs device certificates; see authority.py
    FOLDER/authority/<name>.key             a recipient's private key: opens segments

Only `identity/` belongs on a camera; `authority/` stays with the force and its custodians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import StorageError
from ..signing import DEVICE_CHAIN, DEVICE_KEY, FORCE_ROOT, RECIPIENTS
from . import profile
from .authority import ROOT, init_authority, open_authority
from .keyfiles import read_key, write_key, write_public
from .recipients import new_recipient

DEVICE_REQUEST = "device.csr"


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the parts of a new identity lie."""

    identity: Path
    authority: Path

    @property
    def root(self) -> Path:
        """The force root's certificate: `bodycam verify --trust`."""
        return self.authority / ROOT

    def recipient_key(self, name: str) -> Path:
        """A recipient's private key: `bodycam export --key`."""
        return self.authority / f"{name}.key"


def make_identity(
    folder: Path,
    device: str,
    now_utc_ns: int,
    recipients: Sequence[str] = ("custody", "oversight"),
    force: str = "Example Police",
) -> Identity:
    """Make a force of one camera: authorities, the device's key, the recipients' keys.

    For demonstrations and tests: a real force keeps each private key of `authority/` apart.
    Raises ConfigError or FileExistsError rather than replace a key.
    """
    made = Identity(folder / "identity", folder / "authority")
    made.identity.mkdir(parents=True, mode=0o700)
    init_authority(made.authority, force, now_utc_ns)
    csr = make_request(made.identity, device)
    leaf, middle = open_authority(made.authority).sign(csr, device, now_utc_ns, profile.DEVICE_DAYS)
    write_public(made.identity / DEVICE_CHAIN, leaf, middle)
    write_public(made.identity / FORCE_ROOT, x509.load_pem_x509_certificate(made.root.read_bytes()))
    for name in recipients:
        new_recipient(name, made.recipient_key(name), made.identity / RECIPIENTS / f"{name}.pem")
    return made


def make_request(
    identity: Path, device: str, key: ec.EllipticCurvePrivateKey | None = None
) -> Path:
    """On the camera: make its key, unless it is in a token, and its request for a certificate.

    A key that is there already is used again; it is never replaced.
    """
    profile.check_device_name(device)
    try:
        identity.mkdir(parents=True, exist_ok=True, mode=0o700)
        if key is None:
            path = identity / DEVICE_KEY
            if not path.exists():
                write_key(path, profile.new_key())
            key = read_key(path)
        csr = identity / DEVICE_REQUEST
        csr.unlink(missing_ok=True)
        write_public(csr, profile.request(device, key))
    except OSError as fault:
        raise StorageError(f"{fault.filename}: {fault.strerror}", "Check the folder") from fault
    return csr

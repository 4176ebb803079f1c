"""A world in which the same evidence comes out each time: fixed keys, fixed chance, fixed clock."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bodycam.clock import MS, NS
from bodycam.media import AccessUnit, Track
from bodycam.provision.identity import Identity, make_identity
from bodycam.recording import CloseReason
from bodycam.signing import NoKey, Promise, asked, load_file_key

from ..evidence import UTC_NS, Camera, Edit, Evidence
from .source import AUDIO, read_units

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
RECORDING = "0b8c9d2e-1111-4222-8333-444455556666"
OTHER_RECORDING = "7c1d5a90-2222-4333-8444-000011112222"
DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class FixedKey:
    """A device key whose signatures are the same each time (RFC 6979)."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificates: tuple[bytes, ...]) -> None:
        self.private = key
        self.certificates = certificates

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, DETERMINISTIC)

    def ask(self, message: bytes) -> Promise:
        return asked(self, message)


@contextmanager
def fixed_chance(seed: str) -> Iterator[None]:
    """What the system's chance would give is counted out from a seed."""
    drawn = 0

    def urandom(size: int) -> bytes:
        nonlocal drawn
        out = b""
        while len(out) < size:
            drawn += 1
            out += hashlib.sha256(f"{seed} {drawn}".encode()).digest()
        return out[:size]

    def generate_private_key(curve: ec.EllipticCurve, backend: Any = None) -> Any:
        del backend
        return ec.derive_private_key(1 + int.from_bytes(urandom(32), "big") % (ORDER - 1), curve)

    sign = x509.CertificateBuilder.sign

    def sign_certificate(builder: Any, key: Any, algorithm: Any, **options: Any) -> Any:
        return sign(builder, key, algorithm, **{**options, "ecdsa_deterministic": True})

    with (
        patch.object(os, "urandom", urandom),
        patch.object(ec, "generate_private_key", generate_private_key),
        patch.object(x509.CertificateBuilder, "sign", sign_certificate),
    ):
        yield


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def device_key(identity: Identity) -> FixedKey:
    known = load_file_key(identity.identity)
    return FixedKey(load_key(identity.identity / "device.key"), known.certificates)


def issue(authority: Path, device: str, issuer: FixedKey, seed: str) -> FixedKey:
    """A key for another camera of the same force, certified as the one of `issuer` is."""
    ours = x509.load_der_x509_certificate(issuer.certificates[0])
    with fixed_chance(seed):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = x509.CertificateBuilder(
            ours.issuer, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, device)]),
            key.public_key(), x509.random_serial_number(), ours.not_valid_before_utc,
            ours.not_valid_after_utc, list(ours.extensions),
        ).sign(load_key(authority / "intermediate.key"), hashes.SHA256())  # fmt: skip
    der = certificate.public_bytes(serialization.Encoding.DER)
    return FixedKey(key, (der, *issuer.certificates[1:]))


def shifted(units: list[AccessUnit], by_ns: int) -> list[AccessUnit]:
    return [AccessUnit(u.track, u.at_ns + by_ns, u.keyframe, u.seq, u.data) for u in units]


def losing_the_second(units: list[AccessUnit]) -> list[AccessUnit]:
    """Half a second of pictures is lost right behind the first one."""
    first_ns = units[0].at_ns
    return [
        u for u in units
        if u.track is Track.AUDIO or not first_ns < u.at_ns < first_ns + 500 * MS
    ]  # fmt: skip


def slowing_down(units: list[AccessUnit]) -> list[AccessUnit]:
    """From 20 pictures a second to 4, as a camera does in the dark."""
    dusk_ns = units[0].at_ns + 500 * MS
    return [
        u if u.at_ns <= dusk_ns else replace(u, at_ns=dusk_ns + 5 * (u.at_ns - dusk_ns))
        for u in units
        if u.track is Track.VIDEO
    ]


@dataclass(frozen=True, slots=True)
class World:
    """What vectors are made from: cameras of one force, a stranger's, and what they recorded."""

    good: Evidence
    shorter: Evidence  # the same card before its second recording
    silent: Evidence
    crashed: Evidence
    unsigned: Evidence
    stranger: Evidence  # of another force
    lossy: Evidence
    slowed: Evidence
    key: FixedKey
    sister_key: FixedKey  # another camera of the same force
    stranger_key: FixedKey


def _record(
    folder: Path, force: Identity, device: str, *, recordings: int = 1, audio: bool = True,
    signed: bool = True, ended: bool = True, edit: Edit | None = None,
) -> Evidence:  # fmt: skip
    """A card on which a camera of that force recorded the footage of the vectors."""
    units = read_units() if edit is None else edit(read_units())
    for source, name in ((force.identity, "identity"), (force.authority, "authority")):
        if not (folder / name).exists():
            shutil.copytree(source, folder / name)
    signer = device_key(force) if signed else NoKey()
    with fixed_chance(f"{device} {audio} {signed}{edit.__name__ if edit else ''}"):
        camera = Camera(folder, signer=signer, device=device, fragment_ns=300 * MS)
        for number in range(recordings):
            camera.record(
                shifted(units, number * 10 * NS), (RECORDING, OTHER_RECORDING)[number],
                segment_s=1, audio=AUDIO if audio else None,
                reason=CloseReason.STOP if ended else None,
            )  # fmt: skip
        camera.stop(orderly=ended)
    return Evidence(camera.store.root, force, RECORDING, ())


def build(folder: Path) -> World:
    """Everything that vectors are made from."""
    with fixed_chance("force"):
        force = make_identity(folder / "force", "cam-0001", UTC_NS)
    with fixed_chance("other force"):
        strange = make_identity(folder / "strange", "cam-0002", UTC_NS)
    key = device_key(force)
    return World(
        good=_record(folder / "good", force, "cam-0001", recordings=2),
        shorter=_record(folder / "shorter", force, "cam-0001"),
        silent=_record(folder / "silent", force, "cam-0001", audio=False),
        crashed=_record(folder / "crashed", force, "cam-0001", ended=False),
        unsigned=_record(folder / "unsigned", force, "cam-0001", signed=False),
        stranger=_record(folder / "stranger", strange, "cam-0002"),
        lossy=_record(folder / "lossy", force, "cam-0001", edit=losing_the_second),
        slowed=_record(folder / "slowed", force, "cam-0001", audio=False, edit=slowing_down),
        key=key, sister_key=issue(force.authority, "cam-0002", key, "sister"),
        stranger_key=device_key(strange),
    )  # fmt: skip

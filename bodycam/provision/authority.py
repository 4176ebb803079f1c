"""A force's authority: the folder that signs cameras, keeps their register, and revokes.

    FOLDER/root.pem, root.key                 the force root: what a verifier trusts
    FOLDER/intermediate.pem, intermediate.key the device authority: signs cameras, and crl.pem
    FOLDER/register.json                      every certificate issued
    FOLDER/crl.pem                            the revocation list: `verify --crl`

`root.key` is needed for nothing that is done here after `init`: keep it offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..boundedfile import read_bounded
from ..clock import NS, utc_from_text, utc_text
from ..errors import CannotOpen, ConfigError, EvidenceError, StorageError
from ..signing import fingerprint
from ..store import write_atomically
from . import profile
from .keyfiles import is_encrypted, read_key, write_key, write_public
from .profile import CRL_DAYS, Issuer, Revoked
from .register import REGISTER, Entry, Register, held, read_register, write_register

ROOT, ROOT_KEY = "root.pem", "root.key"
INTERMEDIATE, INTERMEDIATE_KEY = "intermediate.pem", "intermediate.key"
CRL = "crl.pem"
_OURS = (ROOT, ROOT_KEY, INTERMEDIATE, INTERMEDIATE_KEY, REGISTER, CRL)
MAX_CSR_BYTES = 64 * 1024
MAX_DAYS = 3650
REASONS = {
    flag.value: flag
    for flag in (
        x509.ReasonFlags.unspecified, x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.affiliation_changed, x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation, x509.ReasonFlags.privilege_withdrawn,
    )
}  # fmt: skip


def init_authority(
    folder: Path, force: str, now_utc_ns: int, passphrase: bytes | None = None
) -> None:
    """Make a force root, a device authority, an empty register and an empty revocation list.

    Raises ConfigError rather than replace an authority: its keys could not be made again.
    """
    there = [name for name in _OURS if (folder / name).exists()]
    if there:
        raise ConfigError(
            f"authority init: {folder / there[0]} is there already", "Name a new folder with --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = profile.new_root(force, now_utc_ns)
        middle = profile.new_intermediate(force, root, now_utc_ns)
        write_key(folder / ROOT_KEY, root.key, passphrase)
        write_key(folder / INTERMEDIATE_KEY, middle.key, passphrase)
        write_public(folder / ROOT, root.certificate)
        write_public(folder / INTERMEDIATE, middle.certificate)
    except OSError as fault:
        raise StorageError(f"{fault.filename}: {fault.strerror}", "Check the folder") from fault
    with held(folder):
        Authority(folder, middle).publish(Register(), now_utc_ns)


def needs_passphrase(folder: Path) -> bool:
    """Whether the device authority's key is encrypted."""
    return is_encrypted(folder / INTERMEDIATE_KEY)


def open_authority(folder: Path, passphrase: bytes | None = None) -> Authority:
    """The authority in a folder. Raises CannotOpen if a part is missing or does not fit."""
    path = folder / INTERMEDIATE
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Name an authority's folder") from fault
    except ValueError as fault:
        raise CannotOpen(f"{path}: not a PEM certificate: {fault}") from fault
    key = read_key(folder / INTERMEDIATE_KEY, passphrase)
    if key.public_key() != certificate.public_key():
        raise CannotOpen(f"{path}: is not of {folder / INTERMEDIATE_KEY}", "Put back the right one")
    return Authority(folder, Issuer(key, certificate))


@dataclass(frozen=True, slots=True)
class Authority:
    """The device authority of a force. Each change holds the folder's lock while it lasts."""

    folder: Path
    issuer: Issuer

    def sign(
        self, csr: Path, device: str, now_utc_ns: int, days: int, *, renew: bool = False
    ) -> tuple[x509.Certificate, x509.Certificate]:
        """Certify a camera's request: its certificate, then this authority's.

        The register names it before this returns. Raises EvidenceError for a request that must not
        be signed, ConfigError for a device that has a certificate, unless it is renewed.
        """
        profile.check_device_name(device)
        request = _read_request(csr)
        try:
            key = profile.check_request(request, device)
        except EvidenceError as fault:
            raise EvidenceError(
                f"{csr}: not signed, {fault.message}", "Make it again: bodycam authority csr"
            ) from fault
        with held(self.folder):
            register = read_register(self.folder)
            _check_free(register, device, key, now_utc_ns, renew=renew)
            leaf = self.certify(device, key, now_utc_ns, days)
            write_register(self.folder, register.with_entry(_entry(leaf, device, key, now_utc_ns)))
        return leaf, self.issuer.certificate

    def certify(
        self, device: str, key: ec.EllipticCurvePublicKey, now_utc_ns: int, days: int
    ) -> x509.Certificate:
        """A device certificate. Raises ConfigError if it would outlive this authority."""
        leaf = profile.device_certificate(device, key, self.issuer, now_utc_ns, days)
        end = self.issuer.certificate.not_valid_after_utc
        if leaf.not_valid_after_utc > end:
            raise ConfigError(
                f"authority sign: {days} days; the device authority is valid until {end:%Y-%m-%d}",
                "Give fewer days, or make a new authority",
            )
        return leaf

    def revoke(
        self, name: str, from_utc_ns: int, now_utc_ns: int, reason: x509.ReasonFlags
    ) -> tuple[Entry, ...]:
        """Trust a camera's signatures no longer, from a time on; the entries changed.

        `name` is a serial number or a device. A revocation is never taken back, and moves only to
        an earlier time. Raises ConfigError if it changes nothing.
        """
        if from_utc_ns > now_utc_ns:
            raise ConfigError(
                f"authority revoke: --from {utc_text(from_utc_ns)} is in the future",
                "Give the time from which the camera was out of your hands",
            )
        with held(self.folder):
            register = read_register(self.folder)
            entries = register.of(name)
            if not entries:
                raise ConfigError(
                    f"authority revoke: nothing was issued to {name!r}",
                    "See bodycam authority list",
                )
            since = utc_text(from_utc_ns)
            changed = {
                e.serial: msgspec.structs.replace(
                    e, revoked_from=since, revoked_at=utc_text(now_utc_ns), reason=reason.value
                )
                for e in entries
                if e.revoked_from is None or utc_from_text(e.revoked_from) > from_utc_ns
            }
            if not changed:
                raise ConfigError(
                    f"authority revoke: {name} is revoked from {entries[0].revoked_from} on; "
                    "that is not moved to a later time"
                )
            self.publish(register.with_changed(changed), now_utc_ns)
        return tuple(changed.values())

    def renew_list(self, now_utc_ns: int, days: int = CRL_DAYS) -> None:
        """Write the revocation list again, with new dates."""
        with held(self.folder):
            self.publish(read_register(self.folder), now_utc_ns, days)

    def publish(self, register: Register, now_utc_ns: int, days: int = CRL_DAYS) -> None:
        """Write the register, then the list made from it. A power cut between leaves an older list
        and a register that knows more: `authority crl` writes the list again.
        """
        register = msgspec.structs.replace(register, crl_number=register.crl_number + 1)
        write_register(self.folder, register)
        revoked = [_revoked(e) for e in register.certificates if e.revoked_from is not None]
        crl = profile.revocation_list(self.issuer, revoked, register.crl_number, now_utc_ns, days)
        try:
            write_atomically(self.folder / CRL, crl.public_bytes(serialization.Encoding.PEM))
        except OSError as fault:
            raise StorageError(
                f"{self.folder / CRL}: {fault.strerror}",
                "Check the disk, then run: bodycam authority crl",
            ) from fault


def _read_request(path: Path) -> x509.CertificateSigningRequest:
    data = read_bounded(path, MAX_CSR_BYTES, "Check the path")
    if len(data) > MAX_CSR_BYTES:
        raise CannotOpen(f"{path}: bigger than {MAX_CSR_BYTES} bytes")
    try:
        return x509.load_pem_x509_csr(data)
    except ValueError as fault:
        raise CannotOpen(f"{path}: not a request in PEM: {fault}") from fault


def _check_free(
    register: Register,
    device: str,
    key: ec.EllipticCurvePublicKey,
    now_utc_ns: int,
    *,
    renew: bool,
) -> None:
    for entry in register.certificates:
        if entry.key == _key_hash(key) and entry.device != device:
            raise EvidenceError(
                f"authority sign: this key is that of {entry.device}",
                "A key belongs to one camera: make a new one with bodycam authority csr",
            )
        if entry.device == device and not renew and entry.standing(now_utc_ns) == "valid":
            raise ConfigError(
                f"authority sign: {device} has certificate {entry.serial}, valid until "
                f"{entry.not_after}",
                "Add --renew for one more, or revoke that one first",
            )


def _entry(
    leaf: x509.Certificate, device: str, key: ec.EllipticCurvePublicKey, now_utc_ns: int
) -> Entry:
    return Entry(
        serial=f"{leaf.serial_number:x}",
        device=device,
        issued=utc_text(now_utc_ns),
        not_before=utc_text(int(leaf.not_valid_before_utc.timestamp()) * NS),
        not_after=utc_text(int(leaf.not_valid_after_utc.timestamp()) * NS),
        sha256=fingerprint(leaf.public_bytes(serialization.Encoding.DER)),
        key=_key_hash(key),
    )


def _key_hash(key: ec.EllipticCurvePublicKey) -> str:
    return fingerprint(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _revoked(entry: Entry) -> Revoked:
    if entry.revoked_from is None or entry.revoked_at is None:
        raise AssertionError("only revoked entries are listed")
    return Revoked(
        int(entry.serial, 16), utc_from_text(entry.revoked_from), utc_from_text(entry.revoked_at),
        REASONS.get(entry.reason, x509.ReasonFlags.unspecified),
    )  # fmt: skip

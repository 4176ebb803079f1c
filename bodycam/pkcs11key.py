"""The device key in a PKCS#11 token: a TPM, a secure element, an HSM. It never leaves it.

`[identity] key` is a URI as in RFC 7512: which token, which object, and with which driver and PIN:

    pkcs11:token=bodycam;object=device?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/…
"""

from __future__ import annotations

import hashlib
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .errors import ConfigError, DeviceError, EvidenceError, KeyMissing
from .signing import DEVICE_CHAIN, Promise, asked, check, load_chain

SCHEME = "pkcs11:"
_PATH = ("token", "serial", "object", "id", "type")
_QUERY = ("module-path", "pin-source")
_POINT_BYTES = 65
_PROBE = b"bodycam: the key in the token is that of the certificate"


@dataclass(frozen=True, slots=True)
class TokenUri:
    """Where a key lies, and how to get there."""

    token: str | None
    serial: str | None
    object: str | None
    id: bytes | None
    module: Path
    pin_source: Path | None

    def __str__(self) -> str:
        return (
            f"key {self.object or (self.id or b'').hex()!r} in token {self.token or self.serial!r}"
        )


def parse_uri(text: str) -> TokenUri:
    """Read a PKCS#11 URI (RFC 7512). Raises ConfigError with what it lacks."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    attributes = _attributes(path, ";", _PATH)
    options = _attributes(query, "&", _QUERY)
    if attributes.get("type", "private") != "private":
        _refuse("type", "'private'")
    if "token" not in attributes and "serial" not in attributes:
        _refuse("token", "the token's label, or serial=")
    if "object" not in attributes and "id" not in attributes:
        _refuse("object", "the key's label, or id=")
    if "module-path" not in options:
        _refuse("module-path", "the token's driver, such as /usr/lib/softhsm/libsofthsm2.so")
    text_of = {
        name: _decoded(name, value).decode("utf-8", "replace")
        for name, value in {**attributes, **options}.items()
        if name != "id"
    }
    pin = text_of.get("pin-source")
    return TokenUri(
        text_of.get("token"), text_of.get("serial"), text_of.get("object"),
        _decoded("id", attributes["id"]) if "id" in attributes else None,
        Path(text_of["module-path"]),
        Path(pin.removeprefix("file://").removeprefix("file:")) if pin else None,
    )  # fmt: skip


def _attributes(text: str, separator: str, known: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, _, value = part.partition("=")
        if name == "pin-value":
            # A PIN in the configuration is a PIN in every backup of it.
            _refuse(name, "pin-source=file:/…, a file with the PIN that only the recorder reads")
        if name not in known or not value or name in found:
            _refuse(name, ", ".join(known))
        found[name] = value
    return found


def _decoded(name: str, text: str) -> bytes:
    """RFC 3986, 2.1. Not urllib's: the recorder carries no part of a network client."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        _refuse(name, "%XX for other characters")
    raw = text.encode()
    return re.sub(rb"%(..)", lambda found: bytes.fromhex(found[1].decode()), raw)


def _refuse(name: str, accepted: str) -> NoReturn:
    raise ConfigError(f"identity.key: {name!r} in the pkcs11: URI; accepted: {accepted}")


class TokenKey:
    """A device key in a token. One thread at a time uses its session."""

    def __init__(self, uri: TokenUri, session: Any, private: Any) -> None:
        self._uri, self._session, self._private = uri, session, private
        self._lock = threading.Lock()
        self.certificates: tuple[bytes, ...] = ()
        self._public: ec.EllipticCurvePublicKey | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Log out of the token. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            with _faults(self._uri):
                session.close()

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Of the certificate, or as the token tells it."""
        if self._public is None:
            self._public = self._read_public()
        return self._public

    def sign(self, message: bytes) -> bytes:
        """As every Signer: ECDSA over SHA-256, in DER. Raises DeviceError if the token fails."""
        from pkcs11 import Mechanism

        digest = hashlib.sha256(message).digest()
        with _faults(self._uri), self._lock:
            raw = self._private.sign(digest, mechanism=Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(
            int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        )

    def ask(self, message: bytes) -> Promise:
        """As every Signer; see `latekey` for one that does not keep its caller waiting."""
        return asked(self, message)

    def certify(self, chain: Sequence[x509.Certificate], where: Path) -> None:
        """Use this chain. Raises DeviceError if its leaf is not of the key in the token."""
        leaf = chain[0].public_key()
        if not isinstance(leaf, ec.EllipticCurvePublicKey) or leaf.curve.name != "secp256r1":
            raise DeviceError(f"{where}: not of an EC P-256 key", "Provision this camera again")
        try:
            check(leaf, _PROBE, self.sign(_PROBE))
        except EvidenceError as fault:
            raise DeviceError(
                f"{where}: the certificate is not of {self._uri}", "Sign this key's request"
            ) from fault
        self._public = leaf
        self.certificates = tuple(c.public_bytes(serialization.Encoding.DER) for c in chain)

    def _read_public(self) -> ec.EllipticCurvePublicKey:
        from pkcs11 import Attribute, KeyType, ObjectClass

        with _faults(self._uri), self._lock:
            public = self._session.get_key(
                object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC,
                label=self._uri.object, id=self._uri.id,
            )  # fmt: skip
            point = bytes(public[Attribute.EC_POINT])
        # CKA_EC_POINT is an OCTET STRING around the point, and with some drivers the point alone.
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(
                ec.SECP256R1(), point[-_POINT_BYTES:]
            )
        except ValueError as fault:
            raise DeviceError(f"{self._uri}: is not an EC P-256 key") from fault


def open_token(uri: TokenUri, *, generate: bool = False) -> TokenKey:
    """Log in to the token and find the key, or make it there if it may.

    Raises DeviceError if the driver, the token or the key is missing, or the PIN is wrong.
    """
    try:
        import pkcs11
    except ImportError as fault:
        raise DeviceError(
            f"a key in a token needs python-pkcs11: {fault}", "pip install 'bodycam[pkcs11]'"
        ) from fault
    pin = _read_pin(uri)
    with _faults(uri):
        serial = uri.serial.encode() if uri.serial else None
        token = pkcs11.lib(str(uri.module)).get_token(token_label=uri.token, token_serial=serial)
        session = token.open(rw=generate, user_pin=pin)
        try:
            return TokenKey(uri, session, _find(uri, session, generate=generate))
        except BaseException:
            session.close()
            raise


def load_token_key(uri: TokenUri, identity: Path) -> TokenKey:
    """The device key in a token, with its certificate chain from the identity folder.

    Raises DeviceError if either is missing or does not fit: the camera then records unsigned.
    """
    chain = load_chain(identity)
    key = open_token(uri)
    try:
        key.certify(chain, identity / DEVICE_CHAIN)
    except BaseException:
        key.close()
        raise
    return key


def _find(uri: TokenUri, session: Any, *, generate: bool) -> Any:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    try:
        return session.get_key(
            object_class=pkcs11.ObjectClass.PRIVATE_KEY, key_type=pkcs11.KeyType.EC,
            label=uri.object, id=uri.id,
        )  # fmt: skip
    except pkcs11.NoSuchKey:
        if not generate:
            raise
    curve = session.create_domain_parameters(
        pkcs11.KeyType.EC,
        {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")},
        local=True,
    )
    _, private = curve.generate_keypair(
        store=True, label=uri.object, id=uri.id,
        capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
        private_template={
            pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False,
        },
    )  # fmt: skip
    return private


def _read_pin(uri: TokenUri) -> str | None:
    path = uri.pin_source
    if path is None:
        return None
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        pin = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise DeviceError(f"{path}: the token's PIN cannot be read: {fault}") from fault
    if mode & 0o077:
        raise DeviceError(
            f"{path}: mode {mode:04o} lets others read the token's PIN", f"Run: chmod 0600 {path}"
        )
    return pin


@contextmanager
def _faults(uri: TokenUri) -> Iterator[None]:
    """What a driver raises, in our words."""
    import pkcs11

    try:
        yield
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as fault:
        said = str(fault) or type(fault).__name__
        gone = isinstance(fault, pkcs11.NoSuchKey | pkcs11.NoSuchToken)
        kind = KeyMissing if gone else DeviceError
        raise kind(
            f"{uri}: {said} ({uri.module})", "Check driver, token, label and PIN of [identity] key"
        ) from fault


class RequestKey(ec.EllipticCurvePrivateKey):
    """A token's key where a certificate request wants a private key: it signs, and only that."""

    def __init__(self, key: TokenKey) -> None:
        self._key = key

    @property
    def curve(self) -> ec.EllipticCurve:
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        return 256

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise NotImplementedError("a device key signs with SHA-256")
        return self._key.sign(bytes(data))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise NotImplementedError("a device key signs, and does nothing else")

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise NotImplementedError("a key in a token never leaves it")

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002  the library's name
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        raise NotImplementedError("a key in a token never leaves it")

    def __copy__(self) -> RequestKey:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> RequestKey:
        return self

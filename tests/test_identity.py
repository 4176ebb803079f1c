"""A camera's identity: what the recorder loads, what a verifier trusts, who can open."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bodycam.certificates import SigningTime, Trust, TrustPolicy, judge_chain
from bodycam.clock import NS
from bodycam.errors import ConfigError, DeviceError
from bodycam.formats.keywrap import unwrap, wrap
from bodycam.provision.authority import init_authority
from bodycam.provision.identity import Identity, make_identity
from bodycam.provision.keyfiles import write_key
from bodycam.signing import (
    check,
    load_file_key,
    load_private_key,
    load_recipients,
    load_root,
)

from .evidence import DEVICE, UTC_NS

DAY_NS = 86_400 * NS


def signed(utc_ns: int) -> SigningTime:
    return SigningTime.of(utc_ns, "ntp", 5)


@pytest.fixture
def made(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, DEVICE, UTC_NS)


def test_the_recorder_can_load_and_sign_with_it(made: Identity) -> None:
    key = load_file_key(made.identity)
    assert len(key.certificates) == 2
    check(key.public_key, b"record", key.sign(b"record"))


def test_its_chain_leads_to_the_root_and_names_the_device(made: Identity) -> None:
    chain = load_file_key(made.identity).certificates
    verdict = judge_chain(chain, TrustPolicy(load_root(made.root)), signed(UTC_NS))
    assert (verdict.trust, verdict.device) == (Trust.TRUSTED, DEVICE)


@pytest.mark.parametrize(
    ("days", "trust"),
    [
        (-2, Trust.NOT_YET_VALID),
        (0, Trust.TRUSTED),
        (3 * 365 - 1, Trust.TRUSTED),
        (3 * 365 + 1, Trust.EXPIRED),
    ],
)
def test_it_signs_for_three_years(made: Identity, days: int, trust: Trust) -> None:
    chain = load_file_key(made.identity).certificates
    policy = TrustPolicy(load_root(made.root))
    assert judge_chain(chain, policy, signed(UTC_NS + days * DAY_NS)).trust is trust


def test_the_device_certificate_is_for_signatures_and_nothing_else(made: Identity) -> None:
    leaf = x509.load_pem_x509_certificate((made.identity / "device.pem").read_bytes())
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_only_the_owner_can_read_private_keys(made: Identity) -> None:
    keys = [made.identity / "device.key", *made.authority.glob("*.key")]
    assert len(keys) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_each_recipient_opens_and_nobody_else(made: Identity) -> None:
    recipients = load_recipients(made.identity)
    assert len(recipients) == 2
    sealed = wrap(recipients, b"k" * 16, b"i" * 16, "recording/0")
    for name in ("custody", "oversight"):
        private = load_private_key(made.recipient_key(name))
        assert unwrap(sealed, private, b"i" * 16, "recording/0") == b"k" * 16


def test_the_cameras_folder_holds_no_recipients_private_key(made: Identity) -> None:
    private = [p for p in made.identity.rglob("*") if p.is_file() and b"PRIVATE" in p.read_bytes()]
    assert private == [made.identity / "device.key"]


def test_a_key_is_never_replaced(made: Identity, tmp_path: Path) -> None:
    before = (made.identity / "device.key").read_bytes()
    with pytest.raises(FileExistsError):
        make_identity(tmp_path, DEVICE, UTC_NS)
    with pytest.raises(ConfigError, match="is there already"):
        init_authority(made.authority, "Another Police", UTC_NS)
    assert (made.identity / "device.key").read_bytes() == before


# -- a device key that cannot be used: the recorder then records unsigned ----------------------


def _world_readable(identity: Path) -> None:
    (identity / "device.key").chmod(0o644)


def _garbage(identity: Path) -> None:
    (identity / "device.key").write_bytes(b"not a key")


def _missing(identity: Path) -> None:
    (identity / "device.key").unlink()


def _no_certificate(identity: Path) -> None:
    (identity / "device.pem").unlink()


def _damaged_certificate(identity: Path) -> None:
    (identity / "device.pem").write_bytes(b"not a certificate")


def _another_key(identity: Path) -> None:
    (identity / "device.key").unlink()
    write_key(identity / "device.key", ec.generate_private_key(ec.SECP256R1()))


def _another_curve(identity: Path) -> None:
    (identity / "device.key").unlink()
    write_key(identity / "device.key", ec.generate_private_key(ec.SECP384R1()))


def _encrypted(identity: Path) -> None:
    (identity / "device.key").unlink()
    write_key(identity / "device.key", ec.generate_private_key(ec.SECP256R1()), b"secret")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_world_readable, "chmod 0600"),
        (_garbage, "device key is damaged"),
        (_missing, "no device key"),
        (_no_certificate, "no certificate"),
        (_damaged_certificate, "certificate is damaged"),
        (_another_key, "is not of"),
        (_another_curve, "not an EC P-256 key"),
        (_encrypted, "device key is damaged"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_device_error(
    made: Identity, spoil: Callable[[Path], None], text: str
) -> None:
    spoil(made.identity)
    with pytest.raises(DeviceError, match=text):
        load_file_key(made.identity)

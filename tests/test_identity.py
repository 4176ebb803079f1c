"""A camera's identity: what the recorder loads, what a verifier trusts, who can open."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509

from bodycam.clock import NS
from bodycam.formats.keywrap import unwrap, wrap
from bodycam.provision.identity import Identity, make_identity
from bodycam.signing import (
    Trust,
    check,
    judge_chain,
    load_file_key,
    load_private_key,
    load_recipients,
    load_root,
)

from .evidence import DEVICE, UTC_NS

DAY_NS = 86_400 * NS


@pytest.fixture
def made(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, DEVICE, UTC_NS)


def test_the_recorder_can_load_and_sign_with_it(made: Identity) -> None:
    key = load_file_key(made.identity)
    assert len(key.certificates) == 2
    check(key.public_key, b"record", key.sign(b"record"))


def test_its_chain_leads_to_the_root_and_names_the_device(made: Identity) -> None:
    chain = load_file_key(made.identity).certificates
    verdict = judge_chain(chain, load_root(made.root), UTC_NS)
    assert (verdict.trust, verdict.device) == (Trust.TRUSTED, DEVICE)


@pytest.mark.parametrize(
    ("days", "trust"),
    [
        (-2, Trust.NOT_VALID_AT_SIGNING),
        (0, Trust.TRUSTED),
        (3 * 365 - 1, Trust.TRUSTED),
        (3 * 365 + 1, Trust.NOT_VALID_AT_SIGNING),
    ],
)
def test_it_signs_for_three_years(made: Identity, days: int, trust: Trust) -> None:
    chain = load_file_key(made.identity).certificates
    assert judge_chain(chain, load_root(made.root), UTC_NS + days * DAY_NS).trust is trust


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
    assert (made.identity / "device.key").read_bytes() == before

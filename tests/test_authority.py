"""A force's authority: it signs cameras, keeps a register, and revokes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bodycam.certificates import EVIDENCE_SIGNING, SigningTime, Trust, TrustPolicy, judge_chain
from bodycam.cli import main
from bodycam.clock import NS, SystemClock
from bodycam.errors import CannotOpen, ConfigError, EvidenceError, StorageError
from bodycam.formats.keywrap import thumbprint
from bodycam.provision.authority import init_authority, open_authority
from bodycam.provision.register import held, read_register
from bodycam.revocation import load_crls
from bodycam.signing import load_file_key, load_private_key, load_recipients, load_root

from .evidence import UTC_NS

DAY_NS = 86_400 * NS
PEM = serialization.Encoding.PEM
REASON = x509.ReasonFlags.key_compromise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_authority(tmp_path / "authority", "North Police", UTC_NS)
    return tmp_path / "authority"


def request(
    path: Path,
    device: str,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
) -> Path:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, device)])
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(key or ec.generate_private_key(ec.SECP256R1()), algorithm or hashes.SHA256())
    )
    path.write_bytes(csr.public_bytes(PEM))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    """What a command answers to `--json`; it must succeed."""
    code = main(["authority", *map(str, words), "--json"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    answer: dict[str, Any] = json.loads(shown.out)
    return answer


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    code = main(["authority", *map(str, words)])
    return code, capsys.readouterr().err


# -- a camera's life, as a technician types it ---------------------------------------------------


def test_from_an_authority_to_a_camera_that_is_trusted_and_then_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, camera = tmp_path / "authority", tmp_path / "identity"
    run(capsys, "init", "--out", folder, "--force", "North Police")
    csr = run(capsys, "csr", "--identity", camera, "--device", "BC-0042")["request"]
    signed = run(
        capsys, "sign", csr, "--authority", folder, "--device", "BC-0042",
        "--valid-days", "400", "--out", camera / "device.pem",
    )  # fmt: skip
    key, root = load_file_key(camera), load_root(folder / "root.pem")
    now_ns = SystemClock().sample().utc_ns
    before = SigningTime.of(now_ns, "ntp", 5)
    fresh = TrustPolicy(root, load_crls(folder / "crl.pem"), now_ns)
    verdict = judge_chain(key.certificates, fresh, before)
    assert (verdict.trust, verdict.device, verdict.not_known) == (Trust.TRUSTED, "BC-0042", ())

    (entry,) = run(capsys, "list", "--authority", folder)["certificates"]
    assert (entry["serial"], entry["standing"]) == (signed["serial"], "valid")
    (gone,) = run(
        capsys, "revoke", "BC-0042", "--authority", folder, "--reason", "keyCompromise",
        "--from", "2026-01-01T00:00:00Z",
    )["revoked"]  # fmt: skip
    assert gone["revoked_from"] == "2026-01-01T00:00:00.000Z"
    (entry,) = run(capsys, "list", "--authority", folder)["certificates"]
    assert entry["standing"] == "revoked"
    lost = TrustPolicy(root, load_crls(folder / "crl.pem"), now_ns)
    assert judge_chain(key.certificates, lost, before).trust is Trust.REVOKED


def test_the_register_reads_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csr = request(folder / "a.csr", "BC-1")
    leaf, _ = open_authority(folder).sign(csr, "BC-1", UTC_NS, 30)
    assert main(["authority", "list", "--authority", str(folder)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    standing, serial, device, until = line.split()
    assert (serial, device, until) == (
        f"{leaf.serial_number:x}", "BC-1", "2026-06-27T20:26:40.000Z",
    )  # fmt: skip
    assert standing in ("valid", "expired")


# -- what it makes -------------------------------------------------------------------------------


def test_openssl_accepts_every_part_of_a_camera_chain(folder: Path) -> None:
    csr = request(folder / "a.csr", "BC-1")
    chain = open_authority(folder).sign(csr, "BC-1", UTC_NS, 30)
    for name, one in zip(("leaf.pem", "middle.pem"), chain, strict=True):
        (folder / name).write_bytes(one.public_bytes(PEM))
    words = ["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", "root.pem",
             "-untrusted", "middle.pem", "-CRLfile", "crl.pem",
             "-attime", str(UTC_NS // NS + 60), "leaf.pem"]  # fmt: skip

    def verify() -> str:
        done = subprocess.run(
            words, check=False, cwd=folder, capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    assert verify() == "leaf.pem: OK\n"
    open_authority(folder).revoke("BC-1", UTC_NS, UTC_NS, REASON)
    assert "certificate revoked" in verify()


def test_certificates_follow_the_profile(folder: Path) -> None:
    csr = request(folder / "a.csr", "BC-1")
    leaf, middle = open_authority(folder).sign(csr, "BC-1", UTC_NS, 30)
    root = load_root(folder / "root.pem")
    for one, path_length in ((root, 1), (middle, 0)):
        basic = one.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (basic.critical, basic.value.ca, basic.value.path_length) == (
            True,
            True,
            path_length,
        )
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature) == (True, True)
    assert not usage.value.key_cert_sign
    assert not usage.value.content_commitment
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert EVIDENCE_SIGNING in purposes
    mine = middle.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert issuer.key_identifier == mine
    years = [(c.not_valid_after_utc - c.not_valid_before_utc).days // 365 for c in (root, middle)]
    assert years == [20, 10]


def test_a_revocation_says_from_when(folder: Path) -> None:
    csr = request(folder / "a.csr", "BC-1")
    leaf, _ = open_authority(folder).sign(csr, "BC-1", UTC_NS, 30)
    open_authority(folder).revoke("BC-1", UTC_NS + 3600 * NS, UTC_NS + DAY_NS, REASON)
    (crl,) = load_crls(folder / "crl.pem")
    entry = crl.get_revoked_certificate_by_serial_number(leaf.serial_number)
    assert entry is not None
    since = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
    assert int(since.invalidity_date_utc.timestamp()) == UTC_NS // NS + 3600
    assert int(entry.revocation_date_utc.timestamp()) == UTC_NS // NS + 86_400
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is REASON


def test_each_list_has_a_higher_number(folder: Path) -> None:
    def number() -> int:
        (crl,) = load_crls(folder / "crl.pem")
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    first = number()
    open_authority(folder).renew_list(UTC_NS + 20 * DAY_NS, 7)
    (crl,) = load_crls(folder / "crl.pem")
    assert number() == first + 1
    assert crl.next_update_utc is not None
    assert int(crl.next_update_utc.timestamp()) == UTC_NS // NS + 27 * 86_400


def test_private_keys_are_the_owners_alone(folder: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")}
    assert modes == {0o600}
    assert len(list(folder.glob("*.key"))) == 2


# -- what it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "algorithm", "text"),
    [
        (rsa.generate_private_key(65537, 2048), None, "not EC P-256"),
        (ec.generate_private_key(ec.SECP384R1()), None, "not EC P-256"),
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA384(), "SHA-256"),
    ],
    ids=["rsa", "p-384", "sha-384"],
)
def test_a_request_of_another_kind_is_not_signed(
    folder: Path,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    algorithm: hashes.SHA384 | None,
    text: str,
) -> None:
    csr = request(folder / "a.csr", "BC-1", key, algorithm)
    with pytest.raises(EvidenceError, match=text):
        open_authority(folder).sign(csr, "BC-1", UTC_NS, 30)
    assert read_register(folder).certificates == ()


def test_a_request_for_another_camera_is_not_signed(folder: Path) -> None:
    csr = request(folder / "a.csr", "BC-2")
    with pytest.raises(EvidenceError, match="for BC-2, not for BC-1"):
        open_authority(folder).sign(csr, "BC-1", UTC_NS, 30)


def test_a_request_by_somebody_without_the_key_is_not_signed(folder: Path) -> None:
    csr = x509.load_pem_x509_csr(request(folder / "a.csr", "BC-1").read_bytes())
    spoilt = bytearray(csr.public_bytes(serialization.Encoding.DER))
    spoilt[-1] ^= 1
    bad = x509.load_der_x509_csr(bytes(spoilt))
    (folder / "a.csr").write_bytes(bad.public_bytes(PEM))
    with pytest.raises(EvidenceError, match="signature does not hold"):
        open_authority(folder).sign(folder / "a.csr", "BC-1", UTC_NS, 30)


def test_one_key_is_one_camera(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    authority = open_authority(folder)
    authority.sign(request(folder / "a.csr", "BC-1", key), "BC-1", UTC_NS, 30)
    with pytest.raises(EvidenceError, match="is that of BC-1"):
        authority.sign(request(folder / "b.csr", "BC-2", key), "BC-2", UTC_NS, 30)


def test_a_second_certificate_is_wanted_expressly(folder: Path) -> None:
    authority = open_authority(folder)
    authority.sign(request(folder / "a.csr", "BC-1"), "BC-1", UTC_NS, 30)
    again = request(folder / "b.csr", "BC-1")
    with pytest.raises(ConfigError, match="--renew"):
        authority.sign(again, "BC-1", UTC_NS, 30)
    authority.sign(again, "BC-1", UTC_NS, 30, renew=True)
    assert len(authority.revoke("BC-1", UTC_NS, UTC_NS, REASON)) == 2
    # Expired or revoked, a camera is free for a new one.
    authority.sign(request(folder / "c.csr", "BC-1"), "BC-1", UTC_NS, 30)


def test_no_certificate_outlives_its_authority(folder: Path) -> None:
    csr = request(folder / "a.csr", "BC-1")
    with pytest.raises(ConfigError, match="is valid until 2036"):
        open_authority(folder).sign(csr, "BC-1", UTC_NS + 9 * 365 * DAY_NS, 730)


@pytest.mark.parametrize("device", ["", "a" * 33, "a b", "-x", "../x", "é"])
def test_a_device_name_is_one_that_a_camera_can_have(folder: Path, device: str) -> None:
    with pytest.raises(ConfigError, match="device"):
        open_authority(folder).sign(folder / "a.csr", device, UTC_NS, 30)


def test_a_revocation_is_never_taken_back_or_moved_later(folder: Path) -> None:
    authority = open_authority(folder)
    leaf, _ = authority.sign(request(folder / "a.csr", "BC-1"), "BC-1", UTC_NS, 30)
    serial = f"{leaf.serial_number:x}"
    authority.revoke(serial, UTC_NS + 100 * NS, UTC_NS + DAY_NS, REASON)
    with pytest.raises(ConfigError, match="not moved to a later time"):
        authority.revoke(serial, UTC_NS + 200 * NS, UTC_NS + DAY_NS, REASON)
    (earlier,) = authority.revoke(serial, UTC_NS, UTC_NS + DAY_NS, REASON)
    assert earlier.revoked_from == "2026-05-28T20:26:40.000Z"
    with pytest.raises(ConfigError, match="in the future"):
        authority.revoke(serial, UTC_NS + DAY_NS, UTC_NS, REASON)
    with pytest.raises(ConfigError, match="nothing was issued"):
        authority.revoke("BC-9", UTC_NS, UTC_NS, REASON)


def test_a_damaged_register_stops_everything(folder: Path) -> None:
    path = folder / "register.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CannotOpen, match="Put back a copy"):
        open_authority(folder).sign(request(folder / "a.csr", "BC-1"), "BC-1", UTC_NS, 30)


def test_two_commands_do_not_change_an_authority_at_once(folder: Path) -> None:
    with held(folder), pytest.raises(StorageError, match="another command"):
        open_authority(folder).renew_list(UTC_NS)


def test_an_authority_is_never_replaced_not_even_without_its_root_key(folder: Path) -> None:
    (folder / "root.key").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigError, match="there already"):
        init_authority(folder, "North Police", UTC_NS)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_that_is_there_is_not_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csr = request(folder / "a.csr", "BC-1")
    (folder / "device.pem").write_bytes(b"precious")
    code, said = refused(
        capsys, "sign", csr, "--authority", folder, "--device", "BC-1",
        "--out", folder / "device.pem",
    )  # fmt: skip
    assert (code, "there already" in said) == (2, True)
    assert read_register(folder).certificates == ()


# -- passphrases ---------------------------------------------------------------------------------


def test_keys_can_be_encrypted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, wrong = tmp_path / "secret", tmp_path / "wrong"
    for path, text in ((secret, "correct horse\n"), (wrong, "battery staple\n")):
        path.write_text(text)
        path.chmod(0o600)
    folder = tmp_path / "authority"
    run(capsys, "init", "--out", folder, "--force", "N", "--passphrase-file", secret)
    assert b"ENCRYPTED" in (folder / "intermediate.key").read_bytes()
    assert b"ENCRYPTED" in (folder / "root.key").read_bytes()
    run(capsys, "crl", "--authority", folder, "--passphrase-file", secret)
    code, said = refused(capsys, "crl", "--authority", folder, "--passphrase-file", wrong)
    assert (code, "wrong passphrase" in said) == (6, True)
    secret.chmod(0o644)
    code, said = refused(capsys, "crl", "--authority", folder, "--passphrase-file", secret)
    assert (code, "lets others read it" in said) == (6, True)


def test_nobody_is_asked_where_nobody_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    init_authority(tmp_path / "authority", "N", UTC_NS, b"secret")
    with Path(os.devnull).open(encoding="ascii") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        code, said = refused(capsys, "crl", "--authority", tmp_path / "authority")
    assert (code, "--passphrase-file" in said) == (6, True)


# -- the camera's side ---------------------------------------------------------------------------


def test_asking_again_keeps_the_cameras_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("csr", "--identity", tmp_path / "identity", "--device", "BC-1")
    run(capsys, *words)
    key = (tmp_path / "identity" / "device.key").read_bytes()
    run(capsys, *words)
    assert (tmp_path / "identity" / "device.key").read_bytes() == key
    assert stat.S_IMODE((tmp_path / "identity" / "device.key").stat().st_mode) == 0o600


# -- recipients ----------------------------------------------------------------------------------


def test_a_recipient_has_a_key_pair_that_cameras_and_custodians_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "identity" / "recipients"
    told = run(capsys, "recipient", "new", "custody", "--out", folder)
    (public,) = load_recipients(tmp_path / "identity")
    private = load_private_key(Path(told["private"]))
    assert private.public_key() == public
    assert told["kid"] == thumbprint(public)
    assert stat.S_IMODE(Path(told["private"]).stat().st_mode) == 0o600
    (listed,) = run(capsys, "recipient", "list", folder)["recipients"]
    assert (listed["name"], listed["kid"]) == ("custody", told["kid"])


def test_a_recipients_key_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "recipient", "new", "custody", "--out", tmp_path)
    key = (tmp_path / "custody.key").read_bytes()
    code, said = refused(capsys, "recipient", "new", "custody", "--out", tmp_path)
    assert (code, "there already" in said) == (2, True)
    assert (tmp_path / "custody.key").read_bytes() == key
    code, _ = refused(capsys, "recipient", "new", "../custody", "--out", tmp_path)
    assert code == 2


def test_a_folder_with_something_else_is_no_list_of_recipients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.pem").write_bytes(b"x")
    code, said = refused(capsys, "recipient", "list", tmp_path)
    assert (code, "x.pem" in said) == (6, True)

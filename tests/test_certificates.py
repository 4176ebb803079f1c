"""What a certificate is worth: when it signed, now, and after it was revoked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bodycam.certificates import (
    ChainVerdict,
    SigningTime,
    Standing,
    Trust,
    TrustPolicy,
    judge_chain,
)
from bodycam.cli import main
from bodycam.clock import NS, ClockSource, utc_from_text, utc_text
from bodycam.custody.findings import Check, Verdict
from bodycam.custody.verify import Report, verify_paths
from bodycam.errors import CannotOpen
from bodycam.provision.authority import open_authority
from bodycam.provision.identity import Identity, make_identity
from bodycam.provision.profile import Issuer, Revoked, revocation_list
from bodycam.revocation import load_crls
from bodycam.signing import FileKey, load_file_key, load_root

from .evidence import (
    DEVICE,
    RECORDING,
    START_NS,
    UTC_NS,
    Camera,
    Evidence,
    SteppedClock,
    build_store,
    footage,
)
from .hostile_certificates import HOSTILE, NOW, Wanted, chain_of, der, leaf, make, middle, root

DAY_NS = 86_400 * NS
YEAR_NS = 365 * DAY_NS
NOW_NS = int(NOW.timestamp()) * NS
REASON = x509.ReasonFlags.key_compromise


def at(utc_ns: int, unc_ms: int = 5) -> SigningTime:
    return SigningTime.of(utc_ns, "ntp", unc_ms)


# -- chains by themselves ------------------------------------------------------------------------


def test_a_good_chain_is_trusted() -> None:
    good = chain_of(leaf(), middle(), root())
    verdict = judge_chain(der(good), TrustPolicy(good[-1], (), NOW_NS), at(NOW_NS))
    assert (verdict.trust, verdict.device) == (Trust.TRUSTED, DEVICE)
    assert (verdict.at_signing, verdict.now) == (Standing.VALID, Standing.VALID)


@pytest.mark.parametrize("what", HOSTILE)
def test_a_chain_that_is_wrong_in_one_thing_is_not_trusted(what: str) -> None:
    builder, trust = HOSTILE[what]
    chain = builder()
    verdict = judge_chain(der(chain), TrustPolicy(chain[-1]), at(NOW_NS))
    assert verdict.trust is trust, verdict.detail
    assert verdict.detail


def test_garbage_is_no_certificate() -> None:
    good = chain_of(leaf(), middle(), root())
    for junk in (b"", b"\x30\x00", der(good)[0][:-9], b"\xff" * 500):
        verdict = judge_chain([junk, der(good)[1]], TrustPolicy(good[-1]), at(NOW_NS))
        assert verdict.trust is Trust.UNKNOWN_ISSUER


def test_without_a_root_nobody_is_known() -> None:
    good = chain_of(leaf(), middle(), root())
    assert judge_chain(der(good), TrustPolicy(None), at(NOW_NS)).trust is Trust.UNKNOWN_ISSUER


# -- time ----------------------------------------------------------------------------------------


def judged(signed: SigningTime, now_ns: int | None = None) -> ChainVerdict:
    """A leaf that is valid from NOW - 1 day to NOW + 900 days."""
    good = chain_of(leaf(), replace(middle(), ends=NOW.replace(year=2046)), root())
    return judge_chain(der(good), TrustPolicy(good[-1], (), now_ns), signed)


def test_what_has_expired_since_takes_nothing_back() -> None:
    verdict = judged(at(NOW_NS), NOW_NS + 10 * YEAR_NS)
    assert (verdict.trust, verdict.at_signing) == (Trust.TRUSTED, Standing.VALID)
    assert verdict.now is Standing.EXPIRED
    assert f"expired since: {DEVICE} on 2028-11-17" in verdict.detail


def test_the_interval_of_the_clock_decides_at_the_edge() -> None:
    end_ns = NOW_NS + 900 * DAY_NS
    assert judged(at(end_ns - 60 * NS, 5_000)).at_signing is Standing.VALID
    unsure = judged(at(end_ns, 5_000))
    assert (unsure.trust, unsure.at_signing) == (Trust.TRUSTED, Standing.NOT_KNOWN)
    assert any("was valid when it signed" in note for note in unsure.not_known)
    assert judged(at(end_ns + 60 * NS, 5_000)).trust is Trust.EXPIRED


def test_a_clock_that_was_not_set_proves_no_validity_and_costs_no_trust() -> None:
    verdict = judged(SigningTime.of(0, "none", 0))
    assert (verdict.trust, verdict.at_signing) == (Trust.TRUSTED, Standing.NOT_KNOWN)
    assert any("clock was not set" in note for note in verdict.not_known)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_no_claim_of_a_record_is_too_wild_to_be_judged(text: str) -> None:
    wild = judged(at(utc_from_text(text), 2**40))
    assert wild.trust in (Trust.EXPIRED, Trust.NOT_YET_VALID), wild.detail
    unsure = judged(at(NOW_NS, 2**40))
    assert (unsure.trust, unsure.at_signing) == (Trust.TRUSTED, Standing.NOT_KNOWN)


# -- revocation ----------------------------------------------------------------------------------


_MIDDLE, _ROOT = middle(), root()
_CHAIN = [make(leaf(), _MIDDLE), make(_MIDDLE, _ROOT), make(_ROOT, None)]


def listed(
    *revoked: Revoked, by: Wanted = _MIDDLE, made_ns: int = NOW_NS, days: int = 30
) -> x509.CertificateRevocationList:
    assert isinstance(by.key, ec.EllipticCurvePrivateKey)
    certificate = _CHAIN[2] if by is _ROOT else _CHAIN[1]
    unmarked = Issuer(by.key, _marked(certificate, by))
    return revocation_list(unmarked, revoked, 1, made_ns, days)


def _marked(certificate: x509.Certificate, by: Wanted) -> x509.Certificate:
    """The same issuer with a key identifier, which our own authorities have."""
    return (
        x509.CertificateBuilder(certificate.issuer, certificate.subject, by.key.public_key(), 9)
        .not_valid_before(by.begins)
        .not_valid_after(by.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(by.key.public_key()), False)
        .sign(_ROOT.key, _ROOT.hash)
    )


def entry(from_ns: int, serial: int = _CHAIN[0].serial_number) -> Revoked:
    return Revoked(serial, from_ns, from_ns + DAY_NS, REASON)


def asked(
    crls: Sequence[x509.CertificateRevocationList], signed: SigningTime, now_ns: int = NOW_NS
) -> ChainVerdict:
    return judge_chain(der(_CHAIN), TrustPolicy(_CHAIN[-1], crls, now_ns), signed)


def test_what_was_signed_before_the_revocation_is_still_trusted_and_it_is_said() -> None:
    verdict = asked([listed(entry(NOW_NS))], at(NOW_NS - 60 * NS))
    assert (verdict.trust, verdict.at_signing) == (Trust.TRUSTED, Standing.VALID)
    assert (verdict.now, verdict.revoked_from_ns) == (Standing.REVOKED, NOW_NS)
    assert "signed before that" in verdict.detail
    assert "keyCompromise" in verdict.detail


@pytest.mark.parametrize(
    ("signed", "text"),
    [
        (at(NOW_NS + 60 * NS), "signed after"),
        # The day between being lost and being revoked belongs to whoever found it.
        (at(NOW_NS + DAY_NS // 2), "signed after"),
        (at(NOW_NS, 5_000), "cannot tell"),
        (SigningTime.of(0, "none", 0), "not known"),
    ],
)
def test_nothing_else_of_a_revoked_camera_is_trusted(signed: SigningTime, text: str) -> None:
    verdict = asked([listed(entry(NOW_NS))], signed)
    assert (verdict.trust, verdict.at_signing) == (Trust.REVOKED, Standing.REVOKED)
    assert text in verdict.detail


def test_a_revocation_that_came_later_mends_nothing_that_was_wrong() -> None:
    crl = listed(entry(NOW_NS + 2000 * DAY_NS))
    assert asked([crl], at(NOW_NS + 1000 * DAY_NS)).trust is Trust.EXPIRED


def test_a_revoked_device_authority_takes_its_cameras_with_it() -> None:
    crl = listed(entry(NOW_NS, _CHAIN[1].serial_number), by=_ROOT)
    assert asked([crl], at(NOW_NS + NS)).trust is Trust.REVOKED


def test_an_entry_in_an_old_list_holds_for_ever() -> None:
    later = NOW_NS + 10 * YEAR_NS
    assert asked([listed(entry(NOW_NS))], at(NOW_NS + NS), later).trust is Trust.REVOKED


@pytest.mark.parametrize(
    ("crls", "text"),
    [
        ([], "no revocation list was given"),
        ([listed(made_ns=NOW_NS - 60 * DAY_NS)], "was to be replaced by 2026-05-02"),
        ([listed(by=Wanted("middle"))], "is not signed by its issuer"),
    ],
    ids=["none", "stale", "forged"],
)
def test_what_no_list_can_tell_is_said_and_costs_no_trust(
    crls: list[x509.CertificateRevocationList], text: str
) -> None:
    verdict = asked(crls, at(NOW_NS))
    assert verdict.trust is Trust.TRUSTED
    assert any("was revoked" in note and text in note for note in verdict.not_known)


def test_a_forged_list_revokes_nobody() -> None:
    forged = listed(entry(NOW_NS - DAY_NS), by=Wanted("middle"))
    assert asked([forged], at(NOW_NS)).trust is Trust.TRUSTED


def test_a_fresh_list_without_the_camera_leaves_nothing_open() -> None:
    verdict = asked([listed(entry(NOW_NS, serial=12345))], at(NOW_NS), NOW_NS + DAY_NS)
    assert (verdict.trust, verdict.now, verdict.not_known) == (Trust.TRUSTED, Standing.VALID, ())


def test_a_file_that_is_no_list_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "crl.pem").write_bytes(b"nothing")
    with pytest.raises(CannotOpen, match="no revocation list"):
        load_crls(tmp_path / "crl.pem")
    damaged = listed().public_bytes(serialization.Encoding.PEM).replace(b"MI", b"AA", 1)
    (tmp_path / "crl.pem").write_bytes(damaged)
    with pytest.raises(CannotOpen, match="not a revocation list"):
        load_crls(tmp_path / "crl.pem")


# -- a store, ten years later --------------------------------------------------------------------

LOST_NS = UTC_NS + DAY_NS // 2
LATER_NS = UTC_NS + 10 * YEAR_NS
SECOND = "0b8c9d2e-2222-4222-8333-444455556666"


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A camera that recorded one day, was lost, and recorded again the day after."""
    folder = tmp_path_factory.mktemp("lost")
    camera = Camera(folder)
    shot = footage(2)
    camera.record(shot)
    camera.record([replace(unit, at_ns=unit.at_ns + DAY_NS) for unit in shot], SECOND)
    camera.stop()
    authority = open_authority(camera.identity.authority)
    authority.revoke(DEVICE, LOST_NS, LOST_NS + 2 * DAY_NS, REASON)
    return Evidence(camera.store.root, camera.identity, RECORDING, shot)


def ten_years_later(evidence: Evidence, *crls: Path) -> Report:
    return verify_paths([evidence.store], evidence.root, crls=crls, now_utc_ns=LATER_NS)


def crl_of(evidence: Evidence) -> Path:
    return evidence.identity.authority / "crl.pem"


def test_an_expired_camera_is_still_a_witness_in_ten_years(tmp_path: Path) -> None:
    evidence = build_store(tmp_path, units=footage(2))
    report = ten_years_later(evidence)
    assert (report.verdict, report.exit_code) == (Verdict.INTACT, 0)
    signer = report.segments[0].signer
    assert (signer.at_signing, signer.now) == (Standing.VALID, Standing.EXPIRED)
    assert any("no revocation list was given" in note for note in report.not_known)


def test_a_lost_camera_is_believed_up_to_its_loss(lost: Evidence) -> None:
    report = ten_years_later(lost, crl_of(lost))
    assert report.exit_code == 5
    verdicts = {r.recording: r.verdict for r in report.recordings}
    assert verdicts == {RECORDING: Verdict.INTACT, SECOND: Verdict.UNTRUSTED}
    before, after = (r.segments[0].signer for r in report.recordings)
    assert (before.trust, before.at_signing, before.now) == (
        Trust.TRUSTED, Standing.VALID, Standing.REVOKED,
    )  # fmt: skip
    assert (after.trust, after.at_signing) == (Trust.REVOKED, Standing.REVOKED)
    assert any(f.check is Check.CERTIFICATE and "revoked" in f.text for f in report.findings)


def test_the_list_beside_the_evidence_is_found_from_a_segment_too(
    lost: Evidence, tmp_path: Path
) -> None:
    copy = lost.copy(tmp_path)
    (copy.store / "trust").mkdir()
    (copy.store / "trust" / "crl.pem").write_bytes(crl_of(lost).read_bytes())
    second = copy.store / "evidence" / SECOND
    for place in (copy.store, second, next(second.glob("*.mp4"))):
        report = verify_paths([place], copy.root, now_utc_ns=LATER_NS)
        assert report.exit_code == 5, place
        assert any(f.check is Check.CERTIFICATE and "revoked" in f.text for f in report.findings)


def test_a_damaged_list_beside_the_evidence_is_said_and_changes_nothing(
    lost: Evidence, tmp_path: Path
) -> None:
    copy = lost.copy(tmp_path)
    (copy.store / "trust").mkdir()
    (copy.store / "trust" / "crl.pem").write_bytes(b"not a list")
    report = verify_paths([copy.folder], copy.root, now_utc_ns=LATER_NS)
    assert report.exit_code == 0
    assert any("revocation list beside the evidence" in note for note in report.not_known)


def test_the_command_answers_offline_and_with_exit_codes(
    lost: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(lost.folder), "--trust", str(lost.identity.root), "--at", "2036-05-25T00:00:00Z"]
    assert main(["verify", *words, "--crl", str(crl_of(lost)), "--json"]) == 0
    (segment,) = json.loads(capsys.readouterr().out)["recordings"][0]["segments"][:1]
    assert segment["signer"]["now"] == "revoked"
    assert segment["signer"]["revoked_from"] == utc_text(LOST_NS)
    second = str(lost.store / "evidence" / SECOND)
    assert main(["verify", second, *words[1:], "--crl", str(crl_of(lost))]) == 5
    assert "was revoked" in capsys.readouterr().out
    assert main(["verify", *words, "--crl", str(lost.log)]) == 6
    assert main(["verify", *words[:-1], "tomorrow"]) == 2


# -- what a camera can be given ------------------------------------------------------------------


def test_a_camera_with_another_cameras_certificate_is_found_out(tmp_path: Path) -> None:
    mine = make_identity(tmp_path / "mine", DEVICE, UTC_NS)
    other = make_identity(tmp_path / "other", "cam-0002", UTC_NS)
    key = serialization.load_pem_private_key((mine.identity / "device.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    chain = x509.load_pem_x509_certificates((other.identity / "device.pem").read_bytes())
    report = recorded(tmp_path, other, FileKey(key, chain))
    assert report.exit_code == 4
    assert any(f.check is Check.SIGNATURE for f in report.findings)


def test_a_camera_under_another_name_than_its_certificates_is_found_out(tmp_path: Path) -> None:
    other = make_identity(tmp_path / "other", "cam-0002", UTC_NS)
    report = recorded(tmp_path, other, load_file_key(other.identity))
    assert report.exit_code == 4
    assert any(f.check is Check.HEAD and "cam-0002" in f.text for f in report.findings)


@pytest.mark.parametrize("what", ["RSA leaf", "P-384 leaf"])
def test_a_key_of_another_kind_signs_nothing_that_can_be_checked(tmp_path: Path, what: str) -> None:
    chain = HOSTILE[what][0]()
    key = ec.generate_private_key(ec.SECP256R1())
    camera = Camera(tmp_path / "camera", signer=FileKey(key, chain[:-1]))
    camera.record(footage(2))
    camera.stop(orderly=False)
    assert verify_paths([camera.store.root / "evidence"], chain[-1]).exit_code == 4


def recorded(folder: Path, force: Identity, signer: FileKey) -> Report:
    camera = Camera(folder / "camera", signer=signer)
    camera.record(footage(2))
    camera.stop()
    return verify_paths([camera.store.root], load_root(force.root))


def test_a_camera_whose_clock_was_not_set_is_trusted_and_its_validity_is_not_known(
    tmp_path: Path,
) -> None:
    camera = Camera(tmp_path, clock=SteppedClock(START_NS, ClockSource.NONE))
    camera.record(footage(2))
    camera.stop()
    report = verify_paths([camera.store.root], load_root(camera.identity.root))
    assert report.segments[0].signer.at_signing is Standing.NOT_KNOWN
    assert report.exit_code == 0
    assert any("clock was not set" in note for note in report.not_known)


# -- somebody else's reading ---------------------------------------------------------------------


def openssl_says(evidence: Evidence, folder: Path, at_ns: int) -> str:
    """What `openssl verify` says of the chain that a segment carries, at a time."""
    report = verify_paths([evidence.segments[0]], evidence.root)
    names = ("leaf.pem", "issuer.pem")
    for name, one in zip(names, report.segments[0].certificates, strict=True):
        pem = x509.load_der_x509_certificate(one).public_bytes(serialization.Encoding.PEM)
        (folder / name).write_bytes(pem)
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-crl_check", "-attime", str(at_ns // NS),
         "-CAfile", str(evidence.identity.root), "-untrusted", "issuer.pem",
         "-CRLfile", str(crl_of(evidence)), "leaf.pem"],
        check=False, cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_openssl_follows_our_chain_and_list(lost: Evidence, tmp_path: Path) -> None:
    good = build_store(tmp_path / "good", units=footage(2))
    assert openssl_says(good, tmp_path, UTC_NS + DAY_NS) == "leaf.pem: OK\n"
    assert "certificate has expired" in openssl_says(good, tmp_path, UTC_NS + 4 * YEAR_NS)
    assert "certificate revoked" in openssl_says(lost, tmp_path, LOST_NS + 3 * DAY_NS)

"""A C2PA manifest in an exported clip, read by c2pa-python's reader."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bodycam.custody.c2pastamp import SEGMENTS_LABEL, C2paStamp
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.export import Order, export
from bodycam.custody.result import ExportResult
from bodycam.errors import CannotOpen

from .evidence import Evidence, build_store, footage

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Desk:
    """A force root that C2PA viewers are told to trust, and the exporter's credential under it."""

    root: str
    certificates: Path
    key: Path


def make_desk(
    folder: Path, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION
) -> Desk:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("Example Police C2PA root", root_key, None, root_key, usage)
    leaf = certificate("Evidence desk 1", key, root, root_key, usage)
    folder.mkdir(exist_ok=True)
    (folder / "desk.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "desk.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    pem = root.public_bytes(serialization.Encoding.PEM).decode()
    return Desk(pem, folder / "desk.pem", folder / "desk.key")


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier,
) -> x509.Certificate:  # fmt: skip
    ca = issuer is None
    subject = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Police"),
        x509.NameAttribute(NameOID.COMMON_NAME, name),
    ])  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=ca, crl_sign=ca,
                encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )  # fmt: skip
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), units=footage(2), segment_s=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def stamped(
    evidence: Evidence, desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> ExportResult:
    order = Order(
        [evidence.store], evidence.custody_key, evidence.root,
        stamp=C2paStamp(desk.certificates, desk.key),
    )  # fmt: skip
    return export(order, tmp_path_factory.mktemp("out") / "clip.mp4")


def read(clip: Path, anchor: str | None) -> tuple[str, dict[str, Any]]:
    """What the reader answers, with our root as its only anchor, or with none of ours."""
    settings: dict[str, Any] = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    }
    if anchor is not None:
        settings["trust"] = {"trust_anchors": anchor}
    context = c2pa.Context(c2pa.Settings.from_dict(settings))
    with clip.open("rb") as file, c2pa.Reader("video/mp4", file, context=context) as reader:
        return str(reader.get_validation_state()), json.loads(reader.json())


def test_the_reader_trusts_it_with_our_root(stamped: ExportResult, desk: Desk) -> None:
    state, told = read(stamped.clip, desk.root)
    assert state == "Trusted"
    assert told["validation_results"]["activeManifest"]["failure"] == []
    active = told["manifests"][told["active_manifest"]]
    assert active["title"] == "clip.mp4"
    assert active["signature_info"]["common_name"] == "Evidence desk 1"


def test_a_viewer_that_does_not_know_our_root_says_so(stamped: ExportResult) -> None:
    assert read(stamped.clip, None)[0] == "Valid"


def test_it_names_the_segments_by_their_hashes(
    evidence: Evidence, stamped: ExportResult, desk: Desk
) -> None:
    _, told = read(stamped.clip, desk.root)
    active = told["manifests"][told["active_manifest"]]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in evidence.segments]
    assert [i["instance_id"] for i in active["ingredients"]] == [f"sha256:{d}" for d in digests]
    (assertion,) = (a for a in active["assertions"] if a["label"] == SEGMENTS_LABEL)
    assert [s["sha256"] for s in assertion["data"]["segments"]] == digests
    assert [s["file"] for s in assertion["data"]["segments"]] == [p.name for p in evidence.segments]


def test_a_changed_picture_is_found_by_the_reader(
    stamped: ExportResult, desk: Desk, tmp_path: Path
) -> None:
    raw = bytearray(stamped.clip.read_bytes())
    raw[raw.rindex(b"mdat") + 2000] ^= 1
    (tmp_path / "clip.mp4").write_bytes(raw)
    state, told = read(tmp_path / "clip.mp4", desk.root)
    assert state == "Invalid"
    codes = [f["code"] for f in told["validation_results"]["activeManifest"]["failure"]]
    assert codes == ["assertion.bmffHash.mismatch"]


def test_the_clip_proves_as_well_with_it(evidence: Evidence, stamped: ExportResult) -> None:
    report = verify_clip(stamped.clip, stamped.manifest, evidence.root)
    assert report.exit_code == 0
    assert report.clip is not None
    assert report.clip.same_file


def test_a_certificate_that_does_not_serve_leaves_no_clip(
    evidence: Evidence, tmp_path: Path
) -> None:
    wrong = make_desk(tmp_path / "desk", ExtendedKeyUsageOID.SERVER_AUTH)
    order = Order([evidence.store], evidence.custody_key, evidence.root,
                  stamp=C2paStamp(wrong.certificates, wrong.key))  # fmt: skip
    with pytest.raises(CannotOpen, match="emailProtection"):
        export(order, tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["desk"]


def test_a_missing_key_is_said_before_anything_is_opened(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match=r"nothing.key"):
        C2paStamp(desk.certificates, tmp_path / "nothing.key")

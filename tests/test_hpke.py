"""Post-quantum wrapping, and keys that are wrapped before they are needed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bodycam.contentkeys import ContentKeys, load_pq_recipients
from bodycam.custody.choice import WHOLE
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.export import Order, export
from bodycam.custody.openingkey import load_opening_key
from bodycam.errors import CannotOpen, ConfigError, EvidenceError
from bodycam.formats.boxes import descend
from bodycam.formats.hpkewrap import (
    MAX_HPKE_BYTES,
    PqPrivateKey,
    PqPublicKey,
    hpke_recipients_of,
    hpke_unwrap,
    hpke_wrap,
    load_pq_private,
    load_pq_public,
)
from bodycam.formats.keywrap import b64u, b64u_bytes, unwrap
from bodycam.formats.mp4read import InitSegment, read_init
from bodycam.signing import load_private_key, load_recipients

from .evidence import Camera, Evidence, footage

KEY, KID, SEGMENT = b"k" * 16, b"i" * 16, "0b8c9d2e-1111-4222-8333-444455556666/0"


@pytest.fixture(scope="module")
def pair() -> tuple[PqPrivateKey, PqPrivateKey]:
    return PqPrivateKey.generate(), PqPrivateKey.generate()


@pytest.fixture
def sealed(pair: tuple[PqPrivateKey, PqPrivateKey]) -> bytes:
    return hpke_wrap([private.public_key() for private in pair], KEY, KID, SEGMENT)


# -- the document ------------------------------------------------------------------------------


def test_each_recipient_opens_it(pair: tuple[PqPrivateKey, PqPrivateKey], sealed: bytes) -> None:
    assert [hpke_unwrap(sealed, private, KID, SEGMENT) for private in pair] == [KEY, KEY]
    assert hpke_recipients_of(sealed) == [private.public_key().kid for private in pair]


def test_a_stranger_is_told_whose_it_is(sealed: bytes) -> None:
    with pytest.raises(CannotOpen, match="not addressed to this key") as caught:
        hpke_unwrap(sealed, PqPrivateKey.generate(), KID, SEGMENT)
    assert hpke_recipients_of(sealed)[0] in caught.value.next_step


@pytest.mark.parametrize("segment", [SEGMENT[:-1] + "1", "another-recording/0", ""])
def test_it_opens_in_no_other_segment(
    pair: tuple[PqPrivateKey, PqPrivateKey], sealed: bytes, segment: str
) -> None:
    with pytest.raises(CannotOpen, match="damaged, or of another segment"):
        hpke_unwrap(sealed, pair[0], KID, segment)


def test_it_opens_for_no_other_key_id(
    pair: tuple[PqPrivateKey, PqPrivateKey], sealed: bytes
) -> None:
    with pytest.raises(CannotOpen, match="another segment"):
        hpke_unwrap(sealed, pair[0], b"j" * 16, SEGMENT)


@pytest.mark.parametrize("member", ["enc", "ct"])
@pytest.mark.parametrize("at", [0, 7, -1])
def test_a_flipped_bit_is_found(
    pair: tuple[PqPrivateKey, PqPrivateKey], sealed: bytes, member: str, at: int
) -> None:
    document = json.loads(sealed)
    raw = bytearray(b64u_bytes(document["recipients"][0][member]))
    raw[at] ^= 1
    document["recipients"][0][member] = b64u(bytes(raw))
    with pytest.raises(CannotOpen, match="damaged"):
        hpke_unwrap(json.dumps(document).encode(), pair[0], KID, SEGMENT)


def _without(name: str) -> dict[str, Any]:
    full = {"v": 1, "suite": {"kem": 25722, "kdf": 1, "aead": 2}, "recipients": [{"kid": "x"}]}
    return {key: value for key, value in full.items() if key != name}


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[" * 50_000, b"null", b"[]", b"\xff", b"{}",
        *(json.dumps(_without(name)).encode() for name in ("v", "suite", "recipients")),
        json.dumps({**_without(""), "v": 2}).encode(),
        json.dumps({**_without(""), "suite": {"kem": 16, "kdf": 1, "aead": 2}}).encode(),
        json.dumps({**_without(""), "recipients": []}).encode(),
        json.dumps({**_without(""), "recipients": [{}]}).encode(),
        json.dumps({**_without(""), "recipients": [{"kid": "x"}] * 17}).encode(),
        b"{" + b" " * MAX_HPKE_BYTES + b"}",
    ],
)  # fmt: skip
def test_what_is_no_such_document_is_an_evidence_error(document: bytes) -> None:
    with pytest.raises(EvidenceError):
        hpke_recipients_of(document)


def test_the_fields_of_a_recipient_may_be_anything(pair: tuple[PqPrivateKey, PqPrivateKey]) -> None:
    for wrong in ({}, {"enc": 5, "ct": None}, {"enc": "!", "ct": ""}, {"enc": "", "ct": ""}):
        entry = {"kid": pair[0].public_key().kid, **wrong}
        document = json.dumps({**_without(""), "recipients": [entry]}).encode()
        with pytest.raises(CannotOpen):
            hpke_unwrap(document, pair[0], KID, SEGMENT)


# -- keys in files -----------------------------------------------------------------------------


def test_keys_go_through_pem_unchanged(pair: tuple[PqPrivateKey, PqPrivateKey]) -> None:
    assert load_pq_private(pair[0].pem()) == pair[0]
    assert load_pq_public(pair[0].public_key().pem()) == pair[0].public_key()
    assert pair[0].pem().startswith(b"-----BEGIN PRIVATE KEY-----\nMDQCAQAwDQYLKwYBBAGD5i2ByHoEI")
    assert "seed" not in repr(pair[0])


def test_a_seed_always_grows_into_the_same_key() -> None:
    # SHAKE-256 of the seed, as X-Wing says: another program grows the same.
    assert PqPrivateKey(bytes(32)).public_key().kid == "O7CwA_VT9J84urMVRrf0_dMjx0y_Sq-X2XA-3k6D7_c"


def test_recipients_are_read_in_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "recipients-pq").mkdir()
    keys = {name: PqPrivateKey.generate().public_key() for name in ("b", "a")}
    for name, key in keys.items():
        (tmp_path / "recipients-pq" / f"{name}.pem").write_bytes(key.pem())
    assert load_pq_recipients(tmp_path) == [keys["a"], keys["b"]]
    assert load_pq_recipients(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_a_file_that_is_no_recipients_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipients-pq").mkdir()
    (tmp_path / "recipients-pq" / "x.pem").write_bytes(content)
    with pytest.raises(ConfigError, match=r"recipients-pq/x.pem: not a post-quantum"):
        load_pq_recipients(tmp_path)


def test_a_public_key_that_is_out_of_range_is_refused() -> None:
    # Coefficients of ML-KEM are below 3329; all ones are not.
    with pytest.raises(ValueError, match=r"."):
        load_pq_public(PqPublicKey(b"\xff" * 1216).pem())


# -- keys ahead --------------------------------------------------------------------------------


def test_the_first_key_of_the_next_recording_is_made_ahead(tmp_path: Path) -> None:
    keys = ContentKeys(load_recipients(Camera(tmp_path).identity.identity))
    keys.prepare()
    prepared = keys._ready
    assert prepared is not None
    recording = keys.new_recording()
    assert recording == prepared.recording
    assert keys.take(recording, 0) is prepared


def test_a_key_is_handed_out_once(tmp_path: Path) -> None:
    keys = ContentKeys(load_recipients(Camera(tmp_path).identity.identity))
    keys.prepare()
    recording = keys.new_recording()
    made = [keys.take(recording, segment) for segment in (0, 0, 1)]
    assert len({content.key for content in made}) == 3
    assert len({content.kid for content in made}) == 3


def test_no_id_is_given_twice_and_none_waits_for_a_key(tmp_path: Path) -> None:
    keys = ContentKeys(load_recipients(Camera(tmp_path).identity.identity))
    keys.prepare()
    assert len({keys.new_recording() for _ in range(10)}) == 10
    assert keys._ready is None


def test_recordings_that_were_refused_leave_no_heap_of_keys(tmp_path: Path) -> None:
    keys = ContentKeys(load_recipients(Camera(tmp_path).identity.identity))
    for _ in range(20):
        keys.prepare()
        keys.new_recording()
    assert len(keys._promised) <= 4


def test_what_nobody_can_open_is_not_made() -> None:
    keys = ContentKeys([])
    keys.prepare()
    with pytest.raises(ValueError, match="no recipients"):
        keys.take(keys.new_recording(), 0)


# -- through recorder, verifier and export -----------------------------------------------------


def recorded(folder: Path, *, classic: bool) -> tuple[Evidence, Path]:
    """A recording that a post-quantum recipient can open, and that one's key."""
    private = PqPrivateKey.generate()
    camera = Camera(folder)
    key = folder / "authority" / "vault.key"
    key.write_bytes(private.pem())
    recipients = load_recipients(camera.identity.identity) if classic else []
    camera.kit = replace(camera.kit, keys=ContentKeys(recipients, [private.public_key()]))
    writer = camera.record(footage(2))
    camera.stop()
    return Evidence(camera.store.root, camera.identity, writer.facts.recording, ()), key


def init_of(segment: Path) -> InitSegment:
    raw = segment.read_bytes()
    moov = descend(raw, 0, len(raw), "moov")
    return read_init(raw[moov.start : moov.end])


@pytest.mark.parametrize("classic", [True, False])
def test_a_post_quantum_recipient_exports(tmp_path: Path, classic: bool) -> None:
    evidence, key = recorded(tmp_path, classic=classic)
    assert evidence.verify().exit_code == 0
    result = export(Order([evidence.store], key, evidence.root, WHOLE), tmp_path / "clip.mp4")
    assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 0


def test_beside_it_the_jwe_is_what_it_was(tmp_path: Path) -> None:
    evidence, key = recorded(tmp_path, classic=True)
    init, name = init_of(evidence.segments[0]), f"{evidence.recording}/0"
    private = load_private_key(evidence.custody_key)
    assert unwrap(init.wrapped, private, init.kid, name) == load_opening_key(key).open(init, name)


def test_without_the_classic_recipients_their_keys_do_not_open(tmp_path: Path) -> None:
    evidence, _ = recorded(tmp_path, classic=False)
    assert init_of(evidence.segments[0]).wrapped == b""
    with pytest.raises(CannotOpen, match="post-quantum recipients only"):
        export(Order([evidence.store], evidence.custody_key, evidence.root), tmp_path / "c.mp4")


def test_a_changed_document_is_altered_evidence(tmp_path: Path) -> None:
    evidence, _ = recorded(tmp_path, classic=True)
    raw = bytearray(evidence.segments[0].read_bytes())
    raw[raw.index(b'"enc":"') + 20] ^= 1
    evidence.segments[0].write_bytes(raw)
    report = evidence.verify()
    assert report.exit_code == 4
    assert report.segments[0].findings[0].place == "head"


# -- made by the authority ---------------------------------------------------------------------


def test_the_authority_makes_a_post_quantum_recipient(tmp_path: Path) -> None:
    made = authority("new", "vault", "--out", str(tmp_path), "--post-quantum", "--json")
    assert "recipients-pq" in made["next"]
    private = load_pq_private((tmp_path / "vault.key").read_bytes())
    assert load_pq_public((tmp_path / "vault.pem").read_bytes()) == private.public_key()
    assert made["kid"] == private.public_key().kid
    assert (tmp_path / "vault.key").stat().st_mode & 0o777 == 0o600
    assert [one["kid"] for one in authority("list", str(tmp_path), "--json")["recipients"]] == [
        made["kid"]
    ]


def authority(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "authority", "recipient", *arguments],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))

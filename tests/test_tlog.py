"""Tree, proofs, checkpoints and proof files: RFC 6962 and C2SP, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from bodycam.dock.witness import MAX_REQUEST_BYTES, parse_request
from bodycam.errors import EvidenceError
from bodycam.formats import tlog
from bodycam.formats.checkpoint import (
    Checkpoint,
    NoteSignature,
    WitnessKey,
    checkpoint_body,
    cosign,
    cosigned_at,
    device_key_id,
    parse_checkpoint_unverified,
    read_witness_key,
)
from bodycam.formats.logproof import (
    InclusionProof,
    LineProof,
    decode_proof,
    encode_proof,
    parse_tlog_proof,
)

# The leaves and roots that Certificate Transparency's implementations share.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_PATH_OF_5_IN_8 = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
CT_FROM_6_TO_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]


def leaves_of(count: int) -> list[bytes]:
    return [tlog.leaf_hash(str(i).encode()) for i in range(count)]


# -- the tree ---------------------------------------------------------------------------------


def test_roots_are_those_of_certificate_transparency() -> None:
    tree = tlog.Tree()
    for leaf, root in zip(CT_LEAVES, CT_ROOTS, strict=True):
        tree.append(leaf)
        assert tree.root().hex() == root
        assert tlog.root_of([tlog.leaf_hash(x) for x in CT_LEAVES[: tree.size]]).hex() == root


@pytest.mark.parametrize("block", [64, 192, 2**16])
def test_the_roots_of_many_beginnings_are_those_of_each(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(tlog, "_BLOCK", block)
    for count in range(35):
        leaves = leaves_of(count)
        expected = {size: tlog.root_of(leaves[:size]) for size in range(count + 1)}
        assert tlog.roots_of(b"".join(leaves), range(count + 1)) == expected
        for size, root in expected.items():
            assert tlog.roots_of(bytearray(b"".join(leaves)), {size}) == {size: root}


def test_proofs_are_those_of_certificate_transparency() -> None:
    leaves = [tlog.leaf_hash(leaf) for leaf in CT_LEAVES]
    assert [h.hex() for h in tlog.inclusion_proof(tlog.levels_of(leaves), 5)] == CT_PATH_OF_5_IN_8
    assert [h.hex() for h in tlog.consistency_proof(leaves, 6)] == CT_FROM_6_TO_8


def test_every_line_of_every_small_tree_is_proven() -> None:
    for size in range(1, 34):
        leaves = leaves_of(size)
        root = tlog.root_of(leaves)
        for index in range(size):
            proof = tlog.inclusion_proof(tlog.levels_of(leaves), index)
            tlog.check_inclusion(leaves[index], index, size, root, proof)


def test_every_small_tree_is_the_beginning_of_every_larger_one() -> None:
    for size in range(34):
        leaves = leaves_of(size)
        root = tlog.root_of(leaves)
        for old in range(size + 1):
            proof = tlog.consistency_proof(leaves, old)
            tlog.check_consistency(old, tlog.root_of(leaves[:old]), size, root, proof)


@given(st.integers(1, 300), st.data())
def test_a_tree_goes_on_from_its_peaks(size: int, data: st.DataObject) -> None:
    stop = data.draw(st.integers(0, size))
    first, whole = tlog.Tree(), tlog.Tree()
    for i in range(stop):
        first.append(str(i).encode())
    second = tlog.Tree(first.size, first.peaks)
    for i in range(size):
        whole.append(str(i).encode())
        if i >= stop:
            second.append(str(i).encode())
    assert (second.size, second.root()) == (whole.size, whole.root())


def test_peaks_that_do_not_fit_the_size_are_refused() -> None:
    with pytest.raises(EvidenceError):
        tlog.Tree(3, [bytes(32)])
    with pytest.raises(EvidenceError):
        tlog.Tree(1, [b"short"])


# -- proofs that lie --------------------------------------------------------------------------


def spoil(proof: list[bytes], how: int, at: int) -> list[bytes]:
    """One hostile change to a proof."""
    changed = list(proof)
    match how:
        case 0:
            changed.append(bytes(32))
        case 1 if changed:
            del changed[at % len(changed)]
        case 2 if changed:
            spot = at % len(changed)
            changed[spot] = bytes([changed[spot][0] ^ 1]) + changed[spot][1:]
        case 3 if len(changed) > 1:
            changed[0], changed[1] = changed[1], changed[0]
        case _:
            changed.insert(0, bytes(32))
    return changed


@given(st.integers(1, 200), st.integers(0, 199), st.integers(0, 4), st.integers(0, 9))
def test_a_spoilt_inclusion_proof_is_refused(size: int, index: int, how: int, at: int) -> None:
    leaves, index = leaves_of(size), index % size
    proof = spoil(tlog.inclusion_proof(tlog.levels_of(leaves), index), how, at)
    with pytest.raises(EvidenceError):
        tlog.check_inclusion(leaves[index], index, size, tlog.root_of(leaves), proof)


@given(st.integers(2, 200), st.integers(0, 199), st.integers(0, 199))
def test_a_proof_of_one_place_is_none_of_another(size: int, index: int, other: int) -> None:
    leaves, index, other = leaves_of(size), index % size, other % size
    proof = tlog.inclusion_proof(tlog.levels_of(leaves), index)
    if other != index:
        with pytest.raises(EvidenceError):
            tlog.check_inclusion(leaves[index], other, size, tlog.root_of(leaves), proof)


@given(st.integers(1, 200), st.integers(0, 199), st.integers(0, 4), st.integers(0, 9))
def test_a_spoilt_consistency_proof_is_refused(size: int, old: int, how: int, at: int) -> None:
    leaves, old = leaves_of(size), old % size
    proof = spoil(tlog.consistency_proof(leaves, old), how, at)
    with pytest.raises(EvidenceError):
        tlog.check_consistency(old, tlog.root_of(leaves[:old]), size, tlog.root_of(leaves), proof)


@given(st.integers(2, 200), st.integers(1, 199), st.integers(0, 199))
def test_a_log_with_one_line_changed_has_no_consistency_proof(
    size: int, old: int, changed: int
) -> None:
    leaves = leaves_of(size)
    old = 1 + old % size
    forged = list(leaves)
    forged[changed % old] = tlog.leaf_hash(b"forged")
    proof = tlog.consistency_proof(forged, old)
    with pytest.raises(EvidenceError, match="two histories"):
        tlog.check_consistency(old, tlog.root_of(leaves[:old]), size, tlog.root_of(forged), proof)


@given(
    st.integers(-5, 300), st.integers(-5, 300),
    st.lists(st.binary(min_size=30, max_size=33), max_size=70),
)  # fmt: skip
def test_junk_is_refused_and_nothing_else_happens(old: int, size: int, proof: list[bytes]) -> None:
    with pytest.raises(EvidenceError):
        tlog.check_inclusion(bytes(32), old, size, b"\1" * 32, proof)
    with pytest.raises(EvidenceError):
        tlog.check_consistency(old, bytes(32), size, b"\1" * 32, proof)


# -- checkpoints ------------------------------------------------------------------------------

ROOT = bytes(range(32))
BODY = checkpoint_body("example/bodycam/BC-1", 17, ROOT)
SIGNED = NoteSignature("example/bodycam/BC-1", b"abcd", b"signature")
NOTE = BODY + b"\n" + SIGNED.line().encode()


def test_a_checkpoint_reads_as_it_was_written() -> None:
    note = parse_checkpoint_unverified(NOTE)
    assert (note.origin, note.size, note.root, note.device) == (
        "example/bodycam/BC-1", 17, ROOT, "BC-1",
    )  # fmt: skip
    assert (note.body, note.note(), note.signatures) == (BODY, NOTE, (SIGNED,))


def test_the_specs_own_checkpoint_is_read() -> None:
    text = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
        "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJ"
        "sX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    note = parse_checkpoint_unverified(text.encode())
    assert (note.size, len(note.signatures), len(note.by_log())) == (20852163, 2, 1)
    cosignature = note.signatures[1].signature
    assert (int.from_bytes(cosignature[:8], "big"), len(cosignature)) == (1679315147, 72)


def test_an_extension_line_is_kept_and_signed_for() -> None:
    body = BODY + b"more\n"
    note = parse_checkpoint_unverified(body + b"\n" + SIGNED.line().encode())
    assert note.body == body


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        BODY,
        BODY + b"\n",
        NOTE[:-1],
        NOTE.replace(b"\n17\n", b"\n017\n"),
        NOTE.replace(b"\n17\n", b"\n-1\n"),
        NOTE.replace(b"\n17\n", b"\n" + b"9" * 19 + b"\n"),
        NOTE.replace(b"\n17\n", "\n１７\n".encode()),
        NOTE.replace(b"BC-1\n17", b"BC-1\n\n17"),
        NOTE.replace(base64.b64encode(ROOT), base64.b64encode(ROOT[:31])),
        NOTE.replace(base64.b64encode(ROOT), base64.b64encode(ROOT)[:-1]),
        NOTE.replace(b"BC-1\n17", b"BC\x001\n17"),
        NOTE.replace("\u2014".encode(), b"--"),
        NOTE[:-1] + b" more\n",
        NOTE + b"\xff\n",
        BODY + b"\n" + SIGNED.line().encode() * 65,
        BODY + b"\n" + "\u2014 a+b AAAAAAAA\n".encode(),
        NOTE + bytes(20_000),
    ],
)
def test_a_malformed_checkpoint_is_refused(bad: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_checkpoint_unverified(bad)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_parsers(data: bytes) -> None:
    for parse in (parse_checkpoint_unverified, parse_tlog_proof, decode_proof, parse_request):
        with pytest.raises(EvidenceError):
            parse(data)


@given(st.integers(0, len(NOTE) - 1), st.integers(0, 255))
def test_one_changed_byte_is_refused_or_changes_what_is_said(at: int, value: int) -> None:
    changed = NOTE[:at] + bytes([value]) + NOTE[at + 1 :]
    try:
        note = parse_checkpoint_unverified(changed)
    except EvidenceError:
        return
    assert note.note() == changed


def test_the_key_id_of_an_ecdsa_key_is_that_of_its_spki_alone() -> None:
    # signed-note: type 0x02 hashes the SubjectPublicKeyInfo, not name and type.
    assert device_key_id(b"spki") == hashlib.sha256(b"spki").digest()[:4]


# -- cosignatures -----------------------------------------------------------------------------


def test_a_cosignature_says_who_saw_which_checkpoint_and_when() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    witness = WitnessKey("dock-1", key.public_key().public_bytes_raw())
    line = cosign(key, witness, BODY, 1_780_000_000)
    note = Checkpoint("example/bodycam/BC-1", 17, ROOT, BODY, (SIGNED, line))
    again = parse_checkpoint_unverified(note.note())
    assert cosigned_at(again, read_witness_key(witness.text())) == 1_780_000_000
    other = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert cosigned_at(again, WitnessKey("dock-1", other)) is None
    forged = Checkpoint(note.origin, 18, ROOT, BODY.replace(b"17", b"18"), note.signatures)
    with pytest.raises(EvidenceError, match="does not hold"):
        cosigned_at(forged, witness)


@pytest.mark.parametrize(
    "text", ["", "dock", "dock+00000000+AAAA", "+00000000+", "dock+zz+BP8=", "dock+00000000+\u00e9"]
)
def test_what_is_no_witness_key_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        read_witness_key(text)


# -- proof files ------------------------------------------------------------------------------


def proof_of(index: int, size: int) -> LineProof:
    lines = [str(i).encode() for i in range(size)]
    leaves = [tlog.leaf_hash(line) for line in lines]
    body = checkpoint_body("example/bodycam/BC-1", size, tlog.root_of(leaves))
    note = Checkpoint("example/bodycam/BC-1", size, tlog.root_of(leaves), body, (SIGNED,))
    path = tuple(tlog.inclusion_proof(tlog.levels_of(leaves), index))
    return LineProof(lines[index], InclusionProof(index, path, note), (b"leaf", b"issuer"))


@given(st.integers(1, 100), st.integers(0, 99))
def test_a_proof_file_reads_as_it_was_written(size: int, index: int) -> None:
    proof = proof_of(index % size, size)
    assert decode_proof(encode_proof(proof)) == proof
    decode_proof(encode_proof(proof)).check_path()


def test_a_tlog_proof_may_carry_extra_data() -> None:
    text = proof_of(3, 9).proof.text()
    first, _, rest = text.partition(b"\n")
    assert parse_tlog_proof(first + b"\nextra AAAA\n" + rest) == parse_tlog_proof(text)


def test_a_proof_of_another_line_is_refused() -> None:
    file = json.loads(encode_proof(proof_of(3, 9)))
    file["line"] = "4"
    with pytest.raises(EvidenceError, match="the line is not in the log"):
        decode_proof(json.dumps(file).encode()).check_path()


def test_a_request_has_a_limit() -> None:
    with pytest.raises(EvidenceError, match="at most"):
        parse_request(b"old 0\n\n" + bytes(MAX_REQUEST_BYTES))

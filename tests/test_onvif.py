"""ONVIF Media Signing: streams as text, what was done to them, and the verdict for each GOP.

`I` is a keyframe, `P` another picture, `S` the SEI of the GOP before it. The reference validator is
not at hand here: `second_opinion` reads SEIs and hashes again, from the specification and with
nothing of ours.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from bodycam.certificates import Trust, TrustPolicy
from bodycam.custody.onvifcheck import OnvifReport, OnvifValidator, OnvifVerdict
from bodycam.errors import EvidenceError
from bodycam.formats.onvif import (
    MAX_HASHES,
    OnvifSigner,
    Vendor,
    before_picture,
    is_onvif_sei,
    read_sei,
)
from bodycam.media import Buffer, Track, split_annexb
from bodycam.provision.identity import make_identity
from bodycam.signing import FileKey, load_file_key, load_root

from .evidence import (
    DEVICE,
    FRAME_NS,
    UTC_NS,
    footage,
    of_track,
)

SPS, PPS, AUD = b"\x67\x42", b"\x68\xce", b"\x09\x10"


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> tuple[FileKey, x509.Certificate]:
    made = make_identity(tmp_path_factory.mktemp("force"), DEVICE, UTC_NS)
    return load_file_key(made.identity), load_root(made.root)


@pytest.fixture(scope="module")
def key(force: tuple[FileKey, x509.Certificate]) -> FileKey:
    return force[0]


@pytest.fixture(scope="module")
def root(force: tuple[FileKey, x509.Certificate]) -> x509.Certificate:
    return force[1]


def signer_of(key: FileKey) -> OnvifSigner:
    return OnvifSigner(key.sign, key.certificates, Vendor("bodycam 1", DEVICE, "bodycam"))


def picture(kind: str, number: int) -> bytes:
    head = {"I": b"\x65\x88", "P": b"\x41\x9a"}[kind]
    # Ends in what may not end a NAL unit otherwise: a stop bit.
    return head + number.to_bytes(2, "big") * 20 + b"\x80"


def signed(key: FileKey, shape: str, signer: OnvifSigner | None = None) -> list[bytes]:
    """The NAL units of a stream of that shape, with their SEIs."""
    signer = signer or signer_of(key)
    stream: list[bytes] = []
    for number, kind in enumerate(shape):
        nals: list[Buffer] = [picture(kind, number)]
        seis = signer.feed(nals, number * FRAME_NS, UTC_NS + number * FRAME_NS)
        stream += [bytes(nal) for nal in before_picture(nals, seis)]
    return stream


def shape_of(stream: Sequence[bytes]) -> str:
    return "".join({5: "I", 1: "P", 6: "S"}.get(nal[0] & 31, "v") for nal in stream)


def judge(stream: Sequence[Buffer], root: x509.Certificate | None) -> OnvifReport:
    validator = OnvifValidator(TrustPolicy(root))
    for nal in stream:
        validator.feed(nal)
    return validator.finish()


def flipped(nal: bytes, at: int) -> bytes:
    return nal[:at] + bytes((nal[at] ^ 1,)) + nal[at + 1 :]


# -- streams as text --------------------------------------------------------------------------

# .  I P P P S I P P P S I  P  P  P  S  I  P  P  P
#    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18
SHAPE = "IPPP" * 4
Stream = list[bytes]


def swap(a: int, b: int) -> Callable[[Stream], Stream]:
    def edit(s: Stream) -> Stream:
        s[a], s[b] = s[b], s[a]
        return s

    return edit


def put(at: int, nal: Callable[[Stream], bytes]) -> Callable[[Stream], Stream]:
    return lambda s: [*s[:at], nal(s), *s[at + 1 :]]


TAMPERINGS: dict[str, tuple[Callable[[Stream], Stream], str]] = {
    "nothing": (lambda s: s, "...P"),
    "one P removed": (lambda s: s[:7] + s[8:], ".M.P"),
    "the last P of a GOP removed": (lambda s: s[:8] + s[9:], ".M.P"),
    "all P of a GOP removed": (lambda s: s[:6] + s[9:], ".M.P"),
    "a keyframe removed": (lambda s: s[:5] + s[6:], ".N.P"),
    "two P swapped": (swap(6, 7), ".N.P"),
    "a P doubled": (lambda s: [*s[:8], s[7], *s[8:]], ".N.P"),
    "a P of another GOP put in": (lambda s: [*s[:8], s[2], *s[8:]], ".N.P"),
    "a P replaced": (put(7, lambda s: picture("P", 99)), ".N.P"),
    "one bit of a P flipped": (put(7, lambda s: flipped(s[7], 9)), ".N.P"),
    "one bit of a keyframe flipped": (put(5, lambda s: flipped(s[5], 9)), ".N.P"),
    "one bit of a SEI flipped": (put(9, lambda s: flipped(s[9], len(s[9]) // 2)), ".N.P"),
    "one bit of a signature flipped": (put(9, lambda s: flipped(s[9], len(s[9]) - 20)), ".N.P"),
    "a GOP and its SEI removed": (lambda s: s[:5] + s[10:], ".NP"),
    "a GOP removed, its SEI kept": (lambda s: s[:5] + s[9:], ".NNP"),
    "two GOPs swapped with their SEIs": (lambda s: s[:5] + s[10:15] + s[5:10] + s[15:], ".NNP"),
    "a SEI lost": (lambda s: s[:9] + s[10:], ".N.P"),
    "two SEIs lost": (lambda s: s[:9] + s[10:14] + s[15:], ".NNP"),
    "all SEIs lost": (lambda s: [n for n in s if n[0] != 6], "UUUU"),
    "two SEIs swapped": (swap(4, 9), "NNNP"),
    "a SEI doubled": (lambda s: [*s[:5], s[4], *s[5:]], ".N..P"),
    "the front cut off, its SEI left": (lambda s: s[9:], ".P"),
    "the front cut off, its SEI too": (lambda s: s[10:], ".P"),
    "the front cut off inside a GOP": (lambda s: s[7:], "N.P"),
    "the end cut off": (lambda s: s[:12], "..P"),
    "the last GOP cut off, its SEI kept": (lambda s: s[:15], "..."),
    "unsigned pictures put behind": (lambda s: s + s[:4] + s[5:9], "...NNP"),
    "delimiters and parameter sets put in": (lambda s: [x for n in s for x in (AUD, SPS, PPS, n)],
                                             "...P"),
    "trailing zeros put in": (lambda s: [n + b"\0\0" for n in s], "...P"),
    "another SEI put in": (lambda s: [*s[:7], b"\x06\x05\x10" + bytes(16) + b"\x80", *s[7:]],
                           "...P"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_was_done_to_a_stream_is_found(
    name: str, key: FileKey, root: x509.Certificate
) -> None:
    edit, expected = TAMPERINGS[name]
    stream = signed(key, SHAPE)
    assert shape_of(stream) == "IPPPSIPPPSIPPPSIPPP"
    report = judge(edit(stream), root)
    assert report.gops == expected
    worst = OnvifVerdict.NOT_SIGNED if "U" in expected else OnvifVerdict.VALID
    worst = OnvifVerdict.MISSING if "M" in expected else worst
    assert report.verdict is (OnvifVerdict.INVALID if "N" in expected else worst)
    assert report.orphan == (name == "the front cut off, its SEI left")
    assert bool(report.reasons) == bool(set(expected) & set("NM"))


def test_a_single_gop_is_pending_and_an_empty_stream_not_signed(
    key: FileKey, root: x509.Certificate
) -> None:
    orphan = signed(key, "IPI")[2]
    assert judge([orphan, picture("I", 7), picture("P", 8)], root).verdict is OnvifVerdict.PENDING
    assert judge([], root).verdict is OnvifVerdict.NOT_SIGNED


def test_the_key_is_an_answer_of_its_own(
    key: FileKey, root: x509.Certificate, tmp_path: Path
) -> None:
    stream = signed(key, SHAPE)
    stranger = load_root(make_identity(tmp_path, "cam-0666", UTC_NS).root)
    mine, theirs, nobodys = (judge(stream, r) for r in (root, stranger, None))
    assert (mine.key.trust, mine.key.device) == (Trust.TRUSTED, DEVICE)
    assert theirs.key.trust is Trust.UNKNOWN_ISSUER
    assert nobodys.key.trust is Trust.UNKNOWN_ISSUER
    assert {r.verdict for r in (mine, theirs, nobodys)} == {OnvifVerdict.VALID}


def test_two_cameras_in_one_stream_are_not_valid(
    key: FileKey, root: x509.Certificate, tmp_path: Path
) -> None:
    other = load_file_key(make_identity(tmp_path, "cam-0666", UTC_NS).identity)
    report = judge(signed(key, "IPIPI") + signed(other, "IPIPIP"), root)
    assert report.gops == "..NNNP"
    assert "another key" in " ".join(report.reasons)


def test_a_second_session_does_not_continue_the_first(key: FileKey, root: x509.Certificate) -> None:
    report = judge(signed(key, "IPIPI") + signed(key, "IPIPIP"), root)
    assert (report.verdict, report.gops[:2]) == (OnvifVerdict.INVALID, "..")


@settings(max_examples=60, deadline=None)
@given(st.text("IP", min_size=1, max_size=24).map("I".__add__), st.data())
def test_any_stream_is_valid_and_any_cut_at_a_keyframe_is_too(
    force: tuple[FileKey, x509.Certificate], shape: str, data: st.DataObject
) -> None:
    stream = signed(force[0], shape)
    gops = shape.count("I")
    # With a single GOP there is no SEI yet.
    assert judge(stream, force[1]).gops == ("." * (gops - 1) + "P" if gops > 1 else "U")
    cut = data.draw(st.sampled_from([i for i, kind in enumerate(shape_of(stream)) if kind == "I"]))
    rest = judge(stream[cut:], force[1])
    assert set(rest.gops) <= set(".PU")
    assert not rest.reasons


# -- what a SEI holds, read by somebody else ----------------------------------------------------


def second_opinion(stream: Sequence[bytes], root: x509.Certificate) -> list[dict[str, Any]]:
    """Each SEI's fields, after checking them as the specification says, or an AssertionError."""
    found: list[dict[str, Any]] = []
    gop: list[bytes] = []
    anchor, before = b"", bytes(32)
    for nal in stream:
        kind = nal[0] & 0x1F
        if kind in (1, 5):
            plain = sha256(nal).digest()
            if kind == 5 and nal[1] >= 0x80:
                gop, anchor = [plain], plain
            else:
                gop.append(sha256(anchor + plain).digest())
        if kind != 6 or ONVIF not in nal[:300]:
            continue
        sei = spec_fields(nal)
        assert sei["hashes"] == gop
        assert sei["gop_hash"] == sha256(b"".join(gop)).digest()
        assert sei["linked"] == before
        assert sei["count"] == len(gop)
        chain = sei["chain"]
        for subject, issuer in zip(chain, [*chain[1:], root], strict=True):
            subject.verify_directly_issued_by(issuer)
        chain[0].public_key().verify(sei["signature"], sei["document"], ec.ECDSA(hashes.SHA256()))
        before = anchor
        found.append(sei)
    return found


ONVIF = bytes.fromhex("005bc93f2d715e95ada4796f90877a6f")


def spec_fields(nal: bytes) -> dict[str, Any]:
    raw, zeros = bytearray(), 0
    for byte in nal:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        assert zeros < 2 or byte > 3, "emulation is not prevented"
        zeros = zeros + 1 if byte == 0 else 0
        raw.append(byte)
    assert raw[:2] == b"\x06\x05"
    at, size = 2, 0
    while raw[at] == 255:
        size, at = size + 255, at + 1
    size, at = size + raw[at], at + 1
    assert raw[at : at + 16] == ONVIF
    assert raw[at + 16] == 0
    end = at + size
    assert raw[end:] == b"\x80"
    at += 17
    order, values, document = [], {}, b""
    while at < end:
        tag, length = raw[at], int.from_bytes(raw[at + 1 : at + 3], "big")
        if tag == 3:
            document = bytes(raw[:at])
        order.append(tag)
        values[tag] = bytes(raw[at + 3 : at + 3 + length])
        at += 3 + length
    assert (at, order) == (end, [4, 5, 6, 1, 2, 3])
    assert values[4] == bytes.fromhex("01 0b 0609608648016503040201 00 0000")
    assert values[6][:2] == b"\x01\x00"
    version, major, minor, patch, partial, start, stop, counter, count = struct.unpack_from(
        ">BBBBBqqIH", values[1]
    )
    assert (version, partial) == (2, 0)
    assert len(values[3]) == 3 + 72
    signature = int.from_bytes(values[3][1:3], "big")
    return {
        "version": (major, minor, patch), "counter": counter, "count": count,
        "start": start, "end": stop, "gop_hash": values[1][27:59], "linked": values[1][59:],
        "hashes": [values[2][i : i + 32] for i in range(1, len(values[2]), 32)],
        "chain": x509.load_pem_x509_certificates(values[6][2:]), "vendor": values[5],
        "document": document, "signature": values[3][3 : 3 + signature],
    }  # fmt: skip


def test_a_reader_of_the_specification_agrees(key: FileKey, root: x509.Certificate) -> None:
    found = second_opinion(signed(key, "IPPIPPPIPI"), root)
    assert [sei["counter"] for sei in found] == [1, 2, 3]
    assert [sei["count"] for sei in found] == [3, 4, 2]
    # 100 ns since 1601, of the keyframe and of the one that ends the GOP.
    first = (UTC_NS // 100) + 116_444_736_000_000_000
    assert (found[0]["start"], found[0]["end"]) == (first, first + 3 * FRAME_NS // 100)
    assert found[1]["start"] == found[0]["end"]
    assert found[0]["vendor"] == b"\x01\x09bodycam 1\x08cam-0001\x07bodycam"


def test_a_reader_of_the_specification_agrees_on_real_slices(
    key: FileKey, root: x509.Certificate
) -> None:
    signer, stream = signer_of(key), []
    for unit in of_track(footage(2, slices=4), Track.VIDEO):
        nals = split_annexb(unit.data)
        stream += [bytes(n) for n in before_picture(nals, signer.feed(nals, unit.at_ns, UTC_NS))]
    found = second_opinion(stream, root)
    assert [sei["count"] for sei in found] == [60, 60, 60]
    assert judge(stream, root).gops == "...P"


def test_a_sei_stands_behind_parameter_sets_and_before_the_first_slice(key: FileKey) -> None:
    signer = signer_of(key)
    signer.feed([picture("I", 0)], 0, UTC_NS)
    nals = [AUD, SPS, PPS, picture("I", 1)]
    placed = before_picture(nals, signer.feed(nals, FRAME_NS, UTC_NS))
    assert [nal[0] & 31 for nal in placed] == [9, 7, 8, 6, 5]


def test_a_gop_too_long_for_the_hash_list_is_signed_by_its_hash(
    key: FileKey, root: x509.Certificate
) -> None:
    long = "I" + "P" * MAX_HASHES
    stream = signed(key, long + "IPI")
    assert read_sei(stream[len(long)]).hashes == ()
    assert judge(stream, root).gops == "..P"
    # Without a list it cannot be told what is missing: one picture less, and the GOP is not valid.
    assert judge(stream[:5] + stream[6:], root).gops == "N.P"


def test_a_clock_that_is_not_set_signs_no_time(key: FileKey, root: x509.Certificate) -> None:
    signer = signer_of(key)
    stream: list[Buffer] = []
    for number in range(3):
        nals = [picture("I", number)]
        stream += before_picture(nals, signer.feed(nals, number, None))
    report = judge(stream, root)
    assert (report.verdict, report.utc_from_ns) == (OnvifVerdict.VALID, None)
    assert report.key.trust is Trust.TRUSTED
    assert "clock was not set" in " ".join(report.key.not_known)


def test_a_keyframe_fed_again_gets_the_same_sei(key: FileKey, root: x509.Certificate) -> None:
    signer = signer_of(key)
    pictures = [(n, picture(kind, n)) for n, kind in enumerate("IPPIPPIPP")]
    made = [signer.feed([nal], n, UTC_NS) for n, nal in pictures]
    again = [signer.feed([nal], n, UTC_NS) for n, nal in pictures[3:]]
    assert again[0] == made[3]
    # The next one is signed again, and says the same.
    assert read_sei(again[3][0]).document == read_sei(made[6][0]).document
    stream: list[Buffer] = []
    for (_, nal), seis in zip(pictures, made, strict=True):
        stream += before_picture([nal], seis)
    stream += before_picture([picture("I", 9)], signer.feed([picture("I", 9)], 9, UTC_NS))
    assert judge(stream, root).gops == "...P"


def test_a_gop_that_the_key_did_not_sign_has_no_sei_and_no_excuse(
    key: FileKey, root: x509.Certificate
) -> None:
    answers = iter([True, False, True])
    signer = OnvifSigner(
        lambda document: key.sign(document) if next(answers) else b"", key.certificates,
        Vendor("bodycam 1", DEVICE, "bodycam"),
    )  # fmt: skip
    stream = signed(key, "IPIPIPIP", signer)
    assert shape_of(stream) == "IPSIPIPSIP"
    assert judge(stream, root).gops == ".N.P"


def test_what_was_forgotten_begins_anew(key: FileKey) -> None:
    signer = signer_of(key)
    for n in range(5):
        signer.feed([picture("I", n)], n, UTC_NS)
    signer.forget(1)
    assert signer.feed([picture("I", 1)], 1, UTC_NS) == []
    (sei,) = signer.feed([picture("I", 2)], 2, UTC_NS)
    assert read_sei(sei).linked_hash == bytes(32)


# -- hostile SEIs -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def genuine(key: FileKey) -> list[bytes]:
    """Signed once: signatures are random, and hypothesis must find the same bytes again."""
    return signed(key, "IPIPIP")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_hostile_sei_is_refused_and_never_more(
    genuine: list[bytes], root: x509.Certificate, data: st.DataObject
) -> None:
    stream = genuine
    sei = bytearray(stream[2])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(sei) - 1))
        match data.draw(st.sampled_from(["set", "cut", "put", "tail"])):
            case "set":
                sei[at] = data.draw(st.integers(0, 255))
            case "cut":
                del sei[at : at + data.draw(st.integers(1, 600))]
            case "put":
                sei[at:at] = data.draw(st.binary(max_size=600))
            case _:
                del sei[at + 1 :]
        if not sei:
            break
    report = judge([*stream[:2], bytes(sei), *stream[3:]], root)
    if bytes(sei).rstrip(b"\0") != stream[2]:
        assert report.gops[0] != "."


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 3), st.integers(0, 255))
def test_noise_behind_the_uuid_is_refused(noise: bytes, full: int, size: int) -> None:
    nal = b"\x06\x05" + b"\xff" * full + bytes((size,)) + ONVIF + noise
    if not is_onvif_sei(nal):
        return
    with pytest.raises(EvidenceError):
        read_sei(nal)


@pytest.mark.parametrize("nal", [b"\x06", b"\x06\x05", b"\x06\x05\xff\xff", b"\x65", b"\x41", b""])
def test_stubs_of_nal_units_do_no_harm(nal: bytes, root: x509.Certificate) -> None:
    assert judge([nal, nal], root).verdict is OnvifVerdict.NOT_SIGNED


def test_a_huge_sei_is_refused_before_it_is_read() -> None:
    nal = b"\x06\x05" + b"\xff" * 1000 + b"\x00" + ONVIF + bytes(1_000_000) + b"\x80"
    with pytest.raises(EvidenceError, match="1001020 bytes"):
        read_sei(nal)

"""Other people's programs read the evidence: ffmpeg, openssl and sha256sum, jose."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bodycam.clock import NS
from bodycam.custody.export import Order, export
from bodycam.custody.inspect import inspect
from bodycam.custody.opened import OpenedSegment
from bodycam.custody.openingkey import load_opening_key
from bodycam.custody.verify import verify_paths
from bodycam.errors import CannotOpen
from bodycam.formats import cenc, mp4, mp4read, records
from bodycam.formats.cenc import length_prefixed
from bodycam.formats.keywrap import b64u, b64u_bytes, public_jwk
from bodycam.media import AccessUnit, Track, split_annexb, video_format
from bodycam.segment import SegmentStart, SegmentWriter
from bodycam.signing import load_private_key

from .evidence import (
    AUDIO,
    FRAME_NS,
    RECORDING,
    START_NS,
    Camera,
    Evidence,
    build_store,
    footage,
    of_track,
)

pytestmark = pytest.mark.system

BY_HAND = Path(__file__).with_name("fragment_by_hand.sh")


def later(units: list[AccessUnit], seconds: int) -> list[AccessUnit]:
    return [AccessUnit(u.track, u.at_ns + seconds * NS, u.keyframe, u.seq, u.data) for u in units]


def plain(tmp_path: Path) -> Evidence:
    return build_store(tmp_path, segment_s=1)


def many_slices(tmp_path: Path) -> Evidence:
    return build_store(tmp_path, units=footage(2, slices=8))


def without_sound(tmp_path: Path) -> Evidence:
    return build_store(tmp_path, units=of_track(footage(), Track.VIDEO), audio=None)


def late_sound(tmp_path: Path) -> Evidence:
    return build_store(tmp_path, audio_from_ns=START_NS + 5 * NS // 2)


def sound_with_a_hole(tmp_path: Path) -> Evidence:
    def lose(units: list[AccessUnit]) -> list[AccessUnit]:
        hole = range(START_NS + NS, START_NS + 2 * NS)
        return [u for u in units if u.track is Track.VIDEO or u.at_ns not in hole]

    return build_store(tmp_path, edit=lose, segment_s=60)


def other_parameter_sets(tmp_path: Path) -> Evidence:
    small = later(of_track(footage(2, width=160, height=96), Track.VIDEO), 2)
    return build_store(
        tmp_path, units=of_track(footage(2), Track.VIDEO) + small, audio=None, segment_s=60
    )


def jump_of_time(tmp_path: Path) -> Evidence:
    shot = list(footage())
    roll_ns = START_NS + 60 * FRAME_NS
    late = later([u for u in shot if u.at_ns >= roll_ns], 7)
    return build_store(tmp_path, units=[u for u in shot if u.at_ns < roll_ns] + late, segment_s=60)


KINDS = (
    plain, many_slices, without_sound, late_sound, sound_with_a_hole, other_parameter_sets,
    jump_of_time,
)  # fmt: skip


def custodian_jwk(path: Path) -> dict[str, str]:
    private = load_private_key(path)
    secret = private.private_numbers().private_value.to_bytes(32, "big")
    return {**public_jwk(private.public_key()), "d": b64u(secret)}


def wrapped_key(segment: Path) -> bytes:
    moov = next(entry for entry in inspect(segment) if entry["box"] == "moov")
    raw = segment.read_bytes()[moov["offset"] : moov["offset"] + moov["size"]]
    return mp4read.read_init(raw).wrapped


def jose_key(segment: Path, private: Path, folder: Path) -> tuple[bytes, bytes]:
    """KID and content key, as Debian's `jose` unwraps them."""
    (folder / "key.jwe").write_bytes(wrapped_key(segment))
    (folder / "custodian.jwk").write_text(json.dumps(custodian_jwk(private)))
    done = subprocess.run(
        ["jose", "jwe", "dec", "-i", "key.jwe", "-k", "custodian.jwk"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    licence = json.loads(done.stdout)
    assert licence["type"] == "temporary"
    (entry,) = licence["keys"]
    return b64u_bytes(entry["kid"]), b64u_bytes(entry["k"])


def ffmpeg(segment: Path, key: bytes, *output: str) -> bytes:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-seekable", "0", "-decryption_key", key.hex(),
         "-i", str(segment), *output],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_ffmpeg_decrypts_and_decodes_every_segment_without_loss(kind: Any, tmp_path: Path) -> None:
    evidence: Evidence = kind(tmp_path)
    got = {Track.VIDEO: b"", Track.AUDIO: b""}
    for segment in evidence.segments:
        kid, key = jose_key(segment, evidence.custody_key, tmp_path)
        assert kid.hex() in next(e["says"] for e in inspect(segment) if e["box"] == "moov")
        ffmpeg(segment, key, "-f", "null", "-")
        got[Track.VIDEO] += ffmpeg(segment, key, "-map", "0:v", "-c", "copy", "-f", "data", "-")
        with OpenedSegment(segment, load_opening_key(evidence.custody_key)) as opened:
            has_sound = opened.init.audio is not None
        if has_sound:
            got[Track.AUDIO] += ffmpeg(
                segment, key, "-map", "0:a?", "-c", "copy", "-f", "data", "-"
            )
    went_in = [length_prefixed(split_annexb(u.data)) for u in of_track(evidence.units, Track.VIDEO)]
    assert hashlib.sha256(got[Track.VIDEO]).digest() == hashlib.sha256(b"".join(went_in)).digest()
    sounds = [bytes(u.data) for u in of_track(evidence.units, Track.AUDIO)]
    assert b"".join(sounds).endswith(got[Track.AUDIO])
    assert evidence.verify().exit_code in (0, 3)


def test_a_wrong_key_gives_ffmpeg_no_picture(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-seekable", "0", "-decryption_key", "00" * 16,
         "-i", str(evidence.segments[0]), "-f", "null", "-"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.stderr != b""


def test_an_audio_gap_is_a_gap_in_time_for_other_readers(tmp_path: Path) -> None:
    evidence = sound_with_a_hole(tmp_path)
    (segment,) = evidence.segments
    _, key = jose_key(segment, evidence.custody_key, tmp_path)
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-seekable", "0", "-decryption_key", key.hex(),
         "-select_streams", "a", "-show_entries", "packet=pts_time", "-of", "csv=p=0",
         str(segment)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    times = [float(line.strip(",")) for line in done.stdout.split()]
    steps = [b - a for a, b in itertools.pairwise(times)]
    assert max(steps) == pytest.approx(1.0, abs=0.05)
    sounds = len(of_track(footage(), Track.AUDIO))
    assert times[-1] == pytest.approx((sounds - 1) * 1024 / AUDIO.rate_hz, abs=0.03)


# -- by hand --------------------------------------------------------------------------------


def by_hand(segment: Path, number: int, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(BY_HAND), str(segment), str(number), str(root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_openssl_and_sha256sum_alone_check_every_record(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    for segment in evidence.segments[:2]:
        for number in range(4):
            done = by_hand(segment, number, evidence.identity.root)
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("Verified OK") == 2
            assert "SHA-256 of the bytes: OK" in done.stdout
            assert "Certificate: OK" in done.stdout
            assert ("Chain to the record before: OK" in done.stdout) == (number > 0)


@pytest.mark.parametrize("what", ["offset", "record_at", "signature_at"])
def test_by_hand_a_changed_byte_is_found(tmp_path: Path, what: str) -> None:
    evidence = plain(tmp_path)
    segment = evidence.segments[0]
    entries = inspect(segment)
    box = [e for e in entries if e["box"] == "uuid"][1]
    mdat = next(e for e in entries if e["box"] == "mdat")
    at = mdat["offset"] + 5000 if what == "offset" else box[what]["offset"] + 20
    with segment.open("r+b") as file:
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes((old ^ 1,)))
    assert by_hand(segment, 1, evidence.identity.root).returncode != 0


def test_by_hand_another_root_is_refused(tmp_path: Path) -> None:
    evidence = plain(tmp_path / "one")
    stranger = Camera(tmp_path / "two")
    stranger.stop()
    done = by_hand(evidence.segments[0], 1, stranger.identity.root)
    assert done.returncode != 0
    assert "FAILED: certificate" in done.stderr


def test_inspect_says_where_the_parts_of_a_record_lie(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    raw = evidence.segments[0].read_bytes()
    for box in (e for e in inspect(evidence.segments[0]) if e["box"] == "uuid"):
        at, size = box["record_at"]["offset"], box["record_at"]["size"]
        assert json.loads(raw[at : at + size]) == box["record"]
        covered = raw[box["record"]["off"] :][: box["record"]["len"]]
        assert hashlib.sha256(covered).hexdigest() == box["record"]["sha256"]


# -- who can open -----------------------------------------------------------------------------


def test_jose_opens_the_key_for_each_recipient_and_nobody_else(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    segment = evidence.segments[0]
    keys = {
        jose_key(segment, evidence.identity.recipient_key(name), tmp_path)
        for name in ("custody", "oversight")
    }
    assert len(keys) == 1
    (tmp_path / "stranger.jwk").write_text(
        json.dumps({**public_jwk(new := ec.generate_private_key(ec.SECP256R1()).public_key()),
                    "d": b64u(bytes(31) + b"\1")} | public_jwk(new))
    )  # fmt: skip
    done = subprocess.run(
        ["jose", "jwe", "dec", "-i", "key.jwe", "-k", "stranger.jwk"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0


def test_every_segment_has_a_key_of_its_own(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    keys = {jose_key(s, evidence.custody_key, tmp_path) for s in evidence.segments}
    assert len({kid for kid, _ in keys}) == len({key for _, key in keys}) == 4


def camera_files(evidence: Evidence) -> list[Path]:
    """All that is on the camera's card and in its identity folder."""
    folders = (evidence.store, evidence.identity.identity)
    return [p for folder in folders for p in folder.rglob("*") if p.is_file()]


def test_with_all_that_is_on_the_camera_nothing_opens(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    files = camera_files(evidence)
    assert any(p.name == "device.key" for p in files)
    for path in files:
        with pytest.raises(CannotOpen) as caught:
            export(Order([evidence.store], path, evidence.root), tmp_path / "clip.mp4")
        assert caught.value.exit_code == 6
    assert not (tmp_path / "clip.mp4").exists()


def test_no_content_key_lies_anywhere_on_the_camera(tmp_path: Path) -> None:
    evidence = plain(tmp_path)
    contents = [p.read_bytes() for p in camera_files(evidence)]
    for segment in evidence.segments:
        _, key = jose_key(segment, evidence.custody_key, tmp_path)
        forms = (
            key, key.hex().encode(), key.hex().upper().encode(), b64u(key).encode(),
            base64.b64encode(key),
        )  # fmt: skip
        assert not any(form in content for form in forms for content in contents)


# -- what the writer must refuse or survive ---------------------------------------------------


def test_b_frames_are_refused_and_logged(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    units = of_track(footage(2, bframes=2), Track.VIDEO)
    writer = camera.record(units, audio=None)
    camera.stop()
    assert writer.bad_units > 0
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    entries = inspect(evidence.log)
    assert any(e["ev"] == "nal.bad" and "bf=0" in e["data"]["why"] for e in entries)
    report = evidence.verify()
    assert report.exit_code == 3
    segments = report.segments
    assert sum(s.pictures for s in segments) + writer.bad_units == len(units)
    assert sum(s.dropped for s in segments) >= writer.bad_units - 2


def _giant(camera: Camera, writer: SegmentWriter, path: Path, size: int) -> None:
    """Append one sparse fragment of over 4 GiB, signed like any other."""
    count = 16
    each = size // count
    samples = tuple(
        mp4.Sample(each, 1000, True, cenc.SampleAux(cenc.sample_iv(1, i), ((0xFFFF, 0),)))
        for i in range(count)
    )
    front = b"".join((
        mp4.prft(1, camera.clock.sample().utc_ns, 0),
        mp4.moof(1, [mp4.TrackRun(mp4.VIDEO_TRACK_ID, 0, samples)]),
        mp4.mdat_header(count * each),
    ))  # fmt: skip
    start = writer.file.size
    writer.file.append([front])
    end = start + len(front) + count * each
    os.truncate(path, end)
    digest = hashlib.sha256(front)
    block = bytes(1 << 20)
    left = count * each
    while left:
        digest.update(block[: min(left, len(block))])
        left -= min(left, len(block))
    writer.file.size = end
    log_size, log_root = camera.log.head()
    fields = {
        "v": records.RECORD_VERSION, "t": "frag", "n": 1, "off": start, "len": end - start,
        "sha256": digest.hexdigest(), "prev": writer.last_box, "boot_ns": START_NS,
        "end_ns": START_NS + count * NS // 90, "utc": "2026-05-28T20:26:40.000Z", "clk": "ntp",
        "unc_ms": 5, "nv": count, "na": 0, "drop": 0, "mute": 0, "plain.v": "0" * 64,
        "plain.a": "", "log": [log_size, log_root],
    }  # fmt: skip
    record = records.encode_record(fields)
    payload = records.signature_payload(record, camera.signer.sign(record))
    writer.file.append([records.signature_box(payload)])
    writer.last_box = records.payload_hash(payload)
    writer.fragments = 1


def test_a_segment_goes_on_beyond_4_gib(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    pictures = of_track(footage(2), Track.VIDEO)
    video = video_format(split_annexb(pictures[0].data))
    assert video is not None
    file = camera.store.segment(camera.device, RECORDING, 0)
    file.create()
    known: dict[str, Any] = {
        "rec": RECORDING,
        "seg": 0,
        "file": str(file.path.relative_to(camera.store.evidence)),
    }
    camera.log.append("seg.open", **known)
    start = SegmentStart(RECORDING, 0, records.NO_PREVIOUS, {"cause": "switch"}, {})
    writer = SegmentWriter(file, camera.kit, start, video, None, START_NS)
    _giant(camera, writer, file.path, (1 << 32) + 4096)
    for unit in pictures[15:45]:
        if writer.would_overflow(unit.at_ns):
            writer.seal(unit.at_ns)
        writer.add_picture(
            unit.at_ns, split_annexb(unit.data), keyframe=unit.keyframe, dropped=unit.dropped
        )
    writer.seal(None)
    writer.close("stop")
    # Its giant is all zeros: unless the log says that it was closed, they are blocks that never came.
    camera.log.append(
        "seg.close", size=file.size, frags=writer.fragments, last=writer.last_box, reason="stop",
        **known,
    )  # fmt: skip
    camera.stop()
    report = verify_paths([camera.store.root], Evidence(file.path, camera.identity, "", ()).root)
    assert report.exit_code in (0, 3), [str(f) for f in report.findings]
    (facts,) = report.segments
    assert (facts.fragments, facts.ended) == (3, True)
    assert facts.size > 1 << 32
    key = load_opening_key(camera.identity.recipient_key("custody"))
    with OpenedSegment(file.path, key) as segment:
        offsets = [unit.start for unit, _ in segment.records()]
    assert offsets[1] > 1 << 32

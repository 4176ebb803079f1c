"""Exporting: verified first, joined without re-encoding, and provable as a clip."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import av
import pytest

from bodycam.clock import MS, NS, ClockSource
from bodycam.custody.choice import Window
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.clipreader import read_samples
from bodycam.custody.export import NotTrusted, Order, export, export_each
from bodycam.custody.findings import Verdict
from bodycam.custody.manifest import manifest_path
from bodycam.custody.result import ExportResult
from bodycam.errors import CannotOpen, ConfigError, EvidenceError, StorageError
from bodycam.formats.cenc import length_prefixed
from bodycam.interleave import Pulled
from bodycam.media import AccessUnit, Track, split_annexb
from bodycam.recording import CloseReason
from bodycam.signing import load_root

from .evidence import (
    AUDIO,
    FRAME_NS,
    RATE_HZ,
    RECORDING,
    START_NS,
    UTC_NS,
    Camera,
    Evidence,
    SteppedClock,
    build_store,
    footage,
    of_track,
)

OTHER = "7c1d5a90-2222-4333-8444-000011112222"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), segment_s=1)


def run(
    evidence: Evidence, out: Path, *paths: Path, from_utc_ns: int | None = None,
    to_utc_ns: int | None = None, **options: Any,
) -> ExportResult:  # fmt: skip
    order = Order(
        paths or [evidence.store], evidence.custody_key, evidence.root,
        Window(from_utc_ns, to_utc_ns), **options,
    )  # fmt: skip
    return export(order, out)


def samples(clip: Path) -> tuple[list[bytes], list[bytes]]:
    read = list(read_samples(clip))
    return [d for video, d, _ in read if video], [d for video, d, _ in read if not video]


def times(clip: Path, track: Literal["video", "audio"]) -> list[float]:
    with av.open(str(clip)) as container:
        stream = container.streams.best(track)
        assert stream is not None
        return [float(p.pts * p.time_base) for p in container.demux(stream) if p.pts is not None]


def later(units: tuple[AccessUnit, ...], seconds: float) -> list[AccessUnit]:
    shift = int(seconds * NS)
    return [AccessUnit(u.track, u.at_ns + shift, u.keyframe, u.seq, u.data) for u in units]


def test_every_sample_comes_out_as_it_went_in(evidence: Evidence, tmp_path: Path) -> None:
    result = run(evidence, tmp_path / "clip.mp4")
    pictures, sounds = samples(result.clip)
    went_in = of_track(evidence.units, Track.VIDEO)
    assert pictures == [length_prefixed(split_annexb(unit.data)) for unit in went_in]
    assert sounds == [bytes(unit.data) for unit in of_track(evidence.units, Track.AUDIO)]
    assert (result.pictures, result.sounds) == (len(pictures), len(sounds))
    assert result.exit_code == 0


def test_the_clip_is_an_ordinary_faststart_mp4_that_decodes(
    evidence: Evidence, tmp_path: Path
) -> None:
    clip = run(evidence, tmp_path / "clip.mp4").clip
    raw = clip.read_bytes()
    assert raw[4:8] == b"ftyp"
    assert 0 < raw.index(b"moov") < raw.index(b"mdat")
    assert b"encv" not in raw
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(clip), "-f", "null", "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stderr == b""


def test_times_follow_capture_across_segments(evidence: Evidence, tmp_path: Path) -> None:
    clip = run(evidence, tmp_path / "clip.mp4").clip
    shown = times(clip, "video")
    assert shown == pytest.approx([i / 30 for i in range(120)], abs=1e-4)
    assert times(clip, "audio") == pytest.approx(
        [i * 1024 / RATE_HZ for i in range(len(of_track(evidence.units, Track.AUDIO)))],
        abs=1024 / RATE_HZ,
    )


def test_sound_that_begins_late_is_in_sync(tmp_path: Path) -> None:
    evidence = build_store(tmp_path, audio_from_ns=START_NS + 5 * NS // 2, segment_s=1)
    clip = run(evidence, tmp_path / "clip.mp4").clip
    heard = times(clip, "audio")
    assert heard[0] == pytest.approx(2.5, abs=0.03)
    assert heard[-1] == pytest.approx(186 * 1024 / RATE_HZ, abs=0.03)
    assert times(clip, "video")[0] == 0


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    shot = footage()
    roll_ns = START_NS + 60 * FRAME_NS
    units = [u for u in shot if u.at_ns < roll_ns]
    units += later(tuple(u for u in shot if u.at_ns >= roll_ns), 3)
    evidence = build_store(tmp_path, units=units, segment_s=60)
    result = run(evidence, tmp_path / "clip.mp4")
    assert result.exit_code == 3
    shown = times(result.clip, "video")
    assert shown[60] - shown[59] == pytest.approx(3 + 1 / 30, abs=0.001)
    assert len(shown) == 120
    assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 0


def test_a_part_begins_at_a_keyframe_and_proves_by_itself(
    evidence: Evidence, tmp_path: Path
) -> None:
    result = run(
        evidence, tmp_path / "part.mp4", from_utc_ns=UTC_NS + 17 * NS // 10,
        to_utc_ns=UTC_NS + 26 * NS // 10,
    )  # fmt: skip
    assert (result.utc_from_ns - UTC_NS) / NS == pytest.approx(1.5, abs=0.01)
    assert (result.utc_to_ns - UTC_NS) / NS == pytest.approx(3.0, abs=0.01)
    whole = [length_prefixed(split_annexb(u.data)) for u in of_track(evidence.units, Track.VIDEO)]
    pictures, _ = samples(result.clip)
    assert pictures == whole[45:90]
    assert of_track(evidence.units, Track.VIDEO)[45].keyframe
    report = verify_clip(result.clip, result.manifest, evidence.root)
    assert report.exit_code == 0
    assert report.clip is not None
    assert report.clip.proven_fragments == 3


def test_a_part_outside_the_recording_says_when_it_was(evidence: Evidence, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"The recording is from 2026-05-28T20:26:40.000Z"):
        run(evidence, tmp_path / "part.mp4", from_utc_ns=UTC_NS + 60 * NS)
    assert list(tmp_path.iterdir()) == []


def test_altered_evidence_is_not_exported(evidence: Evidence, tmp_path: Path) -> None:
    spoiled = evidence.copy(tmp_path)
    with spoiled.segments[0].open("r+b") as file:
        file.seek(50_000)
        file.write(b"\xff\x00\xff")
    with pytest.raises(EvidenceError, match=r"altered.*fragment 1") as caught:
        run(spoiled, tmp_path / "clip.mp4")
    assert caught.value.exit_code == 4
    assert not (tmp_path / "clip.mp4").exists()


def test_incomplete_evidence_is_exported_and_says_so(evidence: Evidence, tmp_path: Path) -> None:
    cut = evidence.copy(tmp_path)
    with cut.segments[-1].open("r+b") as file:
        file.truncate(cut.segments[-1].stat().st_size - 1000)
    result = run(cut, tmp_path / "clip.mp4")
    assert (result.exit_code, result.report.verdict) == (3, Verdict.INCOMPLETE)
    # The last fragment's signature was cut off: its pictures are not proven, and not exported.
    assert result.pictures == 105
    assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 0


def test_unsigned_evidence_needs_a_word_more(tmp_path: Path) -> None:
    evidence = build_store(tmp_path, signed=False)
    with pytest.raises(NotTrusted, match="--allow-untrusted") as caught:
        run(evidence, tmp_path / "clip.mp4")
    assert caught.value.exit_code == 5
    result = run(evidence, tmp_path / "clip.mp4", allow_untrusted=True)
    assert result.exit_code == 5
    assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 5


def test_a_wrong_key_cannot_open(evidence: Evidence, tmp_path: Path) -> None:
    stranger = Camera(tmp_path / "stranger")
    stranger.stop()
    key = stranger.identity.recipient_key("custody")
    with pytest.raises(CannotOpen, match="not addressed to this key") as caught:
        export(Order([evidence.store], key, evidence.root), tmp_path / "clip.mp4")
    assert caught.value.exit_code == 6
    assert not list(tmp_path.glob("clip*"))


def test_both_recipients_can_export(evidence: Evidence, tmp_path: Path) -> None:
    digests = {
        export(
            Order([evidence.store], evidence.identity.recipient_key(name), evidence.root),
            tmp_path / f"{name}.mp4",
        ).sha256
        for name in ("custody", "oversight")
    }  # fmt: skip
    assert len(digests) == 1


def test_recordings_that_continue_one_another_become_one_clip(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    first = camera.record(footage(), reason=CloseReason.AUTO_ROLL)
    camera.record(later(footage(), 4), OTHER, continues=RECORDING, previous=first.last_box)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    result = run(evidence, tmp_path / "clip.mp4")
    assert result.pictures == 240
    assert times(result.clip, "video") == pytest.approx([i / 30 for i in range(240)], abs=1e-3)


def test_unrelated_recordings_are_refused_by_name(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage())
    camera.record(later(footage(), 30), OTHER)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    with pytest.raises(ConfigError, match="2 recordings that do not continue one another"):
        run(evidence, tmp_path / "clip.mp4")
    assert run(evidence, tmp_path / "clip.mp4", evidence.folder).pictures == 120


def test_a_change_of_parameter_sets_still_joins(tmp_path: Path) -> None:
    other = [u for u in later(footage(2, slices=4), 2) if u.track is Track.VIDEO]
    units = [u for u in footage(2) if u.track is Track.VIDEO] + other
    changed = split_annexb(other[0].data)[0], split_annexb(units[0].data)[0]
    evidence = build_store(tmp_path, units=units, audio=None, segment_s=60)
    assert len(evidence.segments) == (1 if changed[0] == changed[1] else 2)
    clip = run(evidence, tmp_path / "clip.mp4").clip
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(clip), "-f", "null", "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stderr == b""


def test_a_change_of_size_is_a_clear_error(tmp_path: Path) -> None:
    small = [u for u in later(footage(2, width=160, height=96), 2) if u.track is Track.VIDEO]
    units = [u for u in footage(2) if u.track is Track.VIDEO] + small
    evidence = build_store(tmp_path, units=units, audio=None, segment_s=60)
    assert evidence.verify().segments[0].reason == "format-change"
    with pytest.raises(ConfigError, match="is 160x96, the segments before it 320x180"):
        run(evidence, tmp_path / "clip.mp4")


@pytest.mark.parametrize("fragment_ms", [500, 400, 130])
def test_a_segment_written_again_after_a_fault_is_not_shown_twice(
    tmp_path: Path, fragment_ms: int
) -> None:
    camera = Camera(tmp_path, fragment_ns=fragment_ms * MS)
    shot = list(footage())
    keyframe_ns = of_track(shot, Track.VIDEO)[60].at_ns
    fault_ns = of_track(shot, Track.VIDEO)[77].at_ns
    before = [u for u in shot if u.at_ns <= fault_ns]
    writer = camera.record(before, segment_s=60, reason=None)
    writer.abandon_segment(StorageError("I/O error"))
    # As the sealer does: everything from the last keyframe on, once more, in a new segment.
    for index, unit in enumerate(u for u in shot if u.at_ns >= keyframe_ns):
        camera.clock.now_ns = max(camera.clock.now_ns, unit.at_ns)
        writer.take(Pulled(index, unit), AUDIO)
    writer.close_segment(CloseReason.STOP, None)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    assert evidence.verify().exit_code == 3
    result = run(evidence, tmp_path / "clip.mp4")
    assert times(result.clip, "video") == pytest.approx([i / 30 for i in range(120)], abs=1e-3)
    heard = times(result.clip, "audio")
    assert len(heard) in (len(of_track(shot, Track.AUDIO)) - 1, len(of_track(shot, Track.AUDIO)))
    assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 0


# -- the clip and its manifest ------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return run(evidence, tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_the_manifest_lies_beside_the_clip_and_names_it(exported: ExportResult) -> None:
    manifest = json.loads(exported.manifest.read_text())
    assert exported.manifest == manifest_path(exported.clip)
    digest = hashlib.sha256(exported.clip.read_bytes()).hexdigest()
    assert manifest["clip"]["sha256"] == exported.sha256 == digest
    assert len(manifest["segments"]) == 4


def test_a_clip_proves_who_and_when(evidence: Evidence, exported: ExportResult) -> None:
    report = verify_clip(exported.clip, exported.manifest, evidence.root)
    assert (report.exit_code, report.findings) == (0, ())
    (note,) = report.not_known
    assert "was revoked: no revocation list was given" in note
    clip = report.clip
    assert clip is not None
    assert (clip.device, clip.recording) == ("cam-0001", RECORDING)
    assert clip.fragments == clip.proven_fragments == 8
    assert clip.utc_from_ns == UTC_NS


def test_a_remuxed_copy_still_proves(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(exported.clip), "-c", "copy", str(copy)], check=True
    )
    report = verify_clip(copy, exported.manifest, evidence.root)
    assert report.exit_code == 0
    assert any("not byte for byte" in note for note in report.not_known)


def test_one_changed_bit_of_a_picture_is_placed(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    picture = samples(exported.clip)[0][50]
    raw = bytearray(exported.clip.read_bytes())
    raw[raw.index(picture) + len(picture) // 2] ^= 1
    (tmp_path / "clip.mp4").write_bytes(raw)
    report = verify_clip(tmp_path / "clip.mp4", exported.manifest, evidence.root)
    assert report.exit_code == 4
    assert [f.place for f in report.findings] == ["segment 1, fragment 2"]


def test_one_changed_bit_of_the_sound_is_placed(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    sound = samples(exported.clip)[1][100]
    raw = bytearray(exported.clip.read_bytes())
    raw[raw.index(sound) + len(sound) // 2] ^= 1
    (tmp_path / "clip.mp4").write_bytes(raw)
    report = verify_clip(tmp_path / "clip.mp4", exported.manifest, evidence.root)
    assert report.exit_code == 4
    assert "sounds" in report.findings[0].text


def test_a_clip_that_was_cut_says_what_is_missing(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(exported.clip), "-t", "2", "-c", "copy", str(copy)],
        check=True,
    )
    report = verify_clip(copy, exported.manifest, evidence.root)
    assert report.exit_code == 3
    assert "the clip ends here" in report.findings[0].text


def test_a_re_encoded_clip_proves_nothing(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(exported.clip), "-bf", "0", "-preset", "ultrafast",
         str(copy)],
        check=True,
    )  # fmt: skip
    assert verify_clip(copy, exported.manifest, evidence.root).exit_code == 4


def test_a_slowed_down_clip_is_altered(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    copy = tmp_path / "slow.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-itsscale", "2", "-i", str(exported.clip), "-c", "copy",
         str(copy)],
        check=True,
    )  # fmt: skip
    report = verify_clip(copy, exported.manifest, evidence.root)
    assert report.exit_code == 4
    assert any("was captured at" in f.text for f in report.findings)


Spoil = Callable[[dict[str, Any]], None]


def _drop_fragment(manifest: dict[str, Any]) -> None:
    del manifest["segments"][1]["records"][0]


def _other_salt(manifest: dict[str, Any]) -> None:
    manifest["segments"][1]["salt"] = "00" * 32


def _edit_record(manifest: dict[str, Any]) -> None:
    entry = manifest["segments"][1]["records"][0]
    entry["record"] = entry["record"].replace('"n":1', '"n":1 ')


def _swap_heads(manifest: dict[str, Any]) -> None:
    one, two = manifest["segments"][0], manifest["segments"][1]
    one["head"], two["head"] = two["head"], one["head"]


def _claim_fewer(manifest: dict[str, Any]) -> None:
    manifest["segments"][1]["records"][0]["pictures"] -= 1


def _other_version(manifest: dict[str, Any]) -> None:
    manifest["version"] = 2


def _no_signature(manifest: dict[str, Any]) -> None:
    manifest["segments"][1]["records"][0]["signature"] = ""


@pytest.mark.parametrize(
    "spoil",
    [_drop_fragment, _other_salt, _edit_record, _swap_heads, _claim_fewer, _other_version,
     _no_signature],
)  # fmt: skip
def test_a_changed_manifest_proves_nothing(
    evidence: Evidence, exported: ExportResult, tmp_path: Path, spoil: Spoil
) -> None:
    manifest = json.loads(exported.manifest.read_text())
    spoil(manifest)
    path = tmp_path / "spoiled.json"
    path.write_text(json.dumps(manifest))
    assert verify_clip(exported.clip, path, evidence.root).exit_code == 4


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"version":1}'])
def test_a_manifest_that_is_none_is_never_a_traceback(
    evidence: Evidence, exported: ExportResult, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    assert verify_clip(exported.clip, path, evidence.root).exit_code == 4


def test_a_clip_that_is_no_video_cannot_be_opened(
    evidence: Evidence, exported: ExportResult, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"not a video")
    for clip in (tmp_path / "clip.mp4", tmp_path / "nothing.mp4"):
        assert verify_clip(clip, exported.manifest, evidence.root).exit_code == 6


# -- names, and several recordings at once ------------------------------------------------------


def test_a_folder_gets_each_recording_under_a_name_that_sorts(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(later(footage(), 30), OTHER)
    camera.record(footage())
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    order = Order([evidence.store], evidence.custody_key, evidence.root)
    results = export_each(order, tmp_path / "court")
    assert [result.clip.name for result in results] == [
        f"cam-0001_20260528T202640Z_{RECORDING}_00000.mp4",
        f"cam-0001_20260528T202710Z_{OTHER}_00000.mp4",
    ]
    names = sorted(path.name for path in (tmp_path / "court").iterdir())
    assert names == [n for r in results for n in (r.clip.name, r.manifest.name)]
    for result in results:
        assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 0


def test_recordings_that_continue_one_another_are_one_clip_in_a_folder(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    first = camera.record(footage(2), reason=CloseReason.AUTO_ROLL)
    camera.record(later(footage(2), 2), OTHER, continues=RECORDING, previous=first.last_box)
    camera.stop()
    order = Order([camera.store.root], camera.identity.recipient_key("custody"), None,
                  allow_untrusted=True)  # fmt: skip
    (result,) = export_each(order, tmp_path / "court")
    assert result.pictures == 120


def test_a_part_is_named_after_its_own_beginning(evidence: Evidence, tmp_path: Path) -> None:
    order = Order([evidence.store], evidence.custody_key, evidence.root,
                  Window(UTC_NS + 17 * NS // 10, UTC_NS + 26 * NS // 10))  # fmt: skip
    (result,) = export_each(order, tmp_path)
    assert result.clip.name == f"cam-0001_20260528T202641Z_{RECORDING}_00001.mp4"


def test_a_camera_that_did_not_know_the_time_gives_no_time_in_the_name(tmp_path: Path) -> None:
    camera = Camera(tmp_path, clock=SteppedClock(source=ClockSource.NONE))
    camera.record(footage(2))
    camera.stop()
    order = Order([camera.store.root], camera.identity.recipient_key("custody"),
                  load_root(camera.identity.root))  # fmt: skip
    (result,) = export_each(order, tmp_path / "court")
    assert result.clip.name == f"cam-0001_time-unknown_{RECORDING}_00000.mp4"


def test_a_window_leaves_out_the_recordings_outside_of_it(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage(2))
    camera.record(later(footage(2), 30), OTHER)
    camera.stop()
    key, root = camera.identity.recipient_key("custody"), load_root(camera.identity.root)
    order = Order([camera.store.root], key, root, Window(UTC_NS + 20 * NS))
    assert [r.recording for r in export_each(order, tmp_path / "court")] == [OTHER]
    with pytest.raises(ConfigError, match="nothing was recorded between these times"):
        export_each(Order([camera.store.root], key, root, Window(UTC_NS + 90 * NS)), tmp_path)

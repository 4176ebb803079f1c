"""ONVIF Media Signing through recorder, export and other people's programs."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from bodycam.certificates import Trust
from bodycam.cli import main
from bodycam.clock import NS, ClockSource
from bodycam.configfile import parse
from bodycam.custody.choice import Window
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.clipreader import read_samples
from bodycam.custody.clipsei import seis_of
from bodycam.custody.export import Order, export
from bodycam.custody.findings import Verdict
from bodycam.custody.onvifcheck import OnvifReport, OnvifVerdict
from bodycam.custody.onvifclip import verify_onvif
from bodycam.custody.result import ExportResult
from bodycam.custody.summary import text
from bodycam.errors import StorageError
from bodycam.formats.onvif import ONVIF_UUID
from bodycam.interleave import Pulled
from bodycam.media import AccessUnit, Track
from bodycam.mutes import MuteWindows
from bodycam.recording import CloseReason, RecordingFacts, RecordingWriter
from bodycam.signing import NoKey

from .evidence import (
    AUDIO,
    DEVICE,
    FRAME_NS,
    RECORDING,
    START_NS,
    UTC_NS,
    Camera,
    Evidence,
    SteppedClock,
    footage,
    of_track,
)

OTHER = "7c1d5a90-2222-4333-8444-000011112222"
ONVIF = ONVIF_UUID.bytes


def record(folder: Path, units: Sequence[AccessUnit], **options: Any) -> Evidence:
    camera = Camera(folder, signer=options.pop("signer", None), clock=options.pop("clock", None))
    camera.kit = replace(camera.kit, onvif=options.pop("onvif", True))
    camera.record(units, **options)
    camera.stop()
    return Evidence(camera.store.root, camera.identity, RECORDING, tuple(units))


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return record(tmp_path_factory.mktemp("onvif"), footage(8), segment_s=2)


def exported(
    evidence: Evidence, out: Path, begin_s: float | None = None, end_s: float | None = None,
    path: Path | None = None,
) -> ExportResult:  # fmt: skip
    window = Window(*(None if s is None else UTC_NS + int(s * NS) for s in (begin_s, end_s)))
    paths = [path or evidence.store]
    return export(Order(paths, evidence.custody_key, evidence.root, window), out)


def onvif_of(clip: Path, root: x509.Certificate | None) -> OnvifReport:
    report = verify_onvif(clip, root).onvif
    assert report is not None
    return report


def ffmpeg(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", *map(str, arguments)], capture_output=True, check=True
    )
    assert done.stderr == b""


@pytest.fixture(scope="module")
def whole(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return exported(evidence, tmp_path_factory.mktemp("whole") / "clip.mp4")


@pytest.fixture(scope="module")
def part(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return exported(evidence, tmp_path_factory.mktemp("part") / "part.mp4", 2.6, 4.4)


def test_signing_the_video_is_a_setting_and_on() -> None:
    assert parse({}, "test").signing.onvif
    assert not parse({"signing": {"onvif": False}}, "test").signing.onvif


def test_the_whole_recording_is_valid_across_segments(
    evidence: Evidence, whole: ExportResult
) -> None:
    assert evidence.verify().exit_code == 0
    assert len(evidence.segments) == 4
    report = onvif_of(whole.clip, evidence.root)
    assert report.gops == "." * 15 + "P"
    assert (report.key.trust, report.serial) == (Trust.TRUSTED, DEVICE)
    assert report.utc_from_ns == UTC_NS


def test_the_seis_lie_in_clear_in_the_encrypted_segment(evidence: Evidence) -> None:
    raw = b"".join(path.read_bytes() for path in evidence.segments)
    assert raw.count(ONVIF) == 15


def test_a_part_is_valid_to_its_last_picture_and_proves_by_its_manifest(
    evidence: Evidence, part: ExportResult
) -> None:
    pictures = [data for video, data, _ in read_samples(part.clip) if video]
    assert seis_of(pictures[0]) == []
    assert len(seis_of(pictures[-1])) == 1
    entry = json.loads(part.manifest.read_text())["clip"]
    assert [len(entry[name]) for name in ("sei_dropped", "sei_appended")] == [1, 1]
    report = verify_clip(part.clip, part.manifest, evidence.root)
    assert (report.exit_code, report.findings) == (0, ())
    assert report.onvif is not None
    assert report.onvif.gops == "...."
    assert "ONVIF Media Signing: valid (GOPs: 4 valid); key of cam-0001: trusted" in text(report)


def test_a_part_that_ends_inside_a_gop_leaves_it_pending(tmp_path: Path) -> None:
    camera = Camera(tmp_path, fragment_ns=200_000_000)
    camera.kit = replace(camera.kit, onvif=True)
    camera.record(footage(4), segment_s=60)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    result = exported(evidence, tmp_path / "part.mp4", 0, 1.7)
    assert json.loads(result.manifest.read_text())["clip"]["sei_appended"] == []
    assert onvif_of(result.clip, evidence.root).gops == "...P"
    assert verify_clip(result.clip, result.manifest, evidence.root).exit_code == 0


def test_the_manifest_cannot_hide_anything_behind_the_last_picture(
    evidence: Evidence, part: ExportResult, tmp_path: Path
) -> None:
    manifest = json.loads(part.manifest.read_text())
    manifest["clip"]["sei_appended"] = [base64.b64encode(b"\x41\x9a\x80").decode()]
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    report = verify_clip(part.clip, tmp_path / "m.json", evidence.root)
    assert report.verdict is Verdict.ALTERED
    assert "that is none" in str(report.findings[0])


@pytest.mark.parametrize("name", ["sei_dropped", "sei_appended"])
def test_a_manifest_without_the_seis_does_not_prove_the_ends(
    name: str, evidence: Evidence, part: ExportResult, tmp_path: Path
) -> None:
    manifest = json.loads(part.manifest.read_text())
    manifest["clip"][name] = []
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    report = verify_clip(part.clip, tmp_path / "m.json", evidence.root)
    assert report.verdict is Verdict.ALTERED
    assert len(report.findings) == 1


def test_a_clip_remuxed_to_matroska_and_back_is_valid(
    evidence: Evidence, part: ExportResult, tmp_path: Path
) -> None:
    ffmpeg("-i", part.clip, "-c", "copy", tmp_path / "a.mkv")
    ffmpeg("-i", tmp_path / "a.mkv", "-c", "copy", tmp_path / "b.mp4")
    ffmpeg("-i", part.clip, "-c", "copy", tmp_path / "c.ts")
    for name in ("a.mkv", "b.mp4", "c.ts"):
        assert onvif_of(tmp_path / name, evidence.root).gops == "....", name
    report = verify_clip(tmp_path / "b.mp4", part.manifest, evidence.root)
    assert (report.exit_code, report.findings) == (0, ())


def test_a_clip_cut_by_ffmpeg_is_valid_with_the_orphan_in_front_set_aside(
    evidence: Evidence, whole: ExportResult, tmp_path: Path
) -> None:
    ffmpeg("-ss", "3", "-i", whole.clip, "-t", "2", "-c", "copy", tmp_path / "cut.mp4")
    report = verify_onvif(tmp_path / "cut.mp4", evidence.root)
    assert report.onvif is not None
    assert report.onvif.orphan
    assert set(report.onvif.gops[:-1]) == {"."}
    assert any("a GOP that is not here" in note for note in report.not_known)


def test_a_re_encoded_clip_is_not_signed(
    evidence: Evidence, part: ExportResult, tmp_path: Path
) -> None:
    ffmpeg("-i", part.clip, "-c:v", "libx264", "-preset", "ultrafast", tmp_path / "again.mp4")
    report = verify_onvif(tmp_path / "again.mp4", evidence.root)
    assert report.onvif is not None
    assert report.onvif.verdict is OnvifVerdict.NOT_SIGNED
    assert report.exit_code == 5


def test_a_clip_decodes_everywhere_its_end_does_too(part: ExportResult) -> None:
    ffmpeg("-i", part.clip, "-f", "null", "-")
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
         "stream=nb_read_frames", "-of", "csv=p=0", str(part.clip)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) == part.pictures


def test_one_bit_of_one_picture_in_the_clip_is_found(
    evidence: Evidence, part: ExportResult, tmp_path: Path
) -> None:
    raw = bytearray(part.clip.read_bytes())
    pictures = [data for video, data, _ in read_samples(part.clip) if video]
    raw[raw.index(pictures[20]) + len(pictures[20]) // 2] ^= 1
    (tmp_path / "bad.mp4").write_bytes(raw)
    report = verify_onvif(tmp_path / "bad.mp4", evidence.root)
    assert report.onvif is not None
    assert report.onvif.gops == ".N.."
    assert report.exit_code == 4


def test_verify_onvif_answers_with_its_exit_code(
    evidence: Evidence, whole: ExportResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = ["--trust", str(evidence.identity.root)]
    assert main(["verify", str(whole.clip), "--onvif", *trust]) == 0
    assert "valid (GOPs: 15 valid, 1 pending)" in capsys.readouterr().out
    assert main(["verify", str(whole.clip), "--onvif", "--json"]) == 5
    shown = json.loads(capsys.readouterr().out)
    assert (shown["onvif"]["verdict"], shown["onvif"]["gops"]) == ("valid", "." * 15 + "P")
    assert main(["verify", str(evidence.log), "--onvif", *trust]) == 6
    assert main(["verify", str(whole.clip), "--onvif", "--manifest", "x", *trust]) == 2


@pytest.mark.parametrize("options", [{"onvif": False}, {"signer": NoKey()}])
def test_without_the_setting_or_a_key_there_is_none(
    options: dict[str, Any], tmp_path: Path
) -> None:
    evidence = record(tmp_path, footage(2), **options)
    assert not any(ONVIF in path.read_bytes() for path in evidence.segments)


def later(units: Sequence[AccessUnit], seconds: float) -> list[AccessUnit]:
    return [replace(u, at_ns=u.at_ns + int(seconds * NS)) for u in units]


def test_a_gap_and_a_new_worker_do_not_break_the_stream(tmp_path: Path) -> None:
    shot = footage(4)
    cut_ns = START_NS + 50 * FRAME_NS
    units = [u for u in shot if u.at_ns < cut_ns]
    units += [replace(u, epoch=1) for u in later(footage(2), 9)]
    evidence = record(tmp_path, units, segment_s=60)
    assert len(evidence.segments) == 2
    result = exported(evidence, tmp_path / "clip.mp4")
    assert onvif_of(result.clip, evidence.root).gops == "." * 7 + "P"


def test_recordings_that_continue_one_another_are_one_stream(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.kit = replace(camera.kit, onvif=True)
    first = camera.record(footage(2), reason=CloseReason.AUTO_ROLL)
    facts = RecordingFacts(
        OTHER, "auto-roll", -1, START_NS, {"asked_ms": 0, "actual_ms": 0}, 0, RECORDING,
        first.last_box,
    )  # fmt: skip
    second = RecordingWriter(
        camera.store, camera.kit, camera.log, facts, 2 * NS, MuteWindows(), first.onvif
    )
    for index, unit in enumerate(later(footage(2), 2)):
        second.take(Pulled(index, unit), AUDIO)
    second.close_segment(CloseReason.STOP, None)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    both = exported(evidence, tmp_path / "both.mp4")
    assert onvif_of(both.clip, evidence.root).gops == "." * 7 + "P"
    # The second by itself: the SEI in front of it is of the first one's last GOP.
    alone = exported(evidence, tmp_path / "2.mp4", path=evidence.store / "evidence" / OTHER)
    report = onvif_of(alone.clip, evidence.root)
    assert (report.gops, report.orphan) == ("...P", False)
    assert verify_clip(alone.clip, alone.manifest, evidence.root).exit_code == 0


def test_what_is_written_again_after_a_fault_stays_one_stream(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.kit = replace(camera.kit, onvif=True)
    shot = of_track(footage(4), Track.VIDEO)
    writer = camera.record(shot[:75], audio=None, segment_s=60, reason=None)
    writer.sync()
    writer.abandon_segment(StorageError("I/O error"))
    for index, unit in enumerate(shot[60:]):
        camera.clock.now_ns = max(camera.clock.now_ns, unit.at_ns)
        writer.take(Pulled(index, unit), None)
    writer.close_segment(CloseReason.STOP, None)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    result = exported(evidence, tmp_path / "clip.mp4")
    assert result.pictures == 120
    assert onvif_of(result.clip, evidence.root).gops == "." * 7 + "P"


def test_a_camera_without_the_time_of_day_signs_its_video_all_the_same(tmp_path: Path) -> None:
    evidence = record(tmp_path, footage(2), clock=SteppedClock(source=ClockSource.NONE))
    clip = exported(evidence, tmp_path / "clip.mp4").clip
    report = onvif_of(clip, evidence.root)
    assert (report.gops, report.utc_from_ns) == ("...P", None)

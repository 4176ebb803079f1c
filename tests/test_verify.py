"""What `verify` answers: intact, incomplete, untrusted, unreadable, altered; and where."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from cryptography import x509

from bodycam.clock import NS, ClockSource
from bodycam.custody.findings import Check, Verdict
from bodycam.custody.segmentwalk import Sealed, SegmentBytes, walk
from bodycam.custody.verify import Report, numbered_checks, verify_paths
from bodycam.errors import StorageError
from bodycam.formats.logline import encode_line
from bodycam.media import AccessUnit, Track
from bodycam.recording import CloseReason
from bodycam.signing import NoKey

from .evidence import (
    DEVICE,
    FRAME_NS,
    RECORDING,
    START_NS,
    Camera,
    Evidence,
    SteppedClock,
    build_store,
    footage,
    of_track,
)

OTHER = "7c1d5a90-2222-4333-8444-000011112222"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), segment_s=1)


@pytest.fixture
def evidence(made: Evidence, tmp_path: Path) -> Evidence:
    return made.copy(tmp_path)


def boxes(path: Path) -> list[Sealed]:
    with SegmentBytes(path) as data:
        return [part for part in walk(data) if isinstance(part, Sealed)]


def fragment(path: Path, number: int) -> bytes:
    unit = boxes(path)[number]
    return path.read_bytes()[unit.start : unit.end]


def said(report: Report, verdict: Verdict, place: str, text: str) -> bool:
    return any(
        f.verdict is verdict and place in f"{f.file} {f.place}" and text in f.text
        for f in report.findings
    )


def test_what_a_camera_closed_is_intact_and_trusted(evidence: Evidence) -> None:
    report = evidence.verify()
    assert (report.verdict, report.exit_code, report.findings) == (Verdict.INTACT, 0, ())
    (recording,) = report.recordings
    assert recording.device == DEVICE
    assert [s.head.seg for s in recording.segments if s.head] == [0, 1, 2, 3]
    assert sum(s.pictures for s in recording.segments) == 4 * 30
    assert sum(s.sounds for s in recording.segments) == len(of_track(evidence.units, Track.AUDIO))


def test_a_folder_a_file_and_a_log_can_be_verified_alone(evidence: Evidence) -> None:
    assert evidence.verify(evidence.folder).verdict is Verdict.INTACT
    assert evidence.verify(evidence.segments[2]).verdict is Verdict.INTACT
    assert evidence.verify(evidence.log).verdict is Verdict.INTACT
    shutil.rmtree(evidence.log.with_name("certificates"))
    log = evidence.verify(evidence.log)
    # Without its certificates the log's signer is known only from the recordings.
    assert log.verdict is Verdict.UNTRUSTED
    assert said(log, Verdict.UNTRUSTED, "checkpoint", "together with its recordings")


def test_single_files_need_not_be_neighbours(evidence: Evidence) -> None:
    assert evidence.verify(evidence.segments[0], evidence.segments[2]).verdict is Verdict.INTACT


def test_without_a_root_everything_else_is_checked(evidence: Evidence) -> None:
    report = verify_paths([evidence.store], None)
    assert (report.verdict, report.exit_code) == (Verdict.UNTRUSTED, 5)
    assert {f.check for f in report.findings} == {Check.CERTIFICATE}
    assert any("--trust" in note for note in report.not_known)


def test_another_forces_root_is_not_trusted(evidence: Evidence, tmp_path: Path) -> None:
    stranger = Camera(tmp_path / "stranger")
    stranger.stop()
    pem = stranger.identity.root.read_bytes()
    report = verify_paths([evidence.folder], x509.load_pem_x509_certificate(pem))
    assert report.exit_code == 5


def test_unsigned_segments_are_untrusted_but_their_chain_is_checked(tmp_path: Path) -> None:
    evidence = build_store(tmp_path, signed=False)
    report = evidence.verify()
    assert report.exit_code == 5
    assert said(report, Verdict.UNTRUSTED, "00000.mp4", "not signed")
    with evidence.segments[1].open("r+b") as file:
        file.seek(-100_000, os.SEEK_END)
        file.write(b"\0")
    assert evidence.verify().exit_code == 4


# -- structure: what is taken out, put in, or moved -------------------------------------------


def test_a_removed_fragment_is_altered_and_named(evidence: Evidence) -> None:
    path = evidence.segments[1]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(fragment(path, 2), b""))
    report = evidence.verify(path)
    # A whole second lost its second half: END is now where fragment 2 was.
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "end", "fragment 2 is missing")


def test_a_removed_first_fragment_is_named_too(evidence: Evidence) -> None:
    path = evidence.segments[1]
    path.write_bytes(path.read_bytes().replace(fragment(path, 1), b""))
    report = evidence.verify(path)
    assert said(report, Verdict.ALTERED, "fragment 2", "fragment 1 is missing before it")


def test_swapped_fragments_are_altered(evidence: Evidence) -> None:
    path = evidence.segments[1]
    one, two, whole = fragment(path, 1), fragment(path, 2), path.read_bytes()
    at = whole.index(one)
    path.write_bytes(whole[:at] + two + one + whole[at + len(one) + len(two) :])
    report = evidence.verify(path)
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "fragment 1", "moved or repeated")


def test_a_repeated_fragment_is_altered(evidence: Evidence) -> None:
    path = evidence.segments[1]
    one, whole = fragment(path, 1), path.read_bytes()
    path.write_bytes(whole.replace(one, one + one))
    assert said(evidence.verify(path), Verdict.ALTERED, "fragment 1", "moved or repeated")


def test_a_fragment_of_another_segment_is_altered(evidence: Evidence) -> None:
    path = evidence.segments[1]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(fragment(path, 1), fragment(evidence.segments[2], 1)))
    assert said(evidence.verify(path), Verdict.ALTERED, "fragment 1", "does not follow")


def test_bytes_behind_end_are_altered(evidence: Evidence) -> None:
    path = evidence.segments[1]
    for addition in (b"x", bytes(8), fragment(path, 1), b"\0\0\0\x08free"):
        shutil.copy(path, spoiled := path.parent.parent / path.name)
        with spoiled.open("ab") as file:
            file.write(addition)
        assert evidence.verify(spoiled).exit_code == 4


def test_a_box_slipped_in_is_altered(evidence: Evidence) -> None:
    path = evidence.segments[1]
    one, whole = fragment(path, 1), path.read_bytes()
    path.write_bytes(whole.replace(one, b"\0\0\0\x08free" + one))
    report = evidence.verify(path)
    assert said(report, Verdict.ALTERED, "fragment 1", "'free'")


def test_a_removed_middle_segment_is_altered(evidence: Evidence) -> None:
    evidence.segments[1].unlink()
    for report in (evidence.verify(), evidence.verify(evidence.folder)):
        assert report.exit_code == 4
        assert said(report, Verdict.ALTERED, "00002.mp4", "segment 1 is missing")


def test_a_removed_first_segment_is_altered(evidence: Evidence) -> None:
    evidence.segments[0].unlink()
    assert said(evidence.verify(evidence.folder), Verdict.ALTERED, "00001.mp4", "segment 0 is")


def test_a_removed_last_segment_is_missing_by_the_log(evidence: Evidence) -> None:
    evidence.segments[-1].unlink()
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "00003.mp4", "is missing: the log opened it in line")
    alone = evidence.verify(evidence.folder)
    assert alone.exit_code == 0
    assert any("only the camera's log can tell" in note for note in alone.not_known)


def test_a_segment_of_another_camera_is_altered(evidence: Evidence, tmp_path: Path) -> None:
    camera = Camera(tmp_path / "other", device="cam-0002")
    camera.record(footage(), segment_s=1)
    camera.stop()
    stranger = Evidence(camera.store.root, camera.identity, RECORDING, ())
    shutil.copy(stranger.segments[1], evidence.segments[1])
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "00001.mp4", "renamed or taken from elsewhere")
    assert said(report, Verdict.ALTERED, "00001.mp4", "another camera")


def test_a_segment_of_another_recording_is_altered(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage(), segment_s=1)
    camera.record(later(footage(), 10), OTHER, segment_s=1)
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    assert evidence.verify().exit_code == 0
    stranger = next((camera.store.evidence / OTHER).glob("*_00001.mp4"))
    shutil.copy(stranger, evidence.segments[1])
    report = evidence.verify()
    assert said(report, Verdict.ALTERED, "00001.mp4", "another recording")


def test_an_added_file_is_not_known_to_the_log(evidence: Evidence) -> None:
    path = evidence.segments[-1]
    shutil.copy(path, path.with_name(path.name.replace("00003", "00004")))
    assert said(evidence.verify(), Verdict.ALTERED, "00004.mp4", "not known to the log")


def later(units: tuple[AccessUnit, ...], seconds: int) -> list[AccessUnit]:
    return [
        AccessUnit(u.track, u.at_ns + seconds * NS, u.keyframe, u.seq, u.data, u.dropped, u.epoch)
        for u in units
    ]


# -- what was cut, and what never was -------------------------------------------------------


def test_a_cut_tail_says_after_when_there_is_no_evidence(evidence: Evidence) -> None:
    path = evidence.segments[-1]
    os.truncate(path, boxes(path)[1].end + 1000)
    alone = evidence.verify(path)
    assert alone.exit_code == 3
    assert said(alone, Verdict.INCOMPLETE, "after fragment 1", "torn tail: 1000 bytes")
    assert said(
        alone, Verdict.INCOMPLETE, "after fragment 1",
        "no evidence after 2026-05-28T20:26:43.49",
    )  # fmt: skip
    # With the log: still missing, not altered, and how much is known.
    whole = evidence.verify()
    assert whole.exit_code == 3
    assert said(whole, Verdict.INCOMPLETE, path.name, "were cut off afterwards")


def test_a_middle_segment_without_its_end_is_altered(evidence: Evidence) -> None:
    path = evidence.segments[1]
    os.truncate(path, boxes(path)[1].end)
    report = evidence.verify(evidence.folder)
    assert said(report, Verdict.ALTERED, "00002.mp4", "lacks what was there at its end")


def test_a_crash_is_incomplete_and_explained(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage(), reason=None)
    camera.stop(orderly=False)
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "00001.mp4", "was not closed")
    assert any("ends without a shutdown" in note for note in report.not_known)


def test_a_suspect_file_that_has_lost_what_was_synced_is_said(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    writer = camera.record(footage(), segment_s=60, reason=None)
    writer.sync()
    assert writer.segment is not None
    file = writer.segment.file
    writer.abandon_segment(StorageError("Input/output error"))
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    assert not said(evidence.verify(), Verdict.INCOMPLETE, file.path.name, "had been synced")
    os.truncate(file.path, file.synced_size - 1000)
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, file.path.name, "1000 bytes were lost or cut off")


def test_a_segment_that_could_not_be_made_holds_nothing(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    in_the_way = camera.store.evidence / "rec-2"
    in_the_way.write_bytes(b"")
    with pytest.raises(StorageError):
        camera.record(footage(), "rec-2")
    in_the_way.unlink()
    camera.stop()
    report = Evidence(camera.store.root, camera.identity, RECORDING, ()).verify()
    assert said(report, Verdict.INCOMPLETE, "00000.mp4", "could not be made: io.error")


def test_a_broken_file_that_the_log_closed_is_altered_not_torn(evidence: Evidence) -> None:
    path = evidence.segments[-1]
    size = path.stat().st_size
    os.truncate(path, boxes(path)[1].end + 1000)
    os.truncate(path, size)
    # Zeros where a fragment and END were: alone it looks like a power cut, the log knows better.
    assert evidence.verify(path).exit_code == 3
    assert evidence.verify().exit_code == 4


def test_lost_frames_are_gaps(tmp_path: Path) -> None:
    def lose(units: list[AccessUnit]) -> list[AccessUnit]:
        begin, end = START_NS + 20 * FRAME_NS, START_NS + 29 * FRAME_NS
        return [u for u in units if u.track is Track.AUDIO or not begin < u.at_ns < end]

    report = build_store(tmp_path, edit=lose).verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "fragment", "gap: no picture for")
    (gap,) = [gap for segment in report.segments for gap in segment.gaps]
    assert 8 * FRAME_NS < gap.to_ns - gap.from_ns < 10 * FRAME_NS


def test_a_jump_of_capture_time_opens_a_new_segment_and_is_a_gap(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    shot = footage()
    roll_ns = START_NS + 30 * FRAME_NS
    early = [u for u in shot if u.at_ns < roll_ns]
    late = later(tuple(u for u in shot if u.at_ns >= roll_ns), 5)
    camera.record([*early, *late], segment_s=60)
    camera.stop()
    report = Evidence(camera.store.root, camera.identity, RECORDING, ()).verify()
    assert [s.reason for s in report.segments] == ["jump", "stop"]
    assert said(report, Verdict.INCOMPLETE, "00001.mp4", "gap: no picture for 5000 ms")
    assert report.exit_code == 3


def test_a_recording_that_continues_another_names_its_last_box(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    first = camera.record(footage(), reason=CloseReason.AUTO_ROLL)
    camera.record(
        later(footage(), 4), OTHER, continues=RECORDING, previous=first.last_box, segment_s=60
    )
    camera.stop()
    evidence = Evidence(camera.store.root, camera.identity, RECORDING, ())
    assert evidence.verify().exit_code == 0
    evidence.segments[-1].unlink()
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, OTHER, "continues recording")


def test_a_clock_that_was_never_set_says_so(tmp_path: Path) -> None:
    camera = Camera(tmp_path, clock=SteppedClock(source=ClockSource.NONE))
    camera.record(footage())
    camera.stop()
    report = Evidence(camera.store.root, camera.identity, RECORDING, ()).verify()
    assert report.exit_code == 0
    assert any("the clock was not set" in n or "was not set" in n for n in report.not_known)


# -- the log --------------------------------------------------------------------------------


def rewrite(evidence: Evidence, lines: list[bytes]) -> None:
    evidence.log.write_bytes(b"".join(line + b"\n" for line in lines))


def test_a_removed_line_is_altered_and_placed(evidence: Evidence) -> None:
    lines = evidence.log.read_bytes().splitlines()
    rewrite(evidence, lines[:4] + lines[5:])
    assert said(evidence.verify(), Verdict.ALTERED, "line 5", "has number 5 where 4 is expected")


def test_swapped_lines_are_altered(evidence: Evidence) -> None:
    lines = evidence.log.read_bytes().splitlines()
    lines[3], lines[4] = lines[4], lines[3]
    rewrite(evidence, lines)
    assert said(evidence.verify(), Verdict.ALTERED, "line 4", "has number")


def test_a_log_rewritten_with_a_good_chain_contradicts_what_was_signed(evidence: Evidence) -> None:
    prev, lines = "0" * 64, []
    for raw in evidence.log.read_bytes().splitlines():
        fields = json.loads(raw)
        fields.pop("crc")
        if fields["ev"] == "switch.on":
            fields["boot_ns"] += 60 * NS
        fields["prev"] = prev
        lines.append(encode_line(fields))
        prev = hashlib.sha256(lines[-1]).hexdigest()
    rewrite(evidence, lines)
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "checkpoint", "not those that it vouches for")
    assert said(report, Verdict.ALTERED, "00000.mp4, fragment 1", "not those")


def test_a_cut_log_is_missing_lines_that_the_checkpoint_vouches_for(evidence: Evidence) -> None:
    lines = evidence.log.read_bytes().splitlines()
    rewrite(evidence, lines[:-2])
    report = evidence.verify()
    assert report.exit_code == 4
    assert said(report, Verdict.ALTERED, "checkpoint", "the log was cut")
    assert said(report, Verdict.ALTERED, "checkpoint", "2 lines are missing behind line")


def test_a_torn_last_line_is_incomplete(evidence: Evidence) -> None:
    with evidence.log.open("ab") as file:
        file.write(b'{"v":1,"seq":99,"bo')
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "line", "torn last line: 19 bytes")


def test_blocks_of_the_log_that_never_came_are_incomplete(evidence: Evidence) -> None:
    held = evidence.log.stat().st_size
    with evidence.log.open("ab") as file:
        file.write(bytes(100) + b'"ev":"heartbeat"}\n{"v":1}\n')
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "line", "torn last line: 126 bytes")
    assert report.logs[0].torn_bytes == evidence.log.stat().st_size - held
    raw = bytearray(evidence.log.read_bytes())
    raw[1000:2000] = bytes(1000)
    evidence.log.write_bytes(raw)
    assert said(evidence.verify(), Verdict.ALTERED, "checkpoint", "the log was cut")


def test_an_empty_file_that_the_log_does_not_know_is_incomplete(evidence: Evidence) -> None:
    path = evidence.segments[-1]
    path.with_name(path.name.replace("00003", "00004")).touch()
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "00004.mp4", "is empty, and not known to the log")


def test_lines_that_nothing_signed_stands_for_are_named(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage())
    camera.log.checkpoint()
    camera.log.append("marker")
    camera.log.append("shutdown")
    camera.stop(orderly=False)
    report = Evidence(camera.store.root, camera.identity, RECORDING, ()).verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "line", "not signed by any checkpoint yet")


def test_a_removed_checkpoint_leaves_only_what_the_video_vouches_for(evidence: Evidence) -> None:
    evidence.log.with_name("checkpoint").unlink()
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "line", "not signed by any checkpoint")


def test_a_forged_checkpoint_is_altered(evidence: Evidence) -> None:
    path = evidence.log.with_name("checkpoint")
    note = path.read_bytes()
    lines = len(evidence.log.read_bytes().splitlines())
    path.write_bytes(note.replace(f"\n{lines}\n".encode(), f"\n{lines - 1}\n".encode()))
    assert said(evidence.verify(), Verdict.ALTERED, "checkpoint", "")


def test_a_missing_log_is_incomplete(evidence: Evidence) -> None:
    shutil.rmtree(evidence.log.parent)
    report = evidence.verify()
    assert report.exit_code == 3
    assert said(report, Verdict.INCOMPLETE, "log", "the event log is missing")


# -- the answer -----------------------------------------------------------------------------


def test_the_worst_finding_decides(evidence: Evidence) -> None:
    os.truncate(evidence.segments[-1], 5000)
    assert evidence.verify().exit_code == 3
    assert verify_paths([evidence.store], None).exit_code == 5
    (evidence.folder / "notes.mp4").write_bytes(b"not a segment")
    assert verify_paths([evidence.folder], None).exit_code == 6
    with evidence.segments[0].open("r+b") as file:
        file.write(b"\xff")
    assert verify_paths([evidence.store], None).exit_code == 4


@pytest.mark.parametrize("name", ["nothing-here", "folder", "picture.png", "fifo"])
def test_what_is_no_evidence_cannot_be_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    os.mkfifo(tmp_path / "fifo")
    report = verify_paths([tmp_path / name], None)
    assert (report.verdict, report.exit_code) == (Verdict.UNREADABLE, 6)


def test_the_json_is_one_object_with_the_numbered_checks(evidence: Evidence) -> None:
    os.truncate(evidence.segments[-1], 5000)
    answer = json.loads(json.dumps(evidence.verify().to_json()))
    assert (answer["verdict"], answer["exit_code"]) == ("incomplete", 3)
    assert [check["n"] for check in answer["checks"]] == list(range(1, 17))
    assert {finding["check"] for finding in answer["findings"]} <= {int(c) for c in Check}
    assert len(answer["recordings"][0]["segments"]) == 4


def test_the_docstring_describes_every_check() -> None:
    assert [number for number, _ in numbered_checks()] == [int(check) for check in Check]


def test_progress_reaches_the_total(evidence: Evidence) -> None:
    steps: list[tuple[int, int]] = []
    verify_paths([evidence.store], evidence.root, lambda done, total: steps.append((done, total)))
    total = sum(path.stat().st_size for path in evidence.segments)
    assert steps[-1] == (total, total)
    assert steps == sorted(steps)


def test_recordings_without_sound_and_without_key_are_understood(tmp_path: Path) -> None:
    camera = Camera(tmp_path, signer=NoKey())
    camera.record(of_track(footage(), Track.VIDEO), audio=None)
    camera.stop()
    report = verify_paths([camera.store.root], None)
    assert report.exit_code == 5
    assert sum(s.sounds for s in report.segments) == 0

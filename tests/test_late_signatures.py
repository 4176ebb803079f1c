"""Signatures that come late: who vouches for which record, and what taking one away amounts to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bodycam.audit.intervals import length_us
from bodycam.audit.timeline import DeviceTimeline, StoryBook, timelines
from bodycam.clock import NS, utc_from_text
from bodycam.custody.choice import Window
from bodycam.custody.clipcheck import verify_clip
from bodycam.custody.export import Order, export
from bodycam.custody.findings import Check, Verdict
from bodycam.custody.verify import verify_paths
from bodycam.errors import DeviceError, ExitCode
from bodycam.formats.boxes import children
from bodycam.formats.records import (
    SIGNATURE_UUID,
    parse_record,
    read_payload,
    signature_box,
    signature_payload,
)
from bodycam.keywatch import KeyState, KeyWatch
from bodycam.signing import FileKey, Promise

from .evidence import RECORDING, Camera, Evidence, footage


class Tardy(Promise):
    """Kept once it was waited for so often."""

    def __init__(self, signature: bytes, polls: int) -> None:
        super().__init__()
        self._late, self._polls = signature, polls

    def wait(self, seconds: float = 0) -> bytes | None:
        self._polls -= 1
        return self._late if self._polls < 0 else None


class TardyKey:
    """A file's key whose signatures come after so many polls; from the `fails_from`th on it refuses."""

    def __init__(self, key: FileKey, polls: int, fails_from: int | None = None) -> None:
        self._key, self._polls, self._fails_from = key, polls, fails_from
        self.certificates, self.public_key = key.certificates, key.public_key
        self._asked = 0

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def ask(self, message: bytes) -> Promise:
        self._asked += 1
        if self._fails_from is not None and self._asked >= self._fails_from:
            promise = Promise()
            promise.fail(DeviceError("the token says no"))
            return promise
        # What closes a recording is waited for.
        last = b'"t":"end"' in message and b'"reason":"stop"' in message
        return Tardy(self._key.sign(message), 0 if last else self._polls)


def store(folder: Path, polls: int = 3, fails_from: int | None = None) -> Evidence:
    """A recording of a few segments by a key like that; its log is signed in time."""
    camera = Camera(folder)
    assert isinstance(camera.signer, FileKey)
    camera.kit = replace(camera.kit, signer=TardyKey(camera.signer, polls, fails_from))
    shot = tuple(footage(5))
    camera.record(shot)
    camera.stop()
    return Evidence(camera.store.root, camera.identity, RECORDING, shot)


def boxes(path: Path) -> list[tuple[int, int, bool, dict[str, object]]]:
    """Where each signature box begins and ends, whether it is signed, and its record."""
    raw = path.read_bytes()
    found = []
    for box in children(raw, 0, len(raw)):
        if box.extended == SIGNATURE_UUID:
            read = read_payload(raw[box.body : box.end])
            found.append((box.start, box.end, not read.unsigned, parse_record(read.record)))
    return found


def strip_signature(path: Path, number: int) -> None:
    """Take the signature of one record away, and leave all else as it is."""
    raw = path.read_bytes()
    start, end, _, _ = boxes(path)[number]
    (box,) = children(raw[start:end], 0, end - start)
    read = read_payload(raw[start + box.body : end])
    chain = read.certificates if number == 0 else None
    stripped = signature_box(signature_payload(read.record, b"", chain))
    path.write_bytes(raw[:start] + stripped + raw[end:])


def signature_findings(evidence: Evidence) -> list[tuple[Verdict, str]]:
    report = evidence.verify()
    return [(f.verdict, f.text) for f in report.findings if f.check is Check.SIGNATURE]


def test_one_signature_in_four_vouches_for_every_record(tmp_path: Path) -> None:
    evidence = store(tmp_path)
    read = [box for path in evidence.segments for box in boxes(path)]
    assert sum(not signed for _, _, signed, _ in read) > len(read) // 2
    assert sum("late" in record for _, _, _, record in read) >= 3
    assert evidence.verify().exit_code is ExitCode.OK


def test_a_late_signature_that_does_not_match_is_named_by_its_place(tmp_path: Path) -> None:
    evidence = store(tmp_path)
    path = evidence.segments[0]
    raw = path.read_bytes()
    found = re.search(rb'"late":\[(\d+),"(.{40})', raw)
    assert found is not None
    forged = bytes(found[2]).swapcase()
    path.write_bytes(raw[: found.start(2)] + forged + raw[found.end(2) :])
    said = signature_findings(evidence)
    assert any(v is Verdict.ALTERED and "does not match" in text for v, text in said)
    assert evidence.verify().exit_code is ExitCode.ALTERED


def test_what_nothing_vouches_for_is_not_trusted_from_there_on(tmp_path: Path) -> None:
    evidence = store(tmp_path, polls=0, fails_from=4)
    report = evidence.verify()
    assert report.exit_code is ExitCode.UNTRUSTED
    said = signature_findings(evidence)
    assert {verdict for verdict, _ in said} == {Verdict.UNTRUSTED}
    assert any("from fragment 3 on" in text for _, text in said)


# Three signatures: over HEAD and two fragments of 0.5 s, or late and each for what came before.
@pytest.mark.parametrize(("polls", "proven_us"), [(0, 999_999), (3, 1_999_999)])
def test_the_audit_counts_what_is_vouched_for_and_calls_the_rest_failed(
    tmp_path: Path, polls: int, proven_us: int
) -> None:
    late = timeline_of(store(tmp_path / "late", polls))
    assert (length_us(late.evid), late.failed) == (5_000_000 - 1, ())
    refused = timeline_of(store(tmp_path / "refused", polls, fails_from=4))
    assert length_us(refused.evid) == proven_us
    assert length_us(refused.evid) + length_us(refused.failed) >= 4_900_000


def timeline_of(evidence: Evidence) -> DeviceTimeline:
    book = StoryBook()
    (line,) = timelines(verify_paths([evidence.store], evidence.root, follow=book.follow), book)
    return line


def test_a_signature_that_was_taken_away_is_noticed_wherever_it_stood(tmp_path: Path) -> None:
    evidence = store(tmp_path, polls=0)
    assert evidence.verify().exit_code is ExitCode.OK
    strip_signature(evidence.segments[0], 2)
    assert evidence.verify().exit_code is ExitCode.ALTERED, "the next record names another box"


def test_the_last_signature_of_a_recording_taken_away_contradicts_the_log(tmp_path: Path) -> None:
    evidence = store(tmp_path, polls=0)
    last = evidence.segments[-1]
    strip_signature(last, len(boxes(last)) - 1)
    assert [verdict for verdict, _ in signature_findings(evidence)] == [Verdict.UNTRUSTED]
    assert evidence.verify().exit_code is ExitCode.ALTERED, "the log names its last box"


def test_a_segment_alone_owes_what_the_next_one_vouches_for(tmp_path: Path) -> None:
    evidence = store(tmp_path)
    alone = evidence.verify(evidence.segments[0])
    assert alone.exit_code is ExitCode.UNTRUSTED
    both = evidence.verify(*evidence.segments)
    assert [f for f in both.findings if f.check is Check.SIGNATURE] == []


@pytest.mark.parametrize("seconds", [None, 1.2], ids=["all", "a part"])
def test_a_clip_carries_the_records_that_vouch_for_it(
    tmp_path: Path, seconds: float | None
) -> None:
    # Each signature is in the next record: the clip's last one is behind its end.
    evidence = store(tmp_path, polls=1)
    begin = utc_from_text(str(boxes(evidence.segments[0])[0][3]["utc"]))
    until = None if seconds is None else begin + int(seconds * NS)
    order = Order([evidence.store], evidence.custody_key, evidence.root, Window(None, until))
    result = export(order, tmp_path / "clip.mp4")
    report = verify_clip(result.clip, result.manifest, evidence.root)
    assert report.exit_code is ExitCode.OK, [finding.text for finding in report.findings]


def test_a_key_is_late_then_failing_then_back() -> None:
    watch = KeyWatch()
    watch.late(0)
    for second in range(1, 60):
        watch.late(second * NS)
    assert [edge.ev for edge in watch.take()] == ["sign.late"]
    watch.late(60 * NS)
    assert watch.state is KeyState.FAILING
    (edge,) = watch.take()
    assert (edge.ev, edge.reason, edge.unsigned) == ("sign.error", "no signature for 60 s", 61)
    watch.signed(61 * NS, in_time=False)
    for second in range(62, 72):
        watch.signed(second * NS, in_time=True)
    assert [edge.ev for edge in watch.take()] == ["sign.back"]
    assert watch.state.value == KeyState.PROMPT.value


def test_a_key_that_refuses_is_said_once() -> None:
    watch = KeyWatch()
    for second in range(5):
        watch.failed(second * NS, "no")
    assert [(edge.ev, edge.reason) for edge in watch.take()] == [("sign.error", "no")]


@pytest.mark.parametrize("polls", [1, 7, 40])
def test_however_late_they_are_nothing_is_altered(tmp_path: Path, polls: int) -> None:
    assert store(tmp_path, polls).verify().exit_code in (ExitCode.OK, ExitCode.UNTRUSTED)

"""What `inspect` shows: a tree of boxes with their offsets, and the lines of a log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bodycam.custody.inspect import inspect, text
from bodycam.errors import CannotOpen

from .evidence import DEVICE, RECORDING, Evidence, build_store


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), segment_s=1)


def test_the_top_boxes_fill_the_file_in_the_order_of_the_format(evidence: Evidence) -> None:
    path = evidence.segments[0]
    top = [e for e in inspect(path) if e["depth"] == 0]
    fragment = ["prft", "moof", "mdat", "uuid"]
    assert [e["box"] for e in top] == ["ftyp", "moov", "uuid", *fragment, *fragment, "uuid"]
    at = 0
    for entry in top:
        assert entry["offset"] == at
        at += entry["size"]
    assert at == path.stat().st_size


def test_inner_boxes_lie_where_they_are_said_to_lie(evidence: Evidence) -> None:
    raw = evidence.segments[0].read_bytes()
    entries = inspect(evidence.segments[0])
    assert {"encv", "enca", "tenc", "pssh", "senc", "trun"} <= {e["box"] for e in entries}
    for entry in entries:
        at = entry["offset"]
        assert raw[at + 4 : at + 8].decode("latin-1") == entry["box"]
        assert int.from_bytes(raw[at : at + 4], "big") == entry["size"]


def test_people_read_records_formats_and_recipients(evidence: Evidence) -> None:
    shown = text(inspect(evidence.segments[0]))
    for words in (
        "HEAD 0, signed", "FRAG 2, signed", "END 3, signed", f"dev: {DEVICE}", f"rec: {RECORDING}",
        "H.264 320x180, AAC 48000 Hz", "wrapped key for ", "15 pictures from 0",
    ):  # fmt: skip
        assert words in shown


def test_a_log_is_shown_line_by_line(evidence: Evidence) -> None:
    entries = inspect(evidence.log)
    assert [e["line"] for e in entries] == list(range(1, len(entries) + 1))
    assert [e["ev"] for e in entries][:3] == ["boot", "ready", "switch.on"]
    assert inspect(evidence.log.parent) == entries
    assert "seg.close" in text(entries)


def test_a_checkpoint_is_shown(evidence: Evidence) -> None:
    (entry,) = inspect(evidence.log.with_name("checkpoint"))
    assert entry["origin"] == f"example/bodycam/{DEVICE}"
    assert entry["lines"] == len(inspect(evidence.log))


def test_everything_can_be_said_in_json(evidence: Evidence) -> None:
    for path in (evidence.segments[0], evidence.log, evidence.log.with_name("checkpoint")):
        assert json.loads(json.dumps(inspect(path)))


@pytest.mark.parametrize("keep", [0, 4, 20, 28, 100, 2400, 4000, 5000])
def test_a_cut_file_is_shown_as_far_as_it_goes(
    evidence: Evidence, tmp_path: Path, keep: int
) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(evidence.segments[0].read_bytes()[:keep])
    entries = inspect(path)
    assert sum(e["size"] for e in entries if e["depth"] == 0) == keep
    assert text(entries).count("\n") >= len(entries)


def test_a_damaged_line_is_said_to_be_damaged(evidence: Evidence, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = evidence.log.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"ready", b"rEady")
    path.write_bytes(b"".join(lines) + b"torn")
    entries = inspect(path)
    assert entries[1]["says"] == entries[-1]["says"] == "line does not match its own checksum"


def test_what_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    for name in ("nothing.mp4", "events.jsonl", "checkpoint"):
        with pytest.raises(CannotOpen, match="No such file"):
            inspect(tmp_path / name)

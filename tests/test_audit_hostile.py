"""A camera may sign nonsense: the audit says what it can, and neither falls over nor runs a script."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bodycam.audit.dataset.store import DataSet
from bodycam.audit.incidentcsv import Incidents
from bodycam.audit.incidents import Incident
from bodycam.audit.logstory import _WANTED, LogStory
from bodycam.audit.outcome import audit
from bodycam.audit.policy import load_policy
from bodycam.audit.public import public_facts, public_page
from bodycam.audit.report import audit_page
from bodycam.audit.tables import as_json, write_tables
from bodycam.audit.timeline import StoryBook
from bodycam.cli import main
from bodycam.custody.verify import Report, verify_paths
from bodycam.errors import ExitCode
from bodycam.formats.logline import LogLine
from bodycam.signing import load_root

from .auditlogs import Day, at, day

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "audit.schema.json").read_text(encoding="utf-8")
)
EVIL = "<script>alert(1)</script>"
NAMES = (
    "rec", "reason", "cause", "pin", "kind", "seen_by", "level", "quantity", "from_ns", "to_ns",
    "silent_ms", "synced_ns", "first_ns", "last_ns", "asked_ms", "flags", "file", "seg", "step_ms",
    "utc_ns", "error_ms", "source", "heartbeat_s", "pre_record_s", "device", "throttled", "camera", "soc_milli_c", "verdict", "allowed",
)  # fmt: skip
SIZES = st.sampled_from([0, 1, -1, 5, 10**9, 10**12, 60 * 10**9, 2**61, -(2**61), 2**63, 10**30])
VALUES = st.one_of(
    SIZES, SIZES, st.none(), st.booleans(), st.floats(),
    st.sampled_from([EVIL, "\u202e\x1b[31m;=1", "", "close", "empty", "dock", "start", "r", "switch", "x" * 200]),
    st.lists(st.sampled_from(["undervolt", 1, None]), max_size=2), st.just({"a": 1}),
)  # fmt: skip
EVENTS = st.tuples(
    st.sampled_from([*sorted(_WANTED - {"seg.open", "seg.close", "recovery", "io.error"}),
                     *["heartbeat", "clock.sample", "boot", "gap"] * 5]),
    st.one_of(st.none(), st.sampled_from([0, -(2**62), 2**62]), st.integers(49 * 10**9, 80 * 10**9)),
    st.fixed_dictionaries({
        **dict.fromkeys(NAMES, VALUES), "utc_ns": st.sampled_from([10**30, 2**61, 0]),
        "heartbeat_s": st.sampled_from([10**30, 10**12, -1, 10]),
        "error_ms": st.sampled_from([0, 0, 10**9]),
    }),
)  # fmt: skip


def told(camera: Day, events: list[tuple[str, int | None, dict[str, Any]]]) -> None:
    camera.boot(0)
    for number, (ev, at_ns, data) in enumerate(events):
        camera.to(number + 2)
        camera.log.append(ev, at_ns, **data)
    camera.end(60)


def audited(report: Report, book: StoryBook, folder: Path) -> dict[str, Any]:
    incidents = Incidents([Incident("E1", "cam-0001", at(0), at(50)),
                           Incident("E2", EVIL, at(0), at(50), call_type=EVIL)])  # fmt: skip
    outcome = audit(report, book, load_policy(), incidents)
    found = as_json(outcome)
    jsonschema.validate(json.loads(json.dumps(found, allow_nan=False)), SCHEMA)
    assert "<script" not in audit_page(outcome, {}) + public_page(public_facts(outcome))
    write_tables(outcome, folder)
    return found


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(EVENTS, max_size=12))
def test_signed_nonsense_neither_fails_nor_overlaps(
    tmp_path: Path, events: list[tuple[str, int | None, dict[str, Any]]]
) -> None:
    folder = tmp_path / "camera"
    shutil.rmtree(folder, ignore_errors=True)
    with day(folder) as camera:
        told(camera, events)
    book = StoryBook()
    report = camera.verify(book)
    found = audited(report, book, tmp_path)
    (line,) = found["cameras"]
    # Whatever it says, it was in one state at a time.
    ends = [(s["from"], s["to"]) for s in line["states"]]
    assert ends == sorted(ends)
    assert all(s["length_us"] > 0 for s in line["states"])
    for row in found["incidents"][:1]:
        assert row["evid_us"] + row["missing_us"] == row["window_us"]


@pytest.mark.parametrize("huge", [10**40, -(10**40), 2**64])
def test_times_that_no_clock_can_have_happened_at_no_time(huge: int) -> None:
    story = LogStory(Path("events.jsonl"))
    line = LogLine(
        1, 0, "b", 5, "2026-06-01T08:00:00Z", "boot", {"heartbeat_s": huge}, "", 6, "ntp", 5
    )
    story.take(1, line)
    story.take(2, replace(line, ev="ready", boot_ns=huge))
    story.take(3, replace(line, ev="ready", logged_ns=huge))
    story.take(4, replace(line, ev="clock.sample", data={"utc_ns": huge, "error_ms": 1}))
    (run,) = story.runs
    assert list(run.written) == [6, 5, 5, 6]
    assert [event.line for event in run.events] == [3]
    assert (run.heartbeat_ns, len(run.samples)) == (10 * 10**9, 1)


@pytest.mark.parametrize("spoil", ["log", "checkpoint", "certificates"])
def test_a_store_that_lacks_a_part_is_audited_as_far_as_it_goes(tmp_path: Path, spoil: str) -> None:
    with day(tmp_path / "camera") as camera:
        told(camera, [])
    for path in (camera.store / "log").glob({"log": "events.jsonl"}.get(spoil, spoil)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    book = StoryBook()
    report = verify_paths([camera.store], load_root(camera.identity.root), follow=book.follow)
    found = audited(report, book, tmp_path)
    assert found["exit_code"] != 0
    assert {row["class"] for row in found["incidents"]} <= {"UNKNOWN", "UNMATCHED"}


def test_a_file_whose_name_is_no_text_is_named_by_its_bytes(tmp_path: Path) -> None:
    with day(tmp_path / "camera") as camera:
        told(camera, [])
    spoilt = camera.store / "evidence" / os.fsdecode(b"rec\xff")
    spoilt.mkdir()
    (spoilt / os.fsdecode(b"\xff_0.mp4")).write_bytes(b"junk")
    words = ["--trust", str(camera.identity.root)]
    store, into, out = str(camera.store), str(tmp_path / "set"), str(tmp_path / "out")
    assert main(["audit", "ingest", store, "--into", into, *words]) == ExitCode.ALTERED
    assert main(["audit", "--store", store, "--out", out, *words]) == ExitCode.ALTERED
    (findings,) = DataSet(Path(into)).paths("findings")
    named = pq.read_table(findings, partitioning=None)["file"].to_pylist()
    assert any("\\udcff_0.mp4" in name for name in named)

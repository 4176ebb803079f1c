"""A month made directly in the ingested form: as ingest would have written it, and true to its truth."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bodycam.audit.dataset.rows import month_of
from bodycam.audit.dataset.schema import CAMERA_TABLES, RECORD_TABLES, Kind
from bodycam.audit.dataset.store import DataSet
from bodycam.audit.states import DeviceState, Overlay
from bodycam.cli import main
from bodycam.errors import ConfigError, ExitCode
from bodycam.simulate.month.behaviours import KINDS, load_behaviours, parse_behaviours
from bodycam.simulate.month.make import BATCH_CAMERAS, make_month

from .gradedmonth import DEFAULT, behaviours

pytestmark = [pytest.mark.xdist_group("audit-month")]

Row = dict[str, Any]


def read(folder: Path, table: str) -> list[Row]:
    return [
        row
        for path in DataSet(folder).paths(table)
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of officer, for nine days."""
    into = tmp_path_factory.mktemp("month") / "set"
    make_month(into, 40, 9, 5, behaviours(0.055), lambda _done, _of: None)
    return into


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real evidence of eight cameras, ingested."""
    out = tmp_path_factory.mktemp("real") / "force"
    assert main(["simulate", "force", "--out", str(out), "--officers", "8", "--calls", "2"]) == 0
    root, into = str(out / "authority/root.pem"), out / "set"
    assert main(["audit", "ingest", str(out / "stores"), "--into", str(into), "--trust", root]) == 0
    return into


# -- as ingest writes it -------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["made", "ingested"])
def dataset(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def by_device(rows: list[Row]) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row["device"]].append(row)
    return found


def spans(folder: Path, kind: Kind) -> dict[str, list[Row]]:
    return by_device([row for row in read(folder, "spans") if row["kind"] == kind.value])


def test_the_states_of_a_camera_follow_each_other_without_a_hole(dataset: Path) -> None:
    for rows in spans(dataset, Kind.STATE).values():
        rows.sort(key=lambda row: row["start_us"])
        assert [row["number"] for row in rows] == list(range(len(rows)))
        assert all(row["start_us"] < row["end_us"] for row in rows)
        assert all(one["end_us"] == two["start_us"] for one, two in pairwise(rows))
        assert {row["name"] for row in rows} <= {state.value for state in DeviceState}
        assert all((row["why"] != "") == (row["name"] in ("off", "fault", "unknown"))
                   for row in rows if row["name"] != "docked")  # fmt: skip


def test_every_row_lies_in_the_month_in_which_it_begins(dataset: Path) -> None:
    begins = {"spans": "start_us", "recordings": "begins_us", "events": "at_us"}
    for table, column in begins.items():
        rows = read(dataset, table)
        assert rows
        assert all(row["month"] == month_of(row[column]) for row in rows)


def test_live_and_evid_are_those_of_the_recording_of_that_number(dataset: Path) -> None:
    recordings = by_device(read(dataset, "recordings"))
    assert recordings
    for rows in recordings.values():
        rows.sort(key=lambda row: row["begins_us"])
        assert [row["number"] for row in rows] == list(range(len(rows)))
    known = {(r["device"], r["number"]): r for rows in recordings.values() for r in rows}
    recording = spans(dataset, Kind.STATE)
    for kind in (Kind.LIVE, Kind.EVID, Kind.FAILED):
        for device, rows in spans(dataset, kind).items():
            for row in rows:
                mine = known[device, row["number"]]
                assert (row["recording"], row["err_us"]) == (mine["recording"], mine["err_us"])
                if kind is Kind.LIVE:
                    assert (row["start_us"], row["end_us"]) == (
                        mine["start_us"], mine["live_end_us"],
                    )  # fmt: skip
                    met = {s["name"] for s in recording[device]
                           if s["start_us"] < row["end_us"] and row["start_us"] < s["end_us"]}  # fmt: skip
                    assert "recording" in met <= {"recording", "fault"}
                else:
                    assert mine["start_us"] - row["start_us"] <= 31_000_000
                    assert row["end_us"] - mine["live_end_us"] <= 31_000_000
                    if mine["verdict"] == "intact":
                        assert row["start_us"] <= mine["start_us"]
                        assert row["end_us"] >= mine["live_end_us"]
                    assert (mine["verdict"] == "altered") == (kind is Kind.FAILED)


def test_a_recording_names_the_lines_that_begin_and_end_it(dataset: Path) -> None:
    lines = {
        (row["device"], row["ev"], json.loads(row["data"]).get("rec")): row["line"]
        for row in read(dataset, "events")
    }
    for row in read(dataset, "recordings"):
        assert row["line"] == lines[row["device"], "activation.start", row["recording"]]
        stop = lines.get((row["device"], "activation.stop", row["recording"]), 0)
        assert row["stop_line"] == stop
        assert row["files"]
        assert all(row["recording"] in name and row["device"] in name for name in row["files"])


def test_lines_go_up_with_time_and_no_two_events_share_one(dataset: Path) -> None:
    sources = {row["device"]: row for row in read(dataset, "sources")}
    for device, rows in by_device(read(dataset, "events")).items():
        lines = [row["line"] for row in rows]
        assert len(set(lines)) == len(lines)
        # Where the pictures begin lies before the line that tells of it.
        told = sorted((r for r in rows if r["ev"] not in ("rec.start", "rec.stop")),
                      key=lambda row: row["line"])  # fmt: skip
        assert all(one["at_us"] <= two["at_us"] for one, two in pairwise(told))
        assert max(lines) <= sources[device]["log_lines"]
    for rows in spans(dataset, Kind.STATE).values():
        for row in rows:
            assert row["line"] > 0
            assert row["next_line"] == 0 or row["next_line"] > row["line"]


def test_each_boot_has_one_clock_whose_error_is_that_of_its_rows(dataset: Path) -> None:
    clocks = spans(dataset, Kind.CLOCK)
    for row in read(dataset, "recordings"):
        (mine,) = [
            c
            for c in clocks[row["device"]]
            if c["start_us"] <= row["begins_us"] and row["live_end_us"] <= c["end_us"]
        ]
        assert mine["err_us"] == row["err_us"]
        assert (row["since_sync_us"] is None) == (row["err_us"] > 1_000_000_000)
        assert row["begins_us"] <= row["synced_us"]


def test_what_a_state_tells_of_clock_and_heat_is_there_where_there_were_lines(
    dataset: Path,
) -> None:
    for rows in spans(dataset, Kind.STATE).values():
        for row in rows:
            alive = row["name"] in ("ready", "recording", "fault")
            if alive and row["end_us"] - row["start_us"] > 61_000_000:
                assert row["most_err_us"] == row["err_us"]
                assert row["most_soc_milli_c"] > row["most_cell_milli_c"] > 0
            if row["name"] in ("off", "unknown"):
                assert (row["most_err_us"], row["most_soc_milli_c"]) == (None, None)


def test_a_store_is_as_good_as_its_worst_and_proves_what_its_recordings_prove(
    dataset: Path,
) -> None:
    shown = spans(dataset, Kind.EVID)
    findings = by_device(read(dataset, "findings"))
    for row in read(dataset, "sources"):
        proven = sum(r["end_us"] - r["start_us"] for r in shown.get(row["device"], []))
        assert row["proven_us"] == proven
        bad = {f["verdict"] for f in findings[row["device"]]}
        assert row["verdict"] == next((v for v in ("altered", "incomplete") if v in bad), "intact")


def test_events_say_what_the_recorder_says(made: Path, ingested: Path) -> None:
    def words(folder: Path) -> dict[str, set[str]]:
        return {row["ev"]: set(json.loads(row["data"])) for row in read(folder, "events")}

    mine, real = words(made), words(ingested)
    assert len(mine.keys() & real.keys()) > 10
    assert {ev: mine[ev] for ev in mine.keys() & real.keys()} == {
        ev: real[ev] for ev in mine.keys() & real.keys()
    }


def test_the_same_columns_hold_something(made: Path, ingested: Path) -> None:
    def filled(folder: Path, table: str) -> set[tuple[str, str]]:
        return {
            (row.get("kind", ""), name)
            for row in read(folder, table)
            for name, value in row.items()
            if value or value == 0
        }

    for table in CAMERA_TABLES:
        # Nobody signed for a month that was made.
        assert filled(ingested, table) - filled(made, table) <= {("", "checkpoint")}, table


def test_overlays_lie_within_what_they_belong_to(made: Path) -> None:
    states, overlays = spans(made, Kind.STATE), spans(made, Kind.OVERLAY)
    within = {Overlay.MUTED.value: {"recording"}, Overlay.CHARGING.value: {"docked"}}
    met = Counter(row["name"] for rows in overlays.values() for row in rows)
    assert met.keys() == {Overlay.MUTED.value, Overlay.CHARGING.value, Overlay.LOWBATT.value}
    for device, rows in overlays.items():
        for row in rows:
            if row["name"] in within:
                (held,) = [s for s in states[device]
                           if s["start_us"] <= row["start_us"] and row["end_us"] <= s["end_us"]]  # fmt: skip
                assert held["name"] in within[row["name"]]


# -- what is said beside it ------------------------------------------------------------------------


def test_records_name_officers_cameras_events_and_recordings_that_there_are(made: Path) -> None:
    events = {(row["event"], row["officer"]) for row in read(made, "incidents")}
    recordings = {row["recording"] for row in read(made, "recordings")}
    duties = {row["officer"] for row in read(made, "duties")}
    assert {row["recording"] for row in read(made, "filings")} == recordings
    assert {officer for _, officer in events} == duties
    assert {(r["event"], r["officer"]) for r in read(made, "force_uses")} < events
    assert {r["event"] for r in read(made, "complaints")} < {event for event, _ in events}
    devices = {row["device"] for row in read(made, "sources")}
    assert {row["device"] for row in read(made, "assignments")} == devices
    for table in RECORD_TABLES:
        rows = read(made, table)
        assert (rows == []) == (table == "bad_rows")
        assert len({(row["file"], row["row"]) for row in rows}) == len(rows)


def test_every_behaviour_comes_about_and_is_told(made: Path) -> None:
    truth = json.loads((made / "truth.json").read_text(encoding="utf-8"))
    assert truth["officers"].keys() == set(KINDS)
    told = pq.read_table(made / "truth/incidents").to_pylist()
    assert Counter(row["does"] for row in told) == truth["incidents"]
    assert len(told) == 40 * 9 * 10
    kinds = {row["kind"] for row in told}
    assert kinds == {"UNKNOWN", "FAULT", "DOCKED", "NO-DEVICE", "NEVER", "LATE", "GAP", "EARLY",
                     "MUTED", "COMPLETE", None}  # fmt: skip


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    """All of them, of two batches, by their hashes; another seed gives others."""
    cameras = BATCH_CAMERAS + 2
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        make_month(tmp_path / name, cameras, 1, seed, load_behaviours(), lambda _done, _of: None)
    one, again, other = (DataSet(tmp_path / name).manifest for name in ("one", "again", "other"))
    assert {file.batch for file in one.files} == {0, 1}
    assert one == again
    spans, others = ({f.name for f in m.files if f.table == "spans"} for m in (one, other))
    assert spans.isdisjoint(others)
    truths = [(tmp_path / name / "truth.json").read_bytes() for name in ("one", "again", "other")]
    assert truths[0] == truths[1] != truths[2]
    for table in ("incidents", "officers"):
        told, again_told = (
            [pq.read_table(path) for path in sorted((tmp_path / name / "truth" / table).iterdir())]
            for name in ("one", "again")
        )
        assert told == again_told


# -- the command -----------------------------------------------------------------------------------


def test_the_command_makes_a_data_set_that_says_how_to_audit_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "set"
    said = ["simulate", "month", "--cameras", "3", "--days", "1", "--into", str(into)]
    assert main(said) == ExitCode.OK
    assert f"bodycam audit --data {into}" in capsys.readouterr().out
    assert len(DataSet(into).sources()) == 3
    assert main(said) == ExitCode.USAGE
    assert "is not empty. Name a new folder" in capsys.readouterr().err
    for words in (["--cameras", "0"], ["--days", "367"]):
        assert main(["simulate", "month", *words, "--into", str(tmp_path / "x")]) == ExitCode.USAGE
    assert main(["simulate", "month"]) == ExitCode.USAGE
    assert main(["simulate", "force"]) == ExitCode.USAGE
    assert capsys.readouterr().err.count("Give --") == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [("late = 0.05", "late = 2"), ("late = 0.05", "latte = 0.05"), ("trial = 0.04", "trial = 0.9"),
     ("never = 0.05", "never = 0.7"), ("never = 0.04", "never = 0.2"), ("[filing]", "[filings]"),
     ("spread = 0.02", "spread = 1")],
)  # fmt: skip
def test_behaviours_that_cannot_be_name_what_is_wrong(old: str, new: str) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        parse_behaviours(text.replace(old, new, 1).encode(), "mine.toml")

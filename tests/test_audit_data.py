"""`bodycam audit --data`: the audit of a whole force, of a data set that ingest made."""

from __future__ import annotations

import csv
import json
import random
import re
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest

from bodycam.audit.dataset.store import open_to_write
from bodycam.cli import main
from bodycam.clock import utc_text
from bodycam.errors import ExitCode

from .randomaudit import force, write

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-data")]

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "audit-force.schema.json").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Audited:
    """What one run of the command left."""

    code: int
    out: Path

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text("audit.json"))
        return found

    @property
    def html(self) -> str:
        return self.text("audit.html")

    def text(self, name: str) -> str:
        return (self.out / name).read_text(encoding="utf-8")

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def result(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.read_table(self.out / "results" / name).to_pylist()
        return found


def run(data: Path, out: Path, *words: str | Path) -> Audited:
    code = main(
        ["audit", "--data", str(data), "--out", str(out), "--threads", "1", *map(str, words)]
    )
    found = Audited(code, out)
    jsonschema.validate(found.json, SCHEMA)
    assert found.json["exit_code"] == code
    return found


def test_a_run_that_was_killed_in_its_summary_is_typed_again(tmp_path: Path) -> None:
    write(tmp_path / "set", list(force(random.Random(3), cameras=4, incidents=5).lines.values()))
    # What an engine leaves that had no room in memory.
    left = tmp_path / "out" / "results" / "spill" / "duckdb_temp_storage-0.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert run(tmp_path / "set", tmp_path / "out").json["shifts"] > 0
    assert not left.parent.exists()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real evidence of a small force, its data set below it in `set`."""
    force = tmp_path_factory.mktemp("planted") / "force"
    assert main(["simulate", "force", "--out", str(force), "--officers", "8", "--calls", "3"]) == 0
    code = main([
        "audit", "ingest", str(force / "stores"), "--into", str(force / "set"),
        "--trust", str(force / "authority/root.pem"), "--incidents", str(force / "incidents.csv"),
        "--assignments", str(force / "assignments.csv"), "--force", str(force / "force.csv"),
    ])  # fmt: skip
    assert code == 0
    return force


@pytest.fixture(scope="module")
def plain(planted: Path) -> dict[str, Any]:
    """What the audit of the same cameras' stores says."""
    code = main([
        "audit", "--store", str(planted / "stores"), "--trust", str(planted / "authority/root.pem"),
        "--incidents", str(planted / "incidents.csv"), "--assignments", str(planted / "assignments.csv"),
        "--force", str(planted / "force.csv"), "--out", str(planted / "plain"),
    ])  # fmt: skip
    assert code == 0
    return dict(json.loads((planted / "plain/audit.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def audited(planted: Path) -> Audited:
    return run(planted / "set", planted / "audit", "--public")


# -- the numbers -----------------------------------------------------------------------------------


def test_its_numbers_are_those_of_the_audit_of_the_stores(
    audited: Audited, plain: dict[str, Any]
) -> None:
    mine, theirs = audited.json["summary"], plain["summary"]
    same = {"vendor": "vendor_activated"}
    for name in ("rows", "judged", "excluded", "unmatched", "bad_rows", "uncertain", "window_us",
                 "evid_us", "live_us", "coverage", "live_coverage", "activated", "vendor"):  # fmt: skip
        assert mine[name] == theirs[same.get(name, name)], name
    assert mine["classes"] == theirs["classes"]
    assert (mine["judged"], mine["uncertain"]) == (24, 3)
    assert audited.json["verification"]["verdict"] == plain["verification"]["verdict"] == "intact"


def test_its_measures_are_the_sums_over_all_shifts(audited: Audited, plain: dict[str, Any]) -> None:
    sums: Counter[tuple[str, str]] = Counter()
    shifts = [shift for camera in plain["cameras"] for shift in camera["shifts"]]
    for shift in shifts:
        for number, figure in shift["measures"].items():
            sums.update({(number, name): value for name, value in figure.items()
                         if isinstance(value, int)})  # fmt: skip
    compared = 0
    for one in audited.json["measures"]:
        key = (one["measure"], one["value"])
        if isinstance(one["whole"], int) and key in sums:
            assert one["whole"] == sums[key], key
            compared += 1
    assert audited.json["shifts"] == len(shifts)
    assert compared > 25


def test_the_incidents_are_in_the_tables_with_the_class_that_may_be_said(
    audited: Audited, plain: dict[str, Any]
) -> None:
    wanted = {(row["event"], row["officer"]): row["class"] for row in plain["incidents"]}
    rows = audited.table("incidents.csv")
    assert {(row["event"], row["officer"]): row["class"] for row in rows} == wanted
    assert len(audited.result("incidents")) == len(rows) == 24
    assert len(audited.result("shifts")) == audited.json["shifts"]


def test_what_cameras_did_around_force_is_what_the_audit_of_the_stores_says(
    audited: Audited, plain: dict[str, Any]
) -> None:
    rows = plain["force"]
    assert audited.json["groups"]["force"] == plain["groups"]["force"]
    assert audited.json["groups"]["force"]["uses"] == len(rows) > 2
    names = ("event", "officer", "states", "stops_surely", "covered_us_min", "covered_us_max")
    mine = [tuple(row[name] for name in names) for row in audited.table("force.csv")]
    assert sorted(mine) == sorted(tuple(str(row[name]) for name in names) for row in rows)


def test_every_breakdown_holds_every_incident(audited: Audited) -> None:
    rows = audited.result("incidents")
    for name, column in (("call_type", "call_type"), ("district", "district")):
        wanted = Counter(row[column] for row in rows)
        found = {g["name"]: g["judged"] for g in audited.json["breakdown"][name]}
        assert found == wanted
    days = audited.json["breakdown"]["day"]
    assert {g["name"] for g in days} == {"2026-06-01"}
    assert sum(g["judged"] for g in audited.json["breakdown"]["hour"]) == len(rows)
    for groups in audited.json["breakdown"].values():
        for group in groups:
            assert sum(group["classes"].values()) + group["uncertain"] == group["judged"]


# -- a month of more cameras -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("month") / "set"
    words = ["--cameras", "40", "--days", "6", "--seed", "3"]
    assert main(["simulate", "month", "--into", str(data), *words]) == 0
    return data


@pytest.fixture(scope="module")
def of_month(month: Path, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return run(month, tmp_path_factory.mktemp("audited"), "--public")


def test_every_aggregate_is_that_of_the_rows(of_month: Audited) -> None:
    """Counted again, one row after the other."""
    rows = [row for row in of_month.result("incidents") if not row["left_out"]]
    told = of_month.json
    assert told["summary"]["judged"] == len(rows) > 500
    for kind, counts in told["summary"]["classes"].items():
        assert counts == {
            "surely": sum(row["kinds"] == kind for row in rows),
            "possibly": sum(kind in row["kinds"].split("|") for row in rows),
            "by_clock": sum(row["kind"] == kind for row in rows),
        }
    for name, key in (
        ("call_type", lambda r: r["call_type"]), ("district", lambda r: r["district"]),
        ("hour", lambda r: f"{r['due_us'] // 3_600_000_000 % 24:02}"),
        ("day", lambda r: utc_text(r["due_us"] * 1000)[:10]),
    ):  # fmt: skip
        groups = told["breakdown"][name]
        assert {g["name"] for g in groups} == {key(row) for row in rows}
        for group in groups:
            mine = [row for row in rows if key(row) == group["name"]]
            assert group["judged"] == len(mine)
            assert group["officers"] == len({row["officer"] for row in mine})
            assert group["vendor"] == sum(row["vendor"] for row in mine)
            assert group["classes"]["NEVER"] == sum(row["kinds"] == "NEVER" for row in mine)
            for us in ("window_us", "evid_us", "live_us"):
                assert group[us] == sum(row[us] for row in mine)
    for name, column in (("late_starts", "evid_delay_us"), ("early_stops", "tail_us")):
        below = -1
        for one in told["summary"][name]:
            up_to = one["up_to_us"] if one["up_to_us"] is not None else 1 << 62
            there = [r for r in rows if r[column] is not None and below < r[column] <= up_to]
            assert one["incidents"] == len(there), (name, one)
            below = up_to


def test_what_is_said_of_all_shifts_is_what_the_rows_say(of_month: Audited) -> None:
    rows = of_month.result("shifts")
    told = {(one["measure"], one["value"]): one for one in of_month.json["measures"]}
    ready = sum(row["m1_ready_us"] for row in rows)
    assert told["M1", "ready_us"]["whole"] == ready
    assert told["M1", "ready_ratio"]["whole"] == ready / sum(r["m1_undocked_us"] for r in rows)
    lengths = sorted(row["m1_undocked_us"] for row in rows)
    assert told["M1", "undocked_us"]["p50"] == statistics.median(lengths)
    assert told["M1", "undocked_us"]["most"] == lengths[-1]
    assert told["M6", "longest_to_ready_us"]["whole"] is None
    cases = Counter(row["measure"] for row in of_month.result("cases"))
    assert {c["measure"] for c in of_month.json["cases"]} == set(cases)


def test_why_cameras_could_not_record_adds_up_to_what_the_shifts_say(of_month: Audited) -> None:
    rows = of_month.result("shifts")
    together = Counter[str]()
    for cause in of_month.json["causes"]:
        together[cause["state"]] += cause["total_us"]
    for state in ("off", "fault", "unknown"):
        assert together[state] == sum(row[f"m1_{state}_us"] for row in rows), state
    assert together.total() > 0


def test_a_month_alone_is_what_lies_in_it(month: Path, tmp_path: Path) -> None:
    june = run(month, tmp_path / "june", "--month", "2026-06")
    assert june.json["months"] == ["2026-06"]
    assert june.json["summary"]["judged"] > 500
    may = run(month, tmp_path / "may", "--month", "2026-05")
    assert (may.json["summary"]["judged"], may.json["shifts"], may.json["from"]) == (0, 0, None)
    assert "Nothing in this time" in may.html


def test_the_same_data_gives_the_same_bytes_and_one_object_on_standard_output(
    month: Path, of_month: Audited, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    again = run(month, tmp_path, "--public", "--json")
    assert json.loads(capfd.readouterr().out) == again.json
    for name in ("audit.json", "audit.html", "public.json", "incidents.csv", "cameras.csv"):
        assert again.text(name) == of_month.text(name), name


def test_what_is_counted_reads_as_a_person_writes_it(of_month: Audited) -> None:
    told = of_month.json["summary"]
    assert (
        f"<b>COMPLETE</b></td><td>{told['classes']['COMPLETE']['surely']:,}</td>" in of_month.html
    )
    assert f"{told['judged']:,} incidents of {told['officers']} officers judged" in of_month.html


def test_no_officer_is_ranked_and_none_is_named_on_the_page(of_month: Audited) -> None:
    officers = {row["officer"] for row in of_month.result("incidents")}
    named = [name for name in officers if name in re.findall(r"[\w-]+", of_month.html)]
    assert named == []
    order = [(r["due_us"], r["event"], r["officer"]) for r in of_month.table("incidents.csv")]
    assert order == sorted(order, key=lambda key: (int(key[0]), *key[1:]))


def test_the_public_page_names_nobody_and_tells_nothing_small(of_month: Audited) -> None:
    told, text = json.loads(of_month.text("public.json")), of_month.text("public.html")
    names = {row[c] for row in of_month.result("incidents") for c in ("event", "officer")}
    names |= {row["device"] for row in of_month.result("cameras")}
    words = set(re.findall(r"[\w-]+", text + json.dumps(told)))
    assert names & words == set()
    assert re.findall(r"\d\d:\d\d", text) == []
    classes = told["incidents"]["classes"]
    assert all(count is None or count == 0 or count >= 5 for count in classes.values())
    assert {"Call type", "District", "Day"} == told["breakdown"].keys()
    for rows in told["breakdown"].values():
        assert all(row["judged"] >= 20 for row in rows)
    assert told["incidents"]["coverage"] == round(of_month.json["summary"]["coverage"], 3)


# -- what is not well --------------------------------------------------------------------------------


def test_an_empty_data_set_says_so(tmp_path: Path) -> None:
    with open_to_write(tmp_path / "set"):
        pass
    found = run(tmp_path / "set", tmp_path / "out", "--public")
    assert found.code == ExitCode.UNTRUSTED
    assert (found.json["cameras"], found.json["summary"]["judged"]) == (0, 0)
    assert "There is no camera in it" in found.html
    assert "The data set holds no incidents" in found.html
    assert "withheld" in json.loads(found.text("public.json"))["incidents"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--store", "x"], "--data and --store exclude each other"),
        (["--trust", "x"], "--data and --trust exclude each other"),
        (["--incidents", "x"], "bodycam audit ingest was told"),
        (["--month", "2026-13"], "'2026-13' is no month. Give one as 2026-06"),
        (["--memory", "much"], "--memory 'much' is no size. Give one as 6GB"),
        (["--threads", "0"], "--threads 0. Give 1 or more"),
        (["--policy", "/nowhere.toml"], "/nowhere.toml: No such file"),
        (["--out", "a[1]"], "--out 'a[1]': the engine takes *, ? and [ in a path for a pattern"),
    ],
)
def test_a_wrong_word_is_said(
    month: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code = main(["audit", "--data", str(month), "--out", str(tmp_path / "out"), *words])
    assert code in (ExitCode.USAGE, ExitCode.UNOPENED)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "audit.html").exists()


def test_what_is_no_data_set_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["audit", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert code == ExitCode.UNOPENED
    assert "dataset.json: No such file or directory. Give a folder that ingest made" in (
        capsys.readouterr().err
    )


def test_too_little_memory_is_said_with_what_to_do(
    month: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(month), "--out", str(tmp_path / "out"), "--memory", "1MB"]
    assert main(["audit", *words]) == ExitCode.USAGE
    assert "--memory 1MB is not enough" in capsys.readouterr().err


# -- one camera of it ----------------------------------------------------------------------------------


def drawings(html: str) -> list[str]:
    """The pictures of shifts, without what of a clock ingest does not keep."""
    found = re.findall(r'<svg viewBox="[^"]*" role="img".*?</svg>', html, flags=re.DOTALL)
    return [re.sub(r"<title>clock: [^<]*</title>", "", svg) for svg in found]


def test_a_camera_is_drawn_as_the_audit_of_its_store_draws_it(
    planted: Path, plain: dict[str, Any], tmp_path: Path
) -> None:
    devices = [camera["device"] for camera in plain["cameras"]]
    words = [word for device in devices for word in ("--camera", device)]
    found = run(planted / "set", tmp_path, *words)
    html = (planted / "plain/audit.html").read_text(encoding="utf-8")
    theirs = drawings(html)
    for camera in plain["cameras"]:
        device = camera["device"]
        mine = drawings(found.text(f"camera-{device}.html"))
        assert mine == [svg for svg in theirs if f"Timeline of camera {device} from" in svg]
        assert len(mine) == len(camera["shifts"]) > 0


@pytest.mark.parametrize("device", ["cam-9999", "\udcff", "..", "' OR 1"])
def test_a_camera_that_is_not_there_is_said_before_anything_is_measured(
    month: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    words = ["--data", str(month), "--out", str(tmp_path / "out"), "--camera", device]
    assert main(["audit", *words]) == ExitCode.USAGE
    assert f"--camera {device!r} is not in" in capsys.readouterr().err
    assert not (tmp_path / "out" / "results").exists()

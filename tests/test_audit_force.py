"""The audit graded by a force whose truth is known: who was planted to misbehave, and who is honest."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import ibis
import pytest

from bodycam.audit.assignments import read_assignments
from bodycam.audit.dataset.store import DataSet
from bodycam.audit.engine.incidents import scores
from bodycam.audit.engine.pieces import Asked
from bodycam.audit.engine.tables import incident_table, open_tables, worn_table
from bodycam.audit.incidentcsv import read_incidents
from bodycam.audit.incidents import windows
from bodycam.audit.policy import load_policy
from bodycam.cli import main
from bodycam.errors import ExitCode
from bodycam.simulate.force import HONEST, Behaviour, plan

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-force")]

ACCUSING = {"NEVER", "LATE", "EARLY", "GAP"}


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("planted") / "force"
    assert main(["simulate", "force", "--out", str(out), "--officers", "8", "--calls", "3"]) == 0
    return out


@pytest.fixture(scope="module")
def audited(force: Path) -> dict[str, Any]:
    out = force / "audit"
    code = main([
        "audit", "--store", str(force / "stores"), "--trust", str(force / "authority/root.pem"),
        "--incidents", str(force / "incidents.csv"), "--force", str(force / "force.csv"), "--assignments",
        str(force / "assignments.csv"), "--out", str(out), "--public",
    ])  # fmt: skip
    assert code == ExitCode.OK
    return dict(json.loads((out / "audit.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def truth(force: Path) -> dict[str, Any]:
    return dict(json.loads((force / "truth.json").read_text(encoding="utf-8")))


def test_what_is_made_is_real_evidence(audited: dict[str, Any]) -> None:
    assert (audited["verification"]["verdict"], audited["verification"]["findings"]) == (
        "intact",
        [],
    )
    recordings = [r for camera in audited["cameras"] for r in camera["recordings"]]
    assert {r["verdict"] for r in recordings} == {"intact"}
    assert {r["evid_parts"] for r in recordings} == {1}
    assert sum(r["evid_us"] for r in recordings) > 3600 * 1_000_000


def test_every_planted_behaviour_is_found_and_none_that_was_not(
    audited: dict[str, Any], truth: dict[str, Any]
) -> None:
    found = {row["event"]: row["class"] for row in audited["incidents"]}
    planted = truth["incidents"]
    assert found.keys() == planted.keys()
    sure = {e: p["class"] for e, p in planted.items() if p["does"] != "wrong-clock"}
    assert {event: found[event] for event in sure} == sure
    hits = Counter(planted[event]["does"] for event in sure)
    print(f"graded: {len(sure)} of {len(sure)} incidents as planted, {dict(hits)}")
    assert hits.keys() == {b.value for b in Behaviour} - {"wrong-clock"}


def test_an_honest_officer_is_never_accused(audited: dict[str, Any], truth: dict[str, Any]) -> None:
    honest = {badge for badge, officer in truth["officers"].items() if officer["honest"]}
    assert len(honest) == len(HONEST)
    accused = [
        row for row in audited["incidents"] if row["officer"] in honest and row["class"] in ACCUSING
    ]
    assert accused == []


def test_a_clock_forty_minutes_off_is_uncertain_and_may_be_what_is_true(
    audited: dict[str, Any], truth: dict[str, Any]
) -> None:
    rows = [
        row for row in audited["incidents"]
        if truth["incidents"][row["event"]]["does"] == "wrong-clock"
    ]  # fmt: skip
    assert len(rows) == 3
    for row in rows:
        assert row["class"] == "UNCERTAIN"
        assert "COMPLETE" in row["classes"].split()
        assert row["evid_us_min"] <= row["window_us"] == row["evid_us_max"]
    assert audited["summary"]["uncertain"] == 3


def test_a_camera_that_was_off_when_force_was_used_is_found(
    audited: dict[str, Any], truth: dict[str, Any]
) -> None:
    planted = [r for r in audited["force"] if truth["incidents"][r["event"]]["does"] != "always"]
    others = [r for r in audited["force"] if r not in planted]
    assert len(planted) > 1
    for row in planted:
        assert "recording" not in row["states"] or row["states"] == "ready recording"
        assert row["stops_surely"] == 1
        assert row["covered_us_max"] < 60_000_000
    assert all((r["states"], r["covered_us_min"]) == ("recording", 60_000_000) for r in others)


def test_the_public_summary_names_nobody_and_nothing(
    force: Path, audited: dict[str, Any], truth: dict[str, Any]
) -> None:
    told = json.loads((force / "audit/public.json").read_text(encoding="utf-8"))
    text = json.dumps(told) + (force / "audit/public.html").read_text(encoding="utf-8")
    names = {*truth["officers"], *truth["incidents"], *(c["device"] for c in audited["cameras"])}
    names |= {r["recording"] for c in audited["cameras"] for r in c["recordings"]}
    assert [name for name in names if name in text] == []
    assert re.findall(r"T\d\d:\d\d", text) == []
    assert (told["from"], told["incidents"]["judged"]) == ("2026-06-01", 24)
    assert told["incidents"]["coverage"] == round(audited["summary"]["coverage"], 3)
    # Eight cameras are too few, and so are three uses of force.
    assert told["measures"] == {"withheld": "fewer than 10 cameras"}
    assert "withheld" in told["force"]
    classes = told["incidents"]["classes"]
    for name, count in classes.items():
        surely = audited["summary"]["classes"].get(name, {"surely": 3})["surely"]
        assert count == surely or (count is None and surely > 0)
    assert all(count is None or count == 0 or count >= 5 for count in classes.values())


def test_the_vendors_rule_would_have_missed_what_coverage_shows(
    audited: dict[str, Any], truth: dict[str, Any]
) -> None:
    early = [r for r in audited["incidents"] if truth["incidents"][r["event"]]["class"] == "EARLY"]
    assert len(early) > 2
    assert all(row["vendor_activated"] and row["coverage"] < 0.7 for row in early)


def test_the_same_seed_gives_the_same_force() -> None:
    assert plan(16, 4, 7) == plan(16, 4, 7) != plan(16, 4, 8)
    kinds = Counter(officer.behaviour for officer in plan(16, 4, 7))
    assert set(kinds.values()) == {2}


def test_a_folder_that_is_not_empty_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("keep", encoding="utf-8")
    assert main(["simulate", "force", "--out", str(tmp_path)]) == ExitCode.USAGE
    assert "is not empty. Name a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_engine_says_the_same_of_the_whole_force(force: Path, audited: dict[str, Any]) -> None:
    root, into = str(force / "authority/root.pem"), force / "set"
    assert (
        main(["audit", "ingest", str(force / "stores"), "--into", str(into), "--trust", root]) == 0
    )
    policy = load_policy()
    told = read_incidents([force / "incidents.csv"]).good
    rows = incident_table(told, windows(told, policy.incident))
    worn = worn_table(read_assignments([force / "assignments.csv"]))
    cameras = open_tables(DataSet(into))
    asked = Asked(ibis.memtable(rows), ibis.memtable(worn), cameras, policy)
    found = {(row["event"], row["officer"]): row for row in scores(asked).to_pyarrow().to_pylist()}
    assert len(found) == len(audited["incidents"])
    same = {
        "class_by_clock": "kind",
        "partner_shortfall_us": "partner_us",
        "vendor_activated": "vendor",
    }
    for row in audited["incidents"]:
        mine = found[row["event"], row["officer"]]
        both = {name: same.get(name, name) for name in row if same.get(name, name) in mine}
        assert len(both) > 25
        assert {name: mine[there] for name, there in both.items()} == {
            name: row[name] for name in both
        }

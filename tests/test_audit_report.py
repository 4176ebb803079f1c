"""`bodycam audit`, as a force runs it: a page, tables and JSON that say the same."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from bodycam.audit import columns
from bodycam.cli import main
from bodycam.clock import NS
from bodycam.errors import ExitCode

from .auditlogs import Day, day
from .evidence import START_NS, UTC_NS, Camera, build_store, footage
from .readers.pages import assert_stands_alone, look_at, printed, words_of
from .readers.spreadsheets import read_by_all

pytestmark = pytest.mark.system

HEAD = (
    "Event ID,Officer Badge ID,Officer Dispatched DateTime,Officer Cleared DateTime,Call Type,"
    "Officer On Scene DateTime,Clearance Code\n"
)  # fmt: skip
EVIL = "<script>alert(1)</script>"


@dataclass
class Force:
    """Stores below one folder, the root they trust, and what dispatch says."""

    folder: Path
    root: Path
    incidents: Path
    assignments: Path


def shift(camera: Day, start_s: float) -> None:
    """Five minutes as a patrol might have them."""
    camera.boot(start_s)
    camera.record(start_s + 60, start_s + 180, tail_s=30)
    camera.say(start_s + 220, "capture.stall", silent_ms=2000)
    camera.to(start_s + 255, camera=False)
    camera.say(start_s + 260, "gap", from_ns=0, to_ns=1, frames=1, cause="stall", rec=None)
    camera.end(start_s + 300)


def clock(seconds: int) -> str:
    return f"2026-06-01T{8 + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Force:
    folder = tmp_path_factory.mktemp("force")
    with day(folder / "one") as camera:
        shift(camera, 0)
        shift(camera, 6 * 3600)
    (folder / "stores").mkdir()
    (folder / "one" / "store").rename(folder / "stores" / "cam-0001")
    incidents = folder / "cad.csv"
    incidents.write_text(
        f"{HEAD}"
        f"E1,4711,{clock(30)},{clock(200)},TRAFFIC,{clock(60)},RPT\n"
        f"E2,4711,{clock(225)},{clock(255)},DOMESTIC,,RPT\n"
        f"E3,4711,{clock(7200)},{clock(7500)},{EVIL},,RPT\n"
        f"E4,9999,{clock(30)},{clock(200)},=HYPERLINK(1),,RPT\n"
        f"E5,4711,{clock(30)},{clock(10)},TRAFFIC,,RPT\n"
        f"E6,4712,{clock(30)},{clock(200)},TRAFFIC,,RPT\n",
        encoding="utf-8",
    )
    assignments = folder / "worn.csv"
    assignments.write_text(
        "Device ID,Officer Badge ID,Assigned DateTime,Returned DateTime\n"
        f"cam-0001,4711,{clock(0)},{clock(5 * 3600)}\ncam-0007,4712,{clock(0)},\n",
        encoding="utf-8",
    )
    return Force(folder, folder / "one" / "authority" / "root.pem", incidents, assignments)


@dataclass
class Audited:
    code: int
    out: Path
    json: dict[str, Any]

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def html(self) -> str:
        return (self.out / "audit.html").read_text(encoding="utf-8")


def run(out: Path, *words: str | Path) -> Audited:
    code = main(["audit", "--out", str(out), *map(str, words)])
    found = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    return Audited(code, out, found)


@pytest.fixture(scope="module")
def audited(force: Force, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return run(
        tmp_path_factory.mktemp("out"), "--store", force.folder / "stores", "--trust", force.root,
        "--incidents", force.incidents, "--assignments", force.assignments,
    )  # fmt: skip


# -- what it says ------------------------------------------------------------------------------


def test_each_incident_is_judged_or_says_why_it_is_not(audited: Audited) -> None:
    assert {row["event"]: row["class"] for row in audited.json["incidents"]} == {
        "E1": "GAP", "E2": "FAULT", "E3": "NEVER", "E4": "UNMATCHED", "E6": "UNKNOWN",
    }  # fmt: skip
    assert audited.json["summary"]["bad_rows"] == 1
    assert audited.json["unmatched"] == {
        "officers": ["9999"], "cameras": [], "assigned_without_store": ["cam-0007"],
        "force_and_complaints": [], "filings": [],
    }  # fmt: skip


def test_time_that_nobody_was_assigned_to_is_told_apart(audited: Audited) -> None:
    # The second shift: nobody took the camera.
    (one,) = audited.json["unassigned"]
    assert (one["device"], one["live_us"], len(one["recordings"])) == ("cam-0001", 120_000_000, 1)
    assert "while assigned to nobody" in audited.html


def test_two_cameras_at_once_are_a_union_and_said(tmp_path: Path) -> None:
    for name, start, stop in (("cam-0001", 60, 120), ("cam-0002", 110, 200)):
        with day(tmp_path / name, name) as camera:
            camera.boot(0)
            camera.record(start, stop)
            camera.end(300)
    worn = tmp_path / "worn.csv"
    worn.write_text(
        "Device ID,Officer Badge ID,Assigned DateTime,Returned DateTime\n"
        f"cam-0001,4711,{clock(0)},{clock(150)}\ncam-0002,4711,{clock(100)},\n",
        encoding="utf-8",
    )
    incidents = tmp_path / "cad.csv"
    incidents.write_text(f"{HEAD}E1,4711,{clock(60)},{clock(200)},,,\n", encoding="utf-8")
    roots = tmp_path / "cam-0001" / "authority" / "root.pem"
    found = run(tmp_path / "out", "--store", tmp_path / "cam-0001" / "store", "--store",
                tmp_path / "cam-0002" / "store", "--trust", roots, "--incidents", incidents,
                "--assignments", worn)  # fmt: skip
    (row,) = found.json["incidents"]
    assert (row["live_us"], row["window_us"]) == (140_000_000, 140_000_000)
    assert row["two_cameras_us"] == 50_000_000
    assert row["devices"] == "cam-0001 cam-0002"


def test_what_does_not_count_makes_the_exit_code_incomplete(audited: Audited) -> None:
    assert audited.json["verification"]["verdict"] == "intact"
    assert audited.code == audited.json["exit_code"] == ExitCode.INCOMPLETE


def test_tables_json_and_page_say_the_same(audited: Audited) -> None:
    rows = audited.table("incidents.csv")
    assert [row["class"] for row in rows] == [i["class"] for i in audited.json["incidents"]]
    assert audited.table("bad-rows.csv")[0]["row"] == "6"
    states = audited.table("states.csv")
    assert len(states) == len(audited.json["cameras"][0]["states"])
    assert {row["measure"] for row in audited.table("measures.csv")} == {
        f"M{n}" for n in range(1, 17)
    }
    for row in rows:
        assert row["event"] in audited.html
    assert audited.json["policy"]["sha256"] in audited.html
    assert "cleared must be later than dispatched" in audited.html


HEADINGS = {
    "incidents.csv": columns.INCIDENTS, "force.csv": columns.FORCE, "measures.csv": columns.MEASURES,
    "states.csv": columns.STATES, "recordings.csv": columns.RECORDINGS,
    "bad-rows.csv": columns.BAD_ROWS, "unmatched.csv": columns.UNMATCHED, "funnel.csv": columns.FUNNEL,
}  # fmt: skip


def test_every_reader_reads_the_tables_alike(audited: Audited) -> None:
    assert {path.name for path in audited.out.glob("*.csv")} == set(HEADINGS)
    for name, heading in HEADINGS.items():
        assert read_by_all(audited.out / name)[0] == list(heading)
    judged = next(row for row in audited.json["incidents"] if row["event"] == "E1")
    assert tuple(judged) == columns.INCIDENTS


def test_a_spreadsheet_is_given_no_formula(audited: Audited) -> None:
    assert {r["call_type"] for r in audited.table("incidents.csv")} >= {"'=HYPERLINK(1)"}


def test_definitions_stand_beside_the_numbers(audited: Audited) -> None:
    from html import escape

    from bodycam.audit.measures import MEASURES
    from bodycam.audit.policy import load_policy
    from bodycam.audit.scoring import DEFINITIONS
    from bodycam.audit.thresholds import with_values

    for measure in MEASURES:
        assert escape(with_values(measure.definition, load_policy())) in audited.html
    for _, name, definition in DEFINITIONS:
        assert name in audited.html
        assert escape(with_values(definition, load_policy())) in audited.html


def test_a_line_that_is_named_can_be_proved_to_others(
    force: Force, audited: Audited, tmp_path: Path
) -> None:
    off = next(s for s in audited.json["cameras"][0]["states"] if s["state"] == "off")
    proof = tmp_path / "line.json"
    trust = ["--trust", str(force.root)]
    store = str(force.folder / "stores" / "cam-0001")
    made = main(["log", "prove", str(off["line"]), "--log", store, *trust, "--out", str(proof)])
    assert made == ExitCode.OK
    assert main(["log", "check", str(proof), *trust]) == ExitCode.OK
    line = json.loads(json.loads(proof.read_text(encoding="utf-8"))["line"])
    assert line["ev"] == "shutdown"
    assert "bodycam log prove LINE" in audited.html


def test_a_line_that_is_a_link_leads_to_its_proof_beside_the_page(
    force: Force, audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    links = dict(re.findall(r'<a href="([^"]*)"[^>]*>(\d+)</a>', audited.html))
    assert {unquote(link) for link in links} == {
        f"proofs/{path.name}" for path in (audited.out / "proofs").iterdir()
    }
    for link, line in links.items():
        proof = str(audited.out / unquote(link))
        assert main(["log", "check", proof, "--trust", str(force.root)]) == ExitCode.OK
        assert f"PROVEN: line {line} of " in capsys.readouterr().out
    # Whatever is not surely complete says by which lines; the two of nobody's camera have none.
    rows = (
        audited.html.partition("<h2>Incidents</h2>")[2].partition("</table>")[0].split("<tr>")[2:]
    )
    told = {re.findall("<b>(E.)</b>", row)[0]: row.count("<a href") for row in rows}
    assert told.pop("E4") == told.pop("E6") == 0
    assert all(told.values())


def test_json_on_stdout_is_one_object(
    force: Force, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "--store", force.folder / "stores" / "cam-0001", "--trust", force.root, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["summary"]["incidents"] == 0
    assert found["exit_code"] == 0


def test_the_json_is_what_its_schema_says(audited: Audited) -> None:
    schema = json.loads(
        (Path(__file__).parent.parent / "docs" / "audit.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(audited.json, schema)


def test_the_same_input_gives_the_same_bytes(
    force: Force, audited: Audited, tmp_path: Path
) -> None:
    again = run(
        tmp_path, "--store", force.folder / "stores", "--store", force.folder / "stores" / "cam-0001",
        "--trust", force.root, "--incidents", force.incidents, "--assignments", force.assignments,
    )  # fmt: skip
    for name in ("audit.json", "incidents.csv", "measures.csv", "states.csv", "audit.html"):
        assert (again.out / name).read_bytes() == (audited.out / name).read_bytes(), name


def test_without_a_root_nothing_counts_and_nobody_is_accused(force: Force, tmp_path: Path) -> None:
    found = run(tmp_path, "--store", force.folder / "stores", "--incidents", force.incidents,
                "--assignments", force.assignments)  # fmt: skip
    assert found.code == ExitCode.UNTRUSTED
    assert {row["class"] for row in found.json["incidents"]} == {"UNKNOWN", "UNMATCHED"}
    assert "Nothing of its log is verified" in found.html


def test_pictures_that_are_real_cover_what_they_cover(tmp_path: Path) -> None:
    evidence = build_store(tmp_path / "made", units=footage(4), segment_s=1)
    incidents = tmp_path / "cad.csv"
    incidents.write_text(
        f"{HEAD}E1,cam-0001,2026-05-28T20:26:39Z,2026-05-28T20:26:43.500Z,,2026-05-28T20:26:41Z,\n",
        encoding="utf-8",
    )
    found = run(tmp_path / "out", "--store", evidence.store, "--trust", evidence.identity.root,
                "--incidents", incidents)  # fmt: skip
    (row,) = found.json["incidents"]
    assert UTC_NS // NS == 1_780_000_000
    assert (row["class"], row["coverage"]) == ("COMPLETE", 1)
    assert (row["evid_us_min"], row["evid_us"]) == (2_500_000, 2_500_000)
    (recording,) = found.json["cameras"][0]["recordings"]
    assert abs(recording["evid_us"] - 4_000_000) < 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--zone", "Mars/Olympus"], "--zone 'Mars/Olympus' is not known here"),
        (["--incidents", "/nowhere.csv"], "/nowhere.csv: No such file"),
        (["--policy", "/nowhere.toml"], "/nowhere.toml: No such file"),
    ],
)
def test_a_wrong_word_is_said_before_anything_is_verified(
    force: Force, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code = main(["audit", "--store", str(force.folder / "stores"), "--out", str(tmp_path), *words])
    assert code in (ExitCode.USAGE, ExitCode.UNOPENED)
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# -- the page ----------------------------------------------------------------------------------


def test_nothing_is_fetched_run_or_left_open(audited: Audited) -> None:
    assert_stands_alone(audited.html, linking=frozenset({"a"}))
    assert EVIL not in audited.html


def test_states_are_told_apart_without_colour(audited: Audited) -> None:
    from bodycam.audit.picture import _FILLS

    assert len({fill for fill, _ in _FILLS.values()}) >= len(_FILLS) - 3
    assert "<title>fault camera" in audited.html
    assert ">recording</text>" in audited.html


def test_a_browser_shows_it_without_a_word_and_the_keyboard_reaches_all(
    audited: Audited, tmp_path: Path
) -> None:
    look_at(audited.out / "audit.html", tmp_path, height=2400, tabs=200)


def test_it_prints_on_paper_with_everything_of_the_first_page(
    audited: Audited, tmp_path: Path
) -> None:
    words = words_of(printed(audited.out / "audit.html", tmp_path))
    for needed in ("In short", "Classes", "UNMATCHED".lower(), "M16", "Findings", "Policy"):
        assert needed in words, needed


def test_a_camera_with_nothing_wrong_needs_no_incidents(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage(2))
    camera.stop()
    found = run(tmp_path / "out", "--store", camera.store.root, "--trust", camera.identity.root)
    assert found.code == ExitCode.OK
    assert START_NS > 0
    assert "No incidents were given" in found.html
    # Nothing to say is a table without rows, not a file without columns.
    for name in ("incidents.csv", "force.csv", "bad-rows.csv", "unmatched.csv"):
        assert read_by_all(found.out / name) == [list(HEADINGS[name])]

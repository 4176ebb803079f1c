"""Two forces in one data set, with the same ids everywhere: each number is that of both audited alone."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pytest
from jsonschema import Draft202012Validator

from bodycam.audit.complaints import Complaint
from bodycam.audit.dataset.rows import month_of
from bodycam.audit.dataset.schema import BAD_ROWS, FINDINGS, SOURCES
from bodycam.audit.dataset.store import open_to_write
from bodycam.audit.engine.results import RESULTS
from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.statistics.funnel import Exposure, funnel, in_columns
from bodycam.audit.statistics.missingness import Case, missingness
from bodycam.audit.strata import band
from bodycam.cli import main

from .randomaudit import DAY_US, force, write
from .test_audit_beside import add_records, random_duties, random_filings, random_uses

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-forces")]

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "audit-force.schema.json").read_text(encoding="utf-8")
)
FORCES = ("north", "south")
RULES = load_policy().statistics
OFFICERS = 4
Json = Any
Row = dict[str, Any]


@dataclass(frozen=True)
class Audited:
    """What one run wrote."""

    out: Path
    json: Json
    public: Json

    def rows(self, table: str) -> list[Row]:
        folder = self.out / "results" / table
        found = ibis.duckdb.connect().read_parquet(str(folder / "*.parquet"))
        rows: list[Row] = found.to_pyarrow().to_pylist()
        return rows

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def make(folder: Path, seed: int, name: str, *, filings: bool) -> None:
    """A force at random, with what every system says of it, and with what verification found."""
    rng = random.Random(seed)
    made = force(rng, cameras=OFFICERS, incidents=80)
    duties, uses = random_duties(rng, made, 400), random_uses(rng, made, 60)
    complaints = [
        Complaint(rng.choice(made.incidents).event, rng.choice(("", "pc-001"))) for _ in range(20)
    ]
    complaints.append(Complaint("ev-nowhere", "pc-001"))
    filed = random_filings(rng, made) if filings else []
    write(folder, list(made.lines.values()), name)
    add_records(folder, (made, duties, uses, complaints, filed), name)
    month = month_of(DAY_US)
    verdicts = {device: rng.choice(("intact", "altered", "incomplete")) for device in made.lines}
    with open_to_write(folder) as data:
        data.commit({
            SOURCES.name: SOURCES.of([
                (name, month, device, f"store {device}", "", "", verdict, 1, 1, 0, b"")
                for device, verdict in verdicts.items()
            ]),
            FINDINGS.name: FINDINGS.of([
                (name, month, device, 0, verdict, 4, f"{device}.mp4", name, "a hash differs")
                for device, verdict in verdicts.items()
                if verdict != "intact"
            ]),
            BAD_ROWS.name: BAD_ROWS.of([
                (name, month, "incidents", "no time", f"row of {name}", "incidents.csv", 900 + n)
                for n in range(rng.randint(1, 5))
            ]),
        }, {})  # fmt: skip


def run(folder: Path, *words: str) -> Audited:
    out = folder.parent / f"{folder.name}-out"
    main(["audit", "--data", str(folder), "--out", str(out), "--public", *words])
    told, public = (
        json.loads((out / name).read_text(encoding="utf-8"))
        for name in ("audit.json", "public.json")
    )
    Draft202012Validator(SCHEMA).validate(told)
    return Audited(out, told, public)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audited]:
    folder = tmp_path_factory.mktemp("forces")
    for seed, name in enumerate(FORCES, 31):
        for place in (name, "both"):
            # The south hands over no filings.
            make(folder / place, seed, name, filings=name == "north")
    return {name: run(folder / name, "--camera", "cam-0001") for name in (*FORCES, "both")}


def test_the_ids_of_the_two_are_the_same(audited: dict[str, Audited]) -> None:
    for table, column in (("cameras", "device"), ("officers", "officer")):
        north, south = ({row[column] for row in audited[name].rows(table)} for name in FORCES)
        assert len(north & south) > 2, table
    north, south = ({row["event"] for row in audited[name].rows("incidents")} for name in FORCES)
    assert len(north & south) > 20


@pytest.mark.parametrize("table", RESULTS)
def test_every_table_has_the_rows_of_both(audited: dict[str, Audited], table: str) -> None:
    alone = [row for name in FORCES for row in audited[name].rows(table)]
    assert sorted(map(repr, audited["both"].rows(table))) == sorted(map(repr, alone))
    assert alone


# -- the report -------------------------------------------------------------------------------

# What the rows of a list are told apart by; two of one key are added up.
KEYS = {
    "kinds": ("verdict", "check"), "call_type": ("name",), "hour": ("name",), "day": ("name",),
    "late_starts": ("up_to_us",), "early_stops": ("up_to_us",), "causes": ("state", "why"),
}  # fmt: skip
# Lists in which each row is said with its force.
NAMED = {"district": "name", "sites": "site"}
# No sums, or of more than both reports: looked at below.
APART = {
    "policy", "version", "exit_code", "from", "to", "measures", "estimate", "least", "greatest",
    "by_officer", "odds_ratio", "same_odds_p", "funnels", "verdict", "wrong_share", "cases",
    "officers_with",
}  # fmt: skip
SHARES = (
    ("coverage", "evid_us", "window_us"), ("live_coverage", "live_us", "window_us"),
    ("recording_share", "recording_us", "duty_us"), ("ready_share", "able_us", "duty_us"),
    ("coverage", "covered_us", "duty_us"),
)  # fmt: skip
WORDS = {"assignments", "zone", "months", "not_installed"}


def together(name: str, one: Json, two: Json) -> Json:
    """What is due of both, of what is said of each."""
    if isinstance(one, dict) or isinstance(two, dict):
        one, two = one or {}, two or {}
        found = {key: together(key, one.get(key), two.get(key)) for key in one | two}
        for share, part, whole in SHARES:
            if share in found and whole in found:
                found[share] = found[part] / found[whole] if found[whole] else None
        return found
    if name in WORDS:
        assert one == two, name
        return one
    if isinstance(one, list) and name in KEYS:
        return merged(KEYS[name], [*one, *two])
    if isinstance(one, list):
        key = NAMED.get(name, "")
        pairs = zip(FORCES, (one, two), strict=True)
        return [named(row, key, of) for of, rows in pairs for row in rows]
    if one is None or two is None:
        return one if two is None else two
    return one + two


def named(row: Json, key: str, of: str) -> Json:
    """An id with its force: of a list of ids, or of rows with this key."""
    if isinstance(row, str):
        return row if row in FORCES else f"{of} {row}"
    return {**row, key: f"{of} {row[key]}"} if key else row


def merged(keys: tuple[str, ...], rows: Iterable[Row]) -> list[Row]:
    found: dict[Any, Row] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key not in found:
            found[key] = row
            continue
        same = {name: row[name] for name in (*keys, "example") if name in row}
        rest = {n: v for n, v in row.items() if n not in same}
        found[key] = together("", {n: found[key][n] for n in rest}, rest) | same
    return list(found.values())


def without(told: Json) -> Json:
    """What must be a sum, or a list of both; lists in an order of their own."""
    if isinstance(told, dict):
        return {name: without(told[name]) for name in sorted(told) if name not in APART}
    if isinstance(told, list):
        return sorted((without(value) for value in told), key=repr)
    return round(told, 12) if isinstance(told, float) else told


def test_every_number_of_the_report_is_the_sum_of_both(audited: dict[str, Audited]) -> None:
    north, south, both = (audited[name].json for name in (*FORCES, "both"))
    expected, found = without(together("", north, south)), without(both)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == value, name
    assert both["forces"] == list(FORCES)
    assert both["from"] == min(north["from"], south["from"])
    assert both["to"] == max(north["to"], south["to"])
    assert both["summary"]["officers"] == len(audited["both"].rows("officers")) - sum(
        not row["judged"] for row in audited["both"].rows("officers")
    )


def test_a_case_is_counted_with_its_cameras_of_both(audited: dict[str, Audited]) -> None:
    rows = [row for name in FORCES for row in audited[name].rows("cases")]
    told = audited["both"].json["cases"]
    assert len(told) > 10
    for one in told:
        mine = [r for r in rows if (r["measure"], r["what"] or "") == (one["measure"], one["what"])]
        cameras = {(r["force"], r["device"]) for r in mine}
        assert (one["cases"], one["cameras"]) == (len(mine), len(cameras)), one


def test_of_one_share_of_all_shifts_two_forces_are_no_mean(audited: dict[str, Audited]) -> None:
    rows = [row for name in FORCES for row in audited[name].rows("shifts")]
    told = {(one["measure"], one["value"]): one for one in audited["both"].json["measures"]}
    ready, undocked = (
        sum(row[f"m1_{name}"] for row in rows) for name in ("ready_us", "undocked_us")
    )
    assert told["M1", "ready_ratio"]["whole"] == ready / undocked
    for (measure, value), one in told.items():
        column = f"{measure.lower()}_{value}"
        mine = [row[column] for row in rows if row[column] is not None]
        assert (one["shifts"], one["most"]) == (len(mine), max(mine)), column
        if isinstance(one["whole"], int):
            assert one["whole"] == sum(mine), column


def test_what_is_estimated_of_both_takes_no_incident_of_one_for_one_of_the_other(
    audited: dict[str, Audited],
) -> None:
    rows = [r for name in FORCES for r in audited[name].rows("incidents") if not r["left_out"]]
    came = {
        (row["force"], row["event"], row["officer"])
        for name in FORCES
        for row in audited[name].rows("outcomes")
    }

    def kinds(row: Row) -> tuple[IncidentClass, ...]:
        return tuple(IncidentClass(name) for name in row["kinds"].split("|"))

    def outcome(row: Row) -> bool:
        names = ("", row["officer"])
        return any((row["force"], row["event"], name) in came for name in names)

    def stratum(row: Row, column: str) -> tuple[str, ...]:
        return (row["force"], row["call_type"], band(row["dispatched_us"], RULES), row[column])

    expected = missingness(
        Case(stratum(row, "district"), outcome(row), IncidentClass(row["kind"]), kinds(row),
             f"{row['force']} {row['officer']}")
        for row in rows
    )  # fmt: skip
    groups = audited["both"].json["groups"]
    for name, one in (("not_complete", expected.not_complete), ("never", expected.never)):
        told = groups["missingness"][name]
        assert one.estimate is not None
        assert told["estimate"]["value"] == pytest.approx(one.estimate.value)
        assert told["estimate"]["low"] == pytest.approx(one.estimate.low)
        assert (told["strata"], told["total_with"]) == (one.strata, one.total_with)
    for event in (IncidentClass.NEVER, IncidentClass.LATE):
        sure = [r for r in rows if event not in kinds(r) or len(kinds(r)) == 1]
        counts = Counter(
            (f"{r['force']} {r['officer']}", stratum(r, "unit"), r["kind"] == event.value)
            for r in sure
        )
        exposures = in_columns(Exposure(*key, n) for key, n in counts.items())
        drawn = funnel(exposures, RULES.min_count, len(rows) - len(sure))
        told = groups["funnels"][event.value]
        assert told["rho"] == pytest.approx(drawn.rho, rel=1e-6)
        for name in ("officers", "incidents", "events", "not_shown", "unsure"):
            assert told[name] == getattr(drawn, name), name
        shown = [r for r in audited["both"].table("funnel.csv") if r["event"] == event.value]
        assert [r["officer"] for r in shown] == [p.count.officer for p in drawn.points]
    assert {r["officer"].split(" ")[0] for r in audited["both"].table("funnel.csv")} == set(FORCES)


@pytest.mark.parametrize(
    "name",
    ["incidents.csv", "cameras.csv", "findings.csv", "bad-rows.csv", "unmatched.csv", "force.csv",
     "filed.csv", "duty-officers.csv"],
)  # fmt: skip
def test_every_file_has_the_lines_of_both(audited: dict[str, Audited], name: str) -> None:
    rows = {of: audited[of].table(name) for of in (*FORCES, "both")}
    if name == "duty-officers.csv":
        for of in FORCES:
            rows[of] = [{**row, "officer": f"{of} {row['officer']}"} for row in rows[of]]
    assert sorted(map(repr, rows["both"])) == sorted(map(repr, rows["north"] + rows["south"]))
    if name != "filed.csv":
        assert rows["north"]
        assert rows["south"]
    assert all(row.get("force", "north") in FORCES for row in rows["both"])


def test_what_is_published_counts_the_officers_of_both(audited: dict[str, Audited]) -> None:
    for name in FORCES:
        assert audited[name].public["incidents"]["withheld"] == "fewer than 5 officers"
    told = audited["both"].public["incidents"]
    assert "withheld" not in told
    judged = [row for row in audited["both"].rows("incidents") if not row["left_out"]]
    evid, window = (
        sum(r[n] for r in audited["both"].rows("officers")) for n in ("evid_us", "window_us")
    )
    assert told["judged"] == len(judged)
    assert told["coverage"] == round(evid / window, 3)
    assert {name.split(" ")[0] for name in audited["both"].public["groups"].get("M33", {})} <= set(
        FORCES
    )


def test_a_camera_of_one_id_in_two_forces_has_a_page_of_each(audited: dict[str, Audited]) -> None:
    both = audited["both"].out
    pages = {path.name for path in both.glob("camera-*.html")}
    assert pages == {f"camera-{name}@cam-0001.html" for name in FORCES}
    for name in FORCES:
        alone = (audited[name].out / "camera-cam-0001.html").read_text(encoding="utf-8")
        mine = (both / f"camera-{name}@cam-0001.html").read_text(encoding="utf-8")
        assert f"{name} cam-0001" in mine
        assert mine.replace(f"{name} cam-0001", "cam-0001") == alone


def test_a_reader_is_told_of_which_force_each_id_is(audited: dict[str, Audited]) -> None:
    html = (audited["both"].out / "audit.html").read_text(encoding="utf-8")
    for name in FORCES:
        assert f"<b>{name} cam-000" in html
        assert f"{name} <code>incidents.csv, row 90" in html


def test_a_badge_is_a_camera_only_where_nobody_says_who_wore_what(tmp_path: Path) -> None:
    for seed, name in enumerate(FORCES, 31):
        made = force(random.Random(seed), cameras=3, incidents=6)
        write(tmp_path / "set", list(made.lines.values()), name)
        if name == "north":
            add_records(tmp_path / "set", (made, [], [], [], []), name)
    told = run(tmp_path / "set", "--camera", "cam-0000").json
    assert (told["assignments"], told["badges"]) == ("badge ids are camera ids", ["south"])
    html = (tmp_path / "set-out" / "audit.html").read_text(encoding="utf-8")
    assert "Who wore which camera was given, and is signed by nobody." in html
    assert "No assignments were given of south" in html

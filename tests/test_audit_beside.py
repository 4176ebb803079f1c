"""Duties, uses of force and filings of a whole force, by the engine, are those of the plain audit."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pytest

from bodycam.audit.complaints import Complaint
from bodycam.audit.dataset.rows import month_of
from bodycam.audit.dataset.schema import COMPLAINTS, DUTIES, FILINGS, FORCE_USES, TableSchema
from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.duties import Arm, Duty
from bodycam.audit.dutytimes import duty_coverage, duty_times, own_times
from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.engine.groupfacts import duties_of, groups_of
from bodycam.audit.engine.results import RESULTS, Results
from bodycam.audit.filed import FiledRecordings, filed
from bodycam.audit.filings import Filing
from bodycam.audit.grouping import force_uses, trial_shifts
from bodycam.audit.groups import Filed, Groups
from bodycam.audit.measures.measure import start_us
from bodycam.audit.officers import err_us, officer_time
from bodycam.audit.outcome import ScoredForce
from bodycam.audit.outcomes import outcomes
from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import OfficerTime
from bodycam.audit.states import DeviceState
from bodycam.audit.statistics.integrity import integrity
from bodycam.audit.statistics.sample import share
from bodycam.audit.useofforce import ForceUsed, near_force

from .randomaudit import DAY_US, Force, S, force, write, write_records

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-beside")]
POLICY = load_policy()
PARTS = Limits(memory="1GB", threads=1, part_spans=1000)
STEP_US = S // 2
Row = dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """A random force with all that other systems say of it, and what the engine made of it."""

    made: Force
    duties: list[Duty]
    uses: list[ForceUsed]
    complaints: list[Complaint]
    filings: list[Filing]
    results: Results
    data: DataSet

    def rows(self, table: str) -> list[Row]:
        found: list[Row] = self.results.open(table, ibis.duckdb.connect()).to_pyarrow().to_pylist()
        return found

    def officers(self, names: set[str]) -> dict[str, OfficerTime]:
        return {n: officer_time(n, self.made.assignments, self.made.lines) for n in names}


def random_duties(rng: random.Random, made: Force, count: int) -> list[Duty]:
    names = [f"pc-{n:03}" for n in range(len(made.lines))]
    found: dict[tuple[str, int], Duty] = {}
    for number in range(count):
        start = DAY_US + rng.randint(-2000, 40_000) * STEP_US
        duty = Duty(rng.choice(names), start, start + rng.randint(1, 9000) * STEP_US, rng.choice(("", "u1")),
                    rng.choice(("north", "south")), rng.choice([*Arm]), "roster.csv", number)  # fmt: skip
        found[duty.officer, start] = duty
    return list(found.values())


def random_uses(rng: random.Random, made: Force, count: int) -> list[ForceUsed]:
    """At incidents, and at the edges of recordings; of some officers no camera is known."""
    ends = [
        i for line in made.lines.values() for r in line.recordings for span in r.live for i in span
    ]
    states = [s.start_us for line in made.lines.values() for s in line.states]
    found: dict[tuple[str, str, int], ForceUsed] = {}
    for number in range(count):
        one = rng.choice(made.incidents)
        near = rng.choice((0, 1, 119, 120, 121, 299, 300, 301)) * rng.choice((-1, 1)) * S
        at = rng.choice((rng.choice(ends) + near, rng.choice(states))) + rng.choice((0, 0, 1, -1))
        used = ForceUsed(
            one.event, one.officer, at, rng.choice((None, 0, 0, S, 60 * S)), "force.csv", number
        )
        found[used.event, used.officer, at] = used
    return list(found.values())


def random_filings(rng: random.Random, made: Force) -> list[Filing]:
    found = [Filing("strange-1", "E", "theft", DAY_US, None, "filings.csv", 0)]
    for line in made.lines.values():
        for r in line.recordings:
            if rng.random() < 0.2:
                continue
            filed_us = DAY_US + 3 * 86_400 * S + rng.randint(-2, 4 * 3600) * S
            event = rng.choice(("", "E1", "E1", "E2"))
            found.append(Filing(
                r.recording, event, rng.choice(("", "theft", "theft", "theft")),
                rng.choice((None, filed_us, filed_us, filed_us)), rng.choice((None, "E1", "E1")),
                "filings.csv", len(found),
            ))  # fmt: skip
    return found


def add_records(folder: Path, one: Any, name: str = "example") -> DataSet:
    """What records systems say of them, as `bodycam audit ingest` adds it."""
    made, duties, uses, complaints, filings = one

    def month(at_us: int | None) -> tuple[str, str]:
        return name, month_of(DAY_US if at_us is None else at_us)

    rows: dict[TableSchema, list[tuple[Any, ...]]] = {
        DUTIES: [(*month(d.start_us), d.officer, d.start_us, d.end_us, d.unit, d.site, d.arm.value,
                  d.source, d.row) for d in duties],
        FORCE_USES: [(*month(u.at_us), u.event, u.officer, u.at_us, u.rounding_us, u.source, u.row)
                     for u in uses],
        COMPLAINTS: [(*month(c.at_us), c.event, c.officer, c.at_us, c.source, c.row) for c in complaints],
        FILINGS: [(*month(f.filed_us), f.recording, f.event, f.category, f.filed_us, f.reviewed_event,
                   f.source, f.row) for f in filings],
    }  # fmt: skip
    write_records(folder, made, name)
    with open_to_write(folder) as data:
        data.commit({table.name: table.of(found) for table, found in rows.items()}, {})
    return data


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Beside:
    folder, rng = tmp_path_factory.mktemp("beside"), random.Random(21)
    made = force(rng, cameras=20, incidents=100)
    duties, uses, filings = (
        random_duties(rng, made, 200), random_uses(rng, made, 500), random_filings(rng, made),
    )  # fmt: skip
    complaints = [
        Complaint(rng.choice(made.incidents).event, rng.choice(("", "pc-001"))) for _ in range(9)
    ]
    write(folder / "set", list(made.lines.values()))
    data = add_records(folder / "set", (made, duties, uses, complaints, filings))
    results = measure_force(data, POLICY, folder / "out", limits=PARTS)
    assert len(list((folder / "out" / "shifts").iterdir())) > 1
    return Beside(made, duties, uses, complaints, filings, results, data)


def test_every_duty_is_covered_as_the_plain_audit_says(beside: Beside) -> None:
    made = beside.made
    officers = beside.officers({d.officer for d in beside.duties})
    expected = {}
    for one in duty_times(beside.duties, officers, made.assignments, made.lines):
        expected[one.duty.row] = {
            "officer": one.duty.officer, "unit": one.duty.unit, "site": one.duty.site,
            "arm": one.duty.arm.value, "from_us": one.start_us, "to_us": one.duty.end_us,
            "shared_us": one.shared_us, "matched": one.matched, "duty_us": one.duty_us,
            **{f"{state.value}_us": us for state, us in one.state_us.items()},
            "no_device_us": one.no_device_us, "covered_us": one.covered_us,
            "recorded_us": one.recorded_us, "err_us": one.err_us, "force": "example",
            **{f"{bound}_{name}": pair[place] for name, pair in one.ranges.items()
               for place, bound in enumerate(("least", "most"))},
            "file": "roster.csv", "row": one.duty.row,
        }  # fmt: skip
    found = {row["row"]: row for row in beside.rows("duties")}
    assert found == expected
    assert len(found) < len(beside.duties) or len(own_times(beside.duties)) == len(beside.duties)
    twice = [d for d in beside.duties if made.assignments.worn_twice(d.officer)]
    assert len(twice) > 10
    assert any(row["shared_us"] for row in found.values())
    assert {row["matched"] for row in found.values()} == {True, False}
    for state in DeviceState:
        assert sum(row[f"{state.value}_us"] for row in found.values()) > 0


def clock_error(beside: Beside, used: ForceUsed) -> int:
    """As `outcome` asks for it."""
    made, rules = beside.made, POLICY.force
    around = max(rules.stop_before_s, rules.stop_after_s) * S + used.coarse_us(rules)
    return err_us(
        used.officer, made.assignments, made.lines, used.at_us - around, used.at_us + around
    )


def test_every_use_of_force_is_seen_as_the_plain_audit_sees_it(beside: Beside) -> None:
    made, rules = beside.made, POLICY.force
    officers = beside.officers({u.officer for u in beside.uses})
    found = {row["row"]: row for row in beside.rows("near_force")}
    assert found.keys() == {u.row for u in beside.uses}
    seen: Counter[str] = Counter()
    for used in beside.uses:
        row = found[used.row]
        if not made.assignments.of(used.officer):
            assert (row["states"], row["covered_us_min"]) == ("UNMATCHED", None)
            seen["unmatched"] += 1
            continue
        err = clock_error(beside, used)
        near = near_force(used, officers[used.officer], err, rules)
        expected = {
            "event": used.event, "officer": used.officer, "at_us": used.at_us, "err_us": err,
            "unsure_us": near.unsure_us, "states": " ".join(s.value for s in near.states),
            "assigned": near.assigned, "stops_surely": near.stops_surely,
            "stops_possibly": near.stops_possibly, "covered_us_min": near.covered_us[0],
            "covered_us_max": near.covered_us[1],
        }  # fmt: skip
        assert {name: row[name] for name in expected} == expected, used
        seen["stops"] += near.stops_surely > 0
        seen["maybe"] += near.stops_possibly > near.stops_surely
        seen["states"] += len(near.states) > 1
        seen["range"] += near.covered_us[0] < near.covered_us[1]
        seen["unassigned"] += not near.assigned
    assert (
        min(seen[n] for n in ("unmatched", "stops", "maybe", "states", "range", "unassigned")) > 5
    ), seen


def scored_uses(beside: Beside) -> list[ScoredForce]:
    made, found = beside.made, []
    officers = beside.officers({u.officer for u in beside.uses})
    for used in beside.uses:
        near = None
        if made.assignments.of(used.officer):
            near = near_force(used, officers[used.officer], clock_error(beside, used), POLICY.force)
        found.append(ScoredForce(used, near))
    return found


def plain_filed(beside: Beside) -> FiledRecordings:
    recordings = ((line.device, r) for line in beside.made.lines.values() for r in line.recordings)
    return filed(recordings, beside.filings, POLICY.statistics)


def test_every_recording_is_filed_as_the_plain_audit_says(beside: Beside) -> None:
    expected = plain_filed(beside)
    counts = {row["how"]: row for row in beside.rows("filing_counts")}
    for how in Filed:
        mine = [one for one in expected.recordings if one.how is how]
        row = counts.get(how.value, {"recordings": 0, "sampled": 0, "wrong": 0})
        assert (row["recordings"], row["sampled"], row["wrong"]) == (
            len(mine), sum(one.wrong is not None for one in mine), sum(one.wrong is True for one in mine),
        ), how  # fmt: skip
    assert all(row["recordings"] for row in counts.values())
    assert len(counts) == len(Filed)
    listed = {
        (one.device, one.recording, one.ended_us, one.how.value, one.wrong)
        for one in expected.recordings
        if one.how not in (Filed.IN_TIME, Filed.OPEN) or one.wrong
    }
    found = beside.rows("filed")
    assert {
        (r["device"], r["recording"], r["ended_us"], r["how"], r["wrong"]) for r in found
    } == listed
    assert len(found) == len(listed)
    assert [row["recording"] for row in beside.rows("unknown_filings")] == ["strange-1"]


def test_what_came_of_incidents_is_told_on_both_sides(beside: Beside) -> None:
    known = outcomes(beside.uses, beside.complaints)
    found = {(row["event"], row["officer"]) for row in beside.rows("outcomes")}
    assert found == known.officers | {(event, "") for event in known.events}
    lost = sorted((row["event"], row["officer"]) for row in beside.rows("unmatched_outcomes"))
    assert lost == list(known.unmatched(beside.made.incidents))


def test_a_month_alone_counts_what_begins_in_it(beside: Beside, tmp_path: Path) -> None:
    month, engine = month_of(DAY_US), ibis.duckdb.connect()
    one = measure_force(beside.data, POLICY, tmp_path / "one", months=[month])
    begun = {
        r.recording: month_of(start_us(r))
        for line in beside.made.lines.values()
        for r in line.recordings
    }
    # Of a few nothing tells when they were.
    assert len(set(begun.values())) == 2

    def begin(table: str, row: Row) -> str:
        if table == "filed":
            return begun[row["recording"]]
        return month_of(row["from_us" if table == "duties" else "at_us"])

    for table in ("duties", "near_force", "filed"):
        found = one.open(table, engine).to_pyarrow().to_pylist()
        wanted = [row for row in beside.rows(table) if month == begin(table, row)]
        assert sorted(map(repr, found)) == sorted(map(repr, wanted)), table
    assert len(one.open("filed", engine).to_pyarrow()) < len(beside.rows("filed"))


def test_microseconds_are_whole_numbers_in_every_table(beside: Beside) -> None:
    engine = ibis.duckdb.connect()
    for table in RESULTS:
        for name, kind in beside.results.open(table, engine).schema().items():
            if name.endswith(("_us", "_count")) or name in ("recordings", "sampled", "wrong"):
                assert kind.is_integer() or kind.is_boolean(), (table, name, kind)


# -- all together -----------------------------------------------------------------------------


def open_in(results: Results) -> Any:
    """The tables of results; without what the clocks leave open, the class is the only one."""
    engine = ibis.duckdb.connect()

    def result(table: str) -> Any:
        t = results.open(table, engine)
        return t.mutate(kinds=t.kind) if table == "incidents" and "kinds" not in t.columns else t

    return result


def test_the_groups_of_a_force_are_those_of_the_plain_audit(beside: Beside) -> None:
    made, rules = beside.made, POLICY.statistics
    found = groups_of(open_in(beside.results), POLICY)
    times_ = duty_times(beside.duties, beside.officers({d.officer for d in beside.duties}),
                        made.assignments, made.lines)  # fmt: skip
    shifts, left_out = trial_shifts(times_)
    assert found.force == force_uses(scored_uses(beside), POLICY)
    assert found.force.proven_throughout > 0
    assert found.force.stopped_possibly > found.force.stopped_surely > 0
    assert list(found.sites) == integrity(shifts, rules)
    assert found.shifts_left_out == left_out > 0
    assert found.duties == duty_coverage(times_, rules.min_count)
    few = duties_of(beside.results.open("duties", ibis.duckdb.connect()), 5)
    assert few == duty_coverage(times_, 5)
    assert few is not None
    assert few.officers
    filed_ = plain_filed(beside)
    reviewed = [one.wrong for one in filed_.recordings if one.wrong is not None]
    assert found.filing is not None
    assert found.filing.counts == {
        how: sum(one.how is how for one in filed_.recordings) for how in Filed
    }
    assert (found.filing.sampled, found.filing.wrong) == (len(reviewed), sum(reviewed))
    assert found.filing.wrong_share == share(sum(reviewed), len(reviewed))
    assert found.filing.unknown == 1
    assert found.missingness is not None
    judged = [row for row in beside.rows("incidents") if not row["left_out"]]
    never = found.missingness.never
    assert never.total_with + never.total_without + never.incidents_left_out == len(judged)
    assert found.never is not None
    assert found.never.incidents + found.never.incidents_left_out + found.never.unsure == len(
        judged
    )


def test_without_records_there_is_nothing_to_say(tmp_path: Path) -> None:
    made = force(random.Random(1), cameras=2, incidents=0)
    data = write(tmp_path / "set", list(made.lines.values()))
    results = measure_force(data, POLICY, tmp_path / "out")
    assert groups_of(open_in(results), POLICY) == Groups()

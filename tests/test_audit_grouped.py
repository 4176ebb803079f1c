"""M31 to M35 of a whole force by the engine are those of the plain audit, on the same random data."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import ibis
import msgspec
import pyarrow as pa
import pytest

from bodycam.audit.complaints import Complaint
from bodycam.audit.engine.strata import (
    banded,
    funnels_of,
    missingness_of,
    outcomes,
    unmatched,
    with_outcome,
)
from bodycam.audit.groups import Estimate, Funnel, RiskDifference
from bodycam.audit.incidents import Bound, Incident, Window
from bodycam.audit.outcome import Outcome, ScoredIncident, audit
from bodycam.audit.outcomegroups import groups_of
from bodycam.audit.outcomes import outcomes as plain_outcomes
from bodycam.audit.policy import StatisticsRules, load_policy
from bodycam.audit.scoring import IncidentClass, OfficerTime
from bodycam.audit.statistics.funnel import Exposure, funnel, in_columns
from bodycam.audit.statistics.missingness import Case, missingness
from bodycam.audit.strata import band
from bodycam.audit.timeline import StoryBook
from bodycam.audit.uncertainty import score_range
from bodycam.audit.useofforce import ForceUsed
from bodycam.custody.verify import Report

RULES = load_policy().statistics
Row = dict[str, Any]

# -- M31 and M32 ------------------------------------------------------------------------------

YEAR_US = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def told(rng: random.Random, count: int, forces: int = 1) -> list[Row]:
    """Rows of the results `incidents`, of officers with habits of their own."""
    officers = [(f"force-{n % forces}", f"pc-{n:03}", rng.betavariate(2, 8)) for n in range(60)]
    found = []
    for number in range(count):
        force, officer, own = rng.choice(officers)
        never = rng.random() < own
        kind = (
            IncidentClass.NEVER
            if never
            else rng.choice([IncidentClass.COMPLETE, IncidentClass.LATE])
        )
        kinds = {kind, *rng.choices(list(IncidentClass), k=2)} if rng.random() < 0.2 else {kind}
        found.append({
            "force": force, "event": f"ev-{number // 2}", "officer": officer,
            "call_type": rng.choice(("theft", "traffic", "rare")), "district": rng.choice(("a", "b", "")),
            "unit": rng.choice(("u1", "u2")), "kind": kind.value,
            "dispatched_us": YEAR_US + rng.randrange(365 * 86_400) * 1_000_000,
            "kinds": "|".join(k.value for k in IncidentClass if k in kinds),
            "left_out": rng.choice(["", "", "", "", "EXCLUDED", "UNMATCHED"]),
        })  # fmt: skip
    return found


def records(rng: random.Random, rows: list[Row]) -> tuple[list[ForceUsed], list[Complaint]]:
    picked = rng.sample(rows, len(rows) // 5)
    used = [ForceUsed(r["event"], r["officer"], 0, 0) for r in picked[::2]]
    made = [Complaint(r["event"], rng.choice((r["officer"], ""))) for r in picked[1::2]]
    strange = [
        Complaint("ev-none", ""),
        Complaint("ev-1", "pc-none"),
        Complaint("ev-none", "pc-001"),
    ]
    return [*used, ForceUsed("ev-other", "pc-001", 0, 0)], [*made, *strange]


def engine_tables(
    rows: list[Row], used: list[ForceUsed], made: list[Complaint], force: str
) -> tuple[Any, Any]:
    def pairs(facts: Any) -> Any:
        names = ("event", "officer")
        columns = {n: pa.array([getattr(f, n) for f in facts], pa.string()) for n in names}
        return ibis.memtable(pa.table(columns))

    came = outcomes(pairs(used), pairs(made)).mutate(force=ibis.literal(force))
    return ibis.memtable(pa.Table.from_pylist(rows)), came


def kinds_of(row: Row) -> tuple[IncidentClass, ...]:
    return tuple(IncidentClass(name) for name in row["kinds"].split("|"))


def same(one: Estimate | None, two: Estimate | None) -> None:
    assert (one is None) == (two is None)
    if one is not None and two is not None:
        assert [one.value, one.low, one.high] == pytest.approx(
            [two.value, two.low, two.high], abs=1e-9
        )


def same_difference(one: RiskDifference, two: RiskDifference) -> None:
    for name in ("estimate", "least", "greatest", "by_officer"):
        same(getattr(one, name), getattr(two, name))
    for name in ("missing_with", "total_with", "missing_without", "total_without", "strata",
                 "strata_left_out", "incidents_left_out", "with_left_out", "unsure"):  # fmt: skip
        assert getattr(one, name) == getattr(two, name), name
    assert one.odds_ratio == pytest.approx(two.odds_ratio)


def rules_of(zone: str) -> StatisticsRules:
    return msgspec.structs.replace(RULES, shift_zone=zone)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_missing_because_of_what_happened_is_counted_as_the_plain_audit_does(zone: str) -> None:
    rng, rules = random.Random(zone), rules_of(zone)
    rows = told(rng, 1500)
    used, made = records(rng, rows)
    incidents, came = engine_tables(rows, used, made, "force-0")
    found = missingness_of(with_outcome(banded(incidents, rules), came))
    known = plain_outcomes(used, made)
    at = [Incident(r["event"], r["officer"], r["dispatched_us"]) for r in rows]
    expected = missingness(
        Case(("force-0", r["call_type"], band(r["dispatched_us"], rules), r["district"]), known.of(one),
             IncidentClass(r["kind"]), kinds_of(r), r["officer"])
        for r, one in zip(rows, at, strict=True)
        if not r["left_out"]
    )  # fmt: skip
    same_difference(found.not_complete, expected.not_complete)
    same_difference(found.never, expected.never)
    assert found.never.by_officer is not None
    assert found.never.unsure > 50
    lost = unmatched(incidents, came).to_pyarrow().to_pylist()
    assert sorted((r["event"], r["officer"]) for r in lost) == list(known.unmatched(at))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
@pytest.mark.parametrize("month", [3, 10])
def test_the_band_is_that_of_the_wall_clock_on_either_side_of_its_change(
    zone: str, month: int
) -> None:
    """A data set of one month has one change of the clocks, or none."""
    rules, first_us = rules_of(zone), YEAR_US + (month - 1) * 30 * 86_400 * 1_000_000
    (row,) = told(random.Random(1), 1)
    rows = [
        {**row, "left_out": "", "dispatched_us": first_us + n * 1_799_000_000}
        for n in range(48 * 35)
    ]
    banded_rows = banded(engine_tables(rows, [], [], "force-0")[0], rules).to_pyarrow().to_pylist()
    wrong = [r for r in banded_rows if r["band"] != band(r["dispatched_us"], rules)]
    assert (len(banded_rows), wrong) == (len(rows), [])


@pytest.mark.parametrize("event", [IncidentClass.NEVER, IncidentClass.LATE])
def test_a_funnel_is_that_of_the_plain_audit(event: IncidentClass) -> None:
    rows = told(random.Random(2), 3000)
    incidents, _ = engine_tables(rows, [], [], "force-0")
    (found,) = funnels_of(banded(incidents, RULES), [event], RULES)
    judged = [r for r in rows if not r["left_out"]]
    sure = [r for r in judged if event not in kinds_of(r) or len(kinds_of(r)) == 1]
    counts = Counter(
        (r["officer"], ("force-0", r["call_type"], band(r["dispatched_us"], RULES), r["unit"]),
         r["kind"] == event.value)
        for r in sure
    )  # fmt: skip
    exposures = in_columns(Exposure(*key, n) for key, n in counts.items())
    expected = funnel(exposures, RULES.min_count, len(judged) - len(sure))
    same_funnel(found, expected)
    assert found.points
    assert found.unsure > 50


def outcome_of(rows: list[Row], used: list[ForceUsed], made: list[Complaint], zone: str) -> Outcome:
    """The outcome of a plain audit in which these incidents were judged, or left out."""
    policy = replace(load_policy(), statistics=rules_of(zone))
    window = Window(0, 1, Bound.ON_SCENE, Bound.CLEARED)
    found = score_range(window, OfficerTime(), 0, policy.incident)
    scored = []
    for r in rows:
        incident = Incident(r["event"], r["officer"], r["dispatched_us"], call_type=r["call_type"],
                            district=r["district"], unit=r["unit"])  # fmt: skip
        nominal = replace(found.nominal, kind=IncidentClass(r["kind"]))
        mine = None if r["left_out"] else replace(found, nominal=nominal, kinds=kinds_of(r))
        scored.append(
            ScoredIncident(incident, window, mine, r["left_out"], 0, (0, 0), 0, 0, (), 0, ())
        )
    nothing = audit(Report((), (), (), ()), StoryBook(), policy)
    came = plain_outcomes(used, made)
    return replace(nothing, scored=tuple(scored), outcomes=came, outcomes_given=True)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_the_plain_audit_counts_its_incidents_as_the_engine_does(zone: str) -> None:
    rng, rules = random.Random(zone), rules_of(zone)
    rows = told(rng, 2500)
    used, made = records(rng, rows)
    plain = groups_of(outcome_of(rows, used, made, zone))
    incidents, came = engine_tables(rows, used, made, "force-0")
    t = banded(incidents, rules)
    counted = missingness_of(with_outcome(t, came))
    assert plain.missingness is not None
    same_difference(plain.missingness.not_complete, counted.not_complete)
    same_difference(plain.missingness.never, counted.never)
    events = [IncidentClass.NEVER, IncidentClass.LATE]
    for mine, other in zip((plain.never, plain.late), funnels_of(t, events, rules), strict=True):
        assert mine is not None
        same_funnel(mine, other)
    assert counted.never.unsure > 50
    assert counted.never.estimate != counted.not_complete.estimate


def test_without_force_or_complaints_the_plain_audit_asks_not_what_came_of_it() -> None:
    found = outcome_of(told(random.Random(7), 200), [], [], "UTC")
    assert groups_of(replace(found, outcomes_given=False)).missingness is None
    none = groups_of(replace(found, scored=()))
    assert (none.missingness, none.never, none.late) == (None, None, None)


def same_funnel(one: Funnel, two: Funnel) -> None:
    for name in ("officers", "incidents", "events", "not_shown", "incidents_left_out", "unsure"):
        assert getattr(one, name) == getattr(two, name), name
    # The optimum is looked for to a millionth.
    for name in ("rho", "rho_low", "rho_high", "p_value"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), rel=1e-5), name
    assert [p.count.officer for p in one.points] == [p.count.officer for p in two.points]
    assert [p.limits for p in one.points] == [p.limits for p in two.points]
    assert [p.count.expected for p in one.points] == pytest.approx(
        [p.count.expected for p in two.points]
    )


def test_an_id_of_one_force_is_nothing_in_another() -> None:
    rng = random.Random(3)
    rows = told(rng, 3000, forces=2)
    for row in rows:
        # The same ids everywhere.
        row["officer"] = f"pc-{int(row['officer'][3:]) // 2:03}"
    incidents, came = engine_tables(
        rows, [ForceUsed(r["event"], r["officer"], 0, 0) for r in rows], [], "force-1"
    )
    flagged = with_outcome(banded(incidents, RULES), came).to_pyarrow().to_pylist()
    assert {(r["force"], r["outcome"]) for r in flagged} == {("force-0", False), ("force-1", True)}
    (found,) = funnels_of(banded(incidents, RULES), [IncidentClass.NEVER], RULES, several=True)
    assert found.officers == 60
    assert {p.count.officer.split(" ")[0] for p in found.points} == {"force-0", "force-1"}


def test_counting_in_the_engine_gives_the_same_bytes_again() -> None:
    rows = told(random.Random(4), 2000)
    used, made = records(random.Random(4), rows)
    answers = []
    for order in (rows, rows[::-1]):
        incidents, came = engine_tables(order, used, made, "force-0")
        t = banded(incidents, RULES)
        answers.append(repr((missingness_of(with_outcome(t, came)),
                             funnels_of(t, [IncidentClass.NEVER, IncidentClass.LATE], RULES))))  # fmt: skip
    assert answers[0] == answers[1]


def test_no_incidents_are_no_error() -> None:
    incidents, came = engine_tables(told(random.Random(5), 1), [], [], "force-0")
    none = banded(incidents.filter(incidents.event == "none"), RULES)
    assert missingness_of(with_outcome(none, came)).never.estimate is None
    assert funnels_of(none, [IncidentClass.NEVER], RULES)[0].points == ()

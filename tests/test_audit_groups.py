"""M31 to M35 of the audit of some cameras: from duties, complaints and filings to the page."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from bodycam.audit.charts import Bar, differences, funnel_chart
from bodycam.audit.complaints import Complaint
from bodycam.audit.duties import Arm, Duty
from bodycam.audit.dutytimes import DutyTime, duty_coverage, duty_times, own_times
from bodycam.audit.filed import filed
from bodycam.audit.filings import Filing
from bodycam.audit.grouping import force_uses, trial_shifts
from bodycam.audit.grouppage import missing_words
from bodycam.audit.groups import Estimate, Filed, ForceUses, RiskDifference
from bodycam.audit.incidents import Incident
from bodycam.audit.intervals import Interval, shifted, times
from bodycam.audit.officers import ABLE, officer_time
from bodycam.audit.outcome import ScoredForce
from bodycam.audit.outcomes import outcomes
from bodycam.audit.policy import load_policy
from bodycam.audit.recordings import Recording
from bodycam.audit.states import DeviceState
from bodycam.audit.statistics.funnel import Exposure, funnel, in_columns
from bodycam.audit.statistics.sample import share
from bodycam.audit.timeline import DeviceTimeline, StateSpan
from bodycam.audit.useofforce import ForceUsed, NearForce
from bodycam.cli import main

from .auditlogs import day
from .randomaudit import DAY_US, Force, S, force

RULES = load_policy().statistics
STEP_US = S // 2

# -- M34 --------------------------------------------------------------------------------------


def duties_of(rng: random.Random, made: Force, count: int) -> list[Duty]:
    """Rostered duties on the coarse grid of the random force; some of an officer overlap."""
    names = [f"pc-{n:03}" for n in range(len(made.lines))]
    found: dict[tuple[str, int], Duty] = {}
    for _ in range(count):
        start = DAY_US + rng.randint(-2000, 40_000) * STEP_US
        arm, site = rng.choice([*Arm]), rng.choice(("north", "south"))
        duty = Duty(rng.choice(names), start, start + rng.randint(1, 9000) * STEP_US, "", site, arm)
        found[duty.officer, start] = duty
    return list(found.values())


def counted(made: Force, duties: list[Duty]) -> dict[tuple[str, int], dict[str, int]]:
    """A second implementation: every half second of every duty by itself."""
    found: dict[tuple[str, int], dict[str, int]] = {}
    taken: set[tuple[str, int]] = set()
    for duty in sorted(duties, key=lambda d: (d.officer, d.start_us)):
        steps = [
            at for at in range(duty.start_us, duty.end_us, STEP_US)
            if (duty.officer, at) not in taken
        ]  # fmt: skip
        taken |= {(duty.officer, at) for at in steps}
        if not steps:
            continue
        at = np.array(steps)
        best, worn = np.full(len(at), len(ABLE)), np.zeros(len(at), bool)
        covered, claimed = np.zeros(len(at), bool), np.zeros(len(at), bool)
        for device, when in made.assignments.by_officer.get(duty.officer, {}).items():
            mine = inside(at, when)
            worn |= mine
            line = made.lines.get(device)
            if line is None:
                continue
            for rank, state in enumerate(ABLE):
                spans = [(s.start_us, s.end_us) for s in line.states if s.state is state]
                best = np.where(mine & inside(at, spans), np.minimum(best, rank), best)
            evid = [span for r in line.recordings for span in r.evid]
            live = [span for r in line.recordings for span in (*r.live, *r.failed)]
            covered |= mine & inside(at, evid)
            claimed |= mine & (inside(at, evid) | inside(at, live))
        best = np.where(worn & (best == len(ABLE)), ABLE.index(DeviceState.UNKNOWN), best)
        found[duty.officer, duty.start_us] = {
            **{state.value: int((best == rank).sum()) for rank, state in enumerate(ABLE)},
            "no device": int((~worn).sum()), "covered": int(covered.sum()), "recorded": int(claimed.sum()),
            "duty": len(steps),
        }  # fmt: skip
    return found


def inside(at: Any, spans: Any) -> Any:
    held = np.zeros(len(at), bool)
    for start, end in spans:
        held |= (start <= at) & (at < end)
    return held


def steps_of(one: DutyTime) -> dict[str, int]:
    us = {state.value: one.state_us[state] for state in DeviceState} | {
        "no device": one.no_device_us, "covered": one.covered_us, "recorded": one.recorded_us,
        "duty": one.duty_us,
    }  # fmt: skip
    return {name: value // STEP_US for name, value in us.items()}


def measured(made: Force, duties: list[Duty]) -> list[DutyTime]:
    officers = {d.officer: officer_time(d.officer, made.assignments, made.lines) for d in duties}
    return duty_times(duties, officers, made.assignments, made.lines)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_duty_is_what_counting_half_seconds_gives(seed: int) -> None:
    rng = random.Random(seed)
    made = force(rng, cameras=8, incidents=0)
    duties = duties_of(rng, made, 60)
    found = {(one.duty.officer, one.duty.start_us): steps_of(one) for one in measured(made, duties)}
    assert found == counted(made, duties)
    for steps in found.values():
        parts = sum(steps[state.value] for state in DeviceState) + steps["no device"]
        assert parts == steps["duty"]
    assert sum(len(d) for d in [own_times(duties)]) < len(duties)


def test_a_second_of_two_duties_counts_once_and_for_the_first() -> None:
    told = [Duty("a", 0, 10), Duty("a", 4, 8), Duty("a", 6, 14), Duty("a", 20, 30), Duty("b", 5, 9)]
    assert [(d.officer, d.start_us, start) for d, start in own_times(reversed(told))] == [
        ("a", 0, 0), ("a", 6, 10), ("a", 20, 20), ("b", 5, 5),
    ]  # fmt: skip


def test_nobody_with_few_duties_is_told_apart() -> None:
    rng = random.Random(3)
    made = force(rng, cameras=6, incidents=0)
    found = measured(made, duties_of(rng, made, 120))
    told = duty_coverage(found, 12)
    by = {
        name: sum(o.duty.officer == name and o.matched for o in found) for name, _ in told.officers
    }
    assert by
    assert min(by.values()) >= 12
    assert [name for name, _ in told.officers] == sorted(by)
    assert told.not_shown > 0
    assert told.unmatched == sum(not o.matched for o in found) > 0
    assert told.total.duty_us == sum(o.duty_us for o in found if o.matched)
    least = min(by.values())
    assert [name for name, _ in duty_coverage(found, least).officers] == sorted(by)
    more = [name for name, _ in duty_coverage(found, least + 1).officers]
    assert more == sorted(name for name, count in by.items() if count > least)


@pytest.mark.parametrize(
    ("from_s", "to_s", "doubt_s"),
    [(-9, -3, 0), (-9, -1, 3), (50, 60, 3), (102, 109, 3), (103, 109, 0)],
)
def test_a_duty_is_as_doubtful_as_the_worst_clock_that_may_touch_it(
    from_s: int, to_s: int, doubt_s: int
) -> None:
    """The duty is from 0 to 100 s; the clock was off by 3 s at most, for the time that is given."""
    made = force(random.Random(1), cameras=1, incidents=0)
    made.assignments.by_officer = {"A": {"cam-0000": [(0, 100 * S)]}}
    made.lines["cam-0000"].errors = [(Interval(from_s * S, to_s * S), 3 * S)]
    (found,) = measured(made, [Duty("A", 0, 100 * S, "", "", Arm.NONE)])
    assert found.err_us == doubt_s * S


def test_in_the_control_arm_nobody_need_have_a_camera() -> None:
    made = Force({}, force(random.Random(1), 1, 0).assignments, [])
    told = [Duty("nobody", n * 100, n * 100 + 50, "", "x", arm) for n, arm in enumerate(Arm)]
    shifts, left_out = trial_shifts(measured(made, told))
    assert [(s.arm, s.recorded_us, s.lost_us) for s in shifts] == [(Arm.CONTROL, 0, 50)]
    assert left_out == 1


def test_a_clock_moves_no_time_of_a_duty_out_of_its_pair() -> None:
    rng = random.Random(4)
    made = force(rng, cameras=6, incidents=0, errors_us=(900_000, 900_000))
    duties = duties_of(rng, made, 60)
    before = {(one.duty.officer, one.start_us): one for one in measured(made, duties)}
    moved = 0
    for by_us in (-900_000, -700_000, 400_000, 900_000):
        later = Force(
            {name: later_by(line, by_us) for name, line in made.lines.items()}, made.assignments, []
        )
        for one in measured(later, duties):
            was = before[one.duty.officer, one.start_us]
            told = {name: getattr(one, name) for name in ("covered_us", "recorded_us", "able_us")}
            told["recording_us"] = one.state_us[DeviceState.RECORDING]
            assert told.keys() == was.ranges.keys()
            for name, us in told.items():
                least, most = was.ranges[name]
                assert least <= us <= most, name
                moved += least < most
    assert moved > 20


def later_by(line: DeviceTimeline, by_us: int) -> DeviceTimeline:
    """The same camera, had its clock been so much later."""
    states = [
        StateSpan(s.state, s.start_us + by_us, s.end_us + by_us, s.err_us, s.why, s.line)
        for s in line.states
    ]
    recordings = [
        replace(
            r, start_us=None if r.start_us is None else r.start_us + by_us,
            live_end_us=None if r.live_end_us is None else r.live_end_us + by_us,
            evid=shifted(r.evid, by_us), failed=shifted(r.failed, by_us),
        )
        for r in line.recordings
    ]  # fmt: skip
    return DeviceTimeline(line.device, states=states, recordings=recordings)


# -- M35 --------------------------------------------------------------------------------------

DAY = 86_400 * S


def test_each_way_to_file_a_recording() -> None:
    ended = {name: Recording(name, start_us=0, live_end_us=10) for name in "abcdefghi"}
    ended["h"].live_end_us = 9 * DAY
    ended["i"].live_end_us = 9 * DAY
    told = [
        Filing("a", "E1", "assault", 10 + 3 * DAY, "E1"), Filing("b", "E1", "assault", 11 + 3 * DAY, "E2"),
        Filing("c", "E1", "assault", None), Filing("d", "", "assault", DAY, "E9"),
        Filing("e", "E1", "", DAY), Filing("g", "E1", "theft", -DAY), Filing("h", "", "", 10 * DAY),
        Filing("strange", "E1", "theft", DAY),
    ]  # fmt: skip
    found = filed([("cam", r) for r in ended.values()], told, RULES)
    assert {one.recording: (one.how, one.wrong) for one in found.recordings} == {
        "a": (Filed.IN_TIME, False), "b": (Filed.LATE, True), "c": (Filed.UNDATED, None),
        "d": (Filed.PARTLY, True), "e": (Filed.PARTLY, None), "f": (Filed.MISSING, None),
        "g": (Filed.IN_TIME, None), "h": (Filed.OPEN, None), "i": (Filed.OPEN, None),
    }  # fmt: skip
    assert [row.recording for row in found.unknown] == ["strange"]


def test_where_no_row_is_dated_nothing_is_open() -> None:
    ended = [("cam", Recording(name, start_us=0, live_end_us=10)) for name in "abc"]
    told = [Filing("a", "E1", "assault", None), Filing("b", "E1", "", None)]
    hows = [one.how for one in filed(ended, told, RULES).recordings]
    assert hows == [Filed.UNDATED, Filed.PARTLY, Filed.MISSING]
    assert [one.how for one in filed(ended, [], RULES).recordings] == [Filed.MISSING] * 3


def test_what_is_due_when_the_newest_row_was_filed_is_not_open() -> None:
    due_us = 10 + 3 * DAY
    ended = [("cam", Recording(name, start_us=0, live_end_us=10)) for name in "ab"]
    for newest_us, how in ((due_us, Filed.MISSING), (due_us - 1, Filed.OPEN)):
        told = [Filing("a", "E1", "theft", newest_us)]
        assert filed(ended, told, RULES).recordings[1].how is how


def test_a_recording_without_a_log_ends_with_its_last_picture() -> None:
    shown = Recording("a", evid=times([(0, 5)]), failed=times([(5, 9)]))
    late, soon = Filing("a", "E", "x", 10 + 3 * DAY), Filing("a", "E", "x", 9 + 3 * DAY)
    assert filed([("cam", shown)], [late], RULES).recordings[0].how is Filed.LATE
    assert filed([("cam", shown)], [soon], RULES).recordings[0].how is Filed.IN_TIME


def test_the_interval_of_a_sample_is_exact() -> None:
    # Clopper and Pearson for 2 of 33, as Philadelphia's stop reasons; for none of 20, by hand 1 - 0.025^(1/20).
    two = share(2, 33)
    assert two is not None
    assert two.value == 2 / 33
    assert [two.low, two.high] == pytest.approx([0.0074, 0.2023], abs=5e-5)
    none = share(0, 20)
    assert none is not None
    assert none.value == 0
    assert [none.low, none.high] == pytest.approx([0, 1 - 0.025 ** (1 / 20)])
    assert share(0, 0) is None


# -- M30, all together -------------------------------------------------------------------------


def near(states: tuple[DeviceState, ...], covered_s: tuple[int, int], **more: Any) -> ScoredForce:
    """A use of force whose camera was in these states; proven of the minute around it."""
    told = {"assigned": True, "stops_surely": 0, "stops_possibly": 0, **more}
    covered = covered_s[0] * S, covered_s[1] * S
    return ScoredForce(
        ForceUsed("E", "A", 0, 0), NearForce(0, states=states, covered_us=covered, **told)
    )


def test_uses_of_force_are_counted_by_what_is_sure_of_each() -> None:
    recording, ready = DeviceState.RECORDING, DeviceState.READY
    uses = [
        near((recording,), (60, 60)), near((recording,), (59, 60)), near((recording, ready), (0, 30)),
        near((ready,), (0, 0), stops_surely=1, stops_possibly=2), near((ready,), (0, 0), stops_possibly=1),
        near((), (0, 0), assigned=False), ScoredForce(ForceUsed("E", "B", 0, 0), None),
    ]  # fmt: skip
    assert force_uses(uses, load_policy()) == ForceUses(
        uses=7, matched=6, assigned=5, recording=2, stopped_surely=1, stopped_possibly=2,
        proven_throughout=1, proven_nowhere=3, officers=1,
    )  # fmt: skip


# -- outcomes ---------------------------------------------------------------------------------


def test_a_complaint_without_an_officer_is_of_all_who_were_there() -> None:
    at = [
        Incident(event, officer, 0)
        for event, officer in (("E1", "a"), ("E1", "b"), ("E2", "a"), ("E3", "a"))
    ]
    used = [ForceUsed("E2", "a", 0, 0), ForceUsed("E3", "b", 0, 0)]
    made = [Complaint("E1"), Complaint("E3", "a"), Complaint("E9"), Complaint("E2", "c")]
    found = outcomes(used, made)
    assert [found.of(one) for one in at] == [True, True, True, True]
    assert not found.of(Incident("E2", "b", 0))
    assert found.unmatched(at) == (("E2", "c"), ("E3", "b"), ("E9", ""))


# -- words and drawings -----------------------------------------------------------------------


def told_as(e: Estimate | None, **changes: Any) -> str:
    one = RiskDifference(e, e, e, None, None, None, 1, 2, 3, 4, 1, 0, 0, 0, 0)
    return missing_words("NEVER", replace(one, **changes))


def test_the_words_say_no_more_than_every_interval_does() -> None:
    above = Estimate(0.2, 0.1, 0.3)
    assert "more often than without; these recordings are no sample" in told_as(above)
    assert "less often" in told_as(Estimate(-0.2, -0.3, -0.1))
    assert "do not tell it from 0" in told_as(Estimate(0.1, -0.1, 0.3))
    assert "an officer's incidents" in told_as(above, by_officer=Estimate(0.2, -0.01, 0.4))
    assert "the clocks leave open" in told_as(above, least=Estimate(0.05, -0.05, 0.15))
    for doubt in ({"by_officer": Estimate(0.2, -0.01, 0.4)}, {"least": Estimate(-0.2, -0.3, -0.1)}):
        assert "but it may be 0" in told_as(above, **doubt)
        assert "no sample" not in told_as(above, **doubt)
    assert "nothing can be compared" in told_as(None)


def test_a_drawing_has_its_zero_line_and_every_name() -> None:
    drawn = differences(
        [Bar("NEVER", Estimate(0.12, -0.01, 0.25)), Bar("<none>", None)], "what & whose"
    )
    assert 'stroke-width="1.6"' in drawn
    assert "NEVER: +12.0 points (-1.0 to +25.0)" in drawn
    assert "&lt;none&gt;" in drawn
    assert "nothing to compare" in drawn
    assert 'aria-label="what &amp; whose"' in drawn


def test_a_funnel_names_nobody_and_draws_who_lies_outside_as_a_cross() -> None:
    rng = random.Random(6)
    told = [
        Exposure(f"pc-{n:02}", ("x",), rng.random() < (0.9 if n == 0 else 0.2))
        for n in range(60) for _ in range(20 + n)
    ]  # fmt: skip
    found = funnel(in_columns(told), 20)
    drawn = funnel_chart(found, "funnel")
    assert "pc-" not in drawn
    outside = len({p.count.incidents for p in found.points if p.outside})
    assert drawn.count("<path") == 1 + outside >= 2
    inside = {(p.count.incidents, p.count.observed) for p in found.points if not p.outside}
    assert drawn.count("h0") <= len(inside)
    assert drawn.count("<polyline") == 4
    assert funnel_chart(replace(found, points=()), "funnel") == ""


# -- the command ------------------------------------------------------------------------------


@dataclass
class Audited:
    code: int
    out: Path
    json: dict[str, Any]
    words: list[str]

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def html(self) -> str:
        return (self.out / "audit.html").read_text(encoding="utf-8")


def clock(seconds: int) -> str:
    return f"2026-06-01T{8 + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """One camera that recorded two of five minutes: 10 incidents with force or a complaint, of which it
    missed 8; 30 without, of which it missed 3.
    """
    folder = tmp_path_factory.mktemp("groups")
    with day(folder / "one") as camera:
        camera.boot(0)
        first = camera.record(60, 180)
        camera.end(300)
    missed, seen = f"{clock(190)},{clock(215)}", f"{clock(70)},{clock(170)}"
    rows = [
        f"E{n},cam-0001,{missed if n in (*range(8), 10, 11, 12) else seen},X,," for n in range(40)
    ]
    head = (
        "Event ID,Officer Badge ID,Officer Dispatched DateTime,Officer Cleared DateTime,Call Type,"
        "Officer On Scene DateTime,Clearance Code"
    )
    words = [
        "audit", "--store", str(folder / "one" / "store"),
        "--trust", str(folder / "one" / "authority" / "root.pem"),
        "--incidents", write(folder / "cad.csv", head, *rows),
        "--force", write(folder / "force.csv", "Event ID,Officer Badge ID,Force DateTime",
                         *(f"E{n},cam-0001,{clock(200)}" for n in range(6))),
        "--complaints", write(folder / "complaints.csv", "Event ID,Officer Badge ID",
                              "E6,", "E7,cam-0001", "E8,", "E9,", "E99,", "E10,nobody"),
        "--roster", write(folder / "roster.csv",
                          "Officer Badge ID,Duty Start DateTime,Duty End DateTime,Site,Arm",
                          f"cam-0001,{clock(0)},{clock(200)},north,treatment",
                          f"cam-0001,{clock(100)},{clock(300)},north,control",
                          f"pc-1,{clock(0)},{clock(300)},north,control",
                          f"cam-0001,{clock(300)},{clock(200)},north,"),
        "--filings", write(folder / "filings.csv",
                           "Recording ID,Event ID,Category,Filed DateTime,Reviewed Event ID",
                           f"{first},E1,theft,{clock(3000)},E2", f"strange,E1,theft,{clock(3000)},"),
        "--out", str(folder / "out"),
    ]  # fmt: skip
    code = main(words)
    found = json.loads((folder / "out" / "audit.json").read_text(encoding="utf-8"))
    return Audited(code, folder / "out", found, words)


@pytest.mark.system
def test_recordings_that_are_missing_because_of_what_happened_are_found(audited: Audited) -> None:
    never = audited.json["groups"]["missingness"]["never"]
    assert never["estimate"]["value"] == pytest.approx(8 / 10 - 3 / 30)
    assert (never["missing_with"], never["total_with"]) == (8, 10)
    assert (never["missing_without"], never["total_without"]) == (3, 30)
    assert never["estimate"]["low"] > 0
    assert "these recordings are no sample of what happened" in audited.html
    assert audited.json["groups"]["not_installed"] is None


@pytest.mark.system
def test_duties_trial_and_filing_are_told(audited: Audited) -> None:
    groups = audited.json["groups"]
    duties = groups["duties"]
    assert (duties["duties"], duties["duty_us"], duties["shared_us"]) == (2, 300 * S, 100 * S)
    assert duties["recording_us"] == 120 * S
    # Two duties are too few to tell of one officer, so whose they are is told nowhere.
    assert (duties["officers"], duties["not_shown"]) == ([], 1)
    assert {row["officer"] for row in audited.table("duties.csv")} == {""}
    (site,) = groups["sites"]
    assert (site["site"], site["class"]) == ("north", "discretion in treatment")
    assert (site["control"]["shifts"], site["control"]["kept"]) == (2, 2)
    filing = groups["filing"]
    assert filing["recordings"]["in time"] == filing["due"] == 1
    assert (filing["wrong"], filing["sampled"]) == (1, 1)
    assert filing["wrong_share"]["low"] == pytest.approx(0.025)
    # All at one time, when the camera was ready and nothing was proven; its stop was 20 s before.
    assert groups["force"] == {
        "uses": 6, "matched": 6, "assigned": 6, "recording": 0, "stopped_surely": 6,
        "stopped_possibly": 6, "proven_throughout": 0, "proven_nowhere": 6, "officers": 1,
    }  # fmt: skip
    (row,) = audited.table("filed.csv")
    assert (row["event"], row["reviewed_event"], row["wrong"]) == ("E1", "E2", "1")


@pytest.mark.system
def test_what_matches_nothing_is_listed_on_either_side(audited: Audited) -> None:
    assert audited.json["unmatched"]["force_and_complaints"] == [
        {"event": "E10", "officer": "nobody"}, {"event": "E99", "officer": None}
    ]  # fmt: skip
    assert audited.json["unmatched"]["filings"] == ["strange"]
    sides = [(row["side"], row["id"]) for row in audited.table("unmatched.csv")]
    assert sides == [
        ("force and complaints", "E10 nobody"), ("force and complaints", "E99"), ("filings", "strange"),
    ]  # fmt: skip
    assert [(row["file"], row["row"]) for row in audited.table("bad-rows.csv")] == [
        ("roster.csv", "5")
    ]
    assert audited.code == 3


@pytest.mark.system
def test_the_json_is_what_its_schema_says(audited: Audited) -> None:
    schema = json.loads(
        (Path(__file__).parent.parent / "docs" / "audit.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(audited.json, schema)


@pytest.mark.system
def test_definitions_stand_beside_the_numbers(audited: Audited) -> None:
    from html import escape

    from bodycam.audit.grouppage import DEFINITIONS
    from bodycam.audit.thresholds import with_values

    for number, name, definition in DEFINITIONS:
        assert f"<h2>{name}</h2>" in audited.html
        assert f"<b>{number}</b> {escape(with_values(definition, load_policy()))}" in audited.html


@pytest.mark.system
def test_without_statistics_the_rest_is_told_and_what_is_missing_is_said(
    audited: Audited, tmp_path: Path
) -> None:
    words = [*audited.words[:-1], str(tmp_path)]
    code = "import sys; sys.modules['scipy'] = None; from bodycam.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False)
    assert done.returncode == 3, done.stderr
    found = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    schema = json.loads(
        (Path(__file__).parent.parent / "docs" / "audit.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(found, schema)
    groups = found["groups"]
    assert groups["not_installed"].startswith("scipy")
    assert groups["missingness"] is None
    assert groups["filing"]["wrong_share"] is None
    for name in ("sites", "duties"):
        assert groups[name] == audited.json["groups"][name]
    assert "pip install 'bodycam[audit]'" in (tmp_path / "audit.html").read_text(encoding="utf-8")

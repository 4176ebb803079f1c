"""A whole force, measured in parts, gives the numbers of the plain audit, every one."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import pytest

from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.engine.results import RESULTS, Results
from bodycam.audit.incidents import Window, windows
from bodycam.audit.intervals import both, length_us, times
from bodycam.audit.measures import MEASURES
from bodycam.audit.measures import measure as plain
from bodycam.audit.officers import err_us, officer_cameras, officer_time
from bodycam.audit.outcome import Unassigned, _unassigned
from bodycam.audit.policy import Policy, load_policy
from bodycam.audit.scoring import excluded
from bodycam.audit.uncertainty import ScoreRange, peers_prove, score_range
from bodycam.errors import ConfigError

from .randomaudit import Force, force, write, write_records
from .test_audit_engine import expected_scores, strict_policy

Row = dict[str, Any]
pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-wholeforce")]
PARTS = Limits(memory="1GB", threads=1, part_spans=1000, part_incidents=50)


def rows(results: Results, table: str) -> list[Row]:
    found: list[Row] = results.open(table, ibis.duckdb.connect()).to_pyarrow().to_pylist()
    return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Force, Policy, Results]:
    folder = tmp_path_factory.mktemp("force")
    made = force(random.Random(11), cameras=20, incidents=200)
    write(folder / "set", list(made.lines.values()))
    data = write_records(folder / "set", made)
    steps: list[tuple[int, int]] = []
    results = measure_force(
        data, strict_policy(), folder / "out", limits=PARTS, show=lambda *at: steps.append(at)
    )
    # Several parts of each kind, and every step is shown.
    assert len(list((folder / "out" / "shifts").iterdir())) > 1
    assert len(list((folder / "out" / "incidents").iterdir())) > 1
    assert steps == [(n, steps[-1][1]) for n in range(steps[-1][1] + 1)]
    assert {p.name for p in (folder / "out").iterdir()} == set(RESULTS)
    return made, strict_policy(), results


def test_every_incident_is_there_with_the_numbers_of_the_plain_scoring(
    measured: tuple[Force, Policy, Results],
) -> None:
    made, policy, results = measured
    found = {row["row"]: row for row in rows(results, "incidents")}
    expected = expected_scores(made, policy)
    assert found.keys() == expected.keys()
    told = windows(made.incidents, policy.incident)
    for number, wanted in expected.items():
        one, window = made.incidents[number], told[number]
        assert window is not None
        wanted |= {
            "event": one.event, "officer": one.officer, "force": "example", "call_type": one.call_type,
            "due_us": window.due_us, "due_by": window.due_by.value, "end_us": window.end_us,
            "end_by": window.end_by.value, "district": f"district {number % 3}",
        }  # fmt: skip
        assert {name: found[number][name] for name in wanted} == wanted, one


def test_an_incident_without_a_window_is_told_not_dropped(
    measured: tuple[Force, Policy, Results],
) -> None:
    made, policy, results = measured
    empty = [n for n, w in enumerate(windows(made.incidents, policy.incident)) if w is None]
    assert empty
    assert sorted(row["row"] for row in rows(results, "empty_windows")) == empty


def test_every_shift_is_there_with_every_value_of_every_measure(
    measured: tuple[Force, Policy, Results],
) -> None:
    made, policy, results = measured
    found = {(r["device"], r["from_us"], r["to_us"]): r for r in rows(results, "shifts")}
    seen: Counter[str] = Counter()
    count = 0
    for line in made.lines.values():
        for shift in plain.shifts(line, policy.device):
            count += 1
            row = found[line.device, shift.start_us, shift.end_us]
            worn = replace(shift, handovers=made.assignments.handovers(line.device))
            for measure in MEASURES:
                wanted = {
                    f"{measure.number.lower()}_{name}": value
                    for name, value in measure.of(worn, policy.device).values.items()
                }
                assert {name: row[name] for name in wanted} == wanted, (measure.number, line.device)
                seen.update(name for name, value in wanted.items() if value)
    assert count == len(found)
    # What is nowhere but 0 is not compared.
    for name in ("m8_tail_kept", "m9_refused", "m10_p95_us", "m11_steps", "m13_mismatches",
                 "m14_passed", "m16_throttled_us", "m16_undervolt_events",
                 "m11_max_err_us", "m11_longest_since_sync_us", "m16_max_cell_milli_c"):  # fmt: skip
        assert seen[name] > 3, seen


def test_every_case_is_there(measured: tuple[Force, Policy, Results]) -> None:
    made, policy, results = measured
    found = Counter(
        (r["measure"], r["device"], r["from_us"], r["line"]) for r in rows(results, "cases")
    )
    listed = {
        m.number: m for m in MEASURES if m.number in {r["measure"] for r in rows(results, "cases")}
    }
    assert listed.keys() == {"M3", "M5", "M6", "M9", "M11", "M12", "M13", "M14", "M16"}
    expected: Counter[Any] = Counter()
    for line in made.lines.values():
        for shift in plain.shifts(line, policy.device):
            worn = replace(shift, handovers=made.assignments.handovers(line.device))
            for number, measure in listed.items():
                for case in measure.of(worn, policy.device).rows:
                    if case.get("selftest") == "green" or case.get("what") == "since last sync":
                        continue
                    at = case["line_before"] if number == "M12" else case["line"]
                    expected[number, line.device, shift.start_us, at] += 1
    undervolt = {k: n for k, n in found.items() if k[0] == "M16"}
    assert undervolt
    assert {k: n for k, n in found.items() if k[0] != "M16"} == expected


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    data = write(tmp_path / "set", [])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "holiday.jpg").touch()
    with pytest.raises(ConfigError, match=r"holiday\.jpg"):
        measure_force(data, load_policy(), tmp_path / "out")


def test_nothing_is_no_error(tmp_path: Path) -> None:
    results = measure_force(
        write(tmp_path / "set", []), load_policy(), tmp_path / "out", limits=PARTS
    )
    assert [rows(results, table) for table in RESULTS] == [[]] * len(RESULTS)


def test_what_nobody_wore_is_told_of_each_camera(measured: tuple[Force, Policy, Results]) -> None:
    made, _, results = measured
    found = {row["device"]: row for row in rows(results, "cameras")}
    assert found.keys() == made.lines.keys()
    expected = {one.device: one for one in _unassigned(made.lines.values(), made.assignments)}
    names = {one.officer for one in made.incidents}
    known = {device for name in names for device in made.assignments.of(name)}
    for device, row in found.items():
        one = expected.get(device, Unassigned(device, 0, 0, ()))
        assert (row["unassigned_undocked_us"], row["unassigned_live_us"], row["unassigned_recordings"],
                row["matched"]) == (
            one.undocked_us, one.live_us, len(one.recordings), device in known
        )  # fmt: skip
    assert any(one.live_us and one.recordings for one in expected.values())
    lost = {row["device"] for row in rows(results, "missing_cameras")}
    assert lost == known - made.lines.keys() != set()


def test_no_second_of_an_officer_counts_twice(measured: tuple[Force, Policy, Results]) -> None:
    made, policy, results = measured
    due: dict[str, list[tuple[int, int]]] = {}
    every: Counter[str] = Counter()
    for one, window in zip(made.incidents, windows(made.incidents, policy.incident), strict=True):
        if window is not None:
            every[one.officer] += 1
            if not excluded(one, policy.excluded) and made.assignments.of(one.officer):
                due.setdefault(one.officer, []).append((window.due_us, window.end_us))
    found = {row["officer"]: row for row in rows(results, "officers")}
    assert found.keys() == every.keys()
    for officer, row in found.items():
        whole, mine = (
            times(due.get(officer, ())),
            officer_time(officer, made.assignments, made.lines),
        )
        assert (row["incidents"], row["judged"]) == (every[officer], len(due.get(officer, ())))
        assert (row["window_us"], row["evid_us"], row["live_us"]) == (
            length_us(whole), length_us(both(whole, mine.evid)), length_us(both(whole, mine.live)),
        )  # fmt: skip
    assert sum(row["window_us"] for row in found.values()) < sum(
        end - start for spans in due.values() for start, end in spans
    )


def test_the_latency_of_each_firmware_is_by_nearest_rank(
    measured: tuple[Force, Policy, Results],
) -> None:
    made, _, results = measured
    took: dict[str, list[int]] = {}
    for line in made.lines.values():
        for one in line.recordings:
            if one.pressed and one.start_us is not None and one.synced_us is not None:
                took.setdefault(one.firmware, []).append(one.synced_us - one.start_us)
    assert len(took) == 2
    assert {row["firmware"]: row for row in rows(results, "latencies")} == {
        firmware: {
            "force": "example", "firmware": firmware, "recordings": len(values),
            "p50_us": plain.percentile(values, 50), "p95_us": plain.percentile(values, 95),
            "max_us": max(values),
        }
        for firmware, values in took.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "many", "errors_us"),
    [
        (4, 160, (0, 900_000)),
        (4, 80, (1_500_000, 20_000_000)),
        (5, 15, (90_000_000, 2_400_000_000)),
    ],
)
def test_the_clocks_leave_open_what_the_plain_audit_says_they_do(
    seed: int, many: int, errors_us: tuple[int, int], tmp_path: Path
) -> None:
    made = force(random.Random(seed), cameras=6, incidents=many, errors_us=errors_us)
    write(tmp_path / "set", list(made.lines.values()))
    data, policy = write_records(tmp_path / "set", made), strict_policy()
    results = measure_force(data, policy, tmp_path / "out", limits=Limits("1GB", 1))
    expected = expected_ranges(made, policy)
    open_ = 0
    for row in rows(results, "incidents"):
        wanted = expected[row["row"]]
        assert row["kinds"] == "|".join(kind.value for kind in wanted.kinds), wanted
        open_ += not wanted.certain
        for name, pair in wanted.numbers.items():
            told = (row[f"least_{name}"], row[f"most_{name}"])
            # Given where a class is open, or may be.
            assert told == pair or (wanted.certain and told == (None, None))
    assert open_ > 0


def expected_ranges(made: Force, policy: Policy) -> dict[int, ScoreRange]:
    """What the plain audit says of each incident that has a window, whoever it is of."""
    at_event: dict[str, set[str]] = {}
    for one in made.incidents:
        at_event.setdefault(one.event, set()).add(one.officer)
    officers = {
        one.officer: officer_cameras(one.officer, made.assignments, made.lines)
        for one in made.incidents
    }
    found = {}
    told = windows(made.incidents, policy.incident)
    for number, (one, window) in enumerate(zip(made.incidents, told, strict=True)):
        if window is None:
            continue

        def off_us(officer: str, at: Window = window) -> int:
            return err_us(officer, made.assignments, made.lines, at.due_us, at.end_us)

        judged = made.assignments.of(one.officer) and not excluded(one, policy.excluded)
        peers = peers_prove(
            (
                (*proven, off_us(o))
                for o in at_event[one.event] - {one.officer}
                for proven in officers[o].proven
            ),
            window,
        )
        found[number] = score_range(
            window, officers[one.officer], off_us(one.officer) if judged else 0, policy.incident,
            dispatched_us=one.dispatched_us, peers=peers,
        )  # fmt: skip
        if not judged:
            found[number] = replace(found[number], kinds=(found[number].nominal.kind,))
    return found

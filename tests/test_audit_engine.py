"""The engine's numbers are the plain measures' numbers, every one, on the same data."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import pytest

from bodycam.audit.assignments import Assignments, from_badges
from bodycam.audit.dataset.ingest import Ingest
from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.engine.buffers import buffer_deficits
from bodycam.audit.engine.cameras import (
    STRETCH,
    kills,
    shifts,
    short_recordings,
    time_measures,
    toggles,
    unknown_stretches,
    whole_lines,
)
from bodycam.audit.engine.incidents import STATE_COLUMNS, scores
from bodycam.audit.engine.pieces import Asked
from bodycam.audit.engine.tables import AuditTables, incident_table, open_tables, worn_table
from bodycam.audit.incidents import Incident, Window, windows
from bodycam.audit.intervals import Interval, Times, clip, length_us, times, union, without
from bodycam.audit.measures import MEASURES
from bodycam.audit.measures import measure as plain
from bodycam.audit.officers import err_us, officer_cameras, officer_time
from bodycam.audit.policy import Policy, load_policy, parse_policy
from bodycam.audit.recordings import Recording, ToggleCause
from bodycam.audit.scoring import IncidentClass, excluded, score
from bodycam.audit.states import DeviceState
from bodycam.audit.timeline import DeviceTimeline, StateSpan, StoryBook, timelines
from bodycam.audit.uncertainty import peers_prove, score_range, shortfall_range
from bodycam.clock import utc_text
from bodycam.custody.verify import verify_paths
from bodycam.signing import load_root

from .auditlogs import day
from .evidence import build_store, footage
from .randomaudit import DAY_US, Force, S, force, write

BY_NUMBER = {measure.number: measure for measure in MEASURES}
Row = dict[str, Any]
Key = tuple[Any, ...]


def strict_policy() -> Policy:
    """The default one, with something to exclude and an opening for the vendors' rule."""
    text = (Path(plain.__file__).parents[1] / "policy.toml").read_text()
    text = text.replace("vendor_before_s = 0", "vendor_before_s = 50")
    text = text.replace("call_types = []", 'call_types = ["meeting"]')
    return parse_policy(text.replace("codes = []", 'codes = ["cancelled"]').encode(), "test")


def rows(table: Any) -> list[Row]:
    found: list[Row] = table.to_pyarrow().to_pylist()
    return found


# -- incidents --------------------------------------------------------------------------------


def expected_scores(made: Force, policy: Policy) -> dict[int, Row]:
    """What the plain audit says of each incident that has a window."""
    at_event: dict[str, set[str]] = {}
    for one in made.incidents:
        at_event.setdefault(one.event, set()).add(one.officer)
    names = {one.officer for one in made.incidents}
    officers = {name: officer_time(name, made.assignments, made.lines) for name in names}
    found = {}
    for number, (one, window) in enumerate(
        zip(made.incidents, windows(made.incidents, policy.incident), strict=True)
    ):
        if window is None:
            continue
        mine = officers[one.officer]
        peers: Times = union(
            *(clip(officers[o].evid, window.due_us, window.end_us)
              for o in at_event[one.event] if o != one.officer)
        )  # fmt: skip
        pair_us = shortfall_pair(made, one, window, at_event[one.event] - {one.officer})
        s = score(window, mine, policy.incident, dispatched_us=one.dispatched_us, peers=peers)
        matched = bool(made.assignments.of(one.officer))
        others = [o for o in at_event[one.event] if o != one.officer and made.assignments.of(o)]
        found[number] = {
            "kind": s.kind.value, "window_us": s.window_us, "live_us": s.live_us,
            "evid_us": s.evid_us, "missing_us": s.missing_us, "failed_us": s.failed_us,
            "activated": s.activated, "retro": s.retro, "vendor": s.vendor,
            "evid_delay_us": s.evid_delay_us, "press_delay_us": s.press_delay_us, "late": s.late,
            "saved_by_buffer": s.saved_by_buffer, "tail_us": s.tail_us, "early": s.early,
            "handed_over": s.handed_over, "gaps": len(s.gaps), "gap_us": s.gap_us,
            "longest_gap_us": s.longest_gap_us, "muted_us": s.muted_us,
            "others": len(others), "others_recording": sum(
                length_us(clip(officers[o].evid, window.due_us, window.end_us)) >= S for o in others),
            "no_device_us": s.no_device_us, "flat_us": s.flat_us,
            "excused_if_flat": s.excused_if_flat, "coverage": s.coverage,
            "live_coverage": s.live_coverage, "partner_us": length_us(without(peers, mine.evid)),
            "least_partner_us": pair_us[0], "most_partner_us": pair_us[1],
            "err_us": err_us(one.officer, made.assignments, made.lines, window.due_us, window.end_us),
            "left_out": "EXCLUDED" if excluded(one, policy.excluded)
            else "" if matched else "UNMATCHED",
            **{STATE_COLUMNS[state]: us for state, us in s.state_us.items()},
        }  # fmt: skip
    return found


def shortfall_pair(made: Force, one: Incident, window: Window, others: set[str]) -> tuple[int, int]:
    """M29 as the plain audit bounds it."""

    def off_us(officer: str) -> int:
        return err_us(officer, made.assignments, made.lines, window.due_us, window.end_us)

    mine, *theirs = (
        officer_cameras(name, made.assignments, made.lines) for name in (one.officer, *others)
    )
    told = [
        (*proven, off_us(name))
        for name, cameras in zip(others, theirs, strict=True)
        for proven in cameras.proven
    ]
    return shortfall_range(window, mine, off_us(one.officer), peers_prove(told, window))


def asked(cameras: AuditTables, made: Force, policy: Policy) -> Asked:
    told = incident_table(made.incidents, windows(made.incidents, policy.incident))
    worn = worn_table(made.assignments)
    there = [{"event": one.event, "officer": one.officer} for one in made.incidents]
    at_event = ibis.memtable(there, schema={"event": "string", "officer": "string"})
    return Asked(ibis.memtable(told), ibis.memtable(worn), cameras, policy, at_event)


@pytest.mark.parametrize("seed", [1, 8])
def test_every_number_of_every_incident_is_that_of_the_plain_scoring(
    seed: int, tmp_path: Path
) -> None:
    made = force(random.Random(seed), cameras=20, incidents=500)
    policy = strict_policy()
    cameras = open_tables(write(tmp_path / "set", list(made.lines.values())))
    found = {row["incident"]: row for row in rows(scores(asked(cameras, made, policy)))}
    expected = expected_scores(made, policy)
    assert found.keys() == expected.keys()
    for number, wanted in expected.items():
        assert {name: found[number][name] for name in wanted} == wanted, made.incidents[number]
    # Every class and every flag was met: what never happens is not compared.
    assert {row["kind"] for row in expected.values()} == {kind.value for kind in IncidentClass}
    flags = ("retro", "vendor", "late", "saved_by_buffer", "early", "handed_over", "excused_if_flat",
             "others_recording")  # fmt: skip
    met = Counter(flag for row in expected.values() for flag in flags if row[flag])
    assert min(met[flag] for flag in flags) > 0, met
    assert {row["left_out"] for row in expected.values()} == {"", "EXCLUDED", "UNMATCHED"}
    pairs = [
        (row["least_partner_us"], row["partner_us"], row["most_partner_us"])
        for row in expected.values()
    ]
    assert all(least <= told <= most for least, told, most in pairs)
    assert sum(least < most for least, _, most in pairs) > 20


def recorded(device: str, start_s: float, end_s: float) -> DeviceTimeline:
    """A camera that was ready for an hour and recorded once."""
    line = DeviceTimeline(device)
    line.states = [StateSpan(DeviceState.READY, DAY_US, DAY_US + 3600 * S, 0)]
    span = (DAY_US + round(start_s * S), DAY_US + round(end_s * S))
    line.recordings = [Recording(device, start_us=span[0], live_end_us=span[1], evid=times([span]))]
    return line


def test_who_takes_over_must_do_so_until_the_grace_before_the_end(tmp_path: Path) -> None:
    lines: dict[str, DeviceTimeline] = {}
    incidents: list[Incident] = []
    wanted: dict[str, bool] = {}
    for begins_s, ends_s in itertools.product((299.5, 300, 300.5), (539.5, 540, 540.5, 600)):
        event = f"{begins_s} to {ends_s}"
        for officer, span in ((f"{event}, me", (0, 300)), (f"{event}, peer", (begins_s, ends_s))):
            lines[officer] = recorded(officer, *span)
            incidents.append(Incident(event, officer, DAY_US, DAY_US + 600 * S, DAY_US))
        wanted[f"{event}, me"] = begins_s <= 300 and ends_s >= 540
    made = Force(lines, from_badges(lines), incidents)
    cameras = open_tables(write(tmp_path / "set", list(lines.values())))
    found = {row["officer"]: row for row in rows(scores(asked(cameras, made, load_policy())))}
    expected = expected_scores(made, load_policy())
    for number, one in enumerate(incidents):
        mine = found[one.officer]
        assert {name: mine[name] for name in expected[number]} == expected[number], one
        if one.officer in wanted:
            assert (mine["handed_over"], mine["early"]) == (
                wanted[one.officer], not wanted[one.officer],
            )  # fmt: skip


@pytest.mark.parametrize("err_s", [0, 3])
def test_what_the_clocks_leave_open_between_two_cameras_is_not_said_to_be_sure(
    err_s: int, tmp_path: Path
) -> None:
    """One camera is worn all the while; the other, which records throughout, from the middle on. Whether
    there is a hole between them hangs on when the first one stopped.
    """
    lines: dict[str, DeviceTimeline] = {}
    incidents, worn = [], Assignments()
    for stop_s in (290, 294, 295, 296, 297, 298, 299, 300, 301, 302, 310):
        officer = f"stops at {stop_s}"
        cameras = {f"{officer}, one": (-100, stop_s, 0), f"{officer}, two": (-100, 700, 300)}
        for device, (start, end, from_s) in cameras.items():
            lines[device] = recorded(device, start, end)
            hour = Interval(DAY_US - 3600 * S, DAY_US + 3600 * S)
            lines[device].errors = [(hour, err_s * S)]
            span = (DAY_US + from_s * S, DAY_US + 600 * S)
            worn.by_officer.setdefault(officer, {})[device] = [span]
        incidents.append(Incident(officer, officer, DAY_US, DAY_US + 600 * S, DAY_US))
    made, policy = Force(lines, worn, incidents), load_policy()
    cameras_ = open_tables(write(tmp_path / "set", list(lines.values())))
    found = {row["officer"]: row for row in rows(scores(asked(cameras_, made, policy)))}
    told = windows(incidents, policy.incident)
    open_ = set()
    for one, window in zip(incidents, told, strict=True):
        assert window is not None
        mine = officer_cameras(one.officer, worn, lines)
        expected = score_range(window, mine, err_s * S, policy.incident)
        assert found[one.officer]["kind"] == expected.nominal.kind.value
        if not expected.certain:
            open_.add(one.officer)
    assert {name for name, row in found.items() if row["unsure"]} >= open_
    assert not all(row["unsure"] for row in found.values())
    # A hole of two seconds is a gap; it is three longer or shorter.
    assert open_ == {f"stops at {stop_s}" for stop_s in range(296, 302) if err_s}


def test_what_the_clocks_leave_open_at_a_threshold_is_not_said_to_be_sure(tmp_path: Path) -> None:
    """Clocks are off by three seconds at most; late is more than 15 s, early more than 60 s."""
    lines: dict[str, DeviceTimeline] = {}
    for second in (*range(10, 22), *range(534, 546)):
        name = str(second)
        lines[name] = recorded(name, *((second, 700) if second < 100 else (-100, second)))
        lines[name].errors = [(Interval(DAY_US - 3600 * S, DAY_US + 3600 * S), 3 * S)]
    incidents = [Incident(name, name, DAY_US, DAY_US + 600 * S, DAY_US) for name in lines]
    made = Force(lines, from_badges(lines), incidents)
    cameras = open_tables(write(tmp_path / "set", list(lines.values())))
    found = {row["officer"]: row for row in rows(scores(asked(cameras, made, load_policy())))}
    open_ = {int(name) for name, row in found.items() if row["unsure"]}
    assert open_ >= {*range(13, 19), *range(537, 543)}
    assert not open_ & {10, 11, 20, 21, 534, 535, 544, 545}


# -- cameras ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Force, AuditTables]:
    made = force(random.Random(3), cameras=40, incidents=0)
    folder = tmp_path_factory.mktemp("fleet") / "set"
    return made, open_tables(write(folder, list(made.lines.values())))


def stretches(made: Force, kind: str) -> dict[Key, plain.Stretch]:
    rules = load_policy().device
    found: dict[Key, plain.Stretch] = {}
    for device, line in made.lines.items():
        whole = plain.whole_line(line)
        assert whole is not None
        for one in [whole] if kind == "all" else plain.shifts(line, rules):
            found[device, one.start_us, one.end_us] = one
    return found


def key(row: Row) -> Key:
    return tuple(row[column] for column in STRETCH)


@pytest.mark.parametrize("kind", ["all", "shift"])
def test_each_measure_of_each_stretch_is_that_of_the_plain_one(
    kind: str, fleet: tuple[Force, AuditTables]
) -> None:
    compare(*fleet, kind)


def compare(made: Force, cameras: AuditTables, kind: str) -> None:
    """Every value and every case of every stretch, by the engine and by the plain measures."""
    rules = load_policy().device
    wanted = whole_lines(cameras) if kind == "all" else shifts(cameras, rules)
    expected = stretches(made, kind)
    assert {key(row) for row in rows(wanted)} == expected.keys()
    for number, found in engine_figures(cameras, wanted).items():
        for stretch_key, stretch in expected.items():
            figure = BY_NUMBER[number].of(stretch, rules)
            values, cases = found.get(stretch_key, ({}, []))
            given = {name: figure.values[name] for name in values}
            assert (number, stretch_key, values) == (number, stretch_key, given)
            shown = [{name: row[name] for name in _CASES[number]} for row in figure.rows]
            assert sorted(map(repr, cases)) == sorted(map(repr, shown)), (number, stretch_key)


def test_a_press_after_a_hand_over_is_no_bounce(fleet: tuple[Force, AuditTables]) -> None:
    made, cameras = fleet
    rules, rng, worn = load_policy().device, random.Random(5), Assignments()
    for line in made.lines.values():
        for one in line.recordings:
            if one.start_us is not None and rng.random() < 0.3:
                start_us = one.start_us - rng.choice((-1, 0, 1, 60, 120, 121)) * S // 2
                span = (start_us, start_us + rng.randint(1, 9000) * S)
                mine = worn.by_officer.setdefault(rng.choice(("A", "B")), {})
                mine.setdefault(line.device, []).append(span)
    told = ibis.memtable(worn_table(worn))
    chains = rows(short_recordings(cameras, shifts(cameras, rules), rules, told))
    found = Counter(key(row) for row in chains if row["bounce"])
    free = given = 0
    for at, stretch in stretches(made, "shift").items():
        handed = replace(stretch, handovers=worn.handovers(stretch.line.device))
        figure = BY_NUMBER["M5"].of(handed, rules)
        assert found[at] == figure.values["bounces"], at
        given += found[at]
        free += sum(row["what"] == "bounce" for row in BY_NUMBER["M5"].of(stretch, rules).rows)
    assert 20 < given < free - 20


_CASES = {
    "M1": (), "M2": (), "M4": ("cause", "starts", "stops"), "M7": (),
    "M3": ("recording", "pressed", "asked_us", "actual_us", "deficit_us", "cause", "line"),
    "M5": ("what", "recording", "at", "length_us", "line"),
    "M6": ("at", "why", "to_ready_us", "line"),
    "M12": ("from", "length_us", "why", "line_before", "line_after"),
}  # fmt: skip


def engine_figures(
    cameras: AuditTables, wanted: Any
) -> dict[str, dict[Key, tuple[Row, list[Row]]]]:
    """Each measure of each stretch, in the words of the plain ones."""
    rules = load_policy().device
    found: dict[str, dict[Key, tuple[Row, list[Row]]]] = {number: {} for number in _CASES}
    for row in rows(time_measures(cameras, wanted)):
        at = key(row)
        found["M1"][at] = ({n: row[n] for n in ("ready_ratio", "ready_us", "undocked_us",
                                                "unknown_us", "off_us", "fault_us")}, [])  # fmt: skip
        found["M2"][at] = ({"sleep_share": row["sleep_share"], "sleep_us": row["sleep_us"],
                            "count": row["sleep_count"], "longest_us": row["sleep_longest_us"]}, [])  # fmt: skip
        found["M7"][at] = ({"muted_share": row["muted_share"], "muted_us": row["muted_us"],
                            "count": row["mutes"], "longest_us": row["muted_longest_us"]}, [])  # fmt: skip
        found["M12"][at] = ({"unknown_share": row["unknown_share"], "unknown_us": row["unknown_us"],
                             "count": row["unknown_count"]}, [])  # fmt: skip
        for number in ("M3", "M5", "M6"):
            found[number][at] = ({}, [])
    for row in rows(unknown_stretches(cameras, wanted)):
        found["M12"][key(row)][1].append({
            "from": utc_text(row["start_us"] * 1000), "length_us": row["end_us"] - row["start_us"],
            "why": row["why"], "line_before": row["line"], "line_after": row["next_line"] or None,
        })  # fmt: skip
    for row in rows(toggles(cameras, wanted, time_measures(cameras, wanted))):
        values = {n: row[n] for n in ("starts", "stops", "cancelled_stops", "per_undocked_hour",
                                      "per_recorded_hour")}  # fmt: skip
        causes = [(c.value, c.value.replace("-", "_")) for c in ToggleCause]
        found["M4"][key(row)] = (values, [
            {"cause": c, "starts": row[f"starts_{w}"], "stops": row[f"stops_{w}"]}
            for c, w in causes if row[f"starts_{w}"] or row[f"stops_{w}"]
        ])  # fmt: skip
    chains = rows(short_recordings(cameras, wanted, rules))
    for row in chains:
        cases = found["M5"][key(row)][1]
        told = {"recording": row["recording"], "at": utc_text(row["start_us"] * 1000)}
        if row["short"]:
            cases.append(
                {"what": "short", **told, "length_us": row["length_us"], "line": row["line"]}
            )
        if row["bounce"]:
            cases.append(
                {"what": "bounce", **told, "length_us": row["since_us"], "line": row["line"]}
            )
    for at, (values, cases) in found["M5"].items():
        what = Counter(case["what"] for case in cases)
        values |= {"recordings": sum(key(row) == at for row in chains), "short": what["short"],
                   "bounces": what["bounce"]}  # fmt: skip
    for row in rows(kills(cameras, wanted)):
        found["M6"][key(row)][1].append({
            "at": utc_text(row["at_us"] * 1000), "why": row["why"], "to_ready_us": row["to_ready_us"],
            "line": row["line"],
        })  # fmt: skip
    for values, cases in found["M6"].values():
        values["count"] = len(cases)
    _deficits(cameras, wanted, found["M3"])
    return found


def _deficits(cameras: AuditTables, wanted: Any, found: dict[Key, tuple[Row, list[Row]]]) -> None:
    measured: Counter[Key] = Counter()
    for row in rows(buffer_deficits(cameras, wanted, load_policy().device)):
        measured[key(row)] += 1
        if row["flagged"]:
            found[key(row)][1].append({
                "recording": row["recording"], "pressed": utc_text(row["start_us"] * 1000),
                "asked_us": row["asked_us"], "actual_us": row["actual_us"],
                "deficit_us": row["deficit_us"], "cause": row["cause"], "line": row["line"],
            })  # fmt: skip
    for at, (values, cases) in found.items():
        causes = Counter(case["cause"] for case in cases)
        values |= {
            "recordings": measured[at], "disabled": causes["disabled"],
            "flagged": len(cases) - causes["disabled"],
            "behaviour": causes["from_sleep"] + causes["fresh_power"],
            "longest_us": max((case["deficit_us"] for case in cases), default=0),
        }  # fmt: skip


def test_the_random_fleet_has_every_case(fleet: tuple[Force, AuditTables]) -> None:
    made, _ = fleet
    rules = load_policy().device
    every = stretches(made, "shift")
    causes = {row["cause"] for s in every.values() for row in BY_NUMBER["M3"].of(s, rules).rows}
    assert causes == {"disabled", "abuts", "from_sleep", "fresh_power", "capacity", "unexplained"}
    for number in ("M5", "M6", "M12"):
        assert sum(len(BY_NUMBER[number].of(s, rules).rows) for s in every.values()) > 20
    assert sum(s.state_us(DeviceState.SLEEP) > 0 for s in every.values()) > 10
    assert len(every) > 2 * len(made.lines)


def test_no_incidents_and_no_cameras_are_no_error(tmp_path: Path) -> None:
    cameras = open_tables(write(tmp_path / "set", []))
    nothing = Force({}, force(random.Random(1), 1, 0).assignments, [])
    assert rows(scores(asked(cameras, nothing, load_policy()))) == []
    assert rows(time_measures(cameras, whole_lines(cameras))) == []


def test_what_ingest_wrote_is_measured_as_the_stores_are(tmp_path: Path) -> None:
    with day(tmp_path / "day", "cam-0002") as camera:
        camera.boot(0)
        camera.record(100, 400)
        camera.say(410, "mute.start")
        camera.press(420, "second")
        camera.say(450, "mute.stop")
        camera.to(600)
        camera.boot(900)
        camera.say(1000, "device.added", kind="dock", name="dock", seen_by="observer")
        camera.end(1200)
    made = build_store(tmp_path / "made", units=footage(3), segment_s=1)
    lines: dict[str, DeviceTimeline] = {}
    for store, root in ((camera.store, load_root(camera.identity.root)), (made.store, made.root)):
        book = StoryBook()
        for line in timelines(verify_paths([store], root, follow=book.follow), book):
            lines[line.device] = line
        with open_to_write(tmp_path / "set") as data:
            Ingest(data, root).take([store], lambda _done, _total: None)
    assert [bool(line.evid) for line in lines.values()] == [False, True]
    begun = {device: line.live[0].start_us for device, line in lines.items()}
    incidents = [
        Incident(f"{device} {length_s}", device, at_us - S, at_us + length_s * S, at_us)
        for device, at_us in begun.items()
        for length_s in (1, 2, 3, 60, 600)
    ]
    force_made = Force(lines, from_badges(lines), incidents)
    cameras = open_tables(DataSet(tmp_path / "set"))
    found = {
        row["incident"]: row for row in rows(scores(asked(cameras, force_made, load_policy())))
    }
    for number, expected in expected_scores(force_made, load_policy()).items():
        assert {name: found[number][name] for name in expected} == expected
    compare(force_made, cameras, "all")
    compare(force_made, cameras, "shift")

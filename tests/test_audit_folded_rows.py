"""M11 and M16 of every shift are what the rows of the data set say, heartbeats being gone."""

from __future__ import annotations

import json
import random
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bodycam.audit.dataset.ingest import Ingest
from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.intervals import clip, length_us, times
from bodycam.audit.measures import MEASURES
from bodycam.audit.measures.measure import Stretch, shifts
from bodycam.audit.policy import load_policy
from bodycam.audit.timeline import DeviceTimeline
from bodycam.clock import ClockSource
from bodycam.signing import load_root

from .auditlogs import Day, day
from .test_audit_hostile import EVENTS, told

RULES = load_policy().device
BY_NUMBER = {measure.number: measure for measure in MEASURES}
Row = dict[str, Any]


def live_a_life(camera: Day, chance: random.Random) -> None:
    """Shifts with heat, supply, clocks and docks as they come, and not all in order."""
    at_s = 0.0
    for _ in range(chance.randint(2, 4)):
        camera.clock.source = chance.choice([ClockSource.NONE, ClockSource.RTC, ClockSource.NTP])
        camera.clock.unc_ms = chance.choice([3, 500, 16_000_000])
        camera.boot(at_s, ready_s=chance.choice([0, 1, 25]))
        for _ in range(chance.randint(3, 12)):
            at_s += chance.choice([1, 4, 10, 37, 200])
            camera.to(at_s, soc_milli_c=chance.randint(20_000, 90_000), cell_milli_c=chance.choice(
                [None, chance.randint(10_000, 60_000)]), camera=chance.random() < 0.9)  # fmt: skip
            do_something(camera, at_s, chance)
        if chance.random() < 0.6:
            camera.end(at_s + 1)
        at_s += chance.choice([5, 900, 5 * 3600])


def do_something(camera: Day, at_s: float, chance: random.Random) -> None:
    match chance.choice(["press", "sample", "throttled", "dock", "gap", "step", "late", "nothing"]):
        case "press":
            camera.record(at_s, at_s + 3)
        case "sample":
            camera.clock.source = chance.choice(list(ClockSource))
            camera.clock.unc_ms = chance.choice([1, 40, 7000])
            camera.sample()
        case "throttled":
            camera.log.append("power.throttled", flags=chance.choice([[], ["undervolt"], ["heat"]]))
        case "dock":
            ev = chance.choice(["device.added", "device.removed"])
            camera.log.append(ev, kind="dock", name="dock", seen_by="observer")
        case "gap":
            now_ns = camera.clock.boot_ns()
            camera.log.append("gap", from_ns=now_ns - 45 * 10**9, to_ns=now_ns - 7 * 10**9)
        case "step":
            camera.log.append("clock.step", step_ms=chance.choice([20, -5000, 90_000]))
        case "late":
            # It happened between heartbeats that were written long before.
            camera.log.append("device.added", camera.clock.boot_ns() - 33 * 10**9, kind="dock")
            camera.log.append("device.removed", kind="dock")


def rows(into: Path, table: str) -> list[Row]:
    return [row for path in DataSet(into).paths(table)
            for row in pq.read_table(path, partitioning=None).to_pylist()]  # fmt: skip


def most(found: list[Row], column: str) -> int | None:
    return max((row[column] for row in found if row[column] is not None), default=None)


def clock_health(into: Path, shift: Stretch) -> Row:
    held = [r for r in rows(into, "spans") if r["kind"] == "state"
            and shift.start_us <= r["start_us"] and r["end_us"] <= shift.end_us]  # fmt: skip
    pressed = [r for r in rows(into, "recordings")
               if r["pressed"] and r["start_us"] is not None and shift.holds(r["start_us"])]  # fmt: skip
    stepped = [json.loads(r["data"]).get("step_ms") for r in rows(into, "events")
               if r["ev"] == "clock.step" and shift.holds(r["at_us"])]  # fmt: skip
    return {
        "max_err_us": most(held, "most_err_us"),
        "steps": sum(
            type(ms) is int and RULES.clock_step_s * 1000 < abs(ms) < 2**62 for ms in stepped
        ),
        "longest_since_sync_us": most(pressed, "since_sync_us"),
        "starts_never_synced": sum(r["since_sync_us"] is None for r in pressed),
    }


def is_low(data: str) -> bool:
    """Whether its flags say that the voltage is too low; a word elsewhere in the line does not."""
    flags = json.loads(data).get("flags")
    return isinstance(flags, list) and "undervolt" in flags


def strain(into: Path, shift: Stretch) -> Row:
    spans = rows(into, "spans")
    held = [r for r in spans if r["kind"] == "state"
            and shift.start_us <= r["start_us"] and r["end_us"] <= shift.end_us]  # fmt: skip
    throttled = times((r["start_us"], r["end_us"]) for r in spans if r["kind"] == "throttled")
    said = sorted((r["run_line"], r["at_us"], r["line"], is_low(r["data"]))
                  for r in rows(into, "events") if r["ev"] == "power.throttled")  # fmt: skip
    begun = [two for one, two in pairwise([(None, 0, 0, False), *said])
             if two[3] and not (one[3] and one[0] == two[0])]  # fmt: skip
    return {
        "throttled_us": length_us(clip(throttled, shift.start_us, shift.end_us)),
        "undervolt_events": sum(shift.holds(at_us) for _, at_us, _, _ in begun),
        "max_soc_milli_c": most(held, "most_soc_milli_c"),
        "max_cell_milli_c": most(held, "most_cell_milli_c"),
    }


def ingested(camera: Day, into: Path) -> DeviceTimeline:
    with open_to_write(into) as data:
        Ingest(data, load_root(camera.identity.root)).take(
            [camera.store], lambda _done, _total: None
        )
    return camera.timeline()


@pytest.mark.parametrize("seed", range(12))
def test_clock_health_and_heat_of_each_shift_are_what_the_rows_say(
    seed: int, tmp_path: Path
) -> None:
    with day(tmp_path / "camera") as camera:
        live_a_life(camera, random.Random(seed))
    into = tmp_path / "set"
    line = ingested(camera, into)
    for shift in shifts(line, RULES):
        assert clock_health(into, shift) == BY_NUMBER["M11"].of(shift, RULES).values
        assert strain(into, shift) == BY_NUMBER["M16"].of(shift, RULES).values


def test_the_lives_of_the_test_above_have_every_case(tmp_path: Path) -> None:
    clocks: list[Row] = []
    heats: list[Row] = []
    for seed in range(24):
        with day(tmp_path / str(seed)) as camera:
            live_a_life(camera, random.Random(seed))
        for shift in shifts(camera.timeline(), RULES):
            clocks.append(dict(BY_NUMBER["M11"].of(shift, RULES).values))
            heats.append(dict(BY_NUMBER["M16"].of(shift, RULES).values))
    assert len(clocks) > 24
    for found in (clocks, heats):
        for name in found[0]:
            assert len({row[name] for row in found}) > (name != "undervolt_events") + 1, name


def test_each_state_has_the_most_that_its_own_lines_tell(tmp_path: Path) -> None:
    with day(tmp_path / "camera") as camera:
        camera.boot(0)
        camera.to(90, soc_milli_c=50_000, cell_milli_c=20_000)
        camera.record(100, 200)
        camera.to(250, soc_milli_c=80_000)
        camera.clock.unc_ms = 900
        camera.sample()
        camera.end(305)
        camera.boot(5000)
    into = tmp_path / "set"
    ingested(camera, into)
    told = [(r["name"], r["most_err_us"], r["most_soc_milli_c"], r["most_cell_milli_c"])
            for r in sorted(rows(into, "spans"), key=lambda r: r["start_us"])
            if r["kind"] == "state"]  # fmt: skip
    assert told[:4] == [
        ("boot", 5000, None, None), ("ready", None, 50_000, 20_000), ("recording", None, 45_000, 30_000),
        ("ready", 900_000, 80_000, 30_000),
    ]  # fmt: skip
    # Off: nobody was there to tell.
    assert told[4] == ("off", None, None, None)
    (recording,) = rows(into, "recordings")
    assert recording["since_sync_us"] == 100_000_000


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(EVENTS, max_size=12))
def test_signed_nonsense_is_ingested_as_any_log(
    tmp_path: Path, events: list[tuple[str, int | None, dict[str, Any]]]
) -> None:
    for name in ("camera", "set"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    with day(tmp_path / "camera") as camera:
        told(camera, events)
    line = ingested(camera, tmp_path / "set")
    states = [r for r in rows(tmp_path / "set", "spans") if r["kind"] == "state"]
    assert len(states) == len(line.states)
    for shift in shifts(line, RULES):
        assert clock_health(tmp_path / "set", shift) == BY_NUMBER["M11"].of(shift, RULES).values
        assert strain(tmp_path / "set", shift) == BY_NUMBER["M16"].of(shift, RULES).values

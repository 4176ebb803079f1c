"""Was it switched off around a use of force, by times that somebody has rounded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bodycam.audit.assignments import Assignments
from bodycam.audit.intervals import times
from bodycam.audit.officers import officer_time
from bodycam.audit.policy import load_policy
from bodycam.audit.recordings import Recording, ToggleCause
from bodycam.audit.scoring import OfficerTime, Press, S
from bodycam.audit.states import DeviceState
from bodycam.audit.timeline import DeviceTimeline
from bodycam.audit.useofforce import ForceUsed, NearForce, near_force, read_force

RULES = load_policy().force
ALWAYS = times([(-(10**15), 10**15)])


def officer(start: float, stop: float, *, assigned: bool = True) -> OfficerTime:
    """A camera that recorded from start to stop, and was ready else."""
    spans = times([(round(start * S), round(stop * S))])
    ready = times([(-(10**15), round(start * S)), (round(stop * S), 10**15)])
    return OfficerTime(
        live=spans, evid=spans, assigned=ALWAYS if assigned else (),
        states={DeviceState.RECORDING: spans, DeviceState.READY: ready},
        presses=(Press(spans[0].start_us, spans[0].end_us, spans),),
    )  # fmt: skip


def near(start: float, stop: float, rounding_s: int = 0, err_s: float = 0) -> NearForce:
    """Force is used at 1000 s."""
    used = ForceUsed("E", "A", 1000 * S, rounding_s * S)
    return near_force(used, officer(start, stop), round(err_s * S), RULES)


def test_a_camera_that_goes_on_is_near_no_stop() -> None:
    found = near(0, 2000)
    assert found.states == (DeviceState.RECORDING,)
    assert (found.stops_surely, found.stops_possibly) == (0, 0)
    assert found.covered_us == (60 * S, 60 * S)


@pytest.mark.parametrize(
    ("stop", "near_it"),
    [(879.999999, 0), (880, 1), (999, 1), (1300, 1), (1300.000001, 0)],
)
def test_a_stop_is_near_from_two_minutes_before_to_five_after(stop: float, near_it: int) -> None:
    found = near(0, stop)
    assert (found.stops_surely, found.stops_possibly) == (near_it, near_it)


@pytest.mark.parametrize(("cause", "stops"), [(ToggleCause.AUTO_ROLL, 0), (ToggleCause.BUTTON, 1)])
def test_a_recording_that_rolls_over_is_not_stopped(cause: ToggleCause, stops: int) -> None:
    """It goes on as another one: nobody switched anything when force was used."""
    line = DeviceTimeline("cam")
    for name, start, end in (("one", 0, 1000), ("two", 1000, 3000)):
        line.recordings.append(
            Recording(name, start_us=start * S, live_end_us=end * S, stop_cause=cause)
        )
    mine = officer_time("A", Assignments({"A": {"cam": [*ALWAYS]}}), {"cam": line})
    found = near_force(ForceUsed("E", "A", 1000 * S, 0), mine, 0, RULES)
    assert (found.stops_surely, found.stops_possibly) == (stops, stops)


@pytest.mark.parametrize(("returned_s", "stops"), [(999, 0), (1100, 1), (1200, 1)])
def test_who_has_given_the_camera_away_did_not_stop_it(returned_s: int, stops: int) -> None:
    line = DeviceTimeline("cam", recordings=[Recording("one", start_us=0, live_end_us=1100 * S)])
    worn = Assignments({"A": {"cam": [(0, returned_s * S)]}})
    mine = officer_time("A", worn, {"cam": line})
    assert near_force(ForceUsed("E", "A", 990 * S, 0), mine, 0, RULES).stops_surely == stops


def test_a_rounded_time_says_surely_and_possibly() -> None:
    assert (near(0, 880, 60).stops_surely, near(0, 880, 60).stops_possibly) == (0, 1)
    assert (near(0, 849, 60).stops_surely, near(0, 849, 60).stops_possibly) == (0, 0)
    assert (near(0, 910, 60).stops_surely, near(0, 910, 60).stops_possibly) == (1, 1)


@pytest.mark.parametrize(
    ("stop", "states"),
    [(999.999999, {"recording", "ready"}), (1000, {"recording", "ready"}), (1010, {"recording", "ready"}),
     (1010.000001, {"recording"}), (990.000001, {"recording", "ready"}), (990, {"ready"})],
)  # fmt: skip
def test_the_states_are_those_of_any_moment_that_may_be_meant(
    stop: float, states: set[str]
) -> None:
    """Rounded to 20 seconds: any moment from 990 to 1010, both included."""
    assert {state.value for state in near(0, stop, 20).states} == states


def test_a_time_that_is_sure_is_of_one_state() -> None:
    assert near(0, 1000).states == (DeviceState.READY,)
    assert near(0, 1000.000001).states == (DeviceState.RECORDING,)


def test_the_clock_s_error_adds_to_the_rounding() -> None:
    found = near(0, 980, 20, err_s=15)
    assert found.unsure_us == 25 * S
    assert found.states == (DeviceState.READY, DeviceState.RECORDING)
    # Proven up to 980 of [970, 1030], or of anything within 25 s of it.
    assert found.covered_us == (0, 35 * S)


def test_what_is_proven_may_be_most_and_least_at_a_moment_in_between() -> None:
    # A minute of pictures covers the minute around 1010, and neither that around 975 nor 1025.
    assert near(980, 1040, 20, err_s=15).covered_us == (25 * S, 60 * S)


def test_the_least_and_the_greatest_proven_are_those_of_every_moment_that_may_be_meant() -> None:
    rng = random.Random(30)
    between = 0
    for _ in range(60):
        edges = sorted(rng.sample(range(1900, 2100), 6))
        evid = times((a * S // 2, b * S // 2) for a, b in zip(edges[::2], edges[1::2], strict=True))
        unsure = rng.randint(1, 60)
        told = OfficerTime(evid=evid, assigned=ALWAYS)
        used = ForceUsed("E", "A", 1000 * S, 0)
        found = near_force(used, told, unsure * S // 2, RULES)
        held = {n for a, b in zip(edges[::2], edges[1::2], strict=True) for n in range(a, b)}
        tries = [
            sum(n in held for n in range(2000 + by - 60, 2000 + by + 60)) * S // 2
            for by in range(-unsure, unsure + 1)
        ]
        assert found.covered_us == (min(tries), max(tries))
        between += max(tries) > max(tries[0], tries[-1], tries[unsure])
    assert between > 5


def test_what_nobody_knows_is_unknown_and_what_nobody_wore_is_said() -> None:
    used = ForceUsed("E", "A", 1000 * S, 0)
    nothing = near_force(used, OfficerTime(assigned=ALWAYS), 0, RULES)
    assert (nothing.states, nothing.assigned) == ((DeviceState.UNKNOWN,), True)
    unworn = near_force(used, officer(0, 2000, assigned=False), 0, RULES)
    assert not unworn.assigned


def test_records_are_read_and_bad_rows_given_back(tmp_path: Path) -> None:
    path = tmp_path / "force.csv"
    path.write_text(
        "Event ID,Officer Badge ID,Force DateTime,Rounded To Seconds\n"
        "E1,4711,2026-06-01T08:00:00Z,\n"
        "E2,4711,2026-06-01T08:00:00Z,300\n"
        "E3,4711,2026-06-01T08:00:00,\n"
        "E4,,2026-06-01T08:00:00Z,\n"
        "E5,4711,2026-06-01T08:00:00Z,-5\n"
        "E6,4711,2026-06-01T08:00:00Z,86400\n"
        "E7,4711,2026-06-01T08:00:00Z,86401\n",
        encoding="utf-8",
    )
    found = read_force([path], RULES)
    assert [one.rounding_us for one in found.good] == [60 * S, 300 * S, 86_400 * S]
    assert [bad.row for bad in found.bad] == [4, 5, 6, 8]
    assert ["has no zone" in found.bad[0].why, "is empty" in found.bad[1].why] == [True, True]
    assert all("want 0 to 86400" in bad.why for bad in found.bad[2:])

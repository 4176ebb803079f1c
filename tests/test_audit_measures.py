"""M1 to M16 on days whose truth the test has written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bodycam.audit.assignments import Assignments
from bodycam.audit.intervals import times
from bodycam.audit.measures import MEASURES
from bodycam.audit.measures.measure import Figure, percentile, shifts, whole_line
from bodycam.audit.policy import load_policy
from bodycam.audit.states import DeviceState
from bodycam.audit.timeline import DeviceTimeline, StoryBook, timelines
from bodycam.clock import NS
from bodycam.custody.verify import verify_paths

from .auditlogs import Day, at, day
from .evidence import Evidence, build_store, footage

RULES = load_policy().device
BY_NUMBER = {measure.number: measure for measure in MEASURES}
S = 1_000_000


def figure(number: str, line: DeviceTimeline) -> Figure:
    stretch = whole_line(line)
    assert stretch is not None
    return BY_NUMBER[number].of(stretch, RULES)


def proven(line: DeviceTimeline, *spans: tuple[float, float]) -> DeviceTimeline:
    """The same, as if these pictures had been proven, one stretch a recording."""
    for recording, (a, b) in zip(line.recordings, spans, strict=True):
        recording.evid = times([(at(a), at(b))])
    return line


def test_each_measure_has_its_number_and_its_definition() -> None:
    assert [m.number for m in MEASURES] == [f"M{n}" for n in range(1, 17)]
    assert all(len(m.definition) > 30 for m in MEASURES)


def test_the_ready_ratio_counts_off_and_unknown_against_it_and_not_the_dock(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
        camera.boot(200)
        camera.to(290)
        camera.boot(400)
        camera.say(500, "device.added", kind="dock", name="dock", seen_by="observer")
        camera.end(1000)
    line = camera.timeline()
    found = figure("M1", line).values
    # Ready 0-100, off 100-200, ready 200-310, unknown 310-400, ready 400-500, docked.
    assert (found["undocked_us"], found["ready_us"]) == (500 * S, 310 * S)
    assert (found["off_us"], found["unknown_us"]) == (100 * S, 90 * S)
    assert found["ready_ratio"] == 0.62
    unknown = figure("M12", line)
    assert unknown.values["unknown_share"] == 0.18
    (row,) = unknown.rows
    assert (row["why"], row["length_us"]) == ("unexplained", 90 * S)
    assert figure("M2", line).values["sleep_share"] == 0


def press_after_boot(camera: Day) -> None:
    camera.boot(0)
    camera.press(20, "fresh")
    camera.say(100, "activation.stop", rec="fresh", reason="stop")
    camera.press(110, "abuts")
    camera.say(200, "activation.stop", rec="abuts", reason="stop")
    camera.press(300, "whole")
    camera.say(400, "activation.stop", rec="whole", reason="stop")
    camera.press(500, "capacity", reason="capacity")
    camera.say(600, "activation.stop", rec="capacity", reason="stop")
    camera.press(700, "odd")
    camera.say(800, "activation.stop", rec="odd", reason="stop")
    camera.press(900, "none", asked_ms=0)
    camera.say(950, "activation.stop", rec="none", reason="stop")
    camera.end(1000)


def test_a_short_buffer_names_whose_doing_it_is(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        press_after_boot(camera)
    line = proven(
        camera.timeline(), (1, 100), (100, 200), (271.5, 400), (480, 600), (690, 800), (900, 950)
    )
    found = figure("M3", line)
    assert {row["recording"]: (row["cause"], row["deficit_us"]) for row in found.rows} == {
        "fresh": ("fresh_power", 11 * S), "abuts": ("abuts", 20 * S),
        "capacity": ("capacity", 10 * S), "odd": ("unexplained", 20 * S), "none": ("disabled", 0),
    }  # fmt: skip
    assert (found.values["recordings"], found.values["flagged"]) == (6, 4)
    assert found.values["behaviour"] == 1


def test_toggles_by_cause_short_ones_and_bounces(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(100, 120)
        camera.record(180, 400)
        camera.press(1000, "t", cause="trigger:holster")
        camera.say(1200, "activation.stop", rec="t", reason="auto-roll")
        camera.log.append("activation.start", rec="t2", cause="auto-roll", continues="t")
        camera.say(1210, "activation.stop", rec="t2", reason="trigger:holster released")
        camera.end(3600)
    line = camera.timeline()
    density = figure("M4", line)
    assert {r["cause"]: (r["starts"], r["stops"]) for r in density.rows} == {
        "button": (2, 2), "trigger": (1, 1), "auto-roll": (1, 1)
    }  # fmt: skip
    assert density.values["per_undocked_hour"] == 8
    assert density.values["per_recorded_hour"] == 8 * 3600 / (20 + 220 + 210)
    short = figure("M5", line)
    assert short.values == {"recordings": 3, "short": 1, "bounces": 1}
    assert [(r["what"], r["length_us"]) for r in short.rows] == [
        ("short", 20 * S), ("bounce", 60 * S)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given_s", "bounces"), [(119.9, 1), (120, 0), (150, 0), (180, 0), (180.1, 1)]
)
def test_a_camera_that_was_handed_over_in_between_does_not_bounce(
    tmp_path: Path, given_s: float, bounces: int
) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(50, 120)
        camera.record(180, 400)
        camera.end(500)
    stretch = whole_line(camera.timeline())
    assert stretch is not None
    assert BY_NUMBER["M5"].of(stretch, RULES).values["bounces"] == 1
    worn = Assignments({"A": {"cam-0001": [(at(0), at(given_s))]}})
    given = replace(stretch, handovers=worn.handovers("cam-0001"))
    assert BY_NUMBER["M5"].of(given, RULES).values["bounces"] == bounces


def test_what_killed_a_recording_and_how_long_until_it_could_go_on(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(50, 90)
        camera.press(100, "lost")
        camera.to(150)
        now_ns = camera.clock.boot_ns()
        camera.log.append(
            "gap", from_ns=now_ns - 30 * NS, to_ns=now_ns, frames=9, cause="stall", rec="lost"
        )
        camera.say(160, "activation.stop", rec="lost", reason="stop")
        camera.press(200, "off")
        camera.to(250)
        camera.log.append("activation.stop", rec="off", reason="shutdown")
        camera.end(250)
        camera.boot(300)
        camera.press(400, "cut")
        camera.to(450)
        camera.boot(600)
        camera.end(700)
    found = figure("M6", camera.timeline())
    assert [(r["why"], r["to_ready_us"]) for r in found.rows] == [
        ("fault camera", 30 * S), ("off SIGTERM shutdown", 51 * S), ("unknown unexplained cut off", 131 * S)
    ]  # fmt: skip


def test_heat_that_closes_a_recording_is_a_kill_though_its_last_picture_was_earlier(
    tmp_path: Path,
) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.press(100, "hot")
        camera.to(150)
        last_ns = camera.clock.boot_ns() - NS // 30
        camera.log.append("activation.stop", rec="hot", reason="heat")
        camera.say(150.2, "power.heat", quantity="soc", level="close", value=84_000)
        camera.log.append("rec.stop", last_ns, rec="hot", reason="heat")
        camera.end(200)
    line = camera.timeline()
    (row,) = figure("M6", line).rows
    assert row["why"] == "heat"
    assert [tuple(i) for i in line.in_state(DeviceState.RECORDING)] == [(at(100), at(150))]


def test_mutes_are_measured_in_what_was_recorded(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.press(100, "r")
        camera.say(110, "mute.start", rec="r")
        camera.say(120, "mute.stop", rec="r")
        camera.say(195, "mute.start", rec="r")
        camera.say(200, "tail.start", rec="r", ends_ns=0)
        camera.say(230, "activation.stop", rec="r", reason="stop")
        camera.log.append("mute.stop", rec="r")
        camera.end(300)
    found = figure("M7", camera.timeline()).values
    assert found == {"muted_share": 0.15, "muted_us": 15 * S, "count": 2, "longest_us": 10 * S,
                     "without_reason": 2}  # fmt: skip


def test_a_kept_tail_may_hold_a_spoken_reason(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(100, 200, tail_s=30)
        camera.record(300, 400)
        camera.press(500, "muted")
        camera.say(590, "mute.start", rec="muted")
        camera.say(600, "tail.start", rec="muted", ends_ns=0)
        camera.say(630, "activation.stop", rec="muted", reason="stop")
        camera.say(640, "mute.stop", rec="muted")
        camera.end(700)
    # Without a tail, the last picture before the stop lasts for another thirtieth of a second.
    shown = proven(camera.timeline(), (70, 230), (270, 400.033), (470, 630))
    found = figure("M8", shown).values
    assert found == {"button_stops": 3, "coded": 0, "tail_kept": 1, "tail_share": 1 / 3}
    # What is not proven cannot be listened to.
    shown.recordings[0].evid = ()
    assert figure("M8", shown).values["tail_kept"] == 0


def test_what_was_asked_for_is_known_from_the_boot_where_a_recording_does_not_say(
    tmp_path: Path,
) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(100, "activation.start", rec="r", cause="switch", continues=None)
        camera.say(200, "activation.stop", rec="r", reason="stop")
        camera.end(300)
    line = proven(camera.timeline(), (90, 200))
    (row,) = figure("M3", line).rows
    assert (row["asked_us"], row["deficit_us"], row["cause"]) == (30 * S, 20 * S, "unexplained")
    line.recordings[0].asked_ms = None
    assert figure("M3", line).values["recordings"] == 0


def test_presses_that_came_to_nothing_say_why(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(100, 200)
        camera.say(300, "switch.on", pin="record")
        camera.log.append("activation.refused", reason="battery")
        camera.say(400, "storage.fault", reason="EIO")
        camera.say(410, "switch.on", pin="record")
        camera.end(500)
    line = camera.timeline()
    found = figure("M9", line)
    assert found.values == {"presses": 3, "refused": 2}
    assert [r["reason"] for r in found.rows] == ["battery", "fault storage"]
    latency = figure("M10", line)
    assert latency.values == {"recordings": 1, "p50_us": 50_000, "p95_us": 50_000, "max_us": 50_000}
    assert latency.rows[0]["firmware"] == "bodycam test"


def test_of_a_push_button_only_the_gesture_that_starts_is_a_press(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(50, "switch.on", pin="record")
        camera.say(50.2, "switch.gesture", gesture="touch", toggle=None)
        camera.press(100, "r")
        camera.say(100.3, "switch.on", pin="record")
        camera.log.append("switch.gesture", gesture="start", toggle=1)
        camera.say(200, "switch.on", pin="record")
        camera.say(202, "switch.gesture", gesture="stop", toggle=None)
        camera.log.append("activation.stop", rec="r", reason="stop")
        camera.say(300, "switch.gesture", gesture="start", toggle=2)
        camera.end(400)
    found = figure("M9", camera.timeline())
    assert found.values == {"presses": 2, "refused": 1}
    assert found.rows[0]["reason"] == "ready"


@pytest.mark.parametrize(
    ("values", "p50", "p95"), [([], None, None), ([7], 7, 7), (list(range(1, 101)), 50, 95)]
)
def test_percentiles_are_by_nearest_rank(
    values: list[int], p50: int | None, p95: int | None
) -> None:
    assert (percentile(values, 50), percentile(values, 95)) == (p50, p95)


def test_the_clock_s_worst_moments(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.clock.unc_ms = 900
        camera.boot(0)
        camera.clock.unc_ms = 5
        camera.to(40)
        camera.sample()
        camera.log.append("clock.step", step_ms=-2_400_000, before_clk="rtc")
        camera.log.append("clock.step", step_ms=60, before_clk="ntp")
        camera.record(100, 200)
        camera.end(300)
    figure_ = figure("M11", camera.timeline())
    assert figure_.rows[0]["us"] == -2_400_000_000
    found = figure_.values
    assert found == {"max_err_us": 900_000, "steps": 1, "longest_since_sync_us": 60 * S,
                     "starts_never_synced": 0}  # fmt: skip


def test_the_log_and_the_store_are_compared_both_ways(tmp_path: Path) -> None:
    def line(evidence: Evidence) -> DeviceTimeline:
        book = StoryBook()
        (found,) = timelines(
            verify_paths([evidence.store], evidence.root, follow=book.follow), book
        )
        return found

    made = build_store(tmp_path / "made", units=footage(2), segment_s=1)
    assert figure("M13", line(made)).values == {"in_log": 1, "in_store": 1, "mismatches": 0}
    gone = made.copy(tmp_path / "gone")
    for path in gone.segments:
        path.unlink()
    (row,) = figure("M13", line(gone)).rows
    assert row["what"] == "in the log, and nothing of it in the store"
    silent = made.copy(tmp_path / "silent")
    silent.log.unlink()
    (row,) = figure("M13", line(silent)).rows
    assert row["what"] == "in the store, and no verified line tells of it"
    changed = made.copy(tmp_path / "changed")
    with changed.segments[0].open("r+b") as file:
        file.seek(changed.segments[0].stat().st_size // 2)
        file.write(b"\xff\x00\xff")
    (row,) = figure("M13", line(changed)).rows
    assert row["what"] == "altered"
    whole = line(made)
    whole.recordings[0].failed = whole.recordings[0].evid
    (row,) = figure("M13", whole).rows
    assert row["what"] == "a file of it failed"


def test_a_self_test_counts_near_the_beginning_of_a_shift(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(20, "selftest", form="boot", verdict="green")
        camera.end(100)
        camera.boot(6 * 3600)
        camera.say(6 * 3600 + 1000, "selftest", form="boot", verdict="green")
        camera.end(7 * 3600)
        camera.boot(13 * 3600)
        camera.say(13 * 3600 + 30, "selftest", form="boot", verdict="red")
        camera.end(14 * 3600)
    line = camera.timeline()
    assert len(shifts(line, RULES)) == 3
    found = figure("M14", line)
    assert (found.values["shifts"], found.values["passed"]) == (3, 1)
    assert [r["selftest"] for r in found.rows] == ["green", "none", "red"]
    each = [BY_NUMBER["M14"].of(shift, RULES).values for shift in shifts(line, RULES)]
    assert [(one["shifts"], one["passed"]) for one in each] == [(1, 1), (1, 0), (1, 0)]


def test_heat_and_power_explain(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.to(50, soc_milli_c=81_000, cell_milli_c=44_000)
        camera.say(55, "power.throttled", flags=[], edges=1)
        camera.say(60, "power.throttled", flags=["undervolt"], edges=1)
        camera.say(70, "power.throttled", flags=["capped", "undervolt"], edges=1)
        camera.say(90, "power.throttled", flags=[], edges=1)
        camera.end(100)
    assert figure("M16", camera.timeline()).values == {
        "throttled_us": 30 * S, "undervolt_events": 1, "max_soc_milli_c": 81_000,
        "max_cell_milli_c": 44_000,
    }  # fmt: skip


def test_what_this_camera_cannot_tell_is_not_measured(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
    assert figure("M15", camera.timeline()).values["gap_us"] is None
    assert "not measured" in BY_NUMBER["M15"].note

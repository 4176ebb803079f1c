"""A camera's day as states and recordings: only what is verified counts, and what is not is said."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.audit.intervals import Times, both, clip, length_us, times, union, without
from bodycam.audit.recordings import ToggleCause
from bodycam.audit.states import DeviceState, Overlay
from bodycam.audit.timeline import DeviceTimeline, StoryBook, timelines
from bodycam.clock import NS, ClockSource
from bodycam.custody.verify import verify_paths
from bodycam.media import AccessUnit, Track
from bodycam.recording import CloseReason

from .auditlogs import Day, at, day
from .evidence import (
    FRAME_NS,
    START_NS,
    UTC_NS,
    Camera,
    Evidence,
    SteppedClock,
    build_store,
    footage,
)

S = 1_000_000


def told(line: DeviceTimeline) -> list[tuple[str, float, float]]:
    """State, from and to in seconds of the day."""
    return [(s.state.value, (s.start_us - at(0)) / S, (s.end_us - at(0)) / S) for s in line.states]


def covers_without_overlap(line: DeviceTimeline) -> bool:
    return all(a.end_us == b.start_us for a, b in pairwise(line.states))


# -- sets of time ------------------------------------------------------------------------------

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def seconds(found: Times) -> set[int]:
    return {n for start, end in found for n in range(start, end)}


@given(SPANS, SPANS)
def test_sets_of_time_are_sets(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    a, b = times(one), times(two)
    assert seconds(union(a, b)) == seconds(a) | seconds(b)
    assert seconds(both(a, b)) == seconds(a) & seconds(b)
    assert seconds(without(a, b)) == seconds(a) - seconds(b)
    assert seconds(clip(a, 10, 40)) == {n for n in seconds(a) if 10 <= n < 40}
    assert length_us(a) == len(seconds(a))
    assert all(x.end_us < y.start_us for x, y in pairwise(without(a, b)))


# -- states ------------------------------------------------------------------------------------


def test_a_plain_day_is_told_second_by_second(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(100, 200, tail_s=30)
        camera.end(300)
    line = camera.timeline()
    assert told(line) == [
        ("boot", 0, 1), ("ready", 1, 100), ("recording", 100, 230), ("ready", 230, 300),
    ]  # fmt: skip
    assert [tuple(i) for i in line.live] == [(at(100), at(200))]
    assert line.evid == ()
    assert {s.err_us for s in line.states} == {5000}


def test_off_needs_a_shutdown_that_was_signed(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
        camera.boot(500)
        camera.to(595)
        camera.boot(900)
        camera.end(950)
    line = camera.timeline()
    assert told(line)[2:] == [
        ("off", 100, 500), ("boot", 500, 501), ("ready", 501, 610), ("unknown", 610, 900),
        ("boot", 900, 901), ("ready", 901, 950),
    ]  # fmt: skip
    (unknown,) = [s for s in line.states if s.state is DeviceState.UNKNOWN]
    assert unknown.why == "unexplained"
    lines = camera.store.joinpath("log/events.jsonl").read_bytes().splitlines()
    assert b'"heartbeat"' in lines[unknown.line - 1]
    assert b'"boot"' in lines[unknown.next_line - 1]
    # What a span ends with is a line of its own life, or none.
    ends = [lines[s.next_line - 1] if s.next_line else b"" for s in line.states[1:5]]
    assert [b'"heartbeat"' in ends[0], b'"boot"' in ends[1], b'"ready"' in ends[2]] == [True] * 3
    assert ends[3] == b""


@pytest.mark.parametrize(
    ("ev", "data"),
    [
        ("power.battery", {"quantity": "battery", "level": "low", "value": 9}),
        ("power.throttled", {"flags": ["undervolt"], "edges": 1}),
    ],
)
def test_a_battery_that_was_low_explains_what_is_unknown(
    tmp_path: Path, ev: str, data: dict[str, object]
) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(50, ev, **data)
        camera.boot(500)
        camera.end(510)
    whys = [s.why for s in camera.timeline().states if s.state is DeviceState.UNKNOWN]
    assert whys == ["power_lost"]


def test_a_silent_recorder_is_unknown_until_it_speaks(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.to(50)
        camera.leap(200)
        camera.say(200, "marker", rec=None)
        camera.end(210)
    assert told(camera.timeline())[1:] == [
        ("ready", 1, 70), ("unknown", 70, 200), ("ready", 200, 210)
    ]  # fmt: skip


def test_what_the_dock_holds_is_docked_also_while_it_is_off(tmp_path: Path) -> None:
    dock = {"kind": "dock", "name": "dock", "id": "1d6b:0104", "foreign": False}
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(100, "device.added", seen_by="observer", **dock)
        camera.to(120, charge="allowed")
        camera.end(150)
        camera.boot(1000, ready_s=0)
        camera.say(1001, "device.added", seen_by="start", **dock)
        camera.say(1002, "ready")
        camera.say(1100, "device.removed", seen_by="observer", **dock)
        camera.end(1200)
    line = camera.timeline()
    assert told(line) == [
        ("boot", 0, 1), ("ready", 1, 100), ("docked", 100, 150), ("docked", 150, 1000),
        ("docked", 1000, 1100), ("ready", 1100, 1200),
    ]  # fmt: skip
    assert [tuple(i) for i in line.overlays[Overlay.CHARGING]] == [(at(110), at(130))]


def test_what_was_put_into_the_dock_while_it_was_off_is_docked_once_it_is_seen_there(
    tmp_path: Path,
) -> None:
    dock = {"kind": "dock", "name": "dock", "id": "1d6b:0104", "foreign": False}
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
        camera.boot(500, ready_s=0)
        camera.say(504, "device.added", seen_by="start", **dock)
        camera.end(600)
    assert told(camera.timeline())[2:] == [
        ("off", 100, 500), ("boot", 500, 504), ("docked", 504, 600)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("begin", "end", "from_s", "to_s"),
    [
        (("capture.stall", {"silent_ms": 2000}), ("gap", {"from_ns": 0, "to_ns": 1}), 98, 150),
        (("capture.exit", {"reason": "signal 9"}), None, 100, 110),
        (("storage.fault", {"reason": "EIO"}), ("storage.ok", {}), 100, 150),
        (("power.heat", {"quantity": "soc", "level": "close", "value": 84_000}),
         ("power.heat", {"quantity": "soc", "level": "shed", "value": 74_000}), 100, 150),
        (("switch.fault", {"pin": "record", "held": False}), ("switch.fault_ended", {"pin": "record"}), 100, 150),
        (("gpio.fault", {}), ("gpio.claimed", {}), 100, 150),
        (("gpio.fault", {"pin": "switch"}), ("gpio.claimed", {"pin": "switch"}), 100, 150),
        (("thread.died", {"name": "sealer"}), None, 100, 200),
        (("power.recalled", {}), None, 100, 200),
        (("wrapkey.missing", {"folder": "x"}), None, 100, 200),
    ],
)  # fmt: skip
def test_each_fault_is_a_fault_until_it_ends(
    tmp_path: Path, begin: tuple[str, dict[str, object]], end: tuple[str, dict[str, object]] | None,
    from_s: int, to_s: int,
) -> None:  # fmt: skip
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(100, begin[0], **begin[1])
        if end:
            camera.to(149, camera=begin[0] != "capture.stall")
            camera.say(150, end[0], **end[1])
        camera.end(200)
    line = camera.timeline()
    faults = [(s.start_us, s.end_us) for s in line.states if s.state is DeviceState.FAULT]
    assert faults == [(at(from_s), at(to_s))]
    assert covers_without_overlap(line)


def test_another_pin_than_the_switch_s_is_no_reason_not_to_record(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(100, "gpio.fault", pin="lamp")
        camera.say(120, "switch.fault", pin="record", held=False)
        camera.say(130, "gpio.claimed", pin="lamp")
        camera.say(150, "gpio.claimed", pin="record")
        camera.end(200)
    faults = [one[1:] for one in told(camera.timeline()) if one[0] == "fault"]
    assert faults == [(120, 150)]


def test_a_fault_names_what_failed_in_it_and_nothing_else(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(100, "storage.fault", reason="EIO")
        camera.say(150, "storage.ok")
        camera.say(300, "switch.fault", pin="record", held=False)
        camera.say(320, "storage.fault", reason="EIO")
        camera.say(350, "switch.fault_ended", pin="record")
        camera.say(360, "storage.ok")
        camera.end(400)
    faults = [(s.start_us, s.why) for s in camera.timeline().states if s.state is DeviceState.FAULT]
    assert faults == [(at(100), "storage"), (at(300), "storage, switch")]


def test_a_camera_that_fails_again_is_at_fault_again(tmp_path: Path) -> None:
    """A heartbeat said that pictures came again, and no event did."""
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(101, "capture.exit", reason="signal 9")
        camera.say(151, "capture.error", reason="no camera")
        camera.to(199, camera=False)
        camera.end(199)
    faults = [(a, b) for state, a, b in told(camera.timeline()) if state == "fault"]
    assert faults == [(101, 110), (151, 199)]


def test_a_camera_that_is_put_into_its_dock_as_it_switches_off_stands_there(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(100, "device.added", kind="dock", name="dock", seen_by="observer")
        camera.log.append("shutdown", reason="SIGTERM")
        camera.boot(500)
        camera.end(510)
    assert ("docked", 100, 500) in told(camera.timeline())


@pytest.mark.parametrize(("refused", "why"), [(None, "battery"), ("no D-Bus", "SIGTERM")])
def test_a_switch_off_that_was_refused_is_not_why_it_is_off(
    tmp_path: Path, refused: str | None, why: str
) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(50, "power.off", reason="battery", refused=refused)
        camera.press(80, "r")
        camera.say(100, "activation.stop", rec="r", reason="shutdown")
        camera.log.append("shutdown", reason="SIGTERM")
        camera.boot(500)
        camera.end(510)
    line = camera.timeline()
    assert [s.why for s in line.states if s.state is DeviceState.OFF] == [why]
    cause = line.recordings[0].stop_cause
    assert cause is (ToggleCause.POWER if refused else ToggleCause.BATTERY)


def test_a_fault_that_ends_pictures_splits_the_state_but_not_the_recording(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.press(100, "r")
        camera.to(160)
        now_ns = camera.clock.boot_ns()
        camera.log.append("gap", from_ns=now_ns - 20 * NS, to_ns=now_ns, frames=600,
                          cause="stall", rec="r")  # fmt: skip
        camera.say(200, "activation.stop", rec="r", reason="stop")
        camera.end(210)
    line = camera.timeline()
    assert told(line)[2:5] == [
        ("recording", 100, 140), ("fault", 140, 160), ("recording", 160, 200)
    ]  # fmt: skip
    assert [tuple(i) for i in line.live] == [(at(100), at(200))]


def test_a_cancelled_stop_is_no_stop_and_a_roll_is_no_press(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.press(100, "one")
        camera.say(120, "tail.start", rec="one", ends_ns=0)
        camera.say(130, "stop.cancelled", rec="one", cause="switch")
        camera.say(200, "activation.stop", rec="one", reason="auto-roll")
        camera.log.append("activation.start", rec="two", cause="auto-roll", continues="one")
        camera.say(300, "tail.start", rec="two", ends_ns=0)
        camera.say(330, "activation.stop", rec="two", reason="stop")
        camera.end(400)
    line = camera.timeline()
    one, two = line.recordings
    assert (one.live, two.live) == (times([(at(100), at(200))]), times([(at(200), at(300))]))
    assert (one.cancelled_stops, one.pressed, two.pressed) == (1, True, False)
    assert told(line)[2] == ("recording", 100, 330)


def test_overlays_lie_beside_the_states(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.press(100, "r")
        camera.say(110, "mute.start", rec="r")
        camera.say(115, "mute.stop", rec="r")
        camera.say(120, "covert.on")
        camera.say(130, "power.battery", quantity="minutes", level="low", value=20)
        camera.say(160, "power.battery", quantity="minutes", level=None, value=90)
        camera.say(170, "activation.stop", rec="r", reason="stop")
        camera.end(200)
    line = camera.timeline()
    assert {o: [((a - at(0)) / S, (b - at(0)) / S) for a, b in t] for o, t in line.overlays.items()} == {
        Overlay.MUTED: [(110, 115)], Overlay.STEALTH: [(120, 200)], Overlay.CHARGING: [],
        Overlay.LOWBATT: [(130, 160)],
    }  # fmt: skip


# -- clocks ------------------------------------------------------------------------------------


def test_a_clock_set_at_noon_is_right_for_the_whole_boot(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.clock.wrong_s, camera.clock.unc_ms = -2400, 3_000_000
        camera.clock.source = ClockSource.RTC
        camera.boot(0)
        camera.record(100, 200)
        camera.clock.wrong_s, camera.clock.unc_ms = 0, 4
        camera.to(300)
        camera.sample()
        camera.end(400)
    line = camera.timeline()
    assert [tuple(i) for i in line.live] == [(at(100), at(200))]
    assert {s.err_us for s in line.states} == {4000}


@pytest.mark.parametrize("good_first", [False, True])
def test_a_clock_set_in_one_life_of_the_recorder_is_right_for_the_whole_boot(
    tmp_path: Path, good_first: bool
) -> None:
    """The recorder was started again, the kernel was not: there is one boot time."""
    clocks = [(-2400, 3_000_000, ClockSource.RTC), (0, 4, ClockSource.NTP)]
    with day(tmp_path) as camera:
        for number, clock in enumerate(reversed(clocks) if good_first else clocks):
            wrong(camera, *clock)
            camera.boot(500 * number, fresh=not number)
            camera.record(500 * number + 100, 500 * number + 200)
            camera.end(500 * number + 300)
    line = camera.timeline()
    assert [tuple(i) for i in line.live] == [(at(100), at(200)), (at(600), at(700))]
    assert {s.err_us for s in line.states} == {4000}


def test_of_two_equally_good_readings_of_the_clock_the_later_one_counts(tmp_path: Path) -> None:
    """Within one life of the recorder, and over several of one boot."""
    for number, lives in enumerate((1, 2)):
        with day(tmp_path / str(number)) as camera:
            wrong(camera, -0.004, 5, ClockSource.NTP)
            camera.boot(0)
            camera.record(100, 200)
            wrong(camera, 0, 5, ClockSource.NTP)
            if lives == 1:
                camera.to(300)
                camera.sample()
            else:
                camera.end(290)
                camera.boot(300, fresh=False)
            camera.end(400)
        assert [tuple(i) for i in camera.timeline().live] == [(at(100), at(200))], lives


def test_an_unset_clock_carries_its_uncertainty(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.clock.wrong_s, camera.clock.unc_ms = -2400, 3_000_000
        camera.boot(0)
        camera.end(100)
    line = camera.timeline()
    assert told(line)[0] == ("boot", -2400, -2399)
    assert line.err_us(at(0), at(50)) == 3_000_000_000
    assert line.err_us(at(5000), at(5050)) == 0


@pytest.mark.parametrize("worse_first", [True, False])
def test_what_lies_between_two_boots_is_as_unsure_as_the_worse_clock(
    tmp_path: Path, worse_first: bool
) -> None:
    with day(tmp_path) as camera:
        for number, worse in enumerate((worse_first, not worse_first)):
            wrong(camera, 0, 900 if worse else 5, ClockSource.NTP)
            camera.boot(500 * number)
            camera.end(500 * number + 100)
    (off,) = [s for s in camera.timeline().states if s.state is DeviceState.OFF]
    assert off.err_us == 900_000


def test_boots_whose_clocks_overlap_give_way_to_the_better_one(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
        camera.clock.wrong_s, camera.clock.unc_ms = -90, 100_000
        camera.boot(150)
        camera.end(250)
    line = camera.timeline()
    assert covers_without_overlap(line)
    assert told(line)[-1] == ("ready", 100, 160)
    assert len(line.findings) == 1
    assert "the clock with the larger error gives way" in line.findings[0]


def wrong(camera: Day, wrong_s: float, unc_ms: int, source: ClockSource) -> None:
    camera.clock.wrong_s, camera.clock.unc_ms, camera.clock.source = wrong_s, unc_ms, source


@pytest.mark.parametrize("wrong_s", [-5 * 365 * 86_400, -4000, 4000, 30 * 86_400])
@pytest.mark.parametrize(
    ("unc_ms", "source"), [(60_000, ClockSource.RTC), (16_000_000, ClockSource.NONE)]
)
def test_a_boot_that_cannot_have_been_then_has_no_time_and_nobody_knows_what_it_did(
    wrong_s: int, unc_ms: int, source: ClockSource, tmp_path: Path
) -> None:
    """It recorded all through; that it was OFF, as its neighbours' shutdowns have it, accuses."""
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.say(50, "wrapkey.missing")
        camera.end(300)
        wrong(camera, wrong_s, unc_ms, source)
        camera.boot(400)
        camera.record(500, 600)
        camera.end(700)
        wrong(camera, 0, 5, ClockSource.NTP)
        camera.boot(1000)
        camera.end(1100)
    line = camera.timeline()
    assert told(line) == [
        ("boot", 0, 1), ("ready", 1, 50), ("fault", 50, 300), ("unknown", 300, 1000),
        ("boot", 1000, 1001), ("ready", 1001, 1100),
    ]  # fmt: skip
    assert line.states[3].why == "no time of day"
    assert any("has no time of day" in finding for finding in line.findings)


def test_a_last_boot_without_a_time_of_day_is_left_out_and_said(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
        wrong(camera, 0, 5, ClockSource.NONE)
        camera.boot(500)
        camera.record(510, 520)
        camera.end(600)
    line = camera.timeline()
    assert told(line) == [("boot", 0, 1), ("ready", 1, 100)]
    (finding,) = line.findings
    assert "has no time of day: it is left out" in finding


def test_whatever_the_clocks_say_a_camera_is_in_one_state_at_a_time(tmp_path: Path) -> None:
    rng = random.Random(6)
    for number in range(12):
        with day(tmp_path / str(number)) as camera:
            for boot in range(6):
                unc_ms = rng.choice((5, 50_000, 3_000_000))
                wrong(camera, rng.uniform(-1, 1) * unc_ms / 1000, unc_ms, ClockSource.RTC)
                camera.boot(boot * 300)
                camera.record(boot * 300 + 50, boot * 300 + 100)
                camera.end(boot * 300 + 200) if rng.random() < 0.7 else camera.to(boot * 300 + 200)
        states = camera.timeline().states
        assert len(states) > 6
        assert all(a.end_us <= b.start_us for a, b in pairwise(states)), told(camera.timeline())


# -- only what is verified ----------------------------------------------------------------------


def test_lines_that_nobody_signed_for_do_not_count(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.to(100)
        camera.log.checkpoint()
        kept = camera.store.joinpath("log/checkpoint").read_bytes()
        camera.record(200, 300)
        camera.end(400)
    camera.store.joinpath("log/checkpoint").write_bytes(kept)
    line = camera.timeline()
    assert told(line)[1:] == [("ready", 1, 120), ("unknown", 120, 400)]
    assert line.live == ()
    unsigned = line.states[-1]
    assert unsigned.why == "not signed for"
    lines = camera.store.joinpath("log/events.jsonl").read_bytes().splitlines()
    signed = int(kept.splitlines()[1])
    assert (unsigned.line, unsigned.next_line) == (signed, signed + 1)
    assert signed < len(lines)


def test_a_boot_that_nobody_signed_for_has_no_time_and_ends_nothing(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.end(100)
        camera.log.checkpoint()
        kept = camera.store.joinpath("log/checkpoint").read_bytes()
        camera.boot(500)
        camera.record(510, 520)
        camera.to(600)
    camera.store.joinpath("log/checkpoint").write_bytes(kept)
    line = camera.timeline()
    assert told(line) == [("boot", 0, 1), ("ready", 1, 100)]
    assert line.live == ()


def test_behind_an_altered_line_nothing_counts(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(200, 300)
        camera.end(400)
    log = camera.store / "log" / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"activation.stop"', b'"activation.step"'))
    line = camera.timeline()
    assert (line.live, line.states) == ((), [])
    assert line.findings == ["log: nobody signed for any line of it: none counts"]


def test_without_a_root_nothing_counts(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.boot(0)
        camera.record(10, 20)
        camera.end(100)
    book = StoryBook()
    (line,) = timelines(verify_paths([camera.store], None, follow=book.follow), book)
    assert line.states == []
    assert line.live == ()


# -- pictures ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return build_store(tmp_path_factory.mktemp("made"), units=footage(4), segment_s=1)


def pictured(evidence: Evidence) -> DeviceTimeline:
    book = StoryBook()
    report = verify_paths([evidence.store], evidence.root, follow=book.follow)
    (line,) = timelines(report, book)
    return line


def test_pictures_over_all_segments_are_one_stretch(evidence: Evidence) -> None:
    line = pictured(evidence)
    (held,) = line.evid
    assert held.start_us == UTC_NS // 1000
    assert abs(held.length_us - 4 * S) < 1000
    assert line.failed == ()


def test_lost_pictures_end_a_stretch(tmp_path: Path) -> None:
    def edit(units: list[AccessUnit]) -> list[AccessUnit]:
        lost = range(START_NS + 22 * NS // 10, START_NS + 245 * NS // 100)
        return [u for u in units if u.at_ns not in lost or u.track is not Track.VIDEO]

    first, second = pictured(build_store(tmp_path, units=footage(4), edit=edit)).evid
    assert abs(first.end_us - UTC_NS // 1000 - 2.2 * S) < 2 * S // 30
    assert abs(second.start_us - UTC_NS // 1000 - 2.5 * S) < 2 * S // 30


def test_pictures_lost_right_behind_a_roll_end_a_stretch(tmp_path: Path) -> None:
    roll_ns, back_ns = START_NS + 60 * FRAME_NS, START_NS + 75 * FRAME_NS

    def edit(units: list[AccessUnit]) -> list[AccessUnit]:
        return [u for u in units if u.track is not Track.VIDEO or not roll_ns < u.at_ns < back_ns]

    first, second = pictured(build_store(tmp_path, units=footage(4), segment_s=2, edit=edit)).evid
    assert abs(first.end_us - (UTC_NS + roll_ns + FRAME_NS - START_NS) // 1000) <= 12
    assert abs(second.start_us - (UTC_NS + back_ns - START_NS) // 1000) <= 1


def test_a_fragment_that_was_changed_is_neither_proven_nor_a_gap(
    evidence: Evidence, tmp_path: Path
) -> None:
    copy = evidence.copy(tmp_path / "copy")
    with copy.segments[1].open("r+b") as file:
        file.seek(copy.segments[1].stat().st_size // 2)
        file.write(b"\xff\x00\xff")
    line = pictured(copy)
    assert length_us(line.evid) < 4 * S
    assert line.failed
    assert length_us(union(line.evid, line.failed)) >= 4 * S - 1000
    assert any("is altered" in text for text in line.findings)


def test_what_a_stranger_signed_is_not_proven(evidence: Evidence, tmp_path: Path) -> None:
    """The store is whole, and another force's root is trusted."""
    other = build_store(tmp_path, units=footage(4))
    book = StoryBook()
    (line,) = timelines(verify_paths([evidence.store], other.root, follow=book.follow), book)
    assert (line.evid, line.live, line.states) == ((), (), [])


def test_what_a_power_cut_left_is_proven_and_has_not_failed(tmp_path: Path) -> None:
    """The file was never closed: the log names no size that it should have."""
    camera = Camera(tmp_path)
    camera.record(footage(4), segment_s=2, reason=None)
    camera.log.checkpoint()
    camera.stop(orderly=False)
    line = pictured(Evidence(camera.store.root, camera.identity, "r", ()))
    assert line.failed == ()
    (recording,) = line.recordings
    assert recording.stop_said == "cut off"
    assert length_us(recording.evid) >= 3 * S


def test_a_missing_file_is_a_finding_and_its_time_is_failed(
    evidence: Evidence, tmp_path: Path
) -> None:
    copy = evidence.copy(tmp_path / "copy")
    copy.segments[2].unlink()
    line = pictured(copy)
    assert abs(length_us(line.failed) - S) < S // 5
    assert any("is missing" in text for text in line.findings)


@pytest.mark.parametrize(("reason", "failed_s"), [(CloseReason.STOP, 2), (None, 102)])
def test_what_is_missing_has_failed_until_its_file_was_closed(
    tmp_path: Path, reason: CloseReason | None, failed_s: float
) -> None:
    """And not for as long as the camera ran on; of a file that was never closed nobody knows."""
    camera = Camera(tmp_path)
    camera.record(footage(4), segment_s=2, reason=reason)
    camera.clock.now_ns += 100 * NS
    camera.log.append("marker", rec=None)
    camera.stop()
    made = Evidence(camera.store.root, camera.identity, "r", ())
    last = max(camera.store.root.rglob("*.mp4"))
    last.unlink()
    line = pictured(made)
    assert abs(length_us(line.evid) - 2 * S) < S // 10
    assert abs(length_us(line.failed) - failed_s * S) < S // 10


def test_a_recording_without_a_log_still_has_its_pictures(
    evidence: Evidence, tmp_path: Path
) -> None:
    copy = evidence.copy(tmp_path / "copy")
    copy.log.unlink()
    line = pictured(copy)
    assert line.states == []
    (recording,) = line.recordings
    assert (recording.live, recording.start_us, recording.pressed) == ((), None, False)
    assert (recording.recording, recording.firmware) == (evidence.recording, "bodycam test")
    assert recording.boot
    assert abs(length_us(line.evid) - 4 * S) < 1000


def test_pictures_of_a_boot_that_has_no_time_of_day_prove_no_time(tmp_path: Path) -> None:
    """No clock was ever set, so nobody can say of which day they are."""
    camera = Camera(tmp_path, clock=SteppedClock(source=ClockSource.NONE))
    camera.record(footage(4))
    camera.stop()
    line = pictured(Evidence(camera.store.root, camera.identity, "r", ()))
    assert (line.evid, line.live, line.states) == ((), (), [])
    assert any("has no time of day" in finding for finding in line.findings)


def test_two_cameras_are_two_timelines(tmp_path: Path) -> None:
    days: list[Day] = []
    for name in ("cam-0001", "cam-0002"):
        with day(tmp_path / name, name) as camera:
            camera.boot(0)
            camera.record(10, 20)
            camera.end(100)
        days.append(camera)
    for camera in days:
        assert camera.timeline().device == camera.device


def test_a_press_begins_what_its_pictures_show(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    camera.record(footage(4))
    camera.stop()
    made = Evidence(camera.store.root, camera.identity, "r", ())
    (recording,) = pictured(made).recordings
    assert recording.pressed
    assert recording.live[0].start_us == recording.evid[0].start_us

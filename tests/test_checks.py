"""What each check of the self-test makes of its figures; the answer is the worst of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.checks.answer import Logged, show
from bodycam.checks.capture import CameraFacts, SoundFacts, judge_camera, judge_sound
from bodycam.checks.card import CardSpeed, check_card, judge_card, judge_syncs
from bodycam.checks.loading import Broken, judge_modules, load_alone
from bodycam.checks.modules import needed_modules
from bodycam.checks.result import (
    CheckResult,
    CheckVerdict,
    Form,
    SelfTest,
    failed,
    not_tested,
    ok,
    result_from_json,
    warn,
)
from bodycam.checks.unit import check_battery, check_cell, check_clock, check_heat, check_space
from bodycam.checks.watchdog import (
    Hardware,
    Systemd,
    check_hardware_watchdog,
    check_own_watchdog,
    check_service_watchdog,
    read_hardware,
)
from bodycam.clock import MS, NS, ClockSource, Instant, SystemClock
from bodycam.config import Config, Heat, Power
from bodycam.configfile import parse
from bodycam.errors import ExitCode
from bodycam.formats.logline import MAX_LINE_BYTES, encode_line
from bodycam.gauge import Battery
from bodycam.powerevents import PowerReading
from bodycam.store import Space

OK, WARN, FAILED = CheckVerdict.OK, CheckVerdict.WARN, CheckVerdict.FAILED
NOT_TESTED = CheckVerdict.NOT_TESTED
NOW = Instant(7 * NS, 1_790_000_000 * NS, ClockSource.NTP, 5)


def config(**tables: dict[str, object]) -> Config:
    return parse(dict(tables), "test")


# -- the answer ----------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=20)
FOUND = st.text(max_size=2000)
RESULTS = st.one_of(
    st.builds(ok, NAMES, FOUND),
    st.builds(warn, NAMES, FOUND, st.just("do it")),
    st.builds(not_tested, NAMES, FOUND),
    st.builds(
        failed, NAMES, FOUND, st.just("do it"),
        st.sampled_from([ExitCode.FAILURE, ExitCode.USAGE, ExitCode.STORAGE, ExitCode.DEVICE]),
    ),
)  # fmt: skip


@given(st.lists(RESULTS, max_size=20))
def test_the_answer_is_red_if_anything_failed_and_the_worst_decides(
    results: list[CheckResult],
) -> None:
    test = SelfTest(Form.FULL, "BC-1", NOW, tuple(results))
    reds = [int(r.exit_code) for r in results if r.verdict is FAILED]
    assert test.green == (not reds)
    assert test.exit_code == max(reds, default=0)
    assert test.to_json()["verdict"] == ("red" if reds else "green")
    assert [result_from_json(c) for c in test.to_json()["checks"]] == results


@given(st.lists(RESULTS, min_size=20, max_size=20))
def test_the_answer_fits_into_one_line_of_the_log(results: list[CheckResult]) -> None:
    test = SelfTest(Form.FULL, "BC-1", NOW, tuple(results))
    assert len(encode_line({"ev": "selftest", "data": test.log_data()})) < MAX_LINE_BYTES - 1000


def test_what_is_not_well_has_a_next_step_and_red_has_an_exit_code() -> None:
    with pytest.raises(AssertionError, match="no next step"):
        warn("camera", "slow", "")
    with pytest.raises(AssertionError, match="exit"):
        failed("camera", "gone", "look", ExitCode.OK)


@pytest.mark.parametrize(
    ("form", "results", "last"),
    [
        (Form.FULL, [ok("key", "signs")], "GREEN"),
        (Form.FULL, [ok("key", "signs"), warn("clock", "unset", "set it")], "GREEN; look at clock"),
        (Form.SHORT, [ok("key", "signs")], "GREEN as far as it goes: nothing was recorded"),
        (Form.FULL, [failed("key", "gone", "get one", ExitCode.DEVICE)], "RED: key"),
    ],
)
def test_the_last_line_is_the_answer_and_promises_no_more_than_was_tested(
    form: Form, results: list[CheckResult], last: str
) -> None:
    told = show(SelfTest(form, "BC-1", NOW, tuple(results)), Logged(7, signed=True), as_json=False)
    assert told.splitlines()[-1] == last
    assert "log: line 7, signed" in told


# -- pictures and sound ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "verdict", "says"),
    [
        (CameraFacts(90, 30_000, 0, "1280x720 from v4l2 (libx264)", 900), OK, "none lost"),
        (CameraFacts(0, None, 0, fault="no such device"), FAILED, "no such device"),
        (CameraFacts(0, None, 0), FAILED, "no pictures"),
        (CameraFacts(90, 26_000, 0), WARN, "30 are wanted"),
        (CameraFacts(90, 30_000, 3), WARN, "3 lost"),
    ],
)
def test_the_camera(facts: CameraFacts, verdict: CheckVerdict, says: str) -> None:
    result = judge_camera(facts, config())
    assert (result.verdict, says in result.found) == (verdict, True), result


@pytest.mark.parametrize(
    ("facts", "verdict", "says"),
    [
        (SoundFacts(40, peak_db=-20), OK, "peak -20 dB"),
        (SoundFacts(40, peak_db=-120), WARN, "digital silence"),
        (SoundFacts(40), OK, "48000 Hz"),
        (SoundFacts(0), FAILED, "no sound"),
        (SoundFacts(0, "No such device"), FAILED, "No such device"),
    ],
)
def test_the_microphone(facts: SoundFacts, verdict: CheckVerdict, says: str) -> None:
    result = judge_sound(facts, config(), camera_ok=True)
    assert (result.verdict, says in result.found) == (verdict, True), result


def test_a_camera_that_is_to_have_no_sound_is_not_asked_for_any() -> None:
    silent = config(audio={"source": "none"})
    assert judge_sound(SoundFacts(0), silent, camera_ok=True).verdict is NOT_TESTED


def test_without_a_camera_the_microphone_was_never_opened() -> None:
    assert judge_sound(SoundFacts(0), config(), camera_ok=False).verdict is NOT_TESTED
    assert judge_sound(SoundFacts(0, "gone"), config(), camera_ok=False).verdict is FAILED


# -- the card --------------------------------------------------------------------------------------

# 758,000 bytes a second.
USUAL = config()


@pytest.mark.parametrize(
    ("latencies_ms", "verdict"),
    [
        ([20] * 20, OK),
        ([20] * 19 + [1500], WARN),
        ([200] * 20, FAILED),  # 1.1 MB/s: less than twice the rate
        ([5] * 19 + [11_000], FAILED),  # longer than the ring's reserve
    ],
)
def test_the_card_must_be_twice_as_fast_as_the_camera_and_not_stall(
    latencies_ms: list[int], verdict: CheckVerdict
) -> None:
    speed = CardSpeed(227_000, tuple(latencies_ms), sum(latencies_ms) * MS)
    result = judge_card(speed, USUAL)
    assert result.verdict is verdict, result
    assert result.figures["sync_ms_max"] == max(latencies_ms)


def test_the_probe_leaves_nothing_behind_and_measures_every_sync(tmp_path: Path) -> None:
    small = config(camera={"bitrate_kbps": 600})
    result = check_card(tmp_path, small, 4, SystemClock(), lambda: True)
    assert result.figures["syncs"] == 4
    assert list(tmp_path.iterdir()) == []


def test_the_probe_gives_way_to_a_recording(tmp_path: Path) -> None:
    idle = iter([True, True, False])
    result = check_card(tmp_path, config(), 4, SystemClock(), lambda: next(idle))
    assert result.verdict is NOT_TESTED
    assert "recording" in result.found


def test_a_card_that_is_not_there_fails(tmp_path: Path) -> None:
    result = check_card(tmp_path / "none", config(), 1, SystemClock(), lambda: True)
    assert (result.verdict, result.exit_code) == (FAILED, ExitCode.STORAGE)


def test_while_it_records_the_syncs_of_the_recording_are_the_measure() -> None:
    assert judge_syncs([], USUAL).verdict is NOT_TESTED
    assert judge_syncs([3, 40], USUAL).verdict is OK
    assert judge_syncs([3, 2000], USUAL).verdict is WARN
    assert judge_syncs([3, 12_000], USUAL).verdict is FAILED


GIB = 2**30


@pytest.mark.parametrize(
    ("space", "verdict"),
    [
        (Space(64 * GIB, 60 * GIB), OK),
        (Space(64 * GIB, 8 * GIB), WARN),  # 3 hours
        (Space(64 * GIB, 9 * 2**20), FAILED),
        (None, FAILED),
    ],
)
def test_the_room_is_told_in_hours_of_recording(space: Space | None, verdict: CheckVerdict) -> None:
    assert check_space(space, USUAL).verdict is verdict


# -- clock, battery, heat --------------------------------------------------------------------------


def clock_of(source: ClockSource, unc_ms: int, sysfs: Path) -> CheckVerdict:
    return check_clock(Instant(NOW.boot_ns, NOW.utc_ns, source, unc_ms), sysfs).verdict


def test_the_clock_is_set_and_kept(tmp_path: Path) -> None:
    assert clock_of(ClockSource.NTP, 5, tmp_path) is WARN  # no RTC
    (tmp_path / "class/rtc/rtc0").mkdir(parents=True)
    assert clock_of(ClockSource.NTP, 5, tmp_path) is OK
    assert clock_of(ClockSource.RTC, 60_000, tmp_path) is OK
    assert clock_of(ClockSource.NONE, 16_000_000, tmp_path) is WARN
    assert clock_of(ClockSource.DOCK, 300_000, tmp_path) is WARN


def power_of(
    percent: int | None, seconds: int | None, soc: int | None, undervolt: bool | None
) -> PowerReading:
    flags = None if undervolt is None else frozenset({"undervolt"} if undervolt else ())
    gauge = Battery(percent=percent, seconds_left=seconds)
    return PowerReading(soc_milli_c=soc, battery=gauge, throttled=flags)


@pytest.mark.parametrize(
    ("reading", "battery", "heat"),
    [
        (power_of(80, 18_000, 45_000, undervolt=False), OK, OK),
        (power_of(30, None, 70_000, undervolt=None), WARN, WARN),
        (power_of(10, 1200, 80_000, undervolt=False), FAILED, FAILED),
        (power_of(80, None, None, undervolt=True), FAILED, NOT_TESTED),
        (power_of(255, None, None, undervolt=None), WARN, NOT_TESTED),
        (PowerReading(), WARN, NOT_TESTED),
    ],
)
def test_battery_and_heat(reading: PowerReading, battery: CheckVerdict, heat: CheckVerdict) -> None:
    found = check_battery(reading, Power()).verdict, check_heat(reading, Heat()).verdict
    assert found == (battery, heat)


@pytest.mark.parametrize(
    ("power", "milli_c", "verdict"),
    [
        (Power(), 25_000, OK),
        (Power(), 46_000, WARN),
        (Power(), 56_000, FAILED),
        (Power(), -1_000, WARN),
        (Power(), None, WARN),
        (Power(cell_sensor="none"), None, NOT_TESTED),
        (Power(cell_model="INR", recalled=["inr"]), 25_000, FAILED),
    ],
)
def test_the_cell_may_be_charged(power: Power, milli_c: int | None, verdict: CheckVerdict) -> None:
    reading = PowerReading(cell_milli_c=milli_c)
    assert check_cell(reading, Config(power=power)).verdict is verdict


# -- watchdogs -------------------------------------------------------------------------------------

NEVER = str(2**64 - 1)
ARMED = {"RuntimeWatchdogUSec": "14s", "WatchdogLastPingTimestampMonotonic": "81234567"}
ASKED = {"RuntimeWatchdogUSec": "30s", "WatchdogLastPingTimestampMonotonic": NEVER}
NOBODY = {"RuntimeWatchdogUSec": "0", "WatchdogLastPingTimestampMonotonic": NEVER}


@pytest.mark.parametrize(
    ("hardware", "systemd", "verdict", "says"),
    [
        (Hardware("watchdog0", "BCM2835", "active", 14), ARMED, OK, "fed by systemd, 14 s"),
        (Hardware("watchdog0", "BCM2835", "active", 14), {}, OK, "armed, 14 s"),
        (Hardware("watchdog0", "BCM2835", "", None), ARMED, OK, "fed by systemd"),
        (Hardware("watchdog0", "BCM2835", "inactive", 15), ASKED, FAILED, "the driver refused"),
        (Hardware("watchdog0", "BCM2835", "", None), ASKED, FAILED, "the driver refused"),
        (Hardware("watchdog0", "BCM2835", "inactive", 15), NOBODY, FAILED, "nobody armed it"),
        (Hardware("watchdog0", "BCM2835", "active", 600), ARMED, WARN, "600 s"),
        (None, {}, FAILED, "the kernel has none"),
    ],
)
def test_the_hardware_watchdog_is_armed_or_it_is_red(
    hardware: Hardware | None, systemd: dict[str, str], verdict: CheckVerdict, says: str
) -> None:
    result = check_hardware_watchdog(hardware, Systemd(systemd))
    assert (result.verdict, says in result.found) == (verdict, True), result


def test_of_several_hardware_watchdogs_the_one_that_runs_counts(tmp_path: Path) -> None:
    assert read_hardware(tmp_path) is None
    for name, state in (("watchdog0", "inactive"), ("watchdog1", "active")):
        folder = tmp_path / "class/watchdog" / name
        folder.mkdir(parents=True)
        (folder / "state").write_text(f"{state}\n", encoding="ascii")
    assert read_hardware(tmp_path) == Hardware("watchdog1", "", "active", None)


@pytest.mark.parametrize(
    ("properties", "verdict", "says"),
    [
        ({"LoadState": "loaded", "WatchdogUSec": "10s"}, OK, "10s"),
        ({"LoadState": "loaded", "WatchdogUSec": "infinity"}, FAILED, "WatchdogSec="),
        ({"LoadState": "not-found", "WatchdogUSec": "infinity"}, FAILED, "not installed"),
        ({}, FAILED, "no systemd answers"),
    ],
)
def test_the_service_is_watched_as_it_is_shipped(
    properties: dict[str, str], verdict: CheckVerdict, says: str
) -> None:
    result = check_service_watchdog(Systemd(properties))
    assert (result.verdict, says in result.found) == (verdict, True), result


def test_the_recorder_knows_whether_systemd_waits_for_this_very_process() -> None:
    mine = {"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}
    assert check_own_watchdog(mine).verdict is OK
    assert check_own_watchdog({"WATCHDOG_USEC": "10000000"}).verdict is OK
    assert check_own_watchdog({**mine, "WATCHDOG_PID": "1"}).verdict is FAILED
    assert check_own_watchdog({}).verdict is FAILED


# -- native modules ----------------------------------------------------------------------------------


def test_only_what_the_configuration_loads_is_asked_for() -> None:
    rig = needed_modules(config(gpio={"backend": "rpi"}))
    assert {"picamera2", "libcamera", "av", "cv2", "RPi.GPIO"} <= set(rig)
    assert "gpiod" in needed_modules(config(gpio={"backend": "gpiod"}))
    assert "pkcs11" not in rig
    laptop = config(
        camera={"source": "synthetic"}, audio={"source": "none"}, gpio={"backend": "simulated"},
        identity={"key": "pkcs11:token=a;object=b?module-path=/c"},
    )  # fmt: skip
    wanted = needed_modules(laptop)
    assert not {"picamera2", "libcamera", "RPi.GPIO", "gpiod"} & set(wanted)
    assert "pkcs11" in wanted


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "dies of SIGILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "dies of SIGSEGV"),
        ("raise ImportError('libfoo.so.3: cannot open shared object')", "libfoo.so.3"),
        ("import os; os._exit(3)", "exit 3"),
    ],
)
def test_a_module_that_kills_its_process_is_a_finding(
    body: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brokenmodule.py").write_text(body, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = load_alone("brokenmodule")
    assert found is not None
    assert how in found.how


def test_a_module_that_can_be_done_without_is_only_said() -> None:
    lacking = Broken("pyudev", "No module named 'pyudev'", deadly=False)
    dying = Broken("av", "dies of SIGILL", deadly=True)
    modules, spare = ["av", "pyudev"], ("pyudev",)
    assert judge_modules(modules, [], spare).verdict is OK
    assert judge_modules(modules, [lacking], spare).verdict is WARN
    both = judge_modules(modules, [dying, lacking], spare)
    assert (both.verdict, both.figures["broken"]) == (FAILED, ["av", "pyudev"])


def test_a_module_that_loads_is_no_finding_and_a_missing_one_is() -> None:
    assert load_alone("msgspec") is None
    missing = load_alone("nosuchmodule")
    assert missing is not None
    assert "No module named 'nosuchmodule'" in missing.how

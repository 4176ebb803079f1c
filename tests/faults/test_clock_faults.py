"""The time of day is wrong, comes late or jumps: nothing of a recording depends on it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bodycam.clock import MS, NS, ClockSource, SystemClock, utc_from_text
from bodycam.formats.boxes import child, children
from bodycam.simulate.control import PinsClient
from tests.rig import records_of

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure

pytestmark = pytest.mark.system

_HOUR_MS = 3_600_000
_1900_TO_1970_S = 2_208_988_800
_1904_TO_1970_S = 2_082_844_800


def it_is(text: str, source: ClockSource = ClockSource.NTP) -> dict[str, Any]:
    """A camera on which it is this time now."""
    offset_ns = utc_from_text(text) - SystemClock().boot_ns()
    return {"simulate": {"utc_offset_ns": offset_ns, "source": source.value}}


def step(rig: FaultRig, step_ms: int, source: str = "ntp", unc_ms: int = 5) -> None:
    """Set the camera's clock, as whoever keeps time on it would."""
    with PinsClient(rig.unit.socket_path) as client:
        client.world({"clock": {"step_ms": step_ms, "source": source, "unc_ms": unc_ms}})


def begin(rig: FaultRig, seconds: float) -> None:
    """Press, and record for so long."""
    rig.press(True)
    rig.until_logged("rec.start")
    rig.until_state("rec")
    rig.run_for(seconds)


def end(rig: FaultRig) -> None:
    rig.press(False)
    rig.until_logged("rec.stop")


def is_one_recording(rig: FaultRig) -> None:
    """Its segments were cut by their length alone, and each picture has its place in boot time."""
    assert len(rig.events("rec.start")) == len(rig.events("rec.stop")) == 1
    records = [record for path in rig.segments() for record in records_of(path)]
    causes = {record["trig"]["cause"] for record in records if record["t"] == "head"}
    assert causes <= {"switch", "rotate"}
    times = [(record["boot_ns"], record["end_ns"]) for record in records if record["t"] == "frag"]
    # A busy machine may cost a picture; a clock that is set may not.
    gaps_ns = [after[0] - before[1] for before, after in pairwise(times)]
    assert all(0 <= gap_ns + MS < NS for gap_ns in gaps_ns)
    assert sum(gaps_ns) < NS


def nothing_was_seen(rig: FaultRig) -> None:
    """From the first picture on disk: only what a recording and a stop bring by themselves."""
    states, taps = rig.states(), rig.taps()
    recorded = states[states.index("rec") :]
    assert set(recorded) <= {"rec", "stop-confirm", "notready", "ready", "off"}
    assert [felt for felt in taps[taps.index("2 short") :] if "quick" in felt] == []


def test_f39_a_clock_that_is_set_an_hour_on_or_back_cuts_nothing(unit: Faulty) -> None:
    with unit(speed=2) as rig:
        begin(rig, 1)
        step(rig, _HOUR_MS)
        rig.until_logged("clock.step")
        rig.run_for(1)
        step(rig, -2 * _HOUR_MS)
        rig.until_logged("clock.step", 2)
        rig.run_for(1)
        end(rig)
    is_one_recording(rig)
    steps = rig.events("clock.step")
    assert [line["data"]["step_ms"] for line in steps] == [_HOUR_MS, -2 * _HOUR_MS]
    for line in steps:
        data = line["data"]
        moved_ns = utc_from_text(data["after_utc"]) - utc_from_text(data["before_utc"])
        assert moved_ns == data["step_ms"] * MS
    boots = [line["boot_ns"] for line in steps]
    assert boots == sorted(boots)
    nothing_was_seen(rig)


def test_f40_a_shift_that_begins_in_1970_is_dated_once_the_clock_is_set(unit: Faulty) -> None:
    now_ns = SystemClock().sample().utc_ns
    with unit(it_is("1970-01-01T00:00:40Z", ClockSource.NONE), speed=2) as rig:
        rig.until("its notice", lambda: "clock-unset" in also(rig))
        begin(rig, 1)
        step(rig, now_ns // MS - 40_000, "ntp", 20)
        rig.until_logged("clock.step")
        rig.until("its notice ends", lambda: "clock-unset" not in also(rig))
        rig.run_for(6)
        end(rig)
    is_one_recording(rig)
    first, *_ = rig.events("clock.sample")
    assert first["data"]["source"] == "none"
    assert first["utc"].startswith("1970-01-01T")
    (change,) = rig.events("clock.step")
    assert change["data"]["before_clk"] == "none"
    assert (change["clk"], change["unc_ms"]) == ("ntp", 20)
    said = [
        record["clk"] for path in rig.segments() for record in records_of(path) if "clk" in record
    ]
    assert said == sorted(said)
    assert set(said) == {"none", "ntp"}
    # What has no date has none: a file of 1970 would be a lie that players show.
    assert created(rig.segments()[0].read_bytes()) == 0
    assert created(rig.segments()[-1].read_bytes()) > 0
    nothing_was_seen(rig)


def also(rig: FaultRig) -> list[str]:
    """The notices that are shown now."""
    traces = [message["trace"] for message in list(rig.messages) if "trace" in message]
    return list(traces[-1]["also"]) if traces else []


def created(raw: bytes) -> int:
    """The creation time of a segment, in seconds since 1904; 0 for none."""
    moov = child(raw, 0, len(raw), "moov")
    mvhd = child(raw, moov.body, moov.end, "mvhd")
    assert raw[mvhd.body] == 1, "64 bits"
    return int.from_bytes(raw[mvhd.body + 4 : mvhd.body + 12], "big")


def first_prft(raw: bytes) -> tuple[int, int]:
    """NTP seconds and version of the first fragment's reference time."""
    (box, *_) = [box for box in children(raw, 0, len(raw)) if box.kind == "prft"]
    return int.from_bytes(raw[box.body + 8 : box.body + 12], "big"), raw[box.body]


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        # Clocks on walls go back an hour in Berlin; a leap second repeats one; a time_t of 32 bits ends.
        pytest.param("2026-10-25T00:59:58Z", 0, marks=pytest.mark.soak, id="dst"),
        pytest.param("2026-12-31T23:59:58Z", -1, marks=pytest.mark.soak, id="leap-second"),
        pytest.param("2038-01-19T03:14:06Z", 0, id="2038"),
    ],
)
def test_f41_no_night_of_the_calendar_is_seen_in_a_recording(
    unit: Faulty, measured: Measure, monkeypatch: pytest.MonkeyPatch, moment: str, seconds: int
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    with unit(it_is(moment), speed=2) as rig:
        begin(rig, 1)
        if seconds:
            step(rig, seconds * 1000)
            rig.until_logged("clock.step")
        rig.run_for(3)
        end(rig)
    is_one_recording(rig)
    lines = rig.log()
    assert all(line["utc"].endswith("Z") for line in lines)
    jumps = [
        (b["boot_ns"] - a["boot_ns"]) - (utc_from_text(b["utc"]) - utc_from_text(a["utc"]))
        for a, b in pairwise(lines)
        if a["boot_ns"] <= b["boot_ns"]
    ]
    measured("UTC moved against boot time", max(map(abs, jumps)) / NS, "s", abs(seconds) + 0.01)
    assert [line["data"]["step_ms"] for line in rig.events("clock.step")] == [-1000] * -seconds
    first, last = rig.segments()[0], rig.segments()[-1]
    began_s = utc_from_text(records_of(first)[0]["utc"]) // NS
    assert created(first.read_bytes()) == began_s + _1904_TO_1970_S
    ntp_s, version = first_prft(first.read_bytes())
    assert version == 1
    # NTP's seconds begin anew in 2036; who reads them knows the era from the record beside them.
    assert ntp_s == (began_s + _1900_TO_1970_S) % 2**32
    assert last.name.startswith("BC-0001_")
    nothing_was_seen(rig)

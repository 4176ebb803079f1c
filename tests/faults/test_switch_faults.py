"""A switch that bounces, is knocked, chatters, sticks, or is thrown while nobody listens yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import MS
from bodycam.media import Track
from bodycam.simulate.pins import write_positions
from bodycam.simulate.unit import Unit
from tests.evidence import footage, of_track
from tests.rig import QUICK

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("daemon")]

# 50 Hz of the mains on an open line: an edge each 10 ms, for 3 s.
HUM_US = [10_000 * n for n in range(1, 301)]
OFF_2_S = {"off_stable_ms": 2000}
# What a busy machine keeps up with; these are faults of the switch.
LIGHT = {"camera": {**QUICK["camera"], "fps": 10}}


def data(rig: FaultRig, ev: str) -> list[dict[str, Any]]:
    return [line["data"] for line in rig.events(ev)]


def counted(rig: FaultRig, *kinds: str) -> dict[str, int]:
    return {ev: len(rig.events(ev)) for ev in kinds}


def test_f01_f02_f04_a_bouncing_slide_and_a_radio_start_one_recording_each_or_none(
    unit: Faulty, measured: Measure
) -> None:
    with unit(LIGHT, speed=2) as rig:
        rig.until_state("ready")
        felt = len(rig.taps())
        rig.run_for(2)
        rig.throw(True, False, ms=[1])
        rig.until_logged("switch.glitch")
        assert data(rig, "switch.glitch")[0]["in_minute"] == 1
        assert rig.states()[-1] == "ready"
        assert rig.taps()[felt:] == []

        pressed_ns = rig.throw(True, bounce_us=[800 * n for n in range(1, 11)])
        start = rig.until_logged("rec.start")
        rig.until_state("rec")
        rig.press(False)
        rig.until_logged("rec.stop")
        rig.run_for(1.2)
        rig.throw(True, bounce_us=[900, 4000, 9000, 17_000, 29_000, 41_000, 55_000, 60_000])
        rig.until_logged("rec.start", 2)
        rig.until_state("rec")
        rig.press(False)
        rig.until_logged("rec.stop", 2)
    first, worn = data(rig, "switch.on")
    assert (first["edges"], first["bounce_ns"]) == (11, 8 * MS)
    assert (worn["edges"], worn["bounce_ns"]) == (9, 60 * MS)
    measured("worn slide, bounce that is logged", worn["bounce_ns"] / MS, "ms", 60)
    edges = [line["boot_ns"] for line in rig.events("switch.edge") if line["data"]["active"]]
    assert sum(pressed_ns <= at_ns <= pressed_ns + 8 * MS for at_ns in edges) == 6
    assert counted(rig, "switch.on", "rec.start", "activation.start") == dict.fromkeys(
        ("switch.on", "rec.start", "activation.start"), 2
    )
    assert start["data"]["actual_ms"] >= 1400, "the ring was whole"
    assert rig.taps()[felt:].count("2 short") == 2, "START once for each"


def test_f03_f05_f06_a_flick_a_knock_and_a_lost_edge_end_as_the_switch_stands(
    unit: Faulty, measured: Measure
) -> None:
    with unit({**LIGHT, "switch": OFF_2_S}, speed=3) as rig:
        rig.until_state("ready")
        rig.throw(True, False, ms=[20])
        rig.until_logged("switch.glitch")
        assert rig.events("activation.start") == []
        rig.throw(True, False, ms=[40])
        stop = rig.until_logged("rec.stop")
        assert data(rig, "activation.short")[0]["on_ms"] == 40
        rig.until_state("ready")
        shown = len(rig.states())

        rig.throw(True, False, True, ms=[60, 150])
        rig.until_logged("stop.cancelled")
        rig.until_logged("rec.start", 2)
        rig.until_state("rec")
        rig.throw(False, True, ms=[1900])
        rig.until_logged("stop.cancelled", 2)
        rig.until_state("rec")
        lost_ns = rig.throw(False, drop=[0])
        found = rig.until_logged("switch.reconciled")
        rig.until_logged("rec.stop", 2)
    measured("lost edge found", (found["boot_ns"] - lost_ns) / MS, "ms", 150 * 3)
    assert counted(rig, "rec.start", "switch.off", "switch.reconciled") == {
        "rec.start": 2, "switch.off": 2, "switch.reconciled": 1,
    }  # fmt: skip
    seen = [state for state in rig.states()[shown:] if state != "off"]
    on_disk = seen[seen[0] == "starting" : -1]
    assert set(on_disk) == {"rec", "stop-confirm"}, "from start to stop on disk all the time"
    assert seen[-1] == "ready"
    start_ns, stop_ns = rig.events("activation.start")[0]["boot_ns"], stop["boot_ns"]
    measured("recording of a flick", (stop_ns - start_ns) / MS, "ms", 2100)


def test_f07_a_switch_that_is_stuck_on_records_and_reminds(unit: Faulty) -> None:
    def stuck(camera: Unit) -> None:
        write_positions(camera.socket_path, {"record": True})

    with unit({**LIGHT, "signals": {"long_s": 10}}, speed=3, before=stuck) as rig:
        rig.until_state("rec")
        rig.until_logged("rec.long", 3, seconds=40)
        rig.run_for(0.5)
        felt = rig.taps()
        assert rig.states()[-1] == "rec"
    assert data(rig, "switch.on_at_boot") == [{"pin": "record"}]
    assert data(rig, "activation.start")[0]["cause"] == "switch-on-at-start"
    said = data(rig, "rec.long")
    assert [(line["on_s"], line["count"]) for line in said] == [(10, 1), (12, 2), (15, 3)]
    assert felt.count("1 long") == 3


def test_f08_an_open_line_is_a_fault_and_costs_neither_ring_nor_recording(
    unit: Faulty, measured: Measure
) -> None:
    with unit(LIGHT, speed=2) as rig:
        rig.until_state("ready")
        rig.run_for(2)
        hum_ns = rig.throw(False, bounce_us=HUM_US)
        rig.until_state("fault")
        fault = rig.until_logged("switch.fault")
        assert fault["data"] == {"pin": "record", "held": False}
        assert rig.taps()[-1] == "5 quick"
        rig.until("the status", lambda: rig.unit.status()["signal"] == "fault")
        rig.until_logged("switch.fault_ended")
        rig.until_state("ready")
        assert rig.events("activation.start") == []

        rig.press(True)
        start = rig.until_logged("rec.start")
        assert start["data"]["actual_ms"] >= 1400, "the ring was kept"
        rig.until_state("rec")
        rig.throw(True, bounce_us=HUM_US)
        rig.until_state("degraded")
        assert rig.until_logged("switch.fault", 2)["data"]["held"] is True
        rig.until_logged("switch.fault_ended", 2)
        rig.until_state("rec")
        assert rig.events("rec.stop") == []
        rig.press(False)
        rig.until_logged("rec.stop")
    measured("chatter found", (fault["boot_ns"] - hum_ns) / MS, "ms", 1000)
    assert counted(rig, "rec.start", "switch.on", "switch.off") == dict.fromkeys(
        ("rec.start", "switch.on", "switch.off"), 1
    )


def test_f09_a_press_while_it_boots_is_recorded_from_the_first_picture(
    unit: Faulty, measured: Measure, tmp_path: Path
) -> None:
    """The camera is late: its film comes after the press."""
    film = tmp_path / "film.h264"
    pressed_ns: list[int] = []

    def press(rig: FaultRig) -> None:
        rig.until("the first signal", lambda: bool(rig.states()))
        pressed_ns.append(rig.press(True))
        rig.until_logged("switch.on")
        pictures = of_track(footage(), Track.VIDEO)
        film.with_suffix(".new").write_bytes(b"".join(bytes(p.data) for p in pictures))
        film.with_suffix(".new").rename(film)

    camera = {**QUICK["camera"], "source": "replay", "file": str(film)}
    with unit({"camera": camera}, from_boot=True, meanwhile=press) as rig:
        rig.until_state("rec")
        start = rig.until_logged("rec.start")
        rig.run_for(1)
        rig.press(False)
        rig.until_logged("rec.stop")
    [on], [ready] = rig.events("switch.on"), rig.events("ready")
    assert pressed_ns[0] <= on["boot_ns"] < ready["boot_ns"]
    assert (start["data"]["actual_ms"], start["data"]["reason"]) == (0, "fresh_power")
    late_ns = start["data"]["first_ns"] - ready["boot_ns"]
    measured("from the first picture to the recording's", late_ns / MS, "ms", 500)
    states = rig.states()
    assert states[0] == "boot"
    assert "notready" not in states
    assert rig.cues()[:2] == ["press-ack", "start"]


def test_f10_twenty_toggles_in_a_minute_are_all_there(unit: Faulty) -> None:
    presses = 10
    with unit(LIGHT, speed=2) as rig:
        rig.until_state("ready")
        for count in range(1, presses + 1):
            rig.press(True)
            rig.until_logged("rec.start", count)
            rig.run_for(0.4)
            rig.press(False)
            rig.until_logged("rec.stop", count)
            rig.run_for(0.7)
    assert counted(rig, "switch.on", "switch.off", "rec.start", "rec.stop") == dict.fromkeys(
        ("switch.on", "switch.off", "rec.start", "rec.stop"), presses
    )
    [burst] = data(rig, "toggle.burst")
    assert burst["toggles"] == 20
    assert burst["within_ms"] <= 60_000
    assert rig.cues() == ["press-ack", "start", "stop"] * presses


def test_f63_a_press_in_the_dock_is_recorded_like_any_other(unit: Faulty) -> None:
    with unit({**LIGHT, "devices": {"rescan_s": 1}}, speed=2) as rig:
        rig.until_state("ready")
        rig.unit.set_sensor("class/power_supply/dock/type", "Mains")
        rig.unit.set_sensor("class/power_supply/dock/online", 1)
        added = rig.until_logged("device.added")
        assert added["data"]["kind"] == "dock"
        rig.press(True)
        rig.until_logged("rec.start")
        rig.until_state("rec")
        rig.press(False)
        rig.until_logged("rec.stop")
        rig.unit.set_sensor("class/power_supply/dock/online", 0)
        rig.until_logged("device.removed")
        rig.press(True)
        rig.until_logged("rec.start", 2)
        rig.press(False)
        rig.until_logged("rec.stop", 2)
    docked, free = data(rig, "rec.start")
    assert data(rig, "rec.docked") == [{"rec": docked["rec"]}]
    assert docked["rec"] != free["rec"]

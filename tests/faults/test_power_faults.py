"""Supply, battery and heat: the charger first, then the evidence, then the camera itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.simulate.scenario import PowerChange, Sensor
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .test_clock_faults import also, begin, end

pytestmark = pytest.mark.system

_BATTERY = "class/power_supply/battery"


def healthy(unit: Unit) -> None:
    change_power(
        unit.sysfs,
        PowerChange(battery=90, temperature_c=45, cell_c=30, charging=False, undervolt=False),
    )


def said(rig: FaultRig, ev: str, key: str, **where: Any) -> list[Any]:
    """What events say under a key, where their data hold this."""
    lines = [line["data"] for line in rig.events(ev)]
    return [data[key] for data in lines if where.items() <= data.items()]


def until_said(rig: FaultRig, ev: str, **where: Any) -> None:
    rig.until(
        f"{ev} {where}", lambda: any(where.items() <= e["data"].items() for e in rig.events(ev))
    )


def until_off(rig: FaultRig) -> float:
    """Wait for the camera to be switched off; seconds of its clock since now."""
    asked_ns = rig.unit.clock.boot_ns()
    rig.until("switched off", lambda: rig.unit.switched_off)
    return (rig.unit.clock.boot_ns() - asked_ns) / NS


@contextmanager
def fluttering(rig: FaultRig) -> Iterator[None]:
    """The under-voltage alarm comes and goes ten times a second."""
    stop = threading.Event()

    def flutter() -> None:
        alarm = True
        while not stop.wait(0.05):
            change_power(rig.unit.sysfs, PowerChange(undervolt=alarm))
            alarm = not alarm

    thread = threading.Thread(target=flutter)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_f53_an_under_voltage_that_flutters_is_counted_and_costs_no_recording(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=4, before=healthy) as rig:
        begin(rig, 1)
        with fluttering(rig):
            rig.until("LOW_BATT", lambda: "low-batt" in also(rig))
            rig.run_for(12)
        change_power(rig.unit.sysfs, PowerChange(undervolt=True))
        until_said(rig, "power.throttled", flags=["undervolt"])
        assert rig.states()[-1] == "rec"
        end(rig)
    assert rig.taps().count("4 quick") == 1
    edges = said(rig, "power.throttled", "edges")
    measured("lines about under-voltage a minute", len(edges), "lines", 6)
    assert len(rig.events("rec.stop")) == 1
    assert rig.events("rec.stop")[0]["data"]["throttled"] == ["undervolt"]


def test_f54_an_emptying_battery_warns_twice_and_switches_off_with_everything_on_disk(
    unit: Faulty, measured: Measure
) -> None:
    def low(unit: Unit) -> None:
        healthy(unit)
        change_power(unit.sysfs, PowerChange(battery=15))

    with unit(speed=4, before=low) as rig:
        begin(rig, 1)
        for percent, level in ((10, "low"), (5, "last")):
            change_power(rig.unit.sysfs, PowerChange(battery=percent))
            until_said(rig, "power.battery", quantity="battery", level=level)
            rig.until("LOW_BATT", lambda: "low-batt" in also(rig))
            rig.run_for(1.5)  # a message that is felt is not repeated within a second
        assert rig.states()[-1] == "rec"
        change_power(rig.unit.sysfs, PowerChange(battery=2))
        measured("seconds from 2 % to off", until_off(rig), "s", 5.0)
    assert rig.taps().count("4 quick") >= 2
    assert rig.states()[-1] == "off"
    assert rig.taps()[-1] == "1 long"
    assert said(rig, "power.battery", "level", quantity="battery") == ["low", "last", "empty"]
    assert said(rig, "rec.stop", "reason") == ["battery"]
    assert said(rig, "power.off", "reason") == ["battery"]
    assert said(rig, "seg.close", "reason")[-1] == "battery"
    assert rig.log()[-1]["ev"] == "shutdown"


def test_f55_a_gauge_that_talks_nonsense_never_switches_a_camera_off(unit: Faulty) -> None:
    with unit(speed=4, before=healthy) as rig:
        begin(rig, 1)
        for fault, percent in (("-1 %", -1), ("255 %", 255), ("1 % from 90 % at once", 1)):
            change_power(rig.unit.sysfs, PowerChange(battery=percent))
            until_said(rig, "power.sensor", sensor="battery", ok=False, reason=fault)
            change_power(rig.unit.sysfs, PowerChange(battery=90))
            rig.until(
                "it is believed", lambda: said(rig, "power.sensor", "ok", sensor="battery")[-1]
            )
        change_power(rig.unit.sysfs, PowerChange(lost=[Sensor.BATTERY]))
        until_said(rig, "power.sensor", sensor="battery", reason="no percentage")
        rig.run_for(5)
        assert rig.states()[-1] == "rec"
        assert also(rig) == []
        end(rig)
    assert not rig.unit.switched_off
    assert rig.events("power.off") == rig.events("power.battery") == []
    assert len(rig.events("rec.stop")) == 1


def test_f56_a_hot_board_sheds_load_then_closes_and_goes_on_by_itself(unit: Faulty) -> None:
    with unit(speed=2, before=healthy) as rig:
        begin(rig, 1)
        change_power(rig.unit.sysfs, PowerChange(temperature_c=70))
        rig.until("HOT", lambda: "hot" in also(rig))
        assert said(rig, "power.load", "load") == []
        for celsius, load in ((78, "fewer-pictures"), (81, "fewer-bits")):
            change_power(rig.unit.sysfs, PowerChange(temperature_c=celsius))
            until_said(rig, "power.load", load=load)
        change_power(rig.unit.sysfs, PowerChange(temperature_c=84))
        rig.until_logged("rec.stop")
        rig.until_state("notready")
        change_power(rig.unit.sysfs, PowerChange(temperature_c=76))
        rig.run_for(3)
        assert len(rig.events("rec.start")) == 1
        change_power(rig.unit.sysfs, PowerChange(temperature_c=74))
        rig.until_logged("rec.start", 2)
        rig.until_state("rec")
        rig.press(False)
        rig.until_logged("rec.stop", 2)
    assert "4 long" in rig.taps()
    assert said(rig, "power.heat", "level", quantity="soc")[:4] == [
        "warm", "fewer-pictures", "fewer-bits", "close",
    ]  # fmt: skip
    assert said(rig, "rec.stop", "reason") == ["heat", "stop"]
    assert said(rig, "activation.start", "cause") == ["switch", "resume"]
    assert not rig.unit.switched_off


def test_f57_a_burning_hot_cell_closes_the_recording_and_switches_the_camera_off(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=2, before=healthy) as rig:
        begin(rig, 1)
        change_power(rig.unit.sysfs, PowerChange(cell_c=61))
        measured("seconds from 61 C to off", until_off(rig), "s", 5.0)
    assert said(rig, "power.charge", "reason")[-1] == "hot"
    assert said(rig, "rec.stop", "reason") == ["heat"]
    assert said(rig, "power.off", "reason") == ["heat"]
    assert "4 long" in rig.taps()
    assert rig.states()[-1] == "off"


def test_f57_a_recalled_cell_is_neither_charged_nor_recorded_with(unit: Faulty) -> None:
    with unit({"power": {"recalled": ["CELL-9"]}}, 2, before=healthy) as rig:
        until_said(rig, "power.charge", allowed=True)
        begin(rig, 1)
        change_power(rig.unit.sysfs, PowerChange(model="Cell-9"))
        rig.until_logged("power.recalled")
        rig.until_logged("rec.stop")
        until_said(rig, "power.charge", allowed=False, reason="recall")
        rig.until_state("notready")
        rig.until("HOT", lambda: "hot" in also(rig))
        rig.press(False)
        rig.until_logged("switch.off")
        rig.press(True)
        rig.until_logged("activation.refused")
        control = rig.unit.sysfs / _BATTERY / "charge_behaviour"
        rig.until("inhibited", lambda: control.read_text("ascii").strip() == "inhibit-charge")
        rig.press(False)
    assert said(rig, "rec.stop", "reason") == ["recall"]
    assert not rig.unit.switched_off

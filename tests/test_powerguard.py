"""The power thread with real files and a real daemon: the charger first, whatever else happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS, SystemClock
from bodycam.config import Config, Store
from bodycam.errors import DeviceError, ExitCode
from bodycam.eventlog import EventLog
from bodycam.powerguard import PowerActions, PowerGuard
from bodycam.sensors import Sensors
from bodycam.sharedring import Load
from bodycam.signing import NoKey
from bodycam.simulate.control import PinsClient
from bodycam.simulate.scenario import PowerChange, Sensor
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit

from .rig import Rig, running

pytestmark = pytest.mark.system

HEALTHY = PowerChange(battery=60, temperature_c=50, cell_c=30, charging=True, undervolt=False)


@dataclass
class Camera:
    """What the thread did to the rest, in order."""

    sysfs: Path
    runtime: Path
    done: list[str] = field(default_factory=list)
    recording: bool = False
    pin_broken: bool = False
    looks: Callable[[], int] = lambda: 0
    cut_at_look: int = 0
    _last: dict[str, str] = field(default_factory=dict)

    def charge_off(self, cut: bool) -> None:
        if self.pin_broken:
            raise DeviceError("pin 'charge-off' (BCM 9) cannot be switched: busy")
        if cut and self._last.get("charger") != "charging cut":
            self.cut_at_look = self.looks()
        self._note("charger", "charging cut" if cut else "charging allowed")

    def set_load(self, load: Load) -> None:
        self._note("load", f"load {load.text}")

    def inhibit(self, reason: str | None) -> None:
        self._note("state", f"closed by {reason}" if reason else "open")

    def _note(self, kind: str, what: str) -> None:
        if self._last.get(kind) != what:
            self._last[kind] = what
            self.done.append(what)

    @property
    def kernel_switch(self) -> Path:
        return self.sysfs / "class/power_supply/battery/charge_behaviour"


@contextmanager
def guarded(tmp_path: Path, start: PowerChange = HEALTHY) -> Iterator[tuple[Camera, PowerGuard]]:
    camera = Camera(tmp_path / "sysfs", tmp_path / "run")
    camera.runtime.mkdir()
    change_power(camera.sysfs, start)
    guard = PowerGuard(
        Config(store=Store(runtime=str(camera.runtime))),
        SystemClock(),
        Sensors(camera.sysfs, "battery", None),
        PowerActions(camera.charge_off, camera.set_load, camera.inhibit, lambda: camera.recording),
    )
    camera.looks = lambda: guard.beats
    guard.start()
    try:
        yield camera, guard
    finally:
        guard.stop()
    assert guard.crashed is None


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def said(guard: PowerGuard, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """What the health thread would log of it now."""
    folder.mkdir()
    log = EventLog(folder, SystemClock(), "test", NoKey())
    log.open()
    guard.say(log)
    log.sync()
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    log.close()
    return [(line["ev"], line["data"]) for line in map(json.loads, lines)]


def test_a_cell_that_gets_too_hot_is_cut_off_before_the_load_is_shed_and_all_is_closed(
    tmp_path: Path,
) -> None:
    with guarded(tmp_path) as (camera, guard):
        until(lambda: guard.machine.cut is None)
        del camera.done[:]
        change_power(camera.sysfs, PowerChange(cell_c=61))
        until(lambda: "closed by heat" in camera.done)
        assert camera.done == ["charging cut", "load fewer-bits", "closed by heat"]
        until(lambda: camera.kernel_switch.read_text() == "inhibit-charge")
    names = [name for name, _ in said(guard, tmp_path / "log")]
    assert names.index("power.charge") < names.index("power.load")


def test_charging_is_cut_off_at_the_first_look_at_a_hot_cell(tmp_path: Path) -> None:
    """Looks are half a second apart: that is how long it takes at most."""
    with guarded(tmp_path) as (camera, guard):
        for _ in range(3):
            until(lambda: guard.machine.cut is None)
            change_power(camera.sysfs, PowerChange(cell_c=46))
            looks = guard.beats
            until(lambda: camera.done[-1] == "charging cut")
            # The look that was going on, or the next one.
            assert camera.cut_at_look <= looks + 1
            change_power(camera.sysfs, PowerChange(cell_c=30))


def test_the_kernels_switch_of_the_charger_follows(tmp_path: Path) -> None:
    with guarded(tmp_path) as (camera, _):
        until(lambda: camera.kernel_switch.read_text() == "auto")
        change_power(camera.sysfs, PowerChange(cell_c=46))
        until(lambda: camera.kernel_switch.read_text() == "inhibit-charge")


def test_a_lost_sensor_at_the_cell_ends_the_charge(tmp_path: Path) -> None:
    with guarded(tmp_path) as (camera, guard):
        until(lambda: guard.machine.cut is None)
        change_power(camera.sysfs, PowerChange(lost=[Sensor.CELL]))
        until(lambda: camera.done[-1] == "charging cut")
        assert guard.machine.cut == "sensor"


def test_a_pin_that_cannot_be_switched_is_said_once_and_tried_again(tmp_path: Path) -> None:
    with guarded(tmp_path) as (camera, guard):
        until(lambda: guard.machine.cut is None)
        camera.pin_broken = True
        change_power(camera.sysfs, PowerChange(cell_c=50))
        until(lambda: guard.machine.cut == "hot")
        beats = guard.beats
        until(lambda: guard.beats > beats + 2)
        assert camera.kernel_switch.read_text() == "inhibit-charge"
        camera.pin_broken = False
        until(lambda: camera.done[-1] == "charging cut")
    faults = [
        data for name, data in said(guard, tmp_path / "log") if name == "power.charge_control"
    ]
    assert faults == [{"reason": "pin 'charge-off' (BCM 9) cannot be switched: busy"}]


def test_a_kernel_switch_that_may_not_be_written_is_said_once(tmp_path: Path) -> None:
    switch = tmp_path / "sysfs/class/power_supply/battery/charge_behaviour"
    switch.mkdir(parents=True)  # like one that is read-only: also for root
    with guarded(tmp_path) as (_, guard):
        until(lambda: guard.machine.cut is None)
    faults = [
        data for name, data in said(guard, tmp_path / "log") if name == "power.charge_control"
    ]
    assert len(faults) == 1
    assert str(switch) in faults[0]["reason"]


def test_sensors_that_hang_cut_charging_off(tmp_path: Path) -> None:
    """Of the SoC's own: this thread itself hangs, and another one finds it."""
    with guarded(tmp_path) as (camera, guard):
        until(lambda: guard.machine.cut is None)
        hang(camera.sysfs / "class/thermal/thermal_zone0/temp", tmp_path / "fifo")
        while camera.done[-1] != "charging cut":  # as the main thread does, four times a second
            guard.check(SystemClock().boot_ns())
            time.sleep(0.25)
        change_power(camera.sysfs, PowerChange(temperature_c=50))
        (tmp_path / "fifo").write_text("50000\n")
        until(lambda: camera.done[-1] == "charging allowed")
    faults = [data for name, data in said(guard, tmp_path / "log") if data.get("sensor") == "all"]
    assert [fault["ok"] for fault in faults] == [False]


def hang(path: Path, spare: Path) -> None:
    """Reading this file does not return, until somebody writes to the spare one."""
    os.mkfifo(spare)
    os.link(spare, spare.with_suffix(".in"))
    spare.with_suffix(".in").rename(path)


def test_a_gauge_whose_bus_hangs_ends_the_charge_and_nothing_else(tmp_path: Path) -> None:
    with guarded(tmp_path) as (camera, guard):
        until(lambda: guard.machine.cut is None)
        battery, spare = camera.sysfs / "class/power_supply/battery", tmp_path / "bus"
        hang(battery / "temp", spare)
        until(lambda: camera.done[-1] == "charging cut")
        assert guard.machine.cut == "sensor"
        # The SoC is watched all the same.
        change_power(camera.sysfs, PowerChange(temperature_c=90))
        until(lambda: "closed by heat" in camera.done)
        change_power(camera.sysfs, PowerChange(cell_c=30, temperature_c=50))
        spare.write_text("300\n")
        until(lambda: camera.done[-1] == "charging allowed")
    edges = [data for name, data in said(guard, tmp_path / "log") if data.get("sensor") == "bus"]
    assert [edge["ok"] for edge in edges] == [False, True]


NEARLY_FLAT = PowerChange(battery=4, cell_c=30, temperature_c=40, charging=False)


def empty(camera: Camera, guard: PowerGuard) -> None:
    until(lambda: guard.machine.percent == 4)
    change_power(camera.sysfs, PowerChange(battery=2))


def test_nothing_is_asked_to_switch_off_while_the_segment_is_being_closed(tmp_path: Path) -> None:
    with guarded(tmp_path, NEARLY_FLAT) as (camera, guard):
        camera.recording = True
        empty(camera, guard)
        until(lambda: "closed by battery" in camera.done)
        beats = guard.beats
        until(lambda: guard.beats > beats + 2)
        assert not (camera.runtime / "poweroff").exists()
        camera.recording = False
        until((camera.runtime / "poweroff").exists)
        asked = json.loads((camera.runtime / "poweroff").read_text())
        assert asked["reason"] == "battery"


def test_a_card_that_stalls_does_not_keep_an_empty_battery_waiting(tmp_path: Path) -> None:
    with guarded(tmp_path, NEARLY_FLAT) as (camera, guard):
        camera.recording = True
        empty(camera, guard)
        until(lambda: "closed by battery" in camera.done)
        began_ns = SystemClock().boot_ns()
        until((camera.runtime / "poweroff").exists)
        asked_ns = json.loads((camera.runtime / "poweroff").read_text())["at_ns"]
        assert asked_ns - began_ns < 5 * NS


def test_a_request_that_cannot_be_made_is_made_again_and_said_once(tmp_path: Path) -> None:
    with guarded(tmp_path, NEARLY_FLAT) as (camera, guard):
        camera.runtime.rmdir()
        empty(camera, guard)
        until(lambda: guard._off_refused)
        looks = guard.beats
        until(lambda: guard.beats > looks + 2)
        camera.runtime.mkdir()
        until((camera.runtime / "poweroff").exists)
    asked = [data for name, data in said(guard, tmp_path / "log") if name == "power.off"]
    assert [data["refused"] is None for data in asked] == [False, True]


def test_a_request_of_an_earlier_life_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/poweroff").write_text("{}")
    (tmp_path / "run").rename(tmp_path / "run.old")
    with guarded(tmp_path) as (camera, guard):
        guard.stop()
        (tmp_path / "run.old/poweroff").rename(camera.runtime / "poweroff")
        again = PowerGuard(
            Config(store=Store(runtime=str(camera.runtime))),
            SystemClock(),
            Sensors(camera.sysfs, "battery", None),
            PowerActions(camera.charge_off, camera.set_load, camera.inhibit, lambda: False),
        )
        again.start()
        again.stop()
        assert not (camera.runtime / "poweroff").exists()


# -- the whole daemon --------------------------------------------------------------------------


def hot(unit: Unit) -> None:
    change_power(unit.sysfs, PowerChange(battery=60, temperature_c=90, cell_c=30, charging=False))


def charge_off(rig: Rig) -> bool:
    with PinsClient(rig.unit.socket_path) as client:
        return client.get("charge-off")


@pytest.mark.system
@pytest.mark.xdist_group("daemon")
def test_too_hot_to_start_is_refused_and_said(tmp_path: Path) -> None:
    with running(tmp_path / "unit", before=hot) as rig:
        rig.press(True)
        refused = rig.until_logged("activation.refused")
        assert refused["data"]["reason"] == "heat"
        assert rig.segments() == []
        change_power(rig.unit.sysfs, PowerChange(temperature_c=70))
        start = rig.until_logged("rec.start")
        assert start["data"]["load"] == "full"
    assert rig.verify().exit_code is ExitCode.OK


@pytest.mark.system
@pytest.mark.xdist_group("daemon")
def test_in_standby_the_charger_is_watched_as_well(tmp_path: Path) -> None:
    def charged(unit: Unit) -> None:
        change_power(unit.sysfs, HEALTHY)

    with running(tmp_path / "unit", before=charged) as rig:
        rig.until("charging", lambda: not charge_off(rig))
        change_power(rig.unit.sysfs, PowerChange(cell_c=50))
        rig.until("cut off", lambda: charge_off(rig))
        rig.until("the status", lambda: rig.unit.status()["charge"] == "hot")
        shown = subprocess.run(
            [sys.executable, "-m", "bodycam", "status", "--runtime", str(rig.unit.runtime)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "charging   CUT OFF: the cell is too hot (cell 50 C)" in shown.stdout
        assert rig.until_logged("power.charge", 2)["data"]["reason"] == "hot"
    heartbeat = rig.events("heartbeat")[0]["data"]
    assert heartbeat["cell_range_milli_c"] is not None


@pytest.mark.system
@pytest.mark.xdist_group("daemon")
def test_a_recording_outlives_a_gauge_that_hangs(tmp_path: Path) -> None:
    """For longer than systemd would wait for a thread that does not move."""

    def charged(unit: Unit) -> None:
        change_power(unit.sysfs, HEALTHY)

    with running(tmp_path / "unit", before=charged, speed=2) as rig:
        rig.until("charging", lambda: not charge_off(rig))
        rig.press(True)
        rig.until_logged("rec.start")
        hang(rig.unit.sysfs / "class/power_supply/battery/capacity", tmp_path / "fifo")
        rig.until("cut off", lambda: charge_off(rig))
        rig.run_for(25)
        fed = len(rig.unit.messages)
        rig.until("fed", lambda: "WATCHDOG=1" in list(rig.unit.messages)[fed:])
        rig.press(False)
        stop = rig.until_logged("rec.stop")
    assert stop["data"]["reason"] == "stop"
    assert (rig.unit.starts, len(rig.events("rec.start"))) == (1, 1)
    # A busy machine loses a picture now and then; nothing else may be wrong.
    assert rig.verify().exit_code in {ExitCode.OK, ExitCode.INCOMPLETE}

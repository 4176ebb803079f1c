"""Recorder and worker are told to end, killed, stopped, starved."""

from __future__ import annotations

import os
import resource
import signal
from functools import partial
from pathlib import Path

import pytest

from bodycam.camera.mishaps import MishapKind
from bodycam.clock import NS
from bodycam.errors import ExitCode
from bodycam.simulate.unit import ABORT_S, WATCHDOG_S, Unit
from tests.rig import records_of

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .shift import SLOW_CAMERA, gaps_of, recorded, stopped, until_gap

pytestmark = pytest.mark.system


# -- told to end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f34_told_to_end_it_closes_the_segment_and_says_why(
    unit: Faulty, measured: Measure, number: signal.Signals
) -> None:
    with unit() as rig:
        recorded(rig)
        rig.run_for(0.7)
        asked_ns = rig.unit.clock.boot_ns()
        # The keeper would start it again: as `systemctl stop` does, it is told before.
        rig.unit.signal_recorder(number)
        rig.until_logged("shutdown")
        rig.until("its end", lambda: bool(rig.unit.exit_codes))
        closed = rig.events("seg.close")[-1]
        shutdown = rig.events("shutdown")[0]
        assert rig.unit.exit_codes[0] == ExitCode.OK
    assert shutdown["data"]["reason"] == number.name
    assert closed["data"]["reason"] == "shutdown"
    assert gaps_of(rig, 1) == []
    assert "off" in rig.states()
    assert "1 long" in rig.taps()
    measured("seconds until the segment is closed", (closed["logged_ns"] - asked_ns) / NS, "s", 2.0)


def test_f34_a_stop_that_takes_too_long_leaves_a_valid_segment(
    unit: Faulty, measured: Measure
) -> None:
    with unit(allowed=[ExitCode.INCOMPLETE]) as rig:
        recorded(rig)
        rig.run_for(1)
        # Nothing runs in it any more that could close anything.
        stopped_ns = rig.unit.clock.boot_ns()
        rig.unit.signal_recorder(signal.SIGSTOP)
        rig.unit.signal_recorder(signal.SIGTERM)
        rig.run_for(1)
        killed_ns = rig.unit.clock.boot_ns()
        rig.unit.signal_recorder(signal.SIGKILL)  # TimeoutStopSec=
        rig.until_logged("recovery")
        rig.until_logged("rec.start", 2)
        stopped(rig)
    assert rig.events("shutdown")[0]["logged_ns"] > killed_ns
    assert rig.events("boot.unclean")
    assert rig.events("recovery")[0]["data"]["frags"] > 0
    first = rig.events("rec.start")[0]["data"]["rec"]
    held = [r for path in of(rig, first) for r in records_of(path) if r["t"] == "frag"]
    measured("seconds of video lost", (stopped_ns - held[-1]["end_ns"]) / NS, "s", 0.6)


# -- stopped, starved --------------------------------------------------------------------------------


@pytest.mark.soak
def test_f35_a_stopped_worker_is_replaced(unit: Faulty, measured: Measure) -> None:
    with unit() as rig:
        recorded(rig)
        rig.run_for(1)
        rig.unit.signal_worker(signal.SIGSTOP)
        rig.until_logged("capture.stall")
        gap = until_gap(rig, 1)
        rig.until_state("rec")
        rig.run_for(1)
        stopped(rig)
    assert len(rig.events("rec.start")) == 1
    exited = rig.events("capture.exit")[0]["data"]
    assert (exited["sig"], exited["reason"]) == (9, "signal SIGKILL")
    assert "fault" in rig.states()
    measured("seconds without pictures", (gap["to_ns"] - gap["from_ns"]) / NS, "s", 5.0)


@pytest.mark.parametrize("lit", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_f35_a_stopped_recorder_is_ended_by_the_watchdog_and_its_lamp_with_it(
    unit: Faulty, measured: Measure, lit: bool
) -> None:
    def watch(made: Unit) -> None:
        made.watched = True

    with unit(before=watch) as rig:
        recorded(rig)
        until_lamp(rig, lit)
        pid = rig.unit.pid
        frozen_ns = rig.unit.clock.boot_ns()
        rig.unit.signal_recorder(signal.SIGSTOP)
        rig.until("the watchdog", lambda: bool(rig.unit.exit_codes), seconds=30)
        ended_ns = rig.unit.clock.boot_ns()
        written = [m for m in rig.messages if m.get("pin") == "public-red"]
        assert written[-1]["at_ns"] <= frozen_ns, "nobody drives the lamp: it does not blink"
        rig.until_logged("rec.start", 2)
        rig.until_state("rec")
        stopped(rig)
    assert rig.unit.pid != pid
    assert rig.unit.exit_codes[0] == -signal.SIGKILL, "a stopped process takes no SIGABRT"
    assert len(rig.events("boot.unclean")) == 1
    frozen_s = (ended_ns - frozen_ns) / NS
    measured("seconds that a lamp stands still", frozen_s, "s", WATCHDOG_S + ABORT_S + 1)
    back_ns = rig.events("rec.start")[1]["boot_ns"]
    measured("seconds from its end to the recording", (back_ns - ended_ns) / NS, "s", 5.0)


def until_lamp(rig: FaultRig, lit: bool) -> None:
    """Wait until the public's lamp has just been switched so."""
    before = len(rig.messages)

    def switched() -> bool:
        news = [m for m in rig.messages[before:] if m.get("pin") == "public-red"]
        return bool(news) and news[-1]["active"] is lit

    rig.until(f"the lamp, lit: {lit}", switched)


# -- killed ------------------------------------------------------------------------------------------


def test_f36_five_deaths_in_a_minute_are_a_crash_loop_and_pictures_go_on_alone(
    unit: Faulty,
) -> None:
    with unit(speed=2) as rig:
        recorded(rig)
        rig.unit.mishap(MishapKind.SOUND_CRASH, 600)
        loop = rig.until_logged("crashloop", seconds=60)
        rig.until_state("degraded", seconds=30)
        rig.run_for(2)
        stopped(rig)
    deaths = [line["data"] for line in rig.events("capture.exit")]
    assert [death["sig"] for death in deaths] == [11] * 5, "none in safe mode"
    assert (loop["data"]["who"], loop["data"]["deaths"]) == ("capture", 5)
    assert loop["data"]["left_out"] == ["sound", "overlay", "lens check"]
    assert "again and again" in rig.events("audio.lost")[-1]["data"]["reason"]
    assert "fault" in rig.states()
    assert len(rig.events("rec.start")) == 1, "one recording through all of it"


@pytest.mark.soak
def test_f36_a_recorder_that_dies_again_and_again_films_without_what_may_be_to_blame(
    unit: Faulty,
) -> None:
    with unit(speed=2) as rig:
        rig.until_state("ready")
        for number in range(4):
            rig.unit.ready.clear()
            rig.unit.signal_recorder(signal.SIGKILL)
            rig.until("the next life", rig.unit.ready.is_set)
            rig.until_logged("boot", number + 2)
        loop = rig.until_logged("crashloop")
        recorded(rig, "degraded")
        rig.run_for(1)
        stopped(rig)
    assert loop["data"]["who"] == "recorder"
    assert len(rig.events("boot.unclean")) == 4
    assert len(rig.events("crashloop")) == 1
    assert "crashed again and again" in rig.events("audio.lost")[-1]["data"]["reason"]


@pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.soak)])
def test_f38_a_killed_recorder_loses_what_was_not_synced_and_goes_on(
    unit: Faulty, measured: Measure, times: int
) -> None:
    with unit() as rig:
        recorded(rig)
        kills: list[tuple[int, int]] = []
        for number in range(times):
            rig.run_for(0.8 + 0.13 * number)
            worker = int(rig.unit.status()["worker_pid"])
            rig.unit.ready.clear()
            kills.append((rig.unit.clock.boot_ns(), worker))
            rig.unit.signal_recorder(signal.SIGKILL)
            rig.until_logged("rec.start", number + 2)
            rig.until_state("rec")
            rig.until("its worker's own end", partial(is_gone, worker))
        rig.run_for(1)
        stopped(rig)
    assert len(rig.events("boot.unclean")) == len(rig.events("recovery")) == len(kills)
    folders = [line["data"]["rec"] for line in rig.events("activation.start")]
    for (killed_ns, _), recording, following in zip(kills, folders, folders[1:], strict=False):
        held = [r for p in of(rig, recording) for r in records_of(p) if r["t"] == "frag"]
        measured("seconds of video lost", (killed_ns - held[-1]["end_ns"]) / NS, "s", 0.6)
        head = records_of(of(rig, following)[0])[0]
        measured("seconds until pictures again", (head["boot_ns"] - killed_ns) / NS, "s", 5.0)
        assert head["cont"] == recording
    assert len([g for g in gaps_of(rig, 0.2) if g["cause"] == "recorder restarted"]) == len(kills)


def is_gone(pid: int) -> bool:
    """Ended, if perhaps not yet collected by whoever inherited it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(") ")[2].startswith("Z")


def of(rig: FaultRig, recording: str) -> list[Path]:
    return sorted((rig.card / "evidence" / recording).glob("*.mp4"))


# -- out of memory -----------------------------------------------------------------------------------


def test_f58_a_worker_that_the_kernel_takes_for_memory_costs_only_its_restart(
    unit: Faulty, measured: Measure
) -> None:
    def count(made: Unit, kills: int) -> None:
        proc = made.out / "proc"
        proc.mkdir(exist_ok=True)
        (proc / "vmstat").write_text(f"nr_free_pages 1\noom_kill {kills}\n", encoding="ascii")

    with unit(before=lambda made: count(made, 0)) as rig:
        recorded(rig)
        rig.run_for(1)
        worker = int(rig.unit.status()["worker_pid"])
        assert score(worker) > score(int(rig.unit.pid or 0)), "the kernel takes the worker first"
        # What the kernel does: it counts, and kills.
        count(rig.unit, 1)
        os.kill(worker, signal.SIGKILL)
        oom = rig.until_logged("oom")
        rig.until_state("rec")
        rig.run_for(1)
        stopped(rig)
    assert oom["data"]["by"] == "kernel"
    assert str(worker) in oom["data"]["reason"]
    assert rig.events("capture.exit")[0]["data"]["sig"] == 9
    assert len(rig.events("rec.start")) == 1
    measured("seconds without pictures", rig.lost_s(), "s", 2.0)


def score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))


def test_f58_a_worker_without_memory_says_so_and_is_replaced(unit: Faulty) -> None:
    with unit(SLOW_CAMERA) as rig:
        recorded(rig)
        worker = int(rig.unit.status()["worker_pid"])
        pages = int(Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize()
        resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
        rig.unit.mishap(MishapKind.GIANT, 2.5, size=32 << 20)
        rig.until_logged("capture.exit")
        rig.until_state("fault")
        rig.until_state("rec")
        stopped(rig)
    assert rig.events("oom")[0]["data"]["by"] == "limit"
    assert rig.events("capture.exit")[0]["data"]["code"] == ExitCode.FAILURE
    assert len(rig.events("rec.start")) == 1

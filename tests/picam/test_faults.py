"""The real picamera2 while its camera fails: the recording goes on, and says what it lacks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.errors import ExitCode
from tests.picam.accounts import Account, account
from tests.picam.sensor import Sensor
from tests.picam.virtualcam import Fault
from tests.rig import QUICK, Rig, running

CAMERA: dict[str, Any] = {
    "camera": {
        "source": "picamera2", "width": 640, "height": 480, "bitrate_kbps": 1500, "gop_ms": 500,
    },
    "audio": {"source": "none"},
    "recording": {**QUICK["recording"], "segment_s": 60},
}  # fmt: skip


@contextmanager
def recording(out: Path) -> Iterator[Rig]:
    """A daemon that records from the first line of the block on, and ends in order."""
    with running(out / "unit", CAMERA) as rig:
        rig.until_logged("ready")
        rig.press(True)
        rig.until_logged("rec.start")
        yield rig
        rig.run_for(1)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert len(rig.events("activation.start")) == 1, "one recording, whatever happened"
    assert rig.events("capture.garbage") == []


def boot_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def judge(rig: Rig, sensor: Sensor, out: Path) -> Account:
    found = account(rig, sensor, out)
    found.check()
    expected = ExitCode.INCOMPLETE if found.gaps else ExitCode.OK
    report = rig.verify()
    assert report.exit_code is expected, report.findings
    return found


@pytest.mark.parametrize("seconds", [3, 30])
def test_a_stalled_camera_leaves_one_gap_and_recording_is_back_at_once(
    sensor: Sensor, tmp_path: Path, seconds: int
) -> None:
    with recording(tmp_path) as rig:
        rig.run_for(1)
        with sensor.stalled():
            rig.run_for(seconds)
            back_us = boot_us()
        rig.until_logged("gap")
    found = judge(rig, sensor, tmp_path)
    (gap,) = found.gaps
    last, first = found.around(back_us)
    assert last == max(at for at in found.took if at < back_us - (seconds - 1) * 1_000_000)
    assert first - back_us < 5_000_000
    assert gap["cause"] == "stall"


def test_a_moment_s_hesitation_is_no_reason_to_start_anew(sensor: Sensor, tmp_path: Path) -> None:
    with recording(tmp_path) as rig:
        with sensor.stalled():
            rig.run_for(1)
        rig.until_logged("gap")
        rig.run_for(0.5)
    (gap,) = judge(rig, sensor, tmp_path).gaps
    assert gap["cause"] == "camera"
    assert len(rig.events("capture.ready")) == 1


def test_our_callback_s_exception_costs_the_overlay_and_no_picture(
    sensor: Sensor, tmp_path: Path
) -> None:
    with recording(tmp_path) as rig:
        rig.run_for(1)
        with sensor.suffering(Fault.CALLBACK):
            rig.until_logged("overlay.lost")
            rig.run_for(1)
        rig.until_logged("overlay.back")
    assert judge(rig, sensor, tmp_path).gaps == []
    assert "makes the callback raise" in rig.events("overlay.lost")[0]["data"]["reason"]
    assert len(rig.events("overlay.lost")) == len(rig.events("capture.ready")) == 1


def test_an_exception_in_the_camera_s_thread_looks_like_a_stall(
    sensor: Sensor, tmp_path: Path
) -> None:
    with recording(tmp_path) as rig:
        rig.run_for(1)
        with sensor.suffering(Fault.ENCODER):
            rig.until_logged("capture.stall")
        healed_us = boot_us()
        rig.until_logged("gap")
    found = judge(rig, sensor, tmp_path)
    assert found.around(healed_us)[1] - healed_us < 5_000_000
    (gap,) = found.gaps
    assert gap["cause"] == "stall"
    said = (rig.unit.out / "recorder.log").read_text()
    assert "the rig makes the encoder raise" in said, "picamera2 says it once"


def test_an_encoder_that_talks_nonsense_is_started_anew(sensor: Sensor, tmp_path: Path) -> None:
    with recording(tmp_path) as rig:
        rig.run_for(1)
        with sensor.suffering(Fault.GARBAGE):
            rig.until_logged("capture.error")
        rig.until_logged("gap")
    (gap,) = judge(rig, sensor, tmp_path).gaps
    assert gap["cause"] == f"worker exit {ExitCode.DEVICE}"
    reason = rig.events("capture.error")[0]["data"]["reason"]
    assert "does not begin with a start code" in reason


def test_a_stopped_worker_is_replaced(sensor: Sensor, tmp_path: Path) -> None:
    with recording(tmp_path) as rig:
        rig.run_for(1)
        rig.unit.signal_worker(signal.SIGSTOP)
        rig.until_logged("capture.stall")
        rig.until_logged("gap")
    found = judge(rig, sensor, tmp_path)
    (gap,) = found.gaps
    assert gap["cause"] == "stall"
    assert gap["to_ns"] - gap["from_ns"] < 5 * NS


HOLD = """
from picamera2 import Picamera2
camera = Picamera2()
print("held", flush=True)
input()
"""


def test_a_camera_that_another_program_holds_is_taken_when_it_is_let_go(
    sensor: Sensor, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with running(tmp_path / "unit", CAMERA) as rig:
            rig.until_logged("capture.error", 3)
            rig.press(True)
            rig.until_logged("activation.waiting")
            holder.kill()
            freed_us = boot_us()
            rig.until_logged("rec.start")
            rig.press(False)
            rig.until_logged("rec.stop")
    first_us = rig.events("ready")[0]["boot_ns"] // 1000
    assert first_us - freed_us < 5_000_000
    reasons = {line["data"]["reason"] for line in rig.events("capture.error")}
    assert len(reasons) == 1
    assert "Device or resource busy" in reasons.pop()
    report = rig.verify()
    assert report.exit_code is ExitCode.OK, report.findings


def test_a_camera_that_is_plugged_in_later_is_used(sensor: Sensor, tmp_path: Path) -> None:
    with sensor.suffering(Fault.ABSENT), running(tmp_path / "unit", CAMERA) as rig:
        rig.until_logged("capture.error")
        Fault.ABSENT.path.rename(tmp_path / "plugged")
        plugged_us = boot_us()
        ready = rig.until_logged("ready")
        (tmp_path / "plugged").rename(Fault.ABSENT.path)
    assert ready["boot_ns"] // 1000 - plugged_us < 5_000_000
    assert "No camera number 0 found" in rig.events("capture.error")[0]["data"]["reason"]


def test_a_camera_that_cannot_be_stopped_does_not_keep_the_worker(
    sensor: Sensor, tmp_path: Path
) -> None:
    with running(tmp_path / "unit", CAMERA) as rig:
        rig.until_logged("ready")
        with sensor.suffering(Fault.DEAF):
            rig.unit.signal_worker(signal.SIGTERM)
            ended = rig.until_logged("capture.exit", seconds=4)
        rig.until_logged("capture.ready", 2)
    assert ended["data"]["reason"] == "signal SIGALRM"
    said = (rig.unit.out / "recorder.log").read_text()
    assert "in stopped" in said, "the messages say where it hung"

"""The self-test with the real picamera2: green, and a camera that is stuck is named."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bodycam.custody.verify import verify_paths
from bodycam.errors import ExitCode
from bodycam.signing import load_root
from bodycam.simulate.scenario import PowerChange
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit
from tests.picam.sensor import Sensor

CONFIG: dict[str, Any] = {
    "camera": {"source": "picamera2", "width": 640, "height": 480, "gop_ms": 500},
    "pre_record": {"seconds": 2},
}


def command(unit: Unit) -> list[str]:
    program = [sys.executable, "-m", "bodycam", "selftest", "--json"]
    return [*program, "--config", str(unit.config_path)]


def selftest(unit: Unit) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        command(unit), check=False, capture_output=True, text=True, timeout=180,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def make_unit(out: Path) -> Unit:
    unit = Unit(out, CONFIG, 1)
    unit.prepare()
    change_power(unit.sysfs, PowerChange(battery=83, temperature_c=41, cell_c=25))
    return unit


def test_it_records_two_seconds_and_finds_the_libraries_of_a_pi(
    tmp_path: Path, sensor: Sensor
) -> None:
    del sensor
    unit = make_unit(tmp_path / "unit")
    code, answer = selftest(unit)
    checks = {check["name"]: check for check in answer["checks"]}
    assert (code, answer["verdict"]) == (ExitCode.OK, "green"), answer
    assert checks["camera"]["figures"]["source"] == "640x480 from picamera2 (libx264)"
    assert checks["recording"]["figures"]["verify"] in ("intact", "incomplete")
    assert {"picamera2", "libcamera", "cv2"} <= set(checks["modules"]["figures"]["modules"])
    assert verify_paths([unit.card], load_root(unit.root_path)).exit_code is ExitCode.OK


def test_a_camera_that_gives_nothing_is_red(tmp_path: Path, sensor: Sensor) -> None:
    unit = make_unit(tmp_path / "unit")
    with sensor.stalled():
        code, answer = selftest(unit)
    failed = [check["name"] for check in answer["checks"] if check["verdict"] == "failed"]
    assert (code, failed) == (ExitCode.DEVICE, ["camera"]), answer


def test_a_camera_that_stops_in_the_middle_is_red_too(tmp_path: Path, sensor: Sensor) -> None:
    unit = make_unit(tmp_path / "unit")
    with subprocess.Popen(
        command(unit), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not list((unit.card / "selftest").glob("evidence/*/*.mp4")):
            assert time.monotonic() < deadline, "no trial"
            time.sleep(0.01)
        with sensor.stalled():
            out, _ = process.communicate(timeout=180)
    answer = json.loads(out)
    camera = next(check for check in answer["checks"] if check["name"] == "camera")
    assert (process.returncode, camera["verdict"]) == (ExitCode.DEVICE, "failed"), answer

"""The self-test on a real kernel: the watchdog that is armed, the pins of a driver, the real camera."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .recorder import Recorder
from .vm import Guest

pytestmark = [pytest.mark.xdist_group("guest"), pytest.mark.timeout(3600)]

# The rig under picamera2, as the unit's drop-in has it.
_RIG = (
    "env", "SHIM_FPS=15", "SHIM_STALL=/tmp/stall", "RIG_FAULTS=/opt/guest/faults",
    "RIG_LOCK=/tmp/selftest-camera", "PYTHONPATH=/src/tests/picam/site:/src",
    "LD_PRELOAD=/opt/guest/shim.so",
)  # fmt: skip


def test_the_recorders_own_self_test_finds_the_kernels_watchdog_armed(recorder: Recorder) -> None:
    before = recorder.last_seq() if recorder.pid else -1
    recorder.start()
    data = recorder.until_logged("selftest", before, seconds=400)["data"]
    assert (data["form"], data["failed"]) == ("boot", []), data
    assert data["checks"]["watchdog"]["timeout_us"] == 5_000_000
    armed = data["checks"]["hw watchdog"]
    assert (armed["state"], armed["timeout_s"]) == ("active", 14)
    assert data["checks"]["ring"]["found"] == "locked in memory"


def test_a_technicians_self_test_is_green(guest: Guest, recorder: Recorder) -> None:
    recorder.stop()
    done = guest.run(*_RIG, "bodycam", "selftest", "--json", ok=False, timeout_s=300)
    answer: dict[str, Any] = json.loads(done.out)
    checks = {check["name"]: check for check in answer["checks"]}
    assert (done.code, answer["verdict"]) == (0, "green"), answer
    assert checks["camera"]["figures"]["source"] == "640x480 from picamera2 (libx264)"
    assert checks["recording"]["figures"]["from_card"]
    assert "on pinctrl-bcm2835 through gpiod" in checks["pins"]["found"]
    assert checks["watchdog"]["found"] == "systemd waits 5s"
    assert checks["hw watchdog"]["figures"]["fed_by_systemd"]
    assert answer["log"]["signed"]
    assert guest.run("find", "/var/lib/bodycam/log", "-user", "root").out == ""

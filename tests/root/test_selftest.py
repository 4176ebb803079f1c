"""The self-test where it is meant to be run: by a technician, on an installed unit with its systemd."""

from __future__ import annotations

import json
from typing import Any

from bodycam.errors import ExitCode

from .camera import Camera
from .conftest import Boot

UNIT = "bodycam.service"


def selftest(camera: Camera, *words: str) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
    """Exit code, the checks by name, and the whole answer; as root, as `sudo` has it."""
    done = camera.machine.run("bodycam", "selftest", "--json", *words, check=False)
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    return done.returncode, {check["name"]: check for check in answer["checks"]}, answer


def owners(camera: Camera) -> set[str]:
    found = camera.machine.run(
        "find", "/var/lib/bodycam/log", "/var/lib/bodycam/evidence", "/var/lib/bodycam/selftest",
        "/var/lib/bodycam/lock", "-printf", "%u\n",
    )  # fmt: skip
    return set(found.stdout.split())


def test_a_technician_tests_an_installed_unit_and_the_recorder_goes_on(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        # At its own start it knew of systemd's watchdog; a container has no hardware.
        data = camera.until_logged("selftest", seconds=60)["data"]
        assert (data["form"], data["failed"]) == ("boot", ["hw watchdog"]), data
        assert data["checks"]["watchdog"]["timeout_us"] == 5_000_000
        # Beside the recorder: its answer is told, and nothing is written.
        lines = len(camera.log())
        code, checks, answer = selftest(camera)
        assert (code, answer["form"]) == (ExitCode.FAILURE, "beside the recorder")
        assert checks["watchdog"]["found"] == "systemd waits 5s"
        assert checks["camera"]["verdict"] == "ok"
        assert [e["ev"] for e in camera.log()[lines:] if e["ev"] in ("boot", "selftest")] == []
        # In its place: a recording, as the recorder's own user.
        machine.run("systemctl", "stop", UNIT)
        code, checks, answer = selftest(camera)
        failed = [name for name, check in checks.items() if check["verdict"] == "failed"]
        assert (code, failed) == (ExitCode.FAILURE, ["hw watchdog"]), answer
        assert checks["recording"]["figures"]["verify"] in ("intact", "incomplete")
        assert answer["log"]["signed"]
        assert owners(camera) == {"bodycam"}
        assert not (machine.root / "run" / "bodycam" / "pins.sock").exists()
        machine.run("systemctl", "start", UNIT)
        camera.press(True)
        camera.until_logged("rec.start")
        camera.press(False)
        camera.until_logged("rec.stop")
        machine.run("systemctl", "stop", UNIT)
        assert camera.events("boot.unclean") == []
        code, said = camera.verify()
        assert code in (ExitCode.OK, ExitCode.INCOMPLETE), said


def test_a_technician_without_rights_is_told_how(boot: Boot) -> None:
    with boot() as camera:
        done = camera.machine.run(
            "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "bodycam", "selftest",
            check=False,
        )  # fmt: skip
        assert done.returncode == ExitCode.USAGE
        assert "sudo bodycam selftest" in done.stderr


def test_a_recorder_between_two_lives_keeps_its_store(boot: Boot) -> None:
    """Taken from it, systemd would not start it again: exit 75 is for a second recorder."""
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        drop_in = "/run/systemd/system/bodycam.service.d"
        machine.run("mkdir", "-p", drop_in)
        machine.run("sh", "-c", f"printf '[Service]\\nRestartSec=15\\n' > {drop_in}/slow.conf")
        machine.run("systemctl", "daemon-reload")
        machine.run("kill", "-KILL", str(camera.pid))
        machine.until_state(UNIT, "activating")
        code, checks, answer = selftest(camera)
        assert (code, answer["form"]) == (ExitCode.FAILURE, "beside the recorder"), answer
        assert "has died" in checks["camera"]["found"]
        machine.until_state(UNIT, "active", seconds=60)
        assert camera.restarts == 1

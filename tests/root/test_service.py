"""The shipped unit under the real systemd: it starts, records, and comes back from every death."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bodycam.clock import NS
from bodycam.custody.verify import verify_paths
from bodycam.errors import ExitCode
from bodycam.signing import load_root
from tests.faults.results import Measure

from .camera import CONFIG, Camera
from .conftest import Boot

UNIT = "bodycam.service"


def record(camera: Camera, count: int = 1) -> None:
    camera.press(True)
    camera.until_logged("rec.start", count)


def finish(camera: Camera) -> None:
    """Switch it off, and end the service in order."""
    camera.press(False)
    camera.until_logged("rec.stop")
    camera.machine.run("systemctl", "stop", UNIT)


def resumed_after_ns(camera: Camera) -> int:
    """From the recorder's new start to the first picture of the recording it resumed."""
    return int(camera.events("rec.start")[-1]["boot_ns"] - camera.events("boot")[-1]["boot_ns"])


def test_it_starts_with_the_boot_and_a_press_is_evidence(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        assert machine.run("systemctl", "--failed", "--quiet", "--no-legend").stdout == ""
        assert machine.show(UNIT, "StatusText") == "standby"
        record(camera)
        finish(camera)
        camera.check_whole()


def test_f34_a_stop_closes_the_recording_and_says_so_within_two_seconds(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        record(camera)
        machine.run("systemctl", "stop", UNIT)
        stopping = machine.show(UNIT, "ExecMainExitTimestampMonotonic")
        assert machine.show(UNIT, "Result") == "success"
        assert machine.show(UNIT, "ExecMainStatus") == str(ExitCode.OK)
        shutdown = camera.events("shutdown")[-1]
        assert shutdown["data"]["reason"] == "SIGTERM"
        asked_us = int(machine.show(UNIT, "ActiveExitTimestampMonotonic"))
        assert (int(stopping) - asked_us) / 1e6 < 4
        closed = camera.events("seg.close")[-1]
        assert closed["data"]["reason"] == "shutdown"
        camera.check_whole()


def test_a_killed_recorder_is_back_and_records_on_for_the_switch_is_on(boot: Boot) -> None:
    with boot() as camera:
        camera.machine.until_state(UNIT, "active")
        record(camera)
        killed = camera.pid
        camera.machine.run("kill", "-KILL", str(killed))
        camera.until_logged("rec.start", 2)
        assert camera.pid not in (0, killed)
        assert camera.restarts == 1
        camera.until_shown(state="recording")
        first, second = (e["data"]["rec"] for e in camera.events("activation.start"))
        assert first != second
        assert len(camera.events("boot.unclean")) == 1
        print(f"resumed {resumed_after_ns(camera) / NS:.2f} s after the service's start")
        assert resumed_after_ns(camera) < 5 * NS
        finish(camera)
        code, said = camera.verify()
        assert code == ExitCode.INCOMPLETE, said


def test_f35_a_hung_recorder_is_aborted_by_systemds_watchdog_and_records_on(
    boot: Boot, measured: Measure
) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        record(camera)
        hung = camera.pid
        machine.run("kill", "-STOP", str(hung))
        camera.until_logged("rec.start", 2, seconds=40)
        assert camera.pid not in (0, hung)
        assert camera.restarts == 1
        assert "Watchdog timeout" in machine.journal(UNIT)
        missing_ns = camera.events("rec.start")[-1]["boot_ns"] - last_line_of_boot(camera, 0)
        measured("seconds not recorded by a stopped recorder", missing_ns / NS, "s", 10.0)
        camera.until_shown(state="recording")
        assert camera.status()["worker_pid"]
        finish(camera)
        code, said = camera.verify()
        assert code == ExitCode.INCOMPLETE, said


def last_line_of_boot(camera: Camera, life: int) -> int:
    """When the n-th life of the recorder last wrote to the log."""
    lines = camera.log()
    starts = [i for i, line in enumerate(lines) if line["ev"] == "boot"]
    return int(lines[starts[life + 1] - 1]["logged_ns"])


def test_a_hung_camera_process_is_replaced_by_the_recorder_itself(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        record(camera)
        recorder, worker = camera.pid, int(camera.status()["worker_pid"])
        machine.run("kill", "-STOP", str(worker))
        camera.until_logged("gap")
        machine.until("a new camera process", lambda: camera.status()["worker_pid"] != worker)
        machine.until("pictures", lambda: bool(camera.status()["camera"]))
        assert (camera.pid, camera.restarts) == (recorder, 0)
        assert len(camera.events("rec.start")) == 1
        finish(camera)
        code, said = camera.verify()
        assert code == ExitCode.INCOMPLETE, said


def test_folders_that_are_missing_are_made_again(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        machine.run("systemctl", "stop", UNIT)
        folders = [f"/var/lib/bodycam/{name}" for name in ("evidence", "log", "lock")]
        machine.run("rm", "-r", *folders)
        camera.start()
        record(camera)


def test_a_second_recorder_gives_way_at_once_and_is_not_tried_again(boot: Boot) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        machine.run("systemctl", "stop", UNIT)
        # Somebody has started one by hand, and then the service is started.
        machine.run(
            "systemd-run", "--unit=by-hand", "--service-type=notify", "--property=User=bodycam",
            "--property=RuntimeDirectory=bodycam", "bodycam", "run",
        )  # fmt: skip
        start = machine.run("systemctl", "start", UNIT, check=False)
        assert start.returncode != 0
        assert machine.show(UNIT, "ExecMainStatus") == str(ExitCode.BUSY)
        assert machine.show(UNIT, "ActiveState") == "failed"
        assert camera.restarts == 0
        assert "another recorder is running" in machine.journal(UNIT)
        assert machine.show("by-hand.service", "ActiveState") == "active"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("[camera]\nfsp = 30\n", "camera.fsp"),
        ("[camera\n", "not a TOML file"),
    ],
)
def test_f51_a_wrong_configuration_is_said_and_the_last_good_one_records(
    boot: Boot, wrong: str, said: str
) -> None:
    with boot() as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        machine.run("systemctl", "stop", UNIT)
        spoilt = machine.root / "etc" / "bodycam" / "bodycam.toml"
        spoilt.write_text(wrong, encoding="utf-8")
        camera.start()
        rejected = camera.until_logged("config.rejected")["data"]
        assert said in rejected["reason"]
        camera.press(True)
        camera.until_logged("rec.start")
        assert camera.restarts == 0
        assert "Traceback" not in machine.journal(UNIT)


BATTERY = {
    "type": "Battery", "present": "1", "status": "Discharging", "health": "Good",
    "capacity": "3", "voltage_now": "3250000", "temp": "251",
}  # fmt: skip


def test_f16_a_request_for_a_reboot_is_answered_after_a_clean_end(
    boot: Boot, tmp_path: Path
) -> None:
    kept = {name: tmp_path / "store" / name for name in ("log", "evidence")}
    for folder in kept.values():
        folder.mkdir(parents=True)
    with boot(binds=[f"{kept[n]}:/var/lib/bodycam/{n}" for n in kept]) as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        record(camera)
        machine.run("touch", "/run/bodycam/reboot")
        machine.wait_for_end()
    lines = [json.loads(line) for line in (kept["log"] / "events.jsonl").read_bytes().splitlines()]
    events = [line["ev"] for line in lines]
    assert events.index("rec.stop") < events.index("shutdown") == len(lines) - 1


def test_an_empty_battery_switches_the_machine_off_after_a_clean_end(
    boot: Boot, tmp_path: Path
) -> None:
    kept = {name: tmp_path / "store" / name for name in ("log", "evidence")}
    for folder in kept.values():
        folder.mkdir(parents=True)
    gauge = Path("srv") / "sysfs" / "class" / "power_supply" / "battery"

    def fit_battery(layer: Path) -> None:
        (layer / gauge).mkdir(parents=True)
        for name, text in BATTERY.items():
            (layer / gauge / name).write_text(f"{text}\n", encoding="ascii")
        config = layer / "etc" / "bodycam" / "bodycam.toml"
        config.write_text(CONFIG + '[power]\nsysfs = "/srv/sysfs"\n', encoding="utf-8")

    with boot(fit_battery, [f"{kept[n]}:/var/lib/bodycam/{n}" for n in kept]) as camera:
        machine = camera.machine
        machine.until_state(UNIT, "active")
        root = tmp_path / "root.pem"
        root.write_bytes((machine.root / "root" / "root.pem").read_bytes())
        record(camera)
        (machine.root / gauge / "capacity").write_text("2\n", encoding="ascii")
        machine.wait_for_end()
    lines = [json.loads(line) for line in (kept["log"] / "events.jsonl").read_bytes().splitlines()]
    events = [line["ev"] for line in lines]
    assert events.index("rec.stop") < events.index("power.off") < events.index("shutdown")
    assert lines[-1]["ev"] == "shutdown"
    report = verify_paths([tmp_path / "store"], load_root(root))
    assert report.exit_code is ExitCode.OK, [finding.text for finding in report.findings]

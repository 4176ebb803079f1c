"""The acceptance's own logic, without a Pi: files of a made-up board, commands that are real programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import MS, SystemClock
from bodycam.config import default_pins
from bodycam.configfile import load
from bodycam.simulate.control import PinsClient
from bodycam.simulate.pins import SimulatedPins
from hardware import acceptance, benchsteps, powersteps, recordsteps
from hardware.rig import Outcome, Rig, Verdict, judged, pin_states, to_toml
from hardware.steps import STEPS, Step

from .evidence import BOOT_ID, Camera, footage

HARDWARE = Path(__file__).resolve().parent.parent / "hardware"


class Script:
    """A technician who answers as it was written down."""

    def __init__(self, *answers: bool | float | None) -> None:
        self.answers = list(answers)
        self.told: list[str] = []

    def tell(self, words: str) -> None:
        self.told.append(words)

    def ask(self, question: str) -> bool | None:
        found = self.answers.pop(0)
        assert isinstance(found, bool | None), question
        return found

    def number(self, question: str) -> float | None:
        found = self.answers.pop(0)
        assert not isinstance(found, bool), question
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A Pi 5 of files, with a store and a log."""
    root = tmp_path / "root"
    write(root / "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    write(root / "proc/sys/kernel/random/boot_id", "boot-1\n")
    config_path = tmp_path / "bodycam.toml"
    config_path.write_text(
        f'[store]\npath = "{tmp_path}/store"\nruntime = "{tmp_path}/run"\n'
        '[camera]\nsource = "synthetic"\n[power]\ncell_sensor = "hwmon:tmp102"\n',
        encoding="utf-8",
    )
    out = tmp_path / "out"
    out.mkdir()
    return Rig(load(config_path), config_path, out, root)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a program of that name on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, script: str) -> None:
        write(folder / name, f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


def log_lines(rig: Rig, *events: tuple[str, dict[str, Any]], boot: str = "boot-1") -> None:
    path = Path(rig.config.store.path) / "log" / "events.jsonl"
    lines = [json.dumps({"boot": boot, "boot_ns": data.pop("at", 0), "ev": ev, "data": data})
             for ev, data in events]  # fmt: skip
    write(path, "\n".join(lines) + "\n{torn")


# -- the checklist ----------------------------------------------------------------------------------


def test_the_document_lists_the_steps_of_the_script() -> None:
    text = (HARDWARE / "ACCEPTANCE.md").read_text(encoding="utf-8")
    listed = re.findall(r"(?m)^\| (A\d\d) \| (\d+) \| ([^|]+) \|", text)
    assert listed == [(step.id, str(step.minutes), step.title) for step in STEPS]
    for paper in ("SAFETY.md", "ENCLOSURE.md"):
        named = re.findall(r"A\d\d\b", (HARDWARE / paper).read_text(encoding="utf-8"))
        assert named
        assert set(named) <= {step.id for step in STEPS}


def test_off_a_pi_it_says_so_and_does_nothing(rig: Rig) -> None:
    (rig.root / "proc/device-tree/model").unlink()
    done = subprocess.run(
        [sys.executable, str(HARDWARE / "acceptance.py"), "--config", str(rig.config_path),
         "--out", str(rig.out / "none")],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 8
    assert "this is no Raspberry Pi" in done.stderr
    assert not (rig.out / "none").exists()


def test_a_wrong_configuration_or_step_is_said(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--config", str(rig.config_path)]
    assert acceptance.main([*given, "--only", "A99"], Script(), rig.root) == 2
    assert acceptance.main(["--config", str(rig.out / "none.toml")], Script(), rig.root) == 2
    write(rig.out / "acceptance.json", '{"steps": {"A01": []}}')
    assert acceptance.main([*given, "--out", str(rig.out)], Script(), rig.root) == 2
    assert "A99: no such step" in (said := capsys.readouterr().err)
    assert "none.toml: cannot be read" in said
    assert "acceptance.json: not what this program wrote" in said


def test_what_passed_is_not_asked_again_and_the_worst_decides(rig: Rig) -> None:
    def run(*options: str, talk: Script) -> int:
        given = ["--config", str(rig.config_path), "--out", str(rig.out), *options]
        return acceptance.main(given, talk, rig.root)

    assert run("--only", "A01", "--only", "A21", talk=Script()) == 1  # no gauge
    write(rig.root / "sys/class/power_supply/battery/voltage_now", "3812000")
    write(rig.root / "sys/class/power_supply/battery/capacity", "55")
    talk = Script(3.8)
    assert run("--only", "A01", "--only", "A21", talk=talk) == 3  # the rest is open
    assert not [words for words in talk.told if words.startswith("A01")]
    found = json.loads((rig.out / "acceptance.json").read_bytes())
    assert {name: entry["verdict"] for name, entry in found["steps"].items()} == {
        "A01": "passed", "A21": "passed",
    }  # fmt: skip
    page = (rig.out / "acceptance.txt").read_text(encoding="utf-8")
    assert "Raspberry Pi 5" in page
    assert f"OPEN: {', '.join(step.id for step in STEPS if step.id not in ('A01', 'A21'))}" in page


def test_accepted_is_said_when_every_step_passed(rig: Rig) -> None:
    steps = [Step(step.id, step.title, 0, lambda *_: judged(True, "well")) for step in STEPS]
    done = acceptance.run_steps(rig, Script(), steps, {})
    assert acceptance.answer(done) == "ACCEPTED"
    done["A18"] = acceptance.entry(STEPS[17], judged(False, "it went on charging"))
    assert acceptance.answer(done) == "FAILED: A18"


def test_a_step_that_takes_the_camera_down_is_on_the_card_before(rig: Rig) -> None:
    class PowerCutError(Exception):
        pass

    def cut(rig: Rig, _: object) -> Outcome:
        found = json.loads((rig.out / "acceptance.json").read_bytes())
        assert found["steps"]["A14"]["verdict"] == "open"
        raise PowerCutError

    with pytest.raises(PowerCutError):
        acceptance.run_steps(rig, Script(), [Step("A14", "dead", 0, cut)], {})


# -- bench ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "video", "verdict"),
    [
        ("Raspberry Pi Zero 2 W Rev 1.0", True, Verdict.PASSED),
        ("Raspberry Pi Zero 2 W Rev 1.0", False, Verdict.FAILED),
        ("Raspberry Pi 5 Model B Rev 1.0", False, Verdict.PASSED),
        ("Raspberry Pi Model B Rev 2", False, Verdict.FAILED),
    ],
)
def test_each_board_has_the_encoder_of_its_class(
    rig: Rig, model: str, video: bool, verdict: Verdict
) -> None:
    write(rig.root / "proc/device-tree/model", model)
    if video:
        write(rig.root / "dev/video11", "")
    assert benchsteps.board(rig, Script()).verdict is verdict


def test_pins_at_rest_are_read_from_pinctrl(rig: Rig, command: Callable[[str, str], None]) -> None:
    command("systemctl", "exit 0")
    assert benchsteps.pins_at_rest(rig, Script()).verdict is Verdict.OPEN  # no pinctrl
    quiet = {pin.bcm: "hi" if pin.direction == "in" else "lo" for pin in default_pins().values()}
    shown = "\n".join(f"{bcm:2}: ip    pn | {level} // GPIO{bcm}" for bcm, level in quiet.items())
    command("pinctrl", f"cat <<'X'\n{shown}\nX")
    assert benchsteps.pins_at_rest(rig, Script(True)).verdict is Verdict.PASSED
    command("pinctrl", f"cat <<'X'\n{shown.replace(' 9: ip    pn | lo', ' 9: op    pn | hi')}\nX")
    found = benchsteps.pins_at_rest(rig, Script())
    assert (found.verdict, "charge-off (BCM 9) is hi" in found.found) == (Verdict.FAILED, True)
    assert pin_states("17: ip    pu | hi // GPIO17 = input\n") == {17: ("ip", "hi")}


def test_a_radio_is_found(rig: Rig) -> None:
    (rig.root / "sys/class/net/lo").mkdir(parents=True)
    (rig.root / "sys/class/net/eth0").mkdir()
    assert benchsteps.radio_silence(rig, Script()).verdict is Verdict.PASSED
    (rig.root / "sys/class/net/wlan0/wireless").mkdir(parents=True)
    found = benchsteps.radio_silence(rig, Script())
    assert (found.verdict, found.found) == (Verdict.FAILED, "radios: wlan0; wired: eth0")


class Jumpered(SimulatedPins):
    """Simulated pins with the jumper wire: what the buzzer's pin does, the switch's does too."""

    client: PinsClient
    deaf_after = 10_000

    def write(self, name: str, active: bool) -> None:
        super().write(name, active)
        self.deaf_after -= 1
        if name == "buzzer" and self.deaf_after > 0:
            self.client.set("record", not active, bounce_us=[])


@pytest.mark.parametrize("deaf", [False, True])
def test_each_flick_is_counted_and_timed(rig: Rig, tmp_path: Path, deaf: bool) -> None:
    path = tmp_path / "pins.sock"
    with (
        Jumpered(default_pins(), SystemClock(), path, lambda world: world) as pins,
        PinsClient(path) as client,
    ):
        pins.client = client
        if deaf:
            pins.deaf_after = 2 + 2 * 15  # the last 3 flicks are not seen
        missed, errors_ns = benchsteps.flick(pins, SystemClock(), rig, rounds=2)
        pins.deaf_after = 0
    assert missed == (3 if deaf else 0)
    assert len(errors_ns) == 2 * (18 - missed)
    assert all(error < 500 * MS for error in errors_ns)


# -- recording --------------------------------------------------------------------------------------


def test_the_presses_of_a_log_give_the_wait_for_a_keyframe(rig: Rig) -> None:
    log_lines(
        rig,
        ("switch.on", {"at": 1_000 * MS}),
        ("rec.start", {"first_ns": 1_140 * MS}),
        ("switch.off", {"at": 3_000 * MS}),
        ("rec.start", {"first_ns": 9_000 * MS}),  # a trigger's, not the switch's
        ("switch.on", {"at": 20_000 * MS}),
        ("rec.start", {"first_ns": 24_900 * MS}),
    )
    assert recordsteps.keyframe_waits_ms(rig.events()) == [140, 4900]


def test_the_configuration_for_the_keyframe_is_the_cameras_own(rig: Rig, tmp_path: Path) -> None:
    tree = {
        "camera": {"source": "v4l2", "gop_ms": 5000},
        "gpio": {"pins": {"charge-off": {"bcm": 11, "direction": "out", "active": "low",
                                         "rest_active": True}}},
        "triggers": [{"name": "holster", "pin": "holster"}],
        "simulate": {"speed": 2.0},
    }  # fmt: skip
    path = tmp_path / "made.toml"
    path.write_text(to_toml(tree), encoding="utf-8")
    config = load(path)
    assert config.camera.gop_ms == 5000
    assert config.gpio.pins["charge-off"].bcm == 11
    assert [trigger.name for trigger in config.triggers] == ["holster"]


def test_the_start_is_timed_from_the_service_to_the_disk(
    rig: Rig, command: Callable[[str, str], None]
) -> None:
    class Quick(Rig):
        def wait(self, seconds: float) -> None:
            assert seconds > 0

    quick = Quick(rig.config, rig.config_path, rig.out, rig.root)
    command("systemctl", 'if [ "$1" = show ]; then echo 100000000; fi')  # 100 s after power
    for synced_s, verdict in ((104, Verdict.PASSED), (106, Verdict.FAILED), (99, Verdict.FAILED)):
        log_lines(rig, ("ready", {"at": 12_000 * MS}),
                  ("rec.start", {"synced_ns": synced_s * 1000 * MS}))  # fmt: skip
        assert recordsteps.starts_in_time(quick, Script(True)).verdict is verdict
    assert recordsteps.starts_in_time(quick, Script(None)).verdict is Verdict.OPEN


def test_a_crash_is_judged_after_the_restart_only(
    rig: Rig, command: Callable[[str, str], None]
) -> None:
    command("systemctl", "echo 0")
    assert recordsteps.dead_kernel(rig, Script()).verdict is Verdict.FAILED  # nobody feeds it
    command("systemctl", "echo 14s")
    assert recordsteps.dead_kernel(rig, Script(False)).verdict is Verdict.OPEN
    assert rig.remembered("A14") is None
    rig.remember("A14", boot_id="boot-0")
    assert recordsteps.dead_kernel(rig, Script(True)).verdict is Verdict.PASSED
    assert rig.remembered("A14") is None


def cut_store(tmp_path: Path) -> tuple[Rig, Path]:
    """A camera that was cut while it recorded, and started again; its evidence is real."""
    camera = Camera(tmp_path)
    camera.record(footage(2), reason=None)
    camera.log.append("boot.unclean", sync=True, last_boot="x", last_ns=1)
    camera.stop()
    config_path = tmp_path / "bodycam.toml"
    config_path.write_text(
        f'[store]\npath = "{camera.store.root}"\n[identity]\npath = "{tmp_path}/identity"\n',
        encoding="utf-8",
    )
    write(tmp_path / "root/proc/sys/kernel/random/boot_id", f"{BOOT_ID}\n")
    (tmp_path / "out").mkdir()
    rig = Rig(load(config_path), config_path, tmp_path / "out", tmp_path / "root")
    return rig, next(camera.store.root.rglob("*.mp4"))


def test_five_power_cuts_are_counted_over_five_restarts(tmp_path: Path) -> None:
    rig, _ = cut_store(tmp_path)
    found = recordsteps.power_cuts(rig, Script())
    for cut in range(1, 6):
        assert (found.verdict, found.found) == (Verdict.OPEN, f"{cut - 1} of 5 cuts done")
        rig.remember("A15", boot_id="the boot before", cuts=cut - 1)
        found = recordsteps.power_cuts(rig, Script())
    assert found.verdict is Verdict.PASSED, found
    assert rig.remembered("A15") is None


def test_a_power_cut_that_spoilt_evidence_fails(tmp_path: Path) -> None:
    rig, segment = cut_store(tmp_path)
    spoilt = bytearray(segment.read_bytes())
    spoilt[spoilt.index(b"mdat") + 100] ^= 1
    segment.write_bytes(spoilt)
    rig.remember("A15", boot_id="the boot before", cuts=3)
    found = recordsteps.power_cuts(rig, Script())
    assert (found.verdict, "verify exit 4" in found.found) == (Verdict.FAILED, True), found


# -- power ------------------------------------------------------------------------------------------


def test_the_cells_thermometer_is_the_one_that_the_configuration_names(rig: Rig) -> None:
    for number, (name, degrees) in enumerate((("cpu_thermal", 70_000), ("tmp102", 31_500))):
        write(rig.root / f"sys/class/hwmon/hwmon{number}/name", f"{name}\n")
        write(rig.root / f"sys/class/hwmon/hwmon{number}/temp1_input", f"{degrees}\n")
    write(rig.root / "sys/class/thermal/thermal_zone0/temp", "62000\n")
    assert powersteps.temperatures(rig) == {"soc": 62.0, "cell": 31.5}
    write(rig.root / "sys/class/hwmon/hwmon1/temp1_input", "garbage\n")
    assert powersteps.temperatures(rig) == {"soc": 62.0}


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((True, True, True, True), Verdict.PASSED),
        ((True, False, True, True), Verdict.FAILED),
        ((True, True, None, True), Verdict.OPEN),
    ],
)
def test_charging_must_follow_the_recorder_each_time(
    rig: Rig,
    command: Callable[[str, str], None],
    answers: tuple[bool | None, ...],
    verdict: Verdict,
) -> None:
    command("systemctl", "exit 0")
    assert powersteps.charge_off(rig, Script(*answers)).verdict is verdict


def test_one_no_outweighs_what_was_not_tried(rig: Rig) -> None:
    assert powersteps.by_hand(rig, Script(True, None, False, True, True)).verdict is Verdict.FAILED
    assert powersteps.by_hand(rig, Script(True, None, True, True, True)).verdict is Verdict.OPEN

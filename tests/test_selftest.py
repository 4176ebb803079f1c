"""`bodycam selftest` on a simulated unit: green when all is well, and every real fault by its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bodycam.custody.verify import verify_paths
from bodycam.errors import ExitCode
from bodycam.formats.logline import encode_line
from bodycam.signing import load_root
from bodycam.simulate.scenario import PowerChange
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit

from .rig import QUICK, wait_for_no_worker

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("selftest")]

FULL = (
    "camera", "recording", "lens", "microphone", "ring", "pins", "lamps", "key", "certificates",
    "recipients", "card", "space", "clock", "battery", "cell", "heat", "watchdog", "hw watchdog", "modules",
)  # fmt: skip
# A busy machine loses a picture now and then; nothing else may be wrong.
WHOLE = ("intact", "incomplete")
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Answer:
    """What one self-test printed, and how it ended."""

    code: int
    json: dict[str, Any]
    said: str

    def check(self, name: str) -> dict[str, Any]:
        return next(c for c in self.json["checks"] if c["name"] == name)

    def verdicts(self, verdict: str) -> list[str]:
        return [c["name"] for c in self.json["checks"] if c["verdict"] == verdict]

    @property
    def failed(self) -> list[str]:
        return self.verdicts("failed")


def make_unit(out: Path, **overrides: dict[str, Any]) -> Unit:
    """A healthy unit, no recorder running."""
    unit = Unit(out, {**QUICK, **overrides}, 1)
    unit.prepare()
    change_power(unit.sysfs, PowerChange(battery=83, temperature_c=41, cell_c=25))
    return unit


def command(unit: Unit, *words: str) -> list[str]:
    program = [sys.executable, "-m", "bodycam", "selftest", "--config", str(unit.config_path)]
    return [*program, *words]


def selftest(unit: Unit, *words: str, prefix: tuple[str, ...] = (), **env: str) -> Answer:
    done = subprocess.run(
        [*prefix, *command(unit, "--json", *words)], check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=120, env={**os.environ, **env},
    )  # fmt: skip
    assert done.stdout, done.stderr
    return Answer(done.returncode, json.loads(done.stdout), done.stderr)


def log_of(unit: Unit) -> list[dict[str, Any]]:
    raw = (unit.card / "log" / "events.jsonl").read_bytes()
    return [json.loads(line) for line in raw.split(b"\n")[:-1]]


def verdict_of(unit: Unit) -> ExitCode:
    return verify_paths([unit.card], load_root(unit.root_path)).exit_code


# -- all is well -----------------------------------------------------------------------------------


def test_a_healthy_unit_is_green_and_the_log_proves_it(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    answer = selftest(unit)
    assert (answer.code, answer.json["verdict"]) == (0, "green"), answer.json
    assert tuple(c["name"] for c in answer.json["checks"]) == FULL
    assert answer.failed == []
    recording = answer.check("recording")["figures"]
    assert recording["verify"] in WHOLE
    assert recording["recorded_ms"] >= 1900
    assert recording["pre_record_ms"] > 0
    assert recording["from_card"]
    assert answer.check("camera")["figures"]["frames"] >= 60
    assert answer.check("microphone")["figures"]["peak_db"] > -60
    # The line is in the log, signed, and says what was printed.
    lines = log_of(unit)
    assert [line["ev"] for line in lines] == ["boot", "selftest", "shutdown"]
    assert lines[0]["data"]["by"] == lines[2]["data"]["reason"] == "selftest"
    assert answer.json["log"] == {"line": 2, "signed": True, "why_not": ""}
    data = lines[1]["data"]
    assert (data["form"], data["verdict"], data["failed"]) == ("full", "green", [])
    assert data["checks"]["recording"]["verify"] == recording["verify"]
    report = verify_paths([unit.card], load_root(unit.root_path))
    assert (report.exit_code, report.logs[0].vouched_lines) == (ExitCode.OK, 3)
    # Nothing of the trial is left, and nothing was put among the evidence.
    assert list((unit.card / "selftest").iterdir()) == []
    assert list((unit.card / "evidence").iterdir()) == []


def test_the_short_form_records_nothing(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    answer = selftest(unit, "--short")
    assert (answer.code, answer.json["form"]) == (0, "short"), answer.json
    assert answer.verdicts("not tested") == [
        "camera", "recording", "lens", "microphone", "ring", "lamps", "watchdog",
    ]  # fmt: skip
    assert not (unit.card / "selftest").exists()
    assert verdict_of(unit) is ExitCode.OK


def test_people_get_a_line_a_check_and_the_answer_last(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.out / "identity" / "recipients" / "oversight.pem").unlink()
    (unit.sysfs / "class/watchdog/watchdog0/state").write_text("inactive\n")
    done = subprocess.run(
        command(unit, "--short"), check=False, capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert done.returncode == ExitCode.FAILURE
    assert lines[-1] == "RED: hw watchdog; look at recipients"
    assert len(lines) <= 30
    assert all(len(line) <= 120 for line in lines if str(tmp_path) not in line), lines
    assert any(line.startswith("FAILED      hw watchdog") for line in lines)
    assert any(line.startswith("hw watchdog: Set RuntimeWatchdogSec=") for line in lines)
    assert any(line.startswith("recipients: Copy the recipients'") for line in lines)


def test_a_line_that_is_forged_afterwards_is_found(tmp_path: Path) -> None:
    unit = make_unit(tmp_path / "unit")
    (unit.sysfs / "class/watchdog/watchdog0/state").write_text("inactive\n")
    assert selftest(unit, "--short").json["verdict"] == "red"
    path = unit.card / "log" / "events.jsonl"
    lines = log_of(unit)
    lines[1]["data"].update(verdict="green", failed=[])
    for line in lines:
        del line["crc"]
    # As somebody would who knows the format: with the right checksum.
    path.write_bytes(b"".join(encode_line(line) + b"\n" for line in lines))
    assert verdict_of(unit) is ExitCode.ALTERED


# -- camera and microphone -------------------------------------------------------------------------


def test_no_camera_is_red_and_the_rest_is_tested_all_the_same(tmp_path: Path) -> None:
    missing = str(tmp_path / "video7")
    unit = make_unit(tmp_path / "unit", camera={"source": "v4l2", "device": missing})
    answer = selftest(unit)
    assert (answer.code, answer.failed[0]) == (ExitCode.DEVICE, "camera"), answer.json
    assert missing in answer.check("camera")["found"]
    assert answer.check("recording")["verdict"] == "not tested"
    assert answer.check("key")["verdict"] == answer.check("card")["verdict"] == "ok"
    assert log_of(unit)[1]["data"]["failed"] == answer.failed
    assert verdict_of(unit) is ExitCode.OK
    wait_for_no_worker(unit.config_path)

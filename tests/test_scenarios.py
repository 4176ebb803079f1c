"""Every ready scenario, played against the real daemon by the command that users have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bodycam.errors import ConfigError, ExitCode
from bodycam.simulate.scenario import load_scenario

pytestmark = pytest.mark.system

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_scenario(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "simulate", str(path), "--out", str(tmp_path / "out"),
         "--json"],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    failed = [e for e in answer["expectations"] if not e["passed"]]
    assert failed == []
    assert len(answer["expectations"]) >= len(load_scenario(path).expect) > 0
    assert done.returncode == ExitCode.OK
    assert "Traceback" not in (tmp_path / "out" / "recorder.log").read_text(encoding="utf-8")
    check_lamp(tmp_path / "out" / "signals.jsonl")


def check_lamp(trace: Path) -> None:
    """The public lamp is lit only in the states that mean "on disk"."""
    lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    states = [line["trace"] for line in lines if "trace" in line]
    assert states
    for state in states:
        lit = state["public"] != "dark"
        covert = "covert" in state["also"]
        assert lit == (state["state"] in ("rec", "stop-confirm", "degraded") and not covert), state


def test_a_failed_expectation_is_exit_1_and_says_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(
        'title = "Nothing happens"\nends = 0.5\n'
        "[config]\ncamera = { width = 320, height = 180 }\n"
        "[[expect]]\nrecordings = 3\n[[expect]]\nlog = 'marker'\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "simulate", str(path), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == ExitCode.FAILURE
    assert "FAIL 3 recordings: 0" in done.stdout
    assert "FAIL at least 1 x marker: 0" in done.stdout


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ends = 3\n", "title"),
        ('title = "x"\nends = 3\n[[shift]]\nat = 1\n', "one thing that happens"),
        ('title = "x"\nends = 3\n[[shift]]\nat = 1\nswitch = "up"\n', "up"),
        ('title = "x"\nends = 3\n[[shift]]\nat = 5\nswitch = "on"\n', "accepted: 0.0 to 3"),
        ('title = "x"\nends = 3\n[[shift]]\nat = 1\nsay = "y"\nkill = "worker"\npress = "marker"\n',
         "one thing"),
        ('title = "x"\nends = 3\n[[expect]]\nsay = "y"\n', "expects nothing"),
        ('title = "x"\nends = 3\nfoo = 1\n', "foo"),
        ('title = "x"\nends = 3\n[[shift]]\nat = 1\ntrigger = "holster"\n', "trigger without to"),
    ],
)  # fmt: skip
def test_a_wrong_scenario_is_refused_with_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=wanted):
        load_scenario(path)

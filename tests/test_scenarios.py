"""Every ready scenario, played against the real daemon by the command that users have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bodycam.errors import ConfigError, ExitCode
from bodycam.signals import SignalState
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
    check_signals(tmp_path / "out" / "signals.jsonl")


# How each state looks to the wearer and to everybody else, and what it may be felt as; spelt out
# here, and not as `patterns.py` has it.
SHOWN = {
    "off": ("dark", "dark", {"1 long"}),
    "boot": ("amber slow pulse", "dark", set()),
    "notready": ("amber double blink", "dark", {"5 quick"}),
    "ready": ("green 1 blink/2s", "dark", {"1 short"}),
    "starting": ("red on", "dark", set()),
    "rec": ("red 1Hz", "red 1Hz", {"2 short"}),
    "stop-confirm": ("red 4Hz", "red 1Hz", {"1 tick"}),
    "degraded": ("red 1Hz amber flash", "red 1Hz", {"5 quick"}),
    "fault": ("amber/red alternating", "dark", {"5 quick"}),
    "full": ("amber 3 blinks", "dark", {"3 short"}),
}
NOTICED = {
    "low-store": ("amber 3 blinks", {"3 short"}),
    "low-batt": ("amber 4 blinks", {"4 quick"}),
    "hot": ("amber fast", {"4 long"}),
    "clock-unset": ("amber 1 blink/5s", set()),
    "long": ("", {"1 long"}),
    "muted": ("", {"1 tick"}),
    "tamper": ("", {"5 quick"}),
    "service": ("", {"5 quick"}),
    "covert": ("", set()),
}
SAID = {"press-ack": "1 tick", "start": "2 short", "stop": "1 long", "marker": "1 tick",
        "refused": "5 quick"}  # fmt: skip


def check_signals(trace: Path) -> None:
    """Every line of the trace is as the table has it; above all, red in public is on disk."""
    lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    shown = [line["trace"] for line in lines if "trace" in line]
    assert shown
    for line in shown:
        wearer, public, _ = SHOWN[line["state"]]
        assert line["public"] == ("dark" if "covert" in line["also"] else public), line
        if line["cue"] != "marker":
            assert line["wearer"] in wearer_lamps(wearer, line), line
        if line["taps"]:
            assert line["taps"] in taps_of(line), line


def wearer_lamps(base: str, line: dict[str, Any]) -> set[str]:
    """What the wearer's lamp may be: for a minute with the blinks of an unset clock, then without."""
    state, also = line["state"], line["also"]
    if "covert" in also or state == "off":
        return {"dark"}
    if "muted" in also:
        return {"blue"}
    if "tamper" in also and state in ("ready", "notready"):
        return {"red steady"}
    if "service" in also and state in ("ready", "notready"):
        return {"magenta steady"}
    blinks = [NOTICED[notice][0] for notice in also if NOTICED[notice][0]]
    if not blinks or state not in ("ready", "rec", "degraded"):
        return {base}
    quiet = [blink for blink in blinks if blink != NOTICED["clock-unset"][0]]
    return {" + ".join([base, *blinks]), " + ".join([base, *quiet])}


def taps_of(line: dict[str, Any]) -> set[str]:
    if line["cue"] == "query":
        return {"1 short", "2 short", "5 quick"}
    if line["cue"]:
        return {SAID[line["cue"]]}
    return set(SHOWN[line["state"]][2]).union(*(NOTICED[notice][1] for notice in line["also"]))


def test_every_state_and_notice_is_expected_of_some_scenario() -> None:
    """And so is seen, in the trace of the real daemon, each time the scenarios are played."""
    wanted: set[str] = set()
    for path in SCENARIOS:
        for expect in load_scenario(path).expect:
            wanted.update(*(words.split("+") for words in expect.signals or []))
    assert wanted == {state.value for state in SignalState}
    assert {*SHOWN, *NOTICED} == wanted


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

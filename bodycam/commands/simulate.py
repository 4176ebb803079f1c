"""`bodycam simulate`: a scenario against the real daemon."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ..errors import ExitCode, StorageError
from ..simulate.player import Player, print_to_stderr
from ..simulate.scenario import Scenario, load_scenario

_INSIDE = "BODYCAM_SIMULATE_NAMESPACE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", type=Path, metavar="SCENARIO.toml")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new folder for everything"
    )
    parser.add_argument("--speed", type=float, metavar="X", help="so many times real speed")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """Exit 1 if an expectation did not hold."""
    scenario = load_scenario(arguments.scenario)
    if scenario.card.size_mib is not None:
        _need_mounts(scenario)
    say = print_to_stderr
    played = Player(scenario, arguments.out, arguments.speed, say).play()
    if arguments.json:
        print(json.dumps({
            "title": scenario.title, "passed": played.passed, "out": str(arguments.out),
            "expectations": [
                {"text": o.text, "passed": o.passed, "found": o.found} for o in played.outcomes
            ],
        }))  # fmt: skip
    else:
        print(scenario.title)
        for outcome in played.outcomes:
            mark = "ok  " if outcome.passed else "FAIL"
            print(f"  {mark} {outcome.text}" + ("" if outcome.passed else f": {outcome.found}"))
        print(f"evidence, log and signal trace: {arguments.out}")
    return ExitCode.OK if played.passed else ExitCode.FAILURE


def _need_mounts(scenario: Scenario) -> None:
    """A small card is a real file system: without root, go on in a namespace of our own."""
    if os.geteuid() == 0:
        return
    if os.environ.get(_INSIDE):
        raise StorageError(
            f"{scenario.title}: the card of {scenario.card.size_mib} MiB cannot be mounted",
            "Run as root",
        )
    os.environ[_INSIDE] = "1"
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "bodycam"]
    os.execvp("unshare", [*command, *sys.argv[1:]])  # noqa: S606  the same program again

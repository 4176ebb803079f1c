"""`bodycam simulate`: a scenario against the real daemon; or a force, or its month, to grade the audit by."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ..errors import ConfigError, ExitCode, StorageError
from ..progress import Progress
from ..simulate.force import audit_command, make_force
from ..simulate.player import Player, print_to_stderr
from ..simulate.scenario import Scenario, load_scenario
from . import simulatemonth

_FORCE, _MONTH = "force", "month"
_MOST_OFFICERS, _MOST_CALLS = 10_000, 16
_INSIDE = "BODYCAM_SIMULATE_NAMESPACE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario", type=Path, metavar="SCENARIO.toml",
        help="a scenario; or the word `force`: cameras and officers whose truth is known; or `month`: "
        "many of them for so many days, as `bodycam audit ingest` would have left them",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="of a scenario or force: a new folder for everything",
    )
    parser.add_argument("--speed", type=float, metavar="X", help="so many times real speed")
    parser.add_argument(
        "--officers", type=int, default=16, metavar="N", help="of a force (default: 16)"
    )
    parser.add_argument(
        "--calls", type=int, default=3, metavar="N", help="incidents of each officer (default: 3)"
    )
    simulatemonth.add_arguments(parser)
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N",
        help="of a force or month: the same one gives the same",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """Exit 1 if an expectation did not hold."""
    if arguments.scenario == Path(_MONTH):
        return simulatemonth.main(arguments)
    if arguments.out is None:
        raise ConfigError(f"simulate {arguments.scenario}: no folder", "Give --out DIR")
    if arguments.scenario == Path(_FORCE):
        return _force(arguments)
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


def _force(arguments: argparse.Namespace) -> ExitCode:
    if not (1 <= arguments.officers <= _MOST_OFFICERS and 1 <= arguments.calls <= _MOST_CALLS):
        raise ConfigError(
            f"simulate force: 1 to {_MOST_OFFICERS} officers, with 1 to {_MOST_CALLS} calls each"
        )
    bar = Progress("simulate force", arguments.officers)
    planned = make_force(
        arguments.out, arguments.officers, arguments.calls, arguments.seed,
        lambda done, _: bar.update(done),
    )  # fmt: skip
    bar.close()
    if arguments.json:
        print(json.dumps({"out": str(arguments.out), "officers": len(planned)}))
    else:
        print(f"{len(planned)} officers, {sum(len(o.calls) for o in planned)} incidents")
        print(f"the truth: {arguments.out / 'truth.json'}")
        print(audit_command(arguments.out))
    return ExitCode.OK


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

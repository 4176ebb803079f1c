"""`bodycam pins`: turn the simulated pins of a running daemon by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import ConfigError, ExitCode
from ..simulate.control import PinsClient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runtime", type=Path, default=Path("/run/bodycam"), metavar="DIR",
        help="runtime folder of the daemon (default: %(default)s)",
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    set_pin = actions.add_parser("set", help="throw a switch; it bounces as real ones do")
    set_pin.add_argument("name", metavar="NAME")
    set_pin.add_argument("level", metavar="0|1")
    get_pin = actions.add_parser("get", help="the level of a pin")
    get_pin.add_argument("name", metavar="NAME")
    actions.add_parser("watch", help="follow the outputs and the signal trace, as JSON lines")


def main(arguments: argparse.Namespace) -> ExitCode:
    if arguments.action == "set" and arguments.level not in ("0", "1"):
        raise ConfigError(f"pins set: level {arguments.level!r}; accepted: 0 or 1")
    with PinsClient(arguments.runtime / "pins.sock") as client:
        if arguments.action == "set":
            print(json.dumps(client.set(arguments.name, arguments.level == "1")))
        elif arguments.action == "get":
            print(json.dumps(client.get(arguments.name)))
        else:
            for message in client.watch():
                print(json.dumps(message), flush=True)
    return ExitCode.OK

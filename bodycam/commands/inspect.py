"""`bodycam inspect`: what is in a segment or a log."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..custody.inspect import inspect, text
from ..errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """Nothing is verified here: it shows what the file says of itself."""
    entries = inspect(arguments.file)
    print(json.dumps({"entries": entries}) if arguments.json else text(entries))
    return ExitCode.OK

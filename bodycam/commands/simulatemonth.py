"""`bodycam simulate month`: a month of a force as the audit ingests it, to grade and to measure it by."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import ConfigError, ExitCode
from ..progress import Progress

_MOST_CAMERAS, _MOST_DAYS = 200_000, 366


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="of a month: a new folder for the data set"
    )
    parser.add_argument(
        "--cameras", type=int, default=300, metavar="N", help="of a month (default: 300)"
    )
    parser.add_argument(
        "--days", type=int, default=30, metavar="N", help="of a month (default: 30)"
    )
    parser.add_argument(
        "--behaviours", type=Path, metavar="TOML", help="of a month: what is planted instead"
    )


def main(arguments: argparse.Namespace) -> ExitCode:
    """Make the month."""
    try:
        from ..simulate.month.behaviours import load_behaviours
        from ..simulate.month.make import TRUTH, make_month
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"simulate month: {fault.name} is not installed", "Run: pip install 'bodycam[audit]'"
        ) from fault
    cameras, days = arguments.cameras, arguments.days
    if not (1 <= cameras <= _MOST_CAMERAS and 1 <= days <= _MOST_DAYS):
        raise ConfigError(
            f"simulate month: 1 to {_MOST_CAMERAS} cameras, and 1 to {_MOST_DAYS} days"
        )
    into: Path | None = arguments.into
    if into is None:
        raise ConfigError("simulate month: no folder", "Give --into DIR")
    given = load_behaviours(arguments.behaviours)
    bar = Progress("simulate month", cameras)
    planted = make_month(
        into, cameras, days, arguments.seed, given, lambda done, _: bar.update(done)
    )
    bar.close()
    incidents = planted.incidents.total()
    if arguments.json:
        print(json.dumps({"into": str(into), "cameras": cameras, "incidents": incidents}))
    else:
        print(f"{cameras} cameras, {incidents} incidents, {planted.recordings} recordings")
        print(f"the truth: {into / TRUTH}")
        print(f"bodycam audit --data {into} --out {into}-audit")
    return ExitCode.OK

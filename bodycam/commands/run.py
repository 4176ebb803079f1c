"""`bodycam run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..config import load
from ..errors import ExitCode
from ..notify import Notifier
from ..supervise import Supervisor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/bodycam/bodycam.toml"), metavar="FILE",
        help="configuration (default: %(default)s)",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> ExitCode:
    """Returns when the recorder was told to stop."""
    config = load(arguments.config)
    notifier = Notifier()
    try:
        return Supervisor(config, arguments.config, notifier).run()
    finally:
        notifier.close()

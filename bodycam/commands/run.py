"""`bodycam run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..configchoice import choose
from ..errors import ExitCode
from ..notify import Notifier
from ..supervise import Supervisor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/bodycam/bodycam.toml"), metavar="FILE",
        help="configuration (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--last-good", type=Path, metavar="FILE",
        help="keep the last good configuration there: with it a refused one does not keep the camera "
        "from recording, and a new one takes effect at rest, by a restart",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> ExitCode:
    """Returns when the recorder was told to stop."""
    chosen = choose(arguments.config, arguments.last_good)
    notifier = Notifier()
    try:
        return Supervisor(chosen, arguments.config, arguments.last_good, notifier).run()
    finally:
        notifier.close()

"""The command line: one module a command, one place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .commands import demo, export, inspect, pins, run, simulate, status, verify
from .errors import BodycamError, ConfigError, ExitCode

COMMANDS = (run, demo, simulate, pins, status, verify, export, inspect)

EXIT_CODES = """\
exit codes:
  0  all well (verify: complete and trusted)
  1  unexpected failure
  2  usage or configuration
  3  intact but incomplete
  4  altered
  5  unsigned or not trusted
  6  cannot be opened
  7  storage
  8  device (camera, pins, key)
  75 another recorder is running
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ConfigError(f"{self.prog}: {message}", f"See {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="bodycam", description="Body-worn camera recorder and evidence tools.",
        epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"bodycam {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for module in COMMANDS:
        name = module.__name__.rsplit(".", 1)[1]
        sub = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what it answers is the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        if arguments.command is None:
            build_parser().print_help(sys.stderr)
            return ExitCode.USAGE
        return int(arguments.main(arguments))
    except BodycamError as fault:
        print(f"bodycam: {fault}", file=sys.stderr)
        return int(fault.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; that is their business.
        sys.stderr.close()
        return ExitCode.OK
    except KeyboardInterrupt:
        print("bodycam: interrupted", file=sys.stderr)
        return ExitCode.FAILURE

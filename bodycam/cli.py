"""The command line: one module a command, one place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__
from .errors import BodycamError, ConfigError, ExitCode

# Only the command that runs is imported: the recorder must not carry the custodian's tools.
COMMANDS = {
    "run": "run the recorder in the foreground, under systemd or by hand",
    "demo": "play one simulated shift, end to end: record, verify, export, report",
    "simulate": "play a scenario against the real daemon and check what it expects",
    "pins": "turn the simulated pins of a running daemon by hand",
    "status": "state, signals, ring, storage, power and clock of the running recorder",
    "selftest": "would it record? camera, pins, key, card and the rest: one green or red answer",
    "verify": "check segments, recordings, logs or whole stores; needs no decryption key",
    "audit": "was it switched at discretion? states, incidents and measures of verified cameras",
    "export": "verify, decrypt and join into one ordinary MP4, with its clip manifest",
    "authority": "a force's certificates and recipients: make, sign, revoke, list",
    "log": "proofs that a line is in the log, that it only grew; time stamps over it",
    "witness": "see that the cameras' logs only grow, and sign for having seen it",
    "inspect": "what is in a segment or a log, box by box or line by line",
}

EXIT_CODES = """\
exit codes:
  0   all well (verify: complete and trusted)
  1   unexpected failure
  2   usage or configuration
  3   intact but incomplete
  4   altered
  5   unsigned or not trusted
  6   cannot be opened
  7   storage (full, read-only, I/O)
  8   device (camera, pins, key)
  75  another recorder is running
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("bodycam").strip()
        text = f"{command}: {message}" if command else message
        raise ConfigError(text, f"See {self.prog} --help")


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The command line, with the arguments of the chosen command."""
    parser = _Parser(
        prog="bodycam", description="Body-worn camera recorder and evidence tools.",
        epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "-V", "--version", action="version", version=f"bodycam {__version__}"
    )  # its length makes room for the longest command
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            module = importlib.import_module(f"bodycam.commands.{name}")
            module.add_arguments(sub)
            sub.set_defaults(main=module.main)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what it answers is the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    try:
        parser = build_parser(chosen)
        arguments = parser.parse_args(words)
        if arguments.command is None:
            raise ConfigError("no command", "See bodycam --help")
        return int(arguments.main(arguments))
    except BodycamError as fault:
        # One line, whatever names somebody gave to keys and files.
        print("bodycam:", *str(fault).split(), file=sys.stderr)
        return int(fault.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; that is their business.
        sys.stderr.close()
        return ExitCode.OK
    except KeyboardInterrupt:
        print("bodycam: interrupted", file=sys.stderr)
        return ExitCode.FAILURE

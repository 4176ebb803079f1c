"""`bodycam selftest`: would it record? One green or red answer, and what to do about the red."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..checks.answer import Logged, show
from ..checks.loading import BASE_MODULES, broken_among, judge_modules
from ..checks.result import Form, SelfTest
from ..clock import SystemClock
from ..errors import ConfigError, ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/bodycam/bodycam.toml"), metavar="FILE",
        help="configuration (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--short", action="store_true", help="without recording anything")
    parser.add_argument(
        "--lamps", action="store_true",
        help="switch on each lamp, motor and buzzer; on a terminal, ask who saw it",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """Exit 0 for green; for red 8 (camera, pins, key), 7 (card), 2 (recipients) or 1; the worst."""
    if arguments.lamps and arguments.short:
        raise ConfigError("selftest: --lamps and --short", "Give one of them")
    broken = broken_among(BASE_MODULES)
    if broken:
        form = Form.SHORT if arguments.short else Form.FULL
        result = judge_modules(BASE_MODULES, broken)
        test = SelfTest(form, "?", SystemClock().sample(), (result,))
        print(show(test, Logged(why_not="nothing else can be tested"), arguments.json))
        return test.exit_code
    # Not at the top: what dies while it is imported would take this answer along.
    from ..provision.testrun import run_selftest

    asks = arguments.lamps and sys.stdin.isatty()
    test, logged = run_selftest(
        arguments.config, short=arguments.short, lamps=arguments.lamps, ask=_ask if asks else None,
        say=_say,
    )  # fmt: skip
    print(show(test, logged, arguments.json))
    return test.exit_code


def _say(what: str) -> None:
    print(f"selftest: {what}", file=sys.stderr, flush=True)


def _ask(pin: str) -> bool:
    """Whether the technician sees, hears or feels it; the pin is on until the answer is clear."""
    while True:
        print(f"{pin} is on now. Seen, heard or felt? [y/n] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if answer.strip().lower() in ("y", "yes"):
            return True
        if not answer or answer.strip().lower() in ("n", "no"):
            return False

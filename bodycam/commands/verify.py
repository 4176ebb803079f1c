"""`bodycam verify`: what is proven, what is missing, what is not known."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..custody.verify import text, verify_paths
from ..errors import ExitCode
from ..progress import Progress
from ..signing import load_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument(
        "--trust", type=Path, metavar="ROOT.pem",
        help="the force root; without it nothing is trusted (exit 5)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """The verdict's exit code."""
    root = load_root(arguments.trust) if arguments.trust else None
    bar: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress("verify", total)
        bar.update(done)

    report = verify_paths(arguments.paths, root, show)
    if bar is not None:
        bar.close()
    print(json.dumps(report.to_json()) if arguments.json else text(report))
    return ExitCode(report.exit_code)

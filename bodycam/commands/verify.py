"""`bodycam verify`: what is proven, what is missing, what is not known."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..custody.clipcheck import verify_clip
from ..custody.report import write_report
from ..custody.summary import text
from ..custody.verify import verify_paths
from ..errors import ConfigError, ExitCode
from ..progress import Progress
from ..signing import load_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH",
        help="segments, recordings, logs, whole stores; or one exported clip with --manifest",
    )  # fmt: skip
    parser.add_argument(
        "--trust", type=Path, metavar="ROOT.pem",
        help="the force root; without it nothing is trusted (exit 5)",
    )  # fmt: skip
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="the manifest that came with a clip"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """The verdict's exit code."""
    root = load_root(arguments.trust) if arguments.trust else None
    if arguments.manifest and len(arguments.paths) != 1:
        raise ConfigError("verify: --manifest goes with exactly one clip")
    if arguments.report and (arguments.manifest or len(arguments.paths) != 1):
        raise ConfigError("verify: --report goes with exactly one store")
    if arguments.manifest:
        report = verify_clip(arguments.paths[0], arguments.manifest, root)
    else:
        bar: Progress | None = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            bar = bar or Progress("verify", total)
            bar.update(done)

        report = verify_paths(arguments.paths, root, show)
        if bar is not None:
            bar.close()
    if arguments.report:
        write_report(arguments.paths[0], report, arguments.report, [])
    print(json.dumps(report.to_json()) if arguments.json else text(report))
    return ExitCode(report.exit_code)

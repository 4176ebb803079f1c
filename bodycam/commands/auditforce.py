"""`bodycam audit --data`: the audit of a whole force, of the data set that ingest made."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from ..audit.policy import load_policy
from ..custody.htmltext import visible
from ..errors import ConfigError, ExitCode
from ..progress import Progress

_MEMORY = re.compile(r"[1-9][0-9]*(\.[0-9]+)? ?(MB|GB|MiB|GiB)")
# What ingest was told already, and nothing may tell otherwise now.
_OF_STORES = (
    "store", "trust", "crl", "incidents", "assignments", "force", "roster", "complaints", "filings",
    "zone",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR",
        help="instead of stores: a data set that ingest made, of a whole force",
    )  # fmt: skip
    parser.add_argument(
        "--month", action="append", default=[], metavar="YYYY-MM",
        help="of the data set, this month alone (UTC); may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--camera", action="append", default=[], metavar="ID",
        help="of the data set, also a page with a picture of each shift of this camera; may be given "
        "several times",
    )  # fmt: skip
    parser.add_argument(
        "--csv", action="store_true",
        help="with --data: incidents.csv also of more than 100000 incidents",
    )  # fmt: skip
    parser.add_argument(
        "--memory", default="6GB", metavar="SIZE",
        help="with --data: what the engine may take (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=int, default=2, metavar="N",
        help="with --data: on so many cores (default: %(default)s)",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> ExitCode:
    """The worst verdict's exit code; 3 too if a row or an officer did not count."""
    _check(arguments)
    policy = load_policy(arguments.policy)
    try:
        from ..audit.force.page import in_short
        from ..audit.force.run import Wanted, audit_force
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"audit --data: {fault.name} is not installed", "Run: pip install 'bodycam[audit]'"
        ) from fault
    bar: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress("audit", total)
        bar.update(done)

    written = audit_force(
        Wanted(arguments.data, arguments.out, policy, tuple(arguments.month), arguments.memory,
               arguments.threads, public=arguments.public, every_row=arguments.csv,
               cameras=tuple(dict.fromkeys(arguments.camera))),
        show,
    )  # fmt: skip
    if bar is not None:
        bar.close()
    if arguments.json:
        print(json.dumps(written.told))
    else:
        print("\n".join(visible(line) for line in in_short(written.found)))
        print("\n".join(["", f"policy   {policy.name} {policy.version}, sha256 {policy.sha256}",
                         *(f"written  {path}" for path in written.files)]))  # fmt: skip
    return written.found.exit_code


def _check(arguments: argparse.Namespace) -> None:
    given = [f"--{name}" for name in _OF_STORES if getattr(arguments, name, None)]
    if given:
        raise ConfigError(
            f"audit: --data and {given[0]} exclude each other",
            "What a data set is made of, bodycam audit ingest was told",
        )
    if arguments.out is None:
        raise ConfigError("audit: --data needs --out", "See bodycam audit --help")
    for name in ("data", "out"):
        if set("*?[") & set(str(getattr(arguments, name).resolve())):
            raise ConfigError(
                f"audit: --{name} {str(getattr(arguments, name))!r}: the engine takes *, ? and [ in a path "
                "for a pattern", "Give a folder without them",
            )  # fmt: skip
    if not _MEMORY.fullmatch(arguments.memory):
        raise ConfigError(f"audit: --memory {arguments.memory!r} is no size", "Give one as 6GB")
    if not 1 <= arguments.threads <= 1024:
        raise ConfigError(f"audit: --threads {arguments.threads}", "Give 1 or more")

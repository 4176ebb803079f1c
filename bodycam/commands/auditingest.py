"""`bodycam audit ingest`: verified logs and segments of stores into the audit's data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..audit.stores import stores_of
from ..clock import SystemClock
from ..errors import ConfigError, ExitCode
from ..progress import Progress
from ..signing import load_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stores", nargs="+", type=Path, metavar="STORE",
        help="cameras' stores, or folders of stores; one store a camera",
    )  # fmt: skip
    parser.add_argument(
        "--into", type=Path, required=True, metavar="DIR",
        help="the data set; made if there is none",
    )  # fmt: skip
    parser.add_argument(
        "--trust", type=Path, required=True, metavar="ROOT.pem",
        help="the force root: without it nothing is verified, and nothing counts",
    )  # fmt: skip
    parser.add_argument(
        "--crl", type=Path, action="append", default=[], metavar="FILE",
        help="revocation list of the authority; one in the store (trust/crl.pem) is found",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> ExitCode:
    """The worst verdict's exit code; 3 too if a store was left out."""
    try:
        from ..audit.dataset.ingest import Ingest
        from ..audit.dataset.store import open_to_write
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"audit ingest: {fault.name} is not installed", "Run: pip install 'bodycam[audit]'"
        ) from fault
    root = load_root(arguments.trust)
    stores = stores_of(arguments.stores)
    bar: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress("ingest", total)
        bar.update(done)

    with open_to_write(arguments.into) as data:
        ingest = Ingest(
            data, root, crls=arguments.crl, now_utc_ns=SystemClock().sample().utc_ns
        )  # fmt: skip
        done = ingest.take(stores, show)
    if bar is not None:
        bar.close()
    for device, verdict in sorted(done.verdicts.items()):
        if verdict.exit_code is not ExitCode.OK:
            print(f"{verdict.value:11} {device}: see the findings of the data set")
    for why in done.refused:
        print(f"left out    {why}")
    print(
        f"{len(done.added)} cameras added, {len(done.replaced)} replaced, "
        f"{len(done.unchanged)} unchanged, {len(done.refused)} left out; "
        f"{done.lines} lines of logs verified"
    )
    return done.exit_code

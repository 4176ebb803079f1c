"""`bodycam audit ingest`: verified logs and segments of stores, and records, into the audit's data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..audit.moments import zone_of
from ..audit.stores import stores_of
from ..errors import ConfigError, ExitCode
from ..signing import load_root

# Option, table, and what such a file is.
RECORDS = (
    ("--incidents", "incidents", "incidents of the dispatch system, in Axon's published columns"),
    ("--assignments", "assignments", "who wore which camera"),
    ("--roster", "duties", "who was on duty, and for which arm of a trial"),
    ("--force", "force_uses", "uses of force"),
    ("--complaints", "complaints", "complaints about events or officers"),
    ("--filings", "filings", "how the records system has filed recordings"),
)
# The audit has these options, too: argparse would drop them without a word before `ingest`.
_BOTH = (*(option[2:] for option, _, _ in RECORDS), "trust", "crl", "zone")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stores", nargs="*", type=Path, metavar="STORE",
        help="cameras' stores, or folders of stores; one store a camera",
    )  # fmt: skip
    parser.add_argument(
        "--into", type=Path, required=True, metavar="DIR",
        help="the data set; made if there is none",
    )  # fmt: skip
    parser.add_argument(
        "--trust", dest="root", type=Path, metavar="ROOT.pem",
        help="the force root, needed with stores: without it nothing is verified, and nothing counts",
    )  # fmt: skip
    parser.add_argument(
        "--crl", dest="crls", type=Path, action="append", default=[], metavar="FILE",
        help="revocation list of the authority; one in the store (trust/crl.pem) is found",
    )  # fmt: skip
    for option, table, what in RECORDS:
        parser.add_argument(
            option,
            dest=f"of_{table}",
            type=Path,
            action="append",
            default=[],
            metavar="CSV",
            help=what,
        )
    parser.add_argument(
        "--force-name", metavar="NAME",
        help="whose records they are (default: the only force that is in the data set)",
    )  # fmt: skip
    parser.add_argument(
        "--zone",
        dest="of_zone",
        metavar="NAME",
        help="of times without one in the CSV files: Europe/Berlin",
    )


def main(arguments: argparse.Namespace) -> ExitCode:
    """The worst verdict's exit code; 3 too if a store was left out, or a row does not count."""
    try:
        from ..audit.dataset.store import open_to_write
        from .auditrecords import check_headings, take_records
        from .auditstores import take_stores
    except ModuleNotFoundError as fault:
        raise ConfigError(
            f"audit ingest: {fault.name} is not installed", "Run: pip install 'bodycam[audit]'"
        ) from fault
    before = [f"--{name}" for name in _BOTH if getattr(arguments, name)]
    if before:
        raise ConfigError(
            f"audit ingest: {', '.join(before)} before 'ingest'", "Put it behind the word ingest"
        )
    given = {table: getattr(arguments, f"of_{table}") for _, table, _ in RECORDS}
    given = {table: paths for table, paths in given.items() if paths}
    stores, zone, force = (
        stores_of(arguments.stores),
        zone_of(arguments.of_zone),
        arguments.force_name,
    )
    if not stores and not given:
        raise ConfigError("audit ingest: neither stores nor records", "See bodycam audit --help")
    if stores and arguments.root is None:
        raise ConfigError("audit ingest: stores need --trust", "Give the force root")
    root = load_root(arguments.root) if stores else None
    # What the command line names is looked at before hours of verification, not after.
    check_headings(given)
    of_stores = of_records = ExitCode.OK
    with open_to_write(arguments.into) as data:
        # Whose records they are, cameras say where nobody else does.
        known = force is not None or bool(data.forces()) or not stores
        if given and known:
            of_records = take_records(data, given, force, zone)
        if stores:
            of_stores = take_stores(data, stores, root, arguments.crls)
        if given and not known:
            of_records = take_records(data, given, force, zone)
    return of_stores or of_records

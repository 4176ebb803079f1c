"""`bodycam audit`: when should it have been recording, when was it, why not, and how sure are we."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cryptography import x509

from ..audit.assignments import Assignments, read_assignments
from ..audit.complaints import read_complaints
from ..audit.duties import read_duties
from ..audit.filings import read_filings
from ..audit.grouping import plain_groups
from ..audit.groups import Groups
from ..audit.incidentcsv import read_incidents
from ..audit.lineproofs import FOLDER as PROOFS
from ..audit.lineproofs import write_proofs
from ..audit.moments import zone_of
from ..audit.outcome import Outcome, audit
from ..audit.policy import load_policy
from ..audit.public import public_facts, public_page, public_summary
from ..audit.report import audit_page, in_short
from ..audit.stores import stores_of
from ..audit.tables import as_json, write_tables
from ..audit.timeline import StoryBook
from ..audit.useofforce import read_force
from ..clock import SystemClock
from ..custody.htmltext import visible
from ..custody.verify import Report, verify_paths
from ..errors import ConfigError, ExitCode
from ..progress import Progress
from ..signing import load_root
from ..store import storage_error
from . import auditforce, auditingest

REPORT_FILE = "audit.html"
JSON_FILE = "audit.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, action="append", default=[], metavar="DIR",
        help="a camera's store, or a folder of stores; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--trust", type=Path, metavar="ROOT.pem",
        help="the force root; without it nothing is verified, and nothing counts (exit 5)",
    )  # fmt: skip
    parser.add_argument(
        "--incidents", type=Path, action="append", default=[], metavar="CSV",
        help="incidents of the dispatch system, in Axon's published columns",
    )  # fmt: skip
    parser.add_argument(
        "--assignments", type=Path, action="append", default=[], metavar="CSV",
        help="who wore which camera; without it a badge id is taken for a camera's",
    )  # fmt: skip
    parser.add_argument(
        "--force", type=Path, action="append", default=[], metavar="CSV",
        help="uses of force: was it switched off around them?",
    )  # fmt: skip
    parser.add_argument(
        "--roster", type=Path, action="append", default=[], metavar="CSV",
        help="rostered duty, and for which arm of a trial",
    )  # fmt: skip
    parser.add_argument(
        "--complaints", type=Path, action="append", default=[], metavar="CSV",
        help="complaints about events: are recordings missing because of what happened?",
    )  # fmt: skip
    parser.add_argument(
        "--filings", type=Path, action="append", default=[], metavar="CSV",
        help="how recordings were filed in the records system, and what reviewers found",
    )  # fmt: skip
    parser.add_argument(
        "--policy", type=Path, metavar="TOML", help="thresholds and exclusions (default: built in)"
    )
    parser.add_argument(
        "--zone", metavar="NAME", help="of times without one in the CSV files: Europe/Berlin"
    )
    parser.add_argument(
        "--crl", type=Path, action="append", default=[], metavar="FILE",
        help="revocation list of the authority; one in the store (trust/crl.pem) is found",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help=f"folder for {REPORT_FILE}, {JSON_FILE} and the CSV files",
    )  # fmt: skip
    parser.add_argument(
        "--public", action="store_true",
        help="also public.html and public.json: aggregates alone, fit to be published",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    auditforce.add_arguments(parser)
    actions = parser.add_subparsers(dest="action", metavar="ingest")
    ingest = actions.add_parser("ingest", help="stores and records of a force into a data set")
    auditingest.add_arguments(ingest)
    ingest.set_defaults(main=auditingest.main)


def main(arguments: argparse.Namespace) -> ExitCode:
    """Verification's exit code; 3 too if a row or an officer did not count."""
    if arguments.data is not None:
        return auditforce.main(arguments)
    if not arguments.store or arguments.out is None:
        raise ConfigError(
            "audit: --store (or --data) and --out are needed", "See bodycam audit --help"
        )
    zone = zone_of(arguments.zone)
    policy = load_policy(arguments.policy)
    # What the command line names is read before hours of verification, not after.
    incidents = read_incidents(arguments.incidents, zone)
    worn: Assignments | None = None
    if arguments.assignments:
        worn = read_assignments(arguments.assignments, zone)
    force = read_force(arguments.force, policy.force, zone)
    duties = read_duties(arguments.roster, zone)
    complaints = read_complaints(arguments.complaints, zone)
    filings = read_filings(arguments.filings, zone) if arguments.filings else None
    root = load_root(arguments.trust) if arguments.trust else None
    stores = list({p.resolve(): p for p in stores_of(arguments.store)}.values())
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise storage_error(fault, out) from fault
    book = StoryBook()
    report = _verified(stores, root, arguments.crl, book)
    outcome = audit(
        report, book, policy, incidents, worn, force, duties=duties, complaints=complaints,
        filings=filings,
    )  # fmt: skip
    outcome = replace(outcome, groups=_groups(outcome))
    found = as_json(outcome)
    proofs = write_proofs(outcome, out)
    texts = {
        REPORT_FILE: audit_page(outcome, proofs),
        JSON_FILE: json.dumps(found, indent=1) + "\n",
    }
    if arguments.public:
        facts = public_facts(outcome)
        told = json.dumps(public_summary(facts), indent=1) + "\n"
        texts |= {"public.html": public_page(facts), "public.json": told}
    written = [*(_write(out / name, text) for name, text in texts.items()),
               *write_tables(outcome, out), *([out / PROOFS] if proofs else [])]  # fmt: skip
    if arguments.json:
        print(json.dumps(found))
    else:
        print("\n".join(visible(line) for line in in_short(outcome)))
        print("\n".join(["", f"policy   {policy.name} {policy.version}, sha256 {policy.sha256}",
                         *(f"written  {path}" for path in written)]))  # fmt: skip
    return outcome.exit_code


def _verified(
    stores: Sequence[Path], root: x509.Certificate | None, crls: Sequence[Path], book: StoryBook
) -> Report:
    """What the verifier says of the stores, with a bar; their logs' stories go into the book."""
    bar: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress("audit", total)
        bar.update(done)

    now_utc_ns = SystemClock().sample().utc_ns
    report = verify_paths(stores, root, show, crls=crls, now_utc_ns=now_utc_ns, follow=book.follow)
    if bar is not None:
        bar.close()
    return report


def _groups(outcome: Outcome) -> Groups:
    """What is said of many at once; without statistics, what needs none of them."""
    try:
        from ..audit.outcomegroups import groups_of
    except ModuleNotFoundError as fault:
        return plain_groups(outcome, not_installed=fault.name or "")
    return groups_of(outcome)


def _write(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise storage_error(fault, path) from fault
    return path

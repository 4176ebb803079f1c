"""`bodycam export`: the court copy, as an ordinary MP4 that any player opens."""

from __future__ import annotations

import argparse
import getpass
import json
import os
from pathlib import Path
from typing import Any

from ..clock import SystemClock, utc_from_text, utc_text
from ..custody.choice import Window
from ..custody.export import Order, Stamp, export, export_each
from ..custody.exportlog import Custodian, ExportLog
from ..custody.result import ExportResult
from ..errors import BodycamError, ConfigError, ExitCode
from ..progress import Progress
from ..signing import NoKey, load_file_key, load_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="segments, recordings or a store"
    )
    parser.add_argument(
        "--key", type=Path, required=True, metavar="KEY", help="a recipient's private key"
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE.mp4|DIR",
        help="a file; or a folder, which gets each recording under a name that sorts",
    )  # fmt: skip
    parser.add_argument("--trust", type=Path, metavar="ROOT.pem", help="the force root")
    parser.add_argument(
        "--allow-untrusted", action="store_true",
        help="export although no trusted key signed it; the manifest says so",
    )  # fmt: skip
    parser.add_argument("--from", dest="from_utc", metavar="T", help="UTC, RFC 3339")
    parser.add_argument("--to", dest="to_utc", metavar="T", help="UTC, RFC 3339")
    parser.add_argument("--who", metavar="NAME", help="who exports (default: the login name)")
    parser.add_argument("--why", metavar="TEXT", help="the reason; needed with --custody-log")
    parser.add_argument(
        "--custody-log", type=Path, metavar="DIR",
        help="the custodian's log (default: custody-log beside the key)",
    )  # fmt: skip
    parser.add_argument(
        "--log-identity", type=Path, metavar="DIR",
        help="device.key and device.pem that sign the custodian's log",
    )  # fmt: skip
    parser.add_argument("--c2pa", type=Path, metavar="CERTS.pem", help="add a C2PA manifest")
    parser.add_argument("--c2pa-key", type=Path, metavar="KEY", help="the key of CERTS.pem")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """The verdict of the evidence that was exported: 0, 3 or, if allowed, 5."""
    log = _log(arguments)
    out = Path(arguments.out)
    order = Order(
        arguments.paths, arguments.key, load_root(arguments.trust) if arguments.trust else None,
        Window(_time(arguments.from_utc, "--from"), _time(arguments.to_utc, "--to")),
        arguments.allow_untrusted, _Bars().update, _stamp(arguments), log.exported,
    )  # fmt: skip
    log.opened(order.paths, order.key, arguments.trust)
    try:
        several = out.is_dir() or arguments.out.endswith(os.sep)
        results = export_each(order, out) if several else [export(order, out)]
    except BodycamError as fault:
        log.failed(fault)
        raise
    if arguments.json:
        shown = [_facts(result) for result in results]
        print(json.dumps({"clips": shown} if several else shown[0]))
    else:
        print("\n\n".join(_text(result) for result in results))
    return ExitCode(results[0].report.exit_code)


def _log(arguments: argparse.Namespace) -> ExportLog:
    if arguments.custody_log and not arguments.why:
        raise ConfigError(
            "export: --custody-log without --why; accepted: the reason, such as a case number"
        )
    identity: Path | None = arguments.log_identity
    return ExportLog(
        arguments.custody_log or arguments.key.parent / "custody-log", SystemClock(),
        Custodian(arguments.who or getpass.getuser(), arguments.why or "not given"),
        load_file_key(identity) if identity else NoKey(),
    )  # fmt: skip


def _stamp(arguments: argparse.Namespace) -> Stamp | None:
    if bool(arguments.c2pa) != bool(arguments.c2pa_key):
        raise ConfigError("export: --c2pa and --c2pa-key go together")
    if not arguments.c2pa:
        return None
    from ..custody.c2pastamp import C2paStamp

    return C2paStamp(arguments.c2pa, arguments.c2pa_key)


def _facts(result: ExportResult) -> dict[str, Any]:
    return {
        "clip": str(result.clip), "manifest": str(result.manifest), "sha256": result.sha256,
        "device": result.device, "recording": result.recording,
        "segments": result.segments, "fragments": result.fragments,
        "pictures": result.pictures, "sounds": result.sounds,
        "from": utc_text(result.utc_from_ns), "to": utc_text(result.utc_to_ns),
        "verdict": result.report.verdict.value,
    }  # fmt: skip


def _text(result: ExportResult) -> str:
    return "\n".join((
        f"clip      {result.clip}",
        f"manifest  {result.manifest}",
        f"sha256    {result.sha256}",
        f"from      {utc_text(result.utc_from_ns)}",
        f"to        {utc_text(result.utc_to_ns)}",
        (
            f"holds     {result.pictures} pictures, {result.sounds} sound frames, "
            f"{result.fragments} fragments of {result.segments} segments"
        ),
        f"verdict   {result.report.verdict.value}",
    ))  # fmt: skip


def _time(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return utc_from_text(text)
    except ValueError as fault:
        raise ConfigError(
            f"export: {option} {text!r}; accepted: a UTC time such as 2026-11-23T14:05:09Z"
        ) from fault


class _Bars:
    """Verification first, then decryption: each counts from nothing."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._done = -1

    def update(self, done: int, total: int) -> None:
        if self._bar is None or done < self._done:
            self._bar = Progress("export", total)
        self._done = done
        self._bar.update(done)
        if done >= total:
            self._bar.close()

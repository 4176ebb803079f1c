"""`bodycam verify`: what is proven, what is missing, what is not known."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..boundedfile import read_bounded
from ..clock import SystemClock, utc_from_text
from ..custody.clipcheck import verify_clip
from ..custody.logroots import OutsideWord
from ..custody.onvifclip import verify_onvif
from ..custody.report import write_report
from ..custody.summary import text
from ..custody.verify import verify_paths
from ..errors import ConfigError, ExitCode
from ..formats.checkpoint import MAX_CHECKPOINT_BYTES
from ..progress import Progress
from ..signing import load_root
from .log import read_key


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
    parser.add_argument(
        "--onvif", action="store_true",
        help="judge one video by its ONVIF Media Signing SEIs alone: no manifest, any container",
    )  # fmt: skip
    parser.add_argument(
        "--crl", type=Path, action="append", default=[], metavar="FILE",
        help="revocation list of the authority; one in the store (trust/crl.pem) is found",
    )  # fmt: skip
    parser.add_argument(
        "--at", metavar="UTC", help="judge certificates as of this time (default: now), RFC 3339"
    )
    parser.add_argument(
        "--witnessed", type=Path, action="append", default=[], metavar="FILE",
        help="a checkpoint that somebody else holds: a log that is shorter or another is told",
    )  # fmt: skip
    parser.add_argument(
        "--witness", action="append", default=[], metavar="VKEY",
        help="key of a witness, as `bodycam witness` prints it: says when it saw the log",
    )  # fmt: skip
    parser.add_argument(
        "--tsa-root",
        type=Path,
        metavar="FILE",
        help="check time stamps over checkpoints by this TSA",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html|FILE.pdf", help="also write a page"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """The verdict's exit code."""
    root = load_root(arguments.trust) if arguments.trust else None
    if arguments.manifest and len(arguments.paths) != 1:
        raise ConfigError("verify: --manifest goes with exactly one clip")
    if arguments.onvif and (arguments.manifest or len(arguments.paths) != 1):
        raise ConfigError("verify: --onvif goes with exactly one video and without --manifest")
    if arguments.report and (arguments.onvif or len(arguments.paths) != 1):
        raise ConfigError("verify: --report goes with exactly one store, recording or clip")
    now_ns = _time(arguments.at)
    if arguments.manifest:
        report = verify_clip(
            arguments.paths[0], arguments.manifest, root, crls=arguments.crl, now_utc_ns=now_ns
        )
    elif arguments.onvif:
        report = verify_onvif(arguments.paths[0], root, crls=arguments.crl, now_utc_ns=now_ns)
    else:
        bar: Progress | None = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            bar = bar or Progress("verify", total)
            bar.update(done)

        report = verify_paths(
            arguments.paths, root, show, crls=arguments.crl, now_utc_ns=now_ns,
            outside=_outside(arguments),
        )  # fmt: skip
        if bar is not None:
            bar.close()
    if arguments.report:
        write_report(arguments.paths[0], report, arguments.report, [])
    print(json.dumps(report.to_json()) if arguments.json else text(report))
    return ExitCode(report.exit_code)


def _outside(arguments: argparse.Namespace) -> OutsideWord:
    """What others hold of the logs."""
    notes = tuple(
        (path.name, read_bounded(path, MAX_CHECKPOINT_BYTES, "Give a checkpoint file"))
        for path in arguments.witnessed
    )
    stamped_at = None
    if arguments.tsa_root:
        try:
            from ..custody.stamps import load_tsa, stamp_checker
        except ModuleNotFoundError as fault:
            raise ConfigError(
                "verify: --tsa-root: rfc3161-client is not installed",
                "Run: pip install 'bodycam[timestamp]'",
            ) from fault
        stamped_at = stamp_checker(load_tsa(arguments.tsa_root))
    return OutsideWord(notes, tuple(read_key(k) for k in arguments.witness), stamped_at)


def _time(text: str | None) -> int:
    if text is None:
        return SystemClock().sample().utc_ns
    try:
        return utc_from_text(text)
    except ValueError as fault:
        raise ConfigError(
            f"verify: --at {text!r}; accepted: a UTC time such as 2036-11-23T14:05:09Z"
        ) from fault

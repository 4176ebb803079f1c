"""`bodycam export`: the court copy, as an ordinary MP4 that any player opens."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..clock import utc_from_text, utc_text
from ..custody.export import export
from ..errors import ConfigError, ExitCode
from ..progress import Progress
from ..signing import load_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="segments or folders of one recording"
    )
    parser.add_argument(
        "--key", type=Path, required=True, metavar="KEY", help="a recipient's private key"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.mp4")
    parser.add_argument("--trust", type=Path, metavar="ROOT.pem", help="the force root")
    parser.add_argument(
        "--allow-untrusted", action="store_true",
        help="export although no trusted key signed it; the manifest says so",
    )  # fmt: skip
    parser.add_argument("--from", dest="from_utc", metavar="T", help="UTC, RFC 3339")
    parser.add_argument("--to", dest="to_utc", metavar="T", help="UTC, RFC 3339")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def main(arguments: argparse.Namespace) -> ExitCode:
    """The verdict of the evidence that was exported: 0, 3 or, if allowed, 5."""
    root = load_root(arguments.trust) if arguments.trust else None
    result = export(
        arguments.paths, arguments.key, root, arguments.out,
        _time(arguments.from_utc, "--from"), _time(arguments.to_utc, "--to"),
        allow_untrusted=arguments.allow_untrusted, progress=_Bars().update,
    )  # fmt: skip
    if arguments.json:
        print(json.dumps({
            "clip": str(result.clip), "manifest": str(result.manifest), "sha256": result.sha256,
            "segments": result.segments, "fragments": result.fragments,
            "pictures": result.pictures, "sounds": result.sounds,
            "from": utc_text(result.utc_from_ns), "to": utc_text(result.utc_to_ns),
            "verdict": result.report.verdict.value,
        }))  # fmt: skip
    else:
        print(f"clip      {result.clip}")
        print(f"manifest  {result.manifest}")
        print(f"sha256    {result.sha256}")
        print(f"from      {utc_text(result.utc_from_ns)}")
        print(f"to        {utc_text(result.utc_to_ns)}")
        print(f"holds     {result.pictures} pictures, {result.sounds} sound frames, "
              f"{result.fragments} fragments of {result.segments} segments")  # fmt: skip
        print(f"verdict   {result.report.verdict.value}")
    return ExitCode(result.report.exit_code)


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

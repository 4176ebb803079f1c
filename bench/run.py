"""`python bench/run.py`: measure, and write docs/PERFORMANCE.md.

`--child` is for the program itself: every measured run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.plan import Plan  # noqa: E402  (run as a file, the package is not on the path yet)


def child(kind: str, raw: str) -> int:
    """One measured process; it imports only what is measured."""
    given = json.loads(raw)
    if kind == "feeder":
        from bench import ours

        ours.feed(given)
        return 0
    plan = Plan(**given)
    if kind in ("ours", "ours-record"):
        from bench import ours

        (ours.record if kind == "ours-record" else ours.buffer_only)(plan)
    elif kind == "protection":
        from bench import protection

        protection.measure(plan)
    else:
        from bench import peers

        peers.run(kind, plan)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure everything and write the page; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--child"]:
        return child(*words[1:])
    options = _options(words)
    from bench import peers, probe, report, stream, suite

    effort = suite.QUICK if options.quick else suite.FULL
    work = stream.cached(options.cache, effort.spec)
    folder = None if options.without_peer else peers.fetch(options.cache)
    runs = options.cache / f"runs-{os.getpid()}"
    load = [_load()]
    measured = suite.Suite(effort, work, runs, folder)
    try:
        measured.run()
    finally:
        shutil.rmtree(runs, ignore_errors=True)
    load.append(_load())
    page = report.Report(
        measured.figures, measured.facts, probe.machine_facts(), effort
    ).markdown(
        "make bench", load,
        f"picamera2 {peers.version(folder)} (its output classes)" if folder else "left out",
        f"{work.spec.width}x{work.spec.height}, {stream.FPS} pictures a second, "
        f"{work.mbit_s:.2f} Mbit/s, libx264 High, a keyframe a second, no B-frames",
    )  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    if options.json:
        raw = {"figures": measured.figures, "facts": measured.facts}
        options.json.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    print(f"bench: written to {options.out}", file=sys.stderr)
    return 0


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "PERFORMANCE.md")
    parser.add_argument("--json", type=Path, help="every single value, for a closer look")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "out" / "bench",
        help="where the stream and picamera2 are kept, and the runs write (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it works")
    parser.add_argument("--without-peer", action="store_true", help="do not fetch picamera2")
    return parser.parse_args(words)


def _load() -> str:
    return f"{os.getloadavg()[0]:.2f}"


if __name__ == "__main__":
    sys.exit(main())

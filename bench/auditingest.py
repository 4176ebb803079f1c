"""What ingest costs: `python -m bench.auditingest [--cameras N] [--days N] [--repeat N]`.

Logs that the recorder's own writer made and signed, each camera's in a store of its own, into a new data set:
everything from reading to Parquet. Each time in a new process, on one core, in seconds of its CPU: the best and
the median are said, as other work on the machine takes from caches and clock, and never gives.

Then a night: one camera more has the next shift in its log, and everything is given to the same data set again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.auditlogs import make_stores, wear
from bodycam.audit.dataset.ingest import Ingest
from bodycam.audit.dataset.store import open_to_write
from bodycam.custody.findings import Verdict
from bodycam.signing import load_file_key, load_root

_FORCE = 30_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What one ingest took."""

    lines: int
    cpu_s: float
    wall_s: float
    most_gb: float


def ingest(into: Path, stores: Sequence[Path], root: Path) -> Spent:
    """Verify the stores and take them into the data set, on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    began_s, used_s = time.perf_counter(), time.process_time()
    with open_to_write(into) as data:
        done = Ingest(data, load_root(root)).take(stores, lambda _done, _total: None)
    used_s, took_s = time.process_time() - used_s, time.perf_counter() - began_s
    if set(done.verdicts.values()) - {Verdict.INTACT} or done.refused:
        raise SystemExit(f"{into}: not all of it is intact")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return Spent(done.lines, used_s, took_s, peak)


def _alone(job: Callable[..., Spent], *words: object) -> Spent:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(job, words)


def measure(folder: Path, cameras: int, days: int, repeat: int) -> None:
    stores, root = make_stores(folder, cameras, days)
    size = sum((store / "log" / "events.jsonl").stat().st_size for store in stores)
    all_spent = []
    for number in range(repeat):
        spent = _alone(ingest, folder / f"set-{number}", stores, root)
        all_spent.append(spent)
        print(f"  {spent.lines / spent.cpu_s:,.0f} lines a second of CPU: {spent.cpu_s:.1f} s of CPU in "
              f"{spent.wall_s:.1f} s, at most {spent.most_gb:.2f} GB", flush=True)  # fmt: skip
    lines = all_spent[0].lines
    print(f"{cameras} cameras, {days} shifts each: {lines:,} lines, {size / 1e6:.0f} MB")
    for word, cpu_s in (("best", min(s.cpu_s for s in all_spent)),
                        ("median", statistics.median(s.cpu_s for s in all_spent))):  # fmt: skip
        print(f"{word}: {lines / cpu_s:,.0f} lines a second, {size / cpu_s / 1e6:.0f} MB a second; a day of "
              f"{_FORCE:,} cameras is {cpu_s / cameras / days * _FORCE / 3600:.2f} hours of one core")  # fmt: skip
    written = sum(p.stat().st_size for p in (folder / "set-0").rglob("*.parquet"))
    print(f"{written / cameras / days:,.0f} bytes of Parquet a camera-day")
    wear(stores[0], stores[0].name, load_file_key(folder / "force" / "identity"), days)
    night = _alone(ingest, folder / "set-0", stores, root)
    print(f"a night later, one of them having a shift more: {night.lines:,} lines were read, "
          f"{night.cpu_s:.2f} s of CPU")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=30)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bodycam-bench-"))
    try:
        measure(folder, arguments.cameras, arguments.days, arguments.repeat)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

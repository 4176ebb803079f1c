"""What the audit of a force costs: `python -m bench.audit [--cameras N ...] [--log-days N]`.

First ingest, on one core, of logs that the recorder's own writer made and signed. Then a month of so
many cameras, made directly in the ingested form, and every measure of the engine over it. Each size is
measured in a process of its own, with DuckDB held to the memory that is given.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis

from bench.auditlogs import make_store
from bodycam.audit.dataset.ingest import Ingest
from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.policy import load_policy
from bodycam.signing import load_root
from bodycam.simulate.month.behaviours import load_behaviours
from bodycam.simulate.month.make import make_month

DAYS = 30


def ingest_speed(folder: Path, days: int) -> None:
    """Lines a second of one core, with everything from reading to Parquet."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    store, root = make_store(folder, days)
    size = (store / "log" / "events.jsonl").stat().st_size
    began_s, used_s = time.perf_counter(), time.process_time()
    with open_to_write(folder / "set") as data:
        done = Ingest(data, load_root(root)).take([store], lambda _done, _total: None)
    used_s, took_s = time.process_time() - used_s, time.perf_counter() - began_s
    written = sum(p.stat().st_size for p in (folder / "set").rglob("*.parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"ingest: {days} camera-days, {done.lines:,} lines, {size / 1e6:.0f} MB of logs")
    print(
        f"  {done.lines / used_s:,.0f} lines a second of CPU: {used_s:.1f} s of CPU in {took_s:.1f} s"
    )
    print(
        f"  {used_s / days * 30_000 / 3600:.1f} hours of one core for a day of 30,000 cameras; at most {peak:.2f} GB"
    )
    print(f"  {written / days:,.0f} bytes of Parquet a camera-day", flush=True)


def audit_month(folder: Path, cameras: int, memory: str, threads: int) -> None:
    """Every measure over it, as tables of results."""
    made_s = time.perf_counter()
    make_month(folder / "set", cameras, DAYS, 1, load_behaviours(), lambda _done, _of: None)
    made_s = time.perf_counter() - made_s
    data = DataSet(folder / "set")
    rows: Counter[str] = Counter()
    for file in data.manifest.files:
        rows[file.table] += file.rows
    told = ", ".join(f"{count:,} {table}" for table, count in sorted(rows.items()))
    print(
        f"{cameras} cameras, {DAYS} days: {told}, {_size(folder) / 1e6:.0f} MB; made in {made_s:.0f} s"
    )
    began_s, cpu_s = time.perf_counter(), time.process_time()
    most_spill = 0

    def show(done: int, total: int) -> None:
        nonlocal most_spill
        most_spill = max(most_spill, _size(folder / "results" / "work"))
        print(f"  {done}/{total} {time.perf_counter() - began_s:7.1f} s, "
              f"{time.process_time() - cpu_s:7.1f} s of CPU, {_peak_gb():.1f} GB", flush=True)  # fmt: skip

    results = measure_force(
        data, load_policy(), folder / "results", limits=Limits(memory, threads), show=show
    )
    spent_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    incidents = results.open("incidents", ibis.duckdb.connect())
    kinds = incidents.group_by("kind").agg(n=incidents.count()).order_by("kind").to_pyarrow()
    print(f"  all measures: {spent_s:.1f} s, {used_s:.1f} s of CPU, at most {_peak_gb():.1f} GB of memory "
          f"and {most_spill / 1e6:.0f} MB of disk; results {_size(results.folder) / 1e6:.0f} MB")  # fmt: skip
    print(
        f"  {dict(zip(kinds['kind'].to_pylist(), kinds['n'].to_pylist(), strict=True))}", flush=True
    )


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, nargs="*", default=[300, 1000, 3000])
    parser.add_argument("--log-days", type=int, default=20)
    parser.add_argument("--memory", default="6GB")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    jobs: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
    if arguments.log_days:
        jobs.append((ingest_speed, (arguments.log_days,)))
    jobs += [(audit_month, (n, arguments.memory, arguments.threads)) for n in arguments.cameras]
    for job, words in jobs:
        folder = Path(tempfile.mkdtemp(prefix="bodycam-bench-"))
        try:
            process = multiprocessing.get_context("spawn").Process(
                target=job, args=(folder, *words)
            )
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""What the audit of a force costs: `python -m bench.audit [--cameras N ...]`.

A month of so many cameras, made directly in the ingested form, and every measure of the engine over it.
Each size is measured in a process of its own, with DuckDB held to the memory that is given. What ingest
costs says `bench.auditingest`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import ibis

from bodycam.audit.dataset.store import DataSet
from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.policy import load_policy
from bodycam.simulate.month.behaviours import load_behaviours
from bodycam.simulate.month.make import make_month

DAYS = 30


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
    parser.add_argument("--memory", default="6GB")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for cameras in arguments.cameras:
        folder = Path(tempfile.mkdtemp(prefix="bodycam-bench-"))
        try:
            process = multiprocessing.get_context("spawn").Process(
                target=audit_month, args=(folder, cameras, arguments.memory, arguments.threads)
            )
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

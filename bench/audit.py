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
from bodycam.audit.engine.results import WORK, Results
from bodycam.audit.force.run import RESULTS, Wanted, audit_force
from bodycam.audit.policy import load_policy
from bodycam.simulate.month.behaviours import load_behaviours
from bodycam.simulate.month.make import make_month

DAYS = 30


def audit_month(folder: Path, cameras: int, memory: str, threads: int) -> None:
    """Every measure over it, as tables of results, and the report of the force."""
    made_s = time.perf_counter()
    make_month(folder / "set", cameras, DAYS, 1, load_behaviours(), lambda _done, _of: None)
    made_s = time.perf_counter() - made_s
    rows: Counter[str] = Counter()
    for file in DataSet(folder / "set").manifest.files:
        rows[file.table] += file.rows
    told = ", ".join(f"{count:,} {table}" for table, count in sorted(rows.items()))
    print(
        f"{cameras} cameras, {DAYS} days: {told}, {_size(folder) / 1e6:.0f} MB; made in {made_s:.0f} s"
    )
    began_s, cpu_s = time.perf_counter(), time.process_time()
    work, most_work = folder / "out" / RESULTS / WORK, 0

    def spent() -> str:
        used_s = time.process_time() - cpu_s
        return f"{time.perf_counter() - began_s:.1f} s, {used_s:.1f} s of CPU, at most {_peak_gb():.1f} GB"

    def show(done: int, total: int) -> None:
        nonlocal most_work
        most_work = max(most_work, _size(work))
        print(f"  step {done} of {total}: {spent()}", flush=True)

    wanted = Wanted(folder / "set", folder / "out", load_policy(), (), memory, threads)
    written = audit_force(wanted, show)
    print(f"  all measures and the report: {spent()} of memory, {most_work / 1e6:.0f} MB of disk on the "
          f"way; results {_size(folder / 'out') / 1e6:.0f} MB")  # fmt: skip
    incidents = Results(folder / "out" / RESULTS).open("incidents", ibis.duckdb.connect())
    kinds = incidents.group_by("kind").agg(
        n=incidents.count(), open=(incidents.kinds != incidents.kind).sum()
    )
    for row in kinds.order_by("kind").to_pyarrow().to_pylist():
        print(f"  {row['kind']}: {row['n']:,}, of which the clocks leave open {row['open']:,}")
    print(f"  {len(written.files)} files written", flush=True)


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

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
import pyarrow as pa
import pyarrow.parquet as pq

from bench.auditlogs import make_store
from bench.auditmonth import month
from bodycam.audit.dataset.ingest import Ingest
from bodycam.audit.dataset.schema import EVENTS, RECORDINGS, SPANS
from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.engine.buffers import buffer_deficits
from bodycam.audit.engine.cameras import kills, shifts, short_recordings, time_measures, toggles
from bodycam.audit.engine.incidents import Asked, parts, scores
from bodycam.audit.engine.tables import duckdb_reader, open_tables
from bodycam.audit.policy import load_policy
from bodycam.signing import load_root

_BATCH = 500
_PART = 3000


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


def make_month(folder: Path, cameras: int) -> None:
    """The data set of so many cameras, and their incidents beside it."""
    with open_to_write(folder / "set") as data:
        for first in range(0, cameras, _BATCH):
            made = month(first, min(_BATCH, cameras - first))
            data.commit(made.tables, {})
            for name, table in (("incidents", made.incidents), ("worn", made.worn)):
                (folder / name).mkdir(exist_ok=True)
                pq.write_table(table, folder / name / f"{first:06}.parquet")


def audit_month(folder: Path, cameras: int, memory: str, threads: int) -> None:
    """Every measure over it; what comes out is what a report needs: classes, sums, flags."""
    made_s = time.perf_counter()
    make_month(folder, cameras)
    made_s = time.perf_counter() - made_s
    size = sum(p.stat().st_size for p in folder.rglob("*.parquet"))
    data, policy = DataSet(folder / "set"), load_policy()
    rows = {t.name: sum(f.rows for f in data.manifest.files if f.table == t.name)
            for t in (SPANS, RECORDINGS, EVENTS)}  # fmt: skip
    read = duckdb_reader(memory_limit=memory, threads=threads, temp_directory=str(folder / "spill"))
    tables = open_tables(data, read)
    engine = tables.spans.get_backend()
    asked = Asked(
        engine.read_parquet(str(folder / "incidents" / "*.parquet"), table_name="incidents"),
        engine.read_parquet(str(folder / "worn" / "*.parquet"), table_name="worn"), tables, policy,
    )  # fmt: skip
    print(f"{cameras} cameras, 30 days: {rows['spans']:,} spans, {rows['recordings']:,} recordings, "
          f"{cameras * 300:,} incidents, {size / 1e6:.0f} MB; made in {made_s:.0f} s")  # fmt: skip
    total_s = 0.0

    def took(name: str, ask: Callable[[], Any]) -> Any:
        nonlocal total_s
        began_s, cpu_s = time.perf_counter(), time.process_time()
        found = ask()
        spent_s = time.perf_counter() - began_s
        total_s += spent_s
        print(
            f"  {name:24} {spent_s:7.1f} s, {time.process_time() - cpu_s:7.1f} s of CPU", flush=True
        )
        return found

    count = -(-cameras // _PART)
    kinds = took(f"M20 to M29, {count} parts", lambda: _classes(parts(asked, count)))
    found = took("shifts", lambda: shifts(tables, policy.device).cache())
    measured = took("M1, M2, M7, M12", lambda: time_measures(tables, found).cache())
    took("M3", lambda: _count(buffer_deficits(tables, found, policy.device)))
    took("M4", lambda: _count(toggles(tables, found, measured)))
    took("M5", lambda: _count(short_recordings(tables, found, policy.device)))
    took("M6", lambda: _count(kills(tables, found)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"  all {total_s:.1f} s, at most {peak:.1f} GB of memory; {kinds}", flush=True)


def _classes(asked: list[Asked]) -> dict[str, int]:
    kinds: Counter[str] = Counter()
    for part in asked:
        table = scores(part).group_by("kind").agg(n=ibis._.count(), us=ibis._.evid_us.sum())
        for row in table.to_pyarrow().to_pylist():
            kinds[row["kind"]] += row["n"]
    return dict(sorted(kinds.items()))


def _count(table: Any) -> int:
    """Every column is computed: a count alone would need none."""
    numbers = [c for c in table.columns if table[c].type().is_numeric()]
    found: pa.Table = table.agg(
        n=table.count(), **{f"most_{c}": table[c].max() for c in numbers}
    ).to_pyarrow()
    count: int = found["n"][0].as_py()
    return count


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

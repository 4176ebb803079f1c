"""Every measure of a whole force, in parts that need no more memory than one part does.

| what                  | a part                                                                       |
|-----------------------|------------------------------------------------------------------------------|
| M1 to M16 of shifts   | the cameras of some batches: the files of each are its own                    |
| M20 to M29            | some time: the incidents that are due in it, and what all cameras did then    |

Who was at one event may lie in two parts: an incident needs of the others only who they were and what
their cameras prove of its own window. Forces are measured one after the other; an id of one is
nothing in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from ..assignments import FOREVER_US
from ..dataset.schema import CAMERA_TABLES, SOURCES, SPANS, Kind
from ..dataset.schema import INCIDENTS as INCIDENT_ROWS
from ..dataset.store import DataFile, DataSet
from ..policy import Policy
from ..scoring import S
from .assigned import camera_rows, missing_cameras
from .beside import Beside
from .cameras import shifts
from .covered import alone, covered, joined, officer_rows
from .incidents import Asked, scores
from .months import Months, months_of
from .presses import latencies, percentiles
from .results import Results
from .shiftrows import cases, measured, stretch_rows
from .tables import AuditTables, Read, camera_tables, duckdb_reader, record_tables, whole, worn
from .windows import EMPTY_WINDOW, windows

Show = Callable[[int, int], None]
PART_SPANS = 4_000_000
PART_INCIDENTS = 400_000
# The buffer of a press that comes so long after its first picture is longer than any.
_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may take of the machine."""

    memory: str = "6GB"
    threads: int = 2
    part_spans: int = PART_SPANS
    part_incidents: int = PART_INCIDENTS


def _quietly(_done: int, _total: int) -> None:
    return None


def measure_force(
    data: DataSet, policy: Policy, into: Path, *, months: Sequence[str] = (),
    limits: Limits = Limits(), show: Show = _quietly,
) -> Results:  # fmt: skip
    """All measures of what is in a data set, of these months or of all there is, as tables below
    `into`. Raises ConfigError, StorageError.
    """
    results, asked = Results(into), months_of(months)
    results.begin()
    read = duckdb_reader(
        memory_limit=limits.memory, threads=limits.threads, temp_directory=str(results.work / "spill"),
        preserve_insertion_order=False,
    )  # fmt: skip
    names = sorted({file.force for file in data.manifest.files}) or [""]
    runs = [
        _Force(number, name, data, policy, results, asked, limits, read)
        for number, name in enumerate(names)
    ]
    total, done = sum(run.steps for run in runs), 0
    show(0, total)
    for run in runs:
        for _ in run.carry_out():
            done += 1
            show(min(done, total), total)
    results.end()
    return results


@dataclass
class _Force:
    """The run over one force; what it writes is named after its number."""

    number: int
    name: str
    data: DataSet
    policy: Policy
    results: Results
    months: Months
    limits: Limits
    read: Read

    def __post_init__(self) -> None:
        self._files = [f for f in self.data.manifest.files if f.force == self.name]
        self._groups = _groups(self._files, self.limits.part_spans)
        rows = sum(f.rows for f in self._files if f.table == INCIDENT_ROWS.name)
        self._parts = max(1, -(-rows // self.limits.part_incidents))

    @property
    def steps(self) -> int:
        return len(self._groups) + self._parts + 2

    def carry_out(self) -> Iterator[None]:
        """One step after the other."""
        self._prepare()
        yield
        for number, files in enumerate(self._groups):
            self._measure_cameras(f"{number:06}", files)
            yield
        for part in range(self._parts):
            self._score(part)
            yield
        self._sum_up()
        yield

    def _write(self, t: ir.Table, table: str, part: str) -> None:
        t = t.mutate(force=ibis.literal(self.name)).relocate("force")
        path = self.results.path(table, f"{self.number:03}-{part}")
        t.get_backend().to_parquet(whole(t), path)

    # -- before -------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Who wore what; who was at an event with others; windows, in parts by time."""
        records = record_tables(self.read, self.data.folder, self._files)
        rows, engine = records.incidents, self._engine
        rows = rows.filter(self.months.near(rows.dispatched_us, rows.dispatched_us + 1))
        there = records.assignments.count().to_pyarrow().as_py()
        roster = self._keep("worn", worn(records.assignments) if there else self._badges())
        at_event = rows.select("event", "officer").distinct()
        shared = at_event.group_by("event").agg(many=at_event.count()).filter(lambda t: t.many > 1)
        self._keep("together", at_event.semi_join(shared, "event"))
        asked = rows.filter(self.months.holds(rows.dispatched_us))
        self._keep("officers", asked.select("officer").distinct())
        told = windows(asked, rows.select("officer", "dispatched_us"), self.policy.incident)
        told = alone(told.drop("force", "month"), roster.select("officer").distinct(), self.policy)
        bounds = self._bounds(asked)
        self._in_parts("windows", told, bounds)
        told = engine.read_parquet(self._work("windows", "*", "*.parquet"))
        self._in_parts("joined", joined(told), bounds)
        self._beside = Beside(
            records, roster, self.policy, self.months, self._keep,
            lambda name: engine.read_parquet(self._work(f"{name}.parquet")),
        )  # fmt: skip
        spans = camera_tables(self.read, self.data.folder, self._files).spans
        self._beside.prepare(spans)

    def _in_parts(self, name: str, t: ir.Table, bounds: Sequence[int]) -> None:
        """Keep these windows in a folder for each part, by when they are due."""
        part = sum(((t.due_us >= b).cast("int32") for b in bounds), ibis.literal(0, "int32"))
        self._engine.to_parquet(
            t.mutate(part=part), self._work(name), partition_by="part", overwrite_or_ignore=True
        )
        for number in range(self._parts):
            folder = Path(self._work(name, f"part={number}"))
            if not folder.exists():
                folder.mkdir(parents=True)
                self._engine.to_parquet(t.limit(0), folder / "none.parquet")

    def _bounds(self, asked: ir.Table) -> list[int]:
        """Moments that divide the incidents into parts of about one size."""
        if self._parts == 1:
            return []
        cuts = [number / self._parts for number in range(1, self._parts)]
        found = asked.agg(cuts=asked.dispatched_us.quantile(cuts)).to_pyarrow()["cuts"][0].as_py()
        return sorted({round(cut) for cut in found or ()})

    def _badges(self) -> ir.Table:
        """Without any assignment a badge id is that of a camera that is worn always."""
        devices = self._devices(self._files)
        return devices.select(
            "device", officer="device", start_us=ibis.literal(-FOREVER_US, "int64"),
            end_us=ibis.literal(FOREVER_US, "int64"),
        )  # fmt: skip

    def _devices(self, files: Sequence[DataFile]) -> ir.Table:
        """The cameras of these files."""
        found = []
        for table in (SPANS, SOURCES):
            paths = [str(self.data.folder / f.path) for f in files if f.table == table.name]
            found.append(self.read(table, paths).select("device"))
        return ibis.union(*found, distinct=True)

    # -- cameras ------------------------------------------------------------------------------

    def _measure_cameras(self, part: str, files: Sequence[DataFile]) -> None:
        cameras = self._near(camera_tables(self.read, self.data.folder, files))
        rules = self.policy.device
        every = shifts(cameras, rules)
        wanted = every.filter(self.months.holds(every.from_us)).cache()
        found = measured(cameras, wanted, rules)
        self._write(stretch_rows(found), "shifts", part)
        self._write(cases(found), "cases", part)
        known = camera_rows(
            cameras, self._devices(files), self._kept("worn"), self._kept("officers"), self.months
        )
        self._write(known, "cameras", part)
        self._beside.of_cameras(part, cameras)

    def _near(self, told: AuditTables) -> AuditTables:
        spans, recordings, events = told.spans, told.recordings, told.events
        return AuditTables(
            spans.filter(self.months.near(spans.start_us, spans.end_us)),
            recordings.filter(self.months.near(recordings.begins_us, recordings.begins_us + 1)),
            events.filter(self.months.near(events.at_us, events.at_us + 1)),
        )

    # -- incidents ----------------------------------------------------------------------------

    def _score(self, part: int) -> None:
        told, clusters = (
            self._engine.read_parquet(
                self._work(name, f"part={part}", "*.parquet"), hive_partitioning=False
            ).cache()
            for name in ("windows", "joined")
        )  # fmt: skip
        empty = told.filter(told.due_us >= told.end_us)
        empty = empty.select("event", "officer", "file", "row", why=ibis.literal(EMPTY_WINDOW))
        self._write(empty, "empty_windows", f"{part:06}")
        incidents = told.filter(told.due_us < told.end_us)
        low_us, high_us = self._reach(incidents, clusters)
        roster, together = self._kept("worn"), self._kept("together")
        cameras = self._during(low_us, high_us)
        live = cameras.spans.filter(cameras.spans.kind == Kind.LIVE.value)
        # Whoever wore a camera at any moment of a recording pressed for it.
        first_us, last_us = _bounds_of(live.select(low="start_us", high="end_us"))
        worn_then = (roster.start_us < max(high_us, last_us)) & (
            roster.end_us > min(low_us, first_us)
        )
        asked = Asked(
            incidents, roster.filter(worn_then), cameras, self.policy,
            at_event=together.semi_join(told, "event"), ever=roster,
        )  # fmt: skip
        scored = scores(asked).cache()
        self._write(scored.drop("incident", "alone"), "incidents", f"{part:06}")
        own = scored.filter(scored.alone)
        columns = ("officer", "window_us", "evid_us", "live_us")
        sums = ibis.union(own.select(*columns), covered(replace(asked, incidents=clusters)))
        self._engine.to_parquet(whole(sums), self._work(f"sums-{part:06}.parquet"))

    def _reach(self, incidents: ir.Table, clusters: ir.Table) -> tuple[int, int]:
        """From the first moment that any of them asks of to the last."""
        before_us = self.policy.incident.vendor_before_s * S
        bounds = ibis.union(
            incidents.select(
                low=ibis.least(incidents.due_us, incidents.dispatched_us - before_us), high="end_us"
            ),
            clusters.select(low="due_us", high="end_us"),
        )
        low_us, high_us = _bounds_of(bounds)
        return low_us, high_us + 1

    def _during(self, low_us: int, high_us: int) -> AuditTables:
        """What all cameras did in [low, high), and presses whose buffer reaches into it."""
        told = camera_tables(self.read, self.data.folder, self._files)
        spans = told.spans
        more_us = ibis.cases(
            (spans.kind == Kind.LIVE.value, _DAY_US), (spans.kind == Kind.CLOCK.value, spans.err_us),
            else_=0,
        )  # fmt: skip
        met = (spans.start_us < high_us + more_us) & (spans.end_us > low_us - more_us)
        return AuditTables(spans.filter(met).cache(), told.recordings, told.events)

    # -- afterwards ---------------------------------------------------------------------------

    def _sum_up(self) -> None:
        """What is of all parts together."""
        engine = self._engine
        sums = engine.read_parquet(self._work("sums-*.parquet"))
        incidents = engine.read_parquet(str(self.results.path("incidents", f"{self.number:03}-*")))
        self._write(officer_rows(incidents, sums), "officers", "all")
        devices = self._devices(self._files)
        missing = missing_cameras(self._kept("worn"), self._kept("officers"), devices)
        self._write(missing, "missing_cameras", "all")
        recordings = camera_tables(self.read, self.data.folder, self._files).recordings
        for name, t in self._beside.results(recordings).items():
            self._write(t, name, "all")
        asked = recordings.filter(self.months.holds(recordings.begins_us))
        self._write(percentiles(latencies(asked), ("firmware",), "took_us"), "latencies", "all")

    # -- what is kept during the run ------------------------------------------------------------

    @property
    def _engine(self) -> Any:
        return self.read(SPANS, ()).get_backend()

    def _work(self, *names: str) -> str:
        folder = self.results.work / f"{self.number:03}"
        folder.mkdir(exist_ok=True)
        return str(folder.joinpath(*names))

    def _keep(self, name: str, t: ir.Table) -> ir.Table:
        self._engine.to_parquet(whole(t), self._work(f"{name}.parquet"))
        return self._kept(name)

    def _kept(self, name: str) -> ir.Table:
        found: ir.Table = self._engine.read_parquet(self._work(f"{name}.parquet"))
        return found


def _bounds_of(t: ir.Table) -> tuple[int, int]:
    """The least low and the greatest high; 0 of nothing."""
    found = t.agg(low=t.low.min(), high=t.high.max()).to_pyarrow().to_pylist()[0]
    return found["low"] or 0, found["high"] or 0


def _groups(files: Sequence[DataFile], most_spans: int) -> list[list[DataFile]]:
    """The files of cameras by batch, as many batches together as have so many spans at most."""
    batches: dict[int, list[DataFile]] = {}
    for file in files:
        if file.table in CAMERA_TABLES:
            batches.setdefault(file.batch, []).append(file)
    groups: list[list[DataFile]] = []
    spans = most_spans
    for batch in sorted(batches):
        more = sum(f.rows for f in batches[batch] if f.table == SPANS.name)
        if spans + more > most_spans:
            groups.append([])
            spans = 0
        groups[-1] += batches[batch]
        spans += more
    return groups or [[]]

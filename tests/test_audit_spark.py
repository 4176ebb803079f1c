"""The same expressions on Spark give the same numbers, every one of them."""

from __future__ import annotations

import gc
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.backends.pyspark import Backend as SparkBackend
from msgspec import structs
from pyspark import SparkContext
from pyspark.sql import SparkSession

from bodycam.audit.complaints import Complaint
from bodycam.audit.engine import strata
from bodycam.audit.engine.assigned import camera_rows, missing_cameras
from bodycam.audit.engine.beside import Beside
from bodycam.audit.engine.cameras import STRETCH, shifts
from bodycam.audit.engine.covered import alone, covered, joined
from bodycam.audit.engine.groupfacts import groups_of
from bodycam.audit.engine.incidents import scores
from bodycam.audit.engine.months import Months
from bodycam.audit.engine.pieces import Asked
from bodycam.audit.engine.presses import latencies, percentiles
from bodycam.audit.engine.shiftrows import Measured, cases, measured, stretch_rows
from bodycam.audit.engine.tables import (
    AuditTables,
    Read,
    RecordTables,
    camera_tables,
    duckdb_reader,
    record_tables,
    spark_reader,
    worn,
)
from bodycam.audit.engine.windows import windows
from bodycam.audit.groups import Groups
from bodycam.audit.incidents import Bound, Incident
from bodycam.audit.scoring import IncidentClass, S
from bodycam.audit.strata import offsets

from .randomaudit import DAY_US, force, write
from .test_audit_beside import add_records, random_duties, random_filings, random_uses
from .test_audit_engine import strict_policy

# One group: there is one session, and it is a process of a gigabyte.
pytestmark = [
    pytest.mark.system, pytest.mark.xdist_group("spark"), pytest.mark.timeout(600),
    # Spark 4.0 brings a result to Python by way of pandas 3, and leaves its socket to the collector.
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]  # fmt: skip

# Little data and long plans: nearly all of the time is planning. None of this changes a number.
_QUICK = {
    # Plans each query again after every shuffle.
    "spark.sql.adaptive.enabled": "false",
    # Derives predicates from predicates: exponential in columns that are made of columns.
    "spark.sql.constraintPropagation.enabled": "false",
    # Java source for each stage, compiled to be run once.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.memory": "1g",
}
_HERE = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def _computed(spark: Any, name: str, table: Any) -> Any:
    """What the engine keeps, computed: Ibis keeps the plan as well, and all of it is analysed each time."""
    kept = spark._session.sql(spark.compile(table)).localCheckpoint()
    kept.createTempView(name)
    spark._cached_dataframes[name] = kept
    return spark.table(name)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    builder = SparkSession.builder.master("local[1]").appName("bodycam audit")
    folder = tmp_path_factory.mktemp("spark")
    places = {"spark.sql.warehouse.dir": str(folder), "spark.local.dir": str(folder)}
    for key, value in (_QUICK | _HERE | places).items():
        builder = builder.config(key, value)
    interrupted = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patched:
        for name in ("SPARK_AUTH_SOCKET_TIMEOUT", "SPARK_BUFFER_SIZE"):
            patched.setenv(name, "")  # Spark's own, and taken back
        session = builder.getOrCreate()
        patched.setattr(SparkBackend, "_create_cached_table", _computed)
        # All of it goes with the session; later there is nobody to tell.
        patched.setattr(SparkBackend, "_finalize_cached_table", lambda _spark, _name: None)
        yield session
    # What was read from sockets is left to the collector: let it not be another test's.
    gc.collect()
    gateway: Any = SparkContext._gateway
    session.stop()
    # The virtual machine would stay until this process ends.
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None
    signal.signal(signal.SIGINT, interrupted)


@dataclass(frozen=True)
class Engine:
    """One of the two, with the same data set in it."""

    cameras: AuditTables
    records: RecordTables

    @cached_property
    def shifts(self) -> Any:
        return shifts(self.cameras, POLICY.device).cache()

    @cached_property
    def measured(self) -> Measured:
        return measured(self.cameras, self.shifts, self.shifts, POLICY.device, self.worn)

    @cached_property
    def worn(self) -> Any:
        return worn(self.records.assignments).cache()

    @cached_property
    def windows(self) -> Any:
        told = self.records.incidents
        dispatches = told.select("officer", "dispatched_us")
        found = windows(told, dispatches, POLICY.incident)
        # Rows are numbered as an engine finds them.
        found = found.mutate(incident=found.row)
        return alone(found, self.worn.select("officer").distinct(), POLICY).cache()

    @cached_property
    def asked(self) -> Asked:
        there = self.windows.filter(self.windows.due_us < self.windows.end_us)
        return Asked(there, self.worn, self.cameras, POLICY)

    @cached_property
    def scored(self) -> Any:
        return scores(self.asked).cache()

    @cached_property
    def beside(self) -> Mapping[str, Any]:
        kept: dict[str, Any] = {}

        def keep(name: str, t: Any) -> Any:
            kept[name] = t.cache()
            return kept[name]

        run = Beside(
            self.records, self.worn, POLICY, Months(), keep,
            lambda pattern: kept[pattern.replace("*", "all")],
        )  # fmt: skip
        run.prepare(self.cameras.spans)
        run.of_cameras("all", self.cameras)
        return run.results(self.cameras.recordings)

    def groups(self) -> Groups:
        """M30 to M35, from tables of results as a run over a force leaves them."""
        found = {**self.beside, "incidents": self.scored.mutate(kinds=self.scored.kind)}
        return groups_of(lambda name: found[name].mutate(force=ibis.literal("example")), POLICY)


Rows = list[dict[str, Any]]
POLICY = strict_policy()


@pytest.fixture(scope="module")
def engines(session: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Engine]:
    """DuckDB and Spark over the same data set."""
    rng = random.Random(7)
    made = force(rng, cameras=20, incidents=400)
    # Nobody says when it ended, and nothing follows.
    last_us = max(one.dispatched_us for one in made.incidents)
    made.incidents.append(Incident("ev-open", "pc-001", last_us + 3600 * S))
    folder = tmp_path_factory.mktemp("set") / "set"
    write(folder, list(made.lines.values()))
    duties, uses = random_duties(rng, made, 200), random_uses(rng, made, 300)
    complaints = [
        Complaint(rng.choice(made.incidents).event, rng.choice(("", "pc-001"))) for _ in range(40)
    ]
    data = add_records(folder, (made, duties, uses, complaints, random_filings(rng, made)))

    def engine(read: Read) -> Engine:
        files = data.manifest.files
        return Engine(camera_tables(read, folder, files), record_tables(read, folder, files))

    return engine(duckdb_reader()), engine(spark_reader(session))


def rows(found: pa.Table) -> Rows:
    """Rows in an order of their own."""
    told = ({name: row[name] for name in sorted(row)} for row in found.to_pylist())
    return sorted(told, key=repr)


def of_spark(table: Any, folder: Path) -> pa.Table:
    """What Spark itself writes: by way of pandas, as in Ibis, a whole number may become a float."""
    table.to_parquet(folder)
    return pq.read_table(folder)


def same(engines: tuple[Engine, Engine], ask: Callable[[Engine], Any]) -> Rows:
    """What both engines answer, which must be the same to the last digit."""
    duckdb = rows(ask(engines[0]).to_pyarrow())
    with TemporaryDirectory() as folder:
        spark = rows(of_spark(ask(engines[1]), Path(folder) / "found"))
    assert len(duckdb) == len(spark)
    for one, other in zip(duckdb, spark, strict=True):
        assert one == other
    return duckdb


def test_each_incident_is_scored_alike(engines: tuple[Engine, Engine]) -> None:
    found = same(engines, lambda engine: engine.scored)
    # What never happens is not compared.
    assert {row["kind"] for row in found} == {kind.value for kind in IncidentClass}
    assert {row["left_out"] for row in found} == {"", "EXCLUDED", "UNMATCHED"}
    assert {row["due_by"] for row in found} | {row["end_by"] for row in found} == {
        bound.value for bound in Bound
    }
    for flag in ("retro", "vendor", "late", "saved_by_buffer", "early", "handed_over"):
        assert {row[flag] for row in found} == {False, True}, flag
    for sum_us in ("failed_us", "muted_us", "no_device_us", "partner_us", "gap_us", "err_us", "flat_us",
                   "others", "others_recording"):  # fmt: skip
        assert any(row[sum_us] for row in found), sum_us


def test_time_that_windows_share_is_counted_alike(engines: tuple[Engine, Engine]) -> None:
    def ask(engine: Engine) -> Any:
        return covered(replace(engine.asked, incidents=joined(engine.windows)))

    found = same(engines, ask)
    assert any(0 < row["evid_us"] < row["window_us"] for row in found)


def test_each_measure_of_each_shift_is_alike(engines: tuple[Engine, Engine]) -> None:
    found = same(engines, lambda engine: stretch_rows(engine.measured))
    numbers = {name.partition("_")[0] for name in found[0] if name not in STRETCH}
    assert numbers == {f"m{number}" for number in range(1, 17)}
    # Peers and reason codes are never logged; a shift begins once.
    constant = {"m8_coded", "m15_peer_events", "m15_gap_us", "m14_shifts"}
    for name in found[0].keys() - constant:
        assert len({row[name] for row in found}) > 1, name


def test_each_case_behind_them_is_alike(engines: tuple[Engine, Engine]) -> None:
    found = same(engines, lambda engine: cases(engine.measured))
    assert {row["measure"] for row in found} == {
        "M3", "M5", "M6", "M9", "M11", "M12", "M13", "M14", "M16",
    }  # fmt: skip


def test_what_only_one_side_knows_is_alike(engines: tuple[Engine, Engine]) -> None:
    def officers(engine: Engine) -> Any:
        return engine.records.incidents.select("officer").distinct()

    def devices(engine: Engine) -> Any:
        return engine.cameras.spans.select("device").distinct()

    found = same(
        engines,
        lambda e: camera_rows(e.cameras, devices(e), e.worn, officers(e), Months()),
    )
    assert any(row["unassigned_recordings"] for row in found)
    (lost,) = same(engines, lambda e: missing_cameras(e.worn, officers(e), devices(e)))
    assert lost["device"] == "cam-lost"
    took = same(
        engines, lambda e: percentiles(latencies(e.cameras.recordings), ("firmware",), "took_us")
    )
    assert {row["firmware"] for row in took} == {"1", "2"}


def test_duties_uses_of_force_and_filings_are_alike(engines: tuple[Engine, Engine]) -> None:
    found = {name: same(engines, lambda e, n=name: e.beside[n]) for name in engines[0].beside}  # type: ignore[misc]
    assert all(found.values())
    for name in ("stops_surely", "stops_possibly", "covered_us_min", "covered_us_max", "assigned"):
        assert len({row[name] for row in found["near_force"]}) > 1, name
    for name in ("covered_us", "recorded_us", "no_device_us", "fault_us", "unknown_us"):
        assert any(row[name] for row in found["duties"]), name


def test_what_is_said_of_the_group_is_alike(engines: tuple[Engine, Engine]) -> None:
    found = engines[0].groups()
    assert found == engines[1].groups()
    assert None not in (found.force, found.missingness, found.never, found.late, found.duties)
    assert found.sites
    assert found.filing


def test_incidents_are_counted_alike_by_stratum_and_outcome(
    engines: tuple[Engine, Engine],
) -> None:
    def counts(engine: Engine, kind: str) -> Any:
        # How they are scored is compared above.
        told = engine.windows.mutate(force=ibis.literal("example"), kind=engine.windows.clearance)
        judged = told.filter(told.left_out == "")
        judged = judged.mutate(band=strata.band_of(judged.dispatched_us, changes, berlin))
        records = engine.records
        came = strata.outcomes(records.force_uses, records.complaints)
        found = strata.with_outcome(judged, came.mutate(force=ibis.literal("example")))
        by = [*strata.WHERE, *strata.UNIT[-1:], "officer", "outcome", "kind"]
        if kind == "unmatched":
            return strata.unmatched(records.incidents, came)
        return found.group_by(by).agg(incidents=found.count())

    berlin = structs.replace(POLICY.statistics, shift_zone="Europe/Berlin")
    changes = offsets(berlin.zone(), DAY_US, DAY_US + 200 * 86_400 * S)
    assert len(changes) == 2
    found = same(engines, lambda engine: counts(engine, "all"))
    assert len({row["band"] for row in found}) > 1
    assert {row["outcome"] for row in found} == {False, True}
    assert same(engines, lambda engine: counts(engine, "unmatched"))

"""The same expressions on Spark give the same numbers, every one of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

from bodycam.audit.engine.buffers import buffer_deficits
from bodycam.audit.engine.cameras import (
    kills,
    shifts,
    short_recordings,
    time_measures,
    toggles,
    unknown_stretches,
    whole_lines,
)
from bodycam.audit.engine.incidents import Asked, scores
from bodycam.audit.engine.tables import (
    AuditTables,
    incident_table,
    open_tables,
    spark_reader,
    worn_table,
)
from bodycam.audit.incidents import windows
from bodycam.audit.scoring import IncidentClass

from .randomaudit import Force, force, write
from .test_audit_engine import strict_policy

# One group: there is one session, and it is a process of a gigabyte.
pytestmark = [pytest.mark.system, pytest.mark.xdist_group("spark"), pytest.mark.timeout(600)]

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


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    builder = SparkSession.builder.master("local[1]").appName("bodycam audit")
    folder = tmp_path_factory.mktemp("spark")
    places = {"spark.sql.warehouse.dir": str(folder), "spark.local.dir": str(folder)}
    for key, value in (_QUICK | _HERE | places).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    gateway: Any = SparkContext._gateway
    session.stop()
    # The virtual machine would stay until this process ends.
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None


@dataclass(frozen=True)
class Engine:
    """One of the two, with the cameras and the records in it."""

    cameras: AuditTables
    asked: Asked

    @property
    def shifts(self) -> Any:
        return shifts(self.cameras, self.asked.policy.device)


Rows = list[dict[str, Any]]
Put = Callable[[pa.Table, str], Any]


@pytest.fixture(scope="module")
def engines(session: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Engine]:
    """DuckDB and Spark over the same data set."""
    made = force(random.Random(8), cameras=20, incidents=500)
    data = write(tmp_path_factory.mktemp("set") / "set", list(made.lines.values()))
    spark = ibis.pyspark.connect(session)
    folder = tmp_path_factory.mktemp("records")

    def to_spark(rows: pa.Table, name: str) -> Any:
        return spark.read_parquet(_parquet(rows, folder / name), table_name=name)

    def to_duckdb(rows: pa.Table, _name: str) -> Any:
        return ibis.memtable(rows)

    return (
        _engine(made, open_tables(data), to_duckdb),
        _engine(made, open_tables(data, spark_reader(session)), to_spark),
    )


def _parquet(rows: pa.Table, path: Path) -> Path:
    pq.write_table(rows, path)
    return path


def _engine(made: Force, cameras: AuditTables, put: Put) -> Engine:
    policy = strict_policy()
    told = incident_table(made.incidents, windows(made.incidents, policy.incident))
    worn = put(worn_table(made.assignments), "worn")
    return Engine(cameras, Asked(put(told, "told"), worn, cameras, policy))


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


def test_incidents_are_scored_alike(engines: tuple[Engine, Engine]) -> None:
    found = same(engines, lambda engine: scores(engine.asked))
    # What never happens is not compared.
    assert {row["kind"] for row in found} == {kind.value for kind in IncidentClass}
    assert {row["left_out"] for row in found} == {"", "EXCLUDED", "UNMATCHED"}
    for flag in ("retro", "vendor", "late", "saved_by_buffer", "early", "handed_over"):
        assert {row[flag] for row in found} == {False, True}, flag
    for sum_us in ("failed_us", "muted_us", "no_device_us", "partner_us", "gap_us", "err_us"):
        assert any(row[sum_us] for row in found), sum_us


def test_time_in_states_is_alike(engines: tuple[Engine, Engine]) -> None:
    for found in (
        same(engines, lambda engine: time_measures(engine.cameras, engine.shifts)),
        same(engines, lambda engine: time_measures(engine.cameras, whole_lines(engine.cameras))),
    ):
        for sum_us in ("ready_us", "sleep_us", "muted_us", "live_us", "unknown_us", "off_us"):
            assert any(row[sum_us] for row in found), sum_us


def test_recordings_are_measured_alike(engines: tuple[Engine, Engine]) -> None:
    def within_shifts(measure: Callable[..., Any], **more: Any) -> Rows:
        return same(engines, lambda engine: measure(engine.cameras, engine.shifts, **more))

    rules = strict_policy().device
    hourly = same(
        engines, lambda e: toggles(e.cameras, e.shifts, time_measures(e.cameras, e.shifts))
    )
    assert any(row["starts"] for row in hourly)
    assert any(row["cancelled_stops"] for row in hourly)
    short = within_shifts(short_recordings, rules=rules)
    assert {row["short"] for row in short} == {row["bounce"] for row in short} == {False, True}
    assert len({row["why"] for row in within_shifts(kills)}) > 3
    assert within_shifts(unknown_stretches)
    causes = {row["cause"] for row in within_shifts(buffer_deficits, rules=rules)}
    assert causes == {"disabled", "abuts", "from_sleep", "fresh_power", "capacity", "unexplained"}

"""The same expressions on Spark give the same numbers: `make soak`, for it takes Java and a minute."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import ibis
import pyarrow as pa
import pytest

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
from bodycam.audit.policy import load_policy

from .randomaudit import Force, force, write

pytestmark = [
    pytest.mark.soak, pytest.mark.timeout(1200),
    # Spark's own bridge and pandas; none is ours.
    pytest.mark.filterwarnings("ignore"),
]  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[1]").appName("bodycam audit")
        .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(folder)).config("spark.driver.memory", "1g")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        .getOrCreate()
    )  # fmt: skip
    yield session
    session.stop()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Force, Any]:
    found = force(random.Random(5), cameras=8, incidents=100)
    folder = tmp_path_factory.mktemp("set") / "set"
    return found, write(folder, list(found.lines.values()))


def numbers(table: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return sorted(({k: row[k] for k in sorted(row)} for row in found), key=repr)


Put = Callable[[str, pa.Table], Any]


def asked(made: Force, cameras: AuditTables, put: Put) -> Asked:
    policy = load_policy()
    told = incident_table(made.incidents, windows(made.incidents, policy.incident))
    worn = worn_table(made.assignments)
    return Asked(put("cad", told), put("roster", worn), cameras, policy)


def test_incidents_are_scored_alike(made: tuple[Force, Any], session: Any) -> None:
    found, data = made

    def to_spark(name: str, rows: pa.Table) -> Any:
        session.createDataFrame(rows.to_pandas()).createOrReplaceTempView(name)
        return ibis.pyspark.connect(session).table(name)

    expected = numbers(scores(asked(found, open_tables(data), lambda _, t: ibis.memtable(t))))
    assert len(expected) > 100
    cameras = open_tables(data, spark_reader(session))
    assert numbers(scores(asked(found, cameras, to_spark))) == expected


def test_cameras_are_measured_alike(made: tuple[Force, Any], session: Any) -> None:
    _, data = made
    rules = load_policy().device

    def figures(cameras: AuditTables) -> dict[str, list[dict[str, Any]]]:
        wanted = shifts(cameras, rules)
        return {
            "all": numbers(time_measures(cameras, whole_lines(cameras))),
            "time": numbers(time_measures(cameras, wanted)),
            "toggles": numbers(toggles(cameras, wanted, time_measures(cameras, wanted))),
            "short": numbers(short_recordings(cameras, wanted, rules)),
            "kills": numbers(kills(cameras, wanted)),
            "unknown": numbers(unknown_stretches(cameras, wanted)),
            "buffers": numbers(buffer_deficits(cameras, wanted, rules)),
        }

    assert figures(open_tables(data, spark_reader(session))) == figures(open_tables(data))

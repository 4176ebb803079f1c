"""The tables that the engine asks: those of a data set, and what dispatch and roster say beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from ..assignments import Assignments
from ..dataset.schema import (
    ASSIGNMENTS,
    COMPLAINTS,
    DUTIES,
    EVENTS,
    FILINGS,
    FORCE_USES,
    RECORDINGS,
    SPANS,
    TableSchema,
)
from ..dataset.schema import INCIDENTS as INCIDENT_ROWS
from ..dataset.store import DataFile, DataSet
from ..incidents import Incident, Window
from .sweep import merged

INCIDENTS = pa.schema([
    pa.field("incident", pa.int64()), pa.field("event", pa.string()),
    pa.field("officer", pa.string()), pa.field("dispatched_us", pa.int64()),
    pa.field("due_us", pa.int64()), pa.field("end_us", pa.int64()),
    pa.field("call_type", pa.string()), pa.field("clearance", pa.string()),
])  # fmt: skip
WORN = pa.schema([
    pa.field("officer", pa.string()), pa.field("device", pa.string()),
    pa.field("start_us", pa.int64()), pa.field("end_us", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditTables:
    """What the cameras tell, in the engine of their back end."""

    spans: ir.Table
    recordings: ir.Table
    events: ir.Table


@dataclass(frozen=True, slots=True)
class RecordTables:
    """What dispatch, roster and records system say."""

    incidents: ir.Table
    assignments: ir.Table
    duties: ir.Table
    force_uses: ir.Table
    complaints: ir.Table
    filings: ir.Table


Read = Callable[[TableSchema, Sequence[str]], ir.Table]


def open_tables(data: DataSet, read: Read | None = None) -> AuditTables:
    """The files of a data set that count, in an embedded DuckDB unless another engine reads them."""
    reader = read or duckdb_reader()
    return camera_tables(reader, data.folder, data.manifest.files)


def camera_tables(read: Read, folder: Path, files: Sequence[DataFile]) -> AuditTables:
    """What these files tell of cameras."""
    return AuditTables(*(read(t, _paths(folder, files, t)) for t in (SPANS, RECORDINGS, EVENTS)))


def record_tables(read: Read, folder: Path, files: Sequence[DataFile]) -> RecordTables:
    """What these files hold of records."""
    tables = (INCIDENT_ROWS, ASSIGNMENTS, DUTIES, FORCE_USES, COMPLAINTS, FILINGS)
    return RecordTables(*(read(t, _paths(folder, files, t)) for t in tables))


def _paths(folder: Path, files: Sequence[DataFile], table: TableSchema) -> list[str]:
    return [str(folder / file.path) for file in files if file.table == table.name]


def duckdb_reader(**settings: str | int | bool) -> Read:
    """An engine in this process, with settings of DuckDB: memory_limit, threads, temp_directory."""
    engine = ibis.duckdb.connect(**settings)
    # DuckDB would draw a bar of its own on standard output.
    engine.raw_sql("SET enable_progress_bar = false")

    def read(table: TableSchema, paths: Sequence[str]) -> ir.Table:
        name = ibis.util.gen_name(table.name)
        # Columns of a Parquet file may be null as far as an engine knows: so these.
        columns = pa.schema([pa.field(f.name, f.type) for f in table.columns])
        if not paths:
            return engine.create_table(name, columns.empty_table(), temp=True)
        found = engine.read_parquet(
            list(paths), table_name=name, hive_partitioning=False, union_by_name=True
        )
        # A column that may be null may be missing from files that are older than it is.
        later = {f.name: ibis.null(str(f.type)) for f in columns if f.name not in found.columns}
        return found.mutate(**later) if later else found

    return read


def spark_reader(session: Any) -> Read:
    """An engine on a Spark session that somebody else made, and ends."""
    engine = ibis.pyspark.connect(session)

    def read(table: TableSchema, paths: Sequence[str]) -> ir.Table:
        if paths:
            told = session.read.parquet(*paths)
        else:
            told = session.createDataFrame([], _spark_schema(table))
        told.createOrReplaceTempView(table.name)
        return engine.table(table.name)

    return read


def _spark_schema(table: TableSchema) -> Any:
    # Spark is there only where somebody has it.
    types = import_module("pyspark.sql.pandas.types")
    return types.from_arrow_schema(table.columns)


def whole(t: ir.Table) -> ir.Table:
    """The same, to be written: DuckDB adds up whole numbers in 128 bits, which Parquet holds as floating."""
    sums = [name for name, kind in t.schema().items() if kind.is_int64()]
    return t.cast(dict.fromkeys(sums, dt.Int64(nullable=False))) if sums else t


def worn(assignments: ir.Table) -> ir.Table:
    """When each officer wore which camera; no two rows of a pair overlap."""
    return merged(assignments, ("officer", "device"))


def incident_table(incidents: Sequence[Incident], windows: Sequence[Window | None]) -> pa.Table:
    """Those that have a window; `incident` is their place in the sequence."""
    rows = [
        (number, one.event, one.officer, one.dispatched_us, window.due_us, window.end_us,
         one.call_type, one.clearance)
        for number, (one, window) in enumerate(zip(incidents, windows, strict=True))
        if window is not None
    ]  # fmt: skip
    return _table(INCIDENTS, rows)


def worn_table(assignments: Assignments) -> pa.Table:
    """When each officer wore which camera; no two rows of a pair overlap."""
    return _table(WORN, [
        (officer, device, start, end)
        for officer in sorted(assignments.by_officer)
        for device, when in assignments.of(officer).items()
        for start, end in when
    ])  # fmt: skip


def _table(schema: pa.Schema, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(v, f.type) for v, f in zip(columns, schema, strict=True)], schema=schema
    )

"""The tables that the engine asks: those of a data set, and what dispatch and roster say beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends import BaseBackend

from ..assignments import Assignments
from ..dataset.schema import EVENTS, RECORDINGS, SPANS, TableSchema
from ..dataset.store import DataSet
from ..incidents import Incident, Window

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


def open_tables(data: DataSet, backend: BaseBackend | None = None) -> AuditTables:
    """The files of a data set that count, in DuckDB unless another back end of Ibis is given."""
    engine = backend or ibis.duckdb.connect()
    return AuditTables(*(_read(engine, data, table) for table in (SPANS, RECORDINGS, EVENTS)))


def _read(engine: BaseBackend, data: DataSet, table: TableSchema) -> ir.Table:
    paths = [str(path) for path in data.paths(table.name)]
    if not paths:
        # Columns of a Parquet file may be null as far as an engine knows: so these.
        columns = pa.schema([pa.field(f.name, f.type) for f in table.columns])
        return engine.create_table(f"no_{table.name}", columns.empty_table(), temp=True)
    if engine.name == "duckdb":
        return engine.read_parquet(paths, table_name=table.name, hive_partitioning=False)
    return engine.read_parquet(paths, table_name=table.name)


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

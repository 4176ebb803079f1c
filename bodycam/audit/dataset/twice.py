"""Which rows of a file are second to others: in the same file, or in those that are in the data set.

What makes two rows the same is `RowKind`'s to say: here it is asked of any number of rows in bounded
memory, by DuckDB, which groups and sorts on the disk.
"""
# The names in the queries are the schema's.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from ...errors import StorageError
from ..rowkind import RowKind
from .schema import TableSchema

_MEMORY = "256MB"
_AT_ONCE = 50_000
_NO_ROOM = (duckdb.IOException, duckdb.OutOfMemoryException)
_FILE, _FRESH = 1 << 40, 1 << 62


class Twice:
    """The fresh rows of a file beside those that come first. Raises StorageError: no room to spill."""

    def __init__(
        self, schema: TableSchema, kind: RowKind[Any], fresh: Path, old: Sequence[Path], spill: Path
    ) -> None:  # fmt: skip
        self._schema, self._kind = schema, kind
        self._engine = duckdb.connect(config={
            "memory_limit": _MEMORY, "threads": 1, "temp_directory": str(spill / "engine"),
            "preserve_insertion_order": False, "autoinstall_known_extensions": False,
        })  # fmt: skip
        # It would draw a bar of its own on standard output.
        self._engine.execute("SET enable_progress_bar = false")
        self._view("fresh", [fresh])
        self._view("old", old)
        self._find()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def again(self) -> Iterator[tuple[int, str, int, bool, str]]:
        """Rows that are second, in their order: their number, file (empty: this) and number of the
        first, whether they say the same, and of what they are.
        """
        query = (
            "SELECT row, coalesce(names.file, ''), first_row, same, text "
            "FROM again LEFT JOIN names ON id = first_id ORDER BY row"
        )
        for batch in self._batches(query):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def behind(self) -> list[str]:
        """The other files that had such a row first."""
        query = "SELECT file FROM names SEMI JOIN again ON id = first_id ORDER BY file"
        found = self._run(query).fetchall()
        return [name for (name,) in found]

    def once(self, rows: int, size_bytes: int) -> Iterator[pa.Table]:
        """The fresh rows that count, by month and in the table's order, so many at once."""
        order = ", ".join(("month", *self._schema.order, "row"))
        columns = ", ".join(name for name in self._schema.columns.names)
        query = f"SELECT {columns} FROM fresh ANTI JOIN again USING (row) ORDER BY {order}"
        pending: list[pa.RecordBatch] = []
        for batch in self._batches(query):
            pending.append(batch)
            if sum(map(len, pending)) >= rows or sum(b.nbytes for b in pending) >= size_bytes:
                yield self._table(pending)
                pending = []
        if pending:
            yield self._table(pending)

    # -- queries ------------------------------------------------------------------------------

    def _find(self) -> None:
        """`again` are the fresh rows that are second.

        The place of a row orders it among all, in one number: old ones by file, the fresh behind them.
        """
        kind = self._kind
        key, said = ", ".join(kind.key), f"hash(({', '.join(('0', *kind.said))}))"
        match = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in kind.key)
        self._run(
            "CREATE TEMP TABLE names AS SELECT file, row_number() OVER (ORDER BY file) AS id "
            "FROM (SELECT DISTINCT file FROM old)"
        )
        self._run(
            f"CREATE TEMP TABLE firsts AS SELECT {key}, min(place) AS place, "
            "arg_min(said, place) AS said FROM ("
            f"SELECT {key}, {said} AS said, id * {_FILE} + row AS place FROM old JOIN names USING (file) "
            f"UNION ALL SELECT {key}, {said} AS said, {_FRESH} + row AS place FROM fresh"
            f") GROUP BY {key} HAVING count(*) > 1"
        )
        self._run(
            f"CREATE TEMP TABLE again AS SELECT a.row, b.place // {_FILE} AS first_id, "
            f"b.place % {_FILE} AS first_row, b.said = a.said AS same, "
            f"concat_ws(',', {', '.join(f'a.{name}' for name in kind.key)}) AS text "
            f"FROM (SELECT *, {said} AS said FROM fresh) a JOIN firsts b ON {match} "
            f"WHERE b.place <> {_FRESH} + a.row"
        )

    def _view(self, name: str, paths: Sequence[Path]) -> None:
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
        if files:
            rows = f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)"
        else:
            types = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN"}
            columns = self._schema.columns
            rows = "SELECT " + ", ".join(f"NULL::{types[str(f.type)]} AS {f.name}" for f in columns)
            rows += " WHERE false"
        self._run(f"CREATE VIEW {name} AS {rows}")

    def _run(self, query: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._engine.execute(query)
        except _NO_ROOM as fault:
            raise _no_room(fault) from fault

    def _batches(self, query: str) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._engine.sql(query).to_arrow_reader(_AT_ONCE)
        except (*_NO_ROOM, OSError, pa.ArrowInvalid) as fault:
            raise _no_room(fault) from fault

    def _table(self, batches: Sequence[pa.RecordBatch]) -> pa.Table:
        return pa.Table.from_batches(batches).cast(self._schema.columns)


def _no_room(fault: Exception) -> StorageError:
    return StorageError(f"the rows cannot be sorted: {fault}", "Make room beside the data set")

"""What is asked for a force's audit: the result tables, and the data set that they were computed of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from ..dataset.schema import BAD_ROWS, SOURCES, TableSchema
from ..dataset.store import DataSet
from ..engine.results import Results
from ..engine.tables import Read, duckdb_reader
from ..policy import Policy

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked: the results, and the data set that they were computed of."""

    results: Results
    data: DataSet
    policy: Policy
    months: tuple[str, ...]
    read: Read

    @property
    def several(self) -> bool:
        """Whether there is more than one force: then an id is said with its own."""
        return len(self.data.forces()) > 1

    def result(self, table: str) -> ir.Table:
        """A table of results."""
        return self.results.open(table, self.read(SOURCES, ()).get_backend())

    def told(self, table: TableSchema) -> ir.Table:
        """A table of the data set."""
        return self.read(table, [str(path) for path in self.data.paths(table.name)])


def open_sources(
    results: Results, data: DataSet, policy: Policy, months: Sequence[str], memory: str, threads: int
) -> Sources:  # fmt: skip
    """The results in an engine that may take so much of the machine."""
    read = duckdb_reader(memory_limit=memory, threads=threads, temp_directory=str(results.spill))
    return Sources(results, data, policy, tuple(sorted(set(months))), read)


# -- answers ---------------------------------------------------------------------------------------


def rows_of(table: ir.Table) -> list[Row]:
    """The rows of an answer."""
    found: list[Row] = table.to_pyarrow().to_pylist()
    return found


def one_of(table: ir.Table) -> Row:
    """The only row of an answer."""
    return rows_of(table)[0]


def different(
    table: ir.Table, column: str, where: ir.BooleanValue | None = None
) -> ir.IntegerScalar:
    """How many ids there are in it: one of two forces is two."""
    return ibis.struct({"force": table.force, column: table[column]}).nunique(where=where)


def count_of(table: ir.Table) -> int:
    """How many rows there are."""
    return int(table.count().to_pyarrow().as_py())


def bad_rows_of(asked: Sources) -> ir.Table:
    """Rows that do not count: those that no reader took, and those whose window is empty."""
    bad, empty = asked.told(BAD_ROWS), asked.result("empty_windows")
    return ibis.union(
        bad.select("force", "file", "row", "why", "text"),
        empty.select("force", "file", "row", "why", text=empty.event + "," + empty.officer),
    )


def unmatched_of(asked: Sources, incidents: ir.Table) -> Mapping[str, ir.Table]:
    """Ids that one side alone knows, by that side; each a table of (force, id)."""
    lone = incidents.filter(incidents.left_out == "UNMATCHED")
    cameras, missing = asked.result("cameras"), asked.result("missing_cameras")
    came = asked.result("unmatched_outcomes")
    return {
        "incidents": lone.select("force", id="officer").distinct(),
        "cameras": cameras.filter(~cameras.matched).select("force", id="device").distinct(),
        "assignments": missing.select("force", id="device").distinct(),
        "force and complaints": came.select("force", id=(came.event + " " + came.officer).strip()),
        "filings": asked.result("unknown_filings").select("force", id="recording").distinct(),
    }

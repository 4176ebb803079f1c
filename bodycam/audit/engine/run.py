"""One run over one force: what it reads, what it keeps while it runs, and what it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir

from ..dataset.schema import SOURCES, SPANS
from ..dataset.store import DataFile, DataSet
from ..policy import Policy
from .months import Months
from .results import Results
from .tables import Read, RecordTables, record_tables, whole


@dataclass(frozen=True)
class Run:
    """What it writes is named after the number of the force."""

    number: int
    force: str
    data: DataSet
    policy: Policy
    results: Results
    months: Months
    read: Read

    @cached_property
    def files(self) -> list[DataFile]:
        return [f for f in self.data.manifest.files if f.force == self.force]

    @cached_property
    def engine(self) -> Any:
        return self.read(SPANS, ()).get_backend()

    @property
    def records(self) -> RecordTables:
        return record_tables(self.read, self.data.folder, self.files)

    def devices(self, files: Sequence[DataFile]) -> ir.Table:
        """The cameras of these files."""
        found = []
        for table in (SPANS, SOURCES):
            paths = [str(self.data.folder / f.path) for f in files if f.table == table.name]
            found.append(self.read(table, paths).select("device"))
        return ibis.union(*found, distinct=True)

    def write(self, t: ir.Table, table: str, part: str) -> None:
        """One part of a table of results."""
        t = t.mutate(force=ibis.literal(self.force)).relocate("force")
        self.engine.to_parquet(whole(t), self.results.path(table, f"{self.number:03}-{part}"))

    def written(self, table: str) -> ir.Table:
        """All parts of this force."""
        found: ir.Table = self.engine.read_parquet(
            str(self.results.path(table, f"{self.number:03}-*"))
        )
        return found

    def work(self, *names: str) -> str:
        """A place for what is needed during the run alone."""
        folder = self.results.work / f"{self.number:03}"
        folder.mkdir(exist_ok=True)
        return str(folder.joinpath(*names))

    def keep(self, name: str, t: ir.Table) -> ir.Table:
        """Write a table for the time of the run, and read it back."""
        self.engine.to_parquet(whole(t), self.work(f"{name}.parquet"))
        return self.kept(name)

    def kept(self, name: str) -> ir.Table:
        """All that was kept whose name matches."""
        found: ir.Table = self.engine.read_parquet(self.work(f"{name}.parquet"))
        return found

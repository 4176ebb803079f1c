"""CSV files of dispatch, roster and records system into a data set, however many rows they have.

| a file                                                           | becomes                          |
|------------------------------------------------------------------|----------------------------------|
| whose bytes were ingested, as this kind and of this force        | nothing: it is in the set        |
| of a name that is not in the set, with other bytes               | its rows                         |
| of the name of one that is, with other bytes                     | its rows, in the place of the old |

A file is committed whole, with its bad rows; those that take the place of others are committed together.
A kill costs the reading of what was not committed yet.

Of two rows of one key (`rowkind`) the first counts, and the second is a bad row: what is in the set comes
before what is read, else it goes by the order of files and rows. So a file whose rows were second to
those of a file that is replaced has to be read again with it: it is asked for, or nothing is changed.

Memory does not grow with the rows: they are read in batches, and what two files have in common is found
by DuckDB, which spills to the disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...errors import CannotOpen, ConfigError
from ...store import storage_error
from ..assignments import ASSIGNMENT_ROWS
from ..complaints import COMPLAINT_ROWS
from ..csvrows import BadRow, CsvFile, shown_name
from ..duties import DUTY_ROWS
from ..filings import FILING_ROWS
from ..incidentcsv import INCIDENT_ROWS
from ..rowkind import RowKind, facts
from ..useofforce import FORCE_ROWS
from .rows import DAY_US, NO_MONTH, month_of
from .schema import (
    ASSIGNMENTS,
    BAD_ROWS,
    COMPLAINTS,
    DATASET_VERSION,
    DUTIES,
    FILINGS,
    FORCE_USES,
    INCIDENTS,
    TableSchema,
)
from .store import DataFile, DataSet, RecordFile
from .twice import Twice

KINDS: dict[str, tuple[TableSchema, RowKind[Any], str]] = {
    # Table, kind of row, and the time that says in which month a row lies.
    INCIDENTS.name: (INCIDENTS, INCIDENT_ROWS, "dispatched_us"),
    ASSIGNMENTS.name: (ASSIGNMENTS, ASSIGNMENT_ROWS, "start_us"),
    DUTIES.name: (DUTIES, DUTY_ROWS, "start_us"),
    FORCE_USES.name: (FORCE_USES, FORCE_ROWS, "at_us"),
    COMPLAINTS.name: (COMPLAINTS, COMPLAINT_ROWS, "at_us"),
    FILINGS.name: (FILINGS, FILING_ROWS, "filed_us"),
}
_BATCH_ROWS = 50_000
_BATCH_BYTES = 16 << 20
_FILE_ROWS = 250_000
_FILE_BYTES = 48 << 20
_READING = 0.8  # of the work; the rest is to write
Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file: `added`, `replaced` or `unchanged`, and what of it is in the set.

    An unchanged one may be in the set by another name than the one it was given by.
    """

    given: str
    status: str
    file: RecordFile


@dataclass(frozen=True, slots=True)
class _Given:
    table: str
    path: Path
    name: str
    fingerprint: str
    sha256: str
    size_bytes: int


class Records:
    """Takes CSV files of one force into a data set that is open to be written."""

    def __init__(self, data: DataSet, force: str, zone: tzinfo | None = None) -> None:
        self._data, self._force, self._zone = data, force, zone

    def take(self, given: Mapping[str, Sequence[Path]], show: Show) -> list[Taken]:
        """All of these files, by table. Raises CannotOpen, ConfigError, StorageError.

        What is wrong with the heading of any is said before the first is read.
        """
        said = [self._given(table, path) for table, paths in given.items() for path in paths]
        files = list(dict.fromkeys(said))
        _refuse_namesakes(files)
        gone = self._leaving([file for file in files if self._known(file) is None])
        left = {(old.table, old.name) for old in gone}
        missing = left - {(file.table, file.name) for file in files}
        if missing:
            names = ", ".join(f"{name} ({table})" for table, name in sorted(missing))
            raise ConfigError(
                f"rows of {names} were left out for those of a file that is replaced",
                "Give these files too: they are read again",
            )
        again = [file for file in files if (file.table, file.name) in left]
        bar = _Bar(show, sum(file.size_bytes for file in files))
        found: dict[_Given, Taken] = {}
        if again:
            taken = self._take(again, gone, bar)
            found = {f: Taken(f.name, "replaced", t) for f, t in zip(again, taken, strict=True)}
        for file in files:
            if file in found:
                continue
            if (old := self._known(file)) is not None:
                found[file] = Taken(file.name, "unchanged", old)
                bar.end(file)
            else:
                found[file] = Taken(file.name, "added", *self._take([file], [], bar))
        return [found[file] for file in files]

    def first_bad(self, file: RecordFile, count: int) -> list[BadRow]:
        """The first of its rows that do not count."""
        rows: list[BadRow] = []
        for part in self._data.manifest.files:
            if part.table != BAD_ROWS.name or part.batch != file.batch:
                continue
            with pq.ParquetFile(self._data.folder / part.path) as table:
                batch = next(table.iter_batches(count, columns=["file", "row", "why", "text"]))
            rows += [BadRow(r["file"], r["row"], r["why"], r["text"]) for r in batch.to_pylist()]
        return sorted(rows, key=lambda one: one.row)[:count]

    # -- which files --------------------------------------------------------------------------

    def _given(self, table: str, path: Path) -> _Given:
        _, kind, _ = KINDS[table]
        if path.exists() and not path.is_dir() and not path.is_file():
            raise CannotOpen(f"{path}: is no file", "It is read twice: save it first")
        CsvFile(path, kind.required, kind.known).close()
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size_bytes = file.tell()
        except OSError as fault:
            raise CannotOpen(f"{path}: {fault.strerror}", "Give a CSV file") from fault
        said = json.dumps([DATASET_VERSION, sha256, str(self._zone)])
        fingerprint = hashlib.sha256(said.encode()).hexdigest()
        return _Given(table, path, shown_name(path), fingerprint, sha256, size_bytes)

    def _known(self, file: _Given) -> RecordFile | None:
        """The file of the set with these bytes: that of this name, if there is one of this name."""
        mine = self._mine(file.table)
        named = [old for old in mine if old.name == file.name] or mine
        return next((old for old in named if old.fingerprint == file.fingerprint), None)

    def _mine(self, table: str) -> list[RecordFile]:
        records = self._data.manifest.records
        return [old for old in records if (old.table, old.force) == (table, self._force)]

    def _leaving(self, todo: Sequence[_Given]) -> list[RecordFile]:
        """Files that are replaced, and those whose rows were second to theirs."""
        gone = {
            (old.table, old.name)
            for file in todo
            for old in self._mine(file.table)
            if old.name == file.name
        }
        while True:
            more = {
                (old.table, old.name)
                for table, name in gone
                for old in self._mine(table)
                if name in old.behind
            } - gone
            if not more:
                break
            gone |= more
        return [old for table in KINDS for old in self._mine(table) if (table, old.name) in gone]

    # -- their rows ---------------------------------------------------------------------------

    def _take(
        self, group: Sequence[_Given], gone: Sequence[RecordFile], bar: _Bar
    ) -> list[RecordFile]:
        """Read these files and let them count together, in the place of those that are gone."""
        added: list[RecordFile] = []
        written: list[DataFile] = []
        out = {old.batch for old in gone}
        try:
            for number, file in enumerate(group, self._data.manifest.next_batch):
                old = [
                    part
                    for part in (*self._data.manifest.files, *written)
                    if (part.table, part.force) == (file.table, self._force)
                    and part.batch not in out
                ]
                reading = _Reading(self._data, self._force, self._zone, file, number, bar)
                record, parts = reading.read(old)
                added.append(record)
                written += parts
        except OSError as fault:
            raise storage_error(fault, self._data.folder) from fault
        self._data.commit_records(added, written, gone)
        return added


class _Reading:
    """One file while it is read: what is written of it does not count yet."""

    def __init__(
        self, data: DataSet, force: str, zone: tzinfo | None, file: _Given, batch: int, bar: _Bar
    ) -> None:  # fmt: skip
        self._data, self._force, self._zone = data, force, zone
        self._file, self._batch, self._bar = file, batch, bar
        self._schema, self._kind, self._month_by = KINDS[file.table]
        self._written: list[DataFile] = []
        self._bad: list[tuple[Any, ...]] = []
        self._bad_rows = 0

    def read(self, old: Sequence[DataFile]) -> tuple[RecordFile, list[DataFile]]:
        """Every row of it, good or bad; `old` are the files whose rows come first."""
        with self._data.spill() as spill:
            fresh = spill / "fresh.parquet"
            rows = self._spill(fresh)
            paths = [self._data.checked(part) for part in old]
            with Twice(self._schema, self._kind, fresh, paths, spill) as twice:
                for row, other, first, same, text in twice.again():
                    why = self._kind.again(same, other or self._file.name, first)
                    self._refuse(row, why, text)
                good = self._write(twice, rows)
                behind = twice.behind()
        self._flush_bad()
        self._bar.end(self._file)
        file = self._file
        record = RecordFile(
            file.table, self._force, file.name, file.fingerprint, good, self._bad_rows,
            tuple(behind), self._batch,
        )  # fmt: skip
        return record, self._written

    def _spill(self, fresh: Path) -> int:
        """Put the rows that say something into one file, as they come; how many there are."""
        kind, count = self._kind, 0
        with (
            CsvFile(self._file.path, kind.required, kind.known) as file,
            pq.ParquetWriter(fresh, self._schema.columns, compression="lz4") as out,
        ):
            for rows in self._batches(file):
                out.write_table(self._schema.of(rows))
                count += len(rows)
                self._bar.read(file.done_bytes)
            if file.sha256() != self._file.sha256:
                raise CannotOpen(f"{self._file.path}: changed while it was read", "Type it again")
        return count

    def _batches(self, file: CsvFile) -> Iterator[list[tuple[Any, ...]]]:
        columns = [f.name for f in self._schema.columns if f.name not in _PLACE]
        said, at_us, force = attrgetter(*columns), attrgetter(self._month_by), self._force
        months: dict[int | None, str] = {None: NO_MONTH}
        rows: list[tuple[Any, ...]] = []
        begun = 0
        for _, one in facts(self._kind, file, self._zone):
            if isinstance(one, BadRow):
                self._refuse(one.row, one.why, one.text)
                continue
            at = at_us(one)
            day = None if at is None else at // DAY_US
            month = months.get(day)
            if month is None:
                month = months[day] = month_of(at)
            rows.append((force, month, *said(one), one.source, one.row))
            if len(rows) >= _BATCH_ROWS or file.done_bytes - begun >= _BATCH_BYTES:
                yield rows
                rows, begun = [], file.done_bytes
        yield rows

    def _write(self, twice: Twice, rows: int) -> int:
        """The rows that count, month by month, in files of bounded size; how many there are."""
        good = 0
        for table in twice.once(_FILE_ROWS, _FILE_BYTES):
            self._written += self._data.put(self._schema, table, self._batch)
            good += table.num_rows
            self._bar.wrote(self._file, good, rows)
        return good

    def _refuse(self, row: int, why: str, text: str) -> None:
        file = self._file
        self._bad.append((self._force, NO_MONTH, file.table, why, text, file.name, row))
        self._bad_rows += 1
        if len(self._bad) >= _BATCH_ROWS:
            self._flush_bad()

    def _flush_bad(self) -> None:
        if self._bad:
            self._written += self._data.put(BAD_ROWS, BAD_ROWS.of(self._bad), self._batch)
        self._bad = []


_PLACE = ("force", "month", "file", "row")


class _Bar:
    """How far all files are, in bytes: most of the work is to read, the rest to write."""

    def __init__(self, show: Show, total: int) -> None:
        self._show, self._total, self._done = show, total, 0

    def read(self, done_bytes: int) -> None:
        self._show(self._done + round(_READING * done_bytes), self._total)

    def wrote(self, file: _Given, done: int, of: int) -> None:
        share = _READING + (1 - _READING) * done / max(1, of)
        self._show(self._done + round(share * file.size_bytes), self._total)

    def end(self, file: _Given) -> None:
        self._done += file.size_bytes
        self._show(self._done, self._total)


def _refuse_namesakes(files: Sequence[_Given]) -> None:
    """Two files of one name would take one another's place."""
    seen: dict[tuple[str, str], _Given] = {}
    for file in files:
        before = seen.setdefault((file.table, file.name), file)
        if before.fingerprint != file.fingerprint:
            raise ConfigError(
                f"{before.path}, {file.path}: two files of one name, which would replace one "
                "another", "Rename one of them"
            )  # fmt: skip

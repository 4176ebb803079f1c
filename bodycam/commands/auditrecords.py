"""Records for `bodycam audit ingest`: CSV files, and what became of each and of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path

from ..audit.csvrows import CsvFile
from ..audit.dataset.records import KINDS, Records, Taken
from ..audit.dataset.store import DataSet
from ..custody.htmltext import visible
from ..errors import ConfigError, ExitCode
from ..progress import Progress

_SHOWN = 5
_LONGEST = 100
_MAX_NAME = 200


def check_headings(given: Mapping[str, Sequence[Path]]) -> None:
    """Each file can be read, and is what it is given as. Raises CannotOpen, ConfigError."""
    for table, paths in given.items():
        _, kind, _ = KINDS[table]
        for path in paths:
            CsvFile(path, kind.required, kind.known).close()


def take_records(
    data: DataSet, given: Mapping[str, Sequence[Path]], force: str | None, zone: tzinfo | None
) -> ExitCode:
    """3 if a row of these files does not count, whenever they were ingested."""
    bar: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress("records", total)
        bar.update(done)

    records = Records(data, _force(data, force), zone)
    taken = records.take(given, show)
    if bar is not None:
        bar.close()
    for one in taken:
        _say(one, records)
    return ExitCode.INCOMPLETE if any(one.file.bad for one in taken) else ExitCode.OK


def _say(one: Taken, records: Records) -> None:
    file = one.file
    counts = f"{file.good} rows of {file.table}, {file.bad} bad rows"
    name = file.name if one.given == file.name else f"{one.given}, which is {file.name}"
    print(visible(f"{one.status:11} {name}: {counts}"))
    for bad in records.first_bad(file, _SHOWN):
        what = f" | {bad.text[:_LONGEST]}" if bad.text else ""
        print(visible(f"            row {bad.row}: {bad.why}{what}"))
    if file.bad > _SHOWN:
        print(f"            and {file.bad - _SHOWN} more, in the table bad_rows")


def _force(data: DataSet, name: str | None) -> str:
    """Whose records they are. Raises ConfigError if nobody says so."""
    known = sorted(data.forces())
    if name is None and len(known) != 1:
        there = ", ".join(known) or "none yet"
        raise ConfigError(
            f"audit ingest: whose records are these? Forces in the data set: {there}",
            "Give --force-name, the first part of the origin of its cameras' logs",
        )
    if name is None:
        return known[0]
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        raise ConfigError(f"audit ingest: --force-name {name!r} is no name")
    if known and name not in known:
        print(f"note        nothing of the force {name} is in the data set so far")
    return name

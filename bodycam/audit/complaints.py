"""Complaints: which events, and whom of those who were there.

| column             | must be there | what                                            |
|--------------------|---------------|-------------------------------------------------|
| Event ID           | yes           |                                                 |
| Officer Badge ID   | the column    | empty: all officers who were at the event       |
| Complaint DateTime |               | when it was made; may be empty                  |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from .csvrows import CsvRow
from .rowkind import Records, RowKind, ids, maybe_id, maybe_moment, read_records

_REQUIRED = ("event id", "officer badge id")
_KNOWN = (*_REQUIRED, "complaint datetime")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint about an event; without an officer it is of all who were there."""

    event: str
    officer: str = ""
    at_us: int | None = None
    source: str = ""
    row: int = 0


Complaints = Records[Complaint]


def read_complaints(paths: Iterable[Path], zone: tzinfo | None = None) -> Complaints:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    return read_records(COMPLAINT_ROWS, paths, zone)


def _complaint(row: CsvRow, zone: tzinfo | None) -> Complaint:
    cells = row.cells
    ids(cells, "event id")
    return Complaint(cells["event id"], maybe_id(cells, "officer badge id"),
                     maybe_moment(cells, "complaint datetime", zone), row.file, row.row)  # fmt: skip


COMPLAINT_ROWS = RowKind(
    _REQUIRED, _KNOWN, _complaint, ("event", "officer", "at_us"), (), "an event, officer and time"
)

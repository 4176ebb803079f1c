"""How recordings were filed in the records system, and what a reviewer found of a sample.

| column            | must be there | what                                                          |
|-------------------|---------------|---------------------------------------------------------------|
| Recording ID      | yes           | as the camera signs it                                        |
| Event ID          | the column    | as filed; empty: not filed under any                          |
| Category          | the column    | as filed; empty: none                                         |
| Filed DateTime    | the column    | when; may be empty                                            |
| Reviewed Event ID |               | of which event it is, as a reviewer found; empty: not sampled |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from .csvrows import CsvRow
from .rowkind import Records, RowKind, ids, maybe_id, maybe_moment, read_records, text

_REQUIRED = ("recording id", "event id", "category", "filed datetime")
_KNOWN = (*_REQUIRED, "reviewed event id")


@dataclass(frozen=True, slots=True)
class Filing:
    """How one recording was filed; `reviewed_event` is None where nobody reviewed it."""

    recording: str
    event: str = ""
    category: str = ""
    filed_us: int | None = None
    reviewed_event: str | None = None
    source: str = ""
    row: int = 0


Filings = Records[Filing]


def read_filings(paths: Iterable[Path], zone: tzinfo | None = None) -> Filings:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    return read_records(FILING_ROWS, paths, zone)


def _filing(row: CsvRow, zone: tzinfo | None) -> Filing:
    cells = row.cells
    ids(cells, "recording id")
    return Filing(
        cells["recording id"], maybe_id(cells, "event id"), text(cells, "category"),
        maybe_moment(cells, "filed datetime", zone), maybe_id(cells, "reviewed event id") or None,
        row.file, row.row,
    )  # fmt: skip


FILING_ROWS = RowKind(
    _REQUIRED, _KNOWN, _filing, ("recording",),
    ("event", "category", "filed_us", "reviewed_event"), "a recording",
)  # fmt: skip

"""What the audit of a force leaves on disk: tables of results, as Parquet below one folder.

| table                | one row                                                                       |
|----------------------|-------------------------------------------------------------------------------|
| `incidents`          | an officer at an incident that has a window: M20 to M29                         |
| `shifts`             | a shift of a camera: M1 to M16                                                  |
| `cases`              | what is behind a number of a shift: where in the log, and how much              |
| `cameras`            | a camera: whether anybody wore it, and what it did while nobody did             |
| `officers`           | an officer with incidents: their time and what is covered of it, no second twice |
| `latencies`          | a firmware: M10 of all its recordings                                           |
| `empty_windows`      | a row of the incidents that counts for nothing: due is not before end            |
| `missing_cameras`    | a camera that was assigned to an officer with incidents and is not in the set    |
| `duties`             | a duty that has time of its own: M34                                            |
| `near_force`         | a use of force: M30                                                             |
| `filing_counts`      | how recordings were filed, how many, and what reviewers found: M35               |
| `filed`              | a recording that is not filed as it should be, or under a wrong event            |
| `unknown_filings`    | a row of the records system whose recording no camera has                        |
| `outcomes`           | an officer at an event of which force or a complaint came; "": all at the event  |
| `unmatched_outcomes` | those of no incident                                                            |

The columns are those of docs/AUDIT-DATA.md.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from ...errors import ConfigError
from ...store import make_folder, storage_error

RESULTS = (
    "incidents", "shifts", "cases", "cameras", "officers", "latencies", "empty_windows",
    "missing_cameras", "duties", "near_force", "filing_counts", "filed", "unknown_filings",
    "outcomes", "unmatched_outcomes",
)  # fmt: skip
WORK, SPILL = "work", "spill"


@dataclass(frozen=True, slots=True)
class Results:
    """The tables of one run, below a folder."""

    folder: Path

    def path(self, table: str, part: str) -> Path:
        """The file of one part of a table."""
        return self.folder / table / f"{part}.parquet"

    def open(self, table: str, engine: Any) -> ir.Table:
        """A table, all parts together, in an engine of Ibis that reads Parquet."""
        found: ir.Table = engine.read_parquet(str(self.folder / table / "*.parquet"))
        return found

    @property
    def work(self) -> Path:
        """What is needed during the run alone."""
        return self.folder / WORK

    @property
    def spill(self) -> Path:
        """Where an engine that reads the results puts what does not fit into memory."""
        return self.folder / SPILL

    def forget_spilled(self) -> None:
        """Also of a run that was killed."""
        shutil.rmtree(self.spill, ignore_errors=True)

    def begin(self) -> None:
        """An empty folder for each table. Raises ConfigError if other things are there, StorageError."""
        try:
            make_folder(self.folder)
            others = {p.name for p in self.folder.iterdir()} - {*RESULTS, WORK, SPILL}
            if others:
                raise ConfigError(
                    f"{self.folder}: holds other things than results: {min(others)}",
                    "Give a new or empty folder",
                )
            self.forget_spilled()
            for name in (*RESULTS, WORK):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                make_folder(self.folder / name)
        except OSError as fault:
            raise storage_error(fault, self.folder) from fault

    def end(self) -> None:
        """Only the results stay."""
        shutil.rmtree(self.work)

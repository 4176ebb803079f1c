"""Who was rostered, when, where, and for which arm of a trial.

| column              | must be there | what                                                |
|---------------------|---------------|-----------------------------------------------------|
| Officer Badge ID    | yes           | as in the incidents                                 |
| Duty Start DateTime | yes           |                                                     |
| Duty End DateTime   | yes           | later, by at most seven days                        |
| Unit, Site          |               |                                                     |
| Arm                 |               | of a trial: treatment, control; empty: of none      |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path

from .csvrows import CsvRow
from .incidents import HOUR_US
from .rowkind import Records, RowKind, ids, moment, read_records, text

_REQUIRED = ("officer badge id", "duty start datetime", "duty end datetime")
_KNOWN = (*_REQUIRED, "unit", "site", "arm")
_LONGEST_US = 7 * 24 * HOUR_US


class Arm(StrEnum):
    """What a duty was drawn for in a trial."""

    NONE = ""
    TREATMENT = "treatment"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Duty:
    """One officer on duty for a stretch of time."""

    officer: str
    start_us: int
    end_us: int
    unit: str = ""
    site: str = ""
    arm: Arm = Arm.NONE
    source: str = ""
    row: int = 0


Duties = Records[Duty]


def read_duties(paths: Iterable[Path], zone: tzinfo | None = None) -> Duties:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    return read_records(DUTY_ROWS, paths, zone)


def _duty(row: CsvRow, zone: tzinfo | None) -> Duty:
    cells = row.cells
    ids(cells, "officer badge id")
    start_us = moment(cells, "duty start datetime", zone)
    end_us = moment(cells, "duty end datetime", zone)
    if not 0 < end_us - start_us <= _LONGEST_US:
        raise ValueError("the duty must end later than it starts, by at most seven days")
    said = cells.get("arm", "")
    try:
        arm = Arm(said.lower())
    except ValueError as fault:
        raise ValueError(f"'arm' is {said[:20]!r}, want treatment, control or nothing") from fault
    return Duty(cells["officer badge id"], start_us, end_us, text(cells, "unit"),
                text(cells, "site"), arm, row.file, row.row)  # fmt: skip


DUTY_ROWS = RowKind(
    _REQUIRED, _KNOWN, _duty, ("officer", "start_us"), ("end_us", "unit", "site", "arm"),
    "an officer and start of duty",
)  # fmt: skip

"""Incidents from a dispatch system's CSV export: Axon's published columns, and what it lacks.

| column                      | must be there | what                                                  |
|-----------------------------|---------------|-------------------------------------------------------|
| Event ID                    | yes           |                                                       |
| Officer Badge ID            | yes           | as in the assignments; without those, the camera's id |
| Officer Dispatched DateTime | yes           |                                                       |
| Officer Cleared DateTime    | the column    | later than dispatched, by less than 8 h; may be empty |
| Call Type                   |               |                                                       |
| Officer On Scene DateTime   |               | between dispatched and cleared, by less than 8 h      |
| Clearance Code              |               |                                                       |
| First Entry DateTime        |               | of what the officer initiated; before cleared, by less than 8 h |
| Self Initiated              |               | yes, no, true, false, 1, 0 or empty                   |
| District, Unit              |               | where, and whose                                      |

One row an officer and event: a second one is given back, as a repetition or a contradiction. So is
every row that cannot be used. Other columns are not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from pathlib import Path

from .csvrows import CsvRow
from .incidents import HOUR_US, Incident
from .rowkind import Records, RowKind, ids, maybe_moment, moment, read_records, text

REQUIRED = (
    "event id", "officer badge id", "officer dispatched datetime", "officer cleared datetime"
)  # fmt: skip
KNOWN = (
    *REQUIRED, "call type", "officer on scene datetime", "clearance code", "first entry datetime",
    "self initiated", "district", "unit",
)  # fmt: skip
_YES, _NO = ("yes", "true", "1", "y"), ("", "no", "false", "0", "n")
_LONGEST_US = 8 * HOUR_US
Incidents = Records[Incident]


def read_incidents(paths: Iterable[Path], zone: tzinfo | None = None) -> Incidents:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    return read_records(INCIDENT_ROWS, paths, zone)


def _incident(row: CsvRow, zone: tzinfo | None) -> Incident:
    cells = row.cells
    ids(cells, "event id", "officer badge id")
    dispatched = moment(cells, "officer dispatched datetime", zone)
    cleared = maybe_moment(cells, "officer cleared datetime", zone)
    on_scene = maybe_moment(cells, "officer on scene datetime", zone)
    first_entry = maybe_moment(cells, "first entry datetime", zone)
    if cleared is not None and not 0 < cleared - dispatched < _LONGEST_US:
        raise ValueError("cleared must be later than dispatched, by less than 8 hours")
    if on_scene is not None and (
        on_scene < dispatched or (cleared is not None and on_scene >= cleared)
    ):
        raise ValueError("on scene must be between dispatched and cleared")
    if on_scene is not None and on_scene - dispatched >= _LONGEST_US:
        raise ValueError("on scene must be less than 8 hours after dispatched")
    if first_entry is not None and cleared is not None and first_entry >= cleared:
        raise ValueError("the first entry must be before cleared")
    if first_entry is not None and abs((cleared or dispatched) - first_entry) >= _LONGEST_US:
        raise ValueError(
            "the first entry must be less than 8 hours from cleared, or from dispatched"
        )
    said = cells.get("self initiated", "").lower()
    if said not in _YES and said not in _NO:
        raise ValueError(f"'self initiated' is {said[:20]!r}, want yes or no")
    return Incident(
        cells["event id"], cells["officer badge id"], dispatched, cleared, on_scene, first_entry,
        said in _YES, text(cells, "call type"), text(cells, "clearance code"),
        text(cells, "district"), text(cells, "unit"), row.file, row.row,
    )  # fmt: skip


INCIDENT_ROWS = RowKind(
    REQUIRED, KNOWN, _incident, ("event", "officer"),
    ("dispatched_us", "cleared_us", "on_scene_us", "first_entry_us", "self_initiated", "call_type",
     "clearance", "district", "unit"),
    "an officer and event",
)  # fmt: skip

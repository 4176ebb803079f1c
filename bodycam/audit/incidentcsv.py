"""Incidents from a dispatch system's CSV export: Axon's published columns, and what it lacks.

| column                      | must be there | what                                                  |
|-----------------------------|---------------|-------------------------------------------------------|
| Event ID                    | yes           |                                                       |
| Officer Badge ID            | yes           | as in the assignments; without those, the camera's id |
| Officer Dispatched DateTime | yes           |                                                       |
| Officer Cleared DateTime    | the column    | later than dispatched, by less than 8 h; may be empty |
| Call Type                   |               |                                                       |
| Officer On Scene DateTime   |               | between dispatched and cleared; may be empty          |
| Clearance Code              |               |                                                       |
| First Entry DateTime        |               | of what the officer initiated                         |
| Self Initiated              |               | yes, no, true, false, 1, 0 or empty                   |

One row an officer and event: a second one is given back, as a repetition or a contradiction. So is
every row that cannot be used. Other columns are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from hashlib import blake2b
from pathlib import Path

from .csvrows import BadRow, CsvRow, read_rows
from .incidents import HOUR_US, Incident
from .moments import moment_us

REQUIRED = (
    "event id", "officer badge id", "officer dispatched datetime", "officer cleared datetime"
)  # fmt: skip
KNOWN = (
    *REQUIRED, "call type", "officer on scene datetime", "clearance code", "first entry datetime",
    "self initiated",
)  # fmt: skip
_YES, _NO = ("yes", "true", "1", "y"), ("", "no", "false", "0", "n")
_LONGEST_US = 8 * HOUR_US
_MAX_ID = 200


@dataclass(slots=True)
class Incidents:
    """What the files hold: rows that count, rows that do not, and how many there were."""

    good: list[Incident] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.bad)


def read_incidents(paths: Iterable[Path], zone: tzinfo | None = None) -> Incidents:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    found = Incidents()
    for one in iter_incidents(paths, zone):
        if isinstance(one, BadRow):
            found.bad.append(one)
        else:
            found.good.append(one)
    return found


def iter_incidents(paths: Iterable[Path], zone: tzinfo | None) -> Iterator[Incident | BadRow]:
    """Row by row, as they are read."""
    seen: dict[bytes, tuple[str, int, bytes]] = {}
    for path in paths:
        for row in read_rows(path, REQUIRED, KNOWN):
            if isinstance(row, BadRow):
                yield row
                continue
            try:
                one = _incident(row, zone)
            except ValueError as fault:
                yield row.bad(str(fault))
                continue
            key, whole = _digest(one.event, one.officer), _digest(*map(str, _facts(one)))
            before = seen.get(key)
            if before is not None:
                what = "repeats" if before[2] == whole else "contradicts"
                yield row.bad(
                    f"{what} row {before[1]} of {before[0]}: one row an officer and event"
                )
                continue
            seen[key] = (row.file, row.row, whole)
            yield one


def _incident(row: CsvRow, zone: tzinfo | None) -> Incident:
    cells = row.cells
    for name in REQUIRED[:3]:
        if not cells[name]:
            raise ValueError(f"'{name}' is empty")
    for name in REQUIRED[:2]:
        if len(cells[name]) > _MAX_ID or not cells[name].isprintable():
            raise ValueError(f"'{name}' is no id")
    dispatched = _time(cells, "officer dispatched datetime", zone)
    cleared = _time(cells, "officer cleared datetime", zone)
    on_scene = _time(cells, "officer on scene datetime", zone)
    first_entry = _time(cells, "first entry datetime", zone)
    if dispatched is None:
        raise ValueError("'officer dispatched datetime' is empty")
    if cleared is not None and not 0 < cleared - dispatched < _LONGEST_US:
        raise ValueError("cleared must be later than dispatched, by less than 8 hours")
    if on_scene is not None and (
        on_scene < dispatched or (cleared is not None and on_scene >= cleared)
    ):
        raise ValueError("on scene must be between dispatched and cleared")
    if first_entry is not None and cleared is not None and first_entry >= cleared:
        raise ValueError("the first entry must be before cleared")
    said = cells.get("self initiated", "").lower()
    if said not in _YES and said not in _NO:
        raise ValueError(f"'self initiated' is {said[:20]!r}, want yes or no")
    return Incident(
        cells["event id"], cells["officer badge id"], dispatched, cleared, on_scene, first_entry,
        said in _YES, cells.get("call type", ""), cells.get("clearance code", ""), row.file, row.row,
    )  # fmt: skip


def _time(cells: dict[str, str], name: str, zone: tzinfo | None) -> int | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        return moment_us(text, zone)
    except ValueError as fault:
        raise ValueError(f"'{name}' {text[:40]!r} {fault}") from fault


def _facts(one: Incident) -> tuple[object, ...]:
    bare = replace(one, source="", row=0)
    return tuple(getattr(bare, name) for name in bare.__slots__)


def _digest(*words: str) -> bytes:
    return blake2b("\0".join(words).encode(), digest_size=12).digest()

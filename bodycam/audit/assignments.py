"""Who wore which camera, and when.

| column             | must be there | what                                 |
|--------------------|---------------|--------------------------------------|
| Device ID          | yes           | as the camera signs it               |
| Officer Badge ID   | yes           | as in the incidents                  |
| Assigned DateTime  | yes           |                                      |
| Returned DateTime  | the column    | later; empty: never yet              |

The camera's log knows no officer, so nothing of this is signed: the report says so. Without any
assignment a badge id is taken for the id of a camera that is worn all the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from .csvrows import BadRow, CsvRow
from .intervals import Interval, Times, both, times
from .rowkind import RowKind, ids, iter_records, maybe_moment, moment

_REQUIRED = ("device id", "officer badge id", "assigned datetime", "returned datetime")
FOREVER_US = 1 << 60
ALWAYS: Times = (Interval(-FOREVER_US, FOREVER_US),)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One camera with one officer for a stretch of time."""

    device: str
    officer: str
    start_us: int
    end_us: int
    source: str = ""
    row: int = 0


@dataclass(slots=True)
class Assignments:
    """Times by officer and device."""

    by_officer: dict[str, dict[str, list[tuple[int, int]]]] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)

    def of(self, officer: str) -> dict[str, Times]:
        """When the officer wore which camera."""
        return {device: times(spans) for device, spans in self.by_officer.get(officer, {}).items()}

    def of_device(self, device: str) -> Times:
        """When anybody wore this camera."""
        return times(s for worn in self.by_officer.values() for s in worn.get(device, ()))

    def handovers(self, device: str) -> tuple[int, ...]:
        """When an assignment of this camera began or ended."""
        worn = (times(mine.get(device, ())) for mine in self.by_officer.values())
        return tuple(sorted({at for spans in worn for one in spans for at in one}))

    def devices(self) -> set[str]:
        return {device for worn in self.by_officer.values() for device in worn}

    def worn_twice(self, officer: str) -> Times:
        """When two cameras were assigned to the officer at once."""
        found: list[Interval] = []
        worn = list(self.of(officer).values())
        for number, one in enumerate(worn):
            for other in worn[number + 1 :]:
                found += both(one, other)
        return times(found)


def from_badges(devices: Iterable[str]) -> Assignments:
    """Each camera worn all the time by the officer of the same id."""
    return Assignments({name: {name: list(ALWAYS)} for name in devices})


def read_assignments(paths: Iterable[Path], zone: tzinfo | None = None) -> Assignments:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    found = Assignments()
    for one in iter_records(ASSIGNMENT_ROWS, paths, zone):
        if isinstance(one, BadRow):
            found.bad.append(one)
            continue
        worn = found.by_officer.setdefault(one.officer, {})
        worn.setdefault(one.device, []).append((one.start_us, one.end_us))
    return found


def _assignment(row: CsvRow, zone: tzinfo | None) -> Assignment:
    cells = row.cells
    ids(cells, "device id", "officer badge id")
    start_us = moment(cells, "assigned datetime", zone)
    end_us = maybe_moment(cells, "returned datetime", zone)
    if end_us is None:
        end_us = FOREVER_US
    if end_us <= start_us:
        raise ValueError("returned must be later than assigned")
    return Assignment(cells["device id"], cells["officer badge id"], start_us, end_us,
                      row.file, row.row)  # fmt: skip


ASSIGNMENT_ROWS = RowKind(
    _REQUIRED, _REQUIRED, _assignment, ("device", "officer", "start_us"), ("end_us",),
    "a camera, officer and time of assignment",
)  # fmt: skip

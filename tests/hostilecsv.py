"""A dispatch export as bad as they come, of any size, and how many of its rows are wrong in which way.

python -m tests.hostilecsv ROWS PATH
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

HEADING = (
    "Event ID,Officer Badge ID,Officer Dispatched DateTime,Officer Cleared DateTime,"
    "Call Type,Officer On Scene DateTime,Clearance Code,District,Unit,Narrative"
)
_DAY_0 = datetime(2025, 1, 1, tzinfo=UTC)
_DAYS = [(_DAY_0 + timedelta(days=n)).strftime("%Y-%m-%d") for n in range(730)]
_SUMMER = timezone(timedelta(hours=2))
_ENDS = ("\n", "\n", "\n", "\r\n", "\r")
_KEPT = 20_000
Cells = list[str]


def cells(n: int) -> Cells:
    """A row as it should be: every third time is local, every third has an offset."""
    day, hour, minute = _DAYS[n % 730], 4 + n % 18, n % 60
    zone = ("Z", "+02:00", "")[n % 3]

    def at(minutes: int) -> str:
        hours, left = divmod(minute + minutes, 60)
        return f"{day}T{hour + hours:02}:{left:02}:{n % 59:02}{zone}"

    return [
        f"E{n}", str(n * 7919 % 60_000), at(0), at(20 + n % 40),
        ("TRAFFIC", "Ruhestörung", "DOMESTIC")[n % 3], at(5) if n % 5 else "",
        ("RPT", "ADV")[n % 2], f"D{n % 9}", f"U{n % 40}", "",
    ]  # fmt: skip


def _set(place: int, text: str) -> Callable[[Cells, random.Random], None]:
    def spoil(row: Cells, _rng: random.Random) -> None:
        row[place] = text

    return spoil


def _not_at_all(_row: Cells, _rng: random.Random) -> None:
    pass


def _never(row: Cells, rng: random.Random) -> None:
    row[2], row[3], row[5] = f"2026-03-29T02:{rng.randrange(60):02}:00", "", ""


def _double(row: Cells, rng: random.Random) -> None:
    row[2], row[3], row[5] = f"2026-10-25T02:{rng.randrange(60):02}:00", "", ""


def _backwards(row: Cells, _rng: random.Random) -> None:
    row[2], row[3] = row[3], row[2]


def _short(row: Cells, _rng: random.Random) -> None:
    row.pop()


def _heading(row: Cells, _rng: random.Random) -> None:
    row[:] = HEADING.split(",")


def _overlaps(row: Cells, rng: random.Random) -> None:
    row[1] = str(rng.randrange(5))


# Weight, what is wrong (empty: nothing), and what is done to the cells.
_SPOILT: tuple[tuple[float, str, Callable[[Cells, random.Random], None]], ...] = (
    (8000, "", _not_at_all),
    (300, "", _overlaps),
    (100, "", _set(9, '"said ""stop"", then, left"')),
    (50, "", _set(9, '"one\ntwo, three\r\nfour"')),
    (50, "", _set(9, 'half a " in a cell')),
    (100, "is not UTF-8", _set(4, "Ruhest\udcf6rung")),
    (100, "holds a zero byte", _set(4, "TRA\0FFIC")),
    (100, "never was in Europe/Berlin", _never),
    (100, "was twice in Europe/Berlin", _double),
    (100, "a quote that nothing closes", _set(0, '"E')),
    (100, "a quote that nothing closes", _set(9, '"and then')),
    (100, "cells, the heading has", lambda row, _rng: row.append("")),
    (100, "cells, the heading has", _short),
    (50, "'event id' is empty", _set(0, "")),
    (50, "'officer badge id' is no id", _set(1, "47\x0711")),
    (50, "spreadsheet's serial number", _set(2, "46174.3333")),
    (50, "is of hour 24", _set(2, "2026-06-01T24:00:00Z")),
    (50, "is a leap second", _set(2, "2026-06-30T23:59:60Z")),
    (50, "is of the year 1", _set(2, "0001-01-01T00:00:00Z")),
    (50, "is of the year 9999", _set(2, "9999-12-31T23:59:59Z")),
    (50, "names its zone by letters", _set(2, "2026-06-01 08:00 CEST")),
    (50, "is no time of the calendar", _set(2, "2026-02-30T08:00:00Z")),
    (50, "is no ISO 8601 time", _set(2, "06/01/2026 8:00 AM")),
    (50, "by less than 8 hours", _backwards),
    (20, "is the heading again", _heading),
    (1, "a cell of more than 131072 characters", _set(9, "x" * 140_000)),
    (0.3, "is a line of 1048576 characters", _set(9, "x" * 1_100_000)),
)  # fmt: skip
TWICE = ("repeats row", "contradicts row")


@dataclass(slots=True)
class Truth:
    """What is in the file: rows that are good, bad rows by what is wrong, the sum of their numbers."""

    good: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return self.good + self.bad.total()


def reason(why: str) -> str:
    """Which of the things that were done to a row is meant."""
    said = [w for _, w, _ in _SPOILT if w] + list(TWICE)
    return max((w for w in said if w in why), key=len)


def write(path: Path, rows: int, seed: int = 7) -> Truth:
    """Write the file. The same size and seed give the same bytes."""
    truth = Truth()
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        out.write(HEADING + "\n")
        out.writelines(_lines(rows, random.Random(seed), truth))
    return truth


def _lines(rows: int, rng: random.Random, truth: Truth) -> Iterator[str]:
    weights = [weight for weight, _, _ in _SPOILT]
    kept: list[int] = []
    line, end = 2, "\n"
    for n in range(rows):
        if rng.random() < 0.02 and kept:
            wrong = rng.choice(TWICE)
            row = cells(rng.choice(kept))
            row[7] = row[7] if wrong == TWICE[0] else "elsewhere"
        else:
            _, wrong, spoil = rng.choices(_SPOILT, weights)[0]
            row = cells(n)
            spoil(row, rng)
            if spoil is _not_at_all:
                kept.append(n)
                if len(kept) > _KEPT:
                    kept[rng.randrange(_KEPT)] = kept.pop()
        if end == "\n" and rng.random() < 0.005:
            yield "\n"
            line += 1
        text = ",".join(row)
        end = rng.choice(_ENDS)
        yield text + end
        if wrong:
            truth.bad[wrong] += 1
            truth.places[wrong] += line
        else:
            truth.good += 1
        line += 1 + text.count("\n")


if __name__ == "__main__":
    found = write(Path(sys.argv[2]), int(sys.argv[1]))
    print(f"{found.rows} rows, {found.good} good")
    for wrong, count in found.bad.most_common():
        print(f"{count:9} {wrong}")

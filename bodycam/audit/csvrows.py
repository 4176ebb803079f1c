"""Rows of a CSV file that anybody may have made: each is given out, as cells or as a bad row.

UTF-8, or UTF-16 with its mark; separated by comma, semicolon or tab. Headings in any case, with
spaces or underscores. Nothing is skipped: a row that cannot be read is given out with its number and
what is wrong. A row's number is that of the line it begins on; the heading is line 1.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..errors import CannotOpen, ConfigError

_MAX_CELL = 1 << 17
_MAX_COLUMNS = 1000
_SHOWN = 200
_BOM_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not count, and why."""

    file: str
    row: int
    why: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row whose cells are there, by their heading in lower case with single spaces."""

    file: str
    row: int
    cells: dict[str, str]

    def bad(self, why: str) -> BadRow:
        return BadRow(self.file, self.row, why, ",".join(self.cells.values())[:_SHOWN])


def read_rows(
    path: Path, required: Sequence[str], known: Sequence[str]
) -> Iterator[CsvRow | BadRow]:
    """Every row of a file. Raises CannotOpen; ConfigError if its heading lacks a required column."""
    try:
        with path.open("rb") as raw:
            mark = raw.read(2)
        encoding = "utf-16" if mark in _BOM_UTF16 else "utf-8-sig"
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            yield from _rows(path, file, required, known)
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Give a CSV file") from fault
    except UnicodeError as fault:
        raise ConfigError(f"{path.name}: {fault}", "Save it as UTF-8") from fault


def _rows(
    path: Path, file: TextIO, required: Sequence[str], known: Sequence[str]
) -> Iterator[CsvRow | BadRow]:  # fmt: skip
    heading = file.readline(_MAX_CELL)
    separator, columns = _columns(path, heading, required, known)
    reader = csv.reader(file, delimiter=separator, strict=True)
    before = 0
    while True:
        row = before + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            last = reader.line_num + 1
            before = reader.line_num
            lines = f"lines {row} to {last}: " if last > row else ""
            yield BadRow(path.name, row, f"{lines}{fault}: a quote that nothing closes?")
            continue
        before = reader.line_num
        if cells:
            yield _row(path.name, row, columns, cells)


def _columns(
    path: Path, heading: str, required: Sequence[str], known: Sequence[str]
) -> tuple[str, list[str]]:  # fmt: skip
    found: list[tuple[int, str, list[str]]] = []
    for separator in ",;\t":
        try:
            cells = next(csv.reader([heading], delimiter=separator), [])
        except csv.Error:
            continue
        columns = [" ".join(cell.replace("_", " ").split()).lower() for cell in cells]
        found.append((sum(c in known for c in columns), separator, columns))
    _, separator, columns = max(found, key=lambda f: f[0], default=(0, ",", []))
    missing = [name for name in required if name not in columns]
    if missing or len(columns) > _MAX_COLUMNS:
        raise ConfigError(
            f"{path.name}, row 1: the heading lacks {', '.join(repr(m) for m in missing)}",
            f"Wanted: {', '.join(known)}",
        )
    twice = sorted({c for c in columns if c in known and columns.count(c) > 1})
    if twice:
        raise ConfigError(f"{path.name}, row 1: {', '.join(twice)} is there twice")
    return separator, columns


def _row(file: str, row: int, columns: list[str], cells: list[str]) -> CsvRow | BadRow:
    shown = ",".join(cells)[:_SHOWN]
    clean = shown.encode("utf-8", "replace").decode()
    if any("\udc80" <= char <= "\udcff" for cell in cells for char in cell):
        return BadRow(file, row, "is not UTF-8: save the file as UTF-8", clean)
    if any("\0" in cell for cell in cells):
        return BadRow(file, row, "holds a zero byte", clean)
    if len(cells) != len(columns):
        return BadRow(file, row, f"has {len(cells)} cells, the heading has {len(columns)}", clean)
    return CsvRow(file, row, {c: cell.strip() for c, cell in zip(columns, cells, strict=True)})

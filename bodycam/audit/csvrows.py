"""Rows of a CSV file that anybody may have made: each is given out, as cells or as a bad row.

UTF-8, or UTF-16 with its mark; separated by comma, semicolon or tab. Headings in any case, with
spaces or underscores. Nothing is skipped but lines with nothing on them: a row that cannot be read is
given out with its number and what is wrong. A row's number is that of the line it begins on; the
heading is line 1.

| what is wrong                                  | what becomes of it                                   |
|------------------------------------------------|------------------------------------------------------|
| bytes that are not of the encoding, zero bytes | the row is bad                                       |
| a quote that nothing closes, or that closes    | the line it is on is bad; those behind it are read   |
| behind what looks like rows                    | anew, and stand for themselves                       |
| a line of `MAX_LINE` characters or more        | one bad row; what is read of it at once is bounded   |
| the heading again                              | bad; the rows below it are read                      |
| another heading                                | bad, as is every row below it                        |
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from ..errors import CannotOpen, ConfigError

MAX_LINE = 1 << 20
_MAX_CELL = 1 << 17  # csv's own limit
_MAX_ROW_LINES = 1000
_MAX_COLUMNS = 1000
_SHOWN = 200
_BUFFER_BYTES = 1 << 20
_UTF16, _UTF32 = (b"\xff\xfe", b"\xfe\xff"), (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_NO_TEXT = {b"PK": "a workbook or an archive", b"\xd0\xcf": "a workbook", b"\x1f\x8b": "compressed"}
_SPOILT = re.compile("[\ud800-\udfff]")
_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d", re.ASCII)
_ENDS = "\r\n"
_OPEN = "a quote that nothing closes"
_TOO_LONG = f"a cell of more than {_MAX_CELL} characters"


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
    with CsvFile(path, required, known) as file:
        yield from file


def shown_name(path: Path) -> str:
    """The name of a file, also of one that is no text."""
    return os.fsencode(path.name).decode("utf-8", "replace")


class CsvFile:
    """A CSV file whose heading was read, and whose rows are given out once."""

    def __init__(self, path: Path, required: Sequence[str], known: Sequence[str]) -> None:
        """Raises CannotOpen; ConfigError if its heading lacks a required column."""
        self.path, self.name = path, shown_name(path)
        self._required, self._known = required, known
        try:
            self._raw = _CountedFile(path)
            bytes_ = io.BufferedReader(self._raw, _BUFFER_BYTES)
            self._encoding = _encoding(self.name, bytes_.peek(4)[:4])
            codec = {"UTF-8": "utf-8-sig"}.get(self._encoding, self._encoding)
            self._file = io.TextIOWrapper(bytes_, codec, _SPOIL, newline="")
            self._heading = self._file.readline(MAX_LINE)
        except OSError as fault:
            raise _unreadable(path, fault) from fault
        self._separator, self._columns = self._read_heading()
        self._times = [n for n, column in enumerate(self._columns) if "datetime" in column]
        self._time = next((n for n in self._times if self._columns[n] in required), None)
        self._back: deque[tuple[str, bool]] = deque()
        self._line = 1
        self._below = 0

    @property
    def done_bytes(self) -> int:
        """How much of the file was read."""
        return self._raw.done_bytes

    def sha256(self) -> str:
        """Of what was read: of the whole file behind its last row."""
        return self._raw.hash.hexdigest()

    def close(self) -> None:
        """Idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- rows ---------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[CsvRow | BadRow]:
        """Raises CannotOpen if the medium fails meanwhile."""
        separator = self._separator
        try:
            while True:
                line, alone = self._next()
                if not line:
                    return
                if len(line) >= MAX_LINE:
                    yield self._bad(self._line, f"is a line of {MAX_LINE} characters or more", line)
                elif '"' in line:
                    yield from self._quoted(line, alone)
                elif cells := line.rstrip(_ENDS):
                    yield self._row(self._line, line, cells.split(separator))
        except OSError as fault:
            raise _unreadable(self.path, fault) from fault

    def _next(self) -> tuple[str, bool]:
        """The next line, empty at the end; True if no row that begins on it may go on behind it."""
        if self._back:
            self._line += 1
            return self._back.popleft()
        line = self._file.readline(MAX_LINE)
        if len(line) >= MAX_LINE and line[-1] not in _ENDS:
            while (rest := self._file.readline(MAX_LINE)) and rest[-1] not in _ENDS:
                pass
        self._line += 1
        return line, False

    def _quoted(self, first: str, alone: bool) -> Iterator[CsvRow | BadRow]:
        """The row that begins on this line. A line is looked at three times at most."""
        row, taken = self._line, [(first, alone)]

        def lines() -> Iterator[str]:
            yield first
            room = MAX_LINE
            while not alone and len(taken) < _MAX_ROW_LINES and room > 0:
                taken.append(self._next())
                line = taken[-1][0]
                if not line or len(line) >= MAX_LINE:
                    return
                room -= len(line)
                yield line

        try:
            cells = next(csv.reader(lines(), delimiter=self._separator, strict=True))
            wrong = self._swallows(cells, [line for line, _ in taken[1:]])
        except csv.Error as fault:
            wrong = _TOO_LONG if "limit" in str(fault) else f"a stray quote: {fault}"
            if len(taken) > 1 or "end of data" in str(fault):
                wrong = _OPEN
        if not wrong:
            yield self._row(row, "".join(line for line, _ in taken), cells)
            return
        # Those between stand for themselves; the last one may begin a row of several lines.
        self._back.extendleft(reversed([(line, True) for line, _ in taken[1:-1]] + taken[1:][-1:]))
        self._line = row
        yield self._bad(row, wrong, first)

    def _swallows(self, cells: list[str], more: list[str]) -> str:
        """What is wrong with a row of several lines; one that swallows rows would lose them."""
        if not more:
            return ""
        if any(map(self._looks_like_a_row, more)):
            return f"{_OPEN} before what looks like other rows"
        if len(cells) != len(self._columns):
            wanted = f"the heading has {len(self._columns)}"
            return f"has {len(cells)} cells on {1 + len(more)} lines, {wanted}: {_OPEN}?"
        return ""

    def _looks_like_a_row(self, line: str) -> bool:
        cells = line.split(self._separator)
        return len(cells) == len(self._columns) and any(
            _DATE.match(cells[n].strip('"')) for n in self._times
        )

    def _row(self, row: int, line: str, cells: list[str]) -> CsvRow | BadRow:
        if not line.isascii() and _SPOILT.search(line):
            return self._bad(row, f"is not {self._encoding}: save the file as UTF-8", line)
        if "\0" in line:
            return self._bad(row, "holds a zero byte", line)
        if not self._has_a_time(cells) and (other := self._other_heading(row, cells)):
            return self._bad(row, other, line)
        if self._below:
            why = f"is below another heading, row {self._below}: give the files apart"
            return self._bad(row, why, line)
        if len(cells) != len(self._columns):
            why = f"has {len(cells)} cells, the heading has {len(self._columns)}"
            return self._bad(row, why, line)
        if len(line) > _MAX_CELL and max(map(len, cells)) > _MAX_CELL:
            return self._bad(row, _TOO_LONG, line)
        return CsvRow(self.name, row, dict(zip(self._columns, map(str.strip, cells), strict=True)))

    def _has_a_time(self, cells: list[str]) -> bool:
        """Whether a number stands where the first time should be: so it is no heading."""
        at = self._time
        return at is not None and at < len(cells) and cells[at].strip('" ')[:1].isdigit()

    def _other_heading(self, row: int, cells: list[str]) -> str:
        columns = [_column(cell) for cell in cells]
        if columns == self._columns:
            self._below = 0
            return "is the heading again: were files put together?"
        if all(name in columns for name in self._required):
            self._below = row
            return "is another heading: were files put together? Give them apart"
        return ""

    def _bad(self, row: int, why: str, line: str) -> BadRow:
        shown = line[: 2 * _SHOWN].rstrip(_ENDS).encode("utf-8", "replace").decode()
        return BadRow(self.name, row, why, shown[:_SHOWN])

    def _read_heading(self) -> tuple[str, list[str]]:
        if len(self._heading) >= MAX_LINE:
            self.close()
            raise ConfigError(f"{self.name}, row 1: is too long for a heading", self._wanted())
        found: list[tuple[int, str, list[str]]] = []
        for separator in ",;\t":
            try:
                cells = next(csv.reader([self._heading], delimiter=separator), [])
            except csv.Error:
                continue
            columns = [_column(cell) for cell in cells]
            found.append((sum(c in self._known for c in columns), separator, columns))
        _, separator, columns = max(found, key=lambda f: f[0], default=(0, ",", []))
        missing = [repr(name) for name in self._required if name not in columns]
        twice = sorted({c for c in columns if c in self._known and columns.count(c) > 1})
        wrong = ""
        if missing:
            wrong = f"the heading lacks {', '.join(missing)}"
        elif len(columns) > _MAX_COLUMNS:
            wrong = f"the heading has {len(columns)} columns, at most {_MAX_COLUMNS}"
        elif twice:
            wrong = f"{', '.join(twice)} is there twice"
        if wrong:
            self.close()
            raise ConfigError(f"{self.name}, row 1: {wrong}", self._wanted())
        return separator, columns

    def _wanted(self) -> str:
        return f"Wanted: {', '.join(self._known)}"


class _CountedFile(io.RawIOBase):
    """A file, how much of it was read, and the hash of that."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("rb", buffering=0)
        self.hash = hashlib.sha256()
        self.done_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]
        count: int = self._file.readinto(into)  # type: ignore[attr-defined]
        self.hash.update(into[:count])
        self.done_bytes += count
        return count

    def close(self) -> None:
        super().close()
        self._file.close()


def _column(cell: str) -> str:
    # The mark of a file that was put behind another one is part of its first heading.
    return " ".join(cell.replace("\ufeff", "").replace("_", " ").split()).lower()


def _encoding(name: str, mark: bytes) -> str:
    for begins, what in _NO_TEXT.items():
        if mark.startswith(begins):
            raise ConfigError(f"{name}: is {what}, no CSV file", "Save it as CSV, in UTF-8")
    if mark in _UTF32 or (b"\0" in mark and mark[:2] not in _UTF16):
        raise ConfigError(f"{name}: is UTF-16 without its mark, or UTF-32", "Save it as UTF-8")
    return "UTF-16" if mark[:2] in _UTF16 else "UTF-8"


def _unreadable(path: Path, fault: OSError) -> CannotOpen:
    return CannotOpen(f"{path}: {fault.strerror}", "Give a CSV file")


def _spoil(fault: UnicodeError) -> tuple[str, int]:
    """What cannot be decoded is marked by characters that no text has, in any encoding."""
    assert isinstance(fault, UnicodeDecodeError)
    return "\udcff" * (fault.end - fault.start), fault.end


_SPOIL = "bodycam.audit.csvrows"
codecs.register_error(_SPOIL, _spoil)

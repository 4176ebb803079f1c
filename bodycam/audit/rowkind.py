"""Kinds of CSV files: how a row becomes a fact, and when two rows are the same.

Two rows of one key are not both counted: the first is, and the second is given back as a repetition, if
it says the same, or as a contradiction. That holds for all files of a kind together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from .csvrows import BadRow, CsvRow, read_rows
from .moments import moment_us

MAX_TEXT = 200
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d{1,3}", re.ASCII)


class Fact(Protocol):
    """What a row says; it knows where it stands."""

    @property
    def source(self) -> str: ...
    @property
    def row(self) -> int: ...


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class RowKind(Generic[F]):
    """Columns, the fact of a row (ValueError: why it is none), and what only one row may be of.

    `key` are names of the fact's attributes, of which there is but one row; `said` are those that make
    a second one a repetition if they are equal, a contradiction if not.
    """

    required: tuple[str, ...]
    known: tuple[str, ...]
    fact: Callable[[CsvRow, tzinfo | None], F]
    key: tuple[str, ...]
    said: tuple[str, ...]
    one_row: str

    def again(self, same: bool, file: str, row: int) -> str:
        """Why a second row of a key does not count; `file` and `row` are the first's."""
        what = "repeats" if same else "contradicts"
        return f"{what} row {row} of {file}: one row {self.one_row}"


@dataclass(slots=True)
class Records(Generic[F]):
    """What files of a kind hold: rows that count, and rows that do not."""

    good: list[F] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.bad)


def read_records(kind: RowKind[F], paths: Iterable[Path], zone: tzinfo | None) -> Records[F]:
    """All rows of these files. Raises CannotOpen, ConfigError where a whole file is of no use."""
    found: Records[F] = Records()
    for one in iter_records(kind, paths, zone):
        if isinstance(one, BadRow):
            found.bad.append(one)
        else:
            found.good.append(one)
    return found


def iter_records(
    kind: RowKind[F], paths: Iterable[Path], zone: tzinfo | None
) -> Iterator[F | BadRow]:
    """Row by row, as they are read; what is kept of each is 200 bytes."""
    seen: dict[bytes, tuple[str, int, bytes]] = {}
    key_of, said_of = _getter(kind.key), _getter(kind.said)
    for path in paths:
        for row, one in facts(kind, read_rows(path, kind.required, kind.known), zone):
            if isinstance(one, BadRow) or isinstance(row, BadRow):
                yield one
                continue
            key, said = _digest(key_of(one)), _digest(said_of(one))
            before = seen.get(key)
            if before is None:
                seen[key] = (one.source, one.row, said)
                yield one
            else:
                yield row.bad(kind.again(before[2] == said, *before[:2]))


def facts(
    kind: RowKind[F], rows: Iterable[CsvRow | BadRow], zone: tzinfo | None
) -> Iterator[tuple[CsvRow | BadRow, F | BadRow]]:
    """Each row, and what it says by itself or why it says nothing."""
    fact = kind.fact
    for row in rows:
        if isinstance(row, BadRow):
            yield row, row
            continue
        try:
            one: F | BadRow = fact(row, zone)
        except ValueError as fault:
            one = row.bad(str(fault))
        yield row, one


# -- cells -------------------------------------------------------------------------------------


def ids(cells: dict[str, str], *names: str) -> None:
    """Each of these is there, and an id. Raises ValueError."""
    for name in names:
        if not cells[name]:
            raise ValueError(f"'{name}' is empty")
        maybe_id(cells, name)


def maybe_id(cells: dict[str, str], name: str) -> str:
    """An id, or empty. Raises ValueError."""
    value = cells.get(name, "")
    if len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError(f"'{name}' is no id")
    if "E+" in value and _ROUNDED.fullmatch(value):
        raise ValueError(f"'{name}' {value!r} is what a spreadsheet left of a long number: "
                         "give the column the format text")  # fmt: skip
    return value


def text(cells: dict[str, str], name: str) -> str:
    """A word that somebody chose, or empty. Raises ValueError if it is a treatise."""
    value = cells.get(name, "")
    if len(value) > MAX_TEXT:
        raise ValueError(f"'{name}' is of {len(value)} characters, at most {MAX_TEXT}")
    return value


def maybe_moment(cells: dict[str, str], name: str, zone: tzinfo | None) -> int | None:
    """A time in microseconds UTC; None if it is empty. Raises ValueError."""
    value = cells.get(name, "")
    if not value:
        return None
    try:
        return moment_us(value, zone)
    except ValueError as fault:
        raise ValueError(f"'{name}' {value[:40]!r} {fault}") from fault


def moment(cells: dict[str, str], name: str, zone: tzinfo | None) -> int:
    """A time that must be there. Raises ValueError."""
    found = maybe_moment(cells, name, zone)
    if found is None:
        raise ValueError(f"'{name}' is empty")
    return found


def _getter(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _fact: ()


def _digest(said: object) -> bytes:
    return blake2b(repr(said).encode(), digest_size=12).digest()

"""A CSV file as other people's programs read it: DuckDB and pandas beside Python's own reader (RFC 4180)."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pandas as pd

Rows = list[list[str]]


def read_by_all(path: Path) -> Rows:
    """Its heading and rows, on which all of them agree; UTF-8 without a mark at its beginning."""
    assert not path.read_bytes().startswith(b"\xef\xbb\xbf"), path
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows, f"{path} has no heading"
    assert {len(row) for row in rows} == {len(rows[0])}, path
    assert _duckdb(path) == rows, path
    assert _pandas(path) == rows, path
    return rows


def _duckdb(path: Path) -> Rows:
    options = "header = false, all_varchar = true, delim = ',', quote = '\"', escape = '\"', parallel = false"
    found = duckdb.connect().execute(
        f"SELECT * FROM read_csv('{path}', {options}, null_padding = false)"
    )
    return [["" if cell is None else cell for cell in row] for row in found.fetchall()]


def _pandas(path: Path) -> Rows:
    # Its faster parser ends a cell at a NUL; C programs do.
    told = pd.read_csv(path, dtype=str, header=None, keep_default_na=False, engine="python")
    return [[str(cell) for cell in row] for row in told.to_numpy().tolist()]

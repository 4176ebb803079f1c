"""Columns of many rows at once: ids, texts, months, and tables of the data set made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...audit.dataset.schema import TableSchema
from .plan import Ints

FORCE = "example"
_HEX = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), np.uint8).reshape(256, 2)
# Where the hex digits of a UUID stand, between its dashes.
_DIGITS = np.array([n for n in range(36) if n not in (8, 13, 18, 23)])
# Whole, or one value for all rows; pyarrow's arrays have no types to be checked.
Column = Any


def table(
    schema: TableSchema, rows: int, month_us: Ints, columns: Mapping[str, Column]
) -> pa.Table:
    """A table of the data set: each column whole, or one value for all; those not given are null."""
    given = {"force": FORCE, "month": months(month_us), **columns}
    arrays = []
    for field in schema.columns:
        value = given.pop(field.name) if field.name in given or not field.nullable else None
        if isinstance(value, np.ndarray | pa.Array | pa.ChunkedArray):
            arrays.append(pa.array(value).cast(field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(value, field.type), rows))
    if given:
        raise KeyError(f"{schema.name} has no {', '.join(given)}")
    return pa.Table.from_arrays(arrays, schema=schema.columns)


def months(at_us: Ints) -> pa.Array:
    """The month, UTC, of each time."""
    every = at_us.astype("datetime64[us]").astype("datetime64[M]")
    names, which = np.unique(every, return_inverse=True)
    return coded([str(name) for name in names], which)


def coded(names: Sequence[str], which: NDArray[np.integer]) -> pa.Array:
    """The name of each code."""
    codes = pa.array(which.astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string())).cast(pa.string())


def numbered(prefix: str, number: Ints, width: int) -> pa.Array:
    """The prefix, and the number with so many digits."""
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")
    return text(prefix, digits)


def text(*parts: pa.Array | str) -> pa.Array:
    """These parts as one text, row by row."""
    return pc.binary_join_element_wise(*parts, "")


def uuids(rng: np.random.Generator, count: int) -> pa.Array:
    """Random UUIDs, as the recorder draws them."""
    raw = rng.integers(0, 256, (count, 16), np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    letters = np.full((count, 36), ord("-"), np.uint8)
    letters[:, _DIGITS] = _HEX[raw].reshape(count, 32)
    ends = np.arange(count + 1, dtype=np.int32) * 36
    return pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(ends), pa.py_buffer(letters)]
    )


def some(values: Ints, known: NDArray[np.bool_]) -> pa.Array:
    """The values, null where they are not known."""
    return pa.array(values, mask=~known)


def place_in(device: Ints) -> Ints:
    """The place of each row among those of its camera; rows are in order of cameras."""
    first = np.searchsorted(device, device)
    return np.arange(len(device)) - first

"""The tables of the data set, version 1: docs/AUDIT-DATA.md says what each column means.

A reader refuses a version that it does not know. A column that is added with a null for old rows
changes no version; anything else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa

DATASET_FORMAT = "bodycam audit data"
DATASET_VERSION = 1


class Kind(Enum):
    """What a row of `spans` is a stretch of."""

    STATE = "state"
    OVERLAY = "overlay"
    LIVE = "live"
    EVID = "evid"
    FAILED = "failed"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table: its name, its columns, and how its rows are ordered in a file."""

    name: str
    columns: pa.Schema
    order: tuple[str, ...]

    def of(self, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        """Rows of Python values, each in the order of the columns."""
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, self.columns, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self.columns)


# Every table begins with these.
_KEY = (("force", pa.string()), ("month", pa.string()), ("device", pa.string()))


def _table(name: str, order: tuple[str, ...], *columns: tuple[str, pa.DataType]) -> TableSchema:
    optional = {"start_us", "live_end_us", "stop_cause", "asked_ms", "synced_us"}
    fields = [
        pa.field(column, kind, nullable=name == "recordings" and column in optional)
        for column, kind in (*_KEY, *columns)
    ]
    return TableSchema(name, pa.schema(fields), order)


_STR, _INT, _SMALL, _BOOL = pa.string(), pa.int64(), pa.int32(), pa.bool_()
SPANS = _table(
    "spans", ("device", "kind", "start_us", "number"),
    ("kind", _STR), ("name", _STR), ("number", _SMALL), ("start_us", _INT), ("end_us", _INT),
    ("err_us", _INT), ("why", _STR), ("line", _INT), ("next_line", _INT), ("recording", _STR),
)  # fmt: skip
RECORDINGS = _table(
    "recordings", ("device", "number"),
    ("number", _SMALL), ("recording", _STR), ("boot", _STR), ("line", _INT), ("begins_us", _INT),
    ("start_us", _INT), ("live_end_us", _INT), ("start_cause", _STR), ("start_said", _STR),
    ("pressed", _BOOL), ("stop_cause", _STR), ("stop_said", _STR), ("stop_line", _INT),
    ("cancelled_stops", _SMALL), ("asked_ms", _INT), ("short_said", _STR), ("synced_us", _INT),
    ("err_us", _INT), ("firmware", _STR), ("verdict", _STR), ("files", pa.list_(_STR)),
)  # fmt: skip
EVENTS = _table(
    "events", ("device", "at_us", "line"),
    ("boot", _STR), ("line", _INT), ("at_us", _INT), ("ev", _STR), ("data", _STR),
)  # fmt: skip
FINDINGS = _table(
    "findings", ("device", "number"),
    ("number", _SMALL), ("verdict", _STR), ("check_number", _SMALL), ("file", _STR),
    ("place", _STR), ("text", _STR),
)  # fmt: skip
SOURCES = _table(
    "sources", ("device",),
    ("store", _STR), ("fingerprint", _STR), ("rows_sha256", _STR), ("verdict", _STR),
    ("log_lines", _INT), ("lines_signed", _INT), ("proven_us", _INT), ("checkpoint", pa.binary()),
)  # fmt: skip

TABLES = {table.name: table for table in (SPANS, RECORDINGS, EVENTS, FINDINGS, SOURCES)}

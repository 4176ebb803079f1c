"""The tables of the data set, version 1: docs/AUDIT-DATA.md says what each column means.

Those of cameras hold what was verified; those of records what dispatch, roster and records system say,
which nobody signed.

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
    THROTTLED = "throttled"


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


# Every table begins with these; those of cameras have `device` behind them.
_KEY = (("force", pa.string()), ("month", pa.string()))


def _table(
    name: str, order: tuple[str, ...], *columns: tuple[str, pa.DataType], null: tuple[str, ...] = ()
) -> TableSchema:
    fields = [pa.field(column, kind, nullable=column in null) for column, kind in (*_KEY, *columns)]
    return TableSchema(name, pa.schema(fields), order)


_STR, _INT, _SMALL, _BOOL = pa.string(), pa.int64(), pa.int32(), pa.bool_()
_DEVICE = ("device", _STR)
SPANS = _table(
    "spans", ("device", "kind", "start_us", "number"),
    _DEVICE, ("kind", _STR), ("name", _STR), ("number", _SMALL), ("start_us", _INT), ("end_us", _INT),
    ("err_us", _INT), ("why", _STR), ("line", _INT), ("next_line", _INT), ("recording", _STR),
    ("most_err_us", _INT), ("most_soc_milli_c", _INT), ("most_cell_milli_c", _INT),
    null=("most_err_us", "most_soc_milli_c", "most_cell_milli_c"),
)  # fmt: skip
RECORDINGS = _table(
    "recordings", ("device", "number"),
    _DEVICE, ("number", _SMALL), ("recording", _STR), ("boot", _STR), ("line", _INT), ("begins_us", _INT),
    ("start_us", _INT), ("live_end_us", _INT), ("start_cause", _STR), ("start_said", _STR),
    ("pressed", _BOOL), ("stop_cause", _STR), ("stop_said", _STR), ("stop_line", _INT),
    ("cancelled_stops", _SMALL), ("asked_ms", _INT), ("short_said", _STR), ("synced_us", _INT),
    ("err_us", _INT), ("firmware", _STR), ("verdict", _STR), ("files", pa.list_(_STR)),
    ("since_sync_us", _INT),
    null=("start_us", "live_end_us", "stop_cause", "asked_ms", "synced_us", "since_sync_us"),
)  # fmt: skip
EVENTS = _table(
    "events", ("device", "at_us", "line"),
    _DEVICE, ("boot", _STR), ("line", _INT), ("at_us", _INT), ("ev", _STR), ("data", _STR),
    ("run_line", _INT), null=("run_line",),
)  # fmt: skip
FINDINGS = _table(
    "findings", ("device", "number"),
    _DEVICE, ("number", _SMALL), ("verdict", _STR), ("check_number", _SMALL), ("file", _STR),
    ("place", _STR), ("text", _STR),
)  # fmt: skip
SOURCES = _table(
    "sources", ("device",),
    _DEVICE, ("store", _STR), ("fingerprint", _STR), ("rows_sha256", _STR), ("verdict", _STR),
    ("log_lines", _INT), ("lines_signed", _INT), ("proven_us", _INT), ("checkpoint", pa.binary()),
)  # fmt: skip

_ROW = (("file", _STR), ("row", _INT))
INCIDENTS = _table(
    "incidents", ("dispatched_us", "event", "officer"),
    ("event", _STR), ("officer", _STR), ("dispatched_us", _INT), ("on_scene_us", _INT),
    ("first_entry_us", _INT), ("cleared_us", _INT), ("self_initiated", _BOOL), ("call_type", _STR),
    ("clearance", _STR), ("district", _STR), ("unit", _STR), *_ROW,
    null=("on_scene_us", "first_entry_us", "cleared_us"),
)  # fmt: skip
ASSIGNMENTS = _table(
    "assignments", ("officer", "device", "start_us"),
    _DEVICE, ("officer", _STR), ("start_us", _INT), ("end_us", _INT), *_ROW,
)  # fmt: skip
DUTIES = _table(
    "duties", ("officer", "start_us"),
    ("officer", _STR), ("start_us", _INT), ("end_us", _INT), ("unit", _STR), ("site", _STR),
    ("arm", _STR), *_ROW,
)  # fmt: skip
FORCE_USES = _table(
    "force_uses", ("at_us", "event", "officer"),
    ("event", _STR), ("officer", _STR), ("at_us", _INT), ("rounding_us", _INT), *_ROW,
    null=("rounding_us",),
)  # fmt: skip
COMPLAINTS = _table(
    "complaints", ("event", "officer"),
    ("event", _STR), ("officer", _STR), ("at_us", _INT), *_ROW, null=("at_us",),
)  # fmt: skip
FILINGS = _table(
    "filings", ("recording",),
    ("recording", _STR), ("event", _STR), ("category", _STR), ("filed_us", _INT),
    ("reviewed_event", _STR), *_ROW, null=("filed_us", "reviewed_event"),
)  # fmt: skip
BAD_ROWS = _table("bad_rows", ("file", "row"), ("kind", _STR), ("why", _STR), ("text", _STR), *_ROW)

CAMERA_TABLES = {table.name: table for table in (SPANS, RECORDINGS, EVENTS, FINDINGS, SOURCES)}
RECORD_TABLES = {
    table.name: table
    for table in (INCIDENTS, ASSIGNMENTS, DUTIES, FORCE_USES, COMPLAINTS, FILINGS, BAD_ROWS)
}
TABLES = CAMERA_TABLES | RECORD_TABLES

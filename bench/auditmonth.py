"""A month of a force, made directly in the ingested form: no log was ever written of it.

Each camera is worn ten hours a day. In each hour one incident, recorded with a chance of 0.9 and about
on time, and with a chance of 0.3 a short recording beside it: some 10 incidents and 12 recordings a day.
The mix is invented, its rates mean nothing; what is measured is the time.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bodycam.audit.dataset.schema import (
    ASSIGNMENTS,
    EVENTS,
    INCIDENTS,
    RECORDINGS,
    SPANS,
    TableSchema,
)

S = 1_000_000
DAYS, HOURS = 30, 10
# 2026-06-01T00:00:00Z
_MONTH_US = 1_780_272_000 * S
_DAY_US = 86_400 * S
_DUTY_US = 8 * 3600 * S
_BOOT_US = 20 * S
Ints = NDArray[np.int64]


def month(first: int, cameras: int, seed: int = 1) -> dict[str, pa.Table]:
    """So many cameras from number `first` on, and what dispatch and roster say of who wears them."""
    rng = np.random.default_rng((seed, first))
    shape = (cameras, DAYS, HOURS)

    def spread(low: float, high: float) -> Ints:
        return (rng.uniform(low, high, shape) * S).astype(np.int64)

    day = _MONTH_US + np.arange(DAYS) * _DAY_US
    duty = np.broadcast_to(day[None, :] + _DUTY_US, (cameras, DAYS))
    hour = duty[:, :, None] + np.arange(HOURS) * 3600 * S
    dispatched = hour + spread(30, 300)
    due = dispatched + spread(120, 600)
    cleared = due + spread(600, 1500)
    start, stop = due + spread(-60, 60), cleared + spread(-90, 60)
    short = hour + 2700 * S + spread(0, 300)
    starts = np.stack([start, short], axis=3).reshape(cameras, DAYS, 2 * HOURS)
    stops = np.stack([stop, short + spread(10, 400)], axis=3).reshape(cameras, DAYS, 2 * HOURS)
    there = np.stack([rng.random(shape) < 0.9, rng.random(shape) < 0.3], axis=3).reshape(
        starts.shape
    )
    names = np.array([f"cam-{first + n:06}" for n in range(cameras)])
    return {
        **_tables(names, duty, starts, stops, there),
        INCIDENTS.name: _incidents(first, names, dispatched, due, cleared),
        ASSIGNMENTS.name: _worn(names, duty),
    }


def _tables(
    names: NDArray[np.str_], duty: Ints, starts: Ints, stops: Ints, there: NDArray[np.bool_]
) -> dict[str, pa.Table]:
    cameras = np.broadcast_to(np.arange(len(names))[:, None, None], starts.shape)
    on = duty + _BOOT_US
    off = duty + HOURS * 3600 * S
    before = np.maximum.accumulate(np.where(there, stops, on[:, :, None]), axis=2)
    before = np.concatenate([on[:, :, None], before], axis=2)
    pick = there.ravel()
    device, start, stop = (a.ravel()[pick] for a in (cameras, starts, stops))
    whole = np.arange(len(names)).repeat(DAYS)
    day = duty.ravel() - _DUTY_US
    states = [
        ("recording", device, start, stop),
        ("ready", device, before[:, :, :-1].ravel()[pick], start),
        ("ready", whole, before[:, :, -1].ravel(), off.ravel()),
        ("boot", whole, duty.ravel(), on.ravel()),
        ("docked", whole, day, duty.ravel()),
        ("docked", whole, off.ravel(), day + _DAY_US),
    ]
    number = _numbers(device)
    parts = [("state", name, *spans, None) for name, *spans in states]
    parts += [
        ("live", "", device, start, stop, number),
        ("evid", "", device, start - 30 * S, stop + 10 * S, number),
        ("clock", "", whole, duty.ravel(), off.ravel(), None),
    ]
    return {
        SPANS.name: pa.concat_tables([_spans(names, *part) for part in parts]),
        RECORDINGS.name: _recordings(names, device, number, start, stop),
        EVENTS.name: EVENTS.of([]),
    }


def _numbers(device: Ints) -> Ints:
    """The place of each recording in its camera's timeline; rows are in order already."""
    first = np.searchsorted(device, np.arange(device[-1] + 1))
    return np.arange(len(device)) - first[device]


def _spans(
    names: NDArray[np.str_], kind: str, name: str, device: Ints, start: Ints, end: Ints,
    number: Ints | None,
) -> pa.Table:  # fmt: skip
    kept = start < end
    device, start, end = device[kept], start[kept], end[kept]
    return _filled(SPANS, len(device), {
        "device": _coded(names, device), "kind": kind, "name": name, "start_us": start,
        "end_us": end, "err_us": 5000,
        "number": np.arange(len(device)) % 1000 if number is None else number[kept],
    })  # fmt: skip


def _recordings(
    names: NDArray[np.str_], device: Ints, number: Ints, start: Ints, stop: Ints
) -> pa.Table:
    return _filled(RECORDINGS, len(device), {
        "device": _coded(names, device), "number": number, "begins_us": start, "start_us": start,
        "live_end_us": stop, "start_cause": "button", "stop_cause": "button", "pressed": True,
        "asked_ms": 30_000, "synced_us": start + 50_000, "err_us": 5000, "verdict": "intact",
        "recording": "r",
    })  # fmt: skip


def _filled(schema: TableSchema, rows: int, columns: dict[str, object]) -> pa.Table:
    """A table whose other columns are empty or 0."""
    given = {"force": "example", "month": "2026-06", **columns}
    arrays = []
    for field in schema.columns:
        value = given.get(field.name)
        if isinstance(value, np.ndarray | pa.Array | pa.ChunkedArray):
            arrays.append(pa.array(value).cast(field.type))
            continue
        if value is None and not field.nullable:
            value = [] if pa.types.is_list(field.type) else "" if field.type == pa.string() else 0
        arrays.append(pa.repeat(pa.scalar(value, field.type), rows))
    return pa.Table.from_arrays(arrays, schema=schema.columns)


def _coded(names: NDArray[np.str_], which: Ints) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(which, pa.int32()), pa.array(names)).cast(
        pa.string()
    )


def _incidents(
    first: int, names: NDArray[np.str_], dispatched: Ints, due: Ints, cleared: Ints
) -> pa.Table:
    """The officer's id is the camera's; every second incident is one of two officers."""
    count = due.size
    which = np.arange(len(names)).repeat(DAYS * HOURS)
    number = np.arange(count, dtype=np.int64) + first * DAYS * HOURS
    event = (number % (DAYS * HOURS)) + (which // 2 + first) * 1000
    event = np.where(number % 2 == 0, event, number + 10**12)
    return _filled(INCIDENTS, count, {
        "event": pa.array(event).cast(pa.string()), "officer": _coded(names, which),
        "dispatched_us": dispatched.ravel(), "on_scene_us": due.ravel(), "cleared_us": cleared.ravel(),
        "call_type": "theft", "self_initiated": False, "row": number,
    })  # fmt: skip


def _worn(names: NDArray[np.str_], duty: Ints) -> pa.Table:
    """One officer all month, signed out each day."""
    who = _coded(names, np.arange(len(names)).repeat(DAYS))
    out_us = duty.ravel() - 600 * S
    return _filled(ASSIGNMENTS, len(who), {
        "device": who, "officer": who, "start_us": out_us,
        "end_us": out_us + HOURS * 3600 * S + 1200 * S,
    })  # fmt: skip

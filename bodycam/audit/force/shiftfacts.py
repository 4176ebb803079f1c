"""Facts of all shifts at once: how each value of M1 to M16 is spread, what is behind it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from ..dataset.schema import RECORDINGS, SPANS, Kind
from ..engine.months import months_of
from ..engine.sweep import Side, meeting
from ..measures import MEASURES
from ..measures.toggles import HOUR_US
from ..states import DeviceState
from .facts import CaseKind, Cause, Firmware, Spread
from .sources import Sources, different

_MAX_CASES, _MAX_CAUSES, _MAX_FIRMWARES, _WORDS = 6, 40, 40, 80
_AT_ONCE = 12
# What may not be added up: shares, extremes and temperatures.
_NO_SUM = ("_ratio", "_share", "_hour", "_milli_c")
_EXTREMES = ("longest", "max_", "p50", "p95")
# Of all shifts together a share is one of sums, not a mean of shares: parts less others, of a whole.
_SHARES = {
    "m1_ready_ratio": (("m1_ready_us",), ("m1_undocked_us",), ()),
    "m2_sleep_share": (("m2_sleep_us",), ("m1_undocked_us",), ("m1_off_us", "m1_unknown_us")),
    "m7_muted_share": (("m7_muted_us",), ("m7_live_us",), ()),
    "m8_tail_share": (("m8_tail_kept",), ("m8_button_stops",), ()),
    "m12_unknown_share": (("m12_unknown_us",), ("m1_undocked_us",), ()),
    "m14_passed_share": (("m14_passed",), ("m14_shifts",), ()),
    "m4_per_undocked_hour": (("m4_starts", "m4_stops"), ("m1_undocked_us",), ()),
    "m4_per_recorded_hour": (("m4_starts", "m4_stops"), ("m7_live_us",), ()),
}
_QUANTILES = {"p5": 0.05, "p50": 0.5, "p95": 0.95}


def spreads(shifts: ir.Table) -> tuple[Spread, ...]:
    """Every value of every measure, in the order of the measures."""
    columns = [
        (measure.number, column, column.removeprefix(f"{measure.number.lower()}_"))
        for measure in MEASURES
        for column in shifts.columns
        if column.startswith(f"{measure.number.lower()}_") and shifts[column].type().is_numeric()
    ]
    rows: dict[str, Any] = {}
    for first in range(0, len(columns), _AT_ONCE):
        told: dict[str, ir.Value] = {}
        for _, column, _ in columns[first : first + _AT_ONCE]:
            value = shifts[column]
            told |= {f"{column}:{name}": value.quantile(at) for name, at in _QUANTILES.items()}
            told |= {f"{column}:shifts": value.count(), f"{column}:sum": value.sum(),
                     f"{column}:most": value.max()}  # fmt: skip
        rows |= shifts.agg(**told).to_pyarrow().to_pylist()[0]
    sums = {column: rows[f"{column}:sum"] or 0 for _, column, _ in columns}
    return tuple(
        Spread(
            number, name, rows[f"{column}:shifts"], _whole(column, name, sums),
            *(float(rows[f"{column}:{at}"]) for at in (*_QUANTILES, "most")),
        )
        for number, column, name in columns
        if rows[f"{column}:shifts"]
    )  # fmt: skip


def _whole(column: str, name: str, sums: Mapping[str, int]) -> float | int | None:
    if column in _SHARES:
        parts, whole, less = (sum(sums[n] for n in names) for names in _SHARES[column])
        part, base = (parts * HOUR_US, whole) if name.endswith("_hour") else (parts, whole - less)
        return float(part / base) if base else None
    if name.endswith(_NO_SUM) or name.startswith(_EXTREMES):
        return None
    return int(sums[column])


def case_kinds(cases: ir.Table) -> tuple[CaseKind, ...]:
    """What the log says of the cases behind each measure, the commonest words first."""
    what = cases.what.fill_null("").substr(0, _WORDS)
    cases = cases.mutate(what=what)
    told = cases.group_by(["measure", "what"]).agg(
        cases=cases.count(), cameras=different(cases, "device")
    )  # fmt: skip
    order = ibis.window(group_by="measure", order_by=[ibis.desc("cases"), "what"])
    first = told.mutate(place=ibis.row_number().over(order)).filter(ibis._.place < _MAX_CASES)
    rows = first.to_pyarrow().to_pylist()
    rows.sort(key=lambda row: (row["measure"], row["place"]))
    return tuple(CaseKind(r["measure"], r["what"], r["cases"], r["cameras"]) for r in rows)


def causes(asked: Sources, shifts: ir.Table) -> tuple[Cause, ...]:
    """Why cameras were off, at fault or unknown in their shifts, the longest time first."""
    spans = asked.told(SPANS)
    wanted = (DeviceState.OFF, DeviceState.FAULT, DeviceState.UNKNOWN)
    lost = spans.filter(
        (spans.kind == Kind.STATE.value) & spans.name.isin([state.value for state in wanted])
    )
    lost = lost.select(
        "force", "device", "why", state="name", lost_from="start_us", lost_to="end_us"
    )
    camera = ("force", "device")
    met = meeting(
        Side(shifts.select(*camera, "from_us", "to_us"), camera, "from_us", "to_us"),
        Side(lost, camera, "lost_from", "lost_to"),
    )
    length = ibis.least(met.to_us, met.lost_to) - ibis.greatest(met.from_us, met.lost_from)
    met = met.mutate(length_us=length, why=met.why.substr(0, _WORDS))
    told = met.group_by(["state", "why"]).agg(
        stretches=met.count(), cameras=different(met, "device"), total_us=met.length_us.sum()
    )
    first = told.order_by([ibis.desc("total_us"), "state", "why"]).limit(_MAX_CAUSES)
    return tuple(
        Cause(r["state"], r["why"], r["stretches"], r["cameras"], r["total_us"])
        for r in first.to_pyarrow().to_pylist()
    )


def firmwares(asked: Sources) -> tuple[Firmware, ...]:
    """What the recordings that begin in the months that are asked for show of their firmware, by force: a
    percentile of two is none of theirs.
    """
    months, every = months_of(asked.months), asked.told(RECORDINGS)
    recordings = every.filter(months.holds(every.begins_us))
    by = ["force", "firmware"]
    told = recordings.group_by(by).agg(
        cameras=recordings.device.nunique(), recordings=recordings.count(),
        not_intact=(recordings.verdict != "intact").sum(),
    )  # fmt: skip
    first = told.order_by([ibis.desc("recordings"), *by]).limit(_MAX_FIRMWARES)
    latencies = asked.result("latencies").to_pyarrow().to_pylist()
    latency = {(row["force"], row["firmware"]): row for row in latencies}
    none = {"recordings": 0, "p50_us": None, "p95_us": None, "max_us": None}
    found = []
    for row in first.to_pyarrow().to_pylist():
        took = latency.get((row["force"], row["firmware"]), none)
        found.append(Firmware(
            row["force"], row["firmware"], row["cameras"], row["recordings"], row["not_intact"],
            took["recordings"], took["p50_us"], took["p95_us"], took["max_us"],
        ))  # fmt: skip
    return tuple(found)

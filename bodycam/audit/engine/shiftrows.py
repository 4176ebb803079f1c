"""All that M1 to M16 say of each stretch, as one row, and each case behind them, as rows of their own.

The columns are named after the measure and its value in the plain audit's JSON: `m1_ready_us`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ..measures.buffer import BEHAVIOUR
from ..policy import DeviceRules
from .buffers import buffer_deficits
from .cameras import (
    STRETCH,
    kills,
    ratio,
    recordings_in,
    short_recordings,
    time_measures,
    toggles,
    unknown_stretches,
)
from .health import (
    clock_steps,
    kept,
    press_clocks,
    self_tests,
    undervoltage,
    worst_readings,
)
from .presses import button_stops, latencies, percentiles, presses
from .tables import AuditTables

_TIMES = {
    "m1_ready_ratio": "ready_ratio", "m1_ready_us": "ready_us", "m1_undocked_us": "undocked_us",
    "m1_unknown_us": "unknown_us", "m1_off_us": "off_us", "m1_fault_us": "fault_us",
    "m2_sleep_share": "sleep_share", "m2_sleep_us": "sleep_us", "m2_count": "sleep_count",
    "m2_longest_us": "sleep_longest_us", "m7_muted_share": "muted_share", "m7_muted_us": "muted_us",
    "m7_live_us": "live_us", "m7_count": "mutes", "m7_longest_us": "muted_longest_us",
    "m7_without_reason": "mutes", "m12_unknown_share": "unknown_share",
    "m12_unknown_us": "unknown_us", "m12_count": "unknown_count", "m16_throttled_us": "throttled_us",
}  # fmt: skip
_CASE = ("measure", *STRETCH, "what", "at_us", "us", "recording", "line", "next_line")


@dataclass(frozen=True, slots=True)
class Measured:
    """What each measure says of the stretches, as tables of the engine, computed once."""

    times: ir.Table
    deficits: ir.Table
    toggled: ir.Table
    chains: ir.Table
    killed: ir.Table
    stops: ir.Table
    pressed: ir.Table
    took: ir.Table
    readings: ir.Table
    steps: ir.Table
    synced: ir.Table
    unknown: ir.Table
    complete: ir.Table
    tests: ir.Table
    undervolt: ir.Table


def measured(
    cameras: AuditTables, wanted: ir.Table, every: ir.Table, rules: DeviceRules,
    worn: ir.Table | None = None,
) -> Measured:  # fmt: skip
    """Every measure of these stretches; `every` are the cameras' shifts, `worn` is who wore them."""
    times = time_measures(cameras, wanted).cache()
    return Measured(
        times, buffer_deficits(cameras, wanted, rules).cache(), toggles(cameras, wanted, times),
        short_recordings(cameras, wanted, rules, worn).cache(), kills(cameras, wanted).cache(),
        button_stops(cameras, wanted), presses(cameras, wanted, rules).cache(),
        latencies(recordings_in(cameras, wanted)), worst_readings(cameras, wanted),
        clock_steps(cameras, wanted, rules).cache(), press_clocks(cameras, wanted),
        unknown_stretches(cameras, wanted), kept(cameras, wanted).cache(),
        self_tests(cameras, wanted, every, rules).cache(),
        undervoltage(cameras, wanted).cache(),
    )  # fmt: skip


def stretch_rows(m: Measured) -> ir.Table:
    """One row a stretch."""
    rows = m.times.select(*STRETCH, **{name: m.times[value] for name, value in _TIMES.items()})
    for found, counts in (
        (_m3(m.deficits), ("m3_recordings", "m3_flagged", "m3_behaviour", "m3_disabled", "m3_longest_us")),
        (_m4(m.toggled), ()),
        (_m5(m.chains), ("m5_recordings", "m5_short", "m5_bounces")),
        (_m6(m.killed), ("m6_count", "m6_longest_to_ready_us")),
        (_m8(m.stops), ("m8_button_stops", "m8_tail_kept")),
        (_m9(m.pressed), ("m9_presses", "m9_refused")),
        (_named("m10", percentiles(m.took, STRETCH, "took_us")), ("m10_recordings",)),
        (_m11(m.synced), ("m11_starts_never_synced",)),
        (m.steps.group_by(STRETCH).agg(m11_steps=m.steps.count()), ("m11_steps",)),
        (_m13(m.complete), ("m13_in_log", "m13_in_store", "m13_mismatches")),
        (_m14(m.tests), ("m14_shifts", "m14_passed")),
        (_worst(m.readings), ()),
        (m.undervolt.group_by(STRETCH).agg(m16_undervolt_events=m.undervolt.count()),
         ("m16_undervolt_events",)),
    ):  # fmt: skip
        rows = _beside(rows, found, counts)
    # No reason code and no peer event is ever logged: see measures.stops and measures.peers.
    return rows.mutate(m8_coded=0, m15_peer_events=0, m15_gap_us=ibis.null("int64"))


def _beside(rows: ir.Table, found: ir.Table, counts: Sequence[str]) -> ir.Table:
    """The columns of another table beside them; counts of nothing are 0."""
    t = rows.left_join(found, STRETCH)
    t = t.drop(*(column for column in t.columns if column.endswith("_right")))
    return t.mutate(**{column: t[column].fill_null(0) for column in counts})


def _named(measure: str, t: ir.Table) -> ir.Table:
    return t.rename(**{f"{measure}_{c}": c for c in t.columns if c not in STRETCH})


def _m3(t: ir.Table) -> ir.Table:
    off = t.cause == "disabled"
    return t.group_by(STRETCH).agg(
        m3_recordings=t.count(), m3_flagged=(t.flagged & ~off).sum(),
        m3_behaviour=(t.flagged & t.cause.isin(BEHAVIOUR)).sum(), m3_disabled=off.sum(),
        m3_longest_us=t.deficit_us.max(where=t.flagged),
    )  # fmt: skip


def _m4(t: ir.Table) -> ir.Table:
    return _named("m4", t.drop("undocked_us", "live_us"))


def _m5(t: ir.Table) -> ir.Table:
    return t.group_by(STRETCH).agg(
        m5_recordings=t.count(), m5_short=t.short.sum(), m5_bounces=t.bounce.sum()
    )


def _m6(t: ir.Table) -> ir.Table:
    return t.group_by(STRETCH).agg(m6_count=t.count(), m6_longest_to_ready_us=t.to_ready_us.max())


def _m8(t: ir.Table) -> ir.Table:
    found = t.group_by(STRETCH).agg(m8_button_stops=t.count(), m8_tail_kept=t.kept.sum())
    return found.mutate(m8_tail_share=ratio(found.m8_tail_kept, found.m8_button_stops))


def _m9(t: ir.Table) -> ir.Table:
    return t.group_by(STRETCH).agg(m9_presses=t.count(), m9_refused=t.refused.sum())


def _m11(t: ir.Table) -> ir.Table:
    return t.group_by(STRETCH).agg(
        m11_longest_since_sync_us=t.since_sync_us.max(),
        m11_starts_never_synced=t.since_sync_us.isnull().sum(),
    )


def _m13(t: ir.Table) -> ir.Table:
    return t.group_by(STRETCH).agg(
        m13_in_log=t.in_log.sum(), m13_in_store=t.in_store.sum(), m13_mismatches=(t.what != "").sum()
    )  # fmt: skip


def _m14(t: ir.Table) -> ir.Table:
    found = t.group_by(STRETCH).agg(m14_shifts=t.count(), m14_passed=t.passed.sum())
    return found.mutate(m14_passed_share=ratio(found.m14_passed, found.m14_shifts))


def _worst(t: ir.Table) -> ir.Table:
    return t.rename(
        m11_max_err_us="most_err_us", m16_max_soc_milli_c="most_soc_milli_c",
        m16_max_cell_milli_c="most_cell_milli_c",
    )  # fmt: skip


# -- the cases behind them --------------------------------------------------------------------


def cases(m: Measured) -> ir.Table:
    """One row a case: what the plain audit lists below each measure, those of M4 and M10 excepted,
    and of M11 the steps alone.
    """
    deficits, chains = m.deficits.filter(m.deficits.flagged), m.chains
    short, bounced = chains.filter(chains.short), chains.filter(chains.bounce)
    refused = m.pressed.filter(m.pressed.refused)
    mismatched = m.complete.filter(m.complete.what != "")
    untested = m.tests.filter(~m.tests.passed)
    found = [
        _case("M3", deficits, what="cause", at_us="start_us", us="deficit_us"),
        _case("M5", short.mutate(what=ibis.literal("short")), at_us="start_us", us="length_us"),
        _case("M5", bounced.mutate(what=ibis.literal("bounce")), at_us="start_us", us="since_us"),
        _case("M6", m.killed, what="why", us="to_ready_us"),
        _case("M9", refused, what="reason"),
        _case("M11", m.steps.mutate(what=ibis.literal("step"))),
        _case("M12", m.unknown.mutate(length_us=m.unknown.end_us - m.unknown.start_us),
              what="why", at_us="start_us", us="length_us"),
        _case("M13", mismatched, at_us="begins_us"),
        _case("M14", untested, what="verdict", at_us="begun_us"),
        _case("M16", m.undervolt.mutate(what=ibis.literal("undervolt"))),
    ]  # fmt: skip
    return ibis.union(*found)


def _case(measure: str, t: ir.Table, **names: str) -> ir.Table:
    """These rows in the columns of all; what a measure does not say is null."""
    t = t.mutate(**{name: t[column] for name, column in names.items()})
    types = {"what": "string", "at_us": "int64", "us": "int64", "recording": "string",
             "line": "int64", "next_line": "int64"}  # fmt: skip
    return t.mutate(measure=ibis.literal(measure)).select(
        "measure", *STRETCH,
        **{name: t[name].cast(kind) if name in t.columns else ibis.null(kind)
           for name, kind in types.items()},
    ).select(*_CASE)  # fmt: skip

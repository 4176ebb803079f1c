"""M11, M13, M14 and M16 of many cameras at once: clock, completeness, self-test, heat and low power.

M15 is not measured: this firmware logs no peer events, as `measures.peers` says.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..measures.measure import S
from ..policy import DeviceRules
from .cameras import STRETCH, events_in, recordings_in, text_of, whole_of
from .sweep import Side, meeting
from .tables import AuditTables


def worst_readings(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M11 and M16 of each stretch: the largest clock error and the highest temperatures."""
    spans = cameras.spans
    names = ("most_err_us", "most_soc_milli_c", "most_cell_milli_c")
    state = spans.filter(spans.kind == Kind.STATE.value)
    state = state.select("device", *names, state_from="start_us", state_to="end_us")
    met = meeting(
        Side(wanted, ("device",), "from_us", "to_us"),
        Side(state, ("device",), "state_from", "state_to"),
    )
    return met.group_by(STRETCH).agg(**{name: met[name].max() for name in names})


def clock_steps(cameras: AuditTables, wanted: ir.Table, rules: DeviceRules) -> ir.Table:
    """M11: each step of the clock that is larger than allowed."""
    told = events_in(cameras, wanted, "clock.step")
    told = told.mutate(step_ms=whole_of(told.data, "step_ms"))
    told = told.filter(told.step_ms.abs() > rules.clock_step_s * 1000)
    return told.select(*STRETCH, "line", "at_us", us=told.step_ms * 1000)


def press_clocks(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M11: one row a press: how long after the last sample of a synced clock, null: never synced."""
    t = recordings_in(cameras, wanted).filter(lambda t: t.pressed & t.start_us.notnull())
    return t.select(*STRETCH, "line", "start_us", "since_sync_us")


def kept(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M13: one row a recording: in the log, in the store, and `what` does not fit, empty: nothing."""
    spans = cameras.spans
    failed = spans.filter(spans.kind == Kind.FAILED.value).select("device", "number").distinct()
    t = recordings_in(cameras, wanted)
    t = t.left_join(failed.mutate(failed=ibis.literal(value=True)), ["device", "number"])
    what = ibis.cases(
        (t.start_us.isnull(), "in the store, and no verified line tells of it"),
        (t.verdict == "", "in the log, and nothing of it in the store"),
        (t.verdict != "intact", t.verdict), (t.failed.notnull(), "a file of it failed"), else_="",
    )  # fmt: skip
    return t.select(
        *STRETCH, "recording", "line", "begins_us", in_log=t.start_us.notnull(),
        in_store=t.verdict != "", what=what,
    )  # fmt: skip


def self_tests(
    cameras: AuditTables, wanted: ir.Table, every: ir.Table, rules: DeviceRules
) -> ir.Table:
    """M14: one row a shift that begins in a stretch: the verdict near its beginning, and its line;
    `every` are the shifts.
    """
    near_us = rules.selftest_within_min * 60 * S
    begun = every.select("device", begun_us="from_us", begun_to=every.from_us + 1)
    out = meeting(
        Side(wanted, ("device",), "from_us", "to_us"),
        Side(begun, ("device",), "begun_us", "begun_to"),
    )
    out = out.mutate(near_from=out.begun_us - near_us, near_to=out.begun_us + near_us + 1)
    events = cameras.events.filter(cameras.events.ev == "selftest")
    tests = events.select(
        "device", "line", "run_line", test_at="at_us", test_to=events.at_us + 1,
        verdict=text_of(events.data, "verdict"),
    )  # fmt: skip
    met = meeting(
        Side(out, ("device",), "near_from", "near_to"),
        Side(tests, ("device",), "test_at", "test_to"),
    )
    # A green one first, then the first of all.
    order = ibis.window(
        group_by=(*STRETCH, "begun_us"),
        order_by=[met.verdict != "green", met.run_line, met.test_at, met.line],
    )
    first = met.mutate(place=ibis.row_number().over(order)).filter(lambda t: t.place == 0)
    first = first.select(*STRETCH, "begun_us", "verdict", "line")
    t = out.left_join(first, [*STRETCH, "begun_us"])
    return t.select(
        *STRETCH, "begun_us", verdict=t.verdict.fill_null("none"), line=t.line,
        passed=(t.verdict == "green").fill_null(False),
    )  # fmt: skip


def undervoltage(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M16: each time the voltage came to be too low; a line that says so anew is none."""
    events = cameras.events.filter(cameras.events.ev == "power.throttled")
    flags = events.data.re_extract(r'"flags":\[([^\]]*)\]', 1)
    low = events.select("device", "run_line", "line", "at_us", low=flags.contains('"undervolt"'))
    order = ibis.window(group_by=["device", "run_line"], order_by=["at_us", "line"])
    before = low.low.lag().over(order).fill_null(False)
    begun = low.mutate(before=before).filter(lambda t: t.low & ~t.before)
    at = begun.select("device", "line", "at_us", at_to=begun.at_us + 1)
    met = meeting(
        Side(wanted, ("device",), "from_us", "to_us"), Side(at, ("device",), "at_us", "at_to")
    )
    return met.select(*STRETCH, "line", "at_us")

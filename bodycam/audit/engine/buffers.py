"""M3 of many cameras at once: each recording whose pre-record was short, and whose doing that is."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..policy import DeviceRules
from ..states import DeviceState
from .cameras import STRETCH, recordings_in
from .tables import AuditTables


def buffer_deficits(cameras: AuditTables, wanted: ir.Table, rules: DeviceRules) -> ir.Table:
    """One row a press with pictures: `flagged` if it is short, `cause` as `measures.buffer` has it."""
    spans = cameras.spans
    evid = spans.filter(spans.kind == Kind.EVID.value)
    first = evid.group_by(["device", "number"]).agg(shown_us=evid.start_us.min())
    pressed = recordings_in(cameras, wanted).filter(lambda t: t.pressed & t.start_us.notnull())
    t = pressed.join(first, ["device", "number"])
    t = t.mutate(asked_us=t.asked_ms.fill_null(0) * 1000)
    t = t.mutate(
        since_us=t.start_us - t.asked_us,
        actual_us=ibis.greatest(t.start_us - t.shown_us, 0),
    )
    for name, hits in (
        ("abuts", _abutting(t, evid)),
        ("slept", _met(t, spans, DeviceState.SLEEP)),
        ("booted", _met(t, spans, DeviceState.BOOT)),
    ):
        marked = hits.mutate(**{name: ibis.literal(value=True)})
        t = t.left_join(marked, [*STRETCH, "number"])
        t = t.drop(*(column for column in t.columns if column.endswith("_right")))
    most_us = (rules.gop_ms + rules.buffer_slack_ms) * 1000
    cause = ibis.cases(
        (t.asked_us == 0, "disabled"), (t.abuts.notnull(), "abuts"),
        (t.slept.notnull(), "from_sleep"), (t.booted.notnull(), "fresh_power"),
        (t.short_said == "capacity", "capacity"), else_="unexplained",
    )  # fmt: skip
    return t.select(
        *STRETCH, "number", "recording", "line", "start_us", "asked_us", "actual_us",
        deficit_us=ibis.greatest(t.asked_us - t.actual_us, 0),
        flagged=(t.asked_us == 0) | (t.asked_us - t.actual_us > most_us), cause=cause,
    )  # fmt: skip


def _abutting(t: ir.Table, evid: ir.Table) -> ir.Table:
    """Presses before which another recording's pictures ended within the buffer."""
    other = evid.select(other_device="device", other_number="number", other_end_us="end_us")
    met = t.join(
        other,
        [
            t.device == other.other_device, t.number != other.other_number,
            t.since_us < other.other_end_us, other.other_end_us <= t.start_us,
        ],
    )  # fmt: skip
    return met.select(*STRETCH, "number").distinct()


def _met(t: ir.Table, spans: ir.Table, state: DeviceState) -> ir.Table:
    """Presses before which the camera was in this state within the buffer."""
    found = spans.filter((spans.kind == Kind.STATE.value) & (spans.name == state.value))
    found = found.select(state_device="device", state_from="start_us", state_to="end_us")
    met = t.join(
        found,
        [
            t.device == found.state_device, found.state_from <= t.start_us,
            t.since_us < found.state_to,
        ],
    )  # fmt: skip
    return met.select(*STRETCH, "number").distinct()

"""M3 of many cameras at once: each recording whose pre-record was short, and whose doing that is."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..policy import DeviceRules
from ..states import DeviceState
from .cameras import STRETCH, recordings_in
from .sweep import Side, meeting
from .tables import AuditTables


def buffer_deficits(cameras: AuditTables, wanted: ir.Table, rules: DeviceRules) -> ir.Table:
    """One row a press with pictures: `flagged` if it is short, `cause` as `measures.buffer` has it."""
    spans = cameras.spans
    evid = spans.filter(spans.kind == Kind.EVID.value)
    first = evid.group_by(["device", "number"]).agg(shown_us=evid.start_us.min())
    pressed = recordings_in(cameras, wanted).filter(
        lambda t: t.pressed & t.start_us.notnull() & t.asked_ms.notnull()
    )
    t = pressed.join(first, ["device", "number"])
    t = t.mutate(asked_us=t.asked_ms * 1000)
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
    other = evid.select(
        "device", other_number="number", last_us=evid.end_us - 1, shown_to="end_us"
    )  # fmt: skip
    met = meeting(_buffer(t), Side(other, ("device",), "last_us", "shown_to"))
    ended = (met.since_us < met.shown_to) & (met.shown_to <= met.start_us)
    return (
        met.filter(ended & (met.number != met.other_number)).select(*STRETCH, "number").distinct()
    )


def _met(t: ir.Table, spans: ir.Table, state: DeviceState) -> ir.Table:
    """Presses before which the camera was in this state within the buffer."""
    found = spans.filter((spans.kind == Kind.STATE.value) & (spans.name == state.value))
    found = found.select("device", state_from="start_us", state_to="end_us")
    met = meeting(_buffer(t), Side(found, ("device",), "state_from", "state_to"))
    return met.select(*STRETCH, "number").distinct()


def _buffer(t: ir.Table) -> Side:
    """What should have been kept before each press, and the moment of the press."""
    window = t.select(*STRETCH, "number", "since_us", "start_us", press_to=t.start_us + 1)
    return Side(window, ("device",), "since_us", "press_to")

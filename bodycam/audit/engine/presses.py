"""M8, M9 and M10 of many cameras at once: stops that were explained, presses that came to nothing,
and how long those took that did not.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..measures.measure import S
from ..measures.presses import PRESSES
from ..policy import DeviceRules
from ..recordings import ToggleCause
from ..states import DeviceState, Overlay
from .cameras import STRETCH, events_in, recordings_in, states_of, text_of
from .sweep import Side, meeting
from .tables import AuditTables

PERCENTS = (50, 95)


def button_stops(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M8: one row a recording that the officer stopped: whether a tail was kept that may be heard."""
    spans, events = cameras.spans, cameras.events
    shown = spans.filter(spans.kind == Kind.EVID.value)
    shown = shown.group_by(["device", "number"]).agg(shown_to_us=shown.end_us.max())
    tails = events.filter(events.ev == "tail.start")
    tails = tails.select("device", recording=text_of(tails.data, "rec")).distinct()
    stops = recordings_in(cameras, wanted).filter(
        lambda t: t.stop_cause == ToggleCause.BUTTON.value
    )
    tail = stops.join(shown, ["device", "number"]).semi_join(tails, ["device", "recording"])
    tail = tail.filter(tail.live_end_us < tail.shown_to_us)
    tail = tail.select(*STRETCH, "number", "live_end_us", "shown_to_us")
    muted = spans.filter((spans.kind == Kind.OVERLAY.value) & (spans.name == Overlay.MUTED.value))
    muted = muted.select("device", muted_from="start_us", muted_to="end_us")
    # What is muted is in one piece: of a tail that is muted throughout, one covers all.
    met = meeting(
        Side(tail, ("device",), "live_end_us", "shown_to_us"),
        Side(muted, ("device",), "muted_from", "muted_to"),
    )
    silent = met.filter((met.muted_from <= met.live_end_us) & (met.muted_to >= met.shown_to_us))
    key = [*STRETCH, "number"]
    heard = tail.anti_join(silent, key).select(*key, kept=ibis.literal(value=True))
    t = stops.left_join(heard, key)
    return t.select(*STRETCH, "number", "recording", kept=t.kept.fill_null(False))


def presses(cameras: AuditTables, wanted: ir.Table, rules: DeviceRules) -> ir.Table:
    """M9: one row a press: whether it was `refused`, and the `reason` why."""
    within_us = rules.refused_after_s * S
    events = cameras.events
    gestures = events.filter(events.ev == "switch.gesture")
    pushed = gestures.select("device", "run_line").distinct().mutate(push=ibis.literal(value=True))
    told = events_in(cameras, wanted, *PRESSES)
    told = told.left_join(pushed, ["device", "run_line"])
    told = told.drop(*(c for c in told.columns if c.endswith("_right")))
    gesture = text_of(told.data, "gesture")
    asks = ibis.cases(
        (told.ev == "switch.gesture", gesture == "start"),
        (told.ev == "switch.on", told.push.isnull()), else_=True,
    )  # fmt: skip
    asked = told.filter(asks.fill_null(False)).select(
        *STRETCH, "line", "at_us", until_us=told.at_us + within_us + 1
    )
    asked = asked.mutate(press=ibis.row_number()).cache()
    pressed = Side(asked, ("device",), "at_us", "until_us")
    state = states_of(cameras.spans)
    recording = state.filter(state.state == DeviceState.RECORDING.value)
    led = meeting(pressed, Side(recording, ("device",), "state_from", "state_to"))
    now = asked.select("press", "device", "at_us", now_to=asked.at_us + 1)
    then = meeting(
        Side(now, ("device",), "at_us", "now_to"),
        Side(state, ("device",), "state_from", "state_to"),
    )
    then = then.group_by("press").agg(
        state=(then.state + ibis.ifelse(then.why == "", "", ibis.literal(" ") + then.why)).argmin(
            then.number
        )
    )
    answers = _answers(cameras, wanted)
    said = meeting(pressed, Side(answers, ("device",), "said_at", "said_to"))
    said = said.filter(said.from_us == said.said_in)
    order = ibis.window(group_by="press", order_by=["said_run", "said_at", "said_line"])
    said = said.mutate(place=ibis.row_number().over(order)).filter(lambda t: t.place == 0)
    said = said.select("press", "said")
    t = asked
    for found in (
        led.select("press").distinct().mutate(led=ibis.literal(value=True)), then, said,
    ):  # fmt: skip
        t = t.left_join(found, "press").drop("press_right")
    return t.select(
        *STRETCH, "line", "at_us", refused=t.led.isnull(),
        reason=ibis.coalesce(t.said, t.state, ibis.literal("")),
    )  # fmt: skip


def _answers(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """What the recorder answered in each stretch."""
    told = events_in(cameras, wanted, "activation.refused", "activation.waiting")
    reason = text_of(told.data, "reason")
    return told.select(
        "device", said_in="from_us", said_run="run_line", said_line="line", said_at="at_us", said_to=told.at_us + 1,
        said=ibis.ifelse(reason == "", "no keyframe yet", reason),
    )  # fmt: skip


def latencies(recordings: ir.Table) -> ir.Table:
    """M10: the recordings whose press got a picture onto the disk, with `took_us`, how long it took."""
    t = recordings.filter(
        recordings.pressed & recordings.start_us.notnull() & recordings.synced_us.notnull()
    )
    return t.mutate(took_us=t.synced_us - t.start_us)


def percentiles(rows: ir.Table, by: tuple[str, ...], column: str) -> ir.Table:
    """(*by, recordings, p50_us, p95_us, max_us), by nearest rank as the plain measure has it."""
    ranked = rows.mutate(
        place=ibis.row_number().over(ibis.window(group_by=by, order_by=column)) + 1,
        many=rows.count().over(ibis.window(group_by=by)),
    )
    value = ranked[column]
    return ranked.group_by(by).agg(
        recordings=ranked.count(),
        **{f"p{percent}_us": value.max(
            where=ranked.place == ibis.greatest((ranked.many * percent + 99) // 100, 1))
           for percent in PERCENTS},
        max_us=value.max(),
    )  # fmt: skip

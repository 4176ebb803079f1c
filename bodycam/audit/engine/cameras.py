"""M1, M2, M4 to M7 and M12 of many stretches of many cameras at once, as `measures` defines them.

A stretch is one camera from one moment to another: a row of (device, from_us, to_us).
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..measures.measure import S
from ..measures.toggles import AGAIN, HOUR_US, KILLS, LEFT_TO
from ..policy import DeviceRules
from ..recordings import ToggleCause
from ..states import DeviceState, Overlay
from .sweep import Side, cut, lengths, meeting, runs
from .tables import AuditTables

STRETCH = ("device", "from_us", "to_us")
_STATES = {state: f"is_{state.value}" for state in DeviceState}
_SETS = ("whole", "live", "muted", "throttled", *_STATES.values())


def whole_lines(cameras: AuditTables) -> ir.Table:
    """All there is of each camera, as one stretch."""
    spans = cameras.spans
    kinds = [Kind.STATE.value, Kind.EVID.value, Kind.FAILED.value]
    told = spans.filter(spans.kind.isin(kinds))
    return told.group_by("device").agg(from_us=told.start_us.min(), to_us=told.end_us.max())


def shifts(cameras: AuditTables, rules: DeviceRules) -> ir.Table:
    """The shifts of each camera: out of the dock, and neither off nor unknown for too long."""
    spans = cameras.spans
    state = spans.filter(spans.kind == Kind.STATE.value)
    away = [DeviceState.OFF.value, DeviceState.UNKNOWN.value]
    most_us = rules.shift_break_h * 3600 * S
    apart = (state.name == DeviceState.DOCKED.value) | (
        state.name.isin(away) & (state.end_us - state.start_us > most_us)
    )
    every = state.group_by("device").agg(start_us=state.start_us.min(), end_us=state.end_us.max())
    columns = ("device", "in_set", "start_us", "end_us")
    pieces = ibis.union(
        every.mutate(in_set=ibis.literal("whole")).select(*columns),
        state.mutate(in_set=ibis.ifelse(apart, "apart", "there")).select(*columns),
    )
    t = cut(pieces, "device", ("whole", "apart", "there"))
    return runs(t, "device", t.there & ~t.apart).rename(from_us="start_us", to_us="end_us")


# -- time in states: M1, M2, M7, M12 ----------------------------------------------------------


def stretches_cut(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """Each stretch cut at every edge of its camera's states and recordings; key `stretch`."""
    spans = cameras.spans
    name = ibis.cases(
        (spans.kind == Kind.STATE.value, ibis.literal("is_") + spans.name),
        (spans.kind.isin([Kind.LIVE.value, Kind.THROTTLED.value]), spans.kind),
        ((spans.kind == Kind.OVERLAY.value) & (spans.name == Overlay.MUTED.value), "muted"),
        else_="",
    )
    named = spans.mutate(in_set=name).filter(lambda t: t.in_set != "")
    named = named.select("device", "in_set", span_from="start_us", span_to="end_us")
    keyed = _keyed(wanted)
    met = meeting(
        Side(keyed, ("device",), "from_us", "to_us"),
        Side(named, ("device",), "span_from", "span_to"),
    )
    columns = ("stretch", "in_set", "start_us", "end_us")
    pieces = ibis.union(
        keyed.select(
            "stretch", in_set=ibis.literal("whole"), start_us="from_us", end_us="to_us"
        ).select(*columns),
        met.select(
            "stretch", "in_set", start_us=ibis.greatest(met.from_us, met.span_from),
            end_us=ibis.least(met.to_us, met.span_to),
        ).select(*columns),
    )  # fmt: skip
    return cut(pieces, "stretch", _SETS)


def time_measures(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M1, M2, M7 and M12 of each stretch, one row each."""
    t = stretches_cut(cameras, wanted).cache()
    told = _any(t, DeviceState)
    out = told & ~t[_STATES[DeviceState.DOCKED]]
    able = _any(t, (DeviceState.READY, DeviceState.RECORDING, DeviceState.SLEEP, DeviceState.BOOT))
    asleep = t[_STATES[DeviceState.SLEEP]] & out
    muted = t.muted & t.live
    sums = t.group_by("stretch").agg(
        undocked_us=lengths(t, out), ready_us=lengths(t, able & out), sleep_us=lengths(t, asleep),
        muted_us=lengths(t, muted), live_us=lengths(t, t.live), throttled_us=lengths(t, t.throttled),
        **{f"{state.value}_us": lengths(t, t[_STATES[state]] & out)
           for state in (DeviceState.UNKNOWN, DeviceState.OFF, DeviceState.FAULT)},
    )  # fmt: skip
    rows = _keyed(wanted).join(sums, "stretch")
    for name, where in (("sleep", asleep), ("muted", muted)):
        found = runs(t, "stretch", where)
        longest = found.group_by("stretch").agg(
            **{f"{name}_count": found.count(),
               f"{name}_longest_us": (found.end_us - found.start_us).max()}
        )  # fmt: skip
        rows = rows.left_join(longest, "stretch").drop("stretch_right")
    rows = rows.left_join(_unknown_count(cameras, wanted), "stretch").drop("stretch_right")
    rows = rows.left_join(_mutes(cameras, wanted), "stretch").drop("stretch_right")
    # Off and unknown are time without power; a share of nothing is none.
    powered = rows.undocked_us - rows.off_us - rows.unknown_us
    rows = rows.mutate(
        ready_ratio=ratio(rows.ready_us, rows.undocked_us),
        sleep_share=ratio(rows.sleep_us, powered),
        unknown_share=ratio(rows.unknown_us, rows.undocked_us),
        muted_share=ratio(rows.muted_us, rows.live_us),
    )
    zero = ("sleep_count", "sleep_longest_us", "muted_count", "muted_longest_us", "unknown_count", "mutes")  # fmt: skip
    return rows.mutate(**{column: rows[column].fill_null(0) for column in zero}).drop("stretch")


def unknown_stretches(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M12's intervals, each with the line before and after."""
    spans = cameras.spans
    unknown = spans.filter(
        (spans.kind == Kind.STATE.value) & (spans.name == DeviceState.UNKNOWN.value)
    ).select("device", "number", "start_us", "end_us", "why", "line", "next_line")
    return meeting(
        Side(wanted, ("device",), "from_us", "to_us"),
        Side(unknown, ("device",), "start_us", "end_us"),
    )


def _unknown_count(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    found = unknown_stretches(cameras, _keyed(wanted))
    return found.group_by("stretch").agg(unknown_count=found.count())


def _mutes(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    met = events_in(cameras, _keyed(wanted), "mute.start")
    return met.group_by("stretch").agg(mutes=met.count())


# -- events and states ------------------------------------------------------------------------


def events_in(cameras: AuditTables, wanted: ir.Table, *names: str) -> ir.Table:
    """The events of these names that happened in each stretch."""
    events = cameras.events.filter(cameras.events.ev.isin(names)).drop("force", "month")
    at = events.mutate(at_to=events.at_us + 1)
    return meeting(
        Side(wanted, ("device",), "from_us", "to_us"), Side(at, ("device",), "at_us", "at_to")
    )


def states_of(spans: ir.Table) -> ir.Table:
    """The states of each camera: (device, number, state, why, state_from, state_to)."""
    found = spans.filter(spans.kind == Kind.STATE.value)
    return found.select(
        "device", "number", "why", state="name", state_from="start_us", state_to="end_us"
    )


def text_of(data: ir.StringValue, name: str) -> ir.StringValue:
    """What an event says in these words, which hold no quote; else empty."""
    return data.re_extract(f'"{name}":"([^"]*)"', 1).fill_null("")


def whole_of(data: ir.StringValue, name: str) -> ir.IntegerValue:
    """The whole number that an event gives; else null."""
    return data.re_extract(f'"{name}":(-?[0-9]+)[,}}]', 1).nullif("").cast("int64")


# -- recordings: M4, M5, M6 -------------------------------------------------------------------


def recordings_in(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """The recordings that begin in each stretch."""
    recordings = cameras.recordings.drop("force", "month", "files")
    at = recordings.mutate(begins_to=recordings.begins_us + 1)
    return meeting(
        Side(wanted, ("device",), "from_us", "to_us"),
        Side(at, ("device",), "begins_us", "begins_to"),
    )


def toggles(cameras: AuditTables, wanted: ir.Table, measured: ir.Table) -> ir.Table:
    """M4: starts and stops of each stretch, by cause, and how many an hour; `measured` are the
    stretches' `time_measures`.
    """
    told = recordings_in(cameras, wanted).filter(lambda t: t.start_us.notnull())
    counts = told.group_by(STRETCH).agg(
        starts=told.count(), stops=told.stop_cause.count(),
        cancelled_stops=told.cancelled_stops.sum(),
        **{f"starts_{_word(cause)}": (told.start_cause == cause.value).sum() for cause in ToggleCause},
        **{f"stops_{_word(cause)}": (told.stop_cause == cause.value).sum().fill_null(0)
           for cause in ToggleCause},
    )  # fmt: skip
    hours = measured.select(*STRETCH, "undocked_us", "live_us")
    rows = hours.left_join(counts, STRETCH).drop(*(f"{column}_right" for column in STRETCH))
    whole = [column for column in counts.columns if column not in STRETCH]
    rows = rows.mutate(**{column: rows[column].fill_null(0) for column in whole})
    both = (rows.starts + rows.stops) * HOUR_US
    return rows.mutate(
        per_undocked_hour=ratio(both, rows.undocked_us),
        per_recorded_hour=ratio(both, rows.live_us),
    )


def short_recordings(
    cameras: AuditTables, wanted: ir.Table, rules: DeviceRules, worn: ir.Table | None = None
) -> ir.Table:
    """M5: each recording, rolls joined, with its length and what was short about it; `worn` is who wore
    which camera, if anybody says.
    """
    told = recordings_in(cameras, wanted).filter(
        lambda t: t.start_us.notnull() & t.live_end_us.notnull()
    )
    order = ibis.window(group_by=STRETCH, order_by="number")
    so_far = ibis.window(group_by=STRETCH, order_by="number", preceding=None, following=0)
    rolled = (told.start_cause == ToggleCause.AUTO_ROLL.value) & (
        told.live_end_us.lag().over(order) == told.start_us
    )
    t = told.mutate(new=ibis.ifelse(rolled.fill_null(False), 0, 1))
    t = t.mutate(chain=t.new.sum().over(so_far))
    first = t.filter(t.new == 1).select(
        *STRETCH, "chain", "number", "recording", "line", "pressed", "start_us"
    )
    ends = t.group_by([*STRETCH, "chain"]).agg(
        end_us=t.live_end_us.argmax(t.number)
    )  # fmt: skip
    chains = first.join(ends, [*STRETCH, "chain"])
    chains = chains.drop(*(c for c in chains.columns if c.endswith("_right")))
    since = chains.start_us - chains.end_us.lag().over(
        ibis.window(group_by=STRETCH, order_by="chain")
    )
    chains = chains.mutate(length_us=chains.end_us - chains.start_us, since_us=since)
    again = chains.pressed & (chains.since_us >= 0) & (chains.since_us <= rules.bounce_s * S)
    chains = chains.mutate(
        short=chains.length_us < rules.short_recording_s * S, bounce=again.fill_null(False)
    )
    return chains if worn is None else _on_one_assignment(chains, worn)


def _on_one_assignment(chains: ir.Table, worn: ir.Table) -> ir.Table:
    """A press is no bounce if the camera was handed over since the stop."""
    key = [*STRETCH, "chain"]
    bounced = chains.filter(chains.bounce)
    since = bounced.select(
        *key, stop_us=bounced.start_us - bounced.since_us, press_to=bounced.start_us + 1
    )
    edges = ibis.union(*(worn.select("device", at_us=end) for end in ("start_us", "end_us")))
    given = meeting(
        Side(since, ("device",), "stop_us", "press_to"),
        Side(edges.mutate(at_to=edges.at_us + 1), ("device",), "at_us", "at_to"),
    )
    marked = given.select(*key).distinct().mutate(given=ibis.literal(value=True))
    t = chains.left_join(marked, key)
    t = t.drop(*(f"{column}_right" for column in key))
    return t.mutate(bounce=t.bounce & t.given.isnull()).drop("given")


def kills(cameras: AuditTables, wanted: ir.Table) -> ir.Table:
    """M6: each time RECORDING was left by anything but the officer, the roll or the dock."""
    spans = cameras.spans
    state = spans.filter(spans.kind == Kind.STATE.value)
    order = ibis.window(group_by="device", order_by="number")
    later = ibis.window(group_by="device", order_by="number", following=(1, None))
    again = ibis.ifelse(state.name.isin(_values(AGAIN)), state.start_us, None)
    state = state.mutate(
        after=state.name.lead().over(order), after_why=state.why.lead().over(order),
        again_us=again.min().over(later),
    )  # fmt: skip
    left = state.filter(state.name == DeviceState.RECORDING.value).select(
        "device", "number", "start_us", "end_us", "next_line", "after", "after_why", "again_us"
    )
    left = left.mutate(left_to=left.after.isin(_values(LEFT_TO)).fill_null(False))
    ended = _killed(cameras, left)
    t = left.left_join(ended, ["device", "number"]).drop("device_right", "number_right")
    t = t.filter(t.left_to | t.said.notnull())
    said = t.said.fill_null("")
    state_said = (
        t.after + ibis.ifelse(t.after_why == "", "", ibis.literal(" ") + t.after_why)
    ).fill_null("")
    why = ibis.ifelse(
        t.left_to, state_said + ibis.ifelse(said == "", "", ibis.literal(" ") + said), said
    )
    t = t.mutate(why=ibis.ifelse(why == "", "cut off", why), to_ready_us=t.again_us - t.end_us)
    left_at = t.select(
        "device", "number", "why", "to_ready_us", "next_line", "end_us", last_us=t.end_us - 1
    )
    met = meeting(
        Side(wanted, ("device",), "from_us", "to_us"),
        Side(left_at, ("device",), "last_us", "end_us"),
    )
    return met.select(
        *STRETCH, "number", "why", "to_ready_us", at_us="end_us", line="next_line"
    )  # fmt: skip


def _killed(cameras: AuditTables, left: ir.Table) -> ir.Table:
    """The first recording that something killed within each RECORDING span."""
    recordings = cameras.recordings
    dead = recordings.filter(recordings.stop_cause.isin(_values(KILLS)))
    dead = dead.select(
        "device", "stop_said", killed_number="number", killed_from=dead.live_end_us - 1,
        killed_to="live_end_us",
    )  # fmt: skip
    spans = left.select("device", "number", "start_us", "end_us")
    met = meeting(
        Side(spans, ("device",), "start_us", "end_us"),
        Side(dead, ("device",), "killed_from", "killed_to"),
    )
    return met.group_by(["device", "number"]).agg(said=met.stop_said.argmin(met.killed_number))


# -- helpers ----------------------------------------------------------------------------------


def _keyed(wanted: ir.Table) -> ir.Table:
    key = wanted.device + ":" + wanted.from_us.cast("string") + ":" + wanted.to_us.cast("string")
    return wanted.mutate(stretch=key)


def _any(t: ir.Table, states: Sequence[DeviceState] | type[DeviceState]) -> ir.BooleanValue:
    found: ir.BooleanValue = ibis.literal(value=False)
    for state in states:
        found = found | t[_STATES[state]]
    return found


def ratio(part: ir.IntegerValue, whole: ir.IntegerValue) -> ir.FloatingValue:
    """A share, or null of nothing."""
    return part / whole.nullif(0)


def _word(cause: ToggleCause) -> str:
    return cause.value.replace("-", "_")


def _values(members: Sequence[DeviceState] | Sequence[ToggleCause]) -> list[str]:
    return [member.value for member in members]

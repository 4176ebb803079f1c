"""M20 to M29 for every officer-incident at once: the definitions of `scoring`, as one expression.

All that the officer's cameras did in the window, and what the other officers' cameras prove of it, is
cut at every edge; the rest is sums over the stretches. Numbers are by the clocks as they are; `err_us`
is by how much those may be off, and `uncertainty` says what follows for a single incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..officers import ABLE
from ..policy import Exclusions, Policy
from ..scoring import IncidentClass, S
from ..states import DeviceState, Overlay
from .sweep import Side, cut, lengths, meeting, runs
from .tables import AuditTables

STATE_COLUMNS = {state: f"{state.value}_us" for state in DeviceState}
_STATES = {state: f"is_{state.value}" for state in ABLE}
_SETS = ("whole", "worn", "live", "evid", "failed", "muted", "peer", *_STATES.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """The incidents, who wore what, and what the cameras tell.

    Of one part of a force's incidents also who was at these events, asked for or not (event, officer),
    and who ever wore which camera (officer, device).
    """

    incidents: ir.Table
    worn: ir.Table
    cameras: AuditTables
    policy: Policy
    at_event: ir.Table | None = None
    ever: ir.Table | None = None


def scores(asked: Asked) -> ir.Table:
    """One row an officer-incident that has a window: `left_out` says why one is not to be counted."""
    stretches = cut(_pieces(asked), "incident", _SETS).cache()
    sums = _sums(asked, stretches)
    holes = _holes(asked, stretches)
    rows = asked.incidents.join(sums, "incident")
    rows = rows.left_join(holes, "incident").drop("incident_right")
    for hits in (_vendor(asked), _retro(asked), _matched(asked)):
        rows = rows.left_join(hits, "incident").drop("incident_right")
    rows = rows.left_join(_errors(asked), "incident").drop("incident_right")
    return _judged(asked, rows)


# -- what lies in the window ------------------------------------------------------------------


def _pieces(asked: Asked) -> ir.Table:
    incidents = asked.incidents
    whole = incidents.select(
        "incident", in_set=ibis.literal("whole"), start_us="due_us", end_us="end_us"
    )
    worn = worn_in(incidents, asked.worn)
    there = incidents if asked.at_event is None else asked.at_event
    at_event = there.select("event", peer_officer="officer").distinct()
    peers = incidents.join(at_event, "event")
    peers = peers.filter(peers.officer != peers.peer_officer).mutate(officer="peer_officer")
    evid = asked.cameras.spans.filter(asked.cameras.spans.kind == Kind.EVID.value)
    others = within(worn_in(peers, asked.worn), evid).mutate(in_set=ibis.literal("peer"))
    return ibis.union(
        whole,
        worn.select("incident", "start_us", "end_us", in_set=ibis.literal("worn")).select(
            *whole.columns
        ),
        within(worn, named(asked.cameras.spans)).select(*whole.columns),
        others.select(*whole.columns),
    )


def worn_in(incidents: ir.Table, worn: ir.Table) -> ir.Table:
    """(incident, device, start_us, end_us): when which camera was the officer's, in the window."""
    when = worn.rename(worn_from="start_us", worn_to="end_us")
    found = incidents.join(
        when,
        [
            incidents.officer == when.officer,
            incidents.due_us < when.worn_to,
            when.worn_from < incidents.end_us,
        ],
    )
    found = found.select(
        "incident", "officer", "device", start_us=ibis.greatest(found.due_us, found.worn_from),
        end_us=ibis.least(found.end_us, found.worn_to),
    )  # fmt: skip
    # As a table of its own: Ibis would add the next join to this one, before these columns are there.
    return found.view()


def named(spans: ir.Table) -> ir.Table:
    """The spans that matter in an incident, each with the set that it belongs to."""
    name = ibis.cases(
        (spans.kind == Kind.STATE.value, ibis.literal("is_") + spans.name),
        (spans.kind.isin([Kind.LIVE.value, Kind.EVID.value, Kind.FAILED.value]), spans.kind),
        ((spans.kind == Kind.OVERLAY.value) & (spans.name == Overlay.MUTED.value), "muted"),
        else_="",
    )
    return spans.mutate(in_set=name).filter(lambda t: t.in_set != "")


def within(worn: ir.Table, spans: ir.Table) -> ir.Table:
    """The spans of a camera, cut to when it was worn."""
    named = spans.rename(span_from="start_us", span_to="end_us").drop(
        "force", "month", "name", "err_us", "why", "line", "next_line", "recording"
    )
    found = meeting(
        Side(worn, ("device",), "start_us", "end_us"),
        Side(named, ("device",), "span_from", "span_to"),
    )
    return found.mutate(
        start_us=ibis.greatest(found.start_us, found.span_from),
        end_us=ibis.least(found.end_us, found.span_to),
    )


# -- sums -------------------------------------------------------------------------------------


def _sums(asked: Asked, stretches: ir.Table) -> ir.Table:
    t = stretches
    grace_off = asked.policy.incident.grace_off_s * S
    held = t.evid | t.failed
    group = t.group_by("incident")
    found = group.agg(
        window_us=(t.end_us - t.start_us).sum(), window_end_us=t.end_us.max(),
        due_at_us=t.start_us.min(),
        live_us=lengths(t, t.live), evid_us=lengths(t, t.evid),
        failed_us=lengths(t, t.failed & ~t.evid), muted_us=lengths(t, t.muted & t.live),
        no_device_us=lengths(t, ~t.worn), partner_us=lengths(t, t.peer & ~t.evid),
        first_held_us=t.start_us.min(where=held), first_live_us=t.start_us.min(where=t.live),
        last_live_us=t.end_us.max(where=t.live), **state_sums(t),
    )  # fmt: skip
    last = t.join(found.select("incident", "last_live_us", "window_end_us"), "incident")
    start = ibis.greatest(last.start_us, last.last_live_us)
    end = ibis.least(last.end_us, last.window_end_us - grace_off)
    open_us = (
        last.filter(last.last_live_us.notnull() & ~last.peer & (start < end))
        .select("incident").distinct().mutate(rest_open=ibis.literal(value=True))
    )  # fmt: skip
    return found.left_join(open_us, "incident").drop("incident_right")


def state_sums(t: ir.Table) -> Mapping[str, ir.IntegerScalar]:
    """Of two cameras at once the more able one counts; where none tells, it is UNKNOWN."""
    sums: dict[str, ir.IntegerScalar] = {}
    taken: ir.BooleanValue = ibis.literal(value=False)
    for state, column in _STATES.items():
        here = t[column] & ~taken & t.worn
        sums[STATE_COLUMNS[state]] = lengths(t, here)
        taken = taken | t[column]
    unknown = STATE_COLUMNS[DeviceState.UNKNOWN]
    sums[unknown] = sums[unknown] + lengths(t, t.worn & ~taken)
    return sums


def _holes(asked: Asked, stretches: ir.Table) -> ir.Table:
    key = ibis.window(group_by="incident")
    t = stretches.mutate(
        first_us=stretches.start_us.min(where=stretches.live).over(key),
        last_us=stretches.end_us.max(where=stretches.live).over(key),
    )
    between = (t.start_us >= t.first_us) & (t.end_us <= t.last_us)
    found = runs(t, "incident", (between & ~t.evid & ~t.failed).fill_null(False))
    found = found.mutate(length_us=found.end_us - found.start_us)
    found = found.filter(found.length_us >= asked.policy.incident.gap_min_s * S)
    return found.group_by("incident").agg(
        gaps=found.count(), gap_us=found.length_us.sum(), longest_gap_us=found.length_us.max()
    )  # fmt: skip


# -- presses, matches, clocks -----------------------------------------------------------------


def _presses(asked: Asked) -> ir.Table:
    """(officer, device, number, pressed_us): the recordings that were live while they were worn."""
    spans = asked.cameras.spans
    live = spans.filter(spans.kind == Kind.LIVE.value).select(
        "device", "number", pressed_us="start_us", live_to="end_us"
    )
    worn = asked.worn
    met = worn.join(
        live,
        [worn.device == live.device, worn.start_us < live.live_to, live.pressed_us < worn.end_us],
    )
    return met.select("officer", "device", "number", "pressed_us").distinct()


def _vendor(asked: Asked) -> ir.Table:
    before_us = asked.policy.incident.vendor_before_s * S
    # Both ends are included.
    opening = asked.incidents.select(
        "incident", "officer", opens_us=asked.incidents.dispatched_us - before_us,
        closes_us=asked.incidents.end_us + 1,
    ).filter(lambda t: t.opens_us < t.closes_us)  # fmt: skip
    presses = _presses(asked)
    at = presses.select("officer", "pressed_us", pressed_to=presses.pressed_us + 1)
    met = meeting(
        Side(opening, ("officer",), "opens_us", "closes_us"),
        Side(at, ("officer",), "pressed_us", "pressed_to"),
    )
    return met.select("incident").distinct().mutate(vendor=ibis.literal(value=True))


def _retro(asked: Asked) -> ir.Table:
    """Incidents into which the buffer of a later press reaches."""
    spans, presses = asked.cameras.spans, _presses(asked).rename(press_device="device")
    evid = spans.filter(spans.kind == Kind.EVID.value)
    ends = asked.incidents.select("incident", window_to="end_us")
    proven = within(worn_in(asked.incidents, asked.worn), evid).join(ends, "incident")
    proven = proven.select("incident", "officer", "device", "number", "window_to")
    met = proven.join(
        presses,
        [
            proven.officer == presses.officer, proven.device == presses.press_device,
            proven.number == presses.number, presses.pressed_us >= proven.window_to,
        ],
    )  # fmt: skip
    return met.select("incident").distinct().mutate(reached=ibis.literal(value=True))


def _ever(asked: Asked) -> ir.Table:
    worn = asked.worn if asked.ever is None else asked.ever
    return worn.select("officer", "device").distinct()


def _matched(asked: Asked) -> ir.Table:
    officers = _ever(asked).select("officer").distinct()
    return (
        asked.incidents.semi_join(officers, "officer")
        .select("incident").mutate(matched=ibis.literal(value=True))
    )  # fmt: skip


def _errors(asked: Asked) -> ir.Table:
    spans = asked.cameras.spans
    clocks = spans.filter(spans.kind == Kind.CLOCK.value)
    return clock_errors(asked.incidents, _ever(asked), clocks)


def clock_errors(incidents: ir.Table, ever: ir.Table, clocks: ir.Table) -> ir.Table:
    """(incident, err_us): the largest error of a clock, of any camera that the officer ever wore, that
    may touch [due, end); no row where there is none.
    """
    told = clocks.select("device", clock_us="err_us", clock_from="start_us", clock_to="end_us")
    mine = incidents.select("incident", "officer", "due_us", "end_us").join(ever, "officer")
    met = mine.join(
        told,
        [
            mine.device == told.device, told.clock_from - told.clock_us < mine.end_us,
            mine.due_us < told.clock_to + told.clock_us,
        ],
    )  # fmt: skip
    return met.group_by("incident").agg(err_us=met.clock_us.max())


# -- the verdict ------------------------------------------------------------------------------


def _judged(asked: Asked, t: ir.Table) -> ir.Table:
    rules = asked.policy.incident
    t = t.mutate(
        activated=t.live_us >= rules.activated_min_s * S,
        missing_us=t.window_us - t.evid_us,
        evid_delay_us=t.first_held_us - t.due_us, press_delay_us=t.first_live_us - t.due_us,
        tail_us=t.end_us - t.last_live_us,
        gaps=t.gaps.fill_null(0), gap_us=t.gap_us.fill_null(0),
        longest_gap_us=t.longest_gap_us.fill_null(0), err_us=t.err_us.fill_null(0),
        vendor=t.vendor.fill_null(False), coverage=t.evid_us / t.window_us,
        live_coverage=t.live_us / t.window_us,
        left_out=left_out(t, asked.policy.excluded),
    )  # fmt: skip
    grace_on = rules.grace_on_s * S
    short = (t.tail_us > rules.grace_off_s * S).fill_null(False)
    t = t.mutate(
        retro=~t.activated & t.reached.fill_null(False),
        late=(t.evid_delay_us > grace_on).fill_null(False),
        saved_by_buffer=((t.press_delay_us > grace_on) & (t.evid_delay_us <= grace_on)).fill_null(
            False
        ),
        early=short & t.rest_open.fill_null(False),
        handed_over=short & t.rest_open.isnull(),
    )
    unable = {
        IncidentClass.UNKNOWN: t[STATE_COLUMNS[DeviceState.UNKNOWN]],
        IncidentClass.FAULT: t[STATE_COLUMNS[DeviceState.FAULT]],
        IncidentClass.DOCKED: t[STATE_COLUMNS[DeviceState.DOCKED]],
        IncidentClass.NO_DEVICE: t.no_device_us,
    }
    most_us = ibis.greatest(*unable.values())
    could_not = ~t.activated & (2 * sum(unable.values()) >= t.window_us)
    kind = ibis.cases(
        *((could_not & (us == most_us), name.value) for name, us in unable.items()),
        (~t.activated, IncidentClass.NEVER.value), (t.late, IncidentClass.LATE.value),
        (t.gaps > 0, IncidentClass.GAP.value), (t.early, IncidentClass.EARLY.value),
        (t.muted_us > 0, IncidentClass.MUTED.value), else_=IncidentClass.COMPLETE.value,
    )  # fmt: skip
    return t.mutate(kind=kind).drop(
        "window_end_us", "due_at_us", "first_held_us", "first_live_us", "last_live_us", "rest_open",
        "reached", "matched",
    )  # fmt: skip


def left_out(t: ir.Table, rules: Exclusions) -> ir.StringValue:
    """Why an incident is not to be judged, or empty; `matched` is null where nobody has a camera."""
    without = _among(t.call_type, rules.call_types) | _among(t.clearance, rules.clearance_codes)
    return ibis.cases((without, "EXCLUDED"), (t.matched.isnull(), "UNMATCHED"), else_="")


def _among(column: ir.StringValue, words: Sequence[str]) -> ir.BooleanValue:
    return column.isin(list(words)) if words else ibis.literal(value=False)

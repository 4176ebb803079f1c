"""What lies in and around the window of each incident: pieces of time, each of a named set.

A piece is as long as the camera tells; beside it stands when the camera was the officer's, in the window.
As far out of that as the clocks may be off there are pieces, too: they may have been within it.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..officers import ABLE
from ..policy import Policy
from ..recordings import EMPTY_BATTERY
from ..states import DeviceState, Overlay
from .sweep import Side, meeting
from .tables import AuditTables

STATE_SETS = {state: f"is_{state.value}" for state in ABLE}
# The officer's own sets; beside them are `whole`, the window, and `worn` and `peer`.
OWN_SETS = ("live", "evid", "failed", "muted", *STATE_SETS.values())
# OFF, for the battery was empty: in STATE_SETS as well.
FLAT = "flat"
# The window, and by how much the clocks of whose pieces these are may be off.
_BOUNDS = ("incident", "due_us", "over_us", "officer", "own", "err_us")
_PIECE = (*_BOUNDS, "in_set", "device", "number", "worn_from", "worn_to", "start_us", "end_us")


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

    @property
    def pairs(self) -> ir.Table:
        """(officer, device): who ever wore which camera."""
        worn = self.worn if self.ever is None else self.ever
        return worn.select("officer", "device").distinct()


def watched(asked: Asked) -> ir.Table:
    """Whose cameras matter to each incident: the officer's own, and those of the others at the event."""
    own = asked.incidents.select(
        "incident", "event", "officer", "due_us", over_us=asked.incidents.end_us,
        own=ibis.literal(value=True),
    )  # fmt: skip
    there = asked.incidents if asked.at_event is None else asked.at_event
    at_event = there.select("event", peer_officer="officer").distinct()
    peers = own.join(at_event, "event")
    peers = peers.filter(peers.officer != peers.peer_officer).mutate(
        officer="peer_officer", own=ibis.literal(value=False)
    )
    every = ibis.union(own, peers.select(*own.columns)).drop("event")
    key = ["incident", "officer"]
    t = every.left_join(_errors(asked, every), key).drop("incident_right", "officer_right")
    return t.mutate(err_us=t.err_us.fill_null(0)).select(*_BOUNDS)


def _errors(asked: Asked, every: ir.Table) -> ir.Table:
    spans = asked.cameras.spans
    clocks = spans.filter((spans.kind == Kind.CLOCK.value) & (spans.err_us > 0))
    every = every.rename(end_us="over_us")
    return clock_errors(every, asked.pairs, clocks, ("incident", "officer"))


def clock_errors(
    incidents: ir.Table, ever: ir.Table, clocks: ir.Table, by: tuple[str, ...] = ("incident",)
) -> ir.Table:
    """(*by, err_us): the largest error of a clock, of any camera that the officer ever wore, that
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
    return met.group_by(by).agg(err_us=met.clock_us.max())


def pieces(asked: Asked, whose: ir.Table) -> ir.Table:
    """The pieces of every set, in and around each of the windows of `watched`."""
    worn, spans = worn_around(whose, asked.worn), named(asked.cameras.spans)
    own = whose.filter(whose.own)
    nowhere = {"device": ibis.null("string"), "number": ibis.null("int32")}
    whole = own.mutate(
        in_set=ibis.literal("whole"), worn_from="due_us", worn_to="over_us", start_us="due_us",
        end_us="over_us", **nowhere,
    )  # fmt: skip
    mine = worn.filter(worn.own).mutate(
        in_set=ibis.literal("worn"), start_us="worn_from", end_us="worn_to",
        number=nowhere["number"],
    )  # fmt: skip
    return ibis.union(*(t.select(*_PIECE) for t in (whole, mine, around(worn, spans))))


def inside(found: ir.Table) -> ir.Table:
    """The pieces, cut to when the camera was worn in the window."""
    cut = found.mutate(
        start_us=ibis.greatest(found.start_us, found.worn_from, found.due_us),
        end_us=ibis.least(found.end_us, found.worn_to, found.over_us),
    )
    return cut.filter(cut.start_us < cut.end_us)


def worn_around(whose: ir.Table, worn: ir.Table) -> ir.Table:
    """When which camera was whose, in the window; of others' cameras as far around it as their clocks
    may be off.
    """
    when = worn.rename(from_us="start_us", to_us="end_us")
    around_us = ibis.ifelse(whose.own, 0, whose.err_us)
    t = whose.mutate(low_us=whose.due_us - around_us, high_us=whose.over_us + around_us)
    found = t.join(
        when, [t.officer == when.officer, t.low_us < when.to_us, when.from_us < t.high_us]
    )
    found = found.select(
        *_BOUNDS, "device", worn_from=ibis.greatest(found.low_us, found.from_us),
        worn_to=ibis.least(found.high_us, found.to_us),
    )  # fmt: skip
    # As a table of its own: Ibis would add the next join to this one, before these columns are there.
    return found.view()


def around(worn: ir.Table, spans: ir.Table) -> ir.Table:
    """The spans of each camera, with their `in_set`, in and around when it was worn; of others' cameras
    what they prove.
    """
    near = worn.mutate(near_from=worn.worn_from - worn.err_us, near_to=worn.worn_to + worn.err_us)
    told = spans.select("device", "number", "in_set", "start_us", "end_us")
    found = meeting(
        Side(near, ("device",), "near_from", "near_to"),
        Side(told, ("device",), "start_us", "end_us"),
    )
    found = found.filter(found.own | (found.in_set == "evid"))
    found = found.mutate(in_set=ibis.ifelse(found.own, found.in_set, "peer"))
    return found.drop("near_from", "near_to")


def named(spans: ir.Table) -> ir.Table:
    """The spans that matter in an incident, each with the set that it belongs to."""
    name = ibis.cases(
        (spans.kind == Kind.STATE.value, ibis.literal("is_") + spans.name),
        (spans.kind.isin([Kind.LIVE.value, Kind.EVID.value, Kind.FAILED.value]), spans.kind),
        ((spans.kind == Kind.OVERLAY.value) & (spans.name == Overlay.MUTED.value), "muted"),
        else_="",
    )
    told = spans.mutate(in_set=name).filter(lambda t: t.in_set != "")
    off = (spans.kind == Kind.STATE.value) & (spans.name == DeviceState.OFF.value)
    flat = spans.filter(off & (spans.why == EMPTY_BATTERY)).mutate(in_set=ibis.literal(FLAT))
    return ibis.union(told, flat)


# -- windows of any kind, with columns due_us and end_us ----------------------------------------


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

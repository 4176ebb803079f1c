"""M20 to M29 for every officer-incident at once: the definitions of `scoring`, as one expression.

All that the officer's cameras did in the window, and what the other officers' cameras prove of it, is
cut at every edge; the rest is sums over the stretches. Numbers are by the clocks as they are; `err_us`
is by how much those may be off, and `uncertainty` says what follows for a single incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..officers import ABLE
from ..policy import Exclusions
from ..scoring import IncidentClass, S
from ..states import DeviceState
from .clockbounds import may_differ, near_edges, near_peers
from .others import others_at
from .pieces import FLAT, OWN_SETS, STATE_SETS, Asked, inside, pieces, watched
from .shortfalls import shortfalls
from .sweep import Side, cut, lengths, meeting, runs

STATE_COLUMNS = {state: f"{state.value}_us" for state in DeviceState}
_SETS = ("whole", "worn", "peer", *OWN_SETS)


def scores(asked: Asked) -> ir.Table:
    """One row an officer-incident that has a window: `left_out` says why one is not to be counted,
    `unsure` whether the clocks may leave more than one class open.
    """
    return scored(asked, pieces(asked, watched(asked).cache()).cache())


def scored(asked: Asked, found: ir.Table) -> ir.Table:
    """`scores` of these pieces, for who needs the pieces as well."""
    rules = asked.policy.incident
    stretches = cut(inside(found), "incident", _SETS).cache()
    sums = _sums(asked, stretches).join(_clocks(found), "incident").cache()
    rows = asked.incidents.join(sums, "incident")
    presses = _presses(asked).cache()
    for more in (
        _holes(asked, stretches), _vendor(asked, presses), _retro(found, presses),
        _matched(asked), _flat(found), others_at(asked, found), near_edges(found, rules),
        near_peers(found, sums, rules), shortfalls(found),
    ):  # fmt: skip
        rows = rows.left_join(more, "incident").drop("incident_right")
    return _judged(asked, rows)


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
    for state, column in STATE_SETS.items():
        here = t[column] & ~taken & t.worn
        sums[STATE_COLUMNS[state]] = lengths(t, here)
        taken = taken | t[column]
    unknown = STATE_COLUMNS[DeviceState.UNKNOWN]
    sums[unknown] = sums[unknown] + lengths(t, t.worn & ~taken)
    return sums


def _flat(found: ir.Table) -> ir.Table:
    """(incident, flat_us): OFF for an empty battery, of the few incidents that have any."""
    mine = found.semi_join(found.filter(found.in_set == FLAT), "incident")
    able = [STATE_SETS[state] for state in ABLE[: ABLE.index(DeviceState.OFF)]]
    t = cut(inside(mine), "incident", (FLAT, *able))
    here = t[FLAT]
    for column in able:
        here = here & ~t[column]
    return t.group_by("incident").agg(flat_us=lengths(t, here))


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


def _vendor(asked: Asked, presses: ir.Table) -> ir.Table:
    before_us = asked.policy.incident.vendor_before_s * S
    # Both ends are included.
    opening = asked.incidents.select(
        "incident", "officer", opens_us=asked.incidents.dispatched_us - before_us,
        closes_us=asked.incidents.end_us + 1,
    ).filter(lambda t: t.opens_us < t.closes_us)  # fmt: skip
    at = presses.select("officer", "pressed_us", pressed_to=presses.pressed_us + 1)
    met = meeting(
        Side(opening, ("officer",), "opens_us", "closes_us"),
        Side(at, ("officer",), "pressed_us", "pressed_to"),
    )
    return met.select("incident").distinct().mutate(vendor=ibis.literal(value=True))


def _retro(found: ir.Table, presses: ir.Table) -> ir.Table:
    """Incidents into which the buffer of a later press reaches."""
    proven = inside(found.filter(found.in_set == Kind.EVID.value))
    proven = proven.select("incident", "officer", "device", "number", "over_us")
    later = presses.rename(press_officer="officer", press_device="device", press_number="number")
    met = proven.join(
        later,
        [
            proven.officer == later.press_officer, proven.device == later.press_device,
            proven.number == later.press_number, later.pressed_us >= proven.over_us,
        ],
    )  # fmt: skip
    return met.select("incident").distinct().mutate(reached=ibis.literal(value=True))


def _matched(asked: Asked) -> ir.Table:
    officers = asked.pairs.select("officer").distinct()
    return (
        asked.incidents.semi_join(officers, "officer")
        .select("incident").mutate(matched=ibis.literal(value=True))
    )  # fmt: skip


def _clocks(found: ir.Table) -> ir.Table:
    """By how much the officer's clocks may be off, and how often a camera was worn in the window."""
    t = found.filter(found.in_set.isin(["whole", "worn"]))
    return t.group_by("incident").agg(
        err_us=t.err_us.max(), over_us=t.over_us.max(), stretches=(t.in_set == "worn").sum()
    )  # fmt: skip


# -- the verdict ------------------------------------------------------------------------------


def _judged(asked: Asked, t: ir.Table) -> ir.Table:
    rules = asked.policy.incident
    t = t.mutate(
        activated=t.live_us >= rules.activated_min_s * S,
        missing_us=t.window_us - t.evid_us,
        evid_delay_us=t.first_held_us - t.due_us, press_delay_us=t.first_live_us - t.due_us,
        tail_us=t.end_us - t.last_live_us,
        gaps=t.gaps.fill_null(0), gap_us=t.gap_us.fill_null(0),
        others=t.others.fill_null(0), others_recording=t.others_recording.fill_null(0),
        longest_gap_us=t.longest_gap_us.fill_null(0), flat_us=t.flat_us.fill_null(0),
        least_partner_us=t.least_partner_us.fill_null(0),
        most_partner_us=t.most_partner_us.fill_null(0),
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
    never = kind == IncidentClass.NEVER.value
    t = t.mutate(
        kind=kind, unsure=(t.left_out == "") & may_differ(t, rules),
        excused_if_flat=never & (2 * (sum(unable.values()) + t.flat_us) >= t.window_us),
    )  # fmt: skip
    return t.drop(
        "window_end_us", "due_at_us", "first_held_us", "first_live_us", "last_live_us", "rest_open",
        "reached", "matched", "near", "near_peer", "stretches", "over_us",
    )  # fmt: skip


def left_out(t: ir.Table, rules: Exclusions) -> ir.StringValue:
    """Why an incident is not to be judged, or empty; `matched` is null where nobody has a camera."""
    without = _among(t.call_type, rules.call_types) | _among(t.clearance, rules.clearance_codes)
    return ibis.cases((without, "EXCLUDED"), (t.matched.isnull(), "UNMATCHED"), else_="")


def _among(column: ir.StringValue, words: Sequence[str]) -> ir.BooleanValue:
    return column.isin(list(words)) if words else ibis.literal(value=False)

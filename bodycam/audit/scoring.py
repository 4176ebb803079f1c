"""One officer at one incident: what was recorded of the window, and the class that it gets (M20-M28).

Pure: sets of time in, numbers out. W is the window, LIVE and EVID as in `recordings`, FAILED what the
log claims and verification did not confirm. FAILED is never counted as covered, and never as a gap,
nor as late.

| class     | first that holds, for an officer-incident                                            |
|-----------|--------------------------------------------------------------------------------------|
| UNKNOWN   | not activated; could not have recorded for at least half of W, most of it UNKNOWN     |
| FAULT     | the same, most of it FAULT                                                           |
| DOCKED    | the same, most of it DOCKED                                                          |
| NO-DEVICE | the same, for most of it no camera assigned                                          |
| NEVER     | not activated: LIVE in W shorter than `activated_min_s`                              |
| LATE      | the first EVID in W is more than `grace_on_s` after due                              |
| GAP       | a hole of `gap_min_s` or more in EVID between the first and the last LIVE moment in W |
| EARLY     | the last LIVE moment in W is more than `grace_off_s` before end, and nobody took over |
| MUTED     | sound was left out while LIVE, in W                                                  |
| COMPLETE  | none of these                                                                        |

A camera could not have recorded while it was UNKNOWN, FAULT, DOCKED or not there. These times are taken
together: two reasons of a third of W each excuse no less than one of two thirds. Of equal ones the first
in the table counts. While OFF it could have: it had only to be switched on. What an empty battery switched
off is OFF as well; how much of W that was is said beside the class, and whether it would excuse, with the rest.

Somebody took over if the cameras of the other officers at the event prove, without a hole, all from
that last moment to `grace_off_s` before the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .incidents import Incident, Window
from .intervals import (
    NEVER,
    Interval,
    Times,
    both,
    clip,
    length_us,
    longest_us,
    shifted,
    union,
    without,
)
from .policy import Exclusions, IncidentRules
from .states import DeviceState

S = 1_000_000
UNABLE = (DeviceState.UNKNOWN, DeviceState.FAULT, DeviceState.DOCKED)
# The numbers of thresholds are the policy's: `thresholds.with_values`.
DEFINITIONS = (
    ("", "Words", "W: the window, from due to end. Due: on scene, else dispatched; of what the officer began, the first entry. End: cleared, else the officer's next dispatch, longest_h after due at most. LIVE: from the press to the stop, by the log. EVID: proven pictures, with those before the press and after the stop. All times are UTC."),
    ("M20", "Activated", "LIVE in W for at least activated_min_s. If only the buffer reaches into W (pressed after its end), it is said, and stays NEVER."),
    ("M21", "Vendors' rule", "Some LIVE begins in [dispatched - vendor_before_s, cleared], both ends included. Never without M22."),
    ("M22", "Coverage", "EVID in W / W, and LIVE in W / W."),
    ("M23", "Late start", "First EVID in W less due; late if more than grace_on_s. Saved by the buffer: the press came later than that, the pictures did not."),
    ("M24", "Early stop", "End less the last LIVE moment in W; early if more than grace_off_s and no camera of another officer at the event proves the rest."),
    ("M25", "Gap", "Stretches of gap_min_s or more between the first and last LIVE moment in W that EVID does not cover, and the camera's states in each."),
    ("M26", "Muted", "Muted time in LIVE in W."),
    ("M27", "Class", "One for each officer at an incident: the first that holds, as listed. Not recorded: for at least half of W UNKNOWN, FAULT, DOCKED or no camera together, the class is the one of these of which there is most; else NEVER. Of NEVER it is said how often what an empty battery switched off, which is OFF, would make up that half with the rest."),
    ("M28", "Excluded", "Call types and clearance codes for which the policy requires no recording."),
    ("M29", "Partner shortfall", "What the cameras of the other officers at the event prove of W, and the own one does not. And of the other officers there to whom a camera belongs, those whose cameras prove activated_min_s of W or more: over all activated incidents, the share of others who recorded as well."),
)  # fmt: skip


class IncidentClass(Enum):
    """One for each officer-incident; in the order in which they are looked for."""

    UNKNOWN = "UNKNOWN"
    FAULT = "FAULT"
    DOCKED = "DOCKED"
    NO_DEVICE = "NO-DEVICE"
    NEVER = "NEVER"
    LATE = "LATE"
    GAP = "GAP"
    EARLY = "EARLY"
    MUTED = "MUTED"
    COMPLETE = "COMPLETE"


@dataclass(frozen=True, slots=True)
class Press:
    """One recording: [press, stop), and what is proven of it.

    `stopped` is whether it was stopped then, and not rolled over into the next one, or by somebody else.
    """

    start_us: int
    end_us: int
    evid: Times
    stopped: bool = True


@dataclass(frozen=True, slots=True)
class OfficerTime:
    """What the cameras assigned to one officer did, together."""

    live: Times = NEVER
    evid: Times = NEVER
    failed: Times = NEVER
    muted: Times = NEVER
    states: Mapping[DeviceState, Times] = field(default_factory=dict)
    assigned: Times = NEVER
    presses: tuple[Press, ...] = ()
    # OFF, for the battery was empty.
    flat: Times = NEVER

    @property
    def nominal(self) -> OfficerTime:
        """By the cameras' clocks as they are."""
        return self

    @property
    def edges(self) -> set[int]:
        """Where anything that a camera did begins or ends."""
        sets = (self.live, self.evid, self.failed, self.muted, *self.states.values())
        return {edge for found in sets for one in found for edge in one} | {
            press.start_us for press in self.presses
        }

    @property
    def bounds(self) -> Times:
        """When a camera was assigned."""
        return self.assigned

    def shifted(self, by_us: int) -> OfficerTime:
        """The same, had the cameras' clocks been so much later; the assignment is not theirs."""
        return OfficerTime(
            shifted(self.live, by_us), shifted(self.evid, by_us), shifted(self.failed, by_us),
            shifted(self.muted, by_us), {s: shifted(t, by_us) for s, t in self.states.items()},
            self.assigned,
            tuple(Press(p.start_us + by_us, p.end_us + by_us, shifted(p.evid, by_us), p.stopped)
                  for p in self.presses),
            shifted(self.flat, by_us),
        )  # fmt: skip

    def near(self, start_us: int, end_us: int) -> OfficerTime:
        """Only what touches [start, end)."""
        return OfficerTime(
            clip(self.live, start_us, end_us), clip(self.evid, start_us, end_us),
            clip(self.failed, start_us, end_us), clip(self.muted, start_us, end_us),
            {s: clip(t, start_us, end_us) for s, t in self.states.items()}, self.assigned,
            tuple(p for p in self.presses if any(a < end_us and start_us < b for a, b in
                  (*p.evid, (p.start_us, p.end_us)))),
            clip(self.flat, start_us, end_us),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole in the middle of an incident, and the camera's states in it."""

    start_us: int
    end_us: int
    states: tuple[DeviceState, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Every number of one officer-incident; None where there is nothing to measure from."""

    kind: IncidentClass
    window_us: int
    live_us: int
    evid_us: int
    missing_us: int
    failed_us: int
    activated: bool
    retro: bool
    vendor: bool
    evid_delay_us: int | None
    press_delay_us: int | None
    late: bool
    saved_by_buffer: bool
    tail_us: int | None
    early: bool
    handed_over: bool
    gaps: tuple[Gap, ...]
    gap_us: int
    longest_gap_us: int
    muted_us: int
    state_us: Mapping[DeviceState, int]
    no_device_us: int
    flat_us: int

    @property
    def excused_if_flat(self) -> bool:
        """Whether it is NEVER, and were none if what an empty battery switched off had been at fault."""
        unable_us = sum(self.state_us[state] for state in UNABLE) + self.no_device_us
        return self.kind is IncidentClass.NEVER and 2 * (unable_us + self.flat_us) >= self.window_us

    @property
    def coverage(self) -> float:
        return self.evid_us / self.window_us

    @property
    def live_coverage(self) -> float:
        return self.live_us / self.window_us


def excluded(incident: Incident, rules: Exclusions) -> bool:
    """Whether the policy requires no recording of it (M28)."""
    return incident.call_type in rules.call_types or incident.clearance in rules.clearance_codes


def score(
    window: Window, officer: OfficerTime, rules: IncidentRules, *, dispatched_us: int | None = None,
    peers: Times = NEVER,
) -> Score:  # fmt: skip
    """Score one window; `peers` is what the other officers' cameras prove of the event."""
    due, end = window.due_us, window.end_us
    whole: Times = (Interval(due, end),)
    live, evid = clip(officer.live, due, end), clip(officer.evid, due, end)
    failed = without(clip(officer.failed, due, end), evid)
    held = union(evid, failed)
    activated = length_us(live) >= rules.activated_min_s * S
    evid_delay = held[0].start_us - due if held else None
    press_delay = live[0].start_us - due if live else None
    grace_on, last = rules.grace_on_s * S, live[-1].end_us if live else None
    late = evid_delay is not None and evid_delay > grace_on
    tail = None if last is None else end - last
    rest = () if last is None else clip(whole, last, end - rules.grace_off_s * S)
    short = tail is not None and tail > rules.grace_off_s * S
    handed_over = short and without(rest, peers) == NEVER
    holes = _gaps(live, held, officer, rules)
    muted_us = length_us(both(officer.muted, live))
    states = state_us(whole, officer)
    no_device = length_us(without(whole, officer.assigned))
    early = short and not handed_over
    if activated:
        kind = _recorded(late=late, gap=bool(holes), early=early, muted=muted_us > 0)
    else:
        kind = _not_recorded(window.length_us, states, no_device)
    opening = (
        window.due_us if dispatched_us is None else dispatched_us
    ) - rules.vendor_before_s * S
    return Score(
        kind, window.length_us, length_us(live), length_us(evid),
        length_us(without(whole, evid)), length_us(failed), activated,
        not activated and any(p.start_us >= end and clip(p.evid, due, end) for p in officer.presses),
        any(opening <= p.start_us <= end for p in officer.presses),
        evid_delay, press_delay, late,
        press_delay is not None and evid_delay is not None and press_delay > grace_on >= evid_delay,
        tail, early, handed_over, holes, sum(g.end_us - g.start_us for g in holes),
        longest_us(tuple(Interval(g.start_us, g.end_us) for g in holes)), muted_us, states, no_device,
        length_us(both(both(whole, officer.flat), officer.assigned)),
    )  # fmt: skip


def _recorded(*, late: bool, gap: bool, early: bool, muted: bool) -> IncidentClass:
    if late:
        return IncidentClass.LATE
    if gap:
        return IncidentClass.GAP
    if early:
        return IncidentClass.EARLY
    return IncidentClass.MUTED if muted else IncidentClass.COMPLETE


def _not_recorded(
    window_us: int, states: Mapping[DeviceState, int], no_device_us: int
) -> IncidentClass:
    unable = {
        IncidentClass.UNKNOWN: states[DeviceState.UNKNOWN],
        IncidentClass.FAULT: states[DeviceState.FAULT],
        IncidentClass.DOCKED: states[DeviceState.DOCKED],
        IncidentClass.NO_DEVICE: no_device_us,
    }
    if 2 * sum(unable.values()) < window_us:
        return IncidentClass.NEVER
    # Of equal ones `max` takes the first.
    return max(unable, key=lambda kind: unable[kind])


def _gaps(
    live: Times, held: Times, officer: OfficerTime, rules: IncidentRules
) -> tuple[Gap, ...]:  # fmt: skip
    if not live:
        return ()
    between: Times = (Interval(live[0].start_us, live[-1].end_us),)
    return tuple(
        Gap(a, b, tuple(s for s, found in officer.states.items() if clip(found, a, b)))
        for a, b in without(between, held)
        if b - a >= rules.gap_min_s * S
    )


def state_us(whole: Times, officer: OfficerTime) -> dict[DeviceState, int]:
    """Time in each state while a camera was assigned; where nothing tells, it is UNKNOWN."""
    assigned = both(whole, officer.assigned)
    found = {s: length_us(both(officer.states.get(s, NEVER), assigned)) for s in DeviceState}
    found[DeviceState.UNKNOWN] += length_us(without(assigned, union(*officer.states.values())))
    return found

"""What the times of a duty may be, by the cameras' clocks: M34 as the least and the greatest value.

Duty and assignment are by the clocks of whoever wrote them. Had a camera's clock been d later, it did in
[a, b) what it tells of [a - d, b - d); d is anything within its error e. Of each stretch for which a camera
was assigned:

| the stretch                               | what is looked at                                              |
|-------------------------------------------|----------------------------------------------------------------|
| one clock tells of it                     | every d: between two at which an edge meets a bound all is linear |
| several clocks do                         | each is off by itself: least [a + e, b - e), most [a - e, b + e) |
| two cameras were assigned at once in the duty | what either surely did, or possibly, at each moment            |

Stretches of one after the other are added up, each with its own least and most: they may be of two
cameras. So every pair holds the truth, however the clocks of the duty are off; it is tight where one clock
tells of a duty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .intervals import Interval, Times, both, clip, grown, length_us, union
from .states import DeviceState
from .timeline import DeviceTimeline

ABLE = (DeviceState.READY, DeviceState.RECORDING, DeviceState.SLEEP, DeviceState.BOOT)
RANGED = ("recording_us", "able_us", "covered_us", "recorded_us")
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DutyStretch:
    """[start, end) of a duty in which a camera was assigned, what it did, how many clocks tell of it,
    and by how much they may be off.
    """

    when: Interval
    did: Mapping[str, Times]
    clocks: int
    err_us: int


def sets_of(line: DeviceTimeline) -> dict[str, Times]:
    """Of a camera all time of each of RANGED."""
    states = {state: line.in_state(state) for state in ABLE}
    claimed = (line.live, line.evid, line.failed)
    return dict(zip(RANGED, (
        states[DeviceState.RECORDING], union(*states.values()), line.evid, union(*claimed),
    ), strict=True))  # fmt: skip


def stretch(when: Interval, line: DeviceTimeline | None, sets: Mapping[str, Times]) -> DutyStretch:
    """One stretch of a camera with these sets; without a store nothing is known of it."""
    if line is None:
        return DutyStretch(when, dict.fromkeys(RANGED, ()), 0, 0)
    start, end = when
    errors = [
        err for i, err in line.errors if i.start_us - err < end and start < i.end_us + err
    ]  # fmt: skip
    err_us = max(errors, default=0)
    did = {name: clip(found, start - err_us, end + err_us) for name, found in sets.items()}
    return DutyStretch(when, did, len(errors), err_us)


def duty_ranges(stretches: Iterable[DutyStretch]) -> dict[str, Pair]:
    """(least, greatest) of each of RANGED, of all stretches of a duty."""
    found = list(stretches)
    worn_us = sum(one.when.length_us for one in found)
    if worn_us > length_us(union(*((one.when,) for one in found))):
        return {name: _at_once(found, name) for name in RANGED}
    pairs = {name: [_moved(one, one.did[name]) for one in found] for name in RANGED}
    return {
        name: (sum(low for low, _ in told), min(sum(high for _, high in told), worn_us))
        for name, told in pairs.items()
    }


def _moved(one: DutyStretch, did: Times) -> Pair:
    (start, end), err_us = one.when, one.err_us
    if one.clocks > 1:
        return _inside(did, start + err_us, end - err_us), _inside(
            did, start - err_us, end + err_us
        )
    meet = {bound - edge for bound in one.when for span in did for edge in span}
    shifts = {-err_us, 0, err_us, *(by_us for by_us in meet if -err_us <= by_us <= err_us)}
    told = [_inside(did, start - by_us, end - by_us) for by_us in shifts]
    return min(told), max(told)


def _inside(did: Times, start_us: int, end_us: int) -> int:
    return length_us(clip(did, start_us, end_us))


def _at_once(found: Iterable[DutyStretch], name: str) -> Pair:
    told = list(found)
    least, most = (
        union(*(both(grown(one.did[name], sign * one.err_us), (one.when,)) for one in told))
        for sign in (-1, 1)
    )
    return length_us(least), length_us(most)

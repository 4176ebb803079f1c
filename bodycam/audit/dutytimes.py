"""M34: what a camera was of its officer's rostered duty, rather than of the time out of the dock.

An officer may be rostered twice at once. A second that two duties share belongs to the one that began
first; a duty that lies in earlier ones altogether has no time of its own, and no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .assignments import Assignments
from .duties import Duty
from .dutyranges import ABLE, RANGED, Pair, duty_ranges, sets_of, stretch
from .groups import DutyCoverage, DutySum
from .intervals import Times, both, clip, length_us, times, union, without
from .officers import err_us
from .scoring import OfficerTime, state_us
from .states import DeviceState
from .timeline import DeviceTimeline

DEFINITION = (
    "M34", "Duty coverage",
    ("RECORDING, and READY, RECORDING, SLEEP and BOOT as in M1, of rostered duty. What was UNKNOWN, and "
    "when no camera was assigned, stays in the denominator and is shown beside it. Each with the least and the "
    "greatest value that the cameras' clocks leave possible."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DutyTime:
    """One duty: from where its time is its own, and what the officer's cameras did in it.

    Covered is what is proven; recorded is proven, or claimed by a log, or both. `ranges` are the least and
    the greatest that the clocks leave possible, of each of RANGED.
    """

    duty: Duty
    start_us: int
    matched: bool
    state_us: Mapping[DeviceState, int]
    no_device_us: int
    covered_us: int
    recorded_us: int
    err_us: int
    ranges: Mapping[str, Pair]

    @property
    def duty_us(self) -> int:
        return self.duty.end_us - self.start_us

    @property
    def shared_us(self) -> int:
        return self.start_us - self.duty.start_us

    @property
    def able_us(self) -> int:
        return sum(self.state_us[state] for state in ABLE)

    @property
    def lost_us(self) -> int:
        """When nobody could have recorded, or nobody knows."""
        unable = self.state_us[DeviceState.UNKNOWN] + self.state_us[DeviceState.FAULT]
        return unable + self.no_device_us


def own_times(duties: Iterable[Duty]) -> list[tuple[Duty, int]]:
    """Each duty with the moment from which its time is its own; without those that have none."""
    found: list[tuple[Duty, int]] = []
    until: dict[str, int] = {}
    for duty in sorted(duties, key=lambda d: (d.officer, d.start_us)):
        start_us = max(duty.start_us, until.get(duty.officer, duty.start_us))
        until[duty.officer] = max(duty.end_us, start_us)
        if start_us < duty.end_us:
            found.append((duty, start_us))
    return found


def duty_times(
    duties: Iterable[Duty], officers: Mapping[str, OfficerTime], worn: Assignments,
    lines: Mapping[str, DeviceTimeline],
) -> list[DutyTime]:  # fmt: skip
    """Each duty that has time of its own, in order of officer and time."""
    sets = {device: sets_of(line) for device, line in lines.items()}
    return [
        _time(duty, start_us, officers[duty.officer], worn, lines, sets)
        for duty, start_us in own_times(duties)
    ]


def _time(
    duty: Duty, start_us: int, mine: OfficerTime, worn: Assignments,
    lines: Mapping[str, DeviceTimeline], sets: Mapping[str, Mapping[str, Times]],
) -> DutyTime:  # fmt: skip
    whole: Times = times([(start_us, duty.end_us)])
    claimed = union(*(clip(t, start_us, duty.end_us) for t in (mine.live, mine.evid, mine.failed)))
    return DutyTime(
        duty, start_us, bool(worn.of(duty.officer)), state_us(whole, mine),
        length_us(without(whole, mine.assigned)), length_us(both(whole, mine.evid)),
        length_us(claimed), err_us(duty.officer, worn, lines, start_us, duty.end_us),
        duty_ranges(
            stretch(one, lines.get(device), sets.get(device, {}))
            for device, when in worn.of(duty.officer).items()
            for one in both(when, whole)
        ),
    )  # fmt: skip


def duty_sum(times_: Iterable[DutyTime]) -> DutySum:
    """All of these duties together."""
    found = list(times_)
    of = {state: sum(t.state_us[state] for t in found) for state in DeviceState}
    return DutySum(
        len(found), sum(t.duty_us for t in found), of[DeviceState.RECORDING],
        sum(t.able_us for t in found), of[DeviceState.UNKNOWN], of[DeviceState.FAULT],
        of[DeviceState.DOCKED], of[DeviceState.OFF], sum(t.no_device_us for t in found),
        sum(t.covered_us for t in found), sum(t.recorded_us for t in found),
        *(sum(t.ranges[name][bound] for t in found) for name in RANGED for bound in (0, 1)),
    )  # fmt: skip


def duty_coverage(found: Iterable[DutyTime], min_count: int) -> DutyCoverage:
    """Over all duties, and of each officer who has at least so many; officers in order of id."""
    by: dict[str, list[DutyTime]] = {}
    unmatched = shared_us = 0
    for one in found:
        shared_us += one.shared_us
        if one.matched:
            by.setdefault(one.duty.officer, []).append(one)
        else:
            unmatched += 1
    shown = tuple((name, duty_sum(by[name])) for name in sorted(by) if len(by[name]) >= min_count)
    return DutyCoverage(
        duty_sum(one for mine in by.values() for one in mine), shown, len(by) - len(shown), unmatched,
        shared_us,
    )  # fmt: skip

"""An officer's time: that of each camera while it was assigned, together.

Where two cameras were assigned at once the officer's state is that of the one that could do more:
RECORDING, READY, BOOT, SLEEP, OFF, DOCKED, FAULT, UNKNOWN, in this order.

Assignments are by the clock of whoever wrote them, and not by the camera's: had that been later, what the
camera did would be later, and the officer would have worn it when it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .assignments import Assignments
from .intervals import NEVER, Interval, Times, both, clip, times, union, without
from .recordings import EMPTY_BATTERY, ToggleCause
from .scoring import OfficerTime, Press
from .states import DeviceState, Overlay
from .timeline import DeviceTimeline

ABLE = (
    DeviceState.RECORDING, DeviceState.READY, DeviceState.BOOT, DeviceState.SLEEP, DeviceState.OFF,
    DeviceState.DOCKED, DeviceState.FAULT, DeviceState.UNKNOWN,
)  # fmt: skip


@dataclass(frozen=True)
class OfficerCameras:
    """The cameras of an officer: all that each did, and when it was the officer's."""

    worn: tuple[tuple[OfficerTime, Times], ...]
    assigned: Times

    @cached_property
    def nominal(self) -> OfficerTime:
        """By the cameras' clocks as they are."""
        return self.shifted(0)

    def shifted(self, by_us: int) -> OfficerTime:
        """What the officer's cameras did, had their clocks been so much later."""
        cut = [(done.shifted(by_us) if by_us else done, when) for done, when in self.worn]
        states: dict[DeviceState, Times] = {}
        taken: Times = NEVER
        for state in ABLE:
            found = union(*(both(done.states.get(state, NEVER), when) for done, when in cut))
            states[state] = without(found, taken)
            taken = union(taken, found)
        return OfficerTime(
            union(*(both(done.live, when) for done, when in cut)),
            union(*(both(done.evid, when) for done, when in cut)),
            union(*(both(done.failed, when) for done, when in cut)),
            union(*(both(done.muted, when) for done, when in cut)),
            states, self.assigned,
            tuple(
                Press(
                    press.start_us, press.end_us, both(press.evid, when),
                    press.stopped and bool(clip(when, press.end_us - 1, press.end_us)),
                )
                for done, when in cut
                for press in done.presses
                if both(times([(press.start_us, press.end_us)]), when)
            ),
            both(states[DeviceState.OFF], union(*(both(done.flat, when) for done, when in cut))),
        )  # fmt: skip

    def near(self, start_us: int, end_us: int) -> OfficerCameras:
        """Only what touches [start, end)."""
        worn = tuple((done.near(start_us, end_us), when) for done, when in self.worn)
        return OfficerCameras(worn, self.assigned)

    @property
    def proven(self) -> tuple[tuple[Times, Times], ...]:
        """Of each camera what it proves, and when it was the officer's."""
        return tuple((done.evid, when) for done, when in self.worn)

    @property
    def edges(self) -> set[int]:
        """Where anything that a camera did begins or ends."""
        return {edge for done, _ in self.worn for edge in done.edges}

    @property
    def bounds(self) -> tuple[Interval, ...]:
        """When each was the officer's."""
        return tuple(one for _, when in self.worn for one in when)


def officer_cameras(
    officer: str, assignments: Assignments, lines: Mapping[str, DeviceTimeline]
) -> OfficerCameras:
    """The cameras that were assigned to an officer; one that nobody has is UNKNOWN."""
    worn = assignments.of(officer)
    return OfficerCameras(
        tuple((_all_of(lines[device]), when) for device, when in worn.items() if device in lines),
        union(*worn.values()),
    )


def officer_time(
    officer: str, assignments: Assignments, lines: Mapping[str, DeviceTimeline]
) -> OfficerTime:
    """What the cameras that were assigned to an officer did, by their clocks as they are."""
    return officer_cameras(officer, assignments, lines).nominal


def _all_of(line: DeviceTimeline) -> OfficerTime:
    return OfficerTime(
        line.live, line.evid, line.failed, line.overlays.get(Overlay.MUTED, NEVER),
        {state: line.in_state(state) for state in DeviceState}, NEVER,
        tuple(Press(live.start_us, live.end_us, recording.evid,
                    recording.stop_cause is not ToggleCause.AUTO_ROLL)
              for recording in line.recordings for live in recording.live),
        times((s.start_us, s.end_us) for s in line.states
              if s.state is DeviceState.OFF and s.why == EMPTY_BATTERY),
    )  # fmt: skip


def err_us(
    officer: str, assignments: Assignments, lines: Mapping[str, DeviceTimeline], start_us: int,
    end_us: int,
) -> int:  # fmt: skip
    """The largest clock error among the officer's cameras that may touch [start, end)."""
    worn = [lines[device] for device in assignments.of(officer) if device in lines]
    return max((line.err_us(start_us, end_us) for line in worn), default=0)

"""An officer's time: that of each camera while it was assigned, together.

Where two cameras were assigned at once the officer's state is that of the one that could do more:
RECORDING, READY, BOOT, SLEEP, OFF, DOCKED, FAULT, UNKNOWN, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping

from .assignments import Assignments
from .intervals import NEVER, Times, both, times, union, without
from .scoring import OfficerTime, Press
from .states import DeviceState, Overlay
from .timeline import DeviceTimeline

ABLE = (
    DeviceState.RECORDING, DeviceState.READY, DeviceState.BOOT, DeviceState.SLEEP, DeviceState.OFF,
    DeviceState.DOCKED, DeviceState.FAULT, DeviceState.UNKNOWN,
)  # fmt: skip


def officer_time(
    officer: str, assignments: Assignments, lines: Mapping[str, DeviceTimeline]
) -> OfficerTime:
    """What the cameras that were assigned to an officer did; a camera that nobody has is UNKNOWN."""
    worn = assignments.of(officer)
    cut = [(lines[device], when) for device, when in worn.items() if device in lines]
    states: dict[DeviceState, Times] = {}
    taken: Times = NEVER
    for state in ABLE:
        found = union(*(both(line.in_state(state), when) for line, when in cut))
        states[state] = without(found, taken)
        taken = union(taken, found)
    return OfficerTime(
        union(*(both(line.live, when) for line, when in cut)),
        union(*(both(line.evid, when) for line, when in cut)),
        union(*(both(line.failed, when) for line, when in cut)),
        union(*(both(line.overlays.get(Overlay.MUTED, NEVER), when) for line, when in cut)),
        states, union(*worn.values()), _presses(cut),
    )  # fmt: skip


def _presses(cut: list[tuple[DeviceTimeline, Times]]) -> tuple[Press, ...]:
    return tuple(
        Press(live.start_us, live.end_us, both(recording.evid, when))
        for line, when in cut
        for recording in line.recordings
        for live in recording.live
        if both(times([live]), when)
    )


def err_us(
    officer: str, assignments: Assignments, lines: Mapping[str, DeviceTimeline], start_us: int,
    end_us: int,
) -> int:  # fmt: skip
    """The largest clock error among the officer's cameras that may touch [start, end)."""
    worn = [lines[device] for device in assignments.of(officer) if device in lines]
    return max((line.err_us(start_us, end_us) for line in worn), default=0)

"""The recordings that come of what officers do; times by the true clock.

LIVE is [press, stop); the pictures begin 30 s before the press, if the camera was ready then, and go on
for a tail of 30 s. A recording that failed verification has no proven pictures, and all of it is FAILED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .behaviours import Does
from .conduct import Conduct
from .plan import HOURS, Bools, Calls, Ints, Roster, S, code, seconds

PRE_US = TAIL_US = 30 * S
HOLE_US = 60 * S
SEGMENT_US = 600 * S
# Since the camera was switched on: the pictures begin so much later.
READY_US = 5 * S
_ALTERED = 0.0005
_KILLED = 0.05


@dataclass(frozen=True, slots=True)
class Footage:
    """Recordings in order of camera and press; `call` is the place of the incident, flat.

    A stalled one has no pictures for HOLE_US from `hole_us` on; a killed one ends with the camera, which
    boots at `again_us`.
    """

    device: Ints
    press_us: Ints
    stop_us: Ints
    call: Ints
    altered: Bools
    killed: Bools
    stalled: Bools
    hole_us: Ints
    again_us: Ints

    def __len__(self) -> int:
        return len(self.device)

    @property
    def last_us(self) -> Ints:
        """Where the pictures end: a camera that died has no tail."""
        return np.where(self.killed, self.stop_us, self.stop_us + TAIL_US)


def record(roster: Roster, calls: Calls, conduct: Conduct, rng: np.random.Generator) -> Footage:
    """Every press that led to a recording."""
    shape = calls.event.shape
    length = calls.cleared_us - calls.due_us
    does = conduct.does
    press = calls.due_us - seconds(rng, 2, 20, shape)
    stop = calls.cleared_us + seconds(rng, 0, 30, shape)
    half = calls.due_us + length // 2
    press = np.where(conduct.late_us > 0, calls.due_us + conduct.late_us, press)
    stop = np.where(np.isin(does, [code(Does.HANDED_OVER), code(Does.DIED)]), half, stop)
    # Policy allows the last 60 s.
    some_of_it = 2 * S + (rng.random(shape) * (length - 62.1 * S)).astype(np.int64)
    stop = np.where(does == code(Does.EARLY), calls.due_us + some_of_it, stop)
    off = does == code(Does.OFF_BEFORE_FORCE)
    stop = np.where(off, calls.force_us - seconds(rng, 30, 60, shape), stop)
    retro = does == code(Does.RETRO)
    press = np.where(retro, calls.cleared_us + seconds(rng, 5, 15, shape), press)
    stop = np.where(retro, press + seconds(rng, 40, 70, shape), stop)
    gap = does == code(Does.GAP)
    hole = calls.due_us + length // 3
    nothing = (Does.NEVER, Does.CONTROL, Does.WHOLE_SHIFT, Does.FAULT, Does.TOO_HOT, Does.MIXED,
               Does.DEAD, Does.DOCKED, Does.NO_DEVICE)  # fmt: skip
    some = ~np.isin(does, [code(d) for d in nothing])
    hour = roster.duty_us[:, :, None] + np.arange(HOURS) * 3600 * S
    beside = hour + 2700 * S + seconds(rng, 0, 300, shape)
    whole = np.zeros(shape, bool)
    whole[:, :, 0] = conduct.whole_shift
    parts = [
        (some, press, np.where(gap, hole, stop)),
        # The pictures go on for 30 s, and begin 30 s before the press.
        (some & gap, hole + seconds(rng, 62.1, 120, shape), stop),
        (conduct.short, beside, beside + seconds(rng, 10, 400, shape)),
        (whole, hour - 20 * S, hour + HOURS * 3600 * S - 60 * S),
    ]
    found = [_picked(*part) for part in parts]
    device, start, end, call = (np.concatenate(column) for column in zip(*found, strict=True))
    is_short = np.repeat(np.arange(len(parts)) == 2, [len(part[0]) for part in found])
    order = np.lexsort((start, device))
    device, start, end, call, is_short = (a[order] for a in (device, start, end, call, is_short))
    complete = does.ravel()[call] == code(Does.COMPLETE)
    # Where a colleague counts on it, nobody changes it.
    able = complete & ~is_short & ~calls.paired.ravel()[call]
    altered = able & (rng.random(len(device)) < _ALTERED)
    faulty = roster.of("faulty_camera")[device]
    died = (does.ravel()[call] == code(Does.DIED)) & ~is_short
    killed = died | (is_short & faulty & (rng.random(len(device)) < _KILLED))
    stalled = (does.ravel()[call] == code(Does.STALLED)) & ~is_short
    again = np.where(died, calls.cleared_us.ravel()[call], end) + 60 * S
    return Footage(device, start, end, call, altered, killed, stalled, hole.ravel()[call], again)


def _picked(there: Bools, start: Ints, end: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    call = np.flatnonzero(there)
    device = call // (there.shape[1] * there.shape[2])
    return device, start.ravel()[call], end.ravel()[call], call

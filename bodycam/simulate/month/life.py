"""The lives of the cameras: when each was switched on and how that ended, and in which state it was.

| ended by  | what follows                                                                      |
|-----------|-----------------------------------------------------------------------------------|
| the dock  | DOCKED, to the next boot                                                          |
| a switch  | OFF                                                                               |
| no power  | two heartbeats after the last line UNKNOWN, with what the battery told before      |

States are drawn as marks: each holds until the next one of its camera, so together they cover its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...audit.states import DeviceState, UnknownWhy
from .behaviours import Does
from .conduct import Conduct
from .footage import HOLE_US, READY_US, Footage
from .plan import HOUR_US, HOURS, Bools, Calls, Ints, Roster, S, Small, code, seconds

BEAT_US, SAMPLE_US = 10 * S, 60 * S
# The dock is told of at once, and the recorder ends two minutes later.
DOCK_US = 120 * S
STATES = tuple(DeviceState)
# What the recorder was told to end by.
STOPPED = "SIGTERM"
WHYS = ("", STOPPED, UnknownWhy.POWER_LOST.value, UnknownWhy.UNEXPLAINED.value, "camera", "heat")
DOCKED_BY, OFF_BY, LOST_BY = range(3)
Spans = tuple[Ints, Ints, Ints]


@dataclass(frozen=True, slots=True)
class Runs:
    """Each life of each recorder, in order; `last_us` is its last line, `by` how it ended."""

    device: Ints
    boot_us: Ints
    last_us: Ints
    by: Ints

    def at(self, device: Ints, at_us: Ints) -> Ints:
        """The run that had begun last."""
        found = np.searchsorted(key(self.device, self.boot_us), key(device, at_us), side="right")
        return found - 1


@dataclass(frozen=True, slots=True)
class States:
    """The states of each camera, in order."""

    device: Ints
    state: Ints
    start_us: Ints
    end_us: Ints
    why: Ints


@dataclass(frozen=True, slots=True)
class Life:
    """All that happens to the cameras; spans are (camera, start, end)."""

    runs: Runs
    states: States
    docked: Spans
    stalls: Spans
    hangs: Spans
    heats: Spans
    low: Spans


def key(device: Ints, at_us: Ints) -> Ints:
    """One number for a camera and a time: in order of both."""
    return (device << 52) + at_us


def live(
    roster: Roster, calls: Calls, conduct: Conduct, footage: Footage, rng: np.random.Generator
) -> Life:
    """Whatever the cameras go through."""
    does = conduct.does
    stalls, heats = (_stretches(roster, does == code(d)) for d in (Does.FAULT, Does.TOO_HOT))
    mixed = does == code(Does.MIXED)
    device, due = np.nonzero(mixed)[0], calls.due_us[mixed]
    length = calls.cleared_us[mixed] - due
    # It stalls for 30 % of the window, and hangs for 25 more.
    hangs = (device, due - 60 * S, due + length * 30 // 100)
    killed = footage.killed
    dead = footage.device[killed], footage.stop_us[killed], footage.again_us[killed]
    gone = joined((device, hangs[2], due + length * 55 // 100), dead)
    on_us, off_us, out = _days(roster, does, rng)
    device, day = np.nonzero((does == code(Does.DEAD)).any(axis=2))
    first = (does == code(Does.DEAD)).argmax(axis=2)[device, day]
    empty_us = roster.duty_us[device, day] + first * HOUR_US + 10 * S
    low_us = np.maximum(
        empty_us - seconds(rng, 300, 600, empty_us.shape), on_us[device, day] + 2 * READY_US
    )
    runs = _runs(roster, footage, (on_us, off_us, out), (device, day, empty_us), gone)
    low = (device, low_us, runs.last_us[runs.at(device, empty_us)])
    docks = runs.by == DOCKED_BY
    docked = (runs.device[docks], runs.last_us[docks] - DOCK_US, runs.last_us[docks])
    states = _states(runs, footage, docked, (stalls, hangs, heats), low)
    return Life(runs, states, docked, stalls, hangs, heats, low)


def _days(roster: Roster, does: Small, rng: np.random.Generator) -> tuple[Ints, Ints, Bools]:
    """When the camera is switched on and put back, by day, and whether it is taken out at all."""
    in_dock = (does == code(Does.DOCKED)).sum(axis=2)
    before, after = seconds(rng, 60, 300, in_dock.shape), seconds(rng, 0, 300, in_dock.shape)
    on_us = roster.duty_us + np.where(in_dock > 0, in_dock * HOUR_US - READY_US, -before)
    out = ~(does == code(Does.NO_DEVICE)).any(axis=2)
    return on_us, roster.duty_us + HOURS * HOUR_US + after, out


def _runs(
    roster: Roster, footage: Footage, days: tuple[Ints, Ints, Bools], empty: Spans, gone: Spans
) -> Runs:
    """`empty` is (camera, day, time) of the batteries that die, `gone` when nothing ran, and again did."""
    on_us, off_us, out = days
    between = roster.of("switches_off_between")
    whole = out & ~between[:, None]
    died = np.zeros(whole.shape, bool)
    died[empty[0], empty[1]] = True
    mine = between[footage.device]
    short = footage.device[mine]
    worn, back = np.nonzero(whole), np.nonzero(whole & ~died)
    boots = [
        (worn[0], on_us[worn]), (gone[0], gone[2]),
        # The power comes so late that little of the buffer is there.
        (short, footage.press_us[mine] - READY_US - 3 * S),
    ]  # fmt: skip
    ends = [
        (back[0], off_us[back] + DOCK_US), (empty[0], empty[2]), (gone[0], gone[1]),
        (short, footage.last_us[mine] + 10 * S),
    ]  # fmt: skip
    how = (DOCKED_BY, LOST_BY, LOST_BY, OFF_BY)
    by = np.repeat(how, [len(end[0]) for end in ends])
    (booted, boot), (ended, last) = _columns(boots), _columns(ends)
    first, then = np.lexsort((boot, booted)), np.lexsort((last, ended))
    boot, last, by = boot[first], last[then], by[then]
    # The last line of one that lost its power is a heartbeat.
    last = np.where(by == LOST_BY, boot + (last - boot) // BEAT_US * BEAT_US, last)
    return Runs(booted[first], boot, last, by)


def _states(
    runs: Runs, footage: Footage, docked: Spans, faults: tuple[Spans, Spans, Spans], low: Spans
) -> States:
    lost, off, docks = (runs.by == by for by in (LOST_BY, OFF_BY, DOCKED_BY))
    flat = np.isin(key(runs.device, runs.last_us), key(low[0], low[2]))
    tailed, mark = ~footage.killed, DeviceState
    hole, hole_us = footage.device[footage.stalled], footage.hole_us[footage.stalled]
    stalls, hangs, heats = faults
    marks = [
        (mark.BOOT, "", runs.device, runs.boot_us),
        (mark.READY, "", runs.device, runs.boot_us + READY_US),
        (mark.RECORDING, "", footage.device, footage.press_us),
        (mark.READY, "", footage.device[tailed], footage.last_us[tailed]),
        (mark.FAULT, "camera", stalls[0], stalls[1]), (mark.READY, "", stalls[0], stalls[2]),
        (mark.FAULT, "camera", hangs[0], hangs[1]),
        (mark.FAULT, "camera", hole, hole_us), (mark.RECORDING, "", hole, hole_us + HOLE_US),
        (mark.FAULT, "heat", heats[0], heats[1]), (mark.READY, "", heats[0], heats[2]),
        (mark.DOCKED, "", docked[0], docked[1]),
        (mark.DOCKED, STOPPED, runs.device[docks], runs.last_us[docks]),
        (mark.OFF, STOPPED, runs.device[off], runs.last_us[off]),
        *(
            (mark.UNKNOWN, why.value, runs.device[which], runs.last_us[which] + 2 * BEAT_US)
            for why, which in (
                (UnknownWhy.POWER_LOST, lost & flat), (UnknownWhy.UNEXPLAINED, lost & ~flat),
            )
        ),
    ]  # fmt: skip
    sizes = [len(m[2]) for m in marks]
    state = np.repeat([STATES.index(m[0]) for m in marks], sizes)
    why = np.repeat([WHYS.index(m[1]) for m in marks], sizes)
    device, start = _columns([(m[2], m[3]) for m in marks])
    order = np.lexsort((start, device))
    device, start, state, why = device[order], start[order], state[order], why[order]
    # Behind its last line nobody knows of a camera; two heartbeats of it are still believed.
    last = runs.at(device, np.full(len(device), 1 << 51))
    ends = np.where(runs.by == LOST_BY, runs.last_us + 2 * BEAT_US, runs.last_us)[last]
    following = np.append(np.where(device[1:] == device[:-1], start[1:], ends[:-1]), ends[-1:])
    end = np.minimum(following, ends)
    kept = start < end
    return States(device[kept], state[kept], start[kept], end[kept], why[kept])


def _stretches(roster: Roster, there: Bools) -> Spans:
    """Hours of one day that follow each other, as one stretch a little within them."""
    padded = np.zeros((*there.shape[:2], HOURS + 2), np.int8)
    padded[:, :, 1:-1] = there
    step = np.diff(padded, axis=2)
    device, day, first = np.nonzero(step == 1)
    after = np.nonzero(step == -1)[2]
    duty = roster.duty_us[device, day]
    return device, duty + first * HOUR_US + 10 * S, duty + after * HOUR_US - 10 * S


def joined(one: Spans, two: Spans) -> Spans:
    """Both of them."""
    device, start, end = (np.concatenate(pair) for pair in zip(one, two, strict=True))
    return device, start, end


def _columns(parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

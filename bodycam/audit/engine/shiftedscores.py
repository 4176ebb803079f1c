"""What `uncertainty` says of an incident with one stretch of wearing, for many incidents at once.

The same shifts are looked at, and between two the same halving; but all of them together, as arrays. With
one camera worn once, all that it did moves together under [worn_from, worn_to), so every number of
`scoring` at a shift d is one of the sets within [worn_from - d, worn_to - d).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..incidents import Window
from ..intervals import NEVER, Interval, Times, both, union, without
from ..officers import ABLE
from ..policy import IncidentRules
from ..scoring import IncidentClass, OfficerTime, S
from ..states import DeviceState
from ..uncertainty import NUMBERS, Peers

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
# Further than any time, and yet no sum of two of them leaves 64 bits.
_FAR = 1 << 61
_ALWAYS: Times = (Interval(-_FAR, _FAR),)
NONE = -(1 << 63)
_MOST_CELLS = 4_000_000
_CODE = {kind: number for number, kind in enumerate(IncidentClass)}
_OTHER = 15
_UNABLE = (
    IncidentClass.UNKNOWN, IncidentClass.FAULT, IncidentClass.DOCKED, IncidentClass.NO_DEVICE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One incident: its window, what the camera did near it, when it was worn, what peers prove."""

    window: Window
    err_us: int
    worn_from: int
    worn_to: int
    done: OfficerTime
    peers: Peers


@dataclass(frozen=True, slots=True)
class Found:
    """Of each case the classes, and (least, greatest) of each number in order; NONE: nothing there."""

    kinds: list[tuple[IncidentClass, ...]]
    least: Ints
    most: Ints


def shifted_scores(cases: Sequence[Case], rules: IncidentRules) -> Found:
    """The classes and numbers over every shift within each case's error."""
    points = [_points(case, rules) for case in cases]
    sets = _Sets(cases, rules)
    kinds = np.zeros(len(cases), np.int64)
    least = np.full((len(cases), len(NUMBERS)), np.iinfo(np.int64).max)
    most = np.full((len(cases), len(NUMBERS)), NONE)

    def look(case: Ints, by_us: Ints) -> Ints:
        codes = np.empty(len(case), np.int64)
        step = max(1, _MOST_CELLS // sets.width)
        for first in range(0, len(case), step):
            part = slice(first, first + step)
            at, numbers, told = sets.at(case[part], by_us[part])
            codes[part] = at
            np.bitwise_or.at(kinds, case[part], told)
            np.minimum.at(least, case[part], numbers)
            np.maximum.at(most, case[part], numbers)
        return codes

    case = np.repeat(np.arange(len(cases)), [len(one) for one in points])
    by_us = np.concatenate(points) if points else np.zeros(0, np.int64)
    codes = look(case, by_us)
    pair = case[1:] == case[:-1]
    one, two, of = by_us[:-1][pair], by_us[1:][pair], case[1:][pair]
    left, right = codes[:-1][pair], codes[1:][pair]
    while len(one):
        open_ = (two - one > 1) & (left != right)
        one, two, of, left, right = (a[open_] for a in (one, two, of, left, right))
        middle = (one + two) // 2
        codes = look(of, middle)
        one, two = np.concatenate([one, middle]), np.concatenate([middle, two])
        left, right = np.concatenate([left, codes]), np.concatenate([codes, right])
        of = np.concatenate([of, of])
    named = [tuple(k for k in IncidentClass if bits >> _CODE[k] & 1) for bits in kinds.tolist()]
    return Found(named, least, most)


def _points(case: Case, rules: IncidentRules) -> Ints:
    """The shifts at which an edge meets a threshold, as `uncertainty` has them, and their neighbours."""
    due, end, err_us = case.window.due_us, case.window.end_us, case.err_us
    on, off = (rules.grace_on_s * S, rules.grace_off_s * S)
    act, gap = (rules.activated_min_s * S, rules.gap_min_s * S)
    bounds = np.array([
        due, due + on, due + act, due + gap, end, end - off, end - act, end - gap, case.worn_from,
        case.worn_to,
    ])  # fmt: skip
    edges = np.array(sorted(case.done.edges), np.int64)
    meet = (bounds[:, None] - edges[None, :]).ravel()
    every = np.concatenate([meet - 1, meet, meet + 1, [-err_us, 0, err_us]])
    return np.unique(every[(every >= -err_us) & (every <= err_us)])


def _taken_over(case: Case, proven: Times, rules: IncidentRules) -> int:
    """The moment from which on these prove all to the grace before the end."""
    last = case.window.end_us - rules.grace_off_s * S
    return next((a for a, b in proven if a < last <= b), last)


class _Sets:
    """The sets of all cases, each as two arrays, a row a case."""

    def __init__(self, cases: Sequence[Case], rules: IncidentRules) -> None:
        self._rules = rules
        done = [case.done for case in cases]
        states = [_by_ability(one.states) for one in done]
        self._live = _padded([one.live for one in done])
        self._evid = _padded([one.evid for one in done])
        self._failed = _padded([without(one.failed, one.evid) for one in done])
        held = [union(one.evid, one.failed) for one in done]
        self._held = _padded(held)
        self._open = _padded([without(_ALWAYS, one) for one in held])
        self._muted = _padded([both(one.muted, one.live) for one in done])
        self._told = _padded([union(*one.values()) for one in states])
        self._states = [
            _padded([one[state] for one in states])
            for state in (DeviceState.UNKNOWN, DeviceState.FAULT, DeviceState.DOCKED)
        ]
        self.width = max(starts.shape[1] for starts, _ in (self._told, self._open, self._live))
        self._due = np.array([case.window.due_us for case in cases])
        self._end = np.array([case.window.end_us for case in cases])
        self._from = np.array([case.worn_from for case in cases])
        self._to = np.array([case.worn_to for case in cases])
        peers = [(c.peers.proven, c.peers.surely, c.peers.possibly) for c in cases]
        self._over = np.array([
            [_taken_over(case, one, rules) for one in told]
            for case, told in zip(cases, peers, strict=True)
        ]).reshape(-1, 3)  # fmt: skip
        self._differ = np.array([c.peers.surely != c.peers.possibly for c in cases], np.bool_)

    def at(self, of: Ints, by_us: Ints) -> tuple[Ints, Ints, Ints]:
        """At these shifts of these cases: one code for the classes, the numbers, the classes as bits."""
        rules, low, high = self._rules, self._from[of] - by_us, self._to[of] - by_us
        due, end = self._due[of], self._end[of]
        window_us = end - due

        def length(which: tuple[Ints, Ints]) -> Ints:
            starts, ends = _cut(which, of, low, high)
            return np.asarray((ends - starts).sum(axis=1))

        live_start, live_end = _cut(self._live, of, low, high)
        there = live_end > live_start
        first = np.where(there, live_start, _FAR).min(axis=1)
        last = np.where(there, live_end, -_FAR).max(axis=1)
        any_live = there.any(axis=1)
        held_start, held_end = _cut(self._held, of, low, high)
        in_held = held_end > held_start
        any_held = in_held.any(axis=1)
        held = np.where(in_held, held_start, _FAR).min(axis=1)
        evid_delay = np.where(any_held, held + by_us - due, NONE)
        press_delay = np.where(any_live, first + by_us - due, NONE)
        tail = np.where(any_live, end - last - by_us, NONE)
        bounds = (np.where(any_live, first, 0), np.where(any_live, last, 0))
        starts, ends = _cut(self._open, of, *bounds)
        holes = ends - starts
        holes = np.where(holes >= rules.gap_min_s * S, holes, 0)
        live_us, evid_us, muted_us = (
            (live_end - live_start).sum(axis=1),
            length(self._evid),
            length(self._muted),
        )
        longest = holes.max(axis=1)
        numbers = np.stack([
            live_us, evid_us, window_us - evid_us, length(self._failed), evid_delay, press_delay, tail,
            holes.sum(axis=1), longest, muted_us,
        ], axis=1)  # fmt: skip
        short = any_live & (tail > rules.grace_off_s * S)
        moment = last + by_us
        late = any_held & (evid_delay > rules.grace_on_s * S)
        activated = live_us >= rules.activated_min_s * S
        excuse = self._excuse(of, low, high, window_us)
        classes = []
        for column in range(3):
            early = short & (moment < self._over[of, column])
            recorded = np.select(
                [late, longest > 0, early, muted_us > 0],
                [_CODE[k] for k in (IncidentClass.LATE, IncidentClass.GAP, IncidentClass.EARLY,
                                    IncidentClass.MUTED)],
                _CODE[IncidentClass.COMPLETE],
            )  # fmt: skip
            classes.append(np.where(activated, recorded, excuse))
        several = short & self._differ[of]
        one, *others = classes
        bits = 1 << one
        code = one.copy()
        for place, other in enumerate(others, 1):
            bits = bits | np.where(several, 1 << other, 0)
            code += np.where(several, other, _OTHER) << (4 * place)
        return code, numbers, bits

    def _excuse(self, of: Ints, low: Ints, high: Ints, window_us: Ints) -> Ints:
        """The class of what was not recorded."""
        worn_us = high - low
        unknown, fault, docked, told = (
            np.subtract(*_cut(which, of, low, high)[::-1]).sum(axis=1)
            for which in (*self._states, self._told)
        )
        unable = np.stack([unknown + worn_us - told, fault, docked, window_us - worn_us], axis=1)
        codes = np.array([_CODE[kind] for kind in _UNABLE])
        # Of equal ones argmax takes the first.
        most = codes[unable.argmax(axis=1)]
        return np.where(2 * unable.sum(axis=1) >= window_us, most, _CODE[IncidentClass.NEVER])


def _by_ability(told: Mapping[DeviceState, Times]) -> dict[DeviceState, Times]:
    """Where two lives of the recorder claim one moment, the state that could do more."""
    states: dict[DeviceState, Times] = {}
    taken: Times = NEVER
    for state in ABLE:
        states[state] = without(told[state], taken)
        taken = union(taken, told[state])
    return states


def _padded(sets: Sequence[Times]) -> tuple[Ints, Ints]:
    """Starts and ends, a row a set; what fills a row up is empty wherever it is cut."""
    width = max((len(one) for one in sets), default=0) or 1
    starts, ends = (np.full((len(sets), width), _FAR) for _ in range(2))
    for row, one in enumerate(sets):
        for column, (start, end) in enumerate(one):
            starts[row, column], ends[row, column] = start, end
    return starts, ends


def _cut(which: tuple[Ints, Ints], of: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    starts, ends = which
    return (
        np.clip(starts[of], low[:, None], high[:, None]), np.clip(ends[of], low[:, None], high[:, None])
    )  # fmt: skip

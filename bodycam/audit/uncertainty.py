"""Scores of an incident over all that the cameras' clocks may have been.

A camera's times are off by at most its clock's error, all of one boot alike. So the cameras' sets of
time are shifted against the window, and against when the cameras were assigned, by every d in [-e, +e], e
the largest error of the boots that may touch the window; each number becomes the pair of its least and its
greatest value, the class the set of classes that occur. The clocks of the other officers' cameras are off
by themselves: whether they took over is asked of what they prove surely, and of what they prove possibly. Between two shifts at which an edge meets a threshold every number is linear:
looking at those, and a microsecond to either side, is looking at all. What is proven surely is each of their
pieces less its error at either end, possibly that and the error more, both within when the camera was its
officer's: whatever each of their clocks was, what it proves is no less and no more. Between two such shifts
each class holds on one stretch at most, for it asks only linear numbers whether they are at least others:
so halving between two that differ finds every class.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from .incidents import Window
from .intervals import NEVER, Interval, Times, both, clip, grown, length_us, union, without
from .policy import IncidentRules
from .scoring import IncidentClass, OfficerTime, S, Score, score

NUMBERS: dict[str, Callable[[Score], int | None]] = {
    "live_us": lambda s: s.live_us, "evid_us": lambda s: s.evid_us,
    "missing_us": lambda s: s.missing_us, "failed_us": lambda s: s.failed_us,
    "evid_delay_us": lambda s: s.evid_delay_us, "press_delay_us": lambda s: s.press_delay_us,
    "tail_us": lambda s: s.tail_us, "gap_us": lambda s: s.gap_us,
    "longest_gap_us": lambda s: s.longest_gap_us, "muted_us": lambda s: s.muted_us,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """The score by the clocks as they are, and what it may be; pairs are (least, greatest)."""

    nominal: Score
    err_us: int
    kinds: tuple[IncidentClass, ...]
    numbers: dict[str, tuple[int | None, int | None]]

    @property
    def certain(self) -> bool:
        return len(self.kinds) == 1


class Shiftable(Protocol):
    """What cameras did: one officer's time, or each camera with when it was worn."""

    @property
    def nominal(self) -> OfficerTime: ...
    @property
    def edges(self) -> set[int]: ...
    @property
    def bounds(self) -> tuple[Interval, ...]: ...
    def shifted(self, by_us: int) -> OfficerTime: ...
    def near(self, start_us: int, end_us: int) -> Shiftable: ...


@dataclass(frozen=True, slots=True)
class Peers:
    """What the other officers' cameras prove of an event: by their clocks, surely, and possibly."""

    proven: Times = NEVER
    surely: Times = NEVER
    possibly: Times = NEVER


def peers_prove(cameras: Iterable[tuple[Times, Times, int]], window: Window) -> Peers:
    """Of each camera what it proves, when it was its officer's, and how far its clock may be off."""
    told = list(cameras)
    due, end = window.due_us, window.end_us
    return Peers(*(
        clip(union(*(both(grown(found, sign * err_us), worn) for found, worn, err_us in told)), due, end)
        for sign in (0, -1, 1)
    ))  # fmt: skip


def shortfall_range(
    window: Window, officer: Shiftable, err_us: int, peers: Peers
) -> tuple[int, int]:
    """(least, greatest) of M29. The least is of what the others prove surely, the greatest of what they prove
    possibly; between two shifts at which edges meet all is linear.
    """
    near = officer.near(window.due_us - err_us, window.end_us + err_us)
    bounds = {
        at for found in (peers.surely, peers.possibly, near.bounds) for one in found for at in one
    }
    meet = {bound - edge for bound in bounds for edge in near.edges} if peers.possibly else set()
    shifts = {-err_us, 0, err_us, *(by_us for by_us in meet if -err_us <= by_us <= err_us)}
    own = [near.shifted(by_us).evid for by_us in shifts]
    return (
        min(length_us(without(peers.surely, evid)) for evid in own),
        max(length_us(without(peers.possibly, evid)) for evid in own),
    )


def score_range(
    window: Window, officer: Shiftable, err_us: int, rules: IncidentRules, *,
    dispatched_us: int | None = None, peers: Peers = Peers(),
) -> ScoreRange:  # fmt: skip
    """Score one window for every shift of the cameras' clocks within their error."""
    near = officer.near(window.due_us - err_us - S, window.end_us + err_us + S)

    def scores(mine: OfficerTime) -> tuple[Score, ...]:
        told = score(window, mine, rules, dispatched_us=dispatched_us, peers=peers.proven)
        if not (told.early or told.handed_over) or peers.surely == peers.possibly:
            return (told,)
        return told, *(
            score(window, mine, rules, dispatched_us=dispatched_us, peers=proven)
            for proven in (peers.surely, peers.possibly)
        )

    @cache
    def at(by_us: int) -> tuple[Score, ...]:
        return scores(near.shifted(by_us))

    seen = list(scores(officer.nominal))
    whole = seen[0]
    if err_us:
        points = sorted({-err_us, 0, err_us, *_breaks(window, near, err_us, rules)})
        for one, two in itertools.pairwise(points):
            seen += (*at(one), *at(two), *_between(at, one, two))
    kinds = {s.kind for s in seen}
    return ScoreRange(
        whole, err_us, tuple(k for k in IncidentClass if k in kinds),
        {name: _pair(value(s) for s in seen) for name, value in NUMBERS.items()},
    )  # fmt: skip


def _between(at: Callable[[int], tuple[Score, ...]], one: int, two: int) -> Iterator[Score]:
    """The scores wherever the class changes between two neighbouring points."""
    if two - one > 1 and _kinds(at(one)) != _kinds(at(two)):
        middle = (one + two) // 2
        yield from at(middle)
        yield from _between(at, one, middle)
        yield from _between(at, middle, two)


def _kinds(scores: tuple[Score, ...]) -> list[IncidentClass]:
    return [one.kind for one in scores]


def _breaks(window: Window, officer: Shiftable, err_us: int, rules: IncidentRules) -> Iterator[int]:
    due, end = window.due_us, window.end_us
    thresholds = {
        due, due + rules.grace_on_s * S, due + rules.activated_min_s * S, due + rules.gap_min_s * S,
        end, end - rules.grace_off_s * S, end - rules.activated_min_s * S, end - rules.gap_min_s * S,
    }  # fmt: skip
    # Where a camera was assigned only for a part: its states are cut there, and what they sum up to bends.
    thresholds |= {at for cut in officer.bounds for at in cut if due <= at <= end}
    for edge in officer.edges:
        for threshold in thresholds:
            for by_us in (threshold - edge - 1, threshold - edge, threshold - edge + 1):
                if -err_us <= by_us <= err_us:
                    yield by_us


def _pair(values: Iterable[int | None]) -> tuple[int | None, int | None]:
    """Least and greatest; None is said of both if it may be that there is nothing to measure."""
    known = list(values)
    there = [value for value in known if value is not None]
    if not there:
        return (None, None)
    return (None if None in known else min(there), max(there))

"""Who is on duty and what they are sent to: drawn before anybody does anything.

Officers come in pairs, and pairs in units of one district and shift. A duty is ten hours, and in each hour
there is one incident.
Of an event with two officers the second comes a minute or more after the first, and leaves before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .behaviours import KINDS, Behaviours, Does

S = 1_000_000
HOUR_US = 3600 * S
DAY_US = 24 * HOUR_US
HOURS = 10
# 2026-06-01T00:00:00Z.
BEGIN_US = 1_780_272_000 * S
ARMS = ("", "treatment", "control")
SITES = ("high", "discretion", "none", "contaminated")
CALL_TYPES = ("traffic", "theft", "disturbance", "domestic")
DISTRICTS = ("north", "east", "south", "west")
UNIT_OFFICERS = 32
# Of each call type: how often it comes, how much oftener than on average NEVER is, and an outcome. Their
# means over all calls are 1, and both rise together: whoever does not compare like with like is deceived.
_OFTEN = np.array([0.4, 0.3, 0.2, 0.1])
_NEVER_TIMES = np.array([0.8, 1.0, 1.2, 1.4])
_OUTCOME_TIMES = np.array([0.25, 0.75, 1.75, 3.25])
# Of complaints so many name an officer.
_NAMED = 0.7
_SHIFT_H = np.array([6, 14, 22])
_GOLDEN = 0.618_033_988_749_894_9
# Of those who leave it to each other, or whose camera tells another time, nobody is the second.
_ALONE = (
    "switches_off_between",
    "wrong_clock",
    "faulty_camera",
    "flat_battery",
    "too_hot",
    "trial",
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Small = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Roster:
    """The officers from number `first` on, a camera each; arrays are by officer, or officer and day."""

    first: int
    kind: Small
    district: Ints
    unit: Ints
    site: Ints
    pool: Bools
    never: Floats
    duty_us: Ints
    arm: Small

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def days(self) -> int:
        return int(self.duty_us.shape[1])

    def of(self, *kinds: str) -> Bools:
        """Which officers are of these kinds."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in kinds])


@dataclass(frozen=True, slots=True)
class Calls:
    """Incidents; arrays are by officer, day and hour. `second` came to another one's event. A complaint
    that is not `named` says of no officer that it is of that one: it is of all who were there.
    """

    event: Ints
    dispatched_us: Ints
    due_us: Ints
    cleared_us: Ints
    call_type: Small
    paired: Bools
    second: Bools
    force: Bools
    complaint: Bools
    named: Bools
    force_us: Ints
    self_initiated: Bools
    on_scene_known: Bools
    cleared_known: Bools

    @property
    def outcome(self) -> Bools:
        return self.force | self.complaint

    def never_times(self) -> Floats:
        return _NEVER_TIMES[self.call_type]


def draw_roster(
    first: int, count: int, days: int, given: Behaviours, rng: np.random.Generator
) -> Roster:
    """So many officers from an even number on."""
    number = np.arange(first, first + count)
    kind, unit = _kinds(number, given), number // UNIT_OFFICERS
    trial = kind == KINDS.index("trial")
    before = int((_kinds(np.arange(first), given) == KINDS.index("trial")).sum())
    site = np.where(trial, (before + np.cumsum(trial)) % len(SITES), -1)
    shift = unit % len(_SHIFT_H)
    day = BEGIN_US + np.arange(days) * DAY_US
    arm = np.where(trial[:, None], rng.integers(1, 3, (count, days)), 0).astype(np.int8)
    mean, spread = given.ordinary.never, given.ordinary.spread
    never = np.full(count, mean)
    if mean and spread:
        rest = (1 - spread) / spread
        never = rng.beta(mean * rest, (1 - mean) * rest, count)
    # Whoever always records, and some others, have no camera of their own.
    pool = (number % 10 == 3) | (kind == KINDS.index("always"))
    return Roster(
        first, kind, unit // len(_SHIFT_H) % len(DISTRICTS), unit, site, pool, never,
        day[None, :] + _SHIFT_H[shift][:, None] * HOUR_US, arm,
    )  # fmt: skip


def _kinds(number: Ints, given: Behaviours) -> Small:
    """Equally spread, so that a small force has its share of each kind, too."""
    shares = np.cumsum([getattr(given.officers, kind) for kind in KINDS[1:]])
    place = np.searchsorted(shares, (number + 0.5) * _GOLDEN % 1, side="right")
    return np.where(place < len(shares), place + 1, 0).astype(np.int8)


def draw_calls(roster: Roster, given: Behaviours, rng: np.random.Generator) -> Calls:
    """An incident for each hour of duty of each officer."""
    shape = (len(roster), roster.days, HOURS)
    told = given.incidents
    hour = roster.duty_us[:, :, None] + np.arange(HOURS) * HOUR_US
    dispatched = hour + seconds(rng, 30, 300, shape)
    due = dispatched + seconds(rng, 120, 600, shape)
    number = (roster.first * roster.days * HOURS + np.arange(hour.size)).reshape(shape)
    call_type = rng.choice(len(CALL_TYPES), shape, p=_OFTEN).astype(np.int8)
    paired, second = _pairs(roster, told.two_officers, rng)
    cleared = due + np.where(paired, seconds(rng, 900, 1500, shape), seconds(rng, 600, 1500, shape))
    other = _other(np.arange(len(roster)))
    lag = seconds(rng, 60, 180, shape)
    number, call_type = (np.where(second, a[other], a) for a in (number, call_type))
    dispatched, due = (np.where(second, a[other] + lag, a) for a in (dispatched, due))
    cleared = np.where(second, due + seconds(rng, 200, 400, shape), cleared)
    often = _OUTCOME_TIMES[call_type] * ~second
    force = rng.random(shape) < told.force * often
    complaint = rng.random(shape) < told.complaint * often
    named = rng.random(shape) < _NAMED
    complaint |= second & (complaint & ~named)[other]
    force_us = due + ((cleared - due) * rng.uniform(0.5, 0.7, shape)).astype(np.int64)
    alone = rng.random(shape) < told.self_initiated
    known = rng.random((2, *shape)) >= np.array(
        [told.on_scene_unknown, told.cleared_unknown]
    ).reshape(2, 1, 1, 1)
    return Calls(
        number, dispatched, due, cleared, call_type, paired, second, force, complaint, named, force_us,
        alone & ~paired, known[0], known[1],
    )  # fmt: skip


def _pairs(roster: Roster, share: float, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """Which incidents are of both officers of a pair, and whose of the two is the second's."""
    count = len(roster)
    other = _other(np.arange(count))
    able = ~roster.of(*_ALONE) & (other != np.arange(count))
    able &= able[other]
    half = (-(-count // 2), roster.days, HOURS)
    # An officer's incident is one of two officers' with that chance.
    met = np.repeat(rng.random(half) < share, 2, axis=0)[:count] & able[:, None, None]
    odd = np.repeat(rng.random(half) < 0.5, 2, axis=0)[:count]
    is_odd = (np.arange(count) % 2 == 1)[:, None, None]
    return met, met & (odd == is_odd)


def _other(number: Ints) -> Ints:
    """The other one of a pair; the last of an odd number is alone with itself."""
    found: Ints = np.minimum(number ^ 1, len(number) - 1)
    return found


def seconds(
    rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]
) -> Ints:  # fmt: skip
    """Random times, in microseconds."""
    return (rng.uniform(low, high, shape) * S).astype(np.int64)


def code(does: Does) -> int:
    """Its place in arrays."""
    return list(Does).index(does)

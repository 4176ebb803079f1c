"""What becomes of each incident: what the officer does, or what the camera does to the officer.

A camera's trouble comes first, for whole hours, so that nobody acts in an hour in which the camera could
not. Then the officer's kind decides; an ordinary one's conduct is drawn, and more of it is missing after
an outcome, by exactly the risk difference that is planted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .behaviours import Behaviours, Does, Trial
from .plan import HOURS, SITES, Bools, Calls, Ints, Roster, Small, code, seconds

# The call type at which some never press.
_NOT_AT = 2
_OFTEN = 2 / 3
_LATE_HOURS = 3


@dataclass(frozen=True, slots=True)
class Conduct:
    """By officer, day and hour: what was done, and by how much too late the press came."""

    does: Small
    late_us: Ints
    whole_shift: Bools
    short: Bools


def draw_conduct(
    roster: Roster, calls: Calls, given: Behaviours, rng: np.random.Generator
) -> Conduct:
    """What everybody does."""
    shape = calls.event.shape
    does = np.full(shape, code(Does.COMPLETE), np.int8)
    _ordinary(does, roster, calls, given, rng)
    _kinds(does, roster, calls, rng)
    trial = roster.of("trial")
    whole = _trial(does, roster, given.trial, rng)
    _troubles(does, roster, rng)
    _hand_over(does, calls, rng)
    late = does == code(Does.LATE)
    saved = does == code(Does.SAVED)
    # Policy allows 15 s, and the buffer of 30 has what came before the press.
    late_us = np.where(late, seconds(rng, 45.1, 160, shape), 0)
    late_us = np.where(saved, seconds(rng, 15.1, 44.9, shape), late_us)
    # Nothing beside where a trial counts seconds, and in no hour in which the camera could not.
    able = ~np.isin(does, [code(d) for d in NOT_ABLE])
    beside = rng.random(shape) < given.incidents.short_recordings
    quiet = trial | roster.of("switches_off_between")
    return Conduct(does, late_us, whole, beside & able & ~quiet[:, None, None])


NOT_ABLE = (Does.FAULT, Does.TOO_HOT, Does.MIXED, Does.DEAD, Does.DOCKED, Does.NO_DEVICE)


def _ordinary(
    does: Small, roster: Roster, calls: Calls, given: Behaviours, rng: np.random.Generator
) -> None:
    told, more = given.ordinary, given.outcome
    mine = roster.of("ordinary")[:, None, None]
    # The highest of the officers' own chances leaves room for the other rates.
    most = 1 - told.late - told.early - told.gap - told.muted - told.saved
    never = np.minimum(roster.never[:, None, None] * calls.never_times(), most)
    left = rng.random(does.shape)
    for what, rate in (
        (Does.NEVER, never), (Does.LATE, told.late), (Does.EARLY, told.early), (Does.GAP, told.gap),
        (Does.MUTED, told.muted), (Does.SAVED, told.saved),
    ):  # fmt: skip
        does[mine & (left >= 0) & (left < rate)] = code(what)
        left = left - rate
    retro = (does == code(Does.NEVER)) & (rng.random(does.shape) < 0.2)
    does[mine & retro] = code(Does.RETRO)
    # A colleague would have recorded the rest: the second one is late instead.
    does[mine & calls.second & (does == code(Does.EARLY))] = code(Does.LATE)
    if not more.not_complete:
        return
    missing = never + told.late + told.early + told.gap + told.muted
    whole = np.isin(does, [code(Does.COMPLETE), code(Does.SAVED)])
    extra = rng.random(does.shape) * np.maximum(1 - missing, 1e-9) < more.not_complete
    extra &= mine & whole & calls.outcome
    less = np.where(calls.second, code(Does.LATE), code(Does.EARLY))
    does[extra] = np.where(calls.force, code(Does.OFF_BEFORE_FORCE), less)[extra]
    does[extra & (rng.random(does.shape) < more.never / more.not_complete)] = code(Does.NEVER)


def _kinds(does: Small, roster: Roster, calls: Calls, rng: np.random.Generator) -> None:
    often = rng.random(does.shape) < _OFTEN
    for kind, when, what in (
        ("late", often, Does.LATE),
        ("early", often & ~calls.second, Does.EARLY),
        ("never_on_some_calls", calls.call_type == _NOT_AT, Does.NEVER),
        ("off_before_force", calls.force, Does.OFF_BEFORE_FORCE),
        ("mutes", often, Does.MUTED),
        ("leaves_it_to_colleagues", calls.paired, Does.NEVER),
    ):
        does[roster.of(kind)[:, None, None] & when] = code(what)


def _trial(does: Small, roster: Roster, told: Trial, rng: np.random.Generator) -> Bools:
    """(officer, day): the shifts that are recorded as a whole."""
    treatment, control = roster.arm == 1, roster.arm == 2
    site = roster.site[:, None]
    throughout = np.isin(site, [SITES.index("high"), SITES.index("contaminated")])
    silent = np.isin(site, [SITES.index("high"), SITES.index("discretion")])
    keeps = np.where(treatment, throughout, silent)
    kept = rng.random(keeps.shape) < np.where(keeps, told.kept, told.kept_elsewhere)
    whole: Bools = treatment & kept
    at_will = (treatment | control) & ~kept
    does[whole] = code(Does.WHOLE_SHIFT)
    does[control & kept] = code(Does.CONTROL)
    does[at_will[:, :, None] & (rng.random(does.shape) < 0.5)] = code(Does.NEVER)
    return whole


def _hand_over(does: Small, calls: Calls, rng: np.random.Generator) -> None:
    """The second one leaves the rest to the first, who records all of it."""
    count = len(does)
    first = does[np.minimum(np.arange(count) ^ 1, count - 1)]
    whole = code(Does.COMPLETE)
    able = calls.second & (does == whole) & (first == whole)
    does[able & (rng.random(does.shape) < 0.3)] = code(Does.HANDED_OVER)


def _troubles(does: Small, roster: Roster, rng: np.random.Generator) -> None:
    """Whole hours in which the camera could not."""
    days = (len(roster), roster.days)
    hour = np.arange(HOURS)
    begin, length = rng.integers(0, HOURS, days), rng.integers(1, 4, days)
    met = rng.random(days) < 0.5
    stretch = (hour >= begin[:, :, None]) & (hour < (begin + length)[:, :, None])
    one, after = hour == begin[:, :, None], hour >= begin[:, :, None]
    hung = rng.random(days) < 0.3
    for kind, when, which, what in (
        ("faulty_camera", met & ~hung, stretch, Does.FAULT),
        ("faulty_camera", met & hung, one, Does.MIXED),
        ("too_hot", met, stretch, Does.TOO_HOT),
        ("flat_battery", met, after, Does.DEAD),
    ):
        does[roster.of(kind)[:, None, None] & when[:, :, None] & which] = code(what)
    whole = roster.of("faulty_camera")[:, None, None] & (does == code(Does.COMPLETE))
    chance = rng.random(does.shape)
    does[whole & (chance < 0.05)] = code(Does.STALLED)
    does[whole & (chance > 0.97)] = code(Does.DIED)
    # Before its first line nobody knows that a camera stands in the dock.
    does[roster.of("late_out_of_the_dock"), 1:, :_LATE_HOURS] = code(Does.DOCKED)
    absent = roster.of("always")[:, None] & (rng.random(days) < 0.1)
    does[absent] = code(Does.NO_DEVICE)

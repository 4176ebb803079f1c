"""All shifts of many incidents at once say what they say of each alone."""

from __future__ import annotations

import random
from collections import Counter

from bodycam.audit.engine.shiftedscores import NONE, Case, shifted_scores
from bodycam.audit.incidents import Bound, Window
from bodycam.audit.intervals import Interval, Times, times
from bodycam.audit.officers import OfficerCameras
from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import IncidentClass, OfficerTime
from bodycam.audit.states import DeviceState
from bodycam.audit.uncertainty import NUMBERS, ScoreRange, peers_prove, score_range

from .randomaudit import S

RULES = load_policy().incident
ERRORS_US = (0, 5000, 500_000, 1_000_000, 2_000_001, 20 * S, 600 * S, 2400 * S)


def some(rng: random.Random, most: int) -> Times:
    """Some stretches on a coarse grid around the window, so that edges and thresholds meet."""
    found = []
    for _ in range(rng.randint(0, most)):
        start = rng.randint(-1600, 2000)
        found.append((start * S // 2, (start + rng.choice((1, 2, 3, 4, 30, 400, 2000))) * S // 2))
    return times(found)


def case(rng: random.Random) -> Case:
    end = rng.choice((2, 20, 75, 76, 77, 300, 900))
    window = Window(0, end * S, Bound.DISPATCHED, Bound.CLEARED)
    at = {state: some(rng, 2) for state in DeviceState}
    done = OfficerTime(some(rng, 3), some(rng, 4), some(rng, 1), some(rng, 2), at)
    worn = (0, end * S) if rng.random() < 0.7 else (S // 2, end * S - S // 2)
    always = (Interval(-(1 << 60), 1 << 60),)
    peers = [
        (some(rng, 3), rng.choice((always, some(rng, 2))), rng.choice(ERRORS_US[:5]))
        for _ in range(rng.choice((0, 1, 2)))
    ]
    return Case(window, rng.choice(ERRORS_US), *worn, done, peers_prove(peers, window))


def plain(one: Case) -> ScoreRange:
    worn = (Interval(one.worn_from, one.worn_to),)
    officer = OfficerCameras(((one.done, worn),), worn)
    return score_range(one.window, officer, one.err_us, RULES, peers=one.peers)


def test_classes_and_numbers_are_those_of_each_alone() -> None:
    rng = random.Random(6)
    cases = [case(rng) for _ in range(400)]
    found = shifted_scores(cases, RULES)
    met: Counter[object] = Counter()
    for number, one in enumerate(cases):
        expected = plain(one)
        assert found.kinds[number] == expected.kinds, one
        pairs = zip(found.least[number].tolist(), found.most[number].tolist(), strict=True)
        told = [tuple(None if value == NONE else value for value in pair) for pair in pairs]
        assert told == [expected.numbers[name] for name in NUMBERS], one
        met.update(expected.kinds)
        met[len(expected.kinds)] += 1
    # Every class, and one, several and many of them at once.
    assert {kind for kind in met if not isinstance(kind, int)} == set(IncidentClass)
    assert min(met[1], met[2], met[3], met[4]) > 10


def test_nothing_is_no_error() -> None:
    assert shifted_scores([], RULES).kinds == []

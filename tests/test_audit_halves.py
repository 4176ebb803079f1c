"""Windows, M29, M30 and sums of time of a random force, counted again half second by half second.

All that happens lies on half seconds. The second reading shares nothing with the audit but names, and the
words of the definitions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import pytest

from bodycam.audit.incidents import Incident, windows
from bodycam.audit.intervals import clip, length_us, union, without
from bodycam.audit.officers import err_us, officer_time
from bodycam.audit.policy import load_policy
from bodycam.audit.recordings import ToggleCause
from bodycam.audit.useofforce import ForceUsed, near_force

from .randomaudit import Force, S, force

POLICY = load_policy()
HALF = S // 2
# Of two cameras at once, whichever could do more.
ABILITY = ("recording", "ready", "boot", "sleep", "off", "docked", "fault", "unknown")


def halves(spans: Iterable[tuple[int, int]], low: int, high: int) -> set[int]:
    """The half seconds of [low, high) that lie in these spans of microseconds."""
    found: set[int] = set()
    for a, b in spans:
        found.update(range(max(low, a // HALF), min(high, b // HALF)))
    return found


class Officer:
    """One officer's cameras between two half seconds, as sets of half seconds."""

    def __init__(self, made: Force, name: str, low: int, high: int) -> None:
        self.low, self.high = low, high
        given = made.assignments.by_officer.get(name, {}).items()
        self.worn = [(made.lines.get(device), halves(spans, low, high)) for device, spans in given]
        self.assigned = set().union(*(when for _, when in self.worn))

    @cached_property
    def evid(self) -> set[int]:
        return {n for line, when in self.worn if line for r in line.recordings
                for n in halves(r.evid, self.low, self.high) & when}  # fmt: skip

    @cached_property
    def live(self) -> set[int]:
        return {n for line, when in self.worn if line for r in line.recordings
                for n in halves(r.live, self.low, self.high) & when}  # fmt: skip

    def state(self, n: int) -> str | None:
        """What the officer's camera was; None while none was assigned."""
        if n not in self.assigned:
            return None
        at_us = n * HALF
        told = {s.state.value for line, when in self.worn if line and n in when
                for s in line.states if s.start_us <= at_us < s.end_us}  # fmt: skip
        return next((name for name in ABILITY if name in told), "unknown")

    def stops(self) -> list[int]:
        """When a recording was stopped while it was worn, and did not roll over."""
        return [
            r.live_end_us // HALF
            for line, when in self.worn if line
            for r in line.recordings
            if r.live and r.live_end_us is not None and r.stop_cause is not ToggleCause.AUTO_ROLL
            and r.live_end_us // HALF - 1 in when
        ]  # fmt: skip


def worst_clock(made: Force, name: str, low_us: int, high_us: int) -> int:
    worn = made.assignments.by_officer.get(name, {})
    return max((err for device in worn if device in made.lines for (a, b), err in made.lines[device].errors
                if a - err < high_us and low_us < b + err), default=0)  # fmt: skip


# -- windows -----------------------------------------------------------------------------------


def window(one: Incident, all_of_them: list[Incident]) -> tuple[int, int, str, str] | None:
    due, by = one.dispatched_us, "dispatched"
    if one.self_initiated and one.first_entry_us is not None:
        due, by = one.first_entry_us, "first entry"
    if not one.self_initiated and one.on_scene_us is not None:
        due, by = one.on_scene_us, "on scene"
    ends = [(due + 8 * 3600 * S, "longest allowed")]
    ends += [(other.dispatched_us, "next dispatch") for other in all_of_them
             if other.officer == one.officer and other.dispatched_us > max(due, one.dispatched_us)]  # fmt: skip
    end, end_by = min(ends)
    if one.cleared_us is not None:
        end, end_by = one.cleared_us, "cleared"
    return (due, end, by, end_by) if due < end else None


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_each_window_is_what_the_rows_say(seed: int) -> None:
    made = force(random.Random(seed), cameras=10, incidents=400)
    found = [
        w and (w.due_us, w.end_us, w.due_by.value, w.end_by.value)
        for w in windows(made.incidents, POLICY.incident)
    ]
    assert found == [window(one, made.incidents) for one in made.incidents]
    met = Counter(by for w in found if w for by in w[2:])
    assert {*met} >= {"dispatched", "first entry", "on scene", "cleared", "next dispatch"}
    assert None in found


# -- M29, and sums of time -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [5, 6])
def test_what_others_prove_and_the_own_camera_does_not_is_counted_the_same(seed: int) -> None:
    made = force(random.Random(seed), cameras=10, incidents=150)
    shortfall = 0
    for one, w in zip(made.incidents, windows(made.incidents, POLICY.incident), strict=True):
        if w is None:
            continue
        there = {o.officer for o in made.incidents if o.event == one.event} - {one.officer}
        nominal = {name: officer_time(name, made.assignments, made.lines).evid
                   for name in (*there, one.officer)}  # fmt: skip
        told = clip(union(*(nominal[name] for name in there)), w.due_us, w.end_us)
        low, high = w.due_us // HALF, w.end_us // HALF
        mine = Officer(made, one.officer, low, high).evid
        theirs = set().union(*(Officer(made, name, low, high).evid for name in there))
        counted = len(theirs - mine) * HALF
        assert length_us(without(told, nominal[one.officer])) == counted, one
        shortfall += counted > 0
    assert shortfall > 10


# -- M30 -----------------------------------------------------------------------------------------


def around_force(made: Force, used: ForceUsed) -> dict[str, Any]:
    """M30 by its words: every f that may be meant is tried."""
    rules = POLICY.force
    coarse = used.rounding_us if used.rounding_us is not None else rules.rounding_s * S
    reach = max(rules.stop_before_s, rules.stop_after_s) * S + coarse
    err = worst_clock(made, used.officer, used.at_us - reach, used.at_us + reach)
    unsure, f = (coarse // 2 + err) // HALF, used.at_us // HALF
    most = 2 * max(rules.stop_before_s, rules.stop_after_s) + unsure + 2
    mine = Officer(made, used.officer, f - most, f + most)
    tries = range(f - unsure, f + unsure + 1)
    states = {mine.state(n) for n in tries} - {None}
    before, after, half = 2 * rules.stop_before_s, 2 * rules.stop_after_s, 2 * rules.covered_s
    stops = mine.stops()
    covered = [len(mine.evid & set(range(n - half, n + half))) * HALF for n in tries]
    return {
        "unsure_us": unsure * HALF, "assigned": any(n in mine.assigned for n in tries), "states": states,
        "surely": sum(all(n - before <= s <= n + after for n in tries) for s in stops),
        "possibly": sum(any(n - before <= s <= n + after for n in tries) for s in stops),
        "covered": (min(covered), max(covered)),
    }  # fmt: skip


def test_what_a_camera_did_around_force_is_what_trying_every_half_second_gives() -> None:
    met: Counter[str] = Counter()
    for seed in range(4):
        rng = random.Random(seed)
        made = force(rng, cameras=8, incidents=0, errors_us=(HALF, 4 * S))
        recordings = [r for line in made.lines.values() for r in line.recordings]
        edges = [edge for r in recordings for one in r.live for edge in one]
        for number in range(100):
            name = f"pc-{rng.randint(0, 6):03}"
            at_us = rng.choice(edges) + rng.choice((-600, -241, 0, 1, 60, 239, 240, 241)) * HALF
            used = ForceUsed(f"E{number}", name, at_us, rng.choice((0, S, 60 * S, None)))
            found = by_the_audit(made, used)
            assert found == around_force(made, used), (seed, used)
            met.update(found["states"], surely=found["surely"], covered=found["covered"][1] > 0)
            met["unsure"] += found["possibly"] > found["surely"]
    assert min(met[name] for name in (*ABILITY, "surely", "covered", "unsure")) > 0, met


def by_the_audit(made: Force, used: ForceUsed) -> dict[str, Any]:
    rules = POLICY.force
    reach = max(rules.stop_before_s, rules.stop_after_s) * S + used.coarse_us(rules)
    err = err_us(used.officer, made.assignments, made.lines, used.at_us - reach, used.at_us + reach)
    found = near_force(used, officer_time(used.officer, made.assignments, made.lines), err, rules)
    return {
        "unsure_us": found.unsure_us, "assigned": found.assigned,
        "states": {s.value for s in found.states}, "surely": found.stops_surely,
        "possibly": found.stops_possibly, "covered": found.covered_us,
    }  # fmt: skip

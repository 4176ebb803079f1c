"""How surely the statistics of a force find what is planted in it, and how often they find what is not.

Over the classes that are due: `test_audit_graded` shows that these are what the engine gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from scipy.stats import binom

from bodycam.audit.groups import Estimate, Funnel, Missingness
from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.statistics.funnel import Exposure, funnel, in_columns
from bodycam.audit.statistics.missingness import Case, missingness
from bodycam.audit.strata import band
from bodycam.simulate.month.make import make_batch

from .gradedmonth import behaviours

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

# A force of 128 officers in four units for five days: some 180 incidents with force or a complaint.
FORCES, OFFICERS, DAYS = 200, 128, 5
DIFFERENCE, NEVER, HABIT = 0.10, 0.05, 0.02


def forces(
    difference: float, never: float, habit: float, first_seed: int
) -> Iterator[tuple[Missingness, Funnel]]:
    """M31 and M32 of each force; all are ordinary, and differ by chance alone."""
    given = behaviours(
        0, incidents__force=0.02, incidents__complaint=0.012, incidents__on_scene_unknown=0,
        incidents__cleared_unknown=0, outcome__not_complete=difference, outcome__never=never,
        ordinary__spread=habit,
    )  # fmt: skip
    rules = load_policy().statistics
    for seed in range(first_seed, first_seed + FORCES):
        made = make_batch(0, OFFICERS, DAYS, seed, given)
        told = made.tables["incidents"]
        assert told["event"].equals(made.incidents["event"])
        bands = [band(at_us, rules) for at_us in told["dispatched_us"].to_pylist()]
        met = Counter(zip(
            *(told[name].to_pylist() for name in ("officer", "call_type", "district", "unit")), bands,
            made.incidents["outcome"].to_pylist(), made.incidents["kind"].to_pylist(), strict=True,
        ))  # fmt: skip
        yield (
            missingness(
                Case((call, when, district), outcome, IncidentClass(kind), (), officer, n)
                for (officer, call, district, _, when, outcome, kind), n in met.items()
            ),
            funnel(in_columns(
                Exposure(officer, (call, when, unit), kind == IncidentClass.NEVER.value, n)
                for (officer, call, _, unit, when, _, kind), n in met.items()
            ), rules.min_count),
        )  # fmt: skip


def count(what: str, found: list[bool]) -> int:
    print(f"power: {what}: {sum(found)} of {len(found)}")
    return sum(found)


def likely(hits: int, share: float) -> bool:
    """Whether so many are what chance gives, but for one time in a thousand."""
    return bool(binom.ppf(0.0005, FORCES, share) <= hits <= binom.ppf(0.9995, FORCES, share))


def apart(found: Estimate) -> bool:
    return found.low > 0 or found.high < 0


def test_what_is_planted_is_found() -> None:
    told = list(forces(DIFFERENCE, NEVER, HABIT, 0))
    for which, true, least in (("not_complete", DIFFERENCE, 0.8), ("never", NEVER, 0.4)):
        found = [getattr(one, which) for one, _ in told]
        mean = sum(one.estimate.value for one in found) / FORCES
        print(f"power: {which}: planted {true:.2f}, mean of the estimates {mean:.4f}")
        assert abs(mean - true) < 0.01
        hits = count(f"{which}: 0 is outside", [apart(one.estimate) for one in found])
        assert hits >= least * FORCES
        for how in ("estimate", "by_officer"):
            inside = [getattr(one, how).low <= true <= getattr(one, how).high for one in found]
            assert likely(count(f"{which}: what was planted is inside ({how})", inside), 0.95)
    habits = [habit for _, habit in told]
    mean = sum(one.rho for one in habits) / FORCES
    print(f"power: rho: planted {HABIT}, mean of the estimates {mean:.4f}")
    assert abs(mean - HABIT) < 0.004
    assert count("rho: p below 0.05", [one.p_value < 0.05 for one in habits]) >= 0.95 * FORCES
    # What is expected of an officer holds some of himself: a little less is found than there is.
    inside = [one.rho_low <= HABIT <= one.rho_high for one in habits]
    assert count("rho: what was planted is inside", inside) >= 0.88 * FORCES


def test_where_nothing_is_planted_nothing_is_found_oftener_than_chance_has_it() -> None:
    told = list(forces(0, 0, 0, 1000))
    for which in ("not_complete", "never"):
        for how in ("estimate", "by_officer"):
            found = [apart(getattr(getattr(one, which), how)) for one, _ in told]
            assert likely(count(f"nothing planted, {which}: 0 is outside ({how})", found), 0.05)
    hits = count("nothing planted, rho: p below 0.05", [one.p_value < 0.05 for _, one in told])
    # Slow to find, for the same reason, and never quick.
    assert hits <= binom.ppf(0.9995, FORCES, 0.05)

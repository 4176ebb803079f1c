"""How surely the audit of a force finds what is planted in it, and how often it finds what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from bodycam.audit.groups import Estimate

from .gradedmonth import Graded, behaviours

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

# A force of 128 officers in four units; one data set holds as many as are drawn.
FORCES, OFFICERS, DAYS = 200, 128, 5
DIFFERENCE, NEVER, HABIT = 0.10, 0.05, 0.02


def forces(folder: Path, seed: int, difference: float, never: float, habit: float) -> Graded:
    """All of them ordinary; they differ by chance alone."""
    given = behaviours(
        0, incidents__force=0.02, incidents__complaint=0.012, incidents__on_scene_unknown=0,
        incidents__cleared_unknown=0, outcome__not_complete=difference, outcome__never=never,
        ordinary__spread=habit,
    )  # fmt: skip
    return Graded(folder, FORCES * OFFICERS, DAYS, seed, given, "4GB")


def each(graded: Graded, ask: Callable[[str], Any]) -> list[Any]:
    """The answer of each force."""
    return [
        ask(f"officer between 'pc-{n * OFFICERS:06}' and 'pc-{(n + 1) * OFFICERS - 1:06}'")
        for n in range(FORCES)
    ]


def count(what: str, found: list[bool]) -> int:
    print(f"power: {what}: {sum(found)} of {len(found)}")
    return sum(found)


def likely(hits: int, share: float) -> bool:
    """Whether so many are what chance gives, but for one time in a thousand."""
    return bool(binom.ppf(0.0005, FORCES, share) <= hits <= binom.ppf(0.9995, FORCES, share))


def apart(found: Estimate) -> bool:
    return found.low > 0 or found.high < 0


def test_what_is_planted_is_found(tmp_path: Path) -> None:
    graded = forces(tmp_path, 1, DIFFERENCE, NEVER, HABIT)
    told = each(graded, graded.missingness)
    for name, which, true in (
        ("not complete", "not_complete", DIFFERENCE), ("never", "never", NEVER),
    ):  # fmt: skip
        found = [getattr(one, which) for one in told]
        mean = sum(one.estimate.value for one in found) / FORCES
        print(f"power: {name}: planted {true:.2f}, mean of the estimates {mean:.4f}")
        assert abs(mean - true) < 0.01
        hits = count(f"{name}: 0 is outside", [apart(one.estimate) for one in found])
        assert hits >= (0.8 if which == "not_complete" else 0.4) * FORCES
        for how in ("estimate", "by_officer"):
            inside = [getattr(one, how).low <= true <= getattr(one, how).high for one in found]
            assert likely(count(f"{name}: what was planted is inside ({how})", inside), 0.95)
    habits = each(graded, lambda where: graded.habit("NEVER", where))
    mean = sum(one.rho for one in habits) / FORCES
    print(f"power: rho: planted {HABIT}, mean of the estimates {mean:.4f}")
    assert abs(mean - HABIT) < 0.004
    assert count("rho: p below 0.05", [one.p_value < 0.05 for one in habits]) >= 0.95 * FORCES
    # What is expected of an officer holds some of himself: a little less is found than there is.
    assert count("rho: inside", [one.rho_low <= HABIT <= one.rho_high for one in habits]) >= 0.88 * FORCES  # fmt: skip


def test_where_nothing_is_planted_nothing_is_found_oftener_than_chance_has_it(
    tmp_path: Path,
) -> None:
    graded = forces(tmp_path, 2, 0, 0, 0)
    told = each(graded, graded.missingness)
    for which in ("not_complete", "never"):
        for how in ("estimate", "by_officer"):
            found = [apart(getattr(getattr(one, which), how)) for one in told]
            assert likely(count(f"nothing planted, {which}: 0 is outside ({how})", found), 0.05)
    habits = each(graded, lambda where: graded.habit("NEVER", where))
    hits = count("nothing planted, rho: p below 0.05", [one.p_value < 0.05 for one in habits])
    # Half of a chi-squared law: the test is a little slow to find, and never quick.
    assert hits <= binom.ppf(0.9995, FORCES, 0.05)

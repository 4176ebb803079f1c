"""M31 to M33 against published figures, and against what can be worked out by hand."""

from __future__ import annotations

import random

import pytest

from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.statistics.funnel import (
    Exposure,
    OfficerCount,
    funnel,
    officer_counts,
    overdispersion,
)
from bodycam.audit.statistics.integrity import Arm, OfficerShift, SiteClass, integrity
from bodycam.audit.statistics.missingness import Case, Table, missingness, risk_difference, tables

RULES = load_policy().statistics

# -- M31 --------------------------------------------------------------------------------------


def test_the_risk_difference_is_that_of_the_textbook() -> None:
    # Rothman, Greenland, Lash, Modern Epidemiology (2008), table 15-1: deaths under tolbutamide and
    # placebo by age; its interval is of 90 per cent. The last digit of the upper limit is 8 in the book
    # and 7 in metafor's check of it.
    found = risk_difference([Table(8, 106, 5, 120), Table(22, 98, 16, 85)], level=0.90)
    assert found.difference == pytest.approx(0.0349, abs=5e-5)
    assert found.low == pytest.approx(-0.0176, abs=5e-5)
    assert found.high == pytest.approx(0.0874, abs=5e-5)
    # Its odds ratio is 1.40, and p of Tarone's test of sameness 0.555.
    assert found.odds_ratio == pytest.approx(1.4031, abs=5e-5)
    assert found.same_odds_p == pytest.approx(0.5547, abs=5e-5)
    assert (found.strata, found.strata_left_out, found.incidents) == (2, 0, 409)


def test_of_one_stratum_it_is_the_plain_difference() -> None:
    # By hand: 3/4 - 1/5; P = (16*1 - 25*3 + 20*(5-4)/2)/81, Q = (3*4 + 1*1)/18, weight 20/9.
    found = risk_difference([Table(3, 4, 1, 5)])
    assert found.difference == pytest.approx(0.55)
    error = ((0.55 * (16 - 75 + 10) / 81 + 13 / 18) ** 0.5) / (20 / 9)
    assert found.high == pytest.approx(0.55 + 1.959963985 * error)
    assert found.odds_ratio == pytest.approx(12)
    assert found.same_odds_p is None


def cases(stratum: str, outcome: bool, **counts: int) -> list[Case]:
    return [
        Case((stratum,), outcome, IncidentClass[kind])
        for kind, n in counts.items()
        for _ in range(n)
    ]


def test_missingness_within_strata_is_not_misled_by_their_mix() -> None:
    # Within each call type nothing depends on the outcome; over all of them it seems to.
    told = [
        *cases("fight", True, NEVER=30, COMPLETE=30), *cases("fight", False, NEVER=5, COMPLETE=5),
        *cases("theft", True, NEVER=1, COMPLETE=9), *cases("theft", False, NEVER=20, COMPLETE=180),
    ]  # fmt: skip
    found = missingness(told)
    assert found.never.difference == pytest.approx(0)
    assert found.never.low is not None
    assert found.never.high is not None
    assert found.never.low < 0 < found.never.high
    assert 31 / 70 - 25 / 210 > 0.3


def test_never_alone_and_not_complete_are_two_questions() -> None:
    told = [
        *cases("a", True, NEVER=1, LATE=4, FAULT=1, COMPLETE=4), *cases("a", False, NEVER=1, COMPLETE=9),
        *cases("only with", True, NEVER=5), *cases("only without", False, COMPLETE=5),
    ]  # fmt: skip
    found = missingness(told)
    assert found.not_complete.difference == pytest.approx(0.6 - 0.1)
    assert found.never.difference == pytest.approx(0)
    assert (found.never.strata, found.never.strata_left_out) == (1, 2)
    assert tables(told, not_complete=False)[0] == Table(1, 10, 1, 10)


def test_where_nothing_can_be_said_nothing_is_said() -> None:
    assert missingness([]).never.difference is None
    none = missingness([*cases("a", True, COMPLETE=5), *cases("a", False, COMPLETE=5)]).never
    assert (none.difference, none.low, none.high, none.odds_ratio) == (0, 0, 0, None)
    assert missingness(cases("a", True, NEVER=5)).never.strata_left_out == 1


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(7)
    held = 0
    for _ in range(400):
        strata = []
        for base in (0.1, 0.2, 0.3, 0.4):
            n1, n0 = rng.randint(10, 40), rng.randint(20, 80)
            strata.append(Table(
                sum(rng.random() < base + 0.1 for _ in range(n1)), n1,
                sum(rng.random() < base for _ in range(n0)), n0,
            ))  # fmt: skip
        found = risk_difference(strata)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.1 <= found.high
    assert 0.92 <= held / 400 <= 0.98


# -- M32 --------------------------------------------------------------------------------------

# Boys among the first 12 children of 6,115 families in Saxony (Geissler 1889, in Lindsey and Altham 1998).
FAMILIES = (3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7)


def test_the_overdispersion_is_that_of_the_published_fit() -> None:
    boys = sum(k * n for k, n in enumerate(FAMILIES))
    share = boys / (12 * sum(FAMILIES))
    counts = [OfficerCount("", 12, k, 12 * share) for k, n in enumerate(FAMILIES) for _ in range(n)]
    rho, p_value = overdispersion(counts)
    # Maximum likelihood gives alpha 34.09558 and beta 31.5715.
    assert rho == pytest.approx(1 / (34.09558 + 31.5715 + 1), rel=0.002)
    assert p_value < 1e-10


def officers(rng: random.Random, spread: float) -> list[Exposure]:
    """Forty officers; each one's own rate of a theft lies around 0.2, of a fight around 0.4."""
    found = []
    for number in range(40):
        own = rng.betavariate(0.2 * spread, 0.8 * spread) if spread else 0.2
        for _ in range(rng.randint(10, 120)):
            fight = rng.random() < number / 40
            event = rng.random() < min(1, own * (2 if fight else 1))
            found.append(Exposure(f"pc-{number:02}", ("fight" if fight else "theft",), event))
    return found


def test_what_officers_are_sent_to_is_no_difference_between_them() -> None:
    found = funnel(officers(random.Random(1), 0), RULES.min_count)
    assert found.rho < 0.01
    assert found.p_value > 0.05
    assert sum(point.outside for point in found.points) <= 1
    crude = {
        c.officer: c.observed / c.incidents for c in officer_counts(officers(random.Random(1), 0))
    }
    assert max(crude.values()) > 2 * min(v for v in crude.values() if v)


def test_officers_who_differ_widen_the_limits_of_all() -> None:
    found = funnel(officers(random.Random(2), 8), RULES.min_count)
    assert 0.05 < found.rho < 0.25
    assert found.p_value < 1e-6
    assert sum(point.outside for point in found.points) <= 2


def test_nobody_is_shown_with_fewer_incidents_and_nobody_is_ranked() -> None:
    told = officers(random.Random(3), 8)
    found = funnel(told, RULES.min_count)
    counts = officer_counts(told)
    few = {c.officer for c in counts if c.incidents < 20}
    assert few
    shown = [point.count.officer for point in found.points]
    assert shown == sorted(shown)
    assert not few & set(shown)
    assert (found.not_shown, found.officers) == (len(few), 40)
    assert sum(c.expected for c in counts) == pytest.approx(sum(c.observed for c in counts))


def test_what_never_happens_has_no_variation() -> None:
    never = funnel([Exposure("a", ("x",), event=False)] * 30, 20)
    assert (never.rho, never.p_value, never.points[0].limits) == (0.0, 1.0, ((0, 0), (0, 0)))
    assert not never.points[0].outside
    assert funnel([], 20).points == ()


def test_limits_by_chance_are_those_of_the_binomial() -> None:
    told = [Exposure("a", ("x",), event=n < 10) for n in range(20)]
    told += [Exposure("b", ("x",), event=n < 10) for n in range(20)]
    found = funnel(told, 20)
    assert found.rho == 0
    # Of 20 fair tosses: 2.1 per cent lie at 5 or below, 0.1 at 3 or below.
    assert found.points[0].limits == ((6, 14), (3, 17))


# -- M33 --------------------------------------------------------------------------------------

HOUR = 3_600_000_000


def site(name: str, treatment: list[float], control: list[float]) -> list[OfficerShift]:
    return [
        OfficerShift(name, arm, 10 * HOUR, round(share * 10 * HOUR))
        for arm, shares in ((Arm.TREATMENT, treatment), (Arm.CONTROL, control))
        for share in shares
    ]


def test_the_three_groups_of_ariel_and_what_is_none_of_them() -> None:
    # Ariel et al. (2016) name three: no discretion and the protocol kept; discretion in treatment, the
    # protocol kept in control; the protocol broken in both.
    trial = [
        *site("a", [1, 0.9, 0.8, 0.85, 0.1], [0, 0, 0, 0.001, 0.5]),
        *site("b", [0.5, 0.2, 0.9], [0, 0, 0]),
        *site("c", [0.5, 0.2, 0.9], [0.3, 0.2, 0]),
        *site("d", [1, 1], [1, 1]),
        *site("e", [1], []),
    ]
    found = {one.site: one for one in integrity(trial, RULES)}
    assert {name: one.kind for name, one in found.items()} == {
        "a": SiteClass.HIGH, "b": SiteClass.DISCRETION, "c": SiteClass.NONE,
        "d": SiteClass.CONTAMINATED, "e": SiteClass.UNKNOWN,
    }  # fmt: skip
    assert (found["a"].treatment.kept, found["a"].treatment.kept_share) == (4, 0.8)
    assert found["a"].control.recorded_us == 5 * HOUR + HOUR // 100
    assert found["c"].treatment.coverage == pytest.approx(1.6 / 3)
    assert found["e"].control.coverage is None


def test_the_thresholds_are_the_policy_s() -> None:
    at = [0.8, 60 / 36000]
    kept = integrity(site("x", [at[0]], [at[1]]), RULES)[0]
    assert kept.kind is SiteClass.HIGH
    less = integrity(site("x", [at[0] - 1e-6], [at[1]]), RULES)[0]
    assert less.kind is SiteClass.DISCRETION
    more = integrity(site("x", [at[0]], [at[1] + 1e-6]), RULES)[0]
    assert more.kind is SiteClass.CONTAMINATED

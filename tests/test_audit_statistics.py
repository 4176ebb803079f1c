"""M31 to M33 against published figures, and against what can be worked out by hand."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom, chi2

from bodycam.audit.duties import Arm
from bodycam.audit.groups import Estimate, OfficerCount, RiskDifference, SiteClass, SiteResult
from bodycam.audit.policy import StatisticsRules, load_policy
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.statistics.funnel import (
    Exposure,
    funnel,
    in_columns,
    limits,
    officer_counts,
    overdispersion,
)
from bodycam.audit.statistics.integrity import ARMS, OfficerShift, integrity
from bodycam.audit.statistics.missingness import (
    Case,
    Question,
    Strata,
    Table,
    missingness,
    pooled,
    risk_difference,
    row_of,
    strata,
)
from bodycam.audit.strata import band, bands, offsets

RULES = load_policy().statistics

# -- M31 --------------------------------------------------------------------------------------


def of(*tables: Table) -> RiskDifference:
    return risk_difference(Strata(tables, tables, tables, 0))


def there(estimate: Estimate | None) -> Estimate:
    assert estimate is not None
    return estimate


def test_the_risk_difference_is_that_of_the_textbook() -> None:
    # Rothman, Greenland, Lash, Modern Epidemiology (2008), table 15-1: deaths under tolbutamide and
    # placebo by age; its interval is of 90 per cent. The last digit of the upper limit is 8 in the book
    # and 7 in metafor's check of it.
    deaths = (Table(8, 106, 5, 120), Table(22, 98, 16, 85))
    found = there(pooled(deaths, level=0.90))
    assert found.value == pytest.approx(0.0349, abs=5e-5)
    assert found.low == pytest.approx(-0.0176, abs=5e-5)
    assert found.high == pytest.approx(0.0874, abs=5e-5)
    # Its odds ratio is 1.40, and p of Tarone's test of sameness 0.555.
    whole = of(*deaths)
    assert whole.odds_ratio == pytest.approx(1.4031, abs=5e-5)
    assert whole.same_odds_p == pytest.approx(0.5547, abs=5e-5)
    assert (whole.strata, whole.strata_left_out, whole.incidents_left_out) == (2, 0, 0)
    assert (whole.missing_with, whole.total_with) == (30, 204)
    assert (whole.missing_without, whole.total_without) == (21, 205)


def test_of_one_stratum_it_is_the_plain_difference() -> None:
    # By hand: 3/4 - 1/5; P = (16*1 - 25*3 + 20*(5-4)/2)/81, Q = (3*4 + 1*1)/18, weight 20/9.
    found = of(Table(3, 4, 1, 5))
    assert there(found.estimate).value == pytest.approx(0.55)
    error = ((0.55 * (16 - 75 + 10) / 81 + 13 / 18) ** 0.5) / (20 / 9)
    assert there(found.estimate).low == pytest.approx(0.55 - 1.959963985 * error)
    # Not more than all can be missing.
    assert there(found.estimate).high == 1.0
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
    found = there(missingness(told).never.estimate)
    assert found.value == pytest.approx(0)
    assert found.low < 0 < found.high
    assert 31 / 70 - 25 / 210 > 0.3


def test_never_alone_and_not_complete_are_two_questions() -> None:
    told = [
        *cases("a", True, NEVER=1, LATE=4, FAULT=1, COMPLETE=4), *cases("a", False, NEVER=1, COMPLETE=9),
        *cases("only with", True, NEVER=5), *cases("only without", False, COMPLETE=5),
    ]  # fmt: skip
    found = missingness(told)
    assert there(found.not_complete.estimate).value == pytest.approx(0.6 - 0.1)
    assert there(found.never.estimate).value == pytest.approx(0)
    assert (found.never.strata, found.never.strata_left_out) == (1, 2)
    assert (found.never.incidents_left_out, found.never.with_left_out) == (10, 5)
    assert strata([row_of(c, Question.NEVER) for c in told]).nominal[0] == Table(1, 10, 1, 10)


def test_where_nothing_can_be_said_nothing_is_said() -> None:
    assert missingness([]).never.estimate is None
    none = missingness([*cases("a", True, COMPLETE=5), *cases("a", False, COMPLETE=5)]).never
    assert (none.estimate, none.odds_ratio) == (Estimate(0, 0, 0), None)
    every = missingness([*cases("a", True, NEVER=5), *cases("a", False, NEVER=5)]).never
    assert (every.estimate, every.odds_ratio) == (Estimate(0, 0, 0), None)
    assert missingness(cases("a", True, NEVER=5)).never.strata_left_out == 1


def test_what_a_clock_leaves_open_is_taken_both_ways() -> None:
    open_ = (IncidentClass.LATE, IncidentClass.COMPLETE)
    told = [
        *cases("a", True, NEVER=2, COMPLETE=6), *cases("a", False, NEVER=1, COMPLETE=7),
        Case(("a",), True, IncidentClass.LATE, open_, count=2),
        Case(("a",), False, IncidentClass.COMPLETE, open_, count=2),
    ]  # fmt: skip
    found = missingness(told)
    assert there(found.not_complete.estimate).value == pytest.approx(4 / 10 - 1 / 10)
    assert there(found.not_complete.least).value == pytest.approx(2 / 10 - 3 / 10)
    assert there(found.not_complete.greatest).value == pytest.approx(4 / 10 - 1 / 10)
    assert found.not_complete.unsure == 4
    # Whatever it was, it was not NEVER.
    assert (found.never.unsure, found.never.least) == (0, found.never.estimate)


@st.composite
def some_cases(draw: st.DrawFn) -> list[Case]:
    kinds = st.sampled_from(list(IncidentClass))
    return draw(st.lists(st.builds(
        Case, st.tuples(st.sampled_from("ab")), st.booleans(), kinds,
        st.just(()) | st.lists(kinds, min_size=1, max_size=3).map(tuple),
        st.sampled_from(["x", "y", "z"]), st.integers(1, 5),
    ).map(lambda c: c if not c.kinds else Case(c.stratum, c.outcome, c.kinds[0], c.kinds, c.officer, c.count)),
        max_size=12))  # fmt: skip


@given(some_cases(), st.randoms())
def test_neither_order_nor_grouping_changes_anything(
    told: list[Case], rng: random.Random
) -> None:  # fmt: skip
    apart = [
        Case(c.stratum, c.outcome, c.kind, c.kinds, c.officer) for c in told for _ in range(c.count)
    ]
    rng.shuffle(apart)
    for question in Question:
        one, two = (strata([row_of(c, question) for c in which]) for which in (told, apart))
        assert one == two


@given(some_cases())
def test_no_reading_of_the_clocks_gives_more_than_the_greatest_or_less_than_the_least(
    told: list[Case],
) -> None:
    found = missingness(told).not_complete
    if found.estimate is None:
        return
    for choice in itertools.islice(itertools.product(*((c.kinds or (c.kind,)) for c in told)), 200):
        read = [
            Case(c.stratum, c.outcome, kind, count=c.count)
            for c, kind in zip(told, choice, strict=True)
        ]
        value = there(missingness(read).not_complete.estimate).value
        assert there(found.least).value - 1e-12 <= value <= there(found.greatest).value + 1e-12


def simulated(rng: random.Random, officers: int, habit: float) -> list[Case]:
    """Officers of different habits at calls of four types; force makes missing 0.1 more likely, and is
    more frequent with some officers than with others.
    """
    told = []
    for number in range(officers):
        own, forceful = rng.uniform(-habit, habit), rng.uniform(0.05, 0.6)
        for _ in range(rng.randint(4, 30)):
            kind = rng.randrange(4)
            outcome = rng.random() < forceful
            missing = rng.random() < 0.2 + 0.1 * kind + own + 0.1 * outcome
            told.append(Case(
                (f"type {kind}",), outcome,
                IncidentClass.NEVER if missing else IncidentClass.COMPLETE, officer=f"pc-{number:03}",
            ))  # fmt: skip
    return told


def test_the_interval_by_officer_is_that_of_least_squares_with_clusters() -> None:
    told = simulated(random.Random(5), 60, 0.15)
    found = missingness(told).never
    y = np.array([c.kind is IncidentClass.NEVER for c in told], float)
    names = sorted({c.stratum for c in told})
    x = np.array([[c.outcome, *(c.stratum == name for name in names)] for c in told], float)
    groups = np.unique([c.officer for c in told], return_inverse=True)[1]
    fit = sm.OLS(y, x).fit()
    assert there(found.estimate).value == pytest.approx(fit.params[0])
    robust = fit.get_robustcov_results(
        "cluster", groups=groups, df_correction=True, use_correction=False
    )
    # statsmodels' correction counts parameters as well; by hand it is that of the officers alone.
    error = robust.bse[0] * (60 / 59) ** 0.5
    from_t = there(found.by_officer)
    assert (from_t.high - from_t.low) / 2 == pytest.approx(2.0009953780882688 * error, rel=1e-6)


def test_too_few_officers_give_no_interval_of_their_own() -> None:
    assert missingness(simulated(random.Random(1), 29, 0.1)).never.by_officer is None
    assert missingness(simulated(random.Random(1), 30, 0.1)).never.by_officer is not None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(7)
    held = 0
    for _ in range(400):
        tables = []
        for base in (0.1, 0.2, 0.3, 0.4):
            n1, n0 = rng.randint(10, 40), rng.randint(20, 80)
            tables.append(Table(
                sum(rng.random() < base + 0.1 for _ in range(n1)), n1,
                sum(rng.random() < base for _ in range(n0)), n0,
            ))  # fmt: skip
        found = there(pooled(tables))
        held += found.low <= 0.1 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_it_holds_the_truth_in_many_strata_of_three_incidents_as_well() -> None:
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        base = rng.uniform(0.1, 0.6, 200)
        with_one, without = rng.random(200) < base + 0.15, rng.random((200, 2)) < base[:, None]
        found = there(pooled([
            Table(int(a), 1, int(b), 2) for a, b in zip(with_one, without.sum(axis=1), strict=True)
        ]))  # fmt: skip
        held += found.low <= 0.15 <= found.high
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.soak
def test_with_officers_of_strong_habits_only_the_interval_by_officer_does() -> None:
    rng, plain, by_officer = random.Random(9), 0, 0
    for _ in range(600):
        found = missingness(simulated(rng, 60, 0.2)).never
        plain += there(found.estimate).low <= 0.1 <= there(found.estimate).high
        by_officer += there(found.by_officer).low <= 0.1 <= there(found.by_officer).high
    assert 0.92 <= by_officer / 600 <= 0.98
    assert plain < by_officer


# -- M32 --------------------------------------------------------------------------------------

# Boys among the first 12 children of 6,115 families in Saxony (Geissler 1889, in Lindsey and Altham 1998).
FAMILIES = (3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7)


def test_the_overdispersion_is_that_of_the_published_fit() -> None:
    boys = sum(k * n for k, n in enumerate(FAMILIES))
    share = boys / (12 * sum(FAMILIES))
    counts = [OfficerCount("", 12, k, 12 * share) for k, n in enumerate(FAMILIES) for _ in range(n)]
    rho, low, high, p_value = overdispersion(counts)
    # Maximum likelihood gives alpha 34.09558 and beta 31.5715.
    assert rho == pytest.approx(1 / (34.09558 + 31.5715 + 1), rel=0.002)
    assert p_value < 1e-10
    assert 0.01 < low < rho < high < 0.02


def test_the_interval_of_rho_is_where_the_likelihood_has_fallen_by_half_of_chi_squared() -> None:
    """By scipy's distributions, of officers of different numbers of incidents and different expectations."""
    rng, floors = np.random.default_rng(11), []
    for _ in range(24):
        n, p, spread = rng.integers(20, 80, 40), rng.uniform(0.1, 0.4, 40), 99
        k = rng.binomial(n, rng.beta(p * spread, (1 - p) * spread))
        rho, low, high, p_value = overdispersion([
            OfficerCount("", int(a), int(b), float(a * c)) for a, b, c in zip(n, k, p, strict=True)
        ])  # fmt: skip
        near = np.array([max(rho, 1e-5), max(low, 1e-5), high, *np.geomspace(1e-5, 0.2, 60)])
        a, b = (share * (1 / near[:, None] - 1) for share in (p, 1 - p))
        gain = (betabinom.logpmf(k, n, a, b) - binom.logpmf(k, n, p)).sum(axis=1)
        floors.append(max(0, gain.max()) - chi2.ppf(0.95, 1) / 2)
        assert gain[0] == pytest.approx(gain.max(), abs=1e-3)
        assert p_value == pytest.approx(chi2.sf(2 * gain[0], 1) / 2)
        assert gain[2] == pytest.approx(floors[-1], abs=2e-3)
        if floors[-1] > 0:
            assert gain[1] == pytest.approx(floors[-1], abs=2e-3)
        else:
            assert low == 0
    assert min(floors) < 0
    assert any(0.1 < floor < 0.9 for floor in floors), floors


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


def counts_of(told: list[Exposure]) -> list[OfficerCount]:
    return officer_counts(in_columns(told))


def test_what_officers_are_sent_to_is_no_difference_between_them() -> None:
    found = funnel(in_columns(officers(random.Random(1), 0)), RULES.min_count)
    assert found.rho < 0.01
    assert found.p_value > 0.05
    assert found.rho_low == 0
    assert sum(point.outside for point in found.points) <= 1
    crude = {c.officer: c.observed / c.incidents for c in counts_of(officers(random.Random(1), 0))}
    assert max(crude.values()) > 2 * min(v for v in crude.values() if v)


def test_officers_who_differ_widen_the_limits_of_all() -> None:
    found = funnel(in_columns(officers(random.Random(2), 8)), RULES.min_count)
    assert 0.05 < found.rho < 0.25
    assert 0 < found.rho_low < found.rho < found.rho_high
    assert found.p_value < 1e-6
    assert sum(point.outside for point in found.points) <= 2


def test_who_has_just_enough_incidents_is_shown() -> None:
    told = [Exposure(name, ("x",), event=n < 5) for name in "ab" for n in range(20)]
    told += [Exposure("c", ("x",), event=n < 5) for n in range(19)]
    found = funnel(in_columns(told), 20)
    assert [point.count.officer for point in found.points] == ["a", "b"]
    assert found.not_shown == 1


def test_nobody_is_shown_with_fewer_incidents_and_nobody_is_ranked() -> None:
    told = officers(random.Random(3), 8)
    found = funnel(in_columns(told), RULES.min_count)
    counts = counts_of(told)
    few = {c.officer for c in counts if c.incidents < 20}
    assert few
    shown = [point.count.officer for point in found.points]
    assert shown == sorted(shown)
    assert not few & set(shown)
    assert (found.not_shown, found.officers) == (len(few), 40)
    assert sum(c.expected for c in counts) == pytest.approx(sum(c.observed for c in counts))


def test_what_never_happens_has_no_variation_nor_what_always_does() -> None:
    for event in (False, True):
        told = in_columns([Exposure(name, ("x",), event, 30) for name in "ab"])
        found = funnel(told, 20)
        assert (found.rho, found.rho_low, found.p_value) == (0.0, 0.0, 1.0)
        assert found.points[0].limits == ((30 * event, 30 * event),) * 2
        assert not found.points[0].outside
    assert funnel(in_columns([]), 20).points == ()


def test_a_stratum_of_one_officer_says_nothing_of_how_officers_differ() -> None:
    told = [Exposure(name, ("x",), event=n < 10) for name in "ab" for n in range(20)]
    alone = [
        Exposure("a", ("a's own",), event=True, count=25),
        Exposure("c", ("c's",), event=False),
    ]
    found = funnel(in_columns([*told, *alone]), 20)
    assert found.incidents_left_out == 26
    assert found.officers == 2
    assert found.points == funnel(in_columns(told), 20).points


def test_limits_by_chance_are_those_of_the_binomial() -> None:
    told = [Exposure(name, ("x",), event=n < 10) for name in "ab" for n in range(20)]
    found = funnel(in_columns(told), 20)
    assert found.rho == 0
    # Of 20 fair tosses: 2.1 per cent lie at 5 or below, 0.1 at 3 or below.
    assert found.points[0].limits == ((6, 14), (3, 17))


@pytest.mark.parametrize("rho", [0.0, 1e-6, 0.003, 0.2, 0.9, 0.99])
def test_limits_are_those_of_scipy_s_distributions(rho: float) -> None:
    counts = [
        OfficerCount("", n, 0, n * p)
        for n, p in itertools.product((1, 2, 20, 21, 300), (0.001, 0.2, 0.5, 0.97))
    ]
    for count, found in zip(counts, limits(counts, rho), strict=True):
        n, p = count.incidents, count.expected / count.incidents
        spread = (1 - rho) / rho if rho else 0
        law = betabinom(n, p * spread, (1 - p) * spread) if rho else binom(n, p)
        wanted = [int(law.ppf(q)) for q in (0.025, 0.975, 0.001, 0.999)]
        assert [side for pair in found for side in pair] == wanted


@given(
    st.lists(
        st.builds(
            Exposure, st.sampled_from("abcd"), st.tuples(st.sampled_from("xyz")), st.booleans(),
            st.integers(1, 40),
        ),
        max_size=20,
    ),
    st.randoms(),
)  # fmt: skip
def test_neither_order_nor_grouping_changes_a_funnel(
    told: list[Exposure], rng: random.Random
) -> None:
    apart = [Exposure(e.officer, e.stratum, e.event) for e in told for _ in range(e.count)]
    rng.shuffle(apart)
    one, two = counts_of(told), counts_of(apart)
    assert [(c.officer, c.incidents, c.observed) for c in one] == [
        (c.officer, c.incidents, c.observed) for c in two
    ]
    assert [c.expected for c in one] == pytest.approx([c.expected for c in two])
    shared = Counter(s for _, s in {(e.officer, e.stratum) for e in told})
    assert sum(c.incidents for c in one) == sum(e.count for e in told if shared[e.stratum] > 1)


def test_at_the_border_of_what_is_possible_it_still_answers() -> None:
    # Each officer always, or never: rho as large as it is looked for.
    told = [Exposure(f"{n:03}", ("x",), event=n % 2 == 0, count=30) for n in range(100)]
    found = funnel(in_columns(told), 20)
    assert found.rho == pytest.approx(0.99, abs=1e-3)
    assert found.rho_high == 0.99
    assert found.points[0].limits == ((0, 30), (0, 30))
    # Less than chance: all alike.
    alike = [
        Exposure(f"{n:03}", ("x",), event=e, count=15) for n in range(100) for e in (True, False)
    ]
    even = funnel(in_columns(alike), 20)
    assert (even.rho, even.p_value) == (0.0, 1.0)
    assert even.rho_high < 0.01


@pytest.mark.soak
def test_the_interval_of_rho_holds_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(4), 0
    for _ in range(300):
        own = rng.beta(0.2 * 19, 0.8 * 19, 120)
        n = rng.integers(10, 120, 120)
        counts = [
            OfficerCount("", int(a), int(k), a * 0.2)
            for a, k in zip(n, rng.binomial(n, own), strict=True)
        ]
        _, low, high, _ = overdispersion(counts)
        held += low <= 0.05 <= high
    assert 0.92 <= held / 300 <= 0.98


# -- strata -----------------------------------------------------------------------------------


def rules(**changes: object) -> StatisticsRules:
    return msgspec.structs.replace(RULES, **changes)


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def test_a_band_is_that_of_the_wall_clock_of_the_policy_s_zone() -> None:
    assert bands(RULES) == ["07-15", "15-23", "23-07"]
    assert [band(moment(f"2026-06-01T{t}+00:00"), RULES) for t in
            ("06:59:59", "07:00:00", "14:59:59", "15:00:00", "23:00:00", "00:00:00")] == [
        "23-07", "07-15", "07-15", "15-23", "23-07", "23-07",
    ]  # fmt: skip
    berlin = rules(shift_zone="Europe/Berlin")
    # The night in which the clocks go forward: 05:00 UTC is seven already.
    assert band(moment("2026-03-28T05:30:00+00:00"), berlin) == "23-07"
    assert band(moment("2026-03-29T05:30:00+00:00"), berlin) == "07-15"
    assert bands(rules(shift_starts_h=(0,))) == ["00-00"]


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
def test_the_offsets_of_a_year_are_those_of_each_hour(name: str) -> None:
    zone = ZoneInfo(name)
    first, last = moment("2026-01-01T00:00:00+00:00"), moment("2027-01-01T00:00:00+00:00")
    found = offsets(zone, first, last)
    assert len(found) == 3
    for at in range(first, last, 3_600_000_000):
        wanted = datetime.fromtimestamp(at / 1e6, UTC).astimezone(zone).utcoffset()
        told = [o.offset_us for o in found if o.at_us <= at][-1]
        assert timedelta(microseconds=told) == wanted
    for change in found[1:]:
        before = datetime.fromtimestamp((change.at_us - 1) / 1e6, UTC).astimezone(zone)
        assert before.utcoffset() != timedelta(microseconds=change.offset_us)


# -- M33 --------------------------------------------------------------------------------------

HOUR = 3_600_000_000


def site(name: str, treatment: list[float], control: list[float]) -> list[OfficerShift]:
    return [
        OfficerShift(name, arm, 10 * HOUR, round(share * 10 * HOUR), round(share * 10 * HOUR))
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
    assert all(one.kinds == (one.kind,) for one in found.values())
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


def test_what_is_not_proven_covers_nothing_and_contaminates_all_the_same() -> None:
    told = [OfficerShift("x", arm, 10 * HOUR, 0, 10 * HOUR) for arm in ARMS]
    found = integrity(told, RULES)[0]
    assert found.kind is SiteClass.NONE


def test_a_site_whose_clocks_leave_it_open_says_every_class_that_it_may_be() -> None:
    at_us = 8 * HOUR + 1
    pair_us = (at_us - 2, at_us + 2)
    near = OfficerShift(
        "x", Arm.TREATMENT, 10 * HOUR, at_us, at_us,
        covered_pair_us=pair_us, recorded_pair_us=pair_us,
    )  # fmt: skip
    clean = OfficerShift("x", Arm.CONTROL, 10 * HOUR, 0, 0, recorded_pair_us=(0, 2))
    found = integrity([near, clean], RULES)[0]
    assert (found.kind, found.kinds) == (SiteClass.HIGH, (SiteClass.HIGH, SiteClass.DISCRETION))
    assert (found.treatment.kept_surely, found.treatment.kept, found.treatment.kept_possibly) == (
        0, 1, 1,
    )  # fmt: skip


def test_what_nobody_could_have_recorded_is_not_surely_discretion() -> None:
    # A tenth of the shift is missing from what is due; the camera was at fault for a tenth, or less.
    def treated(lost_us: int) -> SiteResult:
        covered_us = 7 * HOUR
        shift = OfficerShift("x", Arm.TREATMENT, 10 * HOUR, covered_us, covered_us, lost_us)
        return integrity([shift, OfficerShift("x", Arm.CONTROL, 10 * HOUR, 0, 0)], RULES)[0]

    assert treated(HOUR - 1).kinds == (SiteClass.DISCRETION,)
    open_ = treated(HOUR)
    assert (open_.kind, open_.kinds) == (
        SiteClass.DISCRETION, (SiteClass.HIGH, SiteClass.DISCRETION),
    )  # fmt: skip
    assert (open_.treatment.kept, open_.treatment.kept_possibly) == (0, 1)
    # In control it kept nobody from anything: a camera that cannot record keeps to it.
    broken = OfficerShift("x", Arm.CONTROL, 10 * HOUR, 0, 2 * HOUR, 8 * HOUR)
    kept = OfficerShift("x", Arm.TREATMENT, 10 * HOUR, 9 * HOUR, 9 * HOUR)
    assert integrity([kept, broken], RULES)[0].kinds == (SiteClass.CONTAMINATED,)

"""What is published of an audit, attacked by a reader who knows the sums, the rest, and the rule."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.audit.groups import (
    ArmResult,
    DutyCoverage,
    DutySum,
    Estimate,
    Filed,
    FilingResult,
    Funnel,
    FunnelPoint,
    Groups,
    Missingness,
    OfficerCount,
    RiskDifference,
    SiteClass,
    SiteResult,
)
from bodycam.audit.policy import Policy, load_policy
from bodycam.audit.public import (
    OTHERS,
    PublicFacts,
    PublicForce,
    PublicGroup,
    PublicIncidents,
    public_page,
    public_summary,
)
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.withholding import withheld, withhold
from bodycam.audit.words import CLASS_WORDS, UNCERTAIN_WORDS


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 10))
def test_nothing_small_is_told_and_nothing_is_hidden_alone(
    counts: list[int], min_cell: int
) -> None:
    told = withhold({str(n): count for n, count in enumerate(counts)}, min_cell)
    hidden = [counts[int(name)] for name, count in told.items() if count is None]
    assert all(hidden)
    assert all(count is None or count == 0 or count >= min_cell for count in told.values())
    all_there_is = len(hidden) == sum(count > 0 for count in counts)
    assert not hidden or all_there_is or (len(hidden) > 1 and sum(hidden) >= 2 * min_cell)


@pytest.mark.parametrize(("min_cell", "most"), [(3, 8), (4, 9)])
def test_a_reader_who_knows_sum_and_rule_cannot_work_out_a_small_count(
    min_cell: int, most: int
) -> None:
    """All counts that there are: what is told of several is told of each of them."""
    told_of: dict[tuple[int, tuple[int | None, ...]], list[tuple[int, ...]]] = {}
    for counts in itertools.product(range(most + 1), repeat=4):
        told = tuple(withhold(dict(zip("ABCD", counts, strict=True)), min_cell).values())
        told_of.setdefault((sum(counts), told), []).append(counts)
    judged = 0
    for (total, told), explanations in told_of.items():
        kept_back = total - sum(count or 0 for count in told)
        # As little as that is kept back only where there is no more.
        assert not kept_back or kept_back == total or kept_back >= 2 * min_cell
        # Fewer are never published (min_incidents); of more, not all explanations were made here.
        if not 2 * min_cell <= kept_back <= most:
            continue
        for place in (n for n, count in enumerate(told) if count is None):
            may_be = {counts[place] for counts in explanations}
            assert len(may_be) > 1 or min(may_be) >= min_cell, (told, total, explanations)
            judged += 1
    assert judged > 500


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6),
    st.integers(1, 8),
)
def test_of_groups_each_column_that_is_hidden_stays_open(
    rows: list[tuple[int, int]], min_cell: int
) -> None:
    named = {str(n): row for n, row in enumerate(rows)}
    hidden = withheld(named, min_cell)
    for name, row in named.items():
        assert name in hidden or all(n == 0 or n >= min_cell for n in row)
    if hidden and len(hidden) < sum(any(row) for row in rows):
        sums = [sum(named[name][column] for name in hidden) for column in (0, 1)]
        assert len(hidden) > 1
        assert min(sums) >= 2 * min_cell


# -- the summary ---------------------------------------------------------------------------------


def incidents(**changed: Any) -> PublicIncidents:
    found = PublicIncidents(
        rows=200, bad_rows=10, excluded=20, unmatched=20, judged=150, officers=30,
        classes={**dict.fromkeys((kind.value for kind in IncidentClass), 0),
                 "NEVER": 20, "LATE": 20, "COMPLETE": 100},
        vendor=100, window_us=3_000_000, evid_us=2_345_678, live_us=2_000_000,
    )  # fmt: skip
    return replace(found, **changed)


def facts(policy: Policy | None = None, **changed: Any) -> PublicFacts:
    force = PublicForce(30, 30, 15, 15, 10, 9)
    found = PublicFacts(policy or load_policy(), ("2026-06-01", "2026-06-30"), "intact", 40,
                        incidents(), force, {}, Groups())  # fmt: skip
    return replace(found, **changed)


def test_each_class_is_told_with_what_it_means() -> None:
    page = public_page(facts())
    for kind, words in CLASS_WORDS.items():
        assert re.search(
            rf"<b>{kind.value}</b></td><td>.{{1,40}}</td><td>{re.escape(words)}</td>", page
        )
    assert UNCERTAIN_WORDS in unescape(page)


def test_a_share_of_one_is_withheld_as_the_one_would_be() -> None:
    for vendor in (1, 4, 146, 149):
        found = public_summary(facts(incidents=incidents(vendor=vendor)))
        assert found["incidents"]["vendor_share"] is None, vendor
    for vendor in (0, 5, 145, 150):
        found = public_summary(facts(incidents=incidents(vendor=vendor)))
        assert found["incidents"]["vendor_share"] == round(vendor / 150, 3)


@pytest.mark.parametrize("count", [1, 29])
def test_a_use_of_force_that_stands_out_is_not_told_by_those_that_do_not(count: int) -> None:
    found = public_summary(facts(force=PublicForce(30, 30, count, 15, 15, 9)))
    assert found["force"]["recording"] is None
    assert found["force"]["proven_throughout"] == 0.5


def test_rows_less_the_rest_do_not_tell_what_is_withheld() -> None:
    told = public_summary(facts(incidents=incidents(rows=175, unmatched=3, bad_rows=2)))
    assert (told["incidents"]["rows"], told["incidents"]["unmatched"]) == (None, None)
    assert told["incidents"]["judged"] == 150


def test_time_is_told_as_a_share_that_no_length_follows_from() -> None:
    assert public_summary(facts())["incidents"]["coverage"] == 0.782


def test_many_incidents_of_few_officers_are_theirs_and_not_the_public_s() -> None:
    told = public_summary(facts(incidents=incidents(officers=4)))
    assert told["incidents"]["withheld"] == "fewer than 5 officers"
    assert "classes" not in told["incidents"]


@pytest.mark.parametrize(("cameras", "is_told"), [(9, False), (10, True)])
def test_of_few_cameras_no_measure_is_told(cameras: int, is_told: bool) -> None:
    sums = {("M1", "undocked_us"): 3_000_000, ("M1", "ready_us"): 1}
    told = public_summary(facts(cameras=cameras, sums=sums))["measures"]
    assert (told.get("withheld") is None) is is_told
    # Of time a share is told however small its part is.
    assert [value for name, value in told.items() if name.startswith("M1 ")] == [0.0] * is_told


def test_each_measure_s_share_is_of_its_own_whole() -> None:
    sums = {
        ("M1", "undocked_us"): 1000, ("M1", "ready_us"): 900, ("M12", "unknown_us"): 100,
        ("M3", "recordings"): 200, ("M3", "flagged"): 50, ("M3", "behaviour"): 20,
        ("M5", "recordings"): 100, ("M5", "short"): 10, ("M5", "bounces"): 96,
        ("M9", "presses"): 40, ("M9", "refused"): 36, ("M13", "in_log"): 30,
        ("M13", "mismatches"): 3, ("M14", "shifts"): 20, ("M14", "passed"): 20,
    }  # fmt: skip
    told = public_summary(facts(sums=sums))["measures"]
    # Four bounced not, four presses came to something, three recordings differ: too few to tell.
    assert list(told.values()) == [0.9, 0.1, 0.25, 0.4, 0.1, None, None, None, 1.0]


def group(name: str, judged: int, officers: int, complete: int) -> PublicGroup:
    return PublicGroup(name, judged, officers, complete, judged * 10, complete * 9)


def test_small_groups_are_one_and_a_group_of_one_person_is_none() -> None:
    groups = (group("north", 80, 12, 60), group("south", 30, 3, 5), group("east", 8, 8, 8),
              group("west", 32, 12, 27))  # fmt: skip
    told = public_summary(facts(groups={"District": groups}))["breakdown"]["District"]
    assert [(row["name"], row["judged"]) for row in told] == [
        ("north", 80), ("west", 32), (OTHERS, 38),
    ]  # fmt: skip
    assert told[0]["complete_share"] == 0.75


def test_a_group_that_is_just_large_enough_is_told_by_itself() -> None:
    groups = (group("north", 80, 12, 60), group("south", 40, 5, 20), group("west", 20, 12, 12))
    told = public_summary(facts(groups={"District": groups}))["breakdown"]["District"]
    assert {row["name"] for row in told} == {"north", "south", "west"}
    fewer = (*groups[:1], group("south", 40, 4, 20), group("west", 19, 12, 12))
    told = public_summary(facts(groups={"District": fewer}))["breakdown"]["District"]
    assert {row["name"] for row in told} == {"north", OTHERS}


def test_where_the_small_groups_are_still_few_the_smallest_of_the_others_joins_them() -> None:
    groups = (group("north", 80, 12, 60), group("east", 8, 8, 8), group("west", 62, 12, 32))
    told = public_summary(facts(groups={"District": groups}))["breakdown"]["District"]
    assert [(row["name"], row["judged"]) for row in told] == [("north", 80), (OTHERS, 70)]


def test_what_the_force_put_together_stays_together_with_the_small_ones() -> None:
    groups = (group("north", 80, 12, 60), group(OTHERS, 62, 12, 40), group("east", 8, 8, 8))
    told = public_summary(facts(groups={"District": groups}))["breakdown"]["District"]
    assert [(row["name"], row["judged"]) for row in told] == [("north", 80), (OTHERS, 70)]


def test_a_group_that_hides_takes_another_with_it() -> None:
    groups = (group("north", 60, 12, 57), group("west", 50, 12, 25), group("east", 40, 12, 18))
    told = public_summary(facts(groups={"District": groups}))["breakdown"]["District"]
    assert {row["name"]: row["complete_share"] for row in told} == {
        "east": None, "north": None, "west": 0.5,
    }  # fmt: skip


def test_the_groups_do_not_tell_the_class_that_is_withheld() -> None:
    classes = dict.fromkeys((kind.value for kind in IncidentClass), 0)
    few = incidents(classes={**classes, "NEVER": 2, "COMPLETE": 148})
    groups = (group("north", 75, 12, 75), group("west", 75, 12, 73))
    told = public_summary(facts(incidents=few, groups={"District": groups}))
    assert told["incidents"]["classes"]["COMPLETE"] is None
    assert {row["complete_share"] for row in told["breakdown"]["District"]} == {None}


def test_a_group_s_name_is_no_markup() -> None:
    groups = (group("<script>alert(1)</script>", 75, 12, 55), group("b", 75, 12, 45))
    text = public_page(facts(groups={"District": groups}))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


# -- what is taken together ------------------------------------------------------------------------


def difference(
    missing_with: int = 20, total_with: int = 60, missing_without: int = 100, total_without: int = 1000
) -> RiskDifference:  # fmt: skip
    e = Estimate(0.123456, 0.012345, 0.234567)
    return RiskDifference(
        e, e, e, None, 1.7, 0.5, missing_with, total_with, missing_without, total_without, 4, 0, 0, 0, 0
    )  # fmt: skip


def funnel(events: int = 40, officers: int = 30) -> Funnel:
    point = FunnelPoint(OfficerCount("pc-4711", 40, 9, 3.0), ((1, 6), (0, 8)))
    return Funnel(officers, 600, events, 0.01234, 0.00456, 0.05678, 0.01, (point,), (), 3)


def together(**changed: Any) -> dict[str, Any]:
    told: dict[str, Any] = public_summary(facts(together=Groups(**changed)))["groups"]
    return told


def test_a_difference_is_told_rounded_and_without_its_counts() -> None:
    told = together(missingness=Missingness(difference(), difference(), 9))
    assert told == {"M31": {question: {"value": 0.123, "low": 0.012, "high": 0.235}
                            for question in ("not_complete", "never")}}  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "total", "is_told"),
    [(1, 60, False), (4, 60, False), (5, 60, True), (55, 60, True), (56, 60, False), (59, 60, False),
     (9, 19, False), (9, 20, True), (0, 60, True), (60, 60, True)],
)  # fmt: skip
def test_a_difference_of_few_is_withheld(missing: int, total: int, is_told: bool) -> None:
    """Of incidents with an outcome, and of those without."""
    for few in (difference(missing, total), difference(20, 60, missing, total)):
        told = together(missingness=Missingness(few, difference(), 9))
        assert (told["M31"]["not_complete"] is not None) is is_told
        assert told["M31"]["never"] is not None


def test_of_a_funnel_the_group_is_told_and_no_point() -> None:
    found = facts(together=Groups(never=funnel(), late=funnel(events=3)))
    told = public_summary(found)["groups"]
    assert told == {"M32": {"never": {"value": 0.012, "low": 0.005, "high": 0.057}, "late": None}}
    assert "pc-4711" not in public_page(found) + str(told)
    assert together(never=funnel(officers=4)) == {"M32": {"never": None}}


def test_of_duties_and_filings_only_shares_are_told() -> None:
    sums = DutySum(duties=40, duty_us=3_000_000, recording_us=1_000_001, covered_us=999_999)
    duties = DutyCoverage(sums, (("pc-4711", sums),), 4, 0, 0)
    counts = {**dict.fromkeys(Filed, 0), Filed.IN_TIME: 90, Filed.LATE: 7, Filed.MISSING: 3}
    found = facts(together=Groups(duties=duties, filing=FilingResult(counts, 10, 1, None, 0)))
    told = public_summary(found)["groups"]
    assert told["M34"] == {"recorded": 0.333, "able": 0.0, "unknown": 0.0, "proven": 0.333}
    # Three are withheld; what was late goes with them, or they would be what is left of all.
    assert told["M35"] == {
        "undated": 0.0,
        "partly": 0.0,
        "late": None,
        "missing": None,
        "in_time": 0.9,
    }
    assert "pc-4711" not in public_page(found) + str(told)


def test_a_site_is_told_if_both_its_arms_are_large_enough() -> None:
    large, small = (ArmResult(n, n - 6, n - 6, n - 6, 1, 1, 1, 0, 5) for n in (40, 19))
    sites = tuple(
        SiteResult(name, large, control, SiteClass.NONE, (SiteClass.NONE,))
        for name, control in (("north", large), ("south", small))
    )
    told = together(sites=sites)
    assert told["M33"] == {
        "north": {"class": "no compliance", "treatment_kept": 0.85, "control_kept": 0.85}
    }


def test_what_is_of_few_officers_or_cameras_is_not_told_however_often_it_happened() -> None:
    sums = DutySum(duties=400, duty_us=3_000_000)
    arm = ArmResult(40, 20, 20, 20, 1, 1, 1, 0, officers=5)
    counts = {**dict.fromkeys(Filed, 0), Filed.IN_TIME: 90}
    groups = Groups(
        missingness=Missingness(difference(), difference(), officers_with=4),
        duties=DutyCoverage(sums, (("pc-4711", sums),), 3, 0, 0),
        sites=(
            SiteResult("one", arm, replace(arm, officers=4), SiteClass.NONE, (SiteClass.NONE,)),
            SiteResult("two", replace(arm, officers=4), arm, SiteClass.NONE, (SiteClass.NONE,)),
        ),
        filing=FilingResult(counts, 0, 0, None, 0),
    )
    told = public_summary(
        facts(together=groups, cameras=9, force=PublicForce(30, 30, 15, 15, 10, officers=4))
    )
    assert told["groups"] == {
        "M31": {"not_complete": None, "never": None}, "M34": None, "M35": None,
    }  # fmt: skip
    assert told["force"] == {"uses": 30, "withheld": "fewer than 5 officers"}


@pytest.mark.parametrize(("missing_with", "missing_without"), [(0, 0), (60, 1000)])
def test_a_difference_without_any_difference_has_no_interval_to_tell(
    missing_with: int, missing_without: int
) -> None:
    same = replace(difference(missing_with, 60), missing_without=missing_without)
    assert together(missingness=Missingness(same, difference(), 9))["M31"]["not_complete"] is None

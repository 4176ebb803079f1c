"""What is published of an audit, attacked by a reader who knows the sums, the rest, and the rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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

MIN_CELL = 4
NAMES = "ABCD"


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


@given(st.lists(st.integers(0, 12), min_size=4, max_size=4))
@example([4, 3, 3, 3])
@example([12, 3, 3, 3])
@example([4, 1, 1, 1])
def test_a_reader_who_knows_sum_and_rule_cannot_work_out_a_small_count(counts: list[int]) -> None:
    told = withhold(dict(zip(NAMES, counts, strict=True)), MIN_CELL)
    hidden = [name for name, count in told.items() if count is None]
    if sum(counts[NAMES.index(name)] for name in hidden) < 2 * MIN_CELL:
        # Fewer than are ever published: min_incidents is more than that.
        return
    for name in hidden:
        true = counts[NAMES.index(name)]
        may_be = {values[NAMES.index(name)] for values in _explanations(told, sum(counts))}
        assert true in may_be
        if true < MIN_CELL:
            assert len(may_be) > 1, (counts, told, name)


def _explanations(told: Mapping[str, int | None], total: int) -> Iterator[tuple[int, ...]]:
    """All counts of this sum of which the same would have been told."""
    ranges = [range(total + 1) if n is None else (n,) for n in told.values()]
    for values in itertools.product(*ranges):
        if (
            sum(values) == total
            and withhold(dict(zip(told, values, strict=True)), MIN_CELL) == told
        ):
            yield values


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
    force = PublicForce(30, 30, 15, 15, 10)
    found = PublicFacts(policy or load_policy(), ("2026-06-01", "2026-06-30"), "intact", 40,
                        incidents(), force, {})  # fmt: skip
    return replace(found, **changed)


def test_a_share_of_one_is_withheld_as_the_one_would_be() -> None:
    for vendor in (1, 4, 146, 149):
        found = public_summary(facts(incidents=incidents(vendor=vendor)))
        assert found["incidents"]["vendor_share"] is None, vendor
    for vendor in (0, 5, 145, 150):
        found = public_summary(facts(incidents=incidents(vendor=vendor)))
        assert found["incidents"]["vendor_share"] == round(vendor / 150, 3)


@pytest.mark.parametrize("count", [1, 29])
def test_a_use_of_force_that_stands_out_is_not_told_by_those_that_do_not(count: int) -> None:
    found = public_summary(facts(force=PublicForce(30, 30, count, 15, 15)))
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


def group(name: str, judged: int, officers: int, complete: int) -> PublicGroup:
    return PublicGroup(name, judged, officers, complete, judged * 10, complete * 9)


def test_small_groups_are_one_and_a_group_of_one_person_is_none() -> None:
    groups = (group("north", 80, 12, 60), group("south", 30, 3, 5), group("east", 8, 8, 8),
              group("west", 32, 12, 27))  # fmt: skip
    told = public_summary(facts(groups={"District": groups}))["groups"]["District"]
    assert [(row["name"], row["judged"]) for row in told] == [
        ("north", 80), ("west", 32), (OTHERS, 38),
    ]  # fmt: skip
    assert told[0]["complete_share"] == 0.75


def test_where_the_small_groups_are_still_few_the_smallest_of_the_others_joins_them() -> None:
    groups = (group("north", 80, 12, 60), group("east", 8, 8, 8), group("west", 62, 12, 32))
    told = public_summary(facts(groups={"District": groups}))["groups"]["District"]
    assert [(row["name"], row["judged"]) for row in told] == [("north", 80), (OTHERS, 70)]


def test_a_group_that_hides_takes_another_with_it() -> None:
    groups = (group("north", 60, 12, 57), group("west", 50, 12, 25), group("east", 40, 12, 18))
    told = public_summary(facts(groups={"District": groups}))["groups"]["District"]
    assert {row["name"]: row["complete_share"] for row in told} == {
        "east": None, "north": None, "west": 0.5,
    }  # fmt: skip


def test_the_groups_do_not_tell_the_class_that_is_withheld() -> None:
    classes = dict.fromkeys((kind.value for kind in IncidentClass), 0)
    few = incidents(classes={**classes, "NEVER": 2, "COMPLETE": 148})
    groups = (group("north", 75, 12, 75), group("west", 75, 12, 73))
    told = public_summary(facts(incidents=few, groups={"District": groups}))
    assert told["incidents"]["classes"]["COMPLETE"] is None
    assert {row["complete_share"] for row in told["groups"]["District"]} == {None}


def test_a_group_s_name_is_no_markup() -> None:
    groups = (group("<script>alert(1)</script>", 75, 12, 55), group("b", 75, 12, 45))
    text = public_page(facts(groups={"District": groups}))
    assert "<script" not in text
    assert "&lt;script&gt;" in text

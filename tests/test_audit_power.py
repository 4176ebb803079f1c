"""How surely the audit of a force finds what is planted in it, and how often it finds what is not.

From months as ingest leaves them, through the engine, to the numbers that the report says. A few forces on
each `make test`; hundreds in `make soak`, whose counts docs/AUDIT.md has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from scipy.stats import binom

from bodycam.audit.dataset.store import open_to_write
from bodycam.audit.force.run import Wanted, audit_force
from bodycam.audit.groups import Estimate, SiteClass
from bodycam.simulate.month.plan import HOURS

from .gradedmonth import behaviours
from .manyforces import DAYS, OFFICERS, Counted, Kind, ManyForces, batch

pytestmark = [pytest.mark.xdist_group("audit-power"), pytest.mark.timeout(3600)]

DIFFERENCE, NEVER, HABIT = 0.10, 0.05, 0.02
_OUTCOMES = {"incidents__force": 0.02, "incidents__complaint": 0.012}
# All are ordinary, and differ by chance alone but for what is planted.
PLANTED = behaviours(0, **_OUTCOMES, outcome__not_complete=DIFFERENCE, outcome__never=NEVER,
                     ordinary__spread=HABIT)  # fmt: skip
NOTHING = behaviours(0, **_OUTCOMES, outcome__not_complete=0, outcome__never=0, ordinary__spread=0)
# Of each kind of officer one in fifty; force is as likely to be used in front of each.
EVERYBODY = behaviours(
    0.02, **_OUTCOMES, outcome__not_complete=0, outcome__never=0, officers__trial=0
)
# Eight officers a site: some twenty shifts an arm, of which a site keeps to 95 of 100, or 85.
TRIAL = behaviours(0, officers__trial=0.25)
LOOSE = behaviours(0, officers__trial=0.25, trial__kept=0.85)

ACCUSING = ("NEVER", "LATE", "EARLY", "GAP")
SITES = {"high": SiteClass.HIGH, "discretion": SiteClass.DISCRETION, "none": SiteClass.NONE,
         "contaminated": SiteClass.CONTAMINATED}  # fmt: skip
# Of each behaviour: what was done, and who is found by which number of the report.
FOUND = {
    "late": (["late"], "M32, LATE above the outer limits", "LATE"),
    "never_on_some_calls": (["never"], "M32, NEVER above the outer limits", "NEVER"),
    "leaves_it_to_colleagues": (["never"], "M32, NEVER above the outer limits", "NEVER"),
    "early": (["early"], "EARLY, surely, at a third of the incidents",
              "graded group by officer having 3 * count(*) filter (kinds = 'EARLY') >= count(*)"),
    "mutes": (["muted"], "MUTED, surely, at a third of the incidents",
              "graded group by officer having 3 * count(*) filter (kinds = 'MUTED') >= count(*)"),
    "off_before_force": (["off before force"], "M30, surely a stop near force",
                         "near where stops_surely > 0"),
    "switches_off_between": (["complete"], "M3, buffers short for fresh power",
                             "worn_shifts where m3_behaviour > 0"),
    "late_out_of_the_dock": (["camera in the dock"], "DOCKED, surely, at a tenth of the incidents",
                             "graded group by officer having 10 * count(*) filter (kinds = 'DOCKED') >= count(*)"),
    "faulty_camera": (["camera failed", "camera failed, then hung", "camera stalled in the middle",
                       "camera died in the middle"], "M1 in FAULT without heat, or M6",
                      "worn_shifts where m6_count > 0 or (m1_fault_us > 0 and m16_throttled_us = 0)"),
    "too_hot": (["camera refused"], "M1 in FAULT with M16 throttled",
                "worn_shifts where m1_fault_us > 0 and m16_throttled_us > 0"),
    "flat_battery": (["battery died"], "M16, undervoltage", "worn_shifts where m16_undervolt_events > 0"),
    "wrong_clock": (["complete"], "M11, never set", "worn_shifts where m11_starts_never_synced > 0"),
}  # fmt: skip


# All of it in one force.
MIXED = behaviours(0.03, **_OUTCOMES, outcome__not_complete=DIFFERENCE, outcome__never=NEVER,
                   officers__trial=0.25)  # fmt: skip
FEW = (Kind("planted", 3, PLANTED), Kind("mixed", 2, MIXED))
MANY = (
    Kind("planted", 100, PLANTED), Kind("nothing", 100, NOTHING), Kind("everybody", 50, EVERYBODY),
    Kind("trial", 25, TRIAL), Kind("loose", 25, LOOSE),
)  # fmt: skip
SEED = 6


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> ManyForces:
    return ManyForces(tmp_path_factory.mktemp("few"), FEW, SEED)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ManyForces]:
    """The forces of one kind; no two kinds have a seed in common."""

    @cache
    def these(name: str) -> ManyForces:
        (number,) = [n for n, kind in enumerate(MANY) if kind.name == name]
        return ManyForces(tmp_path_factory.mktemp(name), [MANY[number]], SEED + 1 + number)

    return these


def said(what: str, found: Iterable[bool]) -> tuple[int, int]:
    told = list(found)
    print(f"power: {what}: {sum(told)} of {len(told)}")
    return sum(told), len(told)


def likely(found: tuple[int, int], share: float) -> bool:
    """Whether so many are what chance gives, but for one time in a thousand."""
    hits, of = found
    return bool(binom.ppf(0.0005, of, share) <= hits <= binom.ppf(0.9995, of, share))


def apart(found: Estimate | None) -> bool:
    assert found is not None
    return found.low > 0 or found.high < 0


def holds(found: Estimate | None, true: float) -> bool:
    assert found is not None
    return found.low <= true <= found.high


def mean(values: Iterable[float]) -> float:
    told = list(values)
    return sum(told) / len(told)


# -- the chain --------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_force_among_many_is_told_as_the_command_tells_it_alone(
    few: ManyForces, tmp_path: Path
) -> None:
    """M30 to M34: what the study counts is what the report says."""
    (alone, _), into = few.numbers("mixed"), tmp_path / "set"
    with open_to_write(into) as data:
        data.commit(batch(alone, SEED, MIXED).tables, {})
    wanted = Wanted(into, tmp_path / "out", few.policy, (), "1GB", 2)
    told = audit_force(wanted, lambda _done, _of: None).found.groups
    among = next(few.groups("mixed"))
    assert told.missingness is not None
    assert told.never is not None
    assert len(told.sites) == 4
    assert replace(told, filing=None) == among
    # All counted at once they are the same, but for the last digits of a sum.
    counted = next(few.counted("mixed"))
    for event in ("never", "late"):
        one, two = getattr(counted, event), getattr(told, event)
        for number in (
            "officers",
            "incidents",
            "events",
            "not_shown",
            "incidents_left_out",
            "unsure",
        ):
            assert getattr(one, number) == getattr(two, number)
        for number in ("rho", "rho_low", "rho_high", "p_value"):
            assert getattr(one, number) == pytest.approx(getattr(two, number), rel=1e-4, abs=1e-9)
        assert [p.count.observed for p in one.points] == [p.count.observed for p in two.points]
    for which in ("not_complete", "never"):
        one, two = getattr(counted.missingness, which), getattr(told.missingness, which)
        assert replace(one, by_officer=None) == replace(two, by_officer=None)
        for limit in ("low", "high"):
            there = getattr(two.by_officer, limit)
            assert getattr(one.by_officer, limit) == pytest.approx(there, abs=1e-11)


def wrong_classes(these: ManyForces, kind: str) -> list[tuple[str, str, int]]:
    return these.ask(
        kind, "select does, kind, count(*) from graded where true_kind is not null and kind <> true_kind"
        " and behaves <> 'wrong_clock' group by all"
    )  # fmt: skip


@pytest.mark.system
def test_in_each_of_a_few_forces_what_is_planted_comes_out(few: ManyForces) -> None:
    for kind in ("planted", "mixed"):
        assert wrong_classes(few, kind) == []
        ((incidents,),) = few.ask(kind, "select count(*) from graded")
        assert incidents == len(few.numbers(kind)) * OFFICERS * DAYS * HOURS
    assert no_honest_officer_is_accused(few, "mixed") > 1000
    told = list(few.counted("planted"))
    assert all(holds(one.missingness.not_complete.estimate, DIFFERENCE) for one in told)
    assert all(one.never.p_value < 0.05 for one in told)


def no_honest_officer_is_accused(these: ManyForces, kind: str) -> int:
    """The incidents of honest officers, of which none is surely NEVER or LATE, and EARLY or GAP only by
    what the camera lost in the middle, which is all in FAULT, UNKNOWN or BOOT.
    """
    open_ = " and ".join(
        f"kinds not like '%{k}%'" for k in ("COMPLETE", "FAULT", "UNKNOWN", "DEVICE")
    )
    accused = these.ask(
        kind, f"select behaves, does, kinds, count(*) from graded where honest and true_kind is not null"
        f" and {open_} and not (kinds in ('EARLY', 'GAP') and does like '%in the middle') group by all"
    )  # fmt: skip
    assert accused == []
    ((count,),) = these.ask(kind, "select count(*) from graded where honest")
    return int(count)


# -- the power --------------------------------------------------------------------------------------


Many = Callable[[str], ManyForces]


@pytest.fixture(scope="module")
def planted(many: Many) -> list[Counted]:
    return list(many("planted").counted("planted"))


@pytest.mark.soak
@pytest.mark.parametrize("kind", [kind.name for kind in MANY])
def test_every_class_is_the_one_that_was_planted(many: Many, kind: str) -> None:
    assert wrong_classes(many(kind), kind) == []


@pytest.mark.soak
def test_what_is_missing_after_an_outcome_is_found(planted: list[Counted]) -> None:
    for which, true, least in (("not_complete", DIFFERENCE, 0.8), ("never", NEVER, 0.4)):
        found = [getattr(groups.missingness, which) for groups in planted]
        value = mean(one.estimate.value for one in found)
        print(f"power: {which}: planted {true:.2f}, mean of the estimates {value:.4f}")
        assert abs(value - true) < 0.01
        hits, of = said(f"{which}: 0 is outside", (apart(one.estimate) for one in found))
        assert hits >= least * of
        said(f"{which}: 0 is outside (by officer)", (apart(one.by_officer) for one in found))
        for how in ("estimate", "by_officer"):
            inside = (holds(getattr(one, how), true) for one in found)
            assert likely(said(f"{which}: what was planted is inside ({how})", inside), 0.95)


@pytest.mark.soak
def test_that_officers_differ_is_found(planted: list[Counted]) -> None:
    habits = [groups.never for groups in planted]
    value = mean(one.rho for one in habits)
    print(f"power: rho: planted {HABIT}, mean of the estimates {value:.4f}")
    assert abs(value - HABIT) < 0.004
    hits, of = said("rho: p below 0.05", (one.p_value < 0.05 for one in habits))
    assert hits >= 0.95 * of
    # What is expected of an officer holds some of himself: a little less is found than there is.
    hits, of = said(
        "rho: what was planted is inside", (one.rho_low <= HABIT <= one.rho_high for one in habits)
    )
    assert hits >= 0.88 * of


@pytest.mark.soak
def test_where_nothing_is_planted_nothing_is_found_oftener_than_chance_has_it(
    many: Many,
) -> None:
    nothing = list(many("nothing").counted("nothing"))
    for which in ("not_complete", "never"):
        for how in ("estimate", "by_officer"):
            found = (apart(getattr(getattr(groups.missingness, which), how)) for groups in nothing)
            assert likely(said(f"nothing planted, {which}: 0 is outside ({how})", found), 0.05)
    # Slow to find, for the same reason, and never quick.
    for what, told in (
        ("NEVER", [groups.never for groups in nothing]), ("LATE", [groups.late for groups in nothing]),
    ):  # fmt: skip
        hits, of = said(f"nothing planted, rho of {what}: p below 0.05",
                        (one.p_value < 0.05 for one in told))  # fmt: skip
        assert hits <= binom.ppf(0.9995, of, 0.05)
    points = [p for groups in nothing for p in groups.never.points + groups.late.points]
    hits, of = said("nothing planted, an officer above the outer limits",
                    (p.count.observed > p.limits[-1][1] for p in points))  # fmt: skip
    assert hits <= binom.ppf(0.9995, of, 0.001)


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "least"), [("trial", 0.9), ("loose", 0.5)])
def test_each_site_of_a_trial_gets_its_class(many: Many, kind: str, least: float) -> None:
    told = [site for groups in many(kind).groups(kind) for site in groups.sites]
    for name, true in SITES.items():
        found = [site for site in told if site.site == name]
        hits, of = said(f"{kind}: site {name} is {true.value}", (s.kind is true for s in found))
        assert hits >= least * of
        said(f"{kind}: site {name} surely", (s.kinds == (true,) for s in found))


@pytest.mark.soak
def test_officers_are_found_by_what_they_do(many: Many) -> None:
    these = many("everybody")
    above: dict[str, set[str]] = {"NEVER": set(), "LATE": set()}
    for groups in these.counted("everybody"):
        for name, told in (("NEVER", groups.never), ("LATE", groups.late)):
            above[name] |= {
                p.count.officer for p in told.points if p.count.observed > p.limits[-1][1]
            }
    officers = dict(these.ask("everybody", "select officer, behaves from who"))
    for kind, (does, how, sql) in FOUND.items():
        shown = (
            above[sql]
            if sql in above
            else {o for (o,) in these.ask("everybody", f"select distinct officer from {sql}")}
        )
        did = {o for (o,) in these.ask(
            "everybody", f"select distinct officer from graded where behaves = '{kind}' and does in {does!r}"
            .replace("[", "(").replace("]", ")"),
        )}  # fmt: skip
        said(f"{kind}, {how}", (o in shown for o in sorted(did)))
        for other in sorted({*officers.values()} - {kind}):
            theirs = [o for o, behaves in sorted(officers.items()) if behaves == other]
            if any(o in shown for o in theirs):
                said(f"  {other} shown by it, too", (o in shown for o in theirs))
    honest = {
        o for (o,) in these.ask("everybody", "select distinct officer from graded where honest")
    }
    assert not honest & (above["NEVER"] | above["LATE"])


@pytest.mark.soak
def test_nobody_honest_is_accused(many: Many) -> None:
    count = no_honest_officer_is_accused(many("everybody"), "everybody")
    print(f"power: honest officers' incidents, none surely accused: {count}")

"""The engine graded by a month whose truth is known: what was planted is found, and nobody else accused."""

from __future__ import annotations

from collections import Counter

import pytest

from bodycam.audit.engine.groupfacts import filing_of, trial_of
from bodycam.audit.groups import SiteClass
from bodycam.audit.incidents import Bound, Window
from bodycam.audit.intervals import Times, times
from bodycam.audit.scoring import IncidentClass, OfficerTime
from bodycam.audit.states import DeviceState
from bodycam.audit.uncertainty import score_range
from bodycam.simulate.month.behaviours import HONEST

from .gradedmonth import Graded, behaviours

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-graded"), pytest.mark.timeout(900)]

ACCUSING = "['NEVER', 'LATE', 'EARLY', 'GAP']"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """Every kind of officer: 300 of them for a week."""
    folder = tmp_path_factory.mktemp("graded")
    given = behaviours(0.04, incidents__force=0.02, trial__kept=1, trial__kept_elsewhere=0)
    return Graded(folder, 300, 7, 1, given)


# -- classes --------------------------------------------------------------------------------------


def test_every_incident_gets_the_class_that_was_planted(month: Graded) -> None:
    wrong = month.ask(
        "select behaves, does, true_kind, kind, count(*) from graded where true_kind is not null"
        " and behaves <> 'wrong_clock' and kind <> true_kind group by all"
    )
    assert wrong == []
    counts = dict(month.ask("select true_kind, count(*) from graded group by 1"))
    print(f"graded: {sum(counts.values())} incidents, {counts}")
    assert sum(counts.values()) == 300 * 7 * 10
    # None of the classes is left untried; of None dispatch does not say when it began, or ended.
    assert min(counts.values()) > 20
    assert len(counts) == 11


def test_what_is_said_beside_the_class_is_what_was_done(month: Graded) -> None:
    assert month.one("select count(*) from graded where does = 'late' and true_kind is not null"
                     " and (press_delay_us <> late_us or not late)") == 0  # fmt: skip
    for flag, does in (
        ("retro", "pressed when it was over"), ("saved_by_buffer", "saved by the buffer"),
        ("handed_over", "handed over to a colleague"),
    ):  # fmt: skip
        met = month.ask(
            f"select {flag}, does = '{does}', count(*) from graded where true_kind is not null"
            " and behaves <> 'wrong_clock' group by all order by all"
        )
        assert [(found, true) for found, true, _ in met] == [(False, False), (True, True)], flag
        assert met[1][2] > 5


def test_who_could_not_have_recorded_is_never_said_to_have_chosen_so(month: Graded) -> None:
    able = "off_us + boot_us + ready_us + recording_us + sleep_us"
    assert month.one(f"select count(*) from graded where kind = 'NEVER' and 2 * ({able}) <= window_us") == 0  # fmt: skip
    # Neither reason alone took half of the window.
    mixed = month.ask(
        "select kind, max(2 * unknown_us < window_us), max(2 * fault_us < window_us), count(*)"
        " from graded where does = 'camera failed, then hung' and true_kind is not null group by 1"
    )
    assert [row[:3] for row in mixed] == [("FAULT", True, True)]
    assert mixed[0][3] > 5


def test_what_a_camera_lost_in_the_middle_is_beside_the_class_that_it_got(month: Graded) -> None:
    """M27 asks of FAULT and UNKNOWN only where nothing was recorded; the times in them say the rest."""
    met = month.ask(
        "select does, kind, count(*), max(gap_us - fault_us), max(window_us - evid_us - unknown_us - boot_us"
        " - ready_us) from graded where does like '%in the middle' and true_kind is not null group by all"
        " order by all"
    )
    assert [row[:2] for row in met] == [
        ("camera died in the middle", "EARLY"), ("camera stalled in the middle", "GAP"),
    ]  # fmt: skip
    assert min(row[2] for row in met) > 5
    assert met[1][3] == 0
    # Two heartbeats after its last line it is still believed to have recorded.
    assert met[0][4] <= 21_000_000


def test_a_colleague_is_missed_where_somebody_leaves_it_to_him(month: Graded) -> None:
    missed = dict(month.ask(
        "select behaves, sum(partner_us) / count(*) / 1e6 from graded where partner_us > 0 or"
        " behaves in ('always', 'leaves_it_to_colleagues') group by 1"
    ))  # fmt: skip
    assert missed["leaves_it_to_colleagues"] > 5 * missed["always"]


def test_an_honest_officer_is_never_surely_accused(month: Graded) -> None:
    """But by what the camera lost in the middle, which is beside the class: the test above."""
    accused = month.ask(
        "select behaves, does, kinds, count(*) from graded where honest and true_kind is not null"
        f" and list_has_all({ACCUSING}, string_split(kinds, '|')) and does not like '%in the middle'"
        " group by all"
    )
    assert accused == []
    judged = dict(month.ask(
        "select behaves, count(*) from graded where honest and true_kind is not null group by 1"
    ))  # fmt: skip
    assert judged.keys() == set(HONEST)
    print(f"graded: honest officers' incidents, none accused: {judged}")


def test_what_dispatch_does_not_say_is_said_of_the_window(month: Graded) -> None:
    """Without its beginning or end a window is wider than the incident: who came by reads which."""
    met = month.ask(
        "select due_by in ('on scene', 'first entry') and end_by = 'cleared', true_kind is not null,"
        " count(*) from graded group by all order by all"
    )
    assert [row[:2] for row in met] == [(False, False), (True, True)]
    assert met[0][2] > 100


def test_a_clock_forty_minutes_off_leaves_open_what_is_true_and_accuses_nobody(
    month: Graded,
) -> None:
    """By the engine, and by `uncertainty` of the rows that a wrong clock left."""
    rules = month.policy.incident
    sure, unsure = Counter[str](), Counter[str]()
    for officer, device in month.ask(
        "select officer, device from true_officers where behaves = 'wrong_clock' limit 4"
    ):
        mine = _officer(month, device)
        for due_us, end_us, does, kinds in month.ask(
            "select due_us, end_us, does, kinds from graded where true_kind is not null"
            f" and officer = '{officer}' order by 1"
        ):
            window = Window(due_us, end_us, Bound.ON_SCENE, Bound.CLEARED)
            found = score_range(window, mine, 3_000_000_000, rules)
            assert does == "complete"
            assert IncidentClass.COMPLETE in found.kinds
            assert kinds.split("|") == [kind.value for kind in found.kinds]
            (sure if found.certain else unsure)[found.nominal.kind.value] += 1
    assert sure.keys() <= {"COMPLETE"}
    # By the clock as it is most of them would have been accused.
    assert unsure["NEVER"] + unsure["LATE"] + unsure["EARLY"] > 50


def _officer(month: Graded, device: str) -> OfficerTime:
    def spans(kind: str, name: str = "") -> Times:
        return times(month.ask(
            f"select start_us, end_us from told_spans where device = '{device}' and kind = '{kind}'"
            f" and name = '{name}'"
        ))  # fmt: skip

    states = {state: spans("state", state.value) for state in DeviceState}
    always = times([(-(1 << 60), 1 << 60)])
    return OfficerTime(
        spans("live"), spans("evid"), spans("failed"), spans("overlay", "muted"), states, always
    )


def test_an_outcome_is_of_those_of_whom_it_is_said(month: Graded) -> None:
    """A complaint that names no officer is of all who were there."""
    assert month.one(
        "select count(*) from graded g where outcome <> exists(from outcomes o"
        " where o.event = g.event and o.officer in ('', g.officer))"
    ) == 0  # fmt: skip
    both = "select event from graded where outcome group by event having count(*) = 2"
    assert month.one(f"select count(*) from ({both})") > 0


# -- the cameras alone ------------------------------------------------------------------------------


def shifts(month: Graded, what: str) -> dict[str, float]:
    """By kind of officer."""
    return dict(month.ask(f"select behaves, {what} from worn_shifts group by 1"))


def test_each_measure_of_the_cameras_finds_its_own_and_nobody_else(month: Graded) -> None:
    for what, kinds in (
        ("sum(m9_refused)", {"too_hot", "faulty_camera"}),
        ("sum(m6_count)", {"faulty_camera"}),
        # Whoever is not heard of for hours is in no shift: a battery that died is known by M34 alone.
        ("sum(m12_unknown_us)", {"faulty_camera"}),
        ("sum(m16_throttled_us)", {"too_hot", "flat_battery"}),
        ("sum(m16_undervolt_events)", {"flat_battery"}),
        ("sum(m1_fault_us)", {"faulty_camera", "too_hot"}),
        ("sum(m3_behaviour)", {"switches_off_between"}),
        ("sum(m11_starts_never_synced)", {"wrong_clock"}),
        ("sum((m14_passed < m14_shifts)::int)", {"faulty_camera"}),
        ("sum(m1_off_us)", {"switches_off_between"}),
    ):  # fmt: skip
        found = shifts(month, what)
        assert {kind for kind, value in found.items() if value} == kinds, what


def test_a_camera_that_is_off_between_incidents_is_ready_for_less_of_its_time(
    month: Graded,
) -> None:
    ready = shifts(month, "sum(m1_ready_us) / sum(m1_undocked_us)")
    assert ready["switches_off_between"] < 0.6
    assert all(
        share == 1 for kind, share in ready.items() if kind in ("always", "ordinary", "late")
    )
    mine = month.ask(
        "select sum(m3_recordings), sum(m3_behaviour), max(m3_longest_us) from worn_shifts"
        " where behaves = 'switches_off_between'"
    )
    # Three seconds of thirty are there, of each one.
    ((recordings, behaviour, longest_us),) = mine
    assert (recordings == behaviour, longest_us) == (True, 27_000_000)


def test_a_slow_firmware_is_told_by_its_name(month: Graded) -> None:
    took = {row[0]: row[1:] for row in month.ask("select firmware, p50_us, max_us from latencies")}
    assert took["bodycam month"][1] < 160_000
    assert 900_000 < took["bodycam month slow"][0] < took["bodycam month slow"][1] < 1_900_000


def test_evidence_that_was_changed_is_counted_and_no_gap(month: Graded) -> None:
    counts = dict(month.ask("select verdict, count(*) from told_recordings group by 1"))
    assert counts["altered"] > 0
    found = month.one("select sum(m13_mismatches) from shifts")
    assert found == counts["altered"] + counts["incomplete"]
    # What failed is neither late nor a gap: these stay what they are, with nothing covered.
    assert set(month.ask(
        "select kind from graded where failed_us = window_us and true_kind is not null"
    )) == {("COMPLETE",)}  # fmt: skip


# -- force, duty, trial, filing ----------------------------------------------------------------------


def test_who_switches_off_before_force_is_found_and_who_records_is_shown_to(month: Graded) -> None:
    near = {row[0]: row[1:] for row in month.ask(
        "select behaves, count(*), min(stops_surely), min(covered_us_min), max(covered_us_min)"
        " from near_force join true_officers using (officer) group by 1"
    )}  # fmt: skip
    uses, stops, _, most_us = near["off_before_force"]
    assert uses > 5
    # Times of force are rounded to a minute: none is surely covered, and each has a stop near it.
    assert (stops, most_us < 60_000_000) == (1, True)
    assert near["always"][2:] == (60_000_000, 60_000_000)


def test_each_site_of_a_trial_gets_its_class(month: Graded) -> None:
    found, left_out = trial_of(month.result("duties"), month.policy.statistics)
    assert left_out == 0
    sites = {site.site: site for site in found}
    assert {name: site.kind for name, site in sites.items()} == {
        "high": SiteClass.HIGH, "discretion": SiteClass.DISCRETION, "none": SiteClass.NONE,
        "contaminated": SiteClass.CONTAMINATED,
    }  # fmt: skip
    assert all(site.kinds == (site.kind,) for site in sites.values())
    assert sites["high"].control.recorded_us == 0
    assert sites["contaminated"].control.recorded_us > 3600 * 1_000_000


def test_of_their_duty_some_were_ready_for_less(month: Graded) -> None:
    able = dict(month.ask(
        "select behaves, sum(ready_us + recording_us + boot_us) / sum(duty_us) from duties"
        " join true_officers using (officer) group by 1"
    ))  # fmt: skip
    # Three hours of ten in the dock, but for the first day; hours of a battery that died.
    assert 0.70 < able["late_out_of_the_dock"] < 0.78
    assert 0.6 < able["flat_battery"] < 0.9
    assert able["ordinary"] > 0.999
    docked = dict(month.ask(
        "select behaves, sum(docked_us) from duties join true_officers using (officer) group by 1"
    ))  # fmt: skip
    # A clock that is 40 minutes behind puts its camera into the dock that much too early.
    assert {kind for kind, us in docked.items() if us} >= {"late_out_of_the_dock"}


def test_who_files_badly_is_found(month: Graded) -> None:
    bad = dict(month.ask(
        "select behaves, count(*) filter (how in ('late', 'without category or event')) from filed"
        " join true_officers using (device) group by 1"
    ))  # fmt: skip
    every = dict(month.ask(
        "select behaves, count(*) from told_recordings join true_officers using (device) group by 1"
    ))  # fmt: skip
    shares = {kind: bad[kind] / count for kind, count in every.items()}
    assert 0.35 < shares["files_badly"] < 0.5
    assert all(share < 0.06 for kind, share in shares.items() if kind != "files_badly")
    found = filing_of(month.result("filing_counts"), month.result("unknown_filings"))
    assert found is not None
    assert found.wrong_share is not None
    assert found.wrong_share.low < 0.96 * 0.02 + 0.04 * 0.24 < found.wrong_share.high
    assert found.unknown == 0


# -- the group --------------------------------------------------------------------------------------


def test_what_is_missing_after_force_and_complaints_is_found_among_the_ordinary(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    given = behaviours(
        0, incidents__force=0.04, incidents__complaint=0.02, outcome__not_complete=0.25,
        outcome__never=0.15, ordinary__spread=0.04,
    )  # fmt: skip
    graded = Graded(tmp_path_factory.mktemp("ordinary"), 160, 5, 1, given)
    assert graded.one("select count(*) from graded where kind <> true_kind") == 0
    told = graded.missingness()
    for found, planted in ((told.not_complete.estimate, 0.25), (told.never.estimate, 0.15)):
        assert found is not None
        assert 0 < found.low < planted < found.high < 0.4
    habit = graded.habit("NEVER")
    assert habit.p_value < 0.001
    assert habit.rho_low < 0.04 < habit.rho_high

"""An officer at an incident, by the plain audit: whose clocks count, why it was off, what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bodycam.audit.assignments import Assignments
from bodycam.audit.incidents import Incident
from bodycam.audit.intervals import Interval, times
from bodycam.audit.officers import officer_cameras
from bodycam.audit.outcome import ScoredIncident, _scored
from bodycam.audit.policy import Exclusions, Policy, load_policy
from bodycam.audit.recordings import Recording
from bodycam.audit.scoring import S
from bodycam.audit.states import DeviceState
from bodycam.audit.timeline import DeviceTimeline, StateSpan

POLICY = load_policy()
LONG = times([(-10_000 * S, 10_000 * S)])


def camera(device: str, start_s: int, end_s: int, err_s: int = 0) -> DeviceTimeline:
    """Ready all the while, but where it recorded; its clock may be off by so much."""
    line = DeviceTimeline(device)
    bounds = [-10_000 * S, start_s * S, end_s * S, 10_000 * S]
    names = (DeviceState.READY, DeviceState.RECORDING, DeviceState.READY)
    line.states = [
        StateSpan(state, a, b, err_s * S)
        for state, a, b in zip(names, bounds[:-1], bounds[1:], strict=True)
    ]
    span = times([(start_s * S, end_s * S)])
    line.recordings = [Recording(device, start_us=start_s * S, live_end_us=end_s * S, evid=span)]
    line.errors = [(Interval(*LONG[0]), err_s * S)]
    return line


def worn(*pairs: tuple[str, str]) -> Assignments:
    found = Assignments()
    for officer, device in pairs:
        found.by_officer.setdefault(officer, {})[device] = [*LONG]
    return found


def incident(event: str, officer: str, **more: Any) -> Incident:
    """On scene from 0 to 600 s."""
    return Incident(event, officer, 0, 600 * S, 0, **more)


def scored(
    told: list[Incident], who: Assignments, *lines: DeviceTimeline, policy: Policy = POLICY
) -> list[ScoredIncident]:
    cameras: Mapping[str, DeviceTimeline] = {line.device: line for line in lines}
    officers = {one.officer: officer_cameras(one.officer, who, cameras) for one in told}
    found, _ = _scored(told, officers, who, cameras, policy)
    return found


def kinds(one: ScoredIncident) -> set[str]:
    assert one.found is not None
    return {kind.value for kind in one.found.kinds}


BOTH = worn(("A", "mine"), ("B", "other"))
TOGETHER = [incident("E1", "A"), incident("E1", "B")]


@pytest.mark.parametrize(("err_s", "may_be"), [(0, {"EARLY"}), (20, {"EARLY", "COMPLETE"})])
def test_whether_a_colleague_took_over_hangs_on_the_colleague_s_clock(
    err_s: int, may_be: set[str]
) -> None:
    """By it there are ten seconds between one's stop and the other's beginning."""
    mine, other = camera("mine", 0, 300), camera("other", 310, 600, err_s)
    (one, _) = scored(TOGETHER, BOTH, mine, other)
    assert kinds(one) == may_be
    assert one.found is not None
    assert (one.found.err_us, one.partner_us) == (0, 290 * S)


def test_a_colleague_s_clock_that_was_wrong_at_another_time_is_no_doubt() -> None:
    mine, other = camera("mine", 0, 300), camera("other", 310, 600, 20)
    other.errors = [(Interval(5000 * S, 6000 * S), 20 * S), (Interval(*LONG[0]), 0)]
    assert kinds(scored(TOGETHER, BOTH, mine, other)[0]) == {"EARLY"}


def test_one_s_own_clock_leaves_one_s_own_class_open() -> None:
    mine, other = camera("mine", 20, 600, 10), camera("other", 0, 600)
    one, two = scored(TOGETHER, BOTH, mine, other)
    assert (kinds(one), kinds(two)) == ({"LATE", "COMPLETE"}, {"COMPLETE"})
    assert (one.partner_us, two.partner_us) == (20 * S, 0)


def test_who_was_at_another_event_took_nothing_over() -> None:
    mine, other = camera("mine", 0, 300), camera("other", 300, 600)
    apart = [incident("E1", "A"), incident("E2", "B")]
    (one, _) = scored(apart, BOTH, mine, other)
    assert (kinds(one), one.partner_us) == ({"EARLY"}, 0)
    (one, _) = scored(TOGETHER, BOTH, mine, other)
    assert (kinds(one), one.partner_us) == ({"COMPLETE"}, 300 * S)


def test_why_it_was_off_is_asked_of_the_window_alone() -> None:
    mine = camera("mine", 0, 600)
    mine.states += [
        StateSpan(DeviceState.OFF, a * S, b * S, 0, why)
        for a, b, why in ((-50, 0, "before"), (-10, 1, "battery"), (100, 200, "battery"),
                          (599, 700, "SIGTERM"), (600, 700, "behind"))
    ]  # fmt: skip
    mine.states.sort(key=lambda s: (s.start_us, s.end_us))
    (one,) = scored([incident("E1", "A")], BOTH, mine)
    assert one.whys == ("off: battery", "off: SIGTERM")


def test_what_is_excluded_or_of_nobody_s_camera_is_not_judged() -> None:
    excluded = replace(POLICY, excluded=Exclusions(("WELFARE",), ("CANCELLED",)))
    told = [
        incident("E1", "A", call_type="WELFARE"), incident("E2", "A", clearance="CANCELLED"),
        incident("E3", "nobody"), incident("E4", "nobody", call_type="WELFARE"), incident("E5", "A"),
    ]  # fmt: skip
    found = scored(told, BOTH, camera("mine", 0, 600), policy=excluded)
    assert [one.left_out for one in found] == ["EXCLUDED", "EXCLUDED", "UNMATCHED", "EXCLUDED", ""]
    assert [one.found is None for one in found] == [True, True, True, True, False]


def test_two_cameras_at_once_are_said_as_far_as_the_window_goes() -> None:
    who = worn(("A", "mine"))
    who.by_officer["A"]["spare"] = [(500 * S, 900 * S)]
    (one,) = scored([incident("E1", "A")], who, camera("mine", 0, 300), camera("spare", 300, 600))
    assert (one.devices, one.two_cameras_us) == (("mine", "spare"), 100 * S)
    assert one.found is not None
    assert one.found.nominal.evid_us == 400 * S
    who.by_officer["A"]["spare"] = [(600 * S, 900 * S)]
    (one,) = scored([incident("E1", "A")], who, camera("mine", 0, 300), camera("spare", 300, 600))
    assert (one.devices, one.two_cameras_us) == (("mine",), 0)

"""Was it recorded when it should have been: windows, classes, and how sure we are of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from importlib import resources
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bodycam.audit.incidents import Bound, Incident, Window, windows
from bodycam.audit.intervals import Times, times
from bodycam.audit.officers import OfficerCameras
from bodycam.audit.policy import load_policy, parse_policy
from bodycam.audit.scoring import IncidentClass, OfficerTime, Press, S, Score, excluded, score
from bodycam.audit.states import DeviceState
from bodycam.audit.uncertainty import Peers, peers_prove, score_range
from bodycam.errors import CannotOpen, ConfigError

from .auditlogs import at, day
from .naive_audit import HALF_US, Bitmaps, bits, naive

POLICY = load_policy()
RULES = POLICY.incident
ALWAYS = times([(-(10**15), 10**15)])


def window(due_s: float, end_s: float) -> Window:
    return Window(round(due_s * S), round(end_s * S), Bound.ON_SCENE, Bound.CLEARED)


def officer(live: Iterable[tuple[float, float]], evid: Iterable[tuple[float, float]] | None = None,
            **more: Any) -> OfficerTime:  # fmt: skip
    """An officer whose camera is READY otherwise; without `evid` the pictures are those of LIVE."""
    spans = [(round(a * S), round(b * S)) for a, b in live]
    shown = spans if evid is None else [(round(a * S), round(b * S)) for a, b in evid]
    given: dict[str, Any] = {"states": {DeviceState.READY: ALWAYS}, "assigned": ALWAYS, **more}
    presses = tuple(Press(a, b, times(shown)) for a, b in spans)
    return OfficerTime(live=times(spans), evid=times(shown), presses=presses, **given)


# -- the table of section 6.6 -------------------------------------------------------------------

CASES = [
    ("2 s clip right after dispatch, nothing on scene", [(0, 2)], True, "NEVER", 0.000),
    ("running since before dispatch", [(-600, 1500)], False, "COMPLETE", 1.000),
    ("on scene throughout", [(300, 1500)], True, "COMPLETE", 1.000),
    ("60 s late", [(360, 1500)], True, "LATE", 0.950),
    ("stopped half way", [(300, 900)], True, "EARLY", 0.500),
    ("3 min hole", [(300, 800), (980, 1500)], True, "GAP", 0.850),
    ("starts in the last 2 s", [(1498, 1500)], True, "LATE", 0.002),
]


@pytest.mark.parametrize(("case", "live", "vendor", "kind", "coverage"), CASES, ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_the_seven_cases(
    case: str, live: list[tuple[float, float]], vendor: bool, kind: str, coverage: float
) -> None:
    found = score(window(300, 1500), officer(live), RULES, dispatched_us=0)
    assert (found.vendor, found.kind.value, round(found.coverage, 3)) == (vendor, kind, coverage), (
        case
    )
    assert found.evid_us + found.missing_us == found.window_us


# -- each definition ---------------------------------------------------------------------------


def of(*live: tuple[float, float], **more: Any) -> Score:
    return score(window(0, 600), officer(live, **more), RULES)


def test_thresholds_are_where_the_policy_says() -> None:
    assert of((15, 600)).kind is IncidentClass.COMPLETE
    assert of((15.000001, 600)).kind is IncidentClass.LATE
    assert of((0, 540)).kind is IncidentClass.COMPLETE
    assert of((0, 539.999999)).kind is IncidentClass.EARLY
    assert of((0, 300), (301.999999, 600)).kind is IncidentClass.COMPLETE
    assert of((0, 300), (302, 600)).kind is IncidentClass.GAP
    assert of((0, 0.999999)).kind is IncidentClass.NEVER
    assert of((0, 1)).kind is IncidentClass.EARLY


def test_the_buffer_saves_a_late_press_and_no_forgotten_one() -> None:
    saved = of((40, 600), evid=[(10, 630)])
    assert (saved.kind, saved.saved_by_buffer, saved.late) == (IncidentClass.COMPLETE, True, False)
    assert (saved.evid_delay_us, saved.press_delay_us) == (10 * S, 40 * S)
    assert of((15.000001, 600), evid=[(15, 600)]).saved_by_buffer
    assert not of((15, 600), evid=[(0, 600)]).saved_by_buffer
    assert not of((40, 600), evid=[(15.000001, 600)]).saved_by_buffer
    retro = of((605, 700), evid=[(575, 700)])
    assert (retro.kind, retro.retro, retro.evid_us) == (IncidentClass.NEVER, True, 25 * S)
    assert not of((-60, -10), evid=[(-90, 20)]).retro


def test_only_who_pressed_when_it_was_over_did_so_in_retrospect() -> None:
    assert of((600, 700), evid=[(570, 700)]).retro
    pressed_in_time = of((599.5, 700), evid=[(570, 700)])
    assert (pressed_in_time.kind, pressed_in_time.retro) == (IncidentClass.NEVER, False)
    assert not of((600, 700), evid=[(600, 700)]).retro
    assert of((-200, -100), (600, 700), evid=[(-230, -100), (570, 700)]).retro


def test_a_hole_says_in_which_state_the_camera_was() -> None:
    fault = times([(300 * S, 320 * S)])
    ready = times([(0, 300 * S), (320 * S, 600 * S)])
    found = of((0, 600), evid=[(0, 300), (320, 600)],
               states={DeviceState.FAULT: fault, DeviceState.RECORDING: ready})  # fmt: skip
    assert found.kind is IncidentClass.GAP
    (gap,) = found.gaps
    assert (gap.states, found.gap_us, found.longest_gap_us) == (
        (DeviceState.FAULT,),
        20 * S,
        20 * S,
    )


def test_early_needs_that_nobody_took_over() -> None:
    whole, mine = window(0, 600), officer([(0, 300)])
    assert (
        score(whole, mine, RULES, peers=times([(200 * S, 540 * S)])).kind is IncidentClass.COMPLETE
    )
    assert score(whole, mine, RULES, peers=times([(200 * S, 539 * S)])).early
    assert score(whole, mine, RULES, peers=times([(301 * S, 600 * S)])).early


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (DeviceState.UNKNOWN, IncidentClass.UNKNOWN), (DeviceState.FAULT, IncidentClass.FAULT),
        (DeviceState.DOCKED, IncidentClass.DOCKED), (DeviceState.OFF, IncidentClass.NEVER),
        (DeviceState.READY, IncidentClass.NEVER), (DeviceState.SLEEP, IncidentClass.NEVER),
    ],
)  # fmt: skip
def test_who_could_not_record_is_not_accused(state: DeviceState, kind: IncidentClass) -> None:
    half = {state: times([(0, 300 * S)]), DeviceState.BOOT: times([(300 * S, 600 * S)])}
    assert of(states=half).kind is kind
    less = {state: times([(0, 299 * S)]), DeviceState.BOOT: times([(299 * S, 600 * S)])}
    assert of(states=less).kind is IncidentClass.NEVER
    assert of((0, 600), states=half).kind is IncidentClass.COMPLETE


@pytest.mark.parametrize(
    ("unknown", "fault", "docked", "absent", "kind"),
    [
        (30, 30, 0, 0, "UNKNOWN"), (30, 31, 0, 0, "FAULT"), (0, 25, 25, 0, "FAULT"),
        (20, 0, 30, 0, "DOCKED"), (10, 15, 10, 15, "FAULT"), (10, 10, 10, 20, "NO-DEVICE"),
        (25, 0, 0, 25, "UNKNOWN"), (20, 20, 9, 0, "NEVER"), (12, 12, 12, 13, "NEVER"),
        (50, 50, 0, 0, "UNKNOWN"), (0, 0, 0, 100, "NO-DEVICE"),
    ],
)  # fmt: skip
def test_what_kept_a_camera_from_recording_counts_together(
    unknown: int, fault: int, docked: int, absent: int, kind: str
) -> None:
    """In hundredths of the window, in this order; the rest READY."""
    edges = [0, *accumulate((unknown, fault, docked, 100 - unknown - fault - docked))]
    names = (DeviceState.UNKNOWN, DeviceState.FAULT, DeviceState.DOCKED, DeviceState.READY)
    spans = {
        n: times([(6 * a * S, 6 * b * S)]) for n, (a, b) in zip(names, pairwise(edges), strict=True)
    }
    assigned = times([(0, 6 * (100 - absent) * S)])
    assert of(states=spans, assigned=assigned).kind.value == kind
    # Whoever recorded is judged by the recording.
    assert of((0, 600), states=spans, assigned=assigned).kind is IncidentClass.COMPLETE


@pytest.mark.parametrize(
    ("off", "flat", "fault", "kind", "excused"),
    [(100, 100, 0, "NEVER", True), (100, 0, 0, "NEVER", False), (60, 50, 0, "NEVER", True),
     (60, 49, 0, "NEVER", False), (60, 20, 30, "NEVER", True), (50, 50, 50, "FAULT", False)],
)  # fmt: skip
def test_an_empty_battery_is_said_beside_never(
    off: int, flat: int, fault: int, kind: str, *, excused: bool
) -> None:
    """In hundredths of the window: FAULT first, at its end OFF, of which the last was for the battery."""
    states = {DeviceState.FAULT: times([(0, 6 * fault * S)]),
              DeviceState.READY: times([(6 * fault * S, 6 * (100 - off) * S)]),
              DeviceState.OFF: times([(6 * (100 - off) * S, 600 * S)])}  # fmt: skip
    found = of(states=states, flat=times([(6 * (100 - flat) * S, 900 * S)]))
    assert (found.kind.value, found.excused_if_flat, found.flat_us) == (
        kind,
        excused,
        6 * flat * S,
    )
    assert not of((0, 600), states=states, flat=times([(0, 600 * S)])).excused_if_flat


def test_of_two_cameras_the_one_that_could_do_more_is_not_flat() -> None:
    flat = officer([], states={DeviceState.OFF: ALWAYS}, flat=ALWAYS)
    other = officer([], states={DeviceState.READY: times([(0, 200 * S)]), DeviceState.OFF: ALWAYS})
    mine = OfficerCameras(((flat, ALWAYS), (other, times([(0, 400 * S)]))), ALWAYS).nominal
    assert score(window(0, 600), mine, RULES).flat_us == 400 * S


def test_without_a_camera_or_a_word_of_it_nobody_is_accused() -> None:
    assert of(assigned=()).kind is IncidentClass.NO_DEVICE
    assert of(states={}).kind is IncidentClass.UNKNOWN


def test_what_failed_verification_is_neither_covered_nor_late_nor_a_gap() -> None:
    found = of(
        (0, 600), evid=[(100, 300), (400, 600)], failed=times([(0, 100 * S), (300 * S, 400 * S)])
    )
    assert (found.kind, found.evid_us, found.failed_us) == (
        IncidentClass.COMPLETE,
        400 * S,
        200 * S,
    )
    assert (found.evid_delay_us, found.gaps) == (0, ())


def test_muted_is_what_was_muted_while_recording() -> None:
    assert of((0, 600), muted=times([(10 * S, 20 * S)])).muted_us == 10 * S
    assert of((0, 600), muted=times([(10 * S, 20 * S)])).kind is IncidentClass.MUTED
    assert of((0, 600), muted=times([(10, 11)])).kind is IncidentClass.MUTED
    assert of((0, 545), muted=times([(550 * S, 560 * S)])).kind is IncidentClass.COMPLETE


def test_the_vendors_rule_counts_beginnings_and_both_ends() -> None:
    start_at_end = score(window(0, 600), officer([(600, 700)]), RULES, dispatched_us=-100 * S)
    assert (start_at_end.vendor, start_at_end.activated) == (True, False)
    assert of((-500, -400), (100, 600)).vendor
    assert of((0, 1)).vendor
    before = replace_rules(vendor_before_s=300)
    on_the_opening = score(window(0, 600), officer([(-300, 600)]), before)
    just_before_it = score(window(0, 600), officer([(-300.000001, 600)]), before)
    assert (on_the_opening.vendor, just_before_it.vendor) == (True, False)
    assert not score(window(0, 600), officer([(-200, 600)]), RULES).vendor
    assert score(window(0, 600), officer([(-200, 600)]), before).vendor


def replace_rules(**change: int) -> Any:
    return msgspec.structs.replace(RULES, **change)


# -- windows -----------------------------------------------------------------------------------


def bounds(*incidents: Incident) -> list[tuple[float, float, str, str] | None]:
    return [
        None if w is None else (w.due_us / S, w.end_us / S, w.due_by.value, w.end_by.value)
        for w in windows(incidents, RULES)
    ]


def test_each_bound_says_which_time_supplied_it() -> None:
    one = Incident("E1", "A", 0, cleared_us=900 * S, on_scene_us=300 * S)
    self_seen = replace(one, self_initiated=True, first_entry_us=120 * S)
    assert bounds(one) == [(300, 900, "on scene", "cleared")]
    assert bounds(replace(one, on_scene_us=None)) == [(0, 900, "dispatched", "cleared")]
    assert bounds(self_seen) == [(120, 900, "first entry", "cleared")]
    assert bounds(replace(one, cleared_us=None)) == [
        (300, 300 + 8 * 3600, "on scene", "longest allowed")
    ]
    assert bounds(replace(one, cleared_us=300 * S)) == [None]


def test_an_open_incident_ends_with_the_officers_next_dispatch() -> None:
    one = Incident("E1", "A", 0, on_scene_us=300 * S)
    after, other = Incident("E2", "A", 2000 * S), Incident("E3", "B", 1000 * S)
    assert bounds(one, after, other)[0] == (300, 2000, "on scene", "next dispatch")
    # Whoever is sent on as he arrives has not been there for no time at all.
    at_once = Incident("E4", "A", 300 * S)
    assert bounds(one, at_once, after)[0] == (300, 2000, "on scene", "next dispatch")
    earlier = Incident("E5", "A", -100 * S)
    assert bounds(earlier, one)[0] == (-100, 0, "dispatched", "next dispatch")
    late = Incident("E2", "A", 9 * 3600 * S)
    assert bounds(one, late)[0] == (300, 300 + 8 * 3600, "on scene", "longest allowed")


def test_exclusions_are_data() -> None:
    rules = parse_policy(
        DEFAULT.replace(b"call_types = []", b'call_types = ["WELFARE"]'), "p"
    ).excluded
    assert excluded(Incident("E", "A", 0, call_type="WELFARE"), rules)
    assert not excluded(Incident("E", "A", 0, call_type="TRAFFIC"), rules)


# -- policy ------------------------------------------------------------------------------------

DEFAULT = resources.files("bodycam.audit").joinpath("policy.toml").read_bytes()


def test_a_policy_is_known_by_its_hash() -> None:
    assert parse_policy(DEFAULT, "p").sha256 == POLICY.sha256
    other = parse_policy(DEFAULT.replace(b"grace_on_s = 15 ", b"grace_on_s = 16 "), "p")
    assert other.sha256 != POLICY.sha256
    assert other.incident.grace_on_s == 16


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"grace_on_s = 15 ", b"grace_on = 15 "), (b"version = 1", b"version = 0"),
        (b"gap_min_s = 2 ", b'gap_min_s = "2"'), (b"vendor_before_s = 0 ", b"vendor_before_s = 301 "),
        (b"[device]", b"[devices]"), (b"name", b"\xff"), (b"grace_off_s = 60", b"grace_off_s = -1"),
    ],
)  # fmt: skip
def test_a_policy_that_is_none_names_what_is_wrong(old: bytes, new: bytes) -> None:
    assert old in DEFAULT
    with pytest.raises(ConfigError, match=r"force\.toml"):
        parse_policy(DEFAULT.replace(old, new, 1), "force.toml")


@pytest.mark.parametrize(
    "section", ["incident", "device", "force", "public", "statistics", "excluded"]
)
def test_a_word_that_no_section_knows_is_no_policy(section: str) -> None:
    """A threshold that is misspelt would silently not be one."""
    text = DEFAULT.replace(f"[{section}]".encode(), f"[{section}]\nstrange = 1\n#".encode(), 1)
    assert text != DEFAULT
    with pytest.raises(ConfigError, match="strange"):
        parse_policy(text, "force.toml")


def test_a_policy_that_is_not_there_is_said() -> None:
    with pytest.raises(CannotOpen):
        load_policy(Path("/nowhere/policy.toml"))


# -- a second implementation -------------------------------------------------------------------

Spans = list[tuple[int, int]]


def some(rng: random.Random, low: int, high: int, most: int) -> Spans:
    """Up to so many spans of whole seconds."""
    found = []
    for _ in range(rng.randint(0, most)):
        start = rng.randint(low, high)
        found.append((start, min(high, start + rng.choice([0, 1, 2, 3, 10, 40, 200]))))
    return found


def a_case(rng: random.Random) -> tuple[Window, OfficerTime, Times, Spans, dict[str, Spans]]:
    low, high = 100, 800
    due = rng.randrange(200, 600, 2)
    w = (due, due + rng.choice([2, 4, 20, 60, 100, 160]))
    live = some(rng, low, high, 3)
    if rng.random() < 0.4:
        live.append((rng.randint(low, due), rng.randint(due, high)))
    evid = [
        (a - rng.choice([0, 2, 30]), b + rng.choice([0, 1, 30]))
        for a, b in live
        if rng.random() < 0.9
    ]
    failed = some(rng, low, high, 1)
    muted = some(rng, low, high, 1) if rng.random() < 0.3 else []
    cuts = sorted({low, high, *(rng.randint(low, high) for _ in range(rng.randint(0, 4)))})
    states: dict[str, Spans] = {}
    for a, b in pairwise(cuts):
        name = rng.choice(["docked", "off", "ready", "recording", "fault", "unknown", ""])
        if name:
            states.setdefault(name, []).append((a, b))
    assigned = [(low - 100, high + 100)] if rng.random() < 0.8 else some(rng, low, high, 2)
    peers = some(rng, low, high, 2)
    sets = {"live": live, "evid": evid, "failed": failed, "muted": muted, "assigned": assigned,
            "peers": peers}  # fmt: skip
    given = {name: times((a * S, b * S) for a, b in spans) for name, spans in sets.items()}
    mine = OfficerTime(
        given["live"], given["evid"], given["failed"], given["muted"],
        {DeviceState(n): times((a * S, b * S) for a, b in spans) for n, spans in states.items()},
        given["assigned"],
    )  # fmt: skip
    return (
        window(*w),
        mine,
        given["peers"],
        [w],
        {**sets, **{f"state {n}": s for n, s in states.items()}},
    )


def bitmaps(sets: dict[str, Spans]) -> Bitmaps:
    half = {name: bits([(2 * a, 2 * b) for a, b in spans]) for name, spans in sets.items()}
    states = {n.removeprefix("state "): b for n, b in half.items() if n.startswith("state ")}
    return Bitmaps(
        half["live"], half["evid"], half["failed"], half["muted"], states, half["assigned"]
    )


UNABLE = (DeviceState.UNKNOWN, DeviceState.FAULT, DeviceState.DOCKED)


def as_naive(found: Score) -> dict[str, Any]:
    def halves(value: int | None) -> int | None:
        if value is None:
            return None
        assert value % HALF_US == 0
        return value // HALF_US

    return {
        "kind": found.kind.value, "live": halves(found.live_us), "evid": halves(found.evid_us),
        "missing": halves(found.missing_us), "failed": halves(found.failed_us),
        "activated": found.activated, "evid_delay": halves(found.evid_delay_us),
        "press_delay": halves(found.press_delay_us), "late": found.late, "tail": halves(found.tail_us),
        "early": found.early, "gaps": len(found.gaps), "gap": halves(found.gap_us),
        "longest_gap": halves(found.longest_gap_us), "muted": halves(found.muted_us),
        "unknown": halves(found.state_us[DeviceState.UNKNOWN]), "no_device": halves(found.no_device_us),
    }  # fmt: skip


def test_twenty_thousand_incidents_agree_with_a_second_implementation() -> None:
    rng = random.Random(20_000)
    met: Counter[IncidentClass] = Counter()
    for number in range(20_000):
        w, mine, peers, (span,), sets = a_case(rng)
        found = score(w, mine, RULES, peers=peers)
        expected = naive(2 * span[0], 2 * span[1], bitmaps(sets),
                         bits([(2 * a, 2 * b) for a, b in sets["peers"]]))  # fmt: skip
        assert as_naive(found) == expected, number
        assert found.evid_us + found.missing_us == w.length_us, number
        met[found.kind] += 1
        if not found.activated:
            able_us = sum(found.state_us[s] for s in DeviceState if s not in UNABLE)
            assert (found.kind is IncidentClass.NEVER) == (2 * able_us > w.length_us), number
    assert sum(met.values()) == 20_000
    # None of the classes is left untried.
    assert min(met[kind] for kind in IncidentClass) > 50, met


def test_a_class_that_only_a_shift_in_the_middle_gives_is_found() -> None:
    """The camera was worn for a part of the window; its states are cut there, and the window's edges tell
    nothing of it.
    """
    states = {DeviceState.FAULT: times([(-100 * S, -39 * S)]),
              DeviceState.READY: times([(-900 * S, -100 * S), (-39 * S, 900 * S)])}  # fmt: skip
    w, told = window(-40, 100), officer([], states=states, assigned=times([(0, 80 * S)]))
    shifts = {by: score(w, told.shifted(by * S), RULES).kind.value for by in range(-140, 141)}
    assert {by for by, kind in shifts.items() if kind == "FAULT"} == set(range(99, 121))
    assert {k.value for k in score_range(w, told, 140 * S, RULES).kinds} == {*shifts.values()}


NAMES = {"live": "live_us", "evid": "evid_us", "missing": "missing_us", "failed": "failed_us",
         "gap": "gap_us", "longest_gap": "longest_gap_us", "muted": "muted_us",
         "evid_delay": "evid_delay_us", "press_delay": "press_delay_us", "tail": "tail_us"}  # fmt: skip


def test_uncertain_clocks_give_what_trying_every_half_second_gives() -> None:
    rng = random.Random(40)
    unsure = 0
    for number in range(400):
        w, mine, peers, (span,), sets = a_case(rng)
        err_s = rng.choice([1, 3, 12, 40])
        found = score_range(w, mine, err_s * S, RULES, peers=Peers(peers, peers, peers))
        still = bitmaps(sets)
        shifts = [
            naive(2 * span[0], 2 * span[1], still.shifted(by),
                  bits([(2 * a, 2 * b) for a, b in sets["peers"]]))
            for by in range(-2 * err_s, 2 * err_s + 1)
        ]  # fmt: skip
        assert {k.value for k in found.kinds} == {s["kind"] for s in shifts}, number
        for name, key in NAMES.items():
            known = [s[name] * HALF_US for s in shifts if s[name] is not None]
            least, most = found.numbers[key]
            # Where a number jumps, its least and greatest lie between two tries.
            assert most is None if not known else 0 <= (most or 0) - max(known) <= HALF_US, (
                number,
                name,
            )
            if len(known) < len(shifts):
                assert least is None, (number, name)
            elif least is not None:
                assert 0 <= min(known) - least <= HALF_US, (number, name)
        unsure += len(found.kinds) > 1
    assert 40 < unsure < 360


def test_a_clock_that_is_sure_gives_one_number() -> None:
    found = score_range(window(0, 600), officer([(20, 600)]), 0, RULES)
    assert found.certain
    assert all(least == most for least, most in found.numbers.values())


@pytest.mark.parametrize("wrong_s", [-2400, -30, 30, 2400])
def test_what_a_clock_puts_before_the_assignment_may_have_been_in_it(wrong_s: int) -> None:
    """The officer took the camera and recorded all that followed; its clock is off, and says so."""
    told = officer([(300 + wrong_s, 900 + wrong_s)])
    mine = OfficerCameras(((told, times([(300 * S, 900 * S)])),), times([(300 * S, 900 * S)]))
    found = score_range(window(300, 900), mine, abs(wrong_s) * S, RULES)
    assert IncidentClass.COMPLETE in found.kinds
    assert found.numbers["evid_us"][1] == 600 * S
    # What others wore it for is not the officer's, whatever the clock is.
    before = OfficerCameras(
        ((told, times([(-9000 * S, -8000 * S)])),), times([(-9000 * S, -8000 * S)])
    )
    assert score_range(window(300, 900), before, abs(wrong_s) * S, RULES).kinds == (
        IncidentClass.NO_DEVICE,
    )  # fmt: skip


def test_cameras_are_cut_at_their_assignments_as_every_half_second_has_it() -> None:
    rng = random.Random(41)
    unsure = 0
    for number in range(200):
        w, first, _, _, _ = a_case(rng)
        _, second, _, _, _ = a_case(rng)
        taken = rng.randint(100, 500), rng.randint(100, 500)
        whens = [times([(a * S, (a + rng.randint(1, 500)) * S)]) for a in taken]
        mine = OfficerCameras(
            ((first, whens[0]), (second, whens[1])), times([*whens[0], *whens[1]])
        )
        err_s = rng.choice([3, 12, 40])
        found = score_range(w, mine, err_s * S, RULES)
        tries = {
            score(w, mine.shifted(by * S // 2), RULES).kind
            for by in range(-2 * err_s, 2 * err_s + 1)
        }
        assert {*found.kinds} == tries, number
        unsure += len(found.kinds) > 1
    assert unsure > 20


@pytest.mark.parametrize(("peer_err_s", "kinds"), [(0, {"EARLY"}), (20, {"EARLY", "COMPLETE"})])
def test_a_peer_s_clock_may_hide_that_somebody_took_over(peer_err_s: int, kinds: set[str]) -> None:
    """By the peer's clock there are ten seconds between one's stop and the other's beginning."""
    took_over = peers_prove([(times([(310 * S, 900 * S)]), ALWAYS, peer_err_s * S)], window(0, 600))
    found = score_range(window(0, 600), officer([(0, 300)]), 0, RULES, peers=took_over)
    assert {kind.value for kind in found.kinds} == kinds


def test_a_peer_s_clock_may_pretend_that_somebody_took_over() -> None:
    took_over = peers_prove([(times([(290 * S, 900 * S)]), ALWAYS, 20 * S)], window(0, 600))
    found = score_range(window(0, 600), officer([(0, 300)]), 5000, RULES, peers=took_over)
    assert found.nominal.handed_over
    assert {kind.value for kind in found.kinds} == {"EARLY", "COMPLETE"}


# -- a clock that is 40 minutes wrong ----------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "true"),
    [([(290.0, 1500.0)], IncidentClass.COMPLETE), ([(360.0, 1500.0)], IncidentClass.LATE),
     ([(300.0, 900.0)], IncidentClass.EARLY), ([], IncidentClass.NEVER)],
)  # fmt: skip
@pytest.mark.parametrize("wrong_s", [-2400, 2400])
def test_a_clock_forty_minutes_wrong_says_no_more_than_it_knows(
    live: list[tuple[float, float]], true: IncidentClass, wrong_s: int
) -> None:
    told = officer([(a + wrong_s, b + wrong_s) for a, b in live])
    found = score_range(window(300, 1500), told, 2500 * S, RULES)
    assert true in found.kinds
    if live:
        assert not found.certain
        least, most = found.numbers["evid_us"]
        assert least is not None
        assert most is not None
        assert least <= sum(round((min(b, 1500) - max(a, 300)) * S) for a, b in live) <= most


def test_a_long_recording_is_sure_whatever_the_clock() -> None:
    found = score_range(window(30_000, 31_200), officer([(20_000, 40_000)]), 2500 * S, RULES)
    assert found.kinds == (IncidentClass.COMPLETE,)


def test_forty_minutes_wrong_until_it_is_set_changes_nothing(tmp_path: Path) -> None:
    with day(tmp_path) as camera:
        camera.clock.wrong_s, camera.clock.unc_ms = -2400, 3_000_000
        camera.boot(0)
        camera.record(360, 1500)
        camera.clock.wrong_s, camera.clock.unc_ms = 0, 5
        camera.to(1600)
        camera.sample()
        camera.end(1700)
    line = camera.timeline()
    mine = OfficerTime(line.live, line.live, assigned=ALWAYS)
    w = Window(at(300), at(1500), Bound.ON_SCENE, Bound.CLEARED)
    found = score_range(w, mine, line.err_us(w.due_us, w.end_us), RULES)
    assert (found.err_us, found.kinds) == (5000, (IncidentClass.LATE,))
    assert found.numbers["press_delay_us"] == (60 * S - 5000, 60 * S + 5000)

"""The table of what the officer sees and feels, row by row, as the trace that CI compares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam import patterns
from bodycam.clock import MS, NS
from bodycam.config import OUTPUT_PINS, Signals
from bodycam.signalplayer import SignalPlayer, TraceEvent
from bodycam.signals import Cue, Facts, SignalState, reminders_due, state_of

READY = Facts(booted=True, ready=True)
REC = replace(READY, wanted=True, recording=True, last_sync_age_ns=0)
COVERT_REC = replace(REC, covert=True)


@dataclass
class Shift:
    """A player, the pins it drives, and a recorder that renders when it is told to.

    Facts are repeated each second, as a recorder does whose disk goes on syncing.
    """

    policy: Signals = field(default_factory=Signals)
    now_ns: int = 0
    facts: Facts | None = None
    lit: dict[str, bool] = field(default_factory=dict)
    strokes: list[tuple[str, int, int]] = field(default_factory=list)
    trace: list[TraceEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self.player = SignalPlayer(self._write, self.policy)

    def _write(self, pin: str, active: bool) -> None:
        assert pin in OUTPUT_PINS
        if active:
            self._since_ns[pin] = self.now_ns
        elif self.lit.get(pin):
            since_ns = self._since_ns[pin]
            self.strokes.append((pin, since_ns // MS, (self.now_ns - since_ns) // MS))
        self.lit[pin] = active

    def run(self, seconds: float, *, talking: bool = True) -> Shift:
        end_ns = self.now_ns + int(seconds * NS)
        tell_ns = self.now_ns
        while True:
            due_ns = self.player.render(self.now_ns)
            assert due_ns > self.now_ns
            tell_ns = tell_ns if tell_ns > self.now_ns else self.now_ns + NS
            following_ns = min(due_ns, tell_ns)
            if following_ns >= end_ns:
                break
            self.now_ns = following_ns
            if talking and self.facts is not None and self.now_ns == tell_ns:
                self.trace += self.player.update(self.facts, self.now_ns)
        self.now_ns = end_ns
        self.player.render(self.now_ns)
        return self

    def tell(self, facts: Facts) -> Shift:
        self.facts = facts
        self.trace += self.player.update(facts, self.now_ns)
        self.player.render(self.now_ns)
        return self

    def cue(self, cue: Cue) -> Shift:
        self.trace += self.player.cue(cue, self.now_ns)
        self.player.render(self.now_ns)
        return self

    def text(self) -> list[str]:
        """The trace, one line an event: seconds, state, lamps, taps (cue)."""
        return [_line(event) for event in self.trace]

    def felt(self) -> list[tuple[int, int]]:
        """Strokes of the motor as (begin, length) in ms."""
        return [(begin, length) for pin, begin, length in self.strokes if pin == "haptic"]


def _line(event: TraceEvent) -> str:
    state = "+".join([event.state.value, *(notice.value for notice in event.also)])
    taps = event.taps or "-"
    cue = f" ({event.cue.value})" if event.cue else ""
    return f"{event.at_ns / NS:g} {state} | {event.wearer} | {event.public} | {taps}{cue}"


def told(facts: Facts, seconds: float = 1) -> list[str]:
    return Shift().tell(facts).run(seconds).text()


# -- the table, state by state ----------------------------------------------------------------


def test_a_shift_from_power_on_to_power_off() -> None:
    shift = Shift().tell(Facts()).run(5).tell(READY).run(5)
    wanted = replace(READY, wanted=True, wanted_age_ns=0)
    shift.cue(Cue.PRESS_ACK).tell(wanted).run(0.5)
    shift.tell(REC).cue(Cue.START).run(130)
    shift.tell(replace(REC, wanted=False, stop_pending=True)).run(1.9)
    shift.cue(Cue.STOP).tell(READY).run(5)
    shift.tell(replace(READY, on=False)).run(1)
    assert shift.text() == [
        "0 boot | amber slow pulse | dark | -",
        "5 ready | green 1 blink/2s | dark | 1 short",
        "10 ready | green 1 blink/2s | dark | 1 tick (press-ack)",
        "10 starting | red on | dark | -",
        "10.5 rec | red 1Hz | red 1Hz | -",
        "10.5 rec | red 1Hz | red 1Hz | 2 short (start)",
        "130.5 rec | red 1Hz | red 1Hz | 2 short",
        "140.5 stop-confirm | red 4Hz | red 1Hz | 1 tick",
        "141.5 stop-confirm | red 4Hz | red 1Hz | 1 tick",
        "142.4 stop-confirm | red 4Hz | red 1Hz | 1 long (stop)",
        "142.4 ready | green 1 blink/2s | dark | -",
        "147.4 off | dark | dark | 1 long",
    ]


@pytest.mark.parametrize("missing", ["ready", "camera_ok", "keys_ok"])
def test_not_ready_is_said_often_then_seldom(missing: str) -> None:
    shift = Shift().tell(replace(READY, **{missing: False})).run(721)
    lines = shift.text()
    assert lines[0] == "0 notready | amber double blink | dark | 5 quick"
    assert [int(line.split()[0]) for line in lines] == [0, 30, 60, 90, 120, 420, 720]


def test_the_tail_looks_like_the_stop_it_belongs_to() -> None:
    tail = replace(REC, wanted=False, tail=True)
    assert told(tail, 1.5) == [
        "0 stop-confirm | red 4Hz | red 1Hz | 1 tick",
        "1 stop-confirm | red 4Hz | red 1Hz | 1 tick",
    ]


def test_degraded_is_said_once_then_every_two_minutes() -> None:
    assert told(replace(REC, degraded=True), 121) == [
        "0 degraded | red 1Hz amber flash | red 1Hz | 5 quick",
        "120 degraded | red 1Hz amber flash | red 1Hz | 5 quick",
    ]


def test_degraded_coming_and_going_does_not_nag() -> None:
    shift = Shift()
    for _ in range(5):
        shift.tell(replace(REC, degraded=True)).run(3).tell(REC).run(3)
    assert [event.taps for event in shift.trace if event.taps] == ["5 quick"]


def test_wanted_and_not_recording_is_a_fault_every_20_s_and_the_public_lamp_stays_dark() -> None:
    assert told(replace(READY, wanted=True), 41) == [
        "0 fault | amber/red alternating | dark | 5 quick",
        "20 fault | amber/red alternating | dark | 5 quick",
        "40 fault | amber/red alternating | dark | 5 quick",
    ]


def test_a_start_that_takes_too_long_becomes_a_fault() -> None:
    assert Shift().tell(replace(READY, wanted=True, wanted_age_ns=0)).run(3, talking=False).tell(
        replace(READY, wanted=True)
    ).text() == [
        "0 starting | red on | dark | -",
        "2 fault | amber/red alternating | dark | 5 quick",
    ]


def test_recording_again_after_a_fault_is_felt_once() -> None:
    shift = Shift().tell(replace(READY, wanted=True)).run(5).tell(REC).cue(Cue.START).run(5)
    assert shift.text()[-2:] == [
        "5 rec | red 1Hz | red 1Hz | 2 short",
        "5 rec | red 1Hz | red 1Hz | - (start)",
    ]


def test_a_faulty_switch_is_a_fault_and_a_running_recording_stays_honest() -> None:
    assert state_of(replace(READY, switch_ok=False)) is SignalState.FAULT
    assert state_of(replace(REC, switch_ok=False)) is SignalState.DEGRADED


def test_storage_warns_at_10_and_5_percent_and_each_minute_when_full() -> None:
    shift = Shift()
    for percent in (12, 10, 9, 6, 5, 1):
        shift.tell(replace(REC, storage_low_percent=percent)).run(10)
    shift.tell(replace(READY, wanted=True, storage_low_percent=0, storage_full=True)).run(61)
    assert shift.text() == [
        "0 rec | red 1Hz | red 1Hz | -",
        "10 rec+low-store | red 1Hz + amber 3 blinks | red 1Hz | 3 short",
        "40 rec+low-store | red 1Hz + amber 3 blinks | red 1Hz | 3 short",
        "60 full | amber 3 blinks | dark | 3 short",
        "120 full | amber 3 blinks | dark | 3 short",
    ]


def test_the_battery_warns_at_20_and_5_minutes_then_every_20_s() -> None:
    shift = Shift()
    for minutes in (21, 20, 6, 5):
        shift.tell(replace(READY, battery_minutes=minutes)).run(30)
    assert shift.text() == [
        "0 ready | green 1 blink/2s | dark | 1 short",
        "30 ready+low-batt | green 1 blink/2s + amber 4 blinks | dark | 4 quick",
        "90 ready+low-batt | green 1 blink/2s + amber 4 blinks | dark | 4 quick",
        "110 ready+low-batt | green 1 blink/2s + amber 4 blinks | dark | 4 quick",
    ]


def test_heat_is_said_once() -> None:
    assert told(replace(REC, hot=True), 100) == [
        "0 rec+hot | red 1Hz + amber fast | red 1Hz | 4 long"
    ]


def test_a_cell_in_danger_is_said_every_20_s() -> None:
    said = "rec+hot | red 1Hz + amber fast | red 1Hz | 4 long"
    assert told(replace(REC, hot=True, danger=True), 50) == [f"{s} {said}" for s in (0, 20, 40)]


def test_an_unset_clock_blinks_for_a_minute_and_is_not_felt() -> None:
    assert told(replace(REC, clock_unset=True), 100) == [
        "0 rec+clock-unset | red 1Hz + amber 1 blink/5s | red 1Hz | -",
        "60 rec+clock-unset | red 1Hz | red 1Hz | -",
    ]


def test_a_long_recording_is_recalled_after_an_hour_and_then_every_15_min() -> None:
    shift = Shift()
    for minute in range(100):
        shift.tell(replace(REC, long=reminders_due(minute * 60 * NS, 3600 * NS))).run(60)
    assert [line for line in shift.text() if "1 long" in line] == [
        f"{60 * minute} rec+long | red 1Hz | red 1Hz | 1 long" for minute in (60, 75, 90)
    ]


def test_a_covered_lens_is_said_once_as_long_as_nothing_else_is_wrong() -> None:
    shift = Shift().tell(replace(REC, lens=True)).run(300)
    shift.tell(replace(REC, lens=True, degraded=True)).run(1)
    seen = "degraded | red 1Hz amber flash | red 1Hz | 5 quick"
    assert shift.text() == [f"0 {seen}", f"300 {seen}"]
    assert told(replace(READY, lens=True), 5) == told(READY, 5)


def test_covert_is_dark_but_never_silent_to_the_touch() -> None:
    shift = Shift(policy=Signals(buzzer=True))
    shift.cue(Cue.START).tell(COVERT_REC).run(125).cue(Cue.MARKER).cue(Cue.STOP)
    assert [(line.taps, line.buzzer) for line in shift.trace[1:]] == [
        (None, None),
        ("2 short", None),
        ("1 tick", None),
        ("1 long", None),
    ]
    assert {(line.wearer, line.public) for line in shift.trace[1:]} == {("dark", "dark")}
    assert {pin for pin, begin, _ in shift.strokes if begin > 1000} == {"haptic"}


def test_muted_is_blue_while_held_with_a_tick_each_10_s() -> None:
    shift = Shift().tell(REC).run(1).tell(replace(REC, muted=True)).run(15).tell(REC)
    assert shift.text() == [
        "0 rec | red 1Hz | red 1Hz | -",
        "1 rec+muted | blue | red 1Hz | 1 tick",
        "11 rec+muted | blue | red 1Hz | 1 tick",
        "16 rec | red 1Hz | red 1Hz | -",
    ]


def test_a_marker_is_a_white_flash_and_a_tick() -> None:
    shift = Shift().tell(REC).run(1.1).cue(Cue.MARKER)
    assert shift.text()[-1] == "1.1 rec | white flash | red 1Hz | 1 tick (marker)"
    assert [shift.lit[f"wearer-{colour}"] for colour in ("red", "green", "blue")] == [True] * 3
    shift.run(0.3)
    assert not shift.lit["wearer-blue"]


def test_tampering_is_steady_red_at_rest_and_said_once() -> None:
    assert told(replace(READY, tamper=True), 60)[0].startswith("0 ready+tamper | red steady | dark")
    assert told(replace(REC, tamper=True), 60) == ["0 rec+tamper | red 1Hz | red 1Hz | 5 quick"]


def test_what_a_technician_has_to_do_is_shown_at_the_dock_and_not_in_the_field() -> None:
    due = replace(READY, service=True)
    assert told(due, 60) == told(READY, 60)
    assert told(replace(due, docked=True), 60)[0].startswith(
        "0 ready+service | magenta steady | dark"
    )
    assert told(replace(REC, service=True, docked=True), 60) == [
        "0 rec+service | red 1Hz | red 1Hz | -"
    ]


def test_a_camera_that_cannot_sign_says_so_at_once_wherever_it_is() -> None:
    lines = told(replace(READY, unsigned=True), 60)
    assert lines[0].startswith("0 ready+service | magenta steady | dark")
    assert any("5 quick" in line for line in lines)
    assert told(replace(REC, unsigned=True), 60)[0].endswith("5 quick")


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        (READY, "1 short"),
        (REC, "2 short"),
        (replace(READY, wanted=True), "5 quick"),
        (replace(READY, keys_ok=False), "5 quick"),
    ],
)
def test_am_i_recording_one_is_no_two_is_yes_five_is_a_fault(facts: Facts, answer: str) -> None:
    shift = Shift().tell(facts).run(5).cue(Cue.QUERY)
    assert shift.text()[-1].endswith(f"{answer} (query)")


def test_a_refusal_is_five_quick() -> None:
    assert Shift().tell(READY).run(5).cue(Cue.REFUSED).text()[-1].endswith("5 quick (refused)")


# -- the law of the lamp ----------------------------------------------------------------------


def test_the_lamp_goes_out_2_s_after_the_last_sync_even_if_nobody_says_so() -> None:
    shift = Shift().tell(REC).run(2, talking=False)
    assert shift.player.render(shift.now_ns) == 2 * NS + 1
    shift.run(18.5, talking=False)
    assert not shift.lit["public-red"]
    shift.tell(READY)
    assert shift.text()[:2] == [
        "0 rec | red 1Hz | red 1Hz | -",
        "2 fault | amber/red alternating | dark | 5 quick",
    ]


_ages = st.none() | st.integers(0, 4 * NS)
_facts = st.builds(
    Facts,
    on=st.booleans(),
    booted=st.booleans(),
    ready=st.booleans(),
    recording=st.booleans(),
    wanted=st.booleans(),
    wanted_age_ns=_ages,
    last_sync_age_ns=_ages,
    stop_pending=st.booleans(),
    tail=st.booleans(),
    camera_ok=st.booleans(),
    keys_ok=st.booleans(),
    switch_ok=st.booleans(),
    degraded=st.booleans(),
    lens=st.booleans(),
    storage_full=st.booleans(),
    storage_low_percent=st.none() | st.integers(0, 20),
    battery_minutes=st.none() | st.integers(0, 30),
    hot=st.booleans(),
    danger=st.booleans(),
    clock_unset=st.booleans(),
    long=st.integers(0, 3),
    covert=st.booleans(),
    muted=st.booleans(),
    tamper=st.booleans(),
    service=st.booleans(),
    docked=st.booleans(),
    unsigned=st.booleans(),
)


@given(st.lists(st.tuples(_facts, st.integers(0, 5000)), max_size=5), st.sampled_from(Cue))
def test_the_public_lamp_never_pretends(steps: list[tuple[Facts, int]], cue: Cue) -> None:
    shift = Shift(policy=Signals(buzzer=True))
    for facts, for_ms in steps:
        shift.tell(facts).cue(cue)
        end_ns = shift.now_ns + for_ms * MS
        told_ns = shift.now_ns
        while shift.now_ns < end_ns:
            due_ns = shift.player.render(shift.now_ns)
            if shift.lit["public-red"]:
                assert facts.recording
                assert facts.last_sync_age_ns is not None
                assert facts.last_sync_age_ns + shift.now_ns - told_ns <= 2 * NS
                assert not facts.covert
            shift.now_ns = min(due_ns, end_ns)


@given(_facts)
def test_recording_wanted_but_not_on_disk_is_never_quiet(facts: Facts) -> None:
    if facts.on and facts.booted and facts.wanted and not facts.on_disk:
        loud = {SignalState.FAULT, SignalState.FULL, SignalState.STARTING}
        assert state_of(facts) in loud


# -- rhythm and touch on the pins -------------------------------------------------------------


def test_red_1hz_is_half_a_second_on_and_half_off_on_both_lamps() -> None:
    shift = Shift().tell(REC).run(3)
    for pin in ("wearer-red", "public-red"):
        assert [s[1:] for s in shift.strokes if s[0] == pin] == [(0, 500), (1000, 500), (2000, 500)]


RHYTHMS: dict[SignalState, tuple[Facts, list[tuple[str, int]]]] = {
    SignalState.OFF: (replace(READY, on=False), [("", 1000)]),
    SignalState.BOOT: (Facts(), [("red green", 1000), ("", 1000)]),
    SignalState.NOTREADY: (
        replace(READY, camera_ok=False),
        [("red green", 100), ("", 150), ("red green", 100), ("", 1650)],
    ),
    SignalState.READY: (READY, [("green", 100), ("", 1900)]),
    SignalState.STARTING: (replace(READY, wanted=True, wanted_age_ns=0), [("red", 1000)]),
    SignalState.REC: (REC, [("red", 500), ("", 500)]),
    SignalState.STOP_CONFIRM: (replace(REC, stop_pending=True), [("red", 125), ("", 125)]),
    SignalState.DEGRADED: (
        replace(REC, degraded=True),
        [("red", 500), ("", 200), ("red green", 100), ("", 200)],
    ),
    SignalState.FAULT: (replace(READY, wanted=True), [("red green", 500), ("red", 500)]),
    SignalState.FULL: (
        replace(READY, storage_full=True),
        [("red green", 150), ("", 250), ("red green", 150), ("", 250), ("red green", 150),
         ("", 1050)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", RHYTHMS, ids=lambda state: state.value)
def test_each_state_has_its_rhythm_on_the_pins(state: SignalState) -> None:
    """By shape first, then by colour: nobody has to tell red from green."""
    facts, rhythm = RHYTHMS[state]
    assert state_of(facts) is state
    shift = Shift().tell(facts)
    # Once, and the first step again; a start is a fault by then.
    for colours, for_ms in rhythm + rhythm[: state is not SignalState.STARTING]:
        lit = [c for c in ("red", "green", "blue") if shift.lit[f"wearer-{c}"]]
        assert lit == colours.split(), f"{shift.now_ns / NS} s"
        shift.run(for_ms / 1000, talking=False)


def test_amber_is_red_and_green() -> None:
    shift = Shift().tell(Facts())
    assert [shift.lit[f"wearer-{colour}"] for colour in ("red", "green", "blue")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("cue", "strokes"),
    [
        (Cue.PRESS_ACK, [(5000, 40)]),
        (Cue.START, [(5000, 150), (5300, 150)]),
        (Cue.STOP, [(5000, 700)]),
        (Cue.REFUSED, [(5000 + 160 * k, 80) for k in range(5)]),
    ],
)
def test_taps_can_be_told_apart_by_touch(cue: Cue, strokes: list[tuple[int, int]]) -> None:
    shift = Shift().tell(READY).run(5)
    shift.strokes.clear()
    assert shift.cue(cue).run(3).felt() == strokes


def test_the_tick_of_a_press_comes_at_once_even_into_a_long_reminder() -> None:
    shift = Shift().tell(replace(READY, hot=True)).run(0.6)
    shift.cue(Cue.PRESS_ACK).run(3)
    assert shift.felt()[-1] == (700, 40)


def test_two_messages_do_not_run_into_each_other() -> None:
    shift = Shift().tell(replace(REC, degraded=True, battery_minutes=20)).run(5)
    begins = [begin for begin, _ in shift.felt()]
    pauses = [after - before for before, after in pairwise(begins)]
    assert pauses == [160] * 4 + [480] + [160] * 3


def test_the_same_message_within_a_second_is_felt_once() -> None:
    shift = Shift().tell(READY).run(5).cue(Cue.START).cue(Cue.START).run(2)
    assert len(shift.felt()) == 1 + 2


def test_without_haptic_by_policy_a_recording_is_still_felt() -> None:
    shift = Shift(policy=Signals(haptic=False)).tell(READY).run(5).tell(REC).cue(Cue.START).run(1)
    assert [event.taps for event in shift.trace] == [None, None, "2 short"]


def test_the_buzzer_joins_in_where_the_table_says_so() -> None:
    shift = Shift(policy=Signals(buzzer=True)).tell(READY).run(5)
    shift.cue(Cue.PRESS_ACK).run(1).cue(Cue.START).tell(REC).run(1)
    assert [event.buzzer for event in shift.trace] == ["1 short", None, "2 short", None]
    assert [s for s in shift.strokes if s[0] == "buzzer"] == [
        ("buzzer", 0, 150),
        ("buzzer", 6000, 150),
        ("buzzer", 6300, 150),
    ]


def test_a_pin_that_could_not_be_written_is_written_again() -> None:
    broken = True

    def write(pin: str, active: bool) -> None:
        if broken and pin == "haptic":
            raise OSError(pin)
        lit[pin] = active

    lit: dict[str, bool] = {}
    player = SignalPlayer(write, Signals())
    player.update(READY, 0)
    with pytest.raises(OSError, match="haptic"):
        player.render(0)
    broken = False
    player.render(0)
    assert lit["haptic"] is True


# -- the trace --------------------------------------------------------------------------------


def test_nothing_new_is_no_event() -> None:
    shift = Shift().tell(REC)
    before = len(shift.trace)
    shift.run(60)
    assert len(shift.trace) == before


def test_a_trace_event_as_json() -> None:
    shift = Shift().tell(replace(REC, hot=True)).cue(Cue.START)
    assert shift.trace[-1].to_json() == {
        "at_ns": 0,
        "state": "rec",
        "also": ["hot"],
        "wearer": "red 1Hz + amber fast",
        "public": "red 1Hz",
        "taps": "2 short",
        "buzzer": None,
        "cue": "start",
    }


def test_the_modules_own_table_is_the_one_in_force() -> None:
    text = patterns.__doc__ or ""
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    for row in rows:
        if row[0] in SignalState.__members__ and SignalState[row[0]] in patterns.WEARER:
            state = SignalState[row[0]]
            alarm = patterns.ALARMS.get((state, 0))
            assert row[1] == patterns.WEARER[state].text
            assert row[2] == patterns.public_lamp(state, {}).text
            assert row[3].startswith(str(alarm.taps) if alarm else "")

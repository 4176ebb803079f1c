"""The activation machine, row by row as its docstring has it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bodycam import activation as act
from bodycam.activation import (
    SWITCH,
    Activation,
    ActivationPolicy,
    Answer,
    BeginTail,
    CancelStop,
    Close,
    Covert,
    CovertSet,
    DemandOff,
    DemandOn,
    MarkerPressed,
    Mute,
    MuteHeld,
    MuteReleased,
    Roll,
    SetMarker,
    Start,
    State,
    Stop,
    TimePassed,
)

POLICY = ActivationPolicy(tail_ns=30, max_length_ns=1000, mute_allowed=True, covert_allowed=True)


def shift(*events: act.Event, policy: ActivationPolicy = POLICY) -> tuple[State, list[act.Effect]]:
    machine = Activation(policy)
    effects: list[act.Effect] = []
    for event in events:
        machine, more = machine.on(event)
        effects += more
    return machine.state, effects


def test_the_switch_starts_a_recording_at_the_press() -> None:
    assert shift(DemandOn(SWITCH, 5)) == (State.RECORDING, [Start(5, "switch")])


def test_a_second_on_is_no_toggle() -> None:
    assert shift(DemandOn(SWITCH, 5), DemandOn(SWITCH, 6))[1] == [Start(5, "switch")]


def test_off_begins_the_tail_and_its_end_stops() -> None:
    state, effects = shift(DemandOn(SWITCH, 5), DemandOff(SWITCH, 50), TimePassed(79))
    assert (state, effects[1:]) == (State.TAIL, [BeginTail(50, 80)])
    state, effects = shift(DemandOn(SWITCH, 5), DemandOff(SWITCH, 50), TimePassed(99))
    assert (state, effects[2:]) == (State.STANDBY, [Stop(80, "stop")])


def test_on_again_in_the_tail_cancels_the_stop() -> None:
    state, effects = shift(DemandOn(SWITCH, 5), DemandOff(SWITCH, 50), DemandOn(SWITCH, 60))
    assert (state, effects[2:]) == (State.RECORDING, [CancelStop(60, "switch")])


def test_without_a_tail_off_stops_at_once() -> None:
    policy = ActivationPolicy(0, 1000, mute_allowed=True, covert_allowed=True)
    state, effects = shift(DemandOn(SWITCH, 5), DemandOff(SWITCH, 50), policy=policy)
    assert (state, effects[1:]) == (State.STANDBY, [Stop(50, "stop")])


def test_a_trigger_records_and_its_release_begins_the_tail() -> None:
    state, effects = shift(DemandOn("holster", 5, "trigger:holster"), DemandOff("holster", 9))
    assert state is State.TAIL
    assert effects == [Start(5, "trigger:holster"), BeginTail(9, 39)]


def test_a_released_trigger_does_not_end_what_the_switch_demands() -> None:
    state, effects = shift(
        DemandOn(SWITCH, 5), DemandOn("holster", 6, "trigger:holster"), DemandOff("holster", 9)
    )
    assert (state, effects) == (State.RECORDING, [Start(5, "switch")])


def test_the_officer_ends_what_a_trigger_began() -> None:
    state, _ = shift(DemandOn("holster", 5), DemandOn(SWITCH, 6), DemandOff(SWITCH, 9))
    assert state is State.TAIL


def test_a_trigger_that_was_not_demanding_ends_nothing() -> None:
    assert shift(DemandOn(SWITCH, 5), DemandOff("lights", 9))[0] is State.RECORDING


def test_at_its_greatest_length_a_recording_rolls_without_stopping() -> None:
    state, effects = shift(
        DemandOn(SWITCH, 5), TimePassed(1004), TimePassed(1005), TimePassed(2005)
    )
    assert (state, effects[1:]) == (State.RECORDING, [Roll(1005), Roll(2005)])


def test_a_marker_marks_while_recording_and_asks_while_not() -> None:
    assert shift(MarkerPressed(3))[1] == [Answer(3)]
    assert shift(DemandOn(SWITCH, 5), MarkerPressed(7))[1][1:] == [SetMarker(7)]


def test_mute_lasts_while_held_and_never_outlives_the_recording() -> None:
    _, effects = shift(DemandOn(SWITCH, 5), MuteHeld(7), MuteReleased(9))
    assert effects[1:] == [Mute(7, active=True), Mute(9, active=False)]
    _, effects = shift(DemandOn(SWITCH, 5), MuteHeld(7), Close(8, "battery"))
    assert effects[1:] == [Mute(7, active=True), Mute(8, active=False), Stop(8, "battery")]


def test_mute_and_covert_are_policy() -> None:
    policy = ActivationPolicy(30, 1000, mute_allowed=False, covert_allowed=False)
    _, effects = shift(DemandOn(SWITCH, 5), MuteHeld(7), CovertSet(8, active=True), policy=policy)
    assert effects == [Start(5, "switch")]


def test_covert_is_said_once_a_change() -> None:
    _, effects = shift(CovertSet(8, active=True), CovertSet(9, active=True))
    assert effects == [Covert(8, active=True)]


def test_a_shutdown_ends_a_recording_without_a_tail() -> None:
    assert shift(DemandOn(SWITCH, 5), Close(7, "shutdown"))[1][1:] == [Stop(7, "shutdown")]
    assert shift(Close(7, "shutdown"))[1] == []


EVENTS = st.one_of(
    st.builds(DemandOn, st.sampled_from([SWITCH, "holster"]), st.just(0)),
    st.builds(DemandOff, st.sampled_from([SWITCH, "holster"]), st.just(0)),
    st.builds(MarkerPressed, st.just(0)),
    st.builds(MuteHeld, st.just(0)),
    st.builds(MuteReleased, st.just(0)),
    st.builds(TimePassed, st.just(0)),
    st.builds(Close, st.just(0), st.just("heat")),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 500)), max_size=60))
def test_starts_and_stops_alternate_and_a_demand_is_never_left_unrecorded(
    steps: list[tuple[act.Event, int]],
) -> None:
    machine, now, balance = Activation(POLICY), 0, 0
    for event, later in steps:
        now += later
        stamped = type(event)(**{**{f: getattr(event, f) for f in event.__slots__}, "at_ns": now})
        machine, effects = machine.on(stamped)
        for effect in effects:
            balance += isinstance(effect, Start)
            balance -= isinstance(effect, Stop)
            assert balance in (0, 1)
        assert (machine.state is State.STANDBY) == (balance == 0)
        assert machine.state is not State.STANDBY or not machine.demands
        assert not machine.muted or machine.state is not State.STANDBY

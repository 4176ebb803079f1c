"""Gestures of a push button: start and stop are never the same movement."""

from __future__ import annotations

from bodycam.clock import MS
from bodycam.debounce import Toggle
from bodycam.gesture import ButtonGesture, Gesture, GestureKind, HoldGesture

SETTLE_MS = 30


def said(gesture: ButtonGesture | HoldGesture, presses: str, until_ms: int = 10_000) -> list[str]:
    """Play "down-up" times in ms, ticking whenever it is due; the gestures as "kind@ms"."""
    toggles = [
        Toggle("record", i == 0, int(ms) * MS, (int(ms) + SETTLE_MS) * MS, 0, 1)
        for press in presses.split()
        for i, ms in enumerate(press.split("-"))
        if ms
    ]
    found: list[Gesture] = []
    for toggle in toggles:
        while (due_ns := gesture.due_ns) is not None and due_ns <= toggle.settled_ns:
            found += gesture.tick(due_ns)
        found += gesture.feed(toggle)
    while (due_ns := gesture.due_ns) is not None and due_ns <= until_ms * MS:
        found += gesture.tick(due_ns)
    return [f"{g.kind.value}@{g.at_ns // MS}" for g in found]


def button() -> ButtonGesture:
    return ButtonGesture(500 * MS, 3000 * MS, settle_ns=SETTLE_MS * MS)


def test_a_double_press_starts_at_its_first_press() -> None:
    assert said(button(), "100-180 400-480") == ["start@100"]


def test_a_hold_stops_when_it_was_long_enough_and_not_at_release() -> None:
    assert said(button(), "100-") == ["stop@3100"]
    assert said(button(), "100-9000") == ["stop@3100"]


def test_a_hold_let_go_just_before_the_end_is_no_stop() -> None:
    assert said(button(), "100-3099") == ["touch@100"]


def test_a_single_press_is_a_touch() -> None:
    assert said(button(), "100-200") == ["touch@100"]


def test_two_slow_presses_are_two_touches() -> None:
    assert said(button(), "100-200 600-700") == ["touch@100", "touch@600"]


def test_a_second_press_in_the_last_moment_still_starts() -> None:
    assert said(button(), "100-200 599-700") == ["start@100"]


def test_holding_on_after_a_double_press_does_not_stop() -> None:
    assert said(button(), "100-180 400-9000") == ["start@100"]


def test_a_frantic_row_of_presses_starts_and_never_stops() -> None:
    assert said(button(), "0-80 150-230 300-380 450-530 600-680") == [
        "start@0",
        "start@300",
        "touch@600",
    ]


def test_mute_lasts_from_the_end_of_the_hold_time_to_the_release() -> None:
    assert said(HoldGesture(1000 * MS), "100-5100") == ["hold-begin@1100", "hold-end@5100"]


def test_a_short_press_of_the_mute_key_is_a_touch() -> None:
    assert said(HoldGesture(1000 * MS), "100-900") == ["touch@100"]


def test_a_release_without_a_press_is_nothing() -> None:
    released = Toggle("mute", False, MS, MS, 0, 1)
    assert HoldGesture(1000 * MS).feed(released) == []
    assert button().feed(released) == []


def test_a_hold_is_over_when_it_is_over() -> None:
    gesture = HoldGesture(1000 * MS)
    gesture.feed(Toggle("mute", True, 0, 0, 0, 1))
    assert gesture.tick(1000 * MS) == [Gesture(GestureKind.HOLD_BEGIN, 1000 * MS)]
    assert gesture.held
    gesture.feed(Toggle("mute", False, 2000 * MS, 2000 * MS, 0, 1))
    assert not gesture.held

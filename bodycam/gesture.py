"""Gestures of a push button, out of its debounced toggles.

Start and stop are never the same gesture: a double press starts, a long hold stops. A press that
became neither is a touch ("am I recording?").

| button   | what comes               | next     | gesture                  |
|----------|--------------------------|----------|--------------------------|
| idle     | press                    | held     | -                        |
| held     | release                  | released | -                        |
| held     | hold_stop has passed     | spent    | STOP                     |
| released | press                    | spent    | START, at the first press|
| released | double_press has passed  | idle     | TOUCH, at the press      |
| spent    | release                  | idle     | -                        |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .debounce import Toggle


class GestureKind(Enum):
    """What the officer meant."""

    START = "start"
    STOP = "stop"
    TOUCH = "touch"
    HOLD_BEGIN = "hold-begin"
    HOLD_END = "hold-end"


@dataclass(frozen=True, slots=True)
class Gesture:
    """One gesture and when it happened; a start happened at its first press."""

    kind: GestureKind
    at_ns: int


class ButtonGesture:
    """Double press to start, hold to stop.

    `settle_ns` is how late a toggle is known (the stable time of its debouncer): a deadline is
    only judged once no toggle from before it can still come.
    """

    def __init__(self, double_press_ns: int, hold_stop_ns: int, settle_ns: int = 0) -> None:
        self._double_ns = double_press_ns
        self._hold_ns = hold_stop_ns
        self._settle_ns = settle_ns
        self._first_ns: int | None = None
        self._down = False

    @property
    def due_ns(self) -> int | None:
        """When `tick` has something to say, if no toggle comes before."""
        if self._first_ns is None:
            return None
        wait_ns = self._hold_ns if self._down else self._double_ns
        return self._first_ns + wait_ns + self._settle_ns

    def feed(self, toggle: Toggle) -> list[Gesture]:
        """Take one debounced toggle of the button."""
        gestures = self._expire(toggle.at_ns)
        self._down = toggle.active
        if not toggle.active:
            return gestures + self._expire(toggle.at_ns)
        if self._first_ns is None:
            self._first_ns = toggle.at_ns
            return gestures
        gestures.append(Gesture(GestureKind.START, self._first_ns))
        self._first_ns = None
        return gestures

    def tick(self, now_ns: int) -> list[Gesture]:
        """Judge the deadlines that have passed by now."""
        return self._expire(now_ns - self._settle_ns)

    def _expire(self, known_ns: int) -> list[Gesture]:
        if self._first_ns is None:
            return []
        first_ns = self._first_ns
        if self._down and known_ns >= first_ns + self._hold_ns:
            self._first_ns = None
            return [Gesture(GestureKind.STOP, first_ns + self._hold_ns)]
        if not self._down and known_ns >= first_ns + self._double_ns:
            self._first_ns = None
            return [Gesture(GestureKind.TOUCH, first_ns)]
        return []


class HoldGesture:
    """Held for `hold_ns` it begins, at release it ends; a shorter press is a touch."""

    def __init__(self, hold_ns: int, settle_ns: int = 0) -> None:
        self._hold_ns = hold_ns
        self._settle_ns = settle_ns
        self._pressed_ns: int | None = None
        self.held = False

    @property
    def due_ns(self) -> int | None:
        """When `tick` has something to say, if no toggle comes before."""
        if self._pressed_ns is None or self.held:
            return None
        return self._pressed_ns + self._hold_ns + self._settle_ns

    def feed(self, toggle: Toggle) -> list[Gesture]:
        """Take one debounced toggle of the button."""
        if toggle.active:
            self._pressed_ns = toggle.at_ns
            return []
        gestures = self._expire(toggle.at_ns)
        if self.held:
            gestures.append(Gesture(GestureKind.HOLD_END, toggle.at_ns))
        elif self._pressed_ns is not None:
            gestures.append(Gesture(GestureKind.TOUCH, self._pressed_ns))
        self._pressed_ns = None
        self.held = False
        return gestures

    def tick(self, now_ns: int) -> list[Gesture]:
        """Judge the deadline if it has passed by now."""
        return self._expire(now_ns - self._settle_ns)

    def _expire(self, known_ns: int) -> list[Gesture]:
        if self._pressed_ns is None or self.held or known_ns < self._pressed_ns + self._hold_ns:
            return []
        self.held = True
        return [Gesture(GestureKind.HOLD_BEGIN, self._pressed_ns + self._hold_ns)]

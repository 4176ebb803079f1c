"""The player of signals: carries states and cues out on the pins, and keeps the trace of them.

It has no clock of its own: tell it the time, and ask again when it says so. The lamp's law holds
here too: facts age, so that a recorder which stops talking loses its recording lamp after 2 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .clock import MS, NS
from .config import Signals
from .patterns import (
    CLOCK_NOTICE_NS,
    CUES,
    WHITE_FLASH,
    Alarm,
    Colour,
    LampPattern,
    TapKind,
    Taps,
    alarm_of,
    answer_to_query,
    public_lamp,
    wearer_lamp,
)
from .signals import ON_DISK, Cue, Facts, SignalState, level_of, notices_of, state_of

_GAP_NS = 400 * MS
_BREAK_NS = 100 * MS
_IDLE_NS = NS
_Key = tuple[SignalState, int]


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """What the officer sees from now on, and feels now; one line of the signal trace."""

    at_ns: int
    state: SignalState
    also: tuple[SignalState, ...]
    wearer: str
    public: str
    taps: str | None = None
    buzzer: str | None = None
    cue: Cue | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "at_ns": self.at_ns,
            "state": self.state.value,
            "also": [notice.value for notice in self.also],
            "wearer": self.wearer,
            "public": self.public,
            "taps": self.taps,
            "buzzer": self.buzzer,
            "cue": self.cue.value if self.cue else None,
        }


@dataclass(slots=True)
class _Running:
    """An alarm that is on: since when, and when it speaks next."""

    alarm: Alarm
    since_ns: int
    due_ns: int | None


@dataclass(frozen=True, slots=True)
class _Tap:
    """One stroke of the motor, and of the buzzer if it joins in."""

    from_ns: int
    until_ns: int
    haptic: bool
    buzzer: bool


class SignalPlayer:
    """Plays one camera's signals; one thread owns it.

    `update` when facts change (at least every 2 s while recording), `cue` when something
    happened, `render` at the time the last `render` gave and after each of the others. What
    `write` raises comes out of `render`: that pin keeps its level and is written again next time.
    """

    def __init__(self, write: Callable[[str, bool], None], policy: Signals) -> None:
        self._write = write
        self._policy = policy
        self._facts: Facts | None = None
        self._facts_ns = 0
        self._state: SignalState | None = None
        self._notices: dict[SignalState, int] = {}
        self._noticed_ns: dict[SignalState, int] = {}
        self._alarms: dict[_Key, _Running] = {}
        self._announced_ns: dict[_Key, int] = {}
        self._said_ns: dict[Taps, int] = {}
        self._taps: list[_Tap] = []
        self._lamps = (wearer_lamp(SignalState.OFF, {}, set()), public_lamp(SignalState.OFF, {}))
        self._lamps_ns = 0
        self._flash_ns: int | None = None
        self._pins: dict[str, bool] = {}
        self._trace: list[TraceEvent] = []

    def update(self, facts: Facts, now_ns: int) -> list[TraceEvent]:
        """Take new facts; returns the trace since the last call, reminders included."""
        self._advance(now_ns)
        self._facts, self._facts_ns = facts, now_ns
        self._advance(now_ns)
        return self._drain()

    def cue(self, cue: Cue, now_ns: int) -> list[TraceEvent]:
        """Say that something happened, at once: it cuts short what is being tapped."""
        self._advance(now_ns)
        state = self._state or SignalState.OFF
        if cue is Cue.MARKER and SignalState.COVERT not in self._notices:
            self._flash_ns = now_ns + WHITE_FLASH.period_ms * MS
        alarm = answer_to_query(state) if cue is Cue.QUERY else CUES[cue]
        tapping = any(tap.from_ns <= now_ns < tap.until_ns for tap in self._taps)
        if not self._said(alarm.taps, now_ns):
            self._taps.clear()
        self._say(alarm, now_ns, now_ns + _BREAK_NS * tapping, cue)
        return self._drain()

    def render(self, now_ns: int) -> int:
        """Bring every output to what it has to be now; returns when to call again."""
        self._advance(now_ns)
        self._taps = [tap for tap in self._taps if tap.until_ns > now_ns]
        tap = next((tap for tap in self._taps if tap.from_ns <= now_ns), None)
        flash = self._flash_ns is not None and now_ns < self._flash_ns
        wearer, public = (self._colour(lamp, now_ns) for lamp in self._lamps)
        if flash:
            wearer = Colour.WHITE
        for colour in Colour.WHITE.value:
            self._put(f"wearer-{colour}", colour in wearer.value)
        self._put("public-red", public is Colour.RED)
        self._put("haptic", tap is not None and tap.haptic)
        self._put("buzzer", tap is not None and tap.buzzer)
        return min(due_ns for due_ns in self._dues(now_ns) if due_ns > now_ns)

    def _put(self, pin: str, active: bool) -> None:
        if self._pins.get(pin) is not active:
            self._write(pin, active)
            self._pins[pin] = active

    def _colour(self, lamp: LampPattern, now_ns: int) -> Colour:
        return lamp.at((now_ns - self._lamps_ns) // MS)[0]

    def _dues(self, now_ns: int) -> Iterator[int]:
        yield now_ns + _IDLE_NS
        shown_ms = (now_ns - self._lamps_ns) // MS
        for lamp in self._lamps:
            yield self._lamps_ns + (shown_ms + lamp.at(shown_ms)[1]) * MS
        for tap in self._taps:
            yield from (tap.from_ns, tap.until_ns)
        for running in self._alarms.values():
            if running.due_ns is not None:
                yield running.due_ns
        if self._flash_ns is not None:
            yield self._flash_ns
        if SignalState.CLOCK_UNSET in self._noticed_ns:
            yield self._noticed_ns[SignalState.CLOCK_UNSET] + CLOCK_NOTICE_NS
        lapses_ns = self._facts.lapses_ns if self._facts else None
        if lapses_ns is not None:
            yield self._facts_ns + lapses_ns

    # -- states, alarms, trace --------------------------------------------------------------

    def _advance(self, now_ns: int) -> None:
        if self._facts is None:
            return  # nothing is known, nothing is shown
        facts = self._facts.aged(now_ns - self._facts_ns)
        previous, self._state = self._state, state_of(facts)
        notices = notices_of(facts)
        changed = (self._state, notices.keys()) != (previous, self._notices.keys())
        self._notices = notices
        self._noticed_ns = {n: self._noticed_ns.get(n, now_ns) for n in notices}
        changed = self._choose_lamps(now_ns) or changed
        self._choose_alarms(level_of(self._state, facts), previous, now_ns)
        traced = len(self._trace)
        for key, running in self._alarms.items():
            if running.due_ns is not None and running.due_ns <= now_ns:
                pause_ns = running.alarm.pause_ns(now_ns - running.since_ns)
                running.due_ns = None if pause_ns is None else now_ns + pause_ns
                self._announced_ns[key] = now_ns
                self._say(running.alarm, now_ns, self._free_ns(now_ns))
        if changed and len(self._trace) == traced:
            self._note(now_ns)

    def _choose_lamps(self, now_ns: int) -> bool:
        state = self._state or SignalState.OFF
        shown = set(self._notices)
        noticed_ns = self._noticed_ns.get(SignalState.CLOCK_UNSET)
        if noticed_ns is not None and now_ns >= noticed_ns + CLOCK_NOTICE_NS:
            shown.discard(SignalState.CLOCK_UNSET)
        lamps = (wearer_lamp(state, self._notices, shown), public_lamp(state, self._notices))
        if lamps == self._lamps:
            return False
        self._lamps, self._lamps_ns = lamps, now_ns
        return True

    def _choose_alarms(self, level: int, previous: SignalState | None, now_ns: int) -> None:
        keys = [(self._state or SignalState.OFF, level), *self._notices.items()]
        alarms = {key: alarm for key in keys if (alarm := alarm_of(*key)) is not None}
        self._alarms = {
            key: self._alarms.get(key) or self._begin(key, alarm, previous, now_ns)
            for key, alarm in alarms.items()
        }

    def _begin(
        self, key: _Key, alarm: Alarm, previous: SignalState | None, now_ns: int
    ) -> _Running:
        state, _ = key
        at_once = alarm.at_once
        if state is SignalState.READY and previous in {*ON_DISK, SignalState.STARTING}:
            at_once = False  # the stop has been said
        if state is SignalState.REC and previous in {SignalState.FAULT, SignalState.FULL}:
            at_once = True  # it records again
        if alarm.rest_ns and now_ns - self._announced_ns.get(key, -alarm.rest_ns) < alarm.rest_ns:
            at_once = False
        pause_ns = alarm.pause_ns(0)
        later_ns = None if pause_ns is None else now_ns + pause_ns
        return _Running(alarm, now_ns, now_ns if at_once else later_ns)

    def _free_ns(self, now_ns: int) -> int:
        """When the motor is free for another message."""
        return max([now_ns, *(tap.until_ns + _GAP_NS for tap in self._taps)])

    def _said(self, taps: Taps, now_ns: int) -> bool:
        """True if the same message was given within a second: once is enough."""
        said_ns = self._said_ns.get(taps)
        return taps.kind is not TapKind.TICK and said_ns is not None and now_ns - said_ns < NS

    def _say(self, alarm: Alarm, now_ns: int, from_ns: int, cue: Cue | None = None) -> None:
        """Queue the taps, and note what can be felt or heard of them."""
        taps, facts = alarm.taps, self._facts
        again = self._said(taps, now_ns)
        kept = facts is not None and (facts.wanted or facts.recording)
        haptic = not again and (self._policy.haptic or kept)
        covert = SignalState.COVERT in self._notices
        buzzer = not again and self._policy.buzzer and alarm.audible and not covert
        if haptic or buzzer:
            self._said_ns[taps] = now_ns
            on_ms, off_ms = taps.kind.value
            for _ in range(taps.count):
                self._taps.append(_Tap(from_ns, from_ns + on_ms * MS, haptic, buzzer))
                from_ns += (on_ms + off_ms) * MS
        if haptic or buzzer or cue is not None:
            self._note(now_ns, str(taps) if haptic else None, str(taps) if buzzer else None, cue)

    def _note(
        self,
        now_ns: int,
        taps: str | None = None,
        buzzer: str | None = None,
        cue: Cue | None = None,
    ) -> None:
        wearer, public = (lamp.text for lamp in self._lamps)
        if cue is Cue.MARKER and SignalState.COVERT not in self._notices:
            wearer = WHITE_FLASH.text
        state = self._state or SignalState.OFF
        also = tuple(self._notices)
        self._trace.append(TraceEvent(now_ns, state, also, wearer, public, taps, buzzer, cue))

    def _drain(self) -> list[TraceEvent]:
        trace, self._trace = self._trace, []
        return trace

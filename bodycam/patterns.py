"""How states and notices look and feel: lamps, taps, and which belongs to which.

Shape before colour, one count of taps for one meaning.

| state        | wearer lamp            | public  | taps                                           |
|--------------|------------------------|---------|------------------------------------------------|
| OFF          | dark                   | dark    | 1 long                                         |
| BOOT         | amber slow pulse       | dark    |                                                |
| NOTREADY     | amber double blink     | dark    | 5 quick, each 30 s for 2 min, then each 5 min  |
| READY        | green 1 blink/2s       | dark    | 1 short on reaching it                         |
| STARTING     | red on                 | dark    |                                                |
| REC          | red 1Hz                | red 1Hz | 2 short each 2 min                             |
| STOP_CONFIRM | red 4Hz                | red 1Hz | 1 tick each 1 s                                |
| DEGRADED     | red 1Hz amber flash    | red 1Hz | 5 quick, each 2 min; for the lens alone once   |
| FAULT        | amber/red alternating  | dark    | 5 quick each 20 s                              |
| FULL         | amber 3 blinks         | dark    | 3 short each 60 s                              |

| notice       | wearer lamp            | taps                                                     |
|--------------|------------------------|----------------------------------------------------------|
| LOW_STORE    | + amber 3 blinks       | 3 short at 10 % and 5 %                                  |
| LOW_BATT     | + amber 4 blinks       | 4 quick at 20 min and 5 min, then each 20 s              |
| HOT          | + amber fast           | 4 long; each 20 s while the cell itself is in danger     |
| CLOCK_UNSET  | + amber 1 blink/5s     | (for 1 min)                                              |
| LONG         |                        | 1 long, and at each quarter of that time                 |
| MUTED        | blue                   | 1 tick each 10 s                                         |
| TAMPER       | red steady at rest     | 5 quick                                                  |
| SERVICE      | magenta at rest        | 5 quick where nothing is signed                          |
| COVERT       | dark, public too       | as the state                                             |

The buzzer, if policy has one, says what the taps say; ticks, DEGRADED, HOT without danger, LONG,
MUTED, SERVICE and everything in COVERT are felt only. Haptic is never off while a recording runs or is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .clock import NS
from .signals import ON_DISK, Cue, SignalState

_MINUTE_NS = 60 * NS


class Colour(Enum):
    """A colour of the wearer's lamp, by the pins that mix it."""

    DARK = ()
    RED = ("red",)
    AMBER = ("red", "green")
    GREEN = ("green",)
    BLUE = ("blue",)
    MAGENTA = ("red", "blue")
    WHITE = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class LampPattern:
    """A colour and a rhythm: steps of (colour, ms) that repeat."""

    text: str
    steps: tuple[tuple[Colour, int], ...]

    @property
    def period_ms(self) -> int:
        return sum(ms for _, ms in self.steps)

    def at(self, ms: int) -> tuple[Colour, int]:
        """The colour at a time since the pattern began, and for how many ms it stays."""
        left = ms % self.period_ms
        for colour, step_ms in self.steps:
            if left < step_ms:
                return colour, step_ms - left
            left -= step_ms
        raise AssertionError("steps add up to the period")

    def followed_by(self, notices: list[LampPattern], hold_ms: int = 6000) -> LampPattern:
        """For a while the pattern itself, then each notice once, over and over."""
        steps = self.steps * -(-hold_ms // self.period_ms)
        for notice in notices:
            steps += notice.steps
        return LampPattern(" + ".join([self.text, *(n.text for n in notices)]), steps)


class TapKind(Enum):
    """How one tap of the motor feels, as (ms on, ms off)."""

    TICK = (40, 100)
    SHORT = (150, 150)
    QUICK = (80, 80)
    LONG = (700, 300)


@dataclass(frozen=True, slots=True)
class Taps:
    """So many taps of one kind."""

    count: int
    kind: TapKind

    def __str__(self) -> str:
        return f"{self.count} {self.kind.name.lower()}"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Taps that a state or notice brings: at once, then every so often.

    `slow_ns` is the pause after `slow_after_ns`; within `rest_ns` of the last time a return to
    the state is not announced again. `audible`: the buzzer joins in.
    """

    taps: Taps
    audible: bool = True
    at_once: bool = True
    every_ns: int | None = None
    slow_after_ns: int | None = None
    slow_ns: int | None = None
    rest_ns: int = 0

    def pause_ns(self, since_ns: int) -> int | None:
        """Until the next time, at so long after the alarm began."""
        if self.slow_after_ns is not None and since_ns >= self.slow_after_ns:
            return self.slow_ns
        return self.every_ns


def _taps(text: str) -> Taps:
    count, kind = text.split()
    return Taps(int(count), TapKind[kind.upper()])


def _blinks(text: str, count: int, on_ms: int, off_ms: int, rest_ms: int) -> LampPattern:
    return LampPattern(
        text, ((Colour.AMBER, on_ms), (Colour.DARK, off_ms)) * count + ((Colour.DARK, rest_ms),)
    )


def _even(text: str, first: Colour, second: Colour, ms: int) -> LampPattern:
    return LampPattern(text, ((first, ms), (second, ms)))


DARK = LampPattern("dark", ((Colour.DARK, 1000),))
RED_1HZ = _even("red 1Hz", Colour.RED, Colour.DARK, 500)
WHITE_FLASH = LampPattern("white flash", ((Colour.WHITE, 200),))
_RED_STEADY = LampPattern("red steady", ((Colour.RED, 1000),))
_MAGENTA_STEADY = LampPattern("magenta steady", ((Colour.MAGENTA, 1000),))
_BLUE = LampPattern("blue", ((Colour.BLUE, 1000),))

WEARER: dict[SignalState, LampPattern] = {
    SignalState.OFF: DARK,
    SignalState.BOOT: _even("amber slow pulse", Colour.AMBER, Colour.DARK, 1000),
    SignalState.NOTREADY: _blinks("amber double blink", 2, 100, 150, 1500),
    SignalState.READY: LampPattern("green 1 blink/2s", ((Colour.GREEN, 100), (Colour.DARK, 1900))),
    SignalState.STARTING: LampPattern("red on", ((Colour.RED, 1000),)),
    SignalState.REC: RED_1HZ,
    SignalState.STOP_CONFIRM: _even("red 4Hz", Colour.RED, Colour.DARK, 125),
    SignalState.DEGRADED: LampPattern(
        "red 1Hz amber flash",
        ((Colour.RED, 500), (Colour.DARK, 200), (Colour.AMBER, 100), (Colour.DARK, 200)),
    ),
    SignalState.FAULT: _even("amber/red alternating", Colour.AMBER, Colour.RED, 500),
    SignalState.FULL: _blinks("amber 3 blinks", 3, 150, 250, 800),
}

NOTICE: dict[SignalState, LampPattern] = {
    SignalState.LOW_STORE: WEARER[SignalState.FULL],
    SignalState.LOW_BATT: _blinks("amber 4 blinks", 4, 150, 250, 800),
    SignalState.HOT: _blinks("amber fast", 10, 100, 100, 400),
    SignalState.CLOCK_UNSET: _blinks("amber 1 blink/5s", 1, 150, 250, 100),
}
CLOCK_NOTICE_NS = _MINUTE_NS

# By state or notice, and level.
ALARMS: dict[tuple[SignalState, int], Alarm] = {
    (SignalState.OFF, 0): Alarm(_taps("1 long")),
    (SignalState.NOTREADY, 0): Alarm(
        _taps("5 quick"),
        every_ns=30 * NS,
        slow_after_ns=2 * _MINUTE_NS,
        slow_ns=5 * _MINUTE_NS,
    ),
    (SignalState.READY, 0): Alarm(_taps("1 short")),
    (SignalState.REC, 0): Alarm(_taps("2 short"), at_once=False, every_ns=2 * _MINUTE_NS),
    (SignalState.STOP_CONFIRM, 0): Alarm(_taps("1 tick"), audible=False, every_ns=NS),
    (SignalState.DEGRADED, 0): Alarm(
        _taps("5 quick"), audible=False, every_ns=2 * _MINUTE_NS, rest_ns=2 * _MINUTE_NS
    ),
    (SignalState.DEGRADED, 1): Alarm(_taps("5 quick"), audible=False, rest_ns=2 * _MINUTE_NS),
    (SignalState.FAULT, 0): Alarm(_taps("5 quick"), every_ns=20 * NS),
    (SignalState.FULL, 0): Alarm(_taps("3 short"), every_ns=_MINUTE_NS),
    (SignalState.LOW_STORE, 10): Alarm(_taps("3 short"), rest_ns=_MINUTE_NS),
    (SignalState.LOW_STORE, 5): Alarm(_taps("3 short"), rest_ns=_MINUTE_NS),
    (SignalState.LOW_BATT, 20): Alarm(_taps("4 quick"), rest_ns=_MINUTE_NS),
    (SignalState.LOW_BATT, 5): Alarm(_taps("4 quick"), every_ns=20 * NS),
    (SignalState.HOT, 0): Alarm(_taps("4 long"), audible=False, rest_ns=_MINUTE_NS),
    (SignalState.HOT, 1): Alarm(_taps("4 long"), every_ns=20 * NS),
    (SignalState.LONG, 1): Alarm(_taps("1 long"), audible=False),
    (SignalState.MUTED, 0): Alarm(_taps("1 tick"), audible=False, every_ns=10 * NS),
    (SignalState.TAMPER, 0): Alarm(_taps("5 quick"), audible=False),
    (SignalState.SERVICE, 1): Alarm(_taps("5 quick"), audible=False),
}

CUES: dict[Cue, Alarm] = {
    Cue.PRESS_ACK: Alarm(_taps("1 tick"), audible=False),
    Cue.START: Alarm(_taps("2 short")),
    Cue.STOP: Alarm(_taps("1 long")),
    Cue.MARKER: Alarm(_taps("1 tick"), audible=False),
    Cue.REFUSED: Alarm(_taps("5 quick")),
}


def alarm_of(state: SignalState, level: int) -> Alarm | None:
    """The taps of a state or notice at its level; every reminder of LONG is the same."""
    return ALARMS.get((state, 1 if state is SignalState.LONG else level))


def answer_to_query(state: SignalState) -> Alarm:
    """Taps for "am I recording?": 1 no, 2 yes, 5 fault."""
    if state in ON_DISK:
        return Alarm(_taps("2 short"), audible=False)
    at_fault = state in {SignalState.FAULT, SignalState.FULL, SignalState.NOTREADY}
    return Alarm(_taps("5 quick" if at_fault else "1 short"), audible=False)


def wearer_lamp(
    state: SignalState, notices: dict[SignalState, int], shown: set[SignalState]
) -> LampPattern:
    """The wearer's lamp; `shown` are the notices that still have their blinks."""
    if SignalState.COVERT in notices or state is SignalState.OFF:
        return DARK
    if SignalState.MUTED in notices:
        return _BLUE
    at_rest = state in {SignalState.READY, SignalState.NOTREADY}
    if SignalState.TAMPER in notices and at_rest:
        return _RED_STEADY
    if SignalState.SERVICE in notices and at_rest:
        return _MAGENTA_STEADY
    blinks = [NOTICE[notice] for notice in notices if notice in NOTICE and notice in shown]
    if not blinks or state not in {SignalState.READY, SignalState.REC, SignalState.DEGRADED}:
        return WEARER[state]
    return WEARER[state].followed_by(blinks)


def public_lamp(state: SignalState, notices: dict[SignalState, int]) -> LampPattern:
    """The lamp that everybody else sees: red only over evidence that is on disk."""
    return RED_1HZ if state in ON_DISK and SignalState.COVERT not in notices else DARK

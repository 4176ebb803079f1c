"""When the camera records: a pure state machine over debounced events.

What asks for a recording is a set of demands: the switch, and each external trigger. While the set
is not empty the camera records; when it becomes empty the post-record tail runs, then it stops.

| state     | event                        | next      | effects                                |
|-----------|------------------------------|-----------|----------------------------------------|
| standby   | switch on, start gesture     | recording | start(cause, from the press)           |
| standby   | trigger on                   | recording | start(trigger's name)                  |
| standby   | marker                       | standby   | answer("am I recording?")              |
| recording | switch on / trigger on       | recording | demand added                           |
| recording | trigger off, others demand   | recording | demand removed                         |
| recording | trigger off, it was the last | tail      | begin tail                             |
| recording | switch off, stop gesture     | tail      | all demands end (the officer decides)  |
| recording | length reached               | recording | roll: a new recording without a gap    |
| recording | marker                       | recording | set marker                             |
| tail      | switch on / trigger on       | recording | cancel the stop                        |
| tail      | tail is over                 | standby   | stop                                   |
| any but standby | close(reason)          | standby   | stop at once, without a tail           |
| any       | mute held / released         | same      | mute / unmute, if policy allows        |
| any       | covert on / off              | same      | covert / overt, if policy allows       |
| any       | anything else                | same      | none: a repeat is no toggle            |

A tail of 0 s goes from recording to standby in one step. Mute ends with the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

SWITCH = "switch"


class State(Enum):
    """Whether a recording runs, and whether its end has begun."""

    STANDBY = "standby"
    RECORDING = "recording"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class DemandOn:
    """The switch (or a start gesture, or a trigger) asks for a recording."""

    source: str
    at_ns: int
    cause: str = SWITCH


@dataclass(frozen=True, slots=True)
class DemandOff:
    """The switch (or a stop gesture, or a trigger) no longer asks for one."""

    source: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class MarkerPressed:
    at_ns: int


@dataclass(frozen=True, slots=True)
class MuteHeld:
    at_ns: int


@dataclass(frozen=True, slots=True)
class MuteReleased:
    at_ns: int


@dataclass(frozen=True, slots=True)
class CovertSet:
    at_ns: int
    active: bool


@dataclass(frozen=True, slots=True)
class TimePassed:
    at_ns: int


@dataclass(frozen=True, slots=True)
class Close:
    """End the recording now: shutdown, battery, heat."""

    at_ns: int
    reason: str


Event = (
    DemandOn | DemandOff | MarkerPressed | MuteHeld | MuteReleased | CovertSet | TimePassed | Close
)


@dataclass(frozen=True, slots=True)
class Start:
    """Place the cursor and write: the recording's cause, and the moment of the press."""

    at_ns: int
    cause: str


@dataclass(frozen=True, slots=True)
class BeginTail:
    at_ns: int
    ends_ns: int


@dataclass(frozen=True, slots=True)
class CancelStop:
    at_ns: int
    cause: str


@dataclass(frozen=True, slots=True)
class Stop:
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Roll:
    at_ns: int


@dataclass(frozen=True, slots=True)
class SetMarker:
    at_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell by touch whether the camera records."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class Mute:
    at_ns: int
    active: bool


@dataclass(frozen=True, slots=True)
class Covert:
    at_ns: int
    active: bool


Effect = Start | BeginTail | CancelStop | Stop | Roll | SetMarker | Answer | Mute | Covert


@dataclass(frozen=True, slots=True)
class ActivationPolicy:
    """What the force decides."""

    tail_ns: int
    max_length_ns: int
    mute_allowed: bool
    covert_allowed: bool


@dataclass(frozen=True, slots=True)
class Activation:
    """One state of the machine; `on` gives the next and what is to be done."""

    policy: ActivationPolicy
    state: State = State.STANDBY
    demands: frozenset[str] = frozenset()
    since_ns: int = 0
    ends_ns: int = 0
    muted: bool = False
    covert: bool = False
    stop_reason: str = "stop"

    def on(self, event: Event) -> tuple[Activation, Sequence[Effect]]:
        """The row of the table for this event."""
        match event:
            case DemandOn():
                return self._demand_on(event)
            case DemandOff():
                return self._demand_off(event)
            case TimePassed(at_ns):
                return self._time(at_ns)
            case MarkerPressed(at_ns):
                effect = Answer(at_ns) if self.state is State.STANDBY else SetMarker(at_ns)
                return self, [effect]
            case MuteHeld(at_ns):
                if not self.policy.mute_allowed or self.muted or self.state is State.STANDBY:
                    return self, []
                return replace(self, muted=True), [Mute(at_ns, active=True)]
            case MuteReleased(at_ns):
                if not self.muted:
                    return self, []
                return replace(self, muted=False), [Mute(at_ns, active=False)]
            case CovertSet(at_ns, active):
                if not self.policy.covert_allowed or active == self.covert:
                    return self, []
                return replace(self, covert=active), [Covert(at_ns, active)]
            case Close(at_ns, reason):
                if self.state is State.STANDBY:
                    return self, []
                return self._stopped(at_ns, reason)

    def _demand_on(self, event: DemandOn) -> tuple[Activation, Sequence[Effect]]:
        demands = self.demands | {event.source}
        match self.state:
            case State.STANDBY:
                after = replace(self, state=State.RECORDING, demands=demands, since_ns=event.at_ns)
                return after, [Start(event.at_ns, event.cause)]
            case State.TAIL:
                after = replace(self, state=State.RECORDING, demands=demands)
                return after, [CancelStop(event.at_ns, event.cause)]
            case State.RECORDING:
                return replace(self, demands=demands), []

    def _demand_off(self, event: DemandOff) -> tuple[Activation, Sequence[Effect]]:
        if self.state is not State.RECORDING:
            return replace(self, demands=self.demands - {event.source}), []
        rest = frozenset() if event.source == SWITCH else self.demands - {event.source}
        if rest or (event.source != SWITCH and event.source not in self.demands):
            return replace(self, demands=rest), []
        reason = "stop" if event.source == SWITCH else f"{event.source} released"
        if self.policy.tail_ns == 0:
            return replace(self, demands=rest)._stopped(event.at_ns, reason)
        ends_ns = event.at_ns + self.policy.tail_ns
        after = replace(self, state=State.TAIL, demands=rest, ends_ns=ends_ns, stop_reason=reason)
        return after, [BeginTail(event.at_ns, ends_ns)]

    def _time(self, at_ns: int) -> tuple[Activation, Sequence[Effect]]:
        if self.state is State.TAIL and at_ns >= self.ends_ns:
            return self._stopped(self.ends_ns, self.stop_reason)
        due_ns = self.since_ns + self.policy.max_length_ns
        if self.state is State.RECORDING and at_ns >= due_ns:
            return replace(self, since_ns=due_ns), [Roll(due_ns)]
        return self, []

    def _stopped(self, at_ns: int, reason: str) -> tuple[Activation, Sequence[Effect]]:
        effects: list[Effect] = [Mute(at_ns, active=False)] if self.muted else []
        after = replace(self, state=State.STANDBY, demands=frozenset(), muted=False)
        return after, [*effects, Stop(at_ns, reason)]

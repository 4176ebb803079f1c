"""What is written of the inputs: each edge, each toggle, and what was neither.

| what comes                                   | what is written                                    |
|----------------------------------------------|----------------------------------------------------|
| an edge                                      | `switch.edge`; beyond 1,200 a minute of a pin, or  |
|                                              | while its line is in fault, they are counted, and  |
|                                              | said when the minute, or the fault, is over        |
| a toggle                                     | `switch.on`, `trigger.off`, `key.on` and so on     |
| a slide is off again within a second         | `activation.short` as well                         |
| a pin's 20th toggle within a minute          | `toggle.burst` as well; again after a minute       |
| a pulse that settled back                    | `switch.glitch`, or for a slide that was knocked   |
|                                              | off and put on again `stop.cancelled`              |
| more than 10 such pulses in a minute         | one `switch.glitch` for the rest, when it is over  |
| lost edges, a line that never rests          | as `debounce.py` has them                          |

A switch that a radio disturbs must not fill the log. Toggles are never counted: each has its line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from .clock import MS, NS
from .debounce import (
    Edge,
    Glitch,
    LineFault,
    LineFaultEnded,
    LostPulse,
    Outcome,
    Reconciled,
    Toggle,
)
from .eventlog import EventLog

_MINUTE_NS = 60 * NS
_EDGES_A_MINUTE = 1200
_GLITCHES_A_MINUTE = 10
_SHORT_NS = NS
_BURST_TOGGLES = 20


@dataclass(slots=True)
class _Minute:
    """What came in the minute that began at `since_ns`; `unsaid` is the widest not written."""

    since_ns: int = 0
    count: int = 0
    uncounted: int = 0
    unsaid: Glitch | None = None

    def renew(self, now_ns: int) -> None:
        if now_ns - self.since_ns >= _MINUTE_NS:
            self.since_ns, self.count = now_ns, 0


@dataclass(slots=True)
class _Input:
    """One pin: what was written of it."""

    edges: _Minute = field(default_factory=_Minute)
    glitches: _Minute = field(default_factory=_Minute)
    toggled_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_BURST_TOGGLES))
    burst_ns: int = -_MINUTE_NS
    on_ns: int | None = None
    on_seq: int = -1
    faulty: bool = False


class SwitchLog:
    """The switch thread's lines; it makes none of them durable."""

    def __init__(self, log: EventLog, triggers: Mapping[str, str], *, slide: bool) -> None:
        self._log, self._triggers, self._slide = log, triggers, slide
        self._inputs: dict[str, _Input] = {}

    def _of(self, name: str) -> _Input:
        return self._inputs.setdefault(name, _Input())

    def edge(self, edge: Edge, *, faulty: bool) -> None:
        """Take one raw edge; `faulty`: of a line that never rests."""
        minute = self._of(edge.pin).edges
        self._say_edges(edge.pin, edge.at_ns)
        minute.renew(edge.at_ns)
        minute.count += 1
        if faulty or minute.count > _EDGES_A_MINUTE:
            minute.uncounted += 1
            return
        self._log.append(
            "switch.edge", edge.at_ns, pin=edge.pin, active=edge.active, line_seq=edge.line_seq
        )

    def toggle(self, name: str, toggle: Toggle) -> int:
        """Take one toggle; the number of its line."""
        verb = "on" if toggle.active else "off"
        prefix = "switch" if name == "record" else "trigger" if name in self._triggers else "key"
        seq = self._log.append(
            f"{prefix}.{verb}", toggle.at_ns, pin=name, name=self._triggers.get(name, name),
            settled_ns=toggle.settled_ns, bounce_ns=toggle.bounce_ns, edges=toggle.edges,
        )  # fmt: skip
        if name == "record" and self._slide:
            self._note_short(name, toggle, seq)
        self._note_burst(name, toggle.at_ns)
        return seq

    def _note_short(self, name: str, toggle: Toggle, seq: int) -> None:
        line = self._of(name)
        if toggle.active:
            line.on_ns, line.on_seq = toggle.at_ns, seq
        elif line.on_ns is not None:
            on_ns = toggle.at_ns - line.on_ns
            if on_ns < _SHORT_NS:
                self._log.append(
                    "activation.short", toggle.at_ns, pin=name, on_ms=on_ns // MS,
                    toggle=line.on_seq,
                )  # fmt: skip
            line.on_ns = None

    def _note_burst(self, name: str, at_ns: int) -> None:
        line = self._of(name)
        line.toggled_ns.append(at_ns)
        within_ns = at_ns - line.toggled_ns[0]
        if (
            len(line.toggled_ns) == _BURST_TOGGLES
            and within_ns <= _MINUTE_NS
            and at_ns - line.burst_ns >= _MINUTE_NS
        ):
            line.burst_ns = at_ns
            self._log.append(
                "toggle.burst", at_ns, pin=name, toggles=_BURST_TOGGLES, within_ms=within_ns // MS
            )

    def outcome(self, name: str, outcome: Outcome, *, settled: bool) -> None:
        """Take what the debouncer found and is no toggle; `settled` is the level it holds."""
        match outcome:
            case Glitch(at_ns=at_ns):
                if name == "record" and settled:
                    self._log.append(
                        "stop.cancelled", at_ns, pin=name, width_ns=outcome.width_ns,
                        edges=outcome.edges,
                    )  # fmt: skip
                else:
                    self._glitch(name, outcome)
            case LostPulse(at_ns=at_ns):
                self._log.append("switch.lost_pulse", at_ns, pin=name, edges=outcome.edges_lost)
            case Reconciled(at_ns=at_ns):
                self._log.append("switch.reconciled", at_ns, pin=name, active=outcome.active)
            case LineFault(at_ns=at_ns):
                self._of(name).faulty = True
                self._log.append("switch.fault", at_ns, sync=True, pin=name, held=outcome.held)
            case LineFaultEnded(at_ns=at_ns):
                self._of(name).faulty = False
                self._of(name).edges.uncounted = 0
                self._log.append("switch.fault_ended", at_ns, pin=name, edges=outcome.edges)
            case Toggle():
                raise AssertionError("a toggle has its own line")

    def _glitch(self, name: str, glitch: Glitch) -> None:
        minute = self._of(name).glitches
        self._say_glitches(name, glitch.at_ns)
        minute.renew(glitch.at_ns)
        minute.count += 1
        if minute.count <= _GLITCHES_A_MINUTE:
            self._write_glitch(name, glitch, 1, minute.count)
            return
        minute.uncounted += 1
        if minute.unsaid is None or glitch.width_ns > minute.unsaid.width_ns:
            minute.unsaid = glitch

    def tick(self, now_ns: int) -> None:
        """Say what was counted, once its minute is over."""
        for name in self._inputs:
            self._say_edges(name, now_ns)
            self._say_glitches(name, now_ns)

    def _say_edges(self, name: str, now_ns: int) -> None:
        # Those of a fault are in its own last line.
        line, minute = self._inputs[name], self._inputs[name].edges
        if minute.uncounted and not line.faulty and now_ns - minute.since_ns >= _MINUTE_NS:
            self._log.append("switch.edges_suppressed", now_ns, pin=name, edges=minute.uncounted)
            minute.uncounted = 0

    def _say_glitches(self, name: str, now_ns: int) -> None:
        minute = self._inputs[name].glitches
        widest = minute.unsaid
        if widest is not None and now_ns - minute.since_ns >= _MINUTE_NS:
            self._write_glitch(name, widest, minute.uncounted, minute.count)
            minute.uncounted, minute.unsaid = 0, None

    def _write_glitch(self, name: str, glitch: Glitch, count: int, in_minute: int) -> None:
        self._log.append(
            "switch.glitch", glitch.at_ns, pin=name, width_ns=glitch.width_ns, edges=glitch.edges,
            count=count, in_minute=in_minute,
        )  # fmt: skip

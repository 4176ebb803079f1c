"""Debounce: raw edges in, toggles out, by one rule: a level counts once it was stable for N.

Every raw edge restarts the count; nothing is ever deaf. What is not a toggle is said too: a pulse
that settled back (`Glitch`), edges that nobody saw (`LostPulse`, `Reconciled`), a line that never
rests (`LineFault`). Only edge times decide, so it does not matter how late the edges are fed.

| line     | what comes                              | outcome                          |
|----------|-----------------------------------------|----------------------------------|
| any      | an edge                                 | none; the count starts again     |
| changing | stable at the other level for N         | Toggle                           |
| changing | stable at the level it came from        | Glitch                           |
| any      | an edge to the level it has already     | LostPulse                        |
| any      | a hole in the driver's edge numbers     | LostPulse                        |
| any      | a re-read that differs from the edges   | Reconciled, then as an edge      |
| any      | the 40th edge within 1 s, no toggle     | LineFault; the level is held     |
| changing | the edge that a re-read overtook        | none; the change takes its time  |
| in fault | an edge                                 | none; it is counted              |
| in fault | stable for 0.5 s                        | LineFaultEnded, Toggle if it is  |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from .clock import MS

# A worn slide bounces for 60 ms; a floating line picks up 100 edges a second without an end.
CHATTER_EDGES = 40
CHATTER_WITHIN_NS = 1000 * MS
CHATTER_SPREAD_NS = 300 * MS
CHATTER_QUIET_NS = 500 * MS


@dataclass(frozen=True, slots=True)
class Edge:
    """One raw edge: the active (not the electrical) level that began at `at_ns`.

    `line_seq` counts the edges of a line where the driver does; a hole proves a lost edge.
    """

    pin: str
    active: bool
    at_ns: int
    line_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Toggle:
    """A debounced change; `at_ns` is the edge that began the stable time, known at `settled_ns`."""

    pin: str
    active: bool
    at_ns: int
    settled_ns: int
    bounce_ns: int
    edges: int


@dataclass(frozen=True, slots=True)
class Glitch:
    """A pulse, first to last edge, that settled back to where it came from: no toggle."""

    pin: str
    at_ns: int
    width_ns: int
    edges: int


@dataclass(frozen=True, slots=True)
class LostPulse:
    """At least so many edges between the last one and this one were never delivered."""

    pin: str
    at_ns: int
    edges_lost: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The re-read level differs from the last edge: an edge was lost, its time is not known."""

    pin: str
    active: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class LineFault:
    """The line never rests (open circuit, water): the settled level is held, edges are ignored."""

    pin: str
    at_ns: int
    held: bool
    edges: int


@dataclass(frozen=True, slots=True)
class LineFaultEnded:
    """The line rests again; `edges` were ignored since the fault was found."""

    pin: str
    at_ns: int
    edges: int


Outcome = Toggle | Glitch | LostPulse | Reconciled | LineFault | LineFaultEnded


class Pending(NamedTuple):
    """A change that waits to be stable."""

    active: bool
    since_ns: int


class Debouncer:
    """One line: feed it every edge in order, tick it at `due_ns`, re-read it every 100 ms.

    `tick` and `level` may only be told a time up to which all edges have been fed.
    """

    def __init__(self, pin: str, on_stable_ns: int, off_stable_ns: int, initial: bool) -> None:
        self.pin = pin
        self._stable_ns = {True: on_stable_ns, False: off_stable_ns}
        # A pulse is over after the shorter time, or the next press would count into it.
        self._rest_ns = min(on_stable_ns, off_stable_ns)
        self._settled = initial
        self._raw = initial
        self._burst: _Burst | None = None
        self._seq: int | None = None
        self._edge_ns = -1
        self._read_ns = -1
        self._recent: deque[int] = deque(maxlen=CHATTER_EDGES)
        self._ignored: int | None = None  # edges since the line fault; None: no fault

    @property
    def active(self) -> bool:
        """The debounced level."""
        return self._settled

    @property
    def raw(self) -> bool:
        """The level of the last edge, or of a re-read since."""
        return self._raw

    @property
    def pending(self) -> Pending | None:
        """The change that is waiting to be stable, if any."""
        if self._burst is None or self._raw == self._settled or self._ignored is not None:
            return None
        return Pending(self._raw, self._burst.last_ns)

    @property
    def faulty(self) -> bool:
        """True while the line chatters and the level is held."""
        return self._ignored is not None

    @property
    def due_ns(self) -> int | None:
        """When `tick` has something to say, if no edge comes before."""
        return None if self._burst is None else self._burst.last_ns + self._wait_ns()

    def _wait_ns(self) -> int:
        wait_ns = self._rest_ns if self._raw == self._settled else self._stable_ns[self._raw]
        return wait_ns if self._ignored is None else max(wait_ns, CHATTER_QUIET_NS)

    def feed(self, edge: Edge) -> list[Outcome]:
        """Take one raw edge; first settles whatever was stable before it."""
        late = edge.at_ns <= self._read_ns and edge.active == self._raw
        at_ns = max(edge.at_ns, self._edge_ns)
        lost = self._edges_lost(edge, late)
        outcomes = [] if late else self.tick(at_ns)
        if lost and self._ignored is None:
            outcomes.append(LostPulse(self.pin, at_ns, lost))
        if late:
            self._correct(edge.at_ns)
        else:
            outcomes += self._take(edge.active, at_ns)
        return outcomes

    def _correct(self, at_ns: int) -> None:
        """The re-read was quicker than the driver: the change is counted, and now has its time."""
        burst = self._burst
        if burst is not None and burst.last_ns == self._read_ns:
            first_ns = at_ns if burst.edges == 1 else burst.first_ns
            self._burst = _Burst(first_ns, max(at_ns, first_ns), burst.edges)
            self._edge_ns = self._read_ns = max(at_ns, first_ns)

    def _edges_lost(self, edge: Edge, late: bool) -> int:
        hole = 0
        if edge.line_seq is not None:
            if self._seq is not None and edge.line_seq > self._seq + 1:
                hole = edge.line_seq - self._seq - 1
            self._seq = edge.line_seq
        repeats = edge.active == self._raw and not late
        return max(hole, int(repeats))

    def _take(self, active: bool, at_ns: int) -> list[Outcome]:
        self._raw = active
        self._edge_ns = at_ns
        if self._burst is None:
            self._burst = _Burst(at_ns, at_ns, 0)
        self._burst = _Burst(self._burst.first_ns, at_ns, self._burst.edges + 1)
        if self._ignored is not None:
            self._ignored += 1
            return []
        self._recent.append(at_ns)
        spread_ns = at_ns - self._recent[0]
        full = len(self._recent) == CHATTER_EDGES
        if full and CHATTER_SPREAD_NS <= spread_ns <= CHATTER_WITHIN_NS:
            self._ignored = 0
            return [LineFault(self.pin, at_ns, self._settled, self._burst.edges)]
        return []

    def level(self, active: bool, at_ns: int) -> list[Outcome]:
        """Take a re-read level; a level that no edge announced is a lost edge, found now.

        Read the level, then wait a few ms for edges under way and feed them, then tell the level:
        a reading that is older than the last edge proves nothing and is left aside.
        """
        outcomes = self.tick(at_ns)
        if active != self._raw and at_ns >= self._edge_ns:
            if self._ignored is None:
                outcomes.append(Reconciled(self.pin, active, at_ns))
            self._read_ns = at_ns
            outcomes += self._take(active, at_ns)
        return outcomes

    def tick(self, now_ns: int) -> list[Outcome]:
        """Settle what has been stable for long enough by now."""
        due_ns = self.due_ns
        burst = self._burst
        if burst is None or due_ns is None or now_ns < due_ns:
            return []
        outcomes: list[Outcome] = []
        width_ns = burst.last_ns - burst.first_ns
        if self._ignored is not None:
            outcomes.append(LineFaultEnded(self.pin, due_ns, self._ignored))
            self._ignored = None
            self._recent.clear()
        elif self._raw == self._settled:
            outcomes.append(Glitch(self.pin, burst.first_ns, width_ns, burst.edges))
        if self._raw != self._settled:
            self._settled = self._raw
            outcomes.append(
                Toggle(self.pin, self._raw, burst.last_ns, due_ns, width_ns, burst.edges)
            )
            self._recent.clear()
        self._burst = None
        return outcomes


class _Burst(NamedTuple):
    """Edges without a rest between them."""

    first_ns: int
    last_ns: int
    edges: int

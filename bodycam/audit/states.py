"""In which state a camera was: the law that turns the events of a run into time.

| state     | begins with                                       | ends with                              |
|-----------|---------------------------------------------------|----------------------------------------|
| DOCKED    | `device.added` of kind `dock`                     | `device.removed`, or recording         |
| BOOT      | `boot`                                            | the first `ready` of the run           |
| READY     | `ready`                                           | any other state                        |
| RECORDING | `activation.start`                                | the later of its `activation.stop`, `rec.stop` |
| FAULT     | a fault of the table below                        | its end                                |
| OFF       | `shutdown`, signed for; DOCKED if in the dock     | the next `boot`                        |
| UNKNOWN   | last line written + 2 heartbeats, no `shutdown`   | the next line; a `boot` if it had died |
| SLEEP     | nothing: this firmware has none                   |                                        |

Where several hold: RECORDING wins over DOCKED, DOCKED over FAULT, FAULT over RECORDING that takes no
picture, then READY, then BOOT. What is recorded after the switch (the tail) is RECORDING.

| fault   | from                                             | to                                       |
|---------|--------------------------------------------------|------------------------------------------|
| camera  | `capture.stall` less its silence, `capture.exit`, `capture.error`, a heartbeat without camera | `gap`'s end, `ready`, a heartbeat with camera |
| camera  | `gap`: from_ns                                   | to_ns                                    |
| storage | `storage.full`, `storage.fault`: last_ns, if given | `storage.ok`, `activation.start`         |
| keys    | `wrapkey.missing`                                | end of the run                           |
| heat    | `power.heat` of level `close`, `power.recalled`  | another level                            |
| battery | `power.battery` of level `empty`                 | another level                            |
| thread  | `thread.died`                                    | end of the run                           |
| switch  | `switch.fault`, `gpio.fault` of the record switch, while not recording | `switch.fault_ended`, `gpio.claimed` |

| overlay  | from                                   | to                                               |
|----------|----------------------------------------|--------------------------------------------------|
| MUTED    | `mute.start`                           | `mute.stop`, end of the run                      |
| STEALTH  | `covert.on`                            | `covert.off`, end of the run                     |
| CHARGING | in the dock, and charging is allowed   | either ends                                      |
| LOWBATT  | `power.battery` with a level           | without one, end of the run                      |

A run ends with its `shutdown`; else two heartbeats after its last line, or with the next `boot`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from ..clock import MS
from .intervals import Interval, Times, both, times, union, without
from .logstory import Run, Told

_SWITCH_PINS = ("record", "switch")


class DeviceState(Enum):
    """Exactly one at any time."""

    DOCKED = "docked"
    OFF = "off"
    BOOT = "boot"
    READY = "ready"
    RECORDING = "recording"
    SLEEP = "sleep"
    FAULT = "fault"
    UNKNOWN = "unknown"


class Overlay(Enum):
    """May be there beside any state."""

    MUTED = "muted"
    STEALTH = "stealth"
    CHARGING = "charging"
    LOWBATT = "low battery"


class UnknownWhy(Enum):
    """What the next boot tells of a stretch that nobody vouches for."""

    POWER_LOST = "power_lost"
    UNEXPLAINED = "unexplained"
    UNSIGNED = "not signed for"
    UNTIMED = "no time of day"


@dataclass(frozen=True, slots=True)
class RunStates:
    """The states of one run, in boot time (ns); together they cover it without overlapping."""

    end_ns: int
    states: dict[DeviceState, Times]
    overlays: dict[Overlay, Times]
    faults: tuple[tuple[Interval, str], ...]
    docked_at_end: bool


def run_states(run: Run, next_ns: int | None, *, docked_before: bool) -> RunStates:
    """Carry out the tables; `next_ns` is the next run's beginning, if it shares the boot."""
    end_ns = _end_ns(run, next_ns)
    span: Times = times([(run.at_ns, end_ns)])
    opened = _Opened(run, end_ns)
    recording = both(_recording(opened), span)
    docked = _docked(run, opened, docked_before=docked_before)
    faults = _faults(run, opened)
    hard = times(i for i, why in faults if why != "switch")
    switch = times(i for i, why in faults if why == "switch")
    unknown = both(_silent(run), span)
    alive = without(span, unknown)
    in_dock = both(without(docked, recording), alive)
    fault = both(without(union(hard, without(switch, recording)), in_dock), alive)
    rec = both(without(recording, fault), alive)
    ready = both(opened.from_first("ready"), alive)
    ready = without(ready, union(in_dock, fault, rec))
    boot = without(alive, union(in_dock, fault, rec, ready))
    overlays = {
        Overlay.MUTED: opened.between("mute.start", "mute.stop"),
        Overlay.STEALTH: opened.between("covert.on", "covert.off"),
        Overlay.CHARGING: both(docked, _charging_allowed(run, end_ns)),
        Overlay.LOWBATT: opened.levels("power.battery", bool),
    }
    return RunStates(
        end_ns,
        {DeviceState.DOCKED: in_dock, DeviceState.FAULT: fault, DeviceState.RECORDING: rec,
         DeviceState.READY: ready, DeviceState.BOOT: boot, DeviceState.UNKNOWN: unknown},
        {overlay: both(found, span) for overlay, found in overlays.items()},
        tuple((i, why) for i, why in faults if i.length_us > 0),
        docked_at_end=_ends_docked(run),
    )  # fmt: skip


def _end_ns(run: Run, next_ns: int | None) -> int:
    done = run.shutdown
    if done is not None:
        return max(done.at_ns, run.last_ns)
    end_ns = run.last_ns + 2 * run.heartbeat_ns
    return end_ns if next_ns is None else min(end_ns, next_ns)


def _silent(run: Run) -> Times:
    """Where two lines of the run are further apart than two heartbeats."""
    most_ns = 2 * run.heartbeat_ns
    return times((a + most_ns, b) for a, b in pairwise(run.written) if b - a > most_ns)


def why_unknown(run: Run) -> UnknownWhy:
    """Whether the last lines of a run that just ended speak of its battery or supply."""
    low: dict[str, bool] = {}
    throttled: Iterable[str] = run.beats.said[-1].throttled if run.beats.said else ()
    for event in run.named("power.battery", "power.throttled"):
        if event.ev == "power.battery":
            low[event.text("quantity")] = bool(event.data.get("level"))
        else:
            flags = event.data.get("flags")
            throttled = flags if isinstance(flags, list) else ()
    lost = any(low.values()) or "undervolt" in throttled
    return UnknownWhy.POWER_LOST if lost else UnknownWhy.UNEXPLAINED


class _Opened:
    """Pairs what begins with what ends it; what is still open ends with the run."""

    def __init__(self, run: Run, end_ns: int) -> None:
        self._run = run
        self._end_ns = end_ns

    def spans(
        self, names: Iterable[str], begins: Callable[[Told], int | None],
        ends: Callable[[Told], bool],
    ) -> Times:  # fmt: skip
        """From each event for which `begins` names a time to the next for which `ends` holds."""
        found: list[tuple[int, int]] = []
        since: int | None = None
        for event in self._run.named(*names):
            begin_ns = begins(event)
            if begin_ns is not None and since is None:
                since = begin_ns
            elif begin_ns is None and since is not None and ends(event):
                found.append((since, event.at_ns))
                since = None
        if since is not None:
            found.append((since, self._end_ns))
        return times(found)

    def between(self, begin: str, end: str) -> Times:
        return self.spans(
            (begin, end), lambda e: e.at_ns if e.ev == begin else None, lambda e: e.ev == end
        )

    def from_first(self, name: str) -> Times:
        first = next(iter(self._run.named(name)), None)
        return times([(first.at_ns, self._end_ns)]) if first else ()

    def levels(self, name: str, reached: Callable[[str], bool]) -> Times:
        """While any quantity of these events is at a level that counts."""
        quantities = {e.text("quantity") for e in self._run.named(name)}
        return union(*(
            self.spans(
                (name,),
                lambda e, q=quantity: e.at_ns  # type: ignore[misc]
                if e.text("quantity") == q and reached(e.text("level")) else None,
                lambda e, q=quantity: e.text("quantity") == q,  # type: ignore[misc]
            )
            for quantity in quantities
        ))  # fmt: skip


def _recording(opened: _Opened) -> Times:
    """The time of each recording, whatever is the next one's; `rec.stop` names its last picture."""
    begun: dict[str, int] = {}
    ended: dict[str, int] = {}
    for event in opened._run.named("activation.start", "activation.stop", "rec.stop"):
        rec = event.text("rec")
        if event.ev == "activation.start":
            begun[rec] = event.at_ns
        elif rec in begun:
            ended[rec] = max(event.at_ns, ended.get(rec, event.at_ns))
    return times((at_ns, ended.get(rec, opened._end_ns)) for rec, at_ns in begun.items())


def _dock_events(run: Run, *names: str) -> list[Told]:
    return [e for e in run.named(*names) if e.text("kind") == "dock"]


def _ends_docked(run: Run) -> bool:
    """Whether it stood in the dock at last, be it for no time at all."""
    told = _dock_events(run, "device.added", "device.removed")
    return bool(told) and told[-1].ev == "device.added"


def _docked(run: Run, opened: _Opened, *, docked_before: bool) -> Times:
    found = opened.spans(
        ("device.added", "device.removed"),
        lambda e: e.at_ns if e.ev == "device.added" and e.text("kind") == "dock" else None,
        lambda e: e.ev == "device.removed" and e.text("kind") == "dock",
    )
    seen = _dock_events(run, "device.added")
    if docked_before and seen and seen[0].text("seen_by") == "start":
        # It stood in the dock when it was switched off, and still does.
        found = union(found, times([(run.at_ns, seen[0].at_ns)]))
    return found


def _charging_allowed(run: Run, end_ns: int) -> Times:
    told = [(e.at_ns, e.data.get("allowed") is True) for e in run.named("power.charge")]
    beats = run.beats.marks(at_ns for at_ns, _ in told)
    marks = sorted([*told, *((at_ns, said.charging_allowed) for at_ns, said in beats)])
    return times(
        (at_ns, to) for (at_ns, allowed), (to, _) in pairwise([*marks, (end_ns, False)]) if allowed
    )


def _faults(run: Run, opened: _Opened) -> list[tuple[Interval, str]]:
    named: list[tuple[str, Times]] = [
        ("camera", _camera(run, opened)),
        ("storage", opened.spans(
            ("storage.full", "storage.fault", "storage.ok", "activation.start"),
            _storage_began,
            lambda _: True)),
        ("keys", opened.from_first("wrapkey.missing")),
        ("heat", union(opened.levels("power.heat", lambda level: level == "close"),
                       opened.from_first("power.recalled"))),
        ("battery", opened.levels("power.battery", lambda level: level == "empty")),
        ("thread", opened.from_first("thread.died")),
        ("switch", _switch(opened)),
    ]  # fmt: skip
    return [(interval, why) for why, found in named for interval in found]


def _storage_began(event: Told) -> int | None:
    if event.ev not in ("storage.full", "storage.fault"):
        return None
    last_ns = event.whole("last_ns")
    return event.at_ns if last_ns is None else min(last_ns, event.at_ns)


def _camera(run: Run, opened: _Opened) -> Times:
    # Before a stall was noticed, heartbeats still said that all was well.
    silent = times(
        (e.at_ns - (e.whole("silent_ms") or 0) * MS, e.at_ns) for e in run.named("capture.stall")
    )
    gaps = times(
        (from_ns, to_ns)
        for e in run.named("gap")
        if (from_ns := e.whole("from_ns")) is not None and (to_ns := e.whole("to_ns")) is not None
    )
    # A heartbeat says whether pictures come: it ends what no event ended, and begins what none did.
    broken = [e.at_ns for e in run.named("capture.stall", "capture.exit", "capture.error")]
    seen = [e.at_ns for e in run.named("gap", "ready")]
    beats = run.beats.marks([*seen, *broken])
    back = sorted(seen + [at_ns for at_ns, said in beats if said.camera])

    def until_back(begun: Iterable[int]) -> Times:
        return times((at_ns, _next(back, at_ns, opened._end_ns)) for at_ns in begun)

    blind = until_back(at_ns for at_ns, said in beats if not said.camera)
    return union(until_back(broken), silent, gaps, both(blind, opened.from_first("ready")))


def _next(moments: Sequence[int], after_ns: int, none_ns: int) -> int:
    """The first of these, which are sorted, behind a moment."""
    number = bisect_right(moments, after_ns)
    return moments[number] if number < len(moments) else none_ns


def _switch(opened: _Opened) -> Times:
    def ours(event: Told) -> bool:
        pin = event.data.get("pin")
        return pin is None or pin in _SWITCH_PINS

    return opened.spans(
        ("switch.fault", "gpio.fault", "switch.fault_ended", "gpio.claimed"),
        lambda e: e.at_ns if e.ev in ("switch.fault", "gpio.fault") and ours(e) else None,
        ours,
    )

"""The switch thread: raw edges in, logged toggles and activation events out.

Every raw edge and every debounced toggle is logged; a toggle is durable before the next edge is
looked at. The recorder hears of it first: a card that stalls delays the log, not the recording.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import activation
from .clock import MS, NS, Clock
from .config import Config, SwitchKind, pin_map
from .debounce import Debouncer, Edge, Outcome, Reconciled, Toggle
from .eventlog import EventLog
from .gesture import ButtonGesture, Gesture, GestureKind, HoldGesture
from .gpio import Pins
from .switchlog import SwitchLog

# An edge may still be on its way through the driver when the clock has passed it.
_DRIVER_NS = 5 * MS
# How long a level that no edge explains may wait for its edge.
_LATE_NS = 20 * MS
_KEY_STABLE_NS = 30 * MS
# A driver may lose an edge now and then; one that was never heard since its claim may be deaf.
_DEAF_AFTER = 2


@dataclass(frozen=True, slots=True)
class Request:
    """An activation event and the log line that stands for it."""

    event: activation.Event
    log_seq: int


class SwitchReader:
    """Owns the inputs: one debouncer a pin, the gestures, and the record of both."""

    def __init__(
        self, config: Config, pins: Pins, clock: Clock, log: EventLog,
        post: Callable[[Request], None], acknowledge: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._pins, self._clock, self._log, self._post = pins, clock, log, post
        self._acknowledge = acknowledge
        switch = config.switch
        self._kind = switch.kind
        self._reread_ns = switch.reread_ms * MS
        self._triggers = {t.pin: t.name for t in config.triggers}
        mapped = pin_map(config)
        key_ns = min(_KEY_STABLE_NS, switch.on_stable_ms * MS)
        slide = switch.kind is SwitchKind.SLIDE
        stable = {
            "record": (switch.on_stable_ms * MS, switch.off_stable_ms * MS if slide else key_ns),
            **{t.pin: (t.stable_ms * MS, t.stable_ms * MS) for t in config.triggers},
        }
        names = [n for n in ("record", "marker", "mute", "covert", *self._triggers) if n in mapped]
        self._debouncers = {
            name: Debouncer(name, *stable.get(name, (key_ns, key_ns)), initial=False)
            for name in names
        }
        self._button = ButtonGesture(
            switch.double_press_ms * MS, switch.hold_stop_ms * MS, key_ns + _DRIVER_NS
        )
        self._mute = HoldGesture(config.mute.hold_ms * MS, key_ns + _DRIVER_NS)
        self._readable = dict.fromkeys(names, True)
        self._heard = dict.fromkeys(names, False)  # an edge, since the line was claimed
        self._missed: dict[str, list[int]] = {name: [] for name in names}  # changes without one
        self._on_at_start: set[str] = set()
        self._lines = SwitchLog(log, self._triggers, slide=slide)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="switch")
        self.beats = 0
        self.crashed: str | None = None

    def start(self) -> None:
        """Take the level each input has now, then follow the edges."""
        now_ns = self._clock.boot_ns()
        for name, debouncer in self._debouncers.items():
            active = self._pins.level(name)
            self._readable[name] = active is not None
            if active:
                self._log.append("switch.on_at_boot", now_ns, pin=name)
                self._on_at_start.add(name)
                # Fed like any other level: it counts once it was stable. No edge was lost.
                debouncer.level(active=True, at_ns=now_ns)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def pending_off(self) -> bool:
        """True while the switch was put to off and the stop is not confirmed."""
        pending = self._debouncers["record"].pending
        return pending is not None and not pending.active and self._kind is SwitchKind.SLIDE

    def levels(self) -> dict[str, bool]:
        """The debounced level of each input; that of an unreadable one is held."""
        return {name: d.active for name, d in self._debouncers.items()}

    def unreadable(self) -> list[str]:
        """The inputs whose line cannot be had now."""
        return [name for name, readable in self._readable.items() if not readable]

    def faulty(self) -> bool:
        """True while any input chatters without an end, or the record switch cannot be read."""
        return not self._readable["record"] or any(d.faulty for d in self._debouncers.values())

    def _run(self) -> None:
        next_reread_ns = 0
        try:
            while not self._stop.is_set():
                self.beats += 1
                known_ns = self._clock.boot_ns() - _DRIVER_NS
                for edge in self._pins.edges(self._wait_ns(known_ns) / NS):
                    self._edge(edge)
                if known_ns >= next_reread_ns:
                    next_reread_ns = known_ns + self._reread_ns
                    self._reread()
                for name, debouncer in self._debouncers.items():
                    self._handle(name, debouncer.tick(known_ns))
                self._lines.tick(known_ns)
                self._gestures(self._button.tick(known_ns))
                self._mute_gestures(self._mute.tick(known_ns))
        except BaseException as fault:
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise

    def _wait_ns(self, known_ns: int) -> int:
        dues = [d.due_ns for d in self._debouncers.values()]
        dues += [self._button.due_ns, self._mute.due_ns]
        soonest = min((due for due in dues if due is not None), default=known_ns + self._reread_ns)
        return max(1 * MS, min(self._reread_ns, soonest - known_ns))

    def _edge(self, edge: Edge) -> None:
        debouncer = self._debouncers.get(edge.pin)
        if debouncer is None:
            return
        self._heard[edge.pin] = True
        self._missed[edge.pin].clear()
        self._lines.edge(edge, faulty=debouncer.faulty)
        self._handle(edge.pin, debouncer.feed(edge))

    def _reread(self) -> None:
        for name, debouncer in self._debouncers.items():
            anew = self._find_deaf(name)
            read_ns = self._clock.boot_ns()
            active = self._pins.level(name)
            self._readable[name] = active is not None
            if active is None or active == debouncer.raw:
                continue
            # Only a level that no edge explains even after the driver's delay is a lost edge.
            self._take_late_edges()
            outcomes = debouncer.level(active, read_ns)
            # What changed before the line was claimed anew is nothing that the new claim missed.
            if not anew and any(isinstance(outcome, Reconciled) for outcome in outcomes):
                self._missed[name].append(read_ns)
            self._handle(name, outcomes)

    def _take_late_edges(self) -> None:
        until_ns = self._clock.boot_ns() + _LATE_NS
        while (left_ns := until_ns - self._clock.boot_ns()) > 0:
            for edge in self._pins.edges(left_ns / NS):
                self._edge(edge)

    def _find_deaf(self, name: str) -> bool:
        """Take a line anew that changes without edges, once they had time enough to come; True if so."""
        missed = self._missed[name]
        enough = _DEAF_AFTER if self._heard[name] else 1
        if len(missed) < enough or self._clock.boot_ns() - missed[-1] < self._reread_ns // 2:
            return False
        self._log.append("gpio.deaf", missed[0], sync=True, pin=name, missed=len(missed))
        missed.clear()
        self._heard[name] = False
        self._pins.reclaim(name)
        return True

    def _handle(self, name: str, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Toggle):
                self._toggle(name, outcome)
            else:
                self._lines.outcome(name, outcome, settled=self._debouncers[name].active)

    def _toggle(self, name: str, toggle: Toggle) -> None:
        if name == "record" and toggle.active:
            self._acknowledge(toggle.settled_ns)
        seq = self._lines.toggle(name, toggle)
        self._request(name, toggle, seq)
        self._log.sync()
        self._log.request_checkpoint()

    def _request(self, name: str, toggle: Toggle, seq: int) -> None:
        at_ns = toggle.at_ns
        event: activation.Event
        if name in self._triggers:
            source = self._triggers[name]
            event = (
                activation.DemandOn(source, at_ns, cause=f"trigger:{source}")
                if toggle.active
                else activation.DemandOff(source, at_ns)
            )
            self._post(Request(event, seq))
        elif name == "marker" and toggle.active:
            self._post(Request(activation.MarkerPressed(at_ns), seq))
        elif name == "covert":
            self._post(Request(activation.CovertSet(at_ns, toggle.active), seq))
        elif name == "mute":
            self._mute_gestures(self._mute.feed(toggle), seq)
        elif name == "record" and self._kind is SwitchKind.BUTTON:
            self._gestures(self._button.feed(toggle), seq)
        elif name == "record":
            # A recording starts when the switch was moved; it stops once that is certain.
            cause = "switch-on-at-start" if name in self._on_at_start else activation.SWITCH
            self._on_at_start.discard(name)
            event = (
                activation.DemandOn(activation.SWITCH, at_ns, cause)
                if toggle.active
                else activation.DemandOff(activation.SWITCH, toggle.settled_ns)
            )
            self._post(Request(event, seq))

    def _gestures(self, gestures: Sequence[Gesture], seq: int | None = None) -> None:
        for gesture in gestures:
            line = self._log.append(
                "switch.gesture", gesture.at_ns, gesture=gesture.kind.value, toggle=seq
            )
            match gesture.kind:
                case GestureKind.START:
                    self._post(Request(activation.DemandOn(activation.SWITCH, gesture.at_ns), line))
                case GestureKind.STOP:
                    self._post(
                        Request(activation.DemandOff(activation.SWITCH, gesture.at_ns), line)
                    )
                case GestureKind.TOUCH:
                    self._post(Request(activation.MarkerPressed(gesture.at_ns), line))
                case GestureKind.HOLD_BEGIN | GestureKind.HOLD_END:
                    raise AssertionError("the record button has no hold gesture")

    def _mute_gestures(self, gestures: Sequence[Gesture], seq: int = -1) -> None:
        for gesture in gestures:
            if gesture.kind is GestureKind.HOLD_BEGIN:
                self._post(Request(activation.MuteHeld(gesture.at_ns), seq))
            elif gesture.kind is GestureKind.HOLD_END:
                self._post(Request(activation.MuteReleased(gesture.at_ns), seq))

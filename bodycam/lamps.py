"""The signal thread: shows the recorder's state on lamps and by touch, whatever the disk does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from .clock import MS, NS, Clock, wait
from .signalplayer import SignalPlayer, TraceEvent
from .signals import Cue, Facts

_LOOP_S = 0.1
_FAREWELL_NS = 800 * MS


class Lamps:
    """Owns the outputs. Nothing here touches the disk, so a stalled card cannot freeze a lamp."""

    def __init__(
        self,
        player: SignalPlayer,
        clock: Clock,
        facts: Callable[[], Facts],
        publish: Callable[[TraceEvent], None],
    ) -> None:
        self._player, self._clock, self._facts, self._publish = player, clock, facts, publish
        self._cues: queue.SimpleQueue[tuple[Cue, int]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signals")
        self.shown: TraceEvent | None = None  # what the officer sees now
        self.beats = 0
        self.crashed: str | None = None

    def cue(self, cue: Cue) -> None:
        """Ask for a one-shot signal; any thread."""
        self._cues.put((cue, self._clock.boot_ns()))
        self._wake.set()

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Show the last facts, feel the long tap of going off to its end, then end."""
        self._stop.set()
        self._wake.set()
        self._thread.join(2.0)
        until_ns = self._clock.boot_ns() + _FAREWELL_NS
        while self._clock.boot_ns() < until_ns:
            self._wake.clear()
            wait(self._clock, self._wake, self._show())

    @property
    def state(self) -> str:
        """The state that is shown."""
        return "boot" if self.shown is None else self.shown.state.value

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.beats += 1
                wait(self._clock, self._wake, self._show())
                self._wake.clear()
        except BaseException as fault:
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise

    def _show(self) -> float:
        now_ns = self._clock.boot_ns()
        facts = self._facts()
        events = self._player.update(facts, now_ns)
        while True:
            try:
                cue, _ = self._cues.get_nowait()
            except queue.Empty:
                break
            events += self._player.cue(cue, now_ns)
        for event in events:
            if event.cue is not Cue.MARKER:  # a flash, and then as before
                self.shown = event
            self._publish(event)
        due_ns = self._player.render(now_ns)
        return _LOOP_S if due_ns is None else max(0.001, min(_LOOP_S, (due_ns - now_ns) / NS))

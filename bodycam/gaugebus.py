"""The gauge thread: talks to fuel gauge, thermistor and charger chip, whose bus may hang.

A read that does not return holds up this thread and nobody else: who waits for a reading waits at
most two seconds, then there is none. What hangs in the kernel cannot be joined; the thread is left
behind when the recorder ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .clock import NS, Clock, wait
from .gauge import Battery
from .sensors import Sensors, selected

ROUND_S = 0.5
_FRESH_NS = 2 * NS


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """What was read in one round, and when it had been."""

    battery: Battery | None
    cell_milli_c: int | None
    at_ns: int


class GaugeBus:
    """One thread; `fresh` is set after each round, faults of the charger's driver go to `report`."""

    def __init__(
        self, clock: Clock, sensors: Sensors, fresh: threading.Event,
        report: Callable[[str, str | None], None],
    ) -> None:  # fmt: skip
        self._clock, self._sensors, self._fresh, self._report = clock, sensors, fresh, report
        self._latest: GaugeReading | None = None
        self._cut = True
        self._told = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="gauge", daemon=True)
        self.crashed: str | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop = True
        self._told.set()
        self._thread.join(0.5)

    def latest(self, now_ns: int) -> GaugeReading | None:
        """The last round's reading; None if it is older than two seconds."""
        latest = self._latest
        return latest if latest is not None and now_ns - latest.at_ns <= _FRESH_NS else None

    def tell_charger(self, *, cut: bool) -> None:
        """What the charger's driver is to be told, at once and from then on."""
        if cut is not self._cut:
            self._cut = cut
            self._told.set()

    def _run(self) -> None:
        try:
            while not self._stop:
                due_ns = self._clock.boot_ns() + int(ROUND_S * NS)
                battery, cell_milli_c = self._sensors.read_gauge()
                self._latest = GaugeReading(battery, cell_milli_c, self._clock.boot_ns())
                self._fresh.set()
                self._rest(due_ns)
        except BaseException as fault:
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise

    def _rest(self, due_ns: int) -> None:
        while not self._stop:
            self._told.clear()
            self._command()
            left_ns = due_ns - self._clock.boot_ns()
            if left_ns <= 0 or not wait(self._clock, self._told, left_ns / NS):
                return

    def _command(self) -> None:
        """Tell the kernel's driver of the charger, where there is one that can be told."""
        behaviour = "inhibit-charge" if self._cut else "auto"
        for path in self._sensors.charge_controls():
            try:
                if selected(path.read_text(encoding="ascii")) != behaviour:
                    path.write_text(behaviour, encoding="ascii")
                self._report(str(path), None)
            except (OSError, UnicodeDecodeError) as fault:
                self._report(str(path), f"{path}: {fault}")

"""The real switch thread on pins of any kind, with a real log, and without the rest of a recorder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bodycam import activation
from bodycam.clock import SystemClock
from bodycam.config import Config, Switch
from bodycam.eventlog import EventLog
from bodycam.gpio import Pins
from bodycam.signing import NoKey
from bodycam.switches import Request, SwitchReader


class SwitchRig:
    """What the switch thread has logged and asked for."""

    def __init__(self, folder: Path, log: EventLog) -> None:
        self.log = log
        self._path = folder / "events.jsonl"
        self.requests: list[activation.Event] = []
        self.reader: SwitchReader

    def lines(self, ev: str | None = None) -> list[dict[str, Any]]:
        raw = self._path.read_bytes().split(b"\n")[:-1]
        return [line for line in map(json.loads, raw) if ev in (None, line["ev"])]

    def until(self, what: str, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for a fact; the failure shows what was logged instead."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.reader.crashed is None, self.reader.crashed
            assert time.monotonic() < deadline, f"{what} never came: {self.lines()}"
            time.sleep(0.005)

    def until_logged(self, ev: str, count: int = 1) -> dict[str, Any]:
        self.until(f"{count} x {ev}", lambda: len(self.lines(ev)) >= count)
        return self.lines(ev)[count - 1]

    def until_level(self, pin: str, active: bool) -> None:
        """Wait until the debounced level is this one."""
        self.until(f"{pin} at rest", lambda: self.reader.levels()[pin] == active)


@contextmanager
def switch_log(folder: Path) -> Iterator[SwitchRig]:
    """A log that is there before the pins are."""
    log = EventLog(folder, SystemClock(), "example/bodycam/BC-1", NoKey())
    log.open()
    try:
        yield SwitchRig(folder, log)
    finally:
        log.close()


@contextmanager
def reading(rig: SwitchRig, pins: Pins, off_stable_ms: int = 60) -> Iterator[SwitchRig]:
    """The switch thread at work on these pins."""
    config = Config(switch=Switch(off_stable_ms=off_stable_ms))

    def post(request: Request) -> None:
        rig.requests.append(request.event)

    rig.reader = SwitchReader(config, pins, SystemClock(), rig.log, post, lambda _: None)
    rig.reader.start()
    try:
        yield rig
    finally:
        rig.reader.stop()
        rig.log.sync()
    assert rig.reader.crashed is None, rig.reader.crashed

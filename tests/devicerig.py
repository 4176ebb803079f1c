"""A device watch with its log, on this machine's kernel or on a tree of files."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bodycam.clock import SystemClock
from bodycam.config import Config, Devices, Power
from bodycam.devices import DeviceActions, DeviceWatch
from bodycam.eventlog import EventLog
from bodycam.signing import NoKey


class Watched:
    """A watch with its log, and what it told whom."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.log_path = folder / "events.jsonl"
        clock = SystemClock()
        self.log = EventLog(folder, clock, "test", NoKey())
        self.log.open()
        self.told: list[str] = []
        config = Config(
            power=Power(sysfs=settings.pop("sysfs", "/sys")), devices=Devices(**settings)
        )
        self.watch = DeviceWatch(
            config, clock, self.log,
            DeviceActions(
                lambda present: self.told.append("camera" if present else "no camera"),
                lambda: self.told.append("microphone"),
            ),
        )  # fmt: skip

    def events(self, ev: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log_path.read_bytes().split(b"\n")[:-1]]
        return [line["data"] for line in lines if line["ev"] == ev]

    def until(self, what: str, holds: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.watch.crashed is None
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    @property
    def fd(self) -> int:
        observer = self.watch._observer
        assert observer is not None
        return observer.fileno()


@contextmanager
def watched(folder: Path, **settings: Any) -> Iterator[Watched]:
    rig = Watched(folder, **settings)
    rig.watch.start()
    try:
        # What is plugged in from here on was not there when it began to look.
        rig.until("begun", lambda: rig.watch.beats)
        yield rig
    finally:
        rig.watch.stop()
        rig.log.close()
    assert rig.watch.crashed is None


def kill_observer(fd: int) -> None:
    """Its socket is broken from now on. (Closed under libudev, it would abort the process.)"""
    broken, other = socket.socketpair()
    other.close()
    with broken:
        os.dup2(broken.fileno(), fd)

"""A capture worker in a test: a real process, a real ring, a real pipe."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bodycam.buffer import PreRecordBuffer, RingLimits
from bodycam.clock import NS, SystemClock
from bodycam.media import AccessUnit, Track
from bodycam.sharedring import DESCRIPTOR_BYTES, Descriptor

DEADLINE_S = 20
SMALL = '[camera]\nsource = "synthetic"\nwidth = 320\nheight = 180\nbitrate_kbps = 400\n'


class Worker:
    """A worker process and the recorder's end of its ring."""

    def __init__(self, folder: Path, toml: str, program: list[str] | None = None) -> None:
        self._config = folder / "camera.toml"
        self._config.write_text(toml)
        self._program = program or [sys.executable, "-m", "bodycam.capture"]
        self.ring = PreRecordBuffer(RingLimits(32 << 20, 120 * NS, 60_000, 1 << 20))
        self.ring.publish_clock(SystemClock().sample())
        self.events: list[dict[str, Any]] = []
        self.order: list[str] = []
        self.units: list[AccessUnit] = []
        self.every: list[int] = []
        self._cursor: Any = None
        self._epoch = 0
        self.process = self.spawn()

    def spawn(self, **environment: str) -> subprocess.Popen[str]:
        self._epoch += 1
        self.pipe, write_end = os.pipe()
        self.process = subprocess.Popen(
            [
                *self._program, "--ring-fd", str(self.ring.fd), "--pipe-fd", str(write_end),
                "--head", str(self.ring.head), "--epoch", str(self._epoch),
                "--config", str(self._config),
            ],
            pass_fds=(self.ring.fd, write_end),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        os.close(write_end)
        return self.process

    def read_until(self, enough: Callable[[], bool]) -> None:
        """Take what the worker announces until it is enough, or the worker has ended."""
        deadline = time.monotonic() + DEADLINE_S
        while not enough():
            left = deadline - time.monotonic()
            assert left > 0, f"not within {DEADLINE_S} s; reports: {self.events}"
            if not select.select([self.pipe], [], [], left)[0]:
                continue
            raw = os.read(self.pipe, DESCRIPTOR_BYTES)
            if not raw:
                return
            self._take(Descriptor.unpack(raw))

    def _take(self, unit: Descriptor) -> None:
        report = self.ring.accept(unit)
        if report is not None:
            self.events.append(json.loads(report))
            self.order.append(self.events[-1]["ev"])
            return
        self.order.append(unit.track.name)
        if unit.track is Track.VIDEO:
            self.every.append(unit.every)
        self._cursor = self._cursor or self.ring.open_cursor(0)
        while self._cursor and (read := self._cursor.read(0)):
            self.units.append(replace(read, data=bytes(read.data)))
            self._cursor.release(self._cursor.position)

    def read_to_end(self) -> tuple[int, list[str]]:
        """Everything until the worker has ended: its exit code and its lines on stderr."""
        self.read_until(lambda: False)
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors.splitlines()

    def of(self, track: Track) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.track is track]

    @property
    def video(self) -> list[AccessUnit]:
        return self.of(Track.VIDEO)

    def said(self, ev: str) -> dict[str, Any]:
        return next(event for event in self.events if event["ev"] == ev)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        if self.pipe >= 0:
            os.close(self.pipe)
        self.ring.close()

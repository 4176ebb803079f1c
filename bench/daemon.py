"""The real daemon, whole: start to READY, its cost in standby and recording, and its death."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import readback
from bench.probe import boot_ns, cpu_ns_of, memory_bytes, written_bytes
from bench.stream import FPS, Stream
from bodycam.clock import NS, SystemClock
from bodycam.provision.identity import make_identity
from bodycam.simulate.control import PinsClient

_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Shift:
    """What one life of the daemon showed."""

    standby_us_per_unit: float
    recording_us_per_unit: float
    recorder_standby_us: float
    recorder_recording_us: float
    lamp_ms: float
    pre_record_s: float
    lost_at_kill_s: float
    exact: bool
    besides_ring_bytes: int
    standby_written: int
    written_ratio: float


class Daemon:
    """`bodycam run` with simulated pins, replaying the stream; READY is heard as systemd would."""

    def __init__(self, folder: Path, stream: Stream, keep_s: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.stream = stream
        now = SystemClock().sample().utc_ns
        self._identity = make_identity(folder, "BC-BENCH", now)
        self._config = folder / "bodycam.toml"
        self._config.write_text(_config_text(folder, stream, keep_s), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        # An abstract address: the folder's may be too long for a socket's.
        self._address = f"@bodycam-bench-{os.getpid()}-{folder.name}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind("\0" + self._address[1:])
        self._listener.settimeout(_DEADLINE_S)

    @property
    def store(self) -> Path:
        return self.folder / "camera"

    @property
    def custodian_key(self) -> Path:
        return self._identity.recipient_key("custody")

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the daemon is not started")
        return self._process.pid

    def start(self) -> int:
        """Start, and wait for READY; how long that took, in ns."""
        before = boot_ns()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bodycam", "run", "--config", str(self._config)],
            env={**os.environ, "NOTIFY_SOCKET": self._address},
        )
        while b"READY=1" not in self._listener.recv(4096):
            pass
        return boot_ns() - before

    def worker_pid(self) -> int:
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            children = (task / "children").read_text(encoding="ascii").split()
            if children:
                return int(children[0])
        raise RuntimeError("the daemon has no capture worker")

    def press(self) -> None:
        with PinsClient(self.folder / "run" / "pins.sock") as pins:
            pins.set("record", True)

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        raw = (self.store / "log" / "events.jsonl").read_bytes()
        for line in raw.rstrip(b"\0").splitlines():
            event = json.loads(line)
            if event["ev"] == name:
                yield event

    def wait_event(self, name: str) -> dict[str, Any]:
        give_up = time.monotonic() + _DEADLINE_S
        while time.monotonic() < give_up:
            for event in self.events(name):
                return event
            time.sleep(0.02)
        raise RuntimeError(f"no {name} event within {_DEADLINE_S:.0f} s")

    def end(self, number: int) -> int:
        """Signal the daemon and wait for its end; when it was signalled."""
        if self._process is None:
            raise RuntimeError("the daemon is not started")
        at_ns = boot_ns()
        self._process.send_signal(number)
        self._process.wait(_DEADLINE_S)
        return at_ns

    def drain(self) -> None:
        """Forget what the last life said."""
        self._listener.setblocking(False)
        try:
            while self._listener.recv(4096):
                pass
        except BlockingIOError:
            self._listener.settimeout(_DEADLINE_S)

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGKILL)
        self._listener.close()


def _config_text(folder: Path, stream: Stream, keep_s: int) -> str:
    spec = stream.spec
    return f"""
[device]
id = "BC-BENCH"
[store]
path = "{folder}/camera"
runtime = "{folder}/run"
[identity]
path = "{folder}/identity"
[camera]
source = "replay"
file = "{stream.file}"
width = {spec.width}
height = {spec.height}
fps = {FPS}
bitrate_kbps = {spec.kbps}
[audio]
source = "none"
[pre_record]
seconds = {keep_s}
[gpio]
backend = "simulated"
"""


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    try:
        yield daemon
    finally:
        daemon.close()


def time_to_ready(folder: Path, stream: Stream, times: int) -> list[float]:
    """Seconds from starting the program to READY=1; each time ended by SIGTERM."""
    found = []
    with running(Daemon(folder, stream, 30)) as daemon:
        for _ in range(times):
            found.append(daemon.start() / 1e9)
            daemon.end(signal.SIGTERM)
            daemon.drain()
    return found


def shift(folder: Path, stream: Stream, keep_s: int, measure_s: float) -> Shift:
    """Fill the ring, measure standby, press, measure recording, SIGKILL the recorder, read back."""
    with running(Daemon(folder, stream, keep_s)) as daemon:
        daemon.start()
        time.sleep(max(0.0, keep_s + 1.5 - measure_s))
        written = written_bytes(daemon.pid)
        standby, own_standby = _cost(daemon, measure_s)
        standby_written = written_bytes(daemon.pid) - written
        daemon.press()
        started = daemon.wait_event("rec.start")
        pressed = next(daemon.events("activation.start"))
        recording, own_recording = _cost(daemon, measure_s)
        memory = memory_bytes(daemon.pid)
        ring = _ring_rss(daemon.pid)
        killed_ns = daemon.end(signal.SIGKILL)
        saved = readback.ours(daemon.store, daemon.custodian_key, stream)
    return Shift(
        standby, recording, own_standby, own_recording,
        (started["data"]["synced_ns"] - pressed["boot_ns"]) / 1e6,
        started["data"]["actual_ms"] / 1e3,
        max(0.0, (killed_ns - saved.last_end_ns) / NS),
        saved.exact, memory["Rss"] - ring, standby_written,
        saved.file_bytes / saved.payload_bytes,
    )  # fmt: skip


def _cost(daemon: Daemon, seconds: float) -> tuple[float, float]:
    """CPU per access unit, in us: of recorder and worker together, and of the recorder alone."""
    worker = daemon.worker_pid()
    before = cpu_ns_of(daemon.pid), cpu_ns_of(worker)
    began = boot_ns()
    time.sleep(seconds)
    units = (boot_ns() - began) / 1e9 * FPS
    own, theirs = cpu_ns_of(daemon.pid) - before[0], cpu_ns_of(worker) - before[1]
    return (own + theirs) / units / 1e3, own / units / 1e3


def _ring_rss(pid: int) -> int:
    """Resident bytes of the ring's mapping."""
    total, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="ascii").splitlines():
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):
            inside = "memfd:bodycam-ring" in line
        elif inside and first == "Rss:":
            total += int(line.split()[1]) * 1024
    return total

"""What others would use, driven by the same plan: picamera2's outputs, and a deque with PyAV.

picamera2's output classes are loaded alone, from a wheel without its dependencies: the package
around them needs a Pi (libcamera), and `ffmpegoutput` beside them imports `prctl`.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections import deque
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from bench.plan import Pace, Plan, PushTimer, say
from bench.probe import boot_ns, cpu_ns, memory_bytes, written_bytes
from bench.stream import FPS, Stream, first_in_window, is_keyframe

PICAMERA2 = "picamera2==0.3.38"
CIRCULAR2 = "circular2"
CIRCULAR2_FRAGMENTED = "circular2-fragmented"
DEQUE = "deque"
FEEDER = "bare"
_FRAGMENTED = {"movflags": "frag_keyframe+delay_moov+default_base_moof"}


def fetch(cache: Path) -> Path:
    """The folder with picamera2's code, installed with pip once, without its dependencies."""
    folder = cache / "picamera2"
    if not (folder / "picamera2").is_dir():
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-deps", "--target", str(folder), PICAMERA2],
            check=True,
        )  # fmt: skip
    return folder


def version(folder: Path) -> str:
    """The version that pip has installed there."""
    facts = next(folder.glob("picamera2-*.dist-info/METADATA")).read_text(encoding="utf-8")
    return next(line for line in facts.splitlines() if line.startswith("Version:")).split()[1]


def load_outputs(folder: Path) -> Any:
    """picamera2.outputs, without what its package needs beside it."""
    package = ModuleType("picamera2")
    package.__path__ = [str(folder / "picamera2")]
    sys.modules["picamera2"] = package
    sys.modules.setdefault("prctl", ModuleType("prctl"))
    return importlib.import_module("picamera2.outputs")


class Peer(Protocol):
    """A buffer that takes units, and writes a file from the press on."""

    written: int

    def push(self, number: int, data: bytes, at_us: int) -> None: ...

    def press(self) -> None: ...

    def stop(self) -> None: ...

    def payload(self) -> int: ...


class Bare:
    """Nothing at all: what feeding costs."""

    written = 0

    def push(self, number: int, data: bytes, at_us: int) -> None:
        pass

    def press(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def payload(self) -> int:
        return 0


class Circular2:
    """CircularOutput2 with a PyavOutput, as its documentation shows; `stop` flushes it."""

    def __init__(
        self, plan: Plan, outputs: Any, path: Path, options: dict[str, str] | None
    ) -> None:
        peer = self
        self.written = 0
        size = Stream(Path(plan.stream)).spec

        class Counting(outputs.PyavOutput):  # type: ignore[misc]
            """Counts what it has been given to write."""

            def outputframe(self, *args: Any, **kwargs: Any) -> None:
                super().outputframe(*args, **kwargs)
                peer.written += 1

        self._output = Counting(str(path), options=options)
        self._ring = outputs.CircularOutput2(buffer_duration_ms=plan.keep_s * 1000)
        self._ring._add_stream("video", "h264", rate=FPS, width=size.width, height=size.height)
        self._ring.start()
        self._close_only = plan.variant == "close"

    def push(self, number: int, data: bytes, at_us: int) -> None:
        self._ring.outputframe(data, is_keyframe(number), at_us)

    def press(self) -> None:
        self._ring.open_output(self._output)

    def stop(self) -> None:
        if self._close_only:
            self._ring.close_output()
        else:
            self._ring.stop()

    def payload(self) -> int:
        return sum(len(entry[0]) for entry in self._ring._circular)


class DequePyav:
    """What one writes first: a deque, and at the press all of it through PyAV under the lock."""

    def __init__(self, plan: Plan, path: Path) -> None:
        self._av: Any = importlib.import_module("av")
        self.written = 0
        self._size = Stream(Path(plan.stream)).spec
        self._keep_us = plan.keep_s * 1_000_000
        self._path = path
        self._units: deque[tuple[bool, bytes, int]] = deque()
        self._lock = threading.Lock()
        self._container: Any = None
        self._stream: Any = None
        self._origin_us = 0

    def push(self, number: int, data: bytes, at_us: int) -> None:
        with self._lock:
            if self._container is not None:
                self._mux(is_keyframe(number), data, at_us)
                return
            self._units.append((is_keyframe(number), data, at_us))
            while at_us - self._units[0][2] >= self._keep_us:
                self._units.popleft()

    def press(self) -> None:
        with self._lock:
            self._container = self._av.open(str(self._path), "w", options=_FRAGMENTED)
            self._stream = self._container.add_stream("h264", rate=FPS)
            self._stream.width, self._stream.height = self._size.width, self._size.height
            while not self._units[0][0]:
                self._units.popleft()
            self._origin_us = self._units[0][2]
            for unit in self._units:
                self._mux(*unit)
            self._units.clear()

    def _mux(self, keyframe: bool, data: bytes, at_us: int) -> None:
        packet = self._av.Packet(data)
        packet.pts = packet.dts = at_us - self._origin_us
        packet.time_base = Fraction(1, 1_000_000)
        packet.is_keyframe = keyframe
        packet.stream = self._stream
        self._container.mux(packet)
        self.written += 1

    def stop(self) -> None:
        with self._lock:
            self._container.close()

    def payload(self) -> int:
        return sum(len(unit[1]) for unit in self._units)


def make_peer(kind: str, plan: Plan, path: Path) -> Peer:
    if kind == FEEDER:
        return Bare()
    if kind == DEQUE:
        return DequePyav(plan, path)
    outputs = load_outputs(Path(os.environ["BENCH_PICAMERA2"]))
    options = _FRAGMENTED if kind == CIRCULAR2_FRAGMENTED else None
    return Circular2(plan, outputs, path, options)


def run(kind: str, plan: Plan) -> None:
    """Child of a peer's name: feed, press and stop by the plan."""
    stream = Stream(Path(plan.stream))
    path = Path(plan.folder) / "recording.mp4"
    peer = make_peer(kind, plan, path)
    before = memory_bytes()["Pss"]
    pace, timer = Pace(plan), PushTimer(plan.mark)
    pre_units = 0 if plan.press is None else plan.press + 1 - first_in_window(
        plan.press, plan.keep_s
    )  # fmt: skip
    cpu = press_ns = 0
    whole_ns: int | None = None
    presser = threading.Thread(target=peer.press)
    written = written_bytes()
    for number in range(plan.units):
        at_us = pace.wait(number) // 1000
        if number == plan.mark:
            cpu = cpu_ns()
        data = stream.unit(number)
        timer.push(number, lambda n=number, d=data, t=at_us: peer.push(n, d, t))  # type: ignore[misc]
        if number == plan.press:
            press_ns = boot_ns()
            presser.start()
            if not plan.paced:
                presser.join()
            say(pressed_ns=press_ns)
        if pre_units and whole_ns is None and peer.written >= pre_units:
            whole_ns = _synced(path) - press_ns
        if plan.press is not None and number == plan.stop:
            presser.join()
            peer.stop()
            break
    say(
        cpu_ns=cpu_ns() - cpu, cpu_feeder_ns=0, longest_push_ns=timer.longest_ns, dropped=0,
        durable_ns=whole_ns, written=written_bytes() - written,
        memory={"growth": memory_bytes()["Pss"] - before, "payload": peer.payload(),
                "process": memory_bytes()["Rss"]},
    )  # fmt: skip


def _synced(path: Path) -> int:
    """An fdatasync that the peer itself never makes; when it was done."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)
    return boot_ns()

"""A daemon to which a fault is done: with an independent witness of its syncs, and its lamps followed.

When the block is left, what holds for every fault is asserted: the lamp never lied, nothing ended in
a traceback, nothing hung, and the verifier finds nothing altered.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bodycam.clock import MS, NS
from bodycam.errors import DeviceError, ExitCode
from bodycam.simulate.control import PinsClient
from bodycam.simulate.unit import Unit
from tests.rig import QUICK, Rig, records_of, wait_for_no_worker

from .witness import allowed_late_ns, lies, read_syncs

HONEST = (ExitCode.OK, ExitCode.INCOMPLETE)


class FaultRig(Rig):
    """One simulated unit, its signal trace and its syncs."""

    def __init__(self, unit: Unit, witness_path: Path) -> None:
        super().__init__(unit)
        self.witness_path = witness_path
        self.messages: list[dict[str, Any]] = []
        self._leaving = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="trace", daemon=True)

    def throw(self, *positions: bool, ms: Sequence[int] = (), **how: Any) -> int:
        """Throw the record switch soon, and so much later again; when the first is.

        It does not bounce but as `how` spells out (PinsClient.set).
        """
        with PinsClient(self.unit.socket_path) as client:
            # Long enough for a busy machine to send all of them before the first is due.
            first_ns = self.unit.clock.boot_ns() + int(self.unit.clock.speed * NS)
            for active, after_ms in zip(positions, (0, *ms), strict=True):
                at_ns = first_ns + after_ms * MS
                client.set("record", active, at_ns=at_ns, **{"bounce_us": [], **how})
        return first_ns

    def status(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `bodycam status` answers."""
        return subprocess.run(
            [sys.executable, "-m", "bodycam", "status", "--runtime", str(self.unit.runtime), *words],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    # -- signals ----------------------------------------------------------------------------------

    def follow(self) -> None:
        """Write down what the pins do, through every life of the recorder."""
        self._follower.start()

    def _follow(self) -> None:
        while not self._leaving.is_set():
            try:
                with PinsClient(self.unit.socket_path) as client:
                    self.messages.extend(client.watch())
            except (DeviceError, OSError):
                self._leaving.wait(0.02)

    def stop_following(self) -> None:
        self._leaving.set()
        self._follower.join(5)

    def states(self) -> list[str]:
        """The states the officer was shown, without repeats in a row."""
        states: list[str] = []
        for message in list(self.messages):
            state = message.get("trace", {}).get("state")
            if state is not None and (not states or states[-1] != state):
                states.append(state)
        return states

    def showed(self, *states: str) -> bool:
        """True if the officer was shown these states in this order, others in between or not."""
        left = iter(self.states())
        return all(state in left for state in states)

    def taps(self) -> list[str]:
        """What was felt, in order, as the trace words it: "2 short"."""
        return [
            message["trace"]["taps"]
            for message in list(self.messages)
            if message.get("trace", {}).get("taps")
        ]

    def cues(self) -> list[str]:
        """What was said once, in order: "press-ack", "start", "stop"."""
        traced = [message.get("trace", {}) for message in list(self.messages)]
        return [trace["cue"] for trace in traced if trace.get("cue")]

    def notices(self) -> list[str]:
        """What was shown on top of the states, each once."""
        traces = (message.get("trace", {}) for message in list(self.messages))
        return list(dict.fromkeys(name for trace in traces for name in trace.get("also", [])))

    def until_state(self, state: str, seconds: float = 20) -> None:
        """Wait until the officer is shown this state."""
        try:
            self.until(f"state {state}", lambda: self.states()[-1:] == [state], seconds)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\nshown: {self.states()}") from fault

    # -- syncs ------------------------------------------------------------------------------------

    def synced_ns(self) -> list[int]:
        """When the kernel had taken a sync of evidence, in the camera's clock."""
        clock = self.unit.clock
        syncs = read_syncs(self.witness_path)
        return [clock.boot_at(sync.monotonic_ns) for sync in syncs if sync.of_evidence]

    # -- what is asserted of every fault -----------------------------------------------------------

    def check(self, allowed: Sequence[ExitCode]) -> None:
        late_ns = allowed_late_ns(self.unit.clock.speed)
        found = lies(self.messages, self.synced_ns(), late_ns)
        assert not found, "; ".join(map(str, found[:3]))
        said = (self.unit.out / "recorder.log").read_text(encoding="utf-8", errors="replace")
        assert "Traceback" not in said, said[-3000:]
        report = self.verify()
        assert report.exit_code in allowed, [finding.text for finding in report.findings]

    def lost_s(self, *causes: str) -> float:
        """Seconds that are said to be missing in `gap` lines: all, or those of these causes."""
        gaps = [line["data"] for line in self.events("gap")]
        gaps = [gap for gap in gaps if not causes or gap["cause"] in causes]
        return float(sum(gap["to_ns"] - gap["from_ns"] for gap in gaps)) / NS

    def fragments(self) -> list[dict[str, Any]]:
        """What the signed records say of each fragment on disk, by time of capture."""
        records = (record for path in self.segments() for record in records_of(path))
        return sorted((r for r in records if r["t"] == "frag"), key=lambda r: int(r["boot_ns"]))

    def missing_s(self) -> float:
        """Seconds between the first and the last picture on disk that no fragment covers."""
        missing_ns, end_ns = 0, None
        for fragment in self.fragments():
            if end_ns is not None:
                missing_ns += max(0, fragment["boot_ns"] - end_ns)
            end_ns = max(end_ns or 0, fragment["end_ns"])
        # Pictures do not come to the nanosecond.
        return 0.0 if missing_ns < NS // 10 else missing_ns / NS

    # -- how faults are made ----------------------------------------------------------------------

    @contextmanager
    def injected(self, *faults: str, path: Path | None = None) -> Iterator[None]:
        """System calls of the running recorder fail as strace's `-e inject=` says (faults.md, 4)."""
        only = [] if path is None else ["-P", str(path)]
        inject = [word for fault in faults for word in ("-e", f"inject={fault}")]
        calls = ",".join(fault.split(":")[0] for fault in faults)
        with self._straced(f"trace={calls}", *only, *inject):
            yield

    @contextmanager
    def traced(self, calls: str) -> Iterator[Path]:
        """Write down the running recorder's system calls, with the paths of their descriptors."""
        with self._straced(f"trace={calls}", "-y", "-s", "0") as out:
            yield out

    @contextmanager
    def _straced(self, expression: str, *options: str) -> Iterator[Path]:
        out = self.unit.out.with_name("strace.txt")
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", str(out), "-e", expression, *options,
             "-p", str(self.unit.pid)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            _until_traced(int(self.unit.pid or 0), tracer)
            yield out
        finally:
            tracer.terminate()
            tracer.communicate(timeout=10)


def _is_traced(task: Path) -> bool:
    try:
        return "TracerPid:\t0\n" not in (task / "status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True  # it has ended meanwhile


def _until_traced(pid: int, tracer: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 10
    while True:
        if all(map(_is_traced, Path(f"/proc/{pid}/task").iterdir())):
            return
        if tracer.poll() is not None or time.monotonic() > deadline:
            said = tracer.stderr.read() if tracer.poll() is not None and tracer.stderr else ""
            raise AssertionError(f"strace does not hold the recorder: {said}")
        time.sleep(0.02)


@contextmanager
def faulty(
    out: Path,
    witness: Path,
    overrides: dict[str, Any] | None = None,
    speed: float = 1,
    *,
    allowed: Sequence[ExitCode] = HONEST,
    orderly: bool = True,
    before: Callable[[Unit], None] | None = None,
    from_boot: bool = False,
    meanwhile: Callable[[FaultRig], None] | None = None,
    preload: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[FaultRig]:
    """A unit to do a fault to; ended in order when the block is left, and checked.

    `before` it is started, and `meanwhile`: while it boots. `from_boot`: the lamps are followed
    from the start, and not only once it is ready. `preload`: more libraries for it.
    """
    syncs = out.with_name(out.name + ".syncs")
    libraries = ":".join(map(str, (witness, *preload)))
    of_witness = {"LD_PRELOAD": libraries, "SYNC_WITNESS": str(syncs)}
    unit = Unit(out, {**QUICK, **(overrides or {})}, speed, {**of_witness, **(environment or {})})
    rig = FaultRig(unit, syncs)
    unit.prepare()
    if before is not None:
        before(unit)
    if from_boot:
        rig.follow()
    unit.start()
    try:
        if meanwhile is not None:
            meanwhile(rig)
        unit.wait_ready()
        if not from_boot:
            rig.follow()
        yield rig
    except BaseException:
        unit.stop(orderly=False)
        rig.stop_following()
        raise
    unit.stop(orderly=orderly)
    rig.stop_following()
    wait_for_no_worker(unit.config_path)
    rig.check(allowed)

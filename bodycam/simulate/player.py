"""Plays a scenario against a real daemon: real processes, real files, simulated seams."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..clock import NS, wait
from ..errors import BodycamError, DeviceError
from ..progress import Progress
from .control import PinsClient
from .expectations import Outcome, Run, judge
from .scenario import ClockChange, Position, Scenario, Step, StorageChange, Target
from .sysfs import change_power, plug_usb, put_in_dock
from .unit import Unit, mount_card, unmount_card

_AHEAD_NS = NS // 5
_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Played:
    """A finished run: the unit's folder, and every expectation with its answer."""

    unit: Unit
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)


class Player:
    """One scenario against one simulated unit."""

    def __init__(
        self, scenario: Scenario, out: Path, speed: float | None, say: Callable[[str], None]
    ) -> None:
        self._scenario = scenario
        self._say = say
        self.unit = Unit(out, scenario.config, speed or scenario.speed)
        self.unit.watched = True
        self._clock = self.unit.clock
        self._client: PinsClient | None = None
        self._trace = out / "signals.jsonl"
        self._clock_steps: list[ClockChange] = []
        self._stop = threading.Event()
        self._left = threading.Event()
        self._follower = threading.Thread(target=self._follow, daemon=True, name="trace")
        self._zero_ns = 0

    def play(self) -> Played:
        """The whole shift, then its expectations. Raises what makes the run itself impossible."""
        scenario, unit = self._scenario, self.unit
        unit.prepare()
        size = scenario.card.size_mib
        if size is not None:
            mount_card(unit.card, size)
        try:
            self._run_shift()
        finally:
            with suppress(BodycamError):
                unit.stop(orderly=False)
            self._disconnect()
            self._left.set()
            self._follower.join(5)
            if size is not None:
                unmount_card(unit.card)
        return Played(unit, tuple(judge(scenario, self._collect())))

    def _run_shift(self) -> None:
        scenario, unit = self._scenario, self.unit
        change_power(unit.sysfs, scenario.power)
        if scenario.switch_at_boot is Position.ON:
            from .pins import write_positions

            write_positions(unit.socket_path, {"record": True})
        self._follower.start()
        unit.start()
        self._zero_ns = unit.wait_ready()
        self._connect()
        bar = Progress("shift", int(scenario.ends * 1000))
        for step in scenario.shift:
            self._wait_until(step.at, bar)
            if step.say:
                self._say(f"{step.at:8.2f} s  {step.say}")
            self._do(step)
        self._wait_until(scenario.ends + _AHEAD_NS / NS, bar)
        bar.close()
        self._stop.set()
        unit.stop(orderly=scenario.orderly)

    def _wait_until(self, at_s: float, bar: Progress) -> None:
        due_ns = self._zero_ns + int(at_s * NS) - _AHEAD_NS
        while True:
            now_ns = self._clock.boot_ns()
            bar.update((now_ns - self._zero_ns) * 1000 // NS)
            if now_ns >= due_ns:
                return
            wait(self._clock, self._stop, min(0.5 * self._clock.speed, (due_ns - now_ns) / NS))

    # -- pins ---------------------------------------------------------------------------------

    def _connect(self) -> PinsClient:
        client = PinsClient(self.unit.socket_path)
        self._client = client
        for change in self._clock_steps:
            client.world({"clock": _fields(change)})
        return client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _follow(self) -> None:
        """Write down what is shown, through every life of the recorder."""
        while not self._left.is_set():
            try:
                with PinsClient(self.unit.socket_path) as client:
                    for message in client.watch():
                        with self._trace.open("a", encoding="utf-8") as out:
                            out.write(json.dumps(message) + "\n")
            except DeviceError:
                self._left.wait(_AGAIN_S)

    def _pins(self) -> PinsClient:
        if self._client is None:
            self.unit.wait_ready()
            return self._connect()
        return self._client

    def _throw(self, pin: str, active: bool, at_s: float, **how: Any) -> None:
        at_ns = self._zero_ns + round(at_s * NS)
        try:
            self._pins().set(pin, active, at_ns=at_ns, **how)
        except DeviceError:
            # The recorder was killed a moment ago: the switch moves all the same, a little later.
            self._disconnect()
            self.unit.wait_ready()
            self._pins().set(pin, active, **how)

    def _do(self, step: Step) -> None:
        at_ns = self._zero_ns + round(step.at * NS)
        if step.switch is not None:
            self._throw("record", step.switch is Position.ON, step.at)
        elif step.throw is not None:
            throw = step.throw
            self._throw(
                throw.pin, throw.to is Position.ON, step.at, bounce_us=throw.offsets_us(),
                drop=throw.drop,
            )  # fmt: skip
        elif step.trigger is not None:
            self._throw(step.trigger, step.to is Position.ON, step.at)
        elif step.press is not None:
            self._throw(step.press, True, step.at)
            self._throw(step.press, False, step.at + step.press_ms / 1000)
        else:
            wait(self._clock, self._stop, max(0, at_ns - self._clock.boot_ns()) / NS)
            self._fault(step)

    # -- faults -------------------------------------------------------------------------------

    def _fault(self, step: Step) -> None:
        if step.kill is Target.WORKER:
            self.unit.signal_worker(signal.SIGKILL)
        elif step.kill is Target.RECORDER:
            self._disconnect()
            self.unit.ready.clear()
            self.unit.signal_recorder(signal.SIGKILL)
        elif step.stall is not None:
            self._stall(step.stall, step.stall_s)
        elif step.clock is not None:
            self._clock_steps.append(step.clock)
            self._pins().world({"clock": _fields(step.clock)})
        elif step.power is not None:
            change_power(self.unit.sysfs, step.power)
        elif step.storage is not None:
            self._storage(step.storage)
        elif step.camera is not None:
            fault = step.camera
            self.unit.mishap(fault.does, fault.for_s, by_ms=fault.by_ms, size=fault.size)
        elif step.plug is not None:
            plug_usb(self.unit.sysfs, step.plug.usb, present=step.plug.present)
        elif step.dock is not None:
            put_in_dock(self.unit.sysfs, present=step.dock)

    def _stall(self, target: Target, seconds: float) -> None:
        send = self.unit.signal_worker if target is Target.WORKER else self.unit.signal_recorder
        send(signal.SIGSTOP)

        def go_on() -> None:
            wait(self._clock, self._stop, seconds)
            with suppress(ProcessLookupError, DeviceError):
                send(signal.SIGCONT)

        threading.Thread(target=go_on, daemon=True, name="go-on").start()

    def _storage(self, change: StorageChange) -> None:
        filler = self.unit.card / "filler"
        if change.free:
            filler.unlink(missing_ok=True)
            return
        leave = (change.leave_kib or 0) * 1024
        with filler.open("ab") as out:
            while True:
                free = _free_bytes(self.unit.card)
                if free <= leave:
                    return
                out.write(bytes(min(1 << 20, free - leave)))
                out.flush()

    # -- afterwards ---------------------------------------------------------------------------

    def _collect(self) -> Run:
        path = self._trace
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return Run(self.unit, tuple(json.loads(line) for line in lines), self._zero_ns)


def _fields(change: ClockChange) -> dict[str, Any]:
    return {"step_ms": change.step_ms, "source": change.source, "unc_ms": change.unc_ms}


def _free_bytes(path: Path) -> int:
    import os

    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def print_to_stderr(text: str) -> None:
    print(text, file=sys.stderr)

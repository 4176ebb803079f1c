"""One measured run: which units are fed when, and when the switch is pressed and released.

Every run is a process of its own: `run.py --child KIND PLAN`, which answers JSON lines.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.probe import boot_ns
from bench.stream import FPS, GOP, STEP_NS, Stream

PROGRAM = Path(__file__).with_name("run.py")
PRESS_IN_GOP = 17
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Units 0 to `units` - 1; those before `prefill` lie in the past and are fed at once.

    CPU time is counted from unit `mark` on. With `press` the switch is turned on with that unit,
    and off with the last but one; without, only the buffer runs. `paced` feeds 30 units a second.
    """

    stream: str
    folder: str
    keep_s: int
    units: int
    prefill: int
    mark: int
    press: int | None = None
    paced: bool = True
    variant: str = ""
    reserve_s: int = 10

    @property
    def stop(self) -> int:
        """The last unit that belongs to the recording."""
        return self.units - 2

    @property
    def expected_end(self) -> int:
        return self.stop + 1


def buffering(
    stream: Stream, folder: Path, *, keep_s: int, measure_s: int, paced: bool, reserve_s: int = 10
) -> Plan:
    """Fill the buffer, then count."""
    prefill = (keep_s + reserve_s + 2) * FPS
    return Plan(
        str(stream.index), str(folder), keep_s, prefill + measure_s * FPS, prefill, prefill,
        paced=paced, reserve_s=reserve_s,
    )  # fmt: skip


def recording(
    stream: Stream, folder: Path, *, keep_s: int, live_s: int, paced: bool, variant: str = ""
) -> Plan:
    """Fill the buffer, let it settle, press in the middle of a GOP, go on for `live_s`."""
    prefill = (keep_s + 2) * FPS // GOP * GOP
    press = prefill + (2 * GOP if paced else 0) + PRESS_IN_GOP
    return Plan(
        str(stream.index), str(folder), keep_s, press + live_s * FPS + 2, prefill, press, press,
        paced, variant,
    )  # fmt: skip


class Pace:
    """When each unit is captured: the past for the prefill, then 30 a second, or as fast as can."""

    def __init__(self, plan: Plan) -> None:
        self._paced = plan.paced
        self.base_ns = boot_ns() - (plan.prefill if plan.paced else plan.units) * STEP_NS

    def at_ns(self, number: int) -> int:
        return self.base_ns + number * STEP_NS

    def wait(self, number: int) -> int:
        """Sleep until the unit is due; its time."""
        at_ns = self.at_ns(number)
        if self._paced:
            ahead_ns = at_ns - boot_ns()
            if ahead_ns > 0:
                time.sleep(ahead_ns / 1e9)
        return at_ns


class PushTimer:
    """The longest time that capture was held up by one push, from the mark on."""

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self.longest_ns = 0

    def push(self, number: int, action: Callable[[], None]) -> None:
        before = time.perf_counter_ns()
        action()
        if number >= self._mark:
            self.longest_ns = max(self.longest_ns, time.perf_counter_ns() - before)


def say(**fields: Any) -> None:
    """One line of answer from a measured process."""
    print(json.dumps(fields), flush=True)


class Run:
    """One measured process while it runs."""

    def __init__(self, kind: str, plan: Plan, environment: dict[str, str] | None = None) -> None:
        self.kind, self.plan = kind, plan
        Path(plan.folder).mkdir(parents=True)
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--child", kind, json.dumps(asdict(plan))],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def lines(self) -> Iterator[Answer]:
        if self._process.stdout is None:
            raise AssertionError("stdout is a pipe")
        for line in self._process.stdout:
            yield json.loads(line)

    def result(self) -> Answer:
        """Everything it said, once it has ended well."""
        merged: Answer = {}
        for answer in self.lines():
            merged.update(answer)
        if self._process.wait() != 0:
            raise RuntimeError(f"{self.kind}: ended with {self._process.returncode}")
        return merged

    def kill_after_press(self, seconds: float) -> Answer:
        """SIGKILL so long after the press; what it had said, and when it was killed."""
        said: Answer = {}
        for answer in self.lines():
            said.update(answer)
            if "pressed_ns" in answer:
                break
        else:
            raise RuntimeError(f"{self.kind}: ended before the press")
        time.sleep(max(0.0, (said["pressed_ns"] - boot_ns()) / 1e9 + seconds))
        self._process.kill()
        said["killed_ns"] = boot_ns()
        self._process.wait()
        return said


def folders(root: Path) -> Iterator[Path]:
    """A new folder for each run."""
    number = 0
    while True:
        number += 1
        yield root / f"run{number:03d}"

"""The whole measurement, one part after another; what must be compared runs side by side."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import daemon, plan, readback
from bench.peers import CIRCULAR2, CIRCULAR2_FRAGMENTED, DEQUE, FEEDER
from bench.plan import Answer, Plan, Run
from bench.readback import Saved
from bench.stream import FPS, Stream, StreamSpec, first_in_window

BUFFER, RECORD = "ours", "ours-record"
# AES-NI and PCLMUL; SHA: a processor as in a Pi 4 or a Zero 2 W.
_MASKED = {"OPENSSL_ia32cap": "~0x200000200000000:~0x20000000"}


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often."""

    spec: StreamSpec
    keep_s: int = 30
    memory_s: tuple[int, ...] = (30, 120)
    flat_runs: int = 5
    flat_s: int = 60
    paced_runs: int = 3
    paced_s: int = 15
    presses: int = 5
    peer_presses: int = 3
    kills_s: tuple[float, ...] = (1.3, 4.7, 11.4)
    starts: int = 5
    shift_s: float = 10.0


FULL = Effort(StreamSpec())
QUICK = Effort(
    StreamSpec(320, 180, 400, 4), 2, (2,), 1, 2, 1, 1, 1, 1, (0.8,), 1, 1.0,
)  # fmt: skip

Figures = dict[str, dict[str, list[float]]]


@dataclass(slots=True)
class Suite:
    """Collects figures: name of the figure, then whose it is, then its values."""

    effort: Effort
    stream: Stream
    root: Path
    picamera2: Path | None
    figures: Figures = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    _folders: Iterator[Path] = field(init=False)

    def __post_init__(self) -> None:
        self._folders = plan.folders(self.root)
        if self.picamera2 is not None:
            os.environ["BENCH_PICAMERA2"] = str(self.picamera2)

    def _peers(self, *names: str) -> list[str]:
        return [n for n in names if self.picamera2 is not None or not n.startswith(CIRCULAR2)]

    def _add(self, figure: str, whose: str, value: float | None) -> None:
        if value is not None:
            self.figures.setdefault(figure, {}).setdefault(whose, []).append(value)

    def _start(self, kind: str, wanted: Plan) -> Run:
        return Run(kind, replace(wanted, folder=str(next(self._folders))))

    def _once(self, kind: str, wanted: Plan) -> Answer:
        run = self._start(kind, wanted)
        answer = run.result()
        shutil.rmtree(run.plan.folder)
        return answer

    def run(self) -> None:
        """Every part, in turn."""
        for part in (
            self.buffering_flat, self.buffering_paced, self.memory, self.recording_flat,
            self.recording_paced, self.presses, self.kills, self.closing, self.protection,
            self.whole_daemon,
        ):  # fmt: skip
            print(f"bench: {part.__name__.replace('_', ' ')}", file=sys.stderr, flush=True)
            part()

    def _plan_buffer(
        self, *, keep_s: int, measure_s: int, paced: bool, reserve_s: int = 10
    ) -> Plan:
        return plan.buffering(
            self.stream, Path(), keep_s=keep_s, measure_s=measure_s, paced=paced,
            reserve_s=reserve_s,
        )  # fmt: skip

    def _plan_record(self, live_s: int, *, paced: bool, variant: str = "") -> Plan:
        return plan.recording(
            self.stream, Path(), keep_s=self.effort.keep_s, live_s=live_s, paced=paced,
            variant=variant,
        )  # fmt: skip

    # -- buffering ----------------------------------------------------------------------------

    def buffering_flat(self) -> None:
        effort = self.effort
        wanted = self._plan_buffer(keep_s=effort.keep_s, measure_s=effort.flat_s, paced=False)
        for _ in range(effort.flat_runs):
            for kind in (BUFFER, FEEDER, *self._peers(CIRCULAR2, DEQUE)):
                answer = self._once(kind, wanted)
                units = wanted.units - wanted.mark
                self._add("buffering flat us", kind, answer["cpu_ns"] / units / 1e3)
                self._add("buffering dropped", kind, answer["dropped"])

    def buffering_paced(self) -> None:
        effort = self.effort
        wanted = self._plan_buffer(keep_s=effort.keep_s, measure_s=effort.paced_s, paced=True)
        kinds = (BUFFER, FEEDER, *self._peers(CIRCULAR2, DEQUE))
        for _ in range(effort.paced_runs):
            for run in [self._start(kind, wanted) for kind in kinds]:
                answer = run.result()
                units = wanted.units - wanted.mark
                self._add("buffering paced us", run.kind, answer["cpu_ns"] / units / 1e3)

    def memory(self) -> None:
        for keep_s in self.effort.memory_s:
            nominal = sum(self.stream.sizes) / len(self.stream.sizes) * FPS * keep_s
            cases = [(BUFFER, 10, BUFFER), (BUFFER, 2, "ours, 2 s reserve")]
            cases += [(kind, 10, kind) for kind in self._peers(CIRCULAR2, DEQUE)]
            for kind, reserve_s, name in cases:
                answer = self._once(
                    kind,
                    self._plan_buffer(keep_s=keep_s, measure_s=5, paced=False, reserve_s=reserve_s),
                )["memory"]
                self._add(f"memory {keep_s} s", name, answer["growth"] / nominal)
                self._add(f"memory held {keep_s} s", name, answer["growth"] / answer["payload"])

    # -- recording ----------------------------------------------------------------------------

    def recording_flat(self) -> None:
        wanted = self._plan_record(min(8, self.effort.flat_s), paced=False)
        kinds = (RECORD, *self._peers(CIRCULAR2, CIRCULAR2_FRAGMENTED, DEQUE))
        for _ in range(self.effort.flat_runs):
            for kind in kinds:
                answer = self._once(kind, wanted)
                self._add("recording flat us", kind, answer["cpu_ns"] / _written(wanted) / 1e3)

    def recording_paced(self) -> None:
        wanted = self._plan_record(self.effort.paced_s, paced=True)
        kinds = (RECORD, *self._peers(CIRCULAR2, DEQUE))
        for _ in range(self.effort.paced_runs):
            for run in [self._start(kind, wanted) for kind in kinds]:
                answer = run.result()
                saved = self._saved(run)
                units = _written(wanted)
                self._add("recording paced us", run.kind, answer["cpu_ns"] / units / 1e3)
                self._add("lost at stop s", run.kind, (units - saved.units) / FPS)
                self._add("longest push ms", run.kind, answer["longest_push_ns"] / 1e6)
                self._add("file over payload", run.kind, saved.file_bytes / saved.payload_bytes)
                self._add("written over payload", run.kind, answer["written"] / saved.payload_bytes)
                self._exact(run.kind, saved)

    def _exact(self, kind: str, saved: Saved) -> None:
        self._add("exact", kind, float(saved.exact))

    def _saved(self, run: Run) -> Saved:
        """What is left on the disk of a run; its folder goes."""
        folder, wanted = Path(run.plan.folder), run.plan
        if run.kind == RECORD:
            saved = readback.ours(folder / "camera", folder / "authority/custody.key", self.stream)
        else:
            first = first_in_window(wanted.mark, wanted.keep_s)
            saved = readback.peer(folder / "recording.mp4", self.stream, first)
        shutil.rmtree(folder)
        return saved

    def presses(self) -> None:
        effort = self.effort
        wanted = self._plan_record(2, paced=True, variant="watch")
        window = first_in_window(wanted.mark, effort.keep_s)
        self.facts["pre_record_s"] = (wanted.mark - window) / FPS
        for kind in (RECORD, DEQUE):
            for _ in range(effort.presses):
                answer = self._once(kind, wanted)
                self._add("whole pre-record ms", kind, answer["durable_ns"] / 1e6)
                self._add("longest push ms", kind, answer["longest_push_ns"] / 1e6)
                if kind == RECORD:
                    self._add("lamp ms", kind, answer["lamp_ns"] / 1e6)
        long = self._plan_record(effort.keep_s + 1, paced=True)
        runs = [self._start(k, long) for k in self._peers(CIRCULAR2) * effort.peer_presses]
        for run in runs:
            answer = run.result()
            self._add("whole pre-record ms", run.kind, answer["durable_ns"] / 1e6)
            shutil.rmtree(run.plan.folder)

    def kills(self) -> None:
        kinds = (RECORD, *self._peers(CIRCULAR2, CIRCULAR2_FRAGMENTED, DEQUE))
        for after_s in self.effort.kills_s:
            wanted = self._plan_record(int(after_s) + 60, paced=True)
            runs = [self._start(kind, wanted) for kind in kinds]
            deaths = [run.kill_after_press(after_s) for run in runs]
            for run, told in zip(runs, deaths, strict=True):
                live = (told["killed_ns"] - told["pressed_ns"]) * FPS // 1_000_000_000
                fed = wanted.mark + 1 + live - first_in_window(wanted.mark, wanted.keep_s)
                saved = self._saved(run)
                self._add("lost at SIGKILL s", run.kind, max(0, fed - saved.units) / FPS)
                lost_pre = max(0, fed - live - saved.units)
                self._add("pre-record lost at SIGKILL s", run.kind, lost_pre / FPS)
                self._exact(run.kind, saved)

    def closing(self) -> None:
        for kind in self._peers(CIRCULAR2):
            run = self._start(kind, self._plan_record(3, paced=True, variant="close"))
            run.result()
            lost = (_written(run.plan) - self._saved(run).units) / FPS
            self._add("lost at close_output s", kind, lost)

    # -- protection, and the daemon -----------------------------------------------------------

    def protection(self) -> None:
        effort = self.effort
        units = (effort.keep_s + 1) * FPS
        wanted = Plan(
            str(self.stream.index), "", effort.keep_s, units, units, units, paced=False,
            variant=str(effort.flat_runs + 1),
        )  # fmt: skip
        for name, extra in (("", {}), (" masked", _MASKED)):
            run = Run(
                "protection", replace(wanted, folder=str(next(self._folders))),
                {**os.environ, **extra},
            )  # fmt: skip
            answer = run.result()
            shutil.rmtree(run.plan.folder)
            # The first of each warms the caches.
            for whose in ("plain", "sealed"):
                for spent in answer[f"{whose}_ns"][1:]:
                    self._add(f"protection{name} us", whose, spent / answer["units"] / 1e3)
            self.facts[f"rates{name}"] = answer["rates"]

    def whole_daemon(self) -> None:
        effort = self.effort
        for seconds in daemon.time_to_ready(next(self._folders), self.stream, effort.starts):
            self._add("start to READY s", "daemon", seconds)
        found = daemon.shift(next(self._folders), self.stream, effort.keep_s, effort.shift_s)
        for name, value in asdict(found).items():
            self._add(f"daemon {name}", "daemon", float(value))


def _written(wanted: Plan) -> int:
    """Units from the start of the window to the stop."""
    return wanted.expected_end - first_in_window(wanted.mark, wanted.keep_s)

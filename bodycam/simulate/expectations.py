"""What a scenario expects, held against the log, the signal trace and the evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..clock import NS
from ..custody.verify import verify_paths
from ..eventlog import LOG_FILE
from ..signing import load_root
from .scenario import Expect, Scenario
from .unit import Unit


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation and whether it held; `found` says what was there."""

    text: str
    passed: bool
    found: str


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind."""

    unit: Unit
    trace: tuple[dict[str, Any], ...]
    zero_ns: int

    def log(self) -> list[dict[str, Any]]:
        """Every whole line of the event log."""
        path = self.unit.card / "log" / LOG_FILE
        lines = path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def times(self, what: str, where: dict[str, Any]) -> list[int]:
        """When an event happened, or when the output of "pin NAME" became active."""
        if what.startswith("pin "):
            name = what.removeprefix("pin ")
            return [m["at_ns"] for m in self.trace if m.get("pin") == name and m["active"]]
        return [line["boot_ns"] for line in matching(self.log(), what, where)]

    def signals(self) -> list[str]:
        """What the lamps went through, "rec+hot", without repeats in a row."""
        shown: list[str] = []
        for trace in self._traces():
            words = "+".join([trace["state"], *trace["also"]])
            if not shown or shown[-1] != words:
                shown.append(words)
        return shown

    def felt(self) -> list[str]:
        """The taps in order: "2 short"."""
        return [trace["taps"] for trace in self._traces() if trace["taps"]]

    def _traces(self) -> list[dict[str, Any]]:
        return [message["trace"] for message in self.trace if "trace" in message]


def matching(log: list[dict[str, Any]], ev: str, where: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of an event whose data say so."""
    return [
        line
        for line in log
        if line["ev"] == ev and all(line["data"].get(key) == value for key, value in where.items())
    ]


def judge(scenario: Scenario, run: Run) -> list[Outcome]:
    """The answer to every expectation."""
    log = run.log()
    return [outcome for expect in scenario.expect for outcome in _judge(expect, run, log)]


def _judge(expect: Expect, run: Run, log: list[dict[str, Any]]) -> list[Outcome]:
    outcomes = []
    starts = [line["data"] for line in log if line["ev"] == "rec.start"]
    if expect.log is not None:
        outcomes.append(_log(expect, log))
    if expect.after is not None:
        outcomes.append(_after(expect, run))
    if expect.signals is not None:
        outcomes.append(_signals(expect.signals, run.signals()))
    if expect.felt is not None:
        outcomes.append(_felt(expect.felt, run.felt()))
    if expect.never is not None:
        seen = run.signals()
        shown = any(_shows(expect.never, words) for words in seen)
        outcomes.append(Outcome(f"never {expect.never}", not shown, str(seen)))
    if expect.recordings is not None:
        found = len(starts)
        outcomes.append(
            Outcome(f"{expect.recordings} recordings", found == expect.recordings, str(found))
        )
    if expect.pre_record_s is not None:
        low, high = expect.pre_record_s
        actual = _start(starts, expect.recording).get("actual_ms", -1) / 1000
        outcomes.append(
            Outcome(f"pre-record {low} to {high} s", low <= actual <= high, f"{actual} s")
        )
    if expect.pre_record_reason is not None:
        reason = str(_start(starts, expect.recording).get("reason"))
        outcomes.append(
            Outcome(f"short because {expect.pre_record_reason}",
                    reason == expect.pre_record_reason, reason)
        )  # fmt: skip
    outcomes += _loss(expect, log)
    if expect.verify is not None:
        outcomes.append(_verify(expect.verify, run))
    return outcomes


def _start(starts: list[dict[str, Any]], index: int) -> dict[str, Any]:
    return starts[index] if -len(starts) <= index < len(starts) else {}


def _after(expect: Expect, run: Run) -> Outcome:
    what = f"pin {expect.pin}" if expect.pin else str(expect.log)
    times = run.times(what, expect.where)
    causes = run.times(str(expect.after), expect.after_where)
    waits_s = [
        min((at_ns - cause_ns) / NS for cause_ns in causes if cause_ns <= at_ns)
        if any(cause_ns <= at_ns for cause_ns in causes)
        else None
        for at_ns in times
    ]
    limit_s = expect.within_s
    passed = bool(times) and all(
        wait_s is not None and (limit_s is None or wait_s <= limit_s) for wait_s in waits_s
    )
    within = "" if limit_s is None else f" within {limit_s} s"
    return Outcome(f"{what}{within} after {expect.after}", passed, f"after {waits_s} s")


def _log(expect: Expect, log: list[dict[str, Any]]) -> Outcome:
    count = len(matching(log, str(expect.log), expect.where))
    where = f" {expect.where}" if expect.where else ""
    if expect.count is not None:
        return Outcome(f"{expect.count} x {expect.log}{where}", count == expect.count, str(count))
    least = 1 if expect.at_least is None else expect.at_least
    return Outcome(f"at least {least} x {expect.log}{where}", count >= least, str(count))


def _signals(wanted: list[str], seen: list[str]) -> Outcome:
    # In this order, others may come between.
    rest = iter(seen)
    found = all(any(_shows(words, shown) for shown in rest) for words in wanted)
    return Outcome(f"signals {' > '.join(wanted)}", found, " > ".join(seen))


def _shows(wanted: str, shown: str) -> bool:
    """True if the state is shown, with the notices that are wanted and maybe others."""
    (state, *needed), (now, *notices) = wanted.split("+"), shown.split("+")
    return state == now and set(needed) <= set(notices)


def _felt(wanted: list[str], felt: list[str]) -> Outcome:
    rest = iter(felt)
    found = all(taps in rest for taps in wanted)
    return Outcome(f"felt {', '.join(wanted)}", found, ", ".join(felt))


def _loss(expect: Expect, log: list[dict[str, Any]]) -> list[Outcome]:
    gaps = [line["data"] for line in log if line["ev"] == "gap"]
    outcomes = []
    if expect.lost_frames_at_most is not None:
        frames = sum(gap["frames"] for gap in gaps)
        most = expect.lost_frames_at_most
        outcomes.append(Outcome(f"at most {most} frames lost", frames <= most, str(frames)))
    if expect.missing_s_at_most is not None:
        missing = sum(gap["to_ns"] - gap["from_ns"] for gap in gaps) / NS
        most_s = expect.missing_s_at_most
        outcomes.append(
            Outcome(f"at most {most_s} s missing", missing <= most_s, f"{missing:.3f} s")
        )
    return outcomes


def _verify(wanted: int, run: Run) -> Outcome:
    report = verify_paths([run.unit.card], load_root(run.unit.root_path))
    found = int(report.exit_code)
    return Outcome(f"verify answers {wanted}", found == wanted, str(found))

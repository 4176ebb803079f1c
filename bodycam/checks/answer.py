"""How a self-test is told: a line a check, what to do, and the answer last; or one JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..clock import utc_text
from .result import CheckVerdict, Form, SelfTest

FULL_TEST = "For the full test: systemctl stop bodycam, bodycam selftest, systemctl start bodycam"
_GREEN = {
    Form.SHORT: "GREEN as far as it goes: nothing was recorded",
    Form.BESIDE: "GREEN as far as it goes: the recorder keeps camera and pins",
}
_LOUD = (CheckVerdict.FAILED, CheckVerdict.WARN)


@dataclass(frozen=True, slots=True)
class Logged:
    """Where the answer stands in the log, counted from 1; without a number, why not."""

    line: int | None = None
    signed: bool = False
    why_not: str = ""


def show(test: SelfTest, logged: Logged, as_json: bool) -> str:
    """The whole answer, for people or for programs."""
    if as_json:
        return json.dumps({**test.to_json(), "log": asdict(logged)})
    head = f"{test.device}, {test.form.value} self-test at {utc_text(test.began.utc_ns)[:19]}Z"
    lines = [head, ""]
    for result in test.results:
        mark = result.verdict.value.upper() if result.verdict in _LOUD else result.verdict.value
        lines.append(f"{mark:<11} {result.name:<13} {result.found}")
    todo = [r for verdict in _LOUD for r in test.results if r.verdict is verdict]
    lines += ["", *(f"{r.name}: {r.next_step}" for r in todo), f"log: {_place(logged)}"]
    if test.form is Form.BESIDE:
        lines.append(FULL_TEST)
    causes, warned = test.names(CheckVerdict.FAILED), test.names(CheckVerdict.WARN)
    answer = f"RED: {', '.join(causes)}" if causes else _GREEN.get(test.form, "GREEN")
    return "\n".join([*lines, answer + (f"; look at {', '.join(warned)}" if warned else "")])


def _place(logged: Logged) -> str:
    if logged.line is None:
        return f"not in it: {logged.why_not}"
    return f"line {logged.line}, " + ("signed" if logged.signed else f"unsigned: {logged.why_not}")

"""The answer of a self-test: one result a check, and green or red for all of them.

| verdict    | means                                             | the answer is |
|------------|---------------------------------------------------|---------------|
| ok         | it works                                          | green         |
| warn       | it works, and somebody should see to it           | green         |
| failed     | an officer must not go out with it                | red           |
| not tested | it could not be asked here; `found` says why      | green         |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..clock import Instant, utc_text
from ..errors import BodycamError, ExitCode

REPORT_VERSION = 1
_MAX_LOGGED_CHARS = 200

Figure = int | str | bool | None | list[str]


class CheckVerdict(Enum):
    """What one check came to."""

    OK = "ok"
    WARN = "warn"
    FAILED = "failed"
    NOT_TESTED = "not tested"


class Form(Enum):
    """Which self-test it was: what it could look at."""

    FULL = "full"
    SHORT = "short"
    BOOT = "boot"
    BESIDE = "beside the recorder"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at; what is not well has a next step."""

    name: str
    verdict: CheckVerdict
    found: str
    next_step: str = ""
    exit_code: ExitCode = ExitCode.OK
    figures: dict[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.verdict is CheckVerdict.FAILED) != bool(self.exit_code):
            raise AssertionError(f"{self.name}: {self.verdict.value} with exit {self.exit_code}")
        if self.verdict in (CheckVerdict.FAILED, CheckVerdict.WARN) and not self.next_step:
            raise AssertionError(f"{self.name}: {self.found}, and no next step")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "verdict": self.verdict.value, "found": self.found,
            "next_step": self.next_step, "exit_code": int(self.exit_code),
            "figures": self.figures,
        }  # fmt: skip


def result_from_json(fields: dict[str, Any]) -> CheckResult:
    """A result that `to_json` wrote."""
    return CheckResult(
        fields["name"], CheckVerdict(fields["verdict"]), fields["found"], fields["next_step"],
        ExitCode(fields["exit_code"]), fields["figures"],
    )  # fmt: skip


def ok(name: str, found: str, **figures: Figure) -> CheckResult:
    return CheckResult(name, CheckVerdict.OK, found, figures=figures)


def warn(name: str, found: str, next_step: str, **figures: Figure) -> CheckResult:
    return CheckResult(name, CheckVerdict.WARN, found, next_step, figures=figures)


def failed(
    name: str, found: str, next_step: str, exit_code: ExitCode, **figures: Figure
) -> CheckResult:
    return CheckResult(name, CheckVerdict.FAILED, found, next_step, exit_code, figures)


def fault(name: str, error: BodycamError, next_step: str) -> CheckResult:
    """What an error says; its own next step goes before the general one."""
    return failed(name, error.message, error.next_step or next_step, error.exit_code)


def not_tested(name: str, why: str) -> CheckResult:
    return CheckResult(name, CheckVerdict.NOT_TESTED, why)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All results of one self-test of one camera."""

    form: Form
    device: str
    began: Instant
    results: tuple[CheckResult, ...]

    @property
    def green(self) -> bool:
        return not self.names(CheckVerdict.FAILED)

    @property
    def exit_code(self) -> ExitCode:
        """The worst finding's: devices before storage, configuration and the rest."""
        return ExitCode(max((int(r.exit_code) for r in self.results), default=0))

    def names(self, verdict: CheckVerdict) -> list[str]:
        return [result.name for result in self.results if result.verdict is verdict]

    def to_json(self) -> dict[str, Any]:
        """What `bodycam selftest --json` prints."""
        return {
            "version": REPORT_VERSION, "device": self.device, "form": self.form.value,
            "verdict": self._answer, "exit_code": int(self.exit_code),
            "began_ns": self.began.boot_ns, "utc": utc_text(self.began.utc_ns),
            "clock": self.began.source.value,
            "checks": [result.to_json() for result in self.results],
        }  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """What the status file and the log's line say first."""
        return {
            "form": self.form.value, "verdict": self._answer,
            "failed": self.names(CheckVerdict.FAILED), "warned": self.names(CheckVerdict.WARN),
            "not_tested": self.names(CheckVerdict.NOT_TESTED),
        }  # fmt: skip

    def log_data(self) -> dict[str, Any]:
        """The data of the log's `selftest` line; it stays well below a line's limit."""
        return {
            **self.summary(),
            "checks": {r.name: {"found": r.found[:_MAX_LOGGED_CHARS], **r.figures}
                       for r in self.results},
        }  # fmt: skip

    @property
    def _answer(self) -> str:
        return "green" if self.green else "red"

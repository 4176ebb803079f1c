"""The self-test beside a running recorder: what disturbs nothing, and what the recorder itself found.

Camera, pins and log are the recorder's. So this one is not in the log: the recorder's own is.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..checks.loading import broken_among, judge_modules
from ..checks.modules import SPARE_MODULES, needed_modules
from ..checks.result import (
    CheckResult,
    CheckVerdict,
    Form,
    SelfTest,
    failed,
    not_tested,
    ok,
    result_from_json,
)
from ..checks.status import read_status
from ..checks.unit import space_of
from ..checks.watchdog import Systemd
from ..clock import Clock
from ..config import Config
from ..errors import DeviceError, ExitCode
from ..parts import load_key
from ..store import Store
from .selftest import identity_checks, unit_checks

_FROM_BOOT = ("microphone", "pins", "card")
_NEVER = ("recording", "lens", "lamps")


def look_beside(config: Config, clock: Clock, systemd: Systemd) -> SelfTest:
    """The answer, with what only the recorder could test taken from its test at boot."""
    began = clock.sample()
    status = _status(Path(config.store.runtime))
    booted = status.get("selftest") or {}
    at_boot = {c["name"]: result_from_json(c) for c in booted.get("checks", [])}
    when = f"at {str(booted.get('utc', ''))[11:19]}Z"
    modules = needed_modules(config)
    with ExitStack() as closing:
        signer, missing = load_key(config.identity, clock, closing)
        results = [
            _camera(status),
            *(_earlier(name, at_boot.get(name), when) for name in _FROM_BOOT),
            *(not_tested(name, "not while a recorder runs") for name in _NEVER),
            *identity_checks(config, signer, missing, clock),
            space_of(Store(Path(config.store.path), clock), config),
            *unit_checks(config, clock, systemd),
            judge_modules(modules, broken_among(modules), SPARE_MODULES),
        ]
    return SelfTest(Form.BESIDE, config.device.id, began, tuple(results))


def _status(runtime: Path) -> dict[str, Any]:
    try:
        return read_status(runtime)
    except DeviceError:
        return {}  # a recorder that is just starting has written none


def _camera(status: dict[str, Any]) -> CheckResult:
    if not status:
        return not_tested("camera", "the recorder has written no status yet")
    if not status["running"]:
        return failed(
            "camera", "the recorder has died, and was not started again yet",
            "Look for why: journalctl -u bodycam", ExitCode.FAILURE,
        )  # fmt: skip
    frames, dropped = int(status["frames"]), int(status["dropped"])
    if not status["camera"]:
        return failed(
            "camera", "the recorder gets no pictures", "Check the ribbon cable", ExitCode.DEVICE,
            frames=frames,
        )  # fmt: skip
    return ok(
        "camera", f"delivers to the recorder, {frames} pictures so far, {dropped} lost",
        frames=frames, dropped=dropped,
    )  # fmt: skip


def _earlier(name: str, result: CheckResult | None, when: str) -> CheckResult:
    if result is None or result.verdict is CheckVerdict.NOT_TESTED:
        return not_tested(name, result.found if result else "the recorder has not got so far")
    return CheckResult(
        name, result.verdict, f"{result.found} ({when})", result.next_step, result.exit_code,
        result.figures,
    )  # fmt: skip

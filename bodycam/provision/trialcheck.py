"""What a trial recording is worth: verified as a custodian would, its sound decoded apart."""

from __future__ import annotations

import json
import subprocess
import sys

from ..checks.capture import SoundFacts
from ..checks.result import CheckResult, failed, fault, not_tested, ok, warn
from ..config import CameraSource, Config
from ..custody.findings import Verdict
from ..errors import ExitCode
from .trial import Heard, TrialFacts

_LEVEL_TIMEOUT_S = 60
_CARD_STEP = "Replace the card: what was read back is not what was written"


def measure_sound(heard: Heard) -> SoundFacts:
    """How loud it was. The codec runs in a process of its own, as everywhere but in the worker."""
    if not heard.frames or not heard.config:
        return SoundFacts(len(heard.frames), heard.fault)
    head = {"config": heard.config.hex(), "sizes": [len(frame) for frame in heard.frames]}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bodycam.camera.soundlevel"], check=True, capture_output=True,
            input=json.dumps(head).encode() + b"\n" + b"".join(heard.frames),
            timeout=_LEVEL_TIMEOUT_S,
        )  # fmt: skip
        return SoundFacts(len(heard.frames), heard.fault, int(json.loads(done.stdout)["peak_db"]))
    except (subprocess.SubprocessError, ValueError, KeyError) as wrong:
        return SoundFacts(len(heard.frames), f"it cannot be decoded: {type(wrong).__name__}")


def judge_recording(facts: TrialFacts, config: Config) -> CheckResult:
    """The recording was sealed and is on the card as it was sealed."""
    name, report = "recording", facts.report
    if facts.fault is not None:
        return fault(name, facts.fault, "Test again; then replace the card")
    if report is None:
        return not_tested(name, "no pictures, or nobody to seal them for")
    where = "from the card" if facts.from_card else "from memory: this file system keeps it there"
    text = (
        f"{facts.recorded_ms / 1000:.1f} s, {facts.pre_record_ms / 1000:.1f} s of it from before "
        f"the press, read back {where}: {report.verdict.value}"
    )
    figures = {
        "recorded_ms": facts.recorded_ms, "pre_record_ms": facts.pre_record_ms,
        "from_card": facts.from_card, "verify": report.verdict.value,
    }  # fmt: skip
    why = next((f.text for f in report.findings if f.verdict is report.verdict), "")
    match report.verdict:
        case Verdict.INTACT:
            if config.pre_record.seconds and not facts.pre_record_ms:
                return warn(
                    name, f"{text}; nothing from before the press", "Report this", **figures
                )
            return ok(name, text, **figures)
        case Verdict.UNTRUSTED:
            return warn(name, f"{text}: {why}", "See key and certificates", **figures)
        case Verdict.INCOMPLETE:
            return warn(name, f"{text}: {why}", "Test again; look for heat and load", **figures)
        case _:
            return failed(name, f"{text}: {why}", _CARD_STEP, ExitCode.STORAGE, **figures)


def judge_lens(facts: TrialFacts, config: Config) -> CheckResult:
    """The picture shows something."""
    if not facts.camera.frames or config.camera.source is CameraSource.REPLAY:
        return not_tested("lens", "no picture of a lens to look at")
    if facts.lens:
        return warn(
            "lens", f"the picture is {' and '.join(facts.lens)}",
            "Take the cover off, wipe the lens, point it at something", faults=list(facts.lens),
        )  # fmt: skip
    return ok("lens", "neither dark nor frozen")

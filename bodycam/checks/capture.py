"""Checks of what the capture worker delivers: pictures and sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config import AudioSource, Config
from ..errors import ExitCode
from .result import CheckResult, failed, not_tested, ok, warn

_ENOUGH_PERCENT = 90
_SILENT_DB = -90
SILENCE_DB = -120
_CAMERA_STEP = "Check the ribbon cable and [camera] in the configuration, then test again"
_SOUND_STEP = "Check the microphone's plug and [audio] device: arecord -L lists what there is"


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What came of the pictures; `source` says what opened, `fault` why nothing did."""

    frames: int
    fps_milli: int | None
    dropped: int
    source: str = ""
    first_ms: int | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What came of the sound; a level of None was not measured."""

    units: int
    fault: str = ""
    peak_db: int | None = None


def source_text(ready: Mapping[str, Any]) -> str:
    """What opened, out of a `capture.ready`. Raises KeyError for one that is none."""
    return "{width}x{height} from {source} ({encoder})".format_map(ready)


def judge_camera(facts: CameraFacts, config: Config) -> CheckResult:
    """Pictures come, as many as they should, and none is lost."""
    name = "camera"
    if not facts.frames:
        why = facts.fault or "it gives no pictures"
        return failed(name, why, _CAMERA_STEP, ExitCode.DEVICE)
    figures = {
        "frames": facts.frames, "fps_milli": facts.fps_milli, "dropped": facts.dropped,
        "first_ms": facts.first_ms, "source": facts.source,
    }  # fmt: skip
    parts = [facts.source] if facts.source else []
    if facts.first_ms is not None:
        parts.append(f"first picture after {facts.first_ms / 1000:.1f} s")
    if facts.fps_milli is not None:
        parts.append(f"{facts.fps_milli / 1000:.1f} a second")
    parts.append(f"{facts.dropped} lost" if facts.dropped else "none lost")
    text = ", ".join(parts)
    wanted_milli = config.camera.fps * 1000
    slow = facts.fps_milli is not None and facts.fps_milli * 100 < wanted_milli * _ENOUGH_PERCENT
    if slow:
        return warn(
            name, f"{text}; {config.camera.fps} are wanted",
            "Look for heat and for what else runs here, or lower [camera] fps", **figures,
        )  # fmt: skip
    if facts.dropped:
        return warn(name, text, "Look for what else runs here, then test again", **figures)
    return ok(name, text, **figures)


def judge_sound(facts: SoundFacts, config: Config, *, camera_ok: bool) -> CheckResult:
    """Sound comes, and it is more than the silence of a microphone that is not there."""
    name, audio = "microphone", config.audio
    if audio.source is AudioSource.NONE:
        return not_tested(name, 'there is to be none: [audio] source = "none"')
    if not camera_ok and not facts.fault and not facts.units:
        return not_tested(name, "the worker opens it after the camera")
    if facts.fault or not facts.units:
        why = facts.fault or "it gives no sound"
        return failed(name, why, _SOUND_STEP, ExitCode.DEVICE)
    text, figures = f"{audio.rate_hz} Hz", {"units": facts.units, "peak_db": facts.peak_db}
    if facts.peak_db is None:
        return ok(name, text, **figures)
    if facts.peak_db <= _SILENT_DB:
        return warn(
            name, f"{text}, digital silence: it is not connected, or switched off",
            "Speak into it and test again; then replace it", **figures,
        )  # fmt: skip
    return ok(name, f"{text}, peak {facts.peak_db} dB", **figures)


def judge_ring(*, locked: bool) -> CheckResult:
    """The ring's memory is never swapped to the card."""
    if locked:
        return ok("ring", "locked in memory")
    return warn(
        "ring", "not locked in memory: what was never meant to be kept may be swapped",
        "LimitMEMLOCK=infinity in the unit; test as root",
    )  # fmt: skip

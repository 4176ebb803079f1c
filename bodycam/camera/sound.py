"""The sound seam, and the choice of what is behind it."""

from __future__ import annotations

from typing import Protocol

from ..clock import Clock
from ..config import AudioSource, Config
from .sink import UnitSink


class Sound(Protocol):
    """A microphone with its encoder, in a thread of its own: video never waits for sound."""

    def run(self, sink: UnitSink) -> None:
        """Announce the format, then write AAC frames until `sink.stop`."""
        ...


def make_sound(config: Config, clock: Clock) -> Sound | None:
    """The sound that the configuration names; None if there is none, or the source brings it."""
    match config.audio.source:
        case AudioSource.NONE | AudioSource.REPLAY:
            return None
        case AudioSource.SYNTHETIC:
            from .tone import Tone

            return Tone(config.audio, clock)
        case AudioSource.ALSA:
            from .microphone import Microphone

            return Microphone(config.audio, clock)


def announce(sink: UnitSink, rate_hz: int, channels: int, config: bytes) -> None:
    """Say what the AAC frames that follow are; `config` is their AudioSpecificConfig."""
    sink.report("audio.format", rate_hz=rate_hz, channels=channels, config=config.hex())

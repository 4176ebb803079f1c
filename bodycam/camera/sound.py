"""The sound seam."""

from __future__ import annotations

from typing import Protocol

from .sink import UnitSink


class Sound(Protocol):
    """A microphone with its encoder, in a thread of its own: video never waits for sound."""

    def run(self, sink: UnitSink) -> None:
        """Announce the format, then write AAC frames until `sink.stop`."""
        ...


def announce(sink: UnitSink, rate_hz: int, channels: int, config: bytes) -> None:
    """Say what the AAC frames that follow are; `config` is their AudioSpecificConfig."""
    sink.report("audio.format", rate_hz=rate_hz, channels=channels, config=config.hex())

"""The camera seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..config import Camera
from .sink import UnitSink


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What an opened source delivers."""

    source: str
    encoder: str
    width: int
    height: int
    fps: int


class Source(Protocol):
    """A camera with its encoder: whole access units, SPS and PPS at every IDR, no B-frames."""

    def open(self) -> SourceFacts:
        """Take the camera. Raises DeviceError if it does not answer, ConfigError if unfit."""
        ...

    def run(self, sink: UnitSink) -> None:
        """Write access units until `sink.stop`. Raises DeviceError when the camera is lost."""
        ...

    def close(self) -> None:
        """Give the camera back. Idempotent."""
        ...


def gop_frames(camera: Camera) -> int:
    """Pictures from one keyframe to the next."""
    return max(1, round(camera.gop_ms * camera.fps / 1000))

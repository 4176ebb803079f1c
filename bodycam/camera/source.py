"""The camera seam itself, and the choice of the camera behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..clock import Clock
from ..config import Camera, CameraSource, Config
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


def make_source(config: Config, clock: Clock) -> Source:
    """The source that the configuration names; only its own libraries are loaded."""
    # Each backend loads tens of megabytes; after a crash every 100 ms of start are lost video.
    match config.camera.source:
        case CameraSource.SYNTHETIC:
            from .synthetic import SyntheticSource

            return SyntheticSource(config, clock)
        case CameraSource.REPLAY:
            from .replay import ReplaySource

            return ReplaySource(config, clock)
        case CameraSource.V4L2:
            from .v4l2 import WebcamSource

            return WebcamSource(config, clock)
        case CameraSource.PICAMERA2:
            from .picam import PicamSource

            return PicamSource(config, clock)

"""Which camera and which sound the configuration names; only their own libraries are loaded.

Each backend loads tens of megabytes; after a crash every 100 ms of start are lost video.
"""

from __future__ import annotations

from ..clock import Clock
from ..config import AudioSource, CameraSource, Config
from .sound import Sound
from .source import Source


def make_source(config: Config, clock: Clock) -> Source:
    """The source that the configuration names."""
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

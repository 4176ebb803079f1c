"""An ALSA microphone through PyAV; lost and found again without disturbing the video."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import av
import numpy as np

from ..clock import MS, NS, Clock, wait
from ..config import Audio
from .encoder import AAC_SAMPLES, SoundEncoder
from .sink import UnitSink
from .sound import announce

_ALSA_CONFIG = "/usr/share/alsa/alsa.conf"
_RETRY_S = 2.0
_DRIFT_NS = 20 * MS


class SampleClock:
    """Boot time of samples: they advance by their count, and follow the clock if they drift.

    A read tells when its last sample was there at the latest, never too early; so the smallest
    delay within a second is the true one.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._origin_ns: int | None = None
        self._earliest_ns: int | None = None
        self._window_end = rate_hz

    def heard(self, total: int, at_ns: int) -> None:
        """So many samples had come by that moment."""
        origin_ns = at_ns - total * NS // self._rate_hz
        if self._origin_ns is None:
            self._origin_ns = origin_ns
        earliest = origin_ns if self._earliest_ns is None else min(self._earliest_ns, origin_ns)
        self._earliest_ns = earliest
        if total >= self._window_end:
            if abs(earliest - self._origin_ns) > _DRIFT_NS:
                self._origin_ns = earliest
            self._earliest_ns = None
            self._window_end = total + self._rate_hz

    def at_ns(self, count: int) -> int:
        """When sample `count` was heard."""
        if self._origin_ns is None:
            raise AssertionError("no sample has been heard yet")
        return self._origin_ns + count * NS // self._rate_hz


class Microphone:
    """`audio.device` as ALSA names it."""

    def __init__(self, audio: Audio, clock: Clock) -> None:
        self._audio = audio
        self._clock = clock
        self._announced = False
        self._lost = False
        self._last_ns = 0

    def run(self, sink: UnitSink) -> None:
        if "ALSA_CONFIG_PATH" not in os.environ and Path(_ALSA_CONFIG).exists():
            # The ALSA library inside PyAV's wheel looks for it where it was built.
            os.environ["ALSA_CONFIG_PATH"] = _ALSA_CONFIG
        while not sink.stop.is_set():
            try:
                self._listen(sink)
                reason = "the device gave no more sound"
            except av.FFmpegError as fault:
                reason = fault.strerror or str(fault)
            if sink.stop.is_set():
                return
            if not self._lost:
                self._lost = True
                sink.report("audio.lost", reason=f"audio.device {self._audio.device}: {reason}")
            wait(self._clock, sink.stop, _RETRY_S)

    def _listen(self, sink: UnitSink) -> None:
        audio = self._audio
        options = {"sample_rate": str(audio.rate_hz), "channels": str(audio.channels)}
        with av.open(audio.device, format="alsa", options=options) as container:
            encoder, times = SoundEncoder(audio), SampleClock(audio.rate_hz)
            layout = "mono" if audio.channels == 1 else "stereo"
            resampler = av.AudioResampler("fltp", layout, audio.rate_hz, AAC_SAMPLES)
            total = 0
            for frame in container.decode(audio=0):
                at_ns = self._clock.boot_ns()
                self._say_it_is_there(sink, encoder)
                total += frame.samples * audio.rate_hz // frame.sample_rate
                times.heard(total, at_ns)
                for piece in resampler.resample(frame):
                    samples = cast("Any", piece.to_ndarray()).astype(np.float32, copy=False)
                    for count, data in encoder.encode(samples):
                        self._write(sink, times.at_ns(count), data)
                if sink.stop.is_set():
                    return

    def _say_it_is_there(self, sink: UnitSink, encoder: SoundEncoder) -> None:
        if not self._announced:
            announce(sink, encoder.rate_hz, self._audio.channels, encoder.config)
            self._announced = True
        if self._lost:
            sink.report("audio.back")
            self._lost = False

    def _write(self, sink: UnitSink, at_ns: int, data: memoryview) -> None:
        # A correction backwards must not give two frames one time.
        self._last_ns = max(at_ns, self._last_ns + 1)
        sink.audio(self._last_ns, data)

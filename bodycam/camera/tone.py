"""Generated sound: a quiet hum, and a beep that begins with every whole second of boot time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..clock import NS, Clock, wait
from ..config import Audio
from .encoder import AAC_SAMPLES, SoundEncoder
from .sink import UnitSink
from .sound import announce

BEEP_HZ = 1000
BEEP_MS = 100
_HUM_HZ = 120
_LOST_AFTER_S = 1


class Tone:
    """Sample `k` is heard at k/rate seconds of boot time: beep and flash share one clock."""

    def __init__(self, audio: Audio, clock: Clock) -> None:
        self._audio = audio
        self._clock = clock
        self._second = one_second(audio.rate_hz)

    def run(self, sink: UnitSink) -> None:
        rate_hz, announced = self._audio.rate_hz, False
        while not sink.stop.is_set():
            encoder = SoundEncoder(self._audio)
            if not announced:
                announce(sink, rate_hz, self._audio.channels, encoder.config)
                announced = True
            self._follow(sink, encoder, -(-self._clock.boot_ns() * rate_hz // NS))

    def _follow(self, sink: UnitSink, encoder: SoundEncoder, first: int) -> None:
        """Make sound from sample `first` on; returns if so late that a microphone would overrun."""
        rate_hz, at = self._audio.rate_hz, first
        while not sink.stop.is_set():
            ahead_ns = (at + AAC_SAMPLES) * NS // rate_hz - self._clock.boot_ns()
            if self._clock.real_s(-ahead_ns / NS) > _LOST_AFTER_S:
                return
            if ahead_ns > 0 and wait(self._clock, sink.stop, ahead_ns / NS):
                return
            for count, data in encoder.encode(self._samples(at)):
                sink.audio((first + count) * NS // rate_hz, data)
            at += AAC_SAMPLES

    def _samples(self, first: int) -> NDArray[np.float32]:
        rate_hz = self._audio.rate_hz
        wanted = np.arange(first % rate_hz, first % rate_hz + AAC_SAMPLES)
        mono = np.take(self._second, wanted, mode="wrap")
        return np.tile(mono, (self._audio.channels, 1))


def one_second(rate_hz: int) -> NDArray[np.float32]:
    """What is heard in each second: the beep first, the hum throughout."""
    k = np.arange(rate_hz)
    hum = 0.004 * np.sin(2 * np.pi * _HUM_HZ * k / rate_hz)
    beep = 0.4 * np.sin(2 * np.pi * BEEP_HZ * k / rate_hz)
    beep[rate_hz * BEEP_MS // 1000 :] = 0
    return (hum + beep).astype(np.float32)

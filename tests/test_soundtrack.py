"""Device samples in, AAC on boot time out: heard again through a decoder, clicks tell the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bodycam.camera.encoder import AAC_SAMPLES
from bodycam.camera.sampleclock import OFF_LINE_NS, SampleClock
from bodycam.camera.soundtrack import Soundtrack, Stretcher
from bodycam.clock import MS, NS
from bodycam.config import Audio

BEGIN_NS = 5 * NS
BOUND_NS = 40 * MS
Samples = NDArray[np.float32]


@dataclass
class Studio:
    """A microphone off its rate hears a click at every whole `every_s`; somebody records it."""

    rate_hz: int
    ppm: int = 0
    every_s: int = 1
    device_hz: int = 0
    channels: int = 1
    frames: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device_hz = self.device_hz or self.rate_hz
        self._audio = Audio(rate_hz=self.rate_hz)
        self._track = Soundtrack(self._audio, self.device_hz, self.channels)
        self._clock = SampleClock(self.device_hz)
        self._total, self._lost_ns = 0, 0
        self._held: list[tuple[int, bytes]] = []

    def lose(self, ns: int) -> None:
        """The device loses this much."""
        self._lost_ns += ns

    def record(self, seconds: float, jitter_ns: tuple[int, ...] = (0,)) -> None:
        """A twentieth of a second at a time."""
        size = self.device_hz // 20
        for n in range(round(seconds * 20)):
            raw = self._heard(size)
            self._held.append((self._total, raw))
            self._total += size
            at_ns = self._true_ns(self._total) + jitter_ns[n % len(jitter_ns)]
            line = self._clock.heard(self._total, at_ns)
            if line is None:
                continue
            for i, (count, held) in enumerate(self._held[: line.reads]):
                jumped = i == 0 and line.jump_ns != 0
                self._keep(self._track.add(held, line.at_ns(count), jumped))
            del self._held[: line.reads]

    def finish(self) -> None:
        self._keep(self._track.finish())

    def _keep(self, frames: Iterator[tuple[int, memoryview]]) -> None:
        self.frames += [(at_ns, bytes(data)) for at_ns, data in frames]

    def _true_ns(self, count: int) -> int:
        real = count * NS * 1_000_000 // (self.device_hz * (1_000_000 + self.ppm))
        return BEGIN_NS + self._lost_ns + real

    def _heard(self, size: int) -> bytes:
        first_ns = self._true_ns(self._total)
        at_s = (first_ns + np.arange(size) * NS / self.device_hz) / NS
        click = np.where(at_s % self.every_s < 0.002, np.sin(2 * np.pi * 1000 * at_s), 0.0)
        mono = (0.8 * 32767 * click).astype(np.int16)
        return np.repeat(mono, self.channels).tobytes()

    def steps(self) -> set[int]:
        """From one frame to the next, in samples."""
        return {round((b - a) * self.rate_hz / NS) for (a, _), (b, _) in pairwise(self.frames)}

    def clicks(self) -> list[int]:
        """When a click begins, by a decoder that gets each frame at its own time."""
        decoder = av.CodecContext.create("aac", "r")
        decoder.extradata = self._track.config
        found: list[int] = []
        for at_ns, data in self.frames:
            for frame in decoder.decode(av.Packet(data)):
                loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.25)
                if loud.size:
                    click_ns = at_ns + int(loud[0]) * NS // self.rate_hz
                    if not found or click_ns - found[-1] > NS // 2:
                        found.append(click_ns)
        return found

    def off_ns(self) -> list[int]:
        """How far each click is from where it was."""
        step = self.every_s * NS
        return [click - round(click / step) * step for click in self.clicks()]


@pytest.mark.system
@pytest.mark.parametrize("ppm", [-200, 200])
def test_after_an_hour_sound_is_where_it_was_heard(ppm: int) -> None:
    studio = Studio(8000, ppm, every_s=20)
    studio.record(3600, jitter_ns=(0, 7 * MS, 2 * MS, 15 * MS))
    off_ns = studio.off_ns()
    assert len(off_ns) >= 179
    assert max(map(abs, off_ns)) < BOUND_NS // 4, "and the picture's time is boot time too"
    assert studio.steps() == {AAC_SAMPLES}, "nothing is cut and nothing is filled in"


@pytest.mark.parametrize(("rate_hz", "ppm"), [(48_000, 200), (44_100, -200), (16_000, 0)])
def test_clicks_are_at_their_time_at_every_rate(rate_hz: int, ppm: int) -> None:
    studio = Studio(rate_hz, ppm)
    studio.record(12)
    off_ns = studio.off_ns()
    assert len(off_ns) >= 11
    assert max(map(abs, off_ns)) < 2 * MS


@pytest.mark.parametrize(("device_hz", "channels"), [(44_100, 2), (16_000, 1), (96_000, 2)])
def test_a_device_of_another_rate_or_number_of_channels(device_hz: int, channels: int) -> None:
    studio = Studio(48_000, 100, device_hz=device_hz, channels=channels)
    studio.record(6)
    assert len(studio.clicks()) >= 5
    assert max(map(abs, studio.off_ns())) < 2 * MS
    assert studio.steps() == {AAC_SAMPLES}


def test_what_is_lost_leaves_frames_out_and_moves_nothing() -> None:
    studio = Studio(48_000, 150)
    studio.record(3)
    studio.lose(750 * MS)
    studio.record(4)
    studio.lose(40 * MS)
    studio.record(4)
    (gap,) = studio.steps() - {AAC_SAMPLES}
    assert gap % AAC_SAMPLES == 0, "it stays on the grid of its frames"
    assert abs(gap / 48_000 - 0.75) < 3 * AAC_SAMPLES / 48_000
    assert max(map(abs, studio.off_ns())) < 2 * MS


def test_a_line_that_was_too_late_is_cut_and_time_never_runs_backwards() -> None:
    studio = Studio(48_000)
    studio.record(1, jitter_ns=(90 * MS,))
    studio.record(5)
    assert studio.steps() == {AAC_SAMPLES}
    assert max(map(abs, studio.off_ns()[1:])) < 2 * MS


def test_a_correction_is_no_click() -> None:
    """A steady tone stays a tone: the step from one sample to the next is never larger."""
    rate_hz, tone_hz = 48_000, 400
    stretcher = Stretcher(Audio(rate_hz=rate_hz), rate_hz, 1)
    heard: list[Samples] = []
    for n in range(1000):
        phase = 2 * np.pi * tone_hz * np.arange(n * 480, (n + 1) * 480) / rate_hz
        raw = (16_000 * np.sin(phase)).astype(np.int16).tobytes()
        # The line moves at once by nearly as much as is ever followed without a cut.
        at_ns = n * 10 * MS - (OFF_LINE_NS - MS if n > 300 else 0)
        heard += [piece[0] for piece in stretcher.add(raw, at_ns)]
    tone = np.concatenate(heard)
    squeezed_ns = 10 * NS - len(tone) * NS // rate_hz
    assert squeezed_ns > OFF_LINE_NS * 2 // 3, "most of it is taken out within 7 s"
    steepest = 2 * np.pi * tone_hz / rate_hz * 16_000 / 32_768
    assert np.abs(np.diff(tone)).max() < 1.03 * steepest


def test_the_end_of_a_stretch_is_not_lost_in_the_encoder() -> None:
    studio = Studio(48_000)
    studio.record(2.5)
    until_ns = studio.frames[-1][0] + AAC_SAMPLES * NS // 48_000
    studio.finish()
    end_ns = studio.frames[-1][0] + AAC_SAMPLES * NS // 48_000
    assert until_ns < BEGIN_NS + 2480 * MS
    assert BEGIN_NS + 2500 * MS <= end_ns < BEGIN_NS + 2550 * MS

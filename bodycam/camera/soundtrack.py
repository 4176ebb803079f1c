"""Samples as the device counts them in, AAC frames on boot time out.

A microphone has a crystal of its own. Its samples are stretched or squeezed by FFmpeg's resampler,
by at most half a percent, so that each frame of 1024 samples lasts exactly what every player
believes (docs/adr/0016). What was lost stays a gap: its frames are left out, and what comes after it
stands where it was heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from ..clock import NS
from ..config import Audio
from .encoder import AAC_SAMPLES, SoundEncoder

_LAYOUTS = {1: "mono", 2: "stereo"}
_SLEW = 0.005  # of the rate: a pitch that moves by a twelfth of a semitone
Samples = NDArray[np.float32]


class Blocks:
    """Samples in, blocks of 1024 out, each with its count; whole blocks of silence are left out.

    One block of silence is kept at the beginning of a gap: an AAC frame reaches into the next.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._held = self._silence(0)
        self._at = 0

    @property
    def count(self) -> int:
        """How many samples there were, silence included."""
        return self._at + int(self._held.shape[1])

    def add(self, samples: Samples) -> Iterator[tuple[int, Samples]]:
        self._held = np.hstack([self._held, samples])
        while self._held.shape[1] >= AAC_SAMPLES:
            block, self._held = np.hsplit(self._held, [AAC_SAMPLES])
            yield self._at, np.ascontiguousarray(block)
            self._at += AAC_SAMPLES

    def gap(self, samples: int) -> Iterator[tuple[int, Samples]]:
        """So many samples are missing."""
        end = self.count + samples
        kept = -self._held.shape[1] % AAC_SAMPLES + AAC_SAMPLES
        yield from self.add(self._silence(min(samples, kept)))
        if samples > kept:
            self._at = end - end % AAC_SAMPLES
            yield from self.add(self._silence(end % AAC_SAMPLES))

    def _silence(self, samples: int) -> Samples:
        return np.zeros((self._channels, samples), np.float32)


class Soundtrack:
    """One stretch of sound from one device, as `audio` wants it encoded."""

    def __init__(self, audio: Audio, rate_hz: int, channels: int) -> None:
        self._audio = audio
        self._rate_hz, self._channels = rate_hz, channels
        self._blocks = Blocks(audio.channels)
        self._stretcher: Stretcher | None = None
        self._encoder = SoundEncoder(audio)
        self.config = self._encoder.config
        self._block_at: list[int] = []
        self._begin_ns = 0
        self._surplus = 0

    def add(self, raw: bytes, at_ns: int, jumped: bool) -> Iterator[tuple[int, memoryview]]:
        """Take samples of which the first was heard at `at_ns`; give AAC frames and their times.

        `jumped`: something was lost just before them, or was placed too late.
        """
        if self._stretcher is None:
            self._begin_ns = at_ns
            self._stretcher = self._new_stretcher()
        elif jumped:
            yield from self._encode(self._stretcher.finish())
            self._stretcher = self._new_stretcher()
            yield from self._jump(at_ns)
        yield from self._encode(self._stretcher.add(raw, at_ns - self._begin_ns))

    def finish(self) -> Iterator[tuple[int, memoryview]]:
        """The rest, filled up with silence."""
        if self._stretcher is not None:
            yield from self._encode(self._stretcher.finish())
            for at, block in self._blocks.gap(-self._blocks.count % AAC_SAMPLES):
                yield from self._encode_block(at, block)
            yield from self._timed(self._encoder.finish())

    def _new_stretcher(self) -> Stretcher:
        return Stretcher(self._audio, self._rate_hz, self._channels)

    def _jump(self, at_ns: int) -> Iterator[tuple[int, memoryview]]:
        missing = (at_ns - self._begin_ns) * self._audio.rate_hz // NS - self._blocks.count
        self._surplus = max(0, -missing)
        for at, block in self._blocks.gap(max(0, missing)):
            yield from self._encode_block(at, block)

    def _encode(self, pieces: Iterator[Samples]) -> Iterator[tuple[int, memoryview]]:
        for piece in pieces:
            # What would lie over the sound before it is cut off.
            cut = min(self._surplus, piece.shape[1])
            self._surplus -= cut
            for at, block in self._blocks.add(piece[:, cut:]):
                yield from self._encode_block(at, block)

    def _encode_block(self, at: int, block: Samples) -> Iterator[tuple[int, memoryview]]:
        self._block_at.append(at)
        yield from self._timed(self._encoder.encode(block))

    def _timed(self, packets: Iterator[tuple[int, memoryview]]) -> Iterator[tuple[int, memoryview]]:
        """Frames come out in the order of their blocks, a block late."""
        for _, data in packets:
            at = self._block_at.pop(0)
            yield self._begin_ns + at * NS // self._audio.rate_hz, data


class Stretcher:
    """FFmpeg's resampler, told when each piece was heard: drift is taken out of the samples."""

    def __init__(self, audio: Audio, rate_hz: int, channels: int) -> None:
        self._rate_hz, self._channels = rate_hz, channels
        self._layout = _LAYOUTS[channels]
        out_hz = audio.rate_hz
        self._graph = Graph()
        source = self._graph.add_abuffer(
            sample_rate=rate_hz, format="s16", layout=self._layout, time_base=Fraction(1, NS)
        )
        # It corrects what is off by more than 0.5 ms, aims 4 s ahead, and never cuts or fills.
        stretch = self._graph.add(
            "aresample",
            f"{out_hz}:async={int(out_hz * _SLEW)}:min_comp=0.0005:comp_duration=4"
            ":min_hard_comp=1000:flags=res",
        )
        shape = self._graph.add(
            "aformat",
            f"sample_fmts=fltp:sample_rates={out_hz}:channel_layouts={_LAYOUTS[audio.channels]}",
        )
        self._sink = self._graph.add("abuffersink")
        self._graph.link_nodes(source, stretch, shape, self._sink).configure()

    def add(self, raw: bytes, at_ns: int) -> Iterator[Samples]:
        """Samples of 16 bits as they came, and when the first was heard."""
        frame = av.AudioFrame("s16", self._layout, len(raw) // (2 * self._channels))
        frame.planes[0].update(raw)
        frame.sample_rate, frame.time_base, frame.pts = self._rate_hz, Fraction(1, NS), at_ns
        self._graph.push(frame)
        return self._pull()

    def finish(self) -> Iterator[Samples]:
        """What is still in the resampler."""
        self._graph.push(None)
        return self._pull()

    def _pull(self) -> Iterator[Samples]:
        while True:
            try:
                frame = self._sink.pull()
            except (BlockingIOError, EOFError):
                return
            yield np.asarray(cast("Any", frame).to_ndarray(), np.float32)

"""A recorded file as the camera: played in real time, bit for bit, never encoded again."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ..clock import NS, Clock, wait
from ..config import AudioSource, Config
from ..errors import BodycamError, ConfigError, DeviceError
from ..media import Buffer, aac_format
from .headers import ParameterSets
from .sink import UnitSink
from .sound import announce
from .source import SourceFacts

_CHECKED_UNITS = 64
_BUFFERED_REAL_S = 0.2  # as SyntheticSource: what the machine's own pauses may cost
_ENCODE = "Encode it again: ffmpeg -i FILE -c:v libx264 -bf 0 OUT.mp4"


@dataclass(frozen=True, slots=True)
class _Unit:
    """One packet of the file; `rel_ns` counts from its first picture."""

    rel_ns: int
    video: bool
    keyframe: bool
    data: Buffer


class ReplaySource:
    """Plays an MP4 or raw H.264 file; with `loop` its times go on without a seam."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._camera = config.camera
        self._file = config.camera.file
        self._with_sound = config.audio.source is AudioSource.REPLAY
        self._clock = clock
        self._step_ns = NS // config.camera.fps
        self._start_s = Fraction(0)
        self._sound_config = b""
        self._sound_end_ns = 0

    def open(self) -> SourceFacts:
        with self._container() as container:
            facts = self._examine(container)
        # The order of the pictures shows in the first few; every later one is checked too.
        first = list(itertools.islice(self._pictures(), _CHECKED_UNITS))
        if not any(unit.keyframe for unit in first):
            raise self._unfit(f"no keyframe among its first {len(first)} pictures")
        return facts

    def _examine(self, container: InputContainer) -> SourceFacts:
        video = next(iter(container.streams.video), None)
        if video is None or video.codec_context.name != "h264":
            found = "no video" if video is None else f"{video.codec_context.name} video"
            raise self._unfit(f"{found}; accepted: H.264", "Give an MP4 or H.264 file")
        rate = self._camera.fps
        if not _is_raw(container):
            rate = round(video.average_rate or rate)
            self._step_ns = NS // rate
            self._start_s = (video.start_time or 0) * (video.time_base or Fraction(1))
        if self._with_sound:
            sound = next(iter(container.streams.audio), None)
            if sound is None or sound.codec_context.name != "aac":
                raise self._unfit("no AAC sound, and audio.source = 'replay' asks for it")
            self._sound_config = bytes(sound.codec_context.extradata or b"")
        return SourceFacts("replay", "none", video.width, video.height, rate)

    def run(self, sink: UnitSink) -> None:
        if self._with_sound:
            fmt = aac_format(self._sound_config)
            announce(sink, fmt.rate_hz, fmt.channels, fmt.config)
        base_ns = self._clock.boot_ns()
        while not sink.stop.is_set():
            base_ns = self._play(sink, base_ns)
            if not self._camera.loop and not sink.stop.is_set():
                raise DeviceError(
                    f"{self._file}: played to its end", "Set camera.loop = true to play on"
                )

    def _play(self, sink: UnitSink, base_ns: int) -> int:
        """Play the file once from `base_ns` on; the answer is when its next picture is due."""
        late_ns = int(_BUFFERED_REAL_S / self._clock.real_s(1.0) * NS)
        next_ns = base_ns
        for unit in self._units():
            at_ns = base_ns + unit.rel_ns
            ahead_ns = at_ns - self._clock.boot_ns()
            if ahead_ns < -late_ns:  # a pause of the machine: time jumps, the pictures go on
                base_ns, at_ns = base_ns - ahead_ns, at_ns - ahead_ns
            if ahead_ns > 0 and wait(self._clock, sink.stop, ahead_ns / NS):
                return at_ns
            if unit.video:
                sink.video(at_ns, unit.keyframe, unit.data)
                next_ns = at_ns + self._step_ns
            else:
                self._sound(sink, at_ns, unit.data)
        return next_ns

    def _sound(self, sink: UnitSink, at_ns: int, data: Buffer) -> None:
        # At the seam of a loop the file's sound may overlap its own beginning.
        if at_ns >= self._sound_end_ns:
            sink.audio(at_ns, data)
            self._sound_end_ns = at_ns + 1024 * NS // aac_format(self._sound_config).rate_hz

    def _units(self) -> Iterator[_Unit]:
        # Two readers of one file: players interleave in chunks, a camera does not.
        sound = self._sounds() if self._with_sound else iter(())
        return heapq.merge(self._pictures(), sound, key=lambda unit: unit.rel_ns)

    def _pictures(self) -> Iterator[_Unit]:
        sets = ParameterSets()
        last_ns = -1
        count = 0
        with self._container() as container:
            raw, time_base = _is_raw(container), container.streams.video[0].time_base
            for packet in self._annexb(container, raw):
                try:
                    whole = sets.complete(memoryview(cast("Any", packet)))
                except BodycamError as fault:
                    raise self._unfit(fault.message, _ENCODE) from fault
                if whole is None:
                    continue
                rel_ns = count * NS // self._camera.fps if raw else self._rel_ns(packet, time_base)
                if rel_ns <= last_ns:
                    raise self._unfit("its pictures are not stored in order", _ENCODE)
                last_ns, count = rel_ns, count + 1
                yield _Unit(rel_ns, True, *whole)

    def _annexb(self, container: InputContainer, raw: bool) -> Iterator[Packet[VideoStream]]:
        stream = container.streams.video[0]
        to_annexb = None if raw else BitStreamFilterContext("h264_mp4toannexb", stream)
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield from [packet] if to_annexb is None else to_annexb.filter(packet)
        except av.FFmpegError as fault:
            raise DeviceError(f"{self._file}: cannot be read on: {fault.strerror}") from fault

    def _sounds(self) -> Iterator[_Unit]:
        with self._container() as container:
            stream = container.streams.audio[0]
            for packet in container.demux(stream):
                if packet.size and (rel_ns := self._rel_ns(packet, stream.time_base)) >= 0:
                    yield _Unit(rel_ns, False, True, memoryview(cast("Any", packet)))

    def _rel_ns(
        self, packet: Packet[VideoStream] | Packet[AudioStream], time_base: Fraction | None
    ) -> int:
        # The stream's time base: a packet out of a filter has none in PyAV 14.
        seconds = (packet.pts or 0) * (time_base or Fraction(1)) - self._start_s
        return int(seconds * NS)

    def _container(self) -> InputContainer:
        try:
            return av.open(self._file)
        except av.InvalidDataError as fault:
            raise self._unfit("not a video file", "Give an MP4 or H.264 file") from fault
        except (av.FFmpegError, OSError) as fault:
            raise DeviceError(
                f"camera.file {self._file}: cannot be opened: {fault.strerror}",
                "Check the path and its permissions",
            ) from fault

    def _unfit(self, what: str, next_step: str = "") -> ConfigError:
        return ConfigError(f"camera.file {self._file}: {what}", next_step)

    def close(self) -> None:
        """Nothing to give back: each pass over the file closes it."""


def _is_raw(container: InputContainer) -> bool:
    return container.format.name == "h264"

"""Joins decrypted samples into one ordinary MP4, without re-encoding, through PyAV."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av

from ..clock import NS
from ..formats import cenc, mp4
from ..media import AudioFormat, VideoFormat
from .opened import PlainFragment, PlainSample

_VIDEO_BASE = Fraction(1, mp4.VIDEO_TIMESCALE)


class ClipWriter:
    """Writes `path` as it is fed; the index is moved to the front when it is closed."""

    def __init__(
        self,
        path: Path,
        video: VideoFormat,
        audio: AudioFormat | None,
        first: PlainFragment,
        tags: dict[str, str],
    ) -> None:
        self._audio = audio
        self._output = av.open(
            str(path), "w", format="mp4",
            options={
                "movflags": "faststart", "video_track_timescale": str(mp4.VIDEO_TIMESCALE),
                # Sound may begin half a minute after the pictures: they must not wait for it.
                "max_interleave_delta": "1000000",
            },
        )  # fmt: skip
        self._output.metadata.update(tags)
        with av.open(io.BytesIO(_template(video, audio, first)), format="mp4") as template:
            self._video: Any = self._output.add_stream_from_template(
                template.streams.video[0], opaque=True
            )
            self._sound: Any = (
                self._output.add_stream_from_template(template.streams.audio[0]) if audio else None
            )
            self._output.start_encoding()
        self._next = {mp4.VIDEO_TRACK_ID: 0, mp4.AUDIO_TRACK_ID: 0}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the index. Idempotent."""
        self._output.close()

    def add(self, fragment: PlainFragment, offset_ns: int) -> None:
        """Append a fragment whose segment began `offset_ns` after the clip."""
        packets = self._packets(
            fragment.pictures, self._video, mp4.VIDEO_TRACK_ID, offset_ns, mp4.VIDEO_TIMESCALE
        )
        if self._audio is not None:
            packets += self._packets(
                fragment.sounds, self._sound, mp4.AUDIO_TRACK_ID, offset_ns, self._audio.rate_hz
            )
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            self._output.mux(packet)

    def _packets(
        self, samples: Sequence[PlainSample], stream: Any, track_id: int, offset_ns: int, rate: int
    ) -> list[Any]:
        packets = []
        offset = round(Fraction(offset_ns * rate, NS))
        for sample in samples:
            packet = av.Packet(sample.data)
            # Never backwards: a segment written again after a fault may touch the one before.
            time = max(offset + sample.time, self._next[track_id])
            self._next[track_id] = time + 1
            packet.pts = packet.dts = time
            packet.duration = sample.duration
            packet.time_base = Fraction(1, rate)
            packet.is_keyframe = sample.keyframe
            packet.stream = stream
            packets.append(packet)
        return packets


def _template(video: VideoFormat, audio: AudioFormat | None, first: PlainFragment) -> bytes:
    """A plain file of one fragment: what the output's streams are described by."""
    runs = []
    data: list[bytes] = []
    for track_id, samples in (
        (mp4.VIDEO_TRACK_ID, first.pictures),
        (mp4.AUDIO_TRACK_ID, first.sounds if audio else ()),
    ):
        if samples:
            plain = [
                mp4.Sample(len(s.data), s.duration, s.keyframe, cenc.SampleAux(b""))
                for s in samples
            ]
            runs.append(mp4.TrackRun(track_id, 0, tuple(plain)))
            data += [s.data for s in samples]
    size = sum(len(d) for d in data)
    init = mp4.init_segment(video, audio, None, None)
    return b"".join([init, mp4.moof(1, runs), mp4.mdat_header(size), *data])

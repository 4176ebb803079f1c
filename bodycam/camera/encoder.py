"""H.264 and AAC in software, through PyAV (libx264 and FFmpeg's AAC)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from ..config import Audio, Camera
from .sink import UnitSink
from .source import gop_frames
from .wishes import Wishes

Plane = NDArray[np.uint8]
AAC_SAMPLES = 1024


class VideoEncoder:
    """Pictures in, access units out, one for one: no B-frames, no delay, one slice a picture.

    Draw into `planes` (Y, U, V of one yuv420p picture), then call `encode`.
    """

    name = "libx264"

    def __init__(self, camera: Camera, width: int, height: int) -> None:
        self._camera = camera
        self._size = width, height
        self._bitrate_kbps = 0
        self.cap(camera.bitrate_kbps)
        self._frame = av.VideoFrame(width, height, "yuv420p")
        self._count = 0
        self.planes = self._views(width, height)

    def cap(self, bitrate_kbps: int) -> None:
        """Cap the bit rate. libx264 takes another one only in a new encoder, with a keyframe."""
        if bitrate_kbps == self._bitrate_kbps:
            return
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = self._size
        context.pix_fmt = "yuv420p"
        context.framerate = Fraction(self._camera.fps)
        context.time_base = Fraction(1, self._camera.fps)
        context.options = x264_options(self._camera, bitrate_kbps)
        context.open()
        self._context = context
        self._bitrate_kbps = bitrate_kbps

    def _views(self, width: int, height: int) -> tuple[Plane, Plane, Plane]:
        y, u, v = (
            np.frombuffer(cast("Any", plane), np.uint8).reshape(-1, plane.line_size)
            for plane in self._frame.planes
        )
        across, down = width // 2, height // 2
        return y[:height, :width], u[:down, :across], v[:down, :across]

    def encode(self, *, keyframe: bool = False, every: int = 1) -> tuple[bool, memoryview]:
        """The picture in `planes` as one access unit in Annex B; True for a keyframe.

        `keyframe` asks for one; the next picture comes `every` of the camera's pictures later.
        """
        self._frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._frame.pts = self._count
        self._count += every
        (packet,) = self._context.encode(self._frame)
        return packet.is_keyframe, memoryview(cast("Any", packet))

    def film(self, sink: UnitSink, wishes: Wishes, at_ns: int) -> int:
        """Encode the picture in `planes` into the ring, as the recorder wishes it to be.

        How many of the camera's pictures it stands for: the next one to draw.
        """
        every = wishes.every
        self.cap(wishes.bitrate_kbps)
        keyframe, data = self.encode(keyframe=wishes.keyframe_due(at_ns), every=every)
        if keyframe:
            wishes.keyframe_came(at_ns)
        sink.video(at_ns, keyframe, data, every)
        return every


def x264_options(camera: Camera, bitrate_kbps: int, matrix: str = "smpte170m") -> dict[str, str]:
    """How libx264 encodes here, whoever feeds it: fast, without delay, at most at that rate.

    `matrix` says how the picture's YCbCr was made.
    """
    gop = gop_frames(camera)
    # The rate is a cap (it sizes the ring), not a target: an empty street need not fill the card.
    # One thread: x264 delays by a picture for every further one, or cuts pictures into slices.
    cap = bitrate_kbps
    params = (
        f"crf=22:vbv-maxrate={cap}:vbv-bufsize={cap}:keyint={gop}:min-keyint={gop}:scenecut=0:"
        "bframes=0:open-gop=0:repeat-headers=1:annexb=1:sliced-threads=0:threads=1:"
        f"lookahead-threads=1:sync-lookahead=0:colormatrix={matrix}"
    )
    return {"preset": "ultrafast", "tune": "zerolatency", "x264-params": params}


class SoundEncoder:
    """Samples in, AAC-LC frames out; times are sample counts from the first sample on."""

    def __init__(self, audio: Audio) -> None:
        context = av.CodecContext.create("aac", "w")
        context.sample_rate = audio.rate_hz
        context.layout = "mono" if audio.channels == 1 else "stereo"
        context.format = "fltp"
        context.bit_rate = audio.bitrate_kbps * 1000
        context.open()
        self._context = context
        self._fed = 0
        self.rate_hz = audio.rate_hz
        self.config = bytes(context.extradata or b"")

    def encode(self, samples: NDArray[np.float32]) -> Iterator[tuple[int, memoryview]]:
        """Take 1024 samples (channels x 1024, -1 to 1); give (sample count, AAC frame).

        The encoder primes itself with one frame from before the first sample, which says nothing:
        it is left out.
        """
        frame = av.AudioFrame.from_ndarray(samples, "fltp", self._context.layout.name)
        frame.sample_rate = self.rate_hz
        frame.time_base = Fraction(1, self.rate_hz)
        frame.pts = self._fed
        self._fed += samples.shape[1]
        return self._packets(frame)

    def finish(self) -> Iterator[tuple[int, memoryview]]:
        """What it still holds; nothing can be encoded after that."""
        return self._packets(None)

    def _packets(self, frame: av.AudioFrame | None) -> Iterator[tuple[int, memoryview]]:
        for packet in self._context.encode(frame):
            if packet.pts is not None and packet.pts >= 0:
                yield packet.pts, memoryview(cast("Any", packet))

"""The H.264 encoder that the board has, as picamera2 drives it, and where its access units go.

| board                     | picamera2's class                   | runs in                           |
|---------------------------|-------------------------------------|-----------------------------------|
| Pi Zero 2, 3, 4 (VC4)     | `H264Encoder`, V4L2 on /dev/video11 | a thread of its own that polls    |
| Pi 5, and anything else   | `LibavH264Encoder`, libx264         | the thread of the camera's events |

An exception in either thread kills it, and every later call to picamera2 then waits for ever. So
nothing of ours raises there: what went wrong is kept as text, and the main thread ends the worker.

Imported only where picamera2 can be.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any, Protocol

import videodev2
from av.video.frame import PictureType
from picamera2.encoders import H264Encoder, LibavH264Encoder
from picamera2.outputs import Output

from ..config import Camera
from ..errors import DeviceError
from ..media import Buffer
from .encoder import x264_options
from .headers import ParameterSets
from .sink import UnitSink
from .source import gop_frames
from .wishes import Wishes

_NODE = Path("/dev/video11")  # wired into picamera2


class BoardEncoder(Protocol):
    """An encoder of picamera2 that can be asked for a keyframe and for fewer bits."""

    firsttimestamp: int | None
    label: str

    def force_keyframe(self) -> None:
        """Make the next picture a keyframe. Called before that picture is encoded."""
        ...

    def cap(self, bitrate_kbps: int) -> None:
        """Cap the bit rate, from the next picture on."""
        ...


class HardwareEncoder(H264Encoder):  # type: ignore[misc]  # picamera2 has no types
    """The encoder of the VideoCore."""

    label = "V4L2"

    def __init__(self, camera: Camera) -> None:
        super().__init__(
            bitrate=camera.bitrate_kbps * 1000, repeat=True, iperiod=gop_frames(camera)
        )
        self._bitrate_kbps = camera.bitrate_kbps

    # The driver takes both at any time. picamera2 sets the rate only at the start, and has
    # force_key_frame() only in its newer versions.

    def force_keyframe(self) -> None:
        self._control(videodev2.V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 1)

    def cap(self, bitrate_kbps: int) -> None:
        if bitrate_kbps != self._bitrate_kbps:
            self._bitrate_kbps = bitrate_kbps
            self._control(videodev2.V4L2_CID_MPEG_VIDEO_BITRATE, bitrate_kbps * 1000)

    def _control(self, name: int, value: int) -> None:
        control = videodev2.v4l2_control()
        control.id, control.value = name, value
        fcntl.ioctl(self.vd, videodev2.VIDIOC_S_CTRL, control)


class SoftwareEncoder(LibavH264Encoder):  # type: ignore[misc]  # picamera2 has no types
    """libx264, set up as for every other source."""

    label = "libx264"

    def __init__(self, camera: Camera) -> None:
        super().__init__(repeat=True, iperiod=gop_frames(camera), framerate=camera.fps)
        self._camera = camera
        self._bitrate_kbps = camera.bitrate_kbps
        self.threads = 1
        self._stream: Any = None

    def _start(self) -> None:
        super()._start()
        # As picamera2 chooses for a video configuration.
        matrix = "bt709" if self.width >= 1280 and self.height >= 720 else "smpte170m"
        options = x264_options(self._camera, self._bitrate_kbps, matrix)
        self._stream.codec_context.options.update(options)
        self._stream = _Stream(self._stream)

    def force_keyframe(self) -> None:
        # Not force_key_frame(): it sets pict_type = "I", which PyAV 14 and later refuse, and the
        # exception would kill the camera's thread.
        self._stream.keyframe_due = True

    def cap(self, bitrate_kbps: int) -> None:
        if bitrate_kbps == self._bitrate_kbps:
            return
        self._bitrate_kbps = bitrate_kbps
        # libx264 takes a new cap only in a new encoder. The old one lets go of the camera's buffers.
        self._stop()
        self._start()


class _Stream:
    """PyAV's stream, which also makes a picture a keyframe."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.keyframe_due = False

    def encode(self, frame: Any = None) -> Any:
        if self.keyframe_due and frame is not None:
            self.keyframe_due = False
            frame.pict_type = PictureType.I
        return self._stream.encode(frame)


def board_encoder(camera: Camera, node: Path = _NODE) -> BoardEncoder:
    """The encoder of this board; picamera2 has found out which board it is."""
    if H264Encoder is not LibavH264Encoder and node.exists():
        return HardwareEncoder(camera)
    return SoftwareEncoder(camera)


class RingOutput(Output):  # type: ignore[misc]  # picamera2 has no types
    """Takes what the encoder gives into the ring, in the encoder's thread. Never raises."""

    def __init__(self, sink: UnitSink, encoder: BoardEncoder, wishes: Wishes) -> None:
        super().__init__()
        self._sink, self._encoder, self._wishes = sink, encoder, wishes
        self._sets = ParameterSets()
        self._last_ns = -1
        self.every = 1
        self.fault = ""

    def outputframe(
        self,
        frame: Buffer,
        keyframe: bool = True,
        timestamp: int | None = None,
        packet: object = None,
        audio: bool = False,
    ) -> None:
        """One buffer of the encoder; picamera2 calls this, the names are its."""
        del keyframe, packet  # the NAL units themselves say it
        if audio or self.fault:
            return
        try:
            self._take(frame, timestamp)
        except Exception as fault:  # noqa: BLE001 - becomes capture.error, see the module
            self.fault = f"{type(fault).__name__}: {fault}"

    def _take(self, frame: Buffer, timestamp: int | None) -> None:
        first = self._encoder.firsttimestamp
        if timestamp is None or first is None:
            raise DeviceError("the encoder gave a picture without a time")
        whole = self._sets.complete(frame)
        if whole is None:
            return
        keyframe, data = whole
        # SensorTimestamp is boot time; two pictures may fall into one microsecond of a bad clock.
        at_ns = self._last_ns = max((first + timestamp) * 1000, self._last_ns + 1000)
        if keyframe:
            self._wishes.keyframe_came(at_ns)
        self._sink.video(at_ns, keyframe, data, self.every)

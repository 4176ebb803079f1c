"""The Raspberry Pi camera through picamera2, with the encoder that the board has.

An exception in a callback kills picamera2's thread and makes every later call wait for ever; so
the callbacks here keep what went wrong as text, and the main thread ends the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from ..config import Config
from ..errors import DeviceError
from ..media import Buffer
from .headers import ParameterSets
from .overlay import Overlay
from .sink import UnitSink
from .source import SourceFacts, gop_frames

_TICK_S = 0.25
_SILENT_TICKS = 8
_STARTING_TICKS = 40
_CHECK = "Check the ribbon cable, then that no other program uses the camera"


@dataclass(frozen=True, slots=True)
class Library:
    """What is used of picamera2; a test rig brings a camera and an encoder of its own."""

    camera: Callable[[], Any]
    encoder: Callable[..., Any]
    output: type
    mapped: Callable[[Any, str], Any]


def load_library() -> Library:
    """The real picamera2: `H264Encoder` is the hardware's, on a Pi 5 it is libx264."""
    try:
        from picamera2 import MappedArray, Picamera2
        from picamera2.encoders import H264Encoder
        from picamera2.outputs import Output
    except ImportError as fault:
        raise DeviceError(
            f"camera.source = 'picamera2', but picamera2 cannot be loaded ({fault})",
            "Install python3-picamera2 (apt install --no-install-recommends python3-picamera2) "
            "and let the virtual environment see it (--system-site-packages)",
        ) from fault
    return Library(Picamera2, H264Encoder, Output, MappedArray)


class UnitOutput:
    """Takes what the encoder gives, on its thread, into the sink. Never raises."""

    def __init__(self) -> None:
        super().__init__()
        self.fault = ""
        self._sets = ParameterSets()
        self._last_ns = -1

    def attach(self, sink: UnitSink, encoder: Any) -> None:
        """Say where the units go, and whose first timestamp they count from."""
        self._sink = sink
        self._encoder = encoder

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
        if timestamp is None:
            raise DeviceError("the encoder gave a picture without a time")
        whole = self._sets.complete(frame)
        if whole is None:
            return
        # SensorTimestamp is boot time; two pictures may fall into one microsecond of a bad clock.
        at_ns = (self._encoder.firsttimestamp + timestamp) * 1000
        self._last_ns = max(at_ns, self._last_ns + 1000)
        self._sink.video(self._last_ns, *whole)


class PicamSource:
    """The camera of the rig. Opened once; after a fault only a new worker helps."""

    def __init__(self, config: Config, clock: Clock, library: Library | None = None) -> None:
        del clock  # the sensor has its own, and it is boot time
        self._config = config
        self._library = library
        self._camera: Any = None
        self._recording = False
        self._overlay_fault = ""
        self._number = 0

    def open(self) -> SourceFacts:
        wanted = self._config.camera
        self._library = self._library or load_library()
        try:
            self._camera = self._library.camera()
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": (wanted.width, wanted.height), "format": "YUV420"},
                    buffer_count=6,
                    controls={"FrameRate": wanted.fps},
                )
            )
            width, height = self._camera.camera_configuration()["main"]["size"]
            self._encoder = self._library.encoder(
                bitrate=wanted.bitrate_kbps * 1000, repeat=True, iperiod=gop_frames(wanted)
            )
        except Exception as fault:
            # libcamera and picamera2 raise many kinds; for the technician they are one.
            raise DeviceError(f"the camera cannot be opened ({fault})", _CHECK) from fault
        self._size = width, height
        name = type(self._encoder).__name__
        return SourceFacts("picamera2", name, width, height, wanted.fps)

    def run(self, sink: UnitSink) -> None:
        if self._library is None:
            raise AssertionError("open comes before run")
        # picamera2 accepts subclasses of its own Output only.
        output = type("RingOutput", (UnitOutput, self._library.output), {})()
        output.attach(sink, self._encoder)
        if self._config.camera.overlay:
            overlay = Overlay(*self._size, self._config.device.id)
            self._camera.pre_callback = lambda request: self._burn_in(overlay, sink, request)
        self._camera.start_recording(self._encoder, output)
        self._recording = True
        try:
            self._attend(sink, output)
        except DeviceError:
            # stop() would wait for ever for a thread that is dead or a sensor that is silent.
            self._recording = False
            raise

    def _attend(self, sink: UnitSink, output: Any) -> None:
        seen, silent = 0, 0
        while not sink.stop.wait(_TICK_S):
            fault = output.fault or self._overlay_fault
            if fault:
                raise DeviceError(f"the camera pipeline failed ({fault})")
            silent = 0 if sink.frames != seen else silent + 1
            seen = sink.frames
            if silent >= (_SILENT_TICKS if seen else _STARTING_TICKS):
                raise DeviceError(
                    f"the camera gave no picture for {silent * _TICK_S:.0f} s", _CHECK
                )

    def _burn_in(self, overlay: Overlay, sink: UnitSink, request: Any) -> None:
        """Draw on the picture before it is encoded; on picamera2's thread, never raises."""
        if self._overlay_fault or self._library is None:
            return
        try:
            at_ns = request.get_metadata()["SensorTimestamp"]
            width, height = self._size
            with self._library.mapped(request, "main") as mapped:
                luma = mapped.array[:height, :width]
                overlay.draw(luma, sink.clock_sample(), at_ns, self._number)
            self._number += 1
        except Exception as fault:  # noqa: BLE001 - becomes capture.error, see the module
            self._overlay_fault = f"overlay: {type(fault).__name__}: {fault}"

    def close(self) -> None:
        if self._recording:
            self._recording = False
            self._camera.stop_recording()
            self._camera.close()

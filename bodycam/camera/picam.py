"""The Raspberry Pi camera through picamera2, with the encoder that the board has.

The only sign of life is the age of the last access unit, which the recorder and the worker's watch
look at: a stalled sensor, a loose cable and a dead thread of picamera2 are all alike silent. After a
fault nothing of picamera2 is called any more, for it might wait for ever; only a new worker helps.
"""

from __future__ import annotations

import os
from typing import Any

from ..clock import NS, Clock
from ..config import Camera, Config
from ..errors import DeviceError
from .lens import LensCheck
from .overlay import Overlay
from .sink import UnitSink
from .source import SourceFacts
from .wishes import Wishes

_TICK_S = 0.1
_BUFFERS = 6
_LORES_DIVISOR = 4
_CHECK = "Check the ribbon cable, then that no other program uses the camera"
_INSTALL = (
    "Install python3-picamera2 (apt install --no-install-recommends python3-picamera2) "
    "and let the virtual environment see it (--system-site-packages)"
)


class PicamSource:
    """The camera of the rig. Opened once; after a fault only a new worker helps."""

    def __init__(self, config: Config, clock: Clock) -> None:
        del clock  # the sensor has its own, and it is boot time
        self._config = config
        self._camera: Any = None
        self._recording = False
        self._overlay: Overlay | None = None
        self._small_stream = False
        self._number = self._good = 0
        self._bare = False
        self._every = 1
        self._last_ns = 0
        self._lens = LensCheck(looks=config.camera.lens_check)

    def open(self) -> SourceFacts:
        wanted = self._config.camera
        # Of every configuration libcamera would say more than the journal needs.
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
        try:
            from picamera2 import MappedArray, Picamera2

            from .picam_encoder import board_encoder
        except ImportError as fault:
            raise DeviceError(
                f"camera.source = 'picamera2', but picamera2 cannot be loaded ({fault})", _INSTALL
            ) from fault
        self._mapped = MappedArray
        try:
            self._camera = Picamera2()
            self._configure(wanted)
            self._encoder = board_encoder(wanted)
        except Exception as fault:
            # libcamera and picamera2 raise many kinds; for the technician they are one.
            raise DeviceError(f"the camera cannot be opened ({_cause(fault)})", _CHECK) from fault
        main = self._camera.camera_configuration()["main"]
        width, height = main["size"]
        self._size = int(width), int(height)
        return SourceFacts("picamera2", self._encoder.label, width, height, wanted.fps)

    def _configure(self, wanted: Camera) -> None:
        """With a small second stream for the lens check, if the camera has one to give."""
        small = tuple(side // _LORES_DIVISOR & ~1 for side in (wanted.width, wanted.height))
        common: dict[str, Any] = {
            "main": {"size": (wanted.width, wanted.height), "format": "YUV420"},
            "buffer_count": _BUFFERS,
            "controls": {"FrameRate": wanted.fps},
        }
        camera = self._camera
        try:
            lores = {"size": small, "format": "YUV420"}
            camera.configure(camera.create_video_configuration(lores=lores, **common))
            given, _ = camera.camera_configuration()["lores"]["size"]
            self._small_stream = 2 * given <= wanted.width
        except (RuntimeError, IndexError):
            # It has one stream only; or the next attempt says what it really is.
            self._small_stream = False
        if not self._small_stream:
            camera.configure(camera.create_video_configuration(**common))

    def run(self, sink: UnitSink) -> None:
        from .picam_encoder import RingOutput

        self._sink = sink
        self._wishes = Wishes(sink, self._config.camera)
        self._output = RingOutput(sink, self._encoder, self._wishes)
        if self._config.camera.overlay:
            width, height = self._size
            self._overlay = Overlay(width, height, self._config.device.id)
        self._camera.pre_callback = self._on_picture
        try:
            self._camera.start_recording(self._encoder, self._output)
        except Exception as fault:
            raise DeviceError(f"the camera cannot be started ({_cause(fault)})", _CHECK) from fault
        self._recording = True
        while not sink.stop.wait(_TICK_S):
            if self._output.fault:
                # stop() would wait for ever for a thread that is dead.
                self._recording = False
                raise DeviceError(f"the camera pipeline failed ({self._output.fault})")

    # -- in the thread of the camera's events, before a picture is encoded ------------------------

    def _on_picture(self, request: Any) -> None:
        """Never raises: a picture without its overlay is still evidence, and the next is tried."""
        try:
            at_ns = request.get_metadata()["SensorTimestamp"]
            self._obey(at_ns)
            self._glance(request, at_ns)
            self._burn_in(request, at_ns)
            self._good += 1
            if self._bare and self._good >= self._config.camera.fps:
                self._bare = False
                self._sink.report("overlay.back")
        except Exception as fault:  # noqa: BLE001 - becomes overlay.lost
            self._good = 0
            if not self._bare:
                self._bare = True
                self._sink.report("overlay.lost", reason=f"{type(fault).__name__}: {fault}")
        self._number += self._output.every

    def _obey(self, at_ns: int) -> None:
        """What the recorder wishes, in time for this picture."""
        wishes, output = self._wishes, self._output
        every = wishes.every
        if every != self._every:
            self._every = every
            fps = self._config.camera.fps
            self._camera.set_controls({"FrameRate": fps / every})
        # The sensor follows some pictures later; until one comes soon, each stands for two.
        soon = 2 * (at_ns - self._last_ns) < 3 * NS // self._config.camera.fps
        output.every = every if every > 1 or soon else output.every
        self._last_ns = at_ns
        self._encoder.cap(wishes.bitrate_kbps)
        if wishes.keyframe_due(at_ns):
            self._encoder.force_keyframe()

    def _glance(self, request: Any, at_ns: int) -> None:
        """Show the lens check the pictures that it wants, small and without the overlay."""
        if not self._lens.wants(at_ns):
            return
        name, step = ("lores", 1) if self._small_stream else ("main", _LORES_DIVISOR)
        width, height = self._camera.camera_configuration()[name]["size"]
        with self._mapped(request, name, write=False) as mapped:
            events = self._lens.look(mapped.array[:height:step, :width:step], at_ns)
        for event in events:
            event.tell(self._sink)

    def _burn_in(self, request: Any, at_ns: int) -> None:
        if self._overlay is None:
            return
        width, height = self._size
        with self._mapped(request, "main") as mapped:
            luma = mapped.array[:height, :width]
            self._overlay.draw(luma, self._sink.clock_sample(), at_ns, self._number)

    def close(self) -> None:
        if self._recording:
            self._recording = False
            self._camera.stop_recording()
            self._camera.close()


def _cause(fault: BaseException) -> str:
    """What lies under picamera2's own words, which only say that it did not work."""
    while fault.__cause__ is not None:
        fault = fault.__cause__
    return str(fault) or type(fault).__name__

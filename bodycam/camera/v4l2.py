"""A webcam through OpenCV, encoded here."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..config import Config
from ..errors import DeviceError
from .encoder import VideoEncoder
from .lens import LensCheck
from .overlay import Overlay
from .sink import UnitSink
from .source import SourceFacts
from .wishes import Wishes

_SILENT_S = 2.0
_CHECK = "Check the cable and that no other program uses it"


@dataclass(frozen=True, slots=True)
class _Picture:
    at_ns: int
    bgr: NDArray[np.uint8]


class _Newest:
    """One place for the newest picture: a slow encoder loses pictures, never time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: _Picture | None = None
        self._ended = False

    def put(self, picture: _Picture | None) -> None:
        """Replace what was not taken; None says that there will be no more."""
        with self._changed:
            self._picture, self._ended = picture, picture is None
            self._changed.notify()

    def take(self, timeout_s: float) -> tuple[_Picture | None, bool]:
        """The newest picture not yet taken, and whether the camera has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is not None or self._ended, timeout_s)
            picture, self._picture = self._picture, None
            return picture, self._ended


def _address(device: str) -> int | str:
    """How OpenCV knows a camera: by its number; anything else is a file to it."""
    if device.isdigit():
        return int(device)
    node = re.fullmatch(r"/dev/video(\d+)", os.path.realpath(device))
    return int(node[1]) if node else device


class WebcamSource:
    """`camera.device` is a path (/dev/video0) or an index."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._newest = _Newest()
        self._stop = threading.Event()

    def open(self) -> SourceFacts:
        camera, device = self._config.camera, self._config.camera.device
        # OpenCV would print a page of its own about a camera that is not there.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = cv2.VideoCapture(_address(device))
        if not self._capture.isOpened():
            raise DeviceError(f"camera.device {device}: cannot be opened", _CHECK)
        for setting, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, camera.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, camera.height),
            (cv2.CAP_PROP_FPS, camera.fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            self._capture.set(setting, value)
        threading.Thread(target=self._grab, name="webcam", daemon=True).start()
        # What was asked is a wish: the first picture shows what the camera does.
        first, _ = self._newest.take(2 * _SILENT_S)
        if first is None:
            raise DeviceError(f"camera.device {device}: gives no picture", _CHECK)
        height, width = (side & ~1 for side in first.bgr.shape[:2])
        self._size = width, height
        self._encoder = VideoEncoder(camera, width, height)
        return SourceFacts("v4l2", VideoEncoder.name, width, height, camera.fps)

    def _grab(self) -> None:
        """Read the camera in a thread of its own: a read may block for as long as it likes."""
        while not self._stop.is_set():
            grabbed = self._capture.grab()
            at_ns = self._clock.boot_ns()
            good, bgr = self._capture.retrieve() if grabbed else (False, None)
            if not good or bgr is None:
                break
            self._newest.put(_Picture(at_ns, bgr.astype(np.uint8, copy=False)))
        self._newest.put(None)

    def run(self, sink: UnitSink) -> None:
        width, height = self._size
        overlay = Overlay(width, height, self._config.device.id)
        lens = LensCheck(looks=self._config.camera.lens_check)
        device, number = self._config.camera.device, 0
        wishes, left_out = Wishes(sink, self._config.camera), 0
        while not sink.stop.is_set():
            picture, ended = self._newest.take(_SILENT_S)
            if picture is None:
                why = "ended" if ended else f"has given no picture for {_SILENT_S:.0f} s"
                raise DeviceError(f"camera.device {device}: {why}", _CHECK)
            if left_out:
                left_out -= 1
                continue
            luma = self._convert(picture.bgr)
            for event in lens.look(luma, picture.at_ns):
                event.tell(sink)
            if self._config.camera.overlay:
                overlay.draw(luma, sink.clock_sample(), picture.at_ns, number)
            every = self._encoder.film(sink, wishes, picture.at_ns)
            number += every
            left_out = every - 1

    def _convert(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put the picture into the encoder's planes; the answer is the luma."""
        width, height = self._size
        packed = cv2.cvtColor(bgr[:height, :width], cv2.COLOR_BGR2YUV_I420).reshape(-1)
        at = 0
        for plane in self._encoder.planes:
            plane[:] = packed[at : at + plane.size].reshape(plane.shape)
            at += plane.size
        return self._encoder.planes[0]

    def close(self) -> None:
        # The thread that reads the camera lets go of it; it may be blocked inside the driver.
        self._stop.set()

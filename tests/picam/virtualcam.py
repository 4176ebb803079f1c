"""All that differs from a Pi: libcamera's virtual camera made to behave as a sensor does.

picamera2, libcamera, PyAV and OpenCV are the real ones, and the product knows nothing of this.
`site/sitecustomize.py` has it installed when a process imports picamera2:

| what a Pi has                       | what stands in for it here                                |
|-------------------------------------|-----------------------------------------------------------|
| kms++, for previews on a display    | an empty module of that name; we show nothing             |
| one-plane NV12 and YUV420 buffers   | two planes in one buffer, as the virtual camera wants     |
| raw modes of a sensor               | the sizes that the virtual camera has                     |
| SensorTimestamp of the exposure     | the shim's time of it; libcamera's is that of the request |
| a sensor that obeys FrameRate       | the shim's pace                                           |
| one owner at a time                 | a lock; the virtual pipeline lets everybody in            |
| the VideoCore's encoder             | `virtualcodec`, while there is a file /dev/video11        |

Each picture carries the time of its exposure in it (`frame_code`, microseconds modulo 2^32), and is
written into the camera's diary ($RIG_DIARY): what the camera took, whatever became of it.

Faults are files in $RIG_FAULTS: see `Fault`.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib.abc
import importlib.machinery
import mmap
import os
import sys
import types
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

_PICAMERA2 = "picamera2"
_PixelFormat = Enum(
    "_PixelFormat", "RGB888 BGR888 XRGB8888 XBGR8888 ARGB8888 ABGR8888 YUV420 YVU420 NV12"
)


class Fault(Enum):
    """What goes wrong while the file of that name is there."""

    ABSENT = "absent"  # no camera is found
    DARK = "dark"  # every stream shows nothing, not even its time
    CALLBACK = "callback"  # what our own callback asks for raises
    ENCODER = "encoder"  # picamera2's encoder raises, in the thread of the camera's events
    CODEC_BUSY = "codec-busy"  # another program has the VideoCore's encoder
    CODEC_LOST = "codec-lost"  # its driver answers every call with an error
    GARBAGE = "garbage"  # the encoder gives bytes that are no H.264
    DEAF = "deaf"  # the camera cannot be stopped: the call never returns

    @property
    def path(self) -> Path:
        return Path(os.environ["RIG_FAULTS"]) / self.value

    @property
    def holds(self) -> bool:
        return self.path.exists()


def install_on_import() -> None:
    """Have the rig installed as soon as picamera2 has been imported, and not before."""
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _PICAMERA2:
            return None
        sys.meta_path.remove(self)
        _stand_in_for_kms()
        if Fault.ABSENT.holds:
            os.environ["LIBCAMERA_PIPELINES_MATCH_LIST"] = "none"
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, real: importlib.abc.Loader) -> None:
        self._real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        self._real.exec_module(module)
        _install(module)


def _stand_in_for_kms() -> None:
    kms: Any = types.ModuleType("pykms")
    kms.PixelFormat = _PixelFormat
    sys.modules.setdefault("pykms", kms)


def _install(picamera2: Any) -> None:
    from picamera2 import allocators, controls, encoders, request

    from tests.picam import virtualcodec

    camera = picamera2.Picamera2
    camera.__init__ = _with_our_allocator(camera.__init__, allocators.DmaAllocator)
    camera._get_raw_modes = _raw_modes
    camera._open_camera = _alone(camera._open_camera)
    camera.close = _unlocking(camera.close)
    camera.stop_ = _deaf(camera.stop_)
    virtualcodec.install(
        encoders.v4l2_encoder, lambda: Fault.CODEC_BUSY.holds, lambda: Fault.CODEC_LOST.holds
    )
    encoders.Encoder._timestamp = _timestamp
    encoders.Encoder.outputframe = _sometimes_garbage(encoders.Encoder.outputframe)
    completed = request.CompletedRequest
    completed.__init__ = _exposed(completed.__init__)
    completed.get_metadata = _with_exposure(completed.get_metadata)
    controls.Controls.set_controls = _obeying(controls.Controls.set_controls)


# -- buffers -------------------------------------------------------------------------------------


def _with_our_allocator(init: Any, base: Any) -> Any:
    kind = type("TwoPlanes", (base,), {"allocate": _allocate})

    def made(self: Any, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **{"allocator": kind(), **named})

    return made


def _allocate(self: Any, libcamera_config: Any, _use_case: object) -> None:
    """picamera2's own, with luma and chroma as two planes, and the first stream paced."""
    import libcamera

    self.libcamera_fds = []
    self.cleanup()
    for fd in self.open_fds:
        os.close(fd)
    self.frame_buffers, self.open_fds = {}, []
    for number, config in enumerate(libcamera_config):
        luma, buffers = config.stride * config.size.height, []
        for i in range(config.buffer_count):
            fd = self.dmaHeap.alloc(f"picamera2-{i}", config.frame_size).get()
            self.open_fds.append(fd)
            if number == 0:
                _shim().shim_paces(fd)
            planes = []
            for offset, length in ((0, luma), (luma, config.frame_size - luma)):
                plane = libcamera.FrameBuffer.Plane()
                plane.fd, plane.offset, plane.length = fd, offset, length
                planes.append(plane)
            self.libcamera_fds.append(planes[0].fd)
            self.mapped_buffers_used[planes[0].fd] = False
            buffers.append(libcamera.FrameBuffer(planes))
            self.mapped_buffers[buffers[-1]] = mmap.mmap(
                fd, config.frame_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
            )
        self.frame_buffers[config.stream] = buffers


def _raw_modes(self: Any) -> list[dict[str, Any]]:
    """The virtual camera answers the role Raw with None, which picamera2 does not expect."""
    import libcamera

    role = libcamera.StreamRole.VideoRecording
    found = self.camera.generate_configuration([role]).at(0).formats
    return [
        {"format": str(pixels), "size": (size.width, size.height)}
        for pixels in found.pixel_formats
        for size in found.sizes(pixels)
    ]


# -- exposure ------------------------------------------------------------------------------------


def _shim() -> ctypes.CDLL:
    """The preloaded library (LD_PRELOAD)."""
    shim = ctypes.CDLL(None)
    shim.shim_exposed_ns.restype = ctypes.c_longlong
    return shim


def _exposure_ns(request: Any, stream: Any) -> int:
    return int(_shim().shim_exposed_ns(request.buffers[stream].planes[0].fd))


def _exposed(init: Any) -> Any:
    """Let the picture say when it was taken, and write that down."""
    import numpy as np

    from bodycam.camera.frame_code import CodeLayout, write_code

    where = os.environ.get("RIG_DIARY")
    diary = os.open(where, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC) if where else -1

    def made(self: Any, request: Any, picam2: Any) -> None:
        init(self, request, picam2)
        at_us = _exposure_ns(request, picam2.stream_map["main"]) // 1000
        for name in ("main", "lores"):
            stream, config = picam2.stream_map[name], self.config[name]
            if stream is None:
                continue
            width, height = config["size"]
            memory = picam2.allocator.mapped_buffers[request.buffers[stream]]
            rows = np.frombuffer(memory, np.uint8, config["stride"] * height)
            luma = rows.reshape(height, config["stride"])[:, :width]
            if Fault.DARK.holds:
                luma[:] = 16
            elif name == "main":
                write_code(luma, CodeLayout.of(width, height), at_us & 0xFFFF_FFFF, flash=False)
        if diary >= 0:
            os.write(diary, f"{at_us} {len(request.buffers)}\n".encode())

    return made


def _with_exposure(get_metadata: Any) -> Any:
    def told(self: Any) -> dict[str, Any]:
        if Fault.CALLBACK.holds:
            raise RuntimeError("the rig makes the callback raise")
        metadata = dict(get_metadata(self))
        metadata["SensorTimestamp"] = _exposure_ns(self.request, self.stream_map["main"])
        return metadata

    return told


def _timestamp(self: Any, request: Any) -> int:
    """As picamera2's: microseconds since the encoder's first picture."""
    if Fault.ENCODER.holds:
        raise RuntimeError("the rig makes the encoder raise")
    at_us = _exposure_ns(request.request, request.stream_map["main"]) // 1000
    if self.firsttimestamp is None:
        self.firsttimestamp = at_us
    return int(at_us - self.firsttimestamp)


def _obeying(set_controls: Any) -> Any:
    def obeyed(self: Any, wanted: Any) -> None:
        set_controls(self, wanted)
        if isinstance(wanted, dict) and "FrameRate" in wanted:
            # The shim looks at its environment before each picture.
            os.environ["SHIM_FPS"] = str(wanted["FrameRate"])

    return obeyed


# -- one owner, and faults -----------------------------------------------------------------------


def _alone(open_camera: Any) -> Any:
    def opened(self: Any) -> None:
        lock = os.open(os.environ["RIG_LOCK"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            # libcamera's words for it
            raise RuntimeError("Failed to acquire camera: Device or resource busy") from None
        self._rig_lock = lock
        open_camera(self)

    return opened


def _unlocking(close: Any) -> Any:
    def closed(self: Any) -> None:
        close(self)
        lock = self.__dict__.pop("_rig_lock", None)
        if lock is not None:
            os.close(lock)

    return closed


def _deaf(stop: Any) -> Any:
    def stopped(self: Any, request: Any = None) -> Any:
        if Fault.DEAF.holds:
            # As libcamera's bindings: the interpreter's lock is held all the while.
            ctypes.PyDLL(None).sleep(600)
        return stop(self, request)

    return stopped


def _sometimes_garbage(outputframe: Any) -> Any:
    def given(self: Any, frame: Any, *more: Any, **named: Any) -> None:
        outputframe(self, b"garbage" if Fault.GARBAGE.holds else frame, *more, **named)

    return given

"""The VideoCore's encoder as its V4L2 driver shows it, for the real `H264Encoder` to drive.

It is there while the file /dev/video11 is (an empty one will do): picamera2's calls on it come here
instead of to a kernel. A memory-to-memory device: pictures are queued by the descriptors of their
buffers, a thread of the "hardware" encodes them in order, coded ones are fetched. As the driver, it
takes a bit rate and the wish for a keyframe at any time, makes a GOP of 60 unless told otherwise, and
repeats the parameter sets only if told to.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import videodev2 as v4l2
from av.video.frame import PictureType

_CODED_BYTES = 512 << 10
_DEFAULT_GOP = 60
_ioctl = fcntl.ioctl


def install(v4l2_encoder: Any, is_busy: Callable[[], bool], is_lost: Callable[[], bool]) -> None:
    """Put the device under picamera2's module; the calls of everybody else go to the kernel."""

    def opened(path: str, *_: object, **__: object) -> Device:
        if is_busy():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
        return Device()

    def routed(device: Any, request: int, argument: Any = 0, *more: Any) -> Any:
        if not isinstance(device, Device):
            return _ioctl(device, request, argument, *more)
        if is_lost():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return device.ioctl(request, argument)

    fcntl.ioctl = routed
    v4l2_encoder.open = opened
    v4l2_encoder.select = SimpleNamespace(poll=_Poll, POLLIN=select.POLLIN, POLLOUT=select.POLLOUT)
    v4l2_encoder.mmap = SimpleNamespace(
        mmap=_memory, PROT_READ=mmap.PROT_READ, PROT_WRITE=mmap.PROT_WRITE,
        MAP_SHARED=mmap.MAP_SHARED,
    )  # fmt: skip


def _memory(fd: int, length: int, _flags: int, _prot: int, *, offset: int) -> mmap.mmap:
    return Device.of[fd].coded_memory(offset // length)


class _Poll:
    def __init__(self) -> None:
        self._device: Any = None

    def register(self, device: Any, _events: int) -> None:
        self._device = device

    def poll(self, timeout_ms: int) -> list[tuple[int, int]]:
        events = self._device.wait(timeout_ms / 1000)
        return [(self._device.fileno(), events)] if events else []


class Device:
    """An open /dev/video11."""

    of: dict[int, Device] = {}  # noqa: RUF012 - by descriptor, as the kernel keeps them

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC)
        Device.of[self._fd] = self
        self.closed = False
        self._changed = threading.Condition()
        self._pictures: queue.SimpleQueue[tuple[int, int, int, int] | None] = queue.SimpleQueue()
        self._free: deque[int] = deque()
        self._taken: deque[int] = deque()  # output buffers that may be dequeued
        self._coded: deque[tuple[int, int, bool, int]] = deque()
        self._memories: dict[int, mmap.mmap] = {}
        self._size = (0, 0, 0)
        self._settings = {v4l2.V4L2_CID_MPEG_VIDEO_H264_I_PERIOD: _DEFAULT_GOP}
        self._keyframe_due = False
        self._thread = threading.Thread(target=self._work, name="codec", daemon=True)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        self.closed = True
        del Device.of[self._fd]
        os.close(self._fd)

    def coded_memory(self, index: int) -> mmap.mmap:
        return self._memories.setdefault(index, mmap.mmap(-1, _CODED_BYTES))

    def wait(self, timeout_s: float) -> int:
        """What poll() tells: POLLOUT, a picture's buffer is free again; POLLIN, one is coded."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken or self._coded, timeout_s)
            out = select.POLLOUT if self._taken else 0
            return out | (select.POLLIN if self._coded else 0)

    # -- the driver's calls -----------------------------------------------------------------------

    def ioctl(self, request: int, argument: Any) -> int:
        calls: dict[int, Callable[[Any], None]] = {
            v4l2.VIDIOC_QUERYCAP: lambda _: None,
            v4l2.VIDIOC_REQBUFS: lambda _: None,
            v4l2.VIDIOC_S_PARM: lambda _: None,
            v4l2.VIDIOC_S_CTRL: lambda c: self._set(c.id, c.value),
            v4l2.VIDIOC_S_EXT_CTRLS: self._set_all,
            v4l2.VIDIOC_S_FMT: self._format,
            v4l2.VIDIOC_QUERYBUF: self._describe,
            v4l2.VIDIOC_QBUF: self._queue,
            v4l2.VIDIOC_DQBUF: self._dequeue,
            v4l2.VIDIOC_STREAMON: self._on,
            v4l2.VIDIOC_STREAMOFF: self._off,
        }
        calls[request](argument)
        return 0

    def _set(self, name: int, value: int) -> None:
        if name == v4l2.V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME:
            self._keyframe_due = True
        else:
            self._settings[name] = value

    def _set_all(self, controls: Any) -> None:
        for i in range(controls.count):
            self._set(controls.controls[i].id, controls.controls[i].value)

    def _format(self, wanted: Any) -> None:
        pixels = wanted.fmt.pix_mp
        if wanted.type == v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
            assert pixels.pixelformat == v4l2.V4L2_PIX_FMT_NV12, "what the virtual camera gives"
            self._size = (pixels.width, pixels.height, pixels.plane_fmt[0].bytesperline)

    def _describe(self, buffer: Any) -> None:
        buffer.m.planes[0].length = _CODED_BYTES
        buffer.m.planes[0].m.mem_offset = buffer.index * _CODED_BYTES

    def _queue(self, buffer: Any) -> None:
        if buffer.type == v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
            with self._changed:
                self._free.append(buffer.index)
                self._changed.notify_all()
            return
        stamp_us = buffer.timestamp.tv_sec * 1_000_000 + buffer.timestamp.tv_usec
        plane = buffer.m.planes[0]
        self._pictures.put((buffer.index, os.dup(plane.m.fd), plane.length, stamp_us))

    def _dequeue(self, buffer: Any) -> None:
        with self._changed:
            if buffer.type == v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
                buffer.index = self._taken.popleft()
                return
            buffer.index, size, keyframe, stamp_us = self._coded.popleft()
        buffer.flags = v4l2.V4L2_BUF_FLAG_KEYFRAME if keyframe else 0
        buffer.timestamp.tv_sec, buffer.timestamp.tv_usec = divmod(stamp_us, 1_000_000)
        buffer.m.planes[0].bytesused, buffer.m.planes[0].length = size, _CODED_BYTES

    def _on(self, _kind: object) -> None:
        if not self._thread.is_alive():
            self._thread.start()

    def _off(self, _kind: object) -> None:
        self._pictures.put(None)

    # -- the hardware -----------------------------------------------------------------------------

    def _work(self) -> None:
        codec: Any = None
        rate = gop = count = 0
        while (picture := self._pictures.get()) is not None:
            index, fd, length, stamp_us = picture
            wanted = self._settings[v4l2.V4L2_CID_MPEG_VIDEO_BITRATE]
            if codec is None or wanted != rate:
                rate = wanted
                codec = self._codec(rate)
            frame = self._frame(fd, length)
            frame.pts = count
            gop = self._settings[v4l2.V4L2_CID_MPEG_VIDEO_H264_I_PERIOD]
            due, self._keyframe_due = self._keyframe_due or count % gop == 0, False
            frame.pict_type = PictureType.I if due else PictureType.NONE
            count += 1
            (packet,) = codec.encode(frame)
            self._give(index, bytes(packet), packet.is_keyframe, stamp_us)

    def _codec(self, rate: int) -> Any:
        repeat = self._settings.get(v4l2.V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0)
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, _ = self._size
        codec.pix_fmt, codec.time_base = "nv12", Fraction(1, 30)
        codec.bit_rate = rate
        codec.options = {
            "preset": "ultrafast", "tune": "zerolatency", "maxrate": str(rate),
            "bufsize": str(rate), "x264-params":
            f"keyint=infinite:scenecut=0:repeat-headers={repeat}:sliced-threads=0:threads=1",
        }  # fmt: skip
        codec.open()
        return codec

    def _frame(self, fd: int, length: int) -> Any:
        width, height, stride = self._size
        with mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
            rows = np.frombuffer(memory, np.uint8, stride * height * 3 // 2)
            picture = rows.reshape(height * 3 // 2, stride)[:, :width].copy()
            del rows
        os.close(fd)
        return av.VideoFrame.from_ndarray(picture, format="nv12")

    def _give(self, index: int, coded: bytes, keyframe: bool, stamp_us: int) -> None:
        with self._changed:
            self._taken.append(index)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._free)
            place = self._free.popleft()
            self.coded_memory(place)[: len(coded)] = coded
            self._coded.append((place, len(coded), keyframe, stamp_us))
            self._changed.notify_all()

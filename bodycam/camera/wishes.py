"""What the recorder asks of a camera while it runs: a keyframe, or less work."""

from __future__ import annotations

from ..clock import MS
from ..config import Camera
from ..sharedring import Load
from .sink import UnitSink


class Wishes:
    """Asked once a picture; each source obeys as far as its encoder can.

    Encoders count a GOP in pictures. With fewer pictures a second it would last longer, and a
    recording begins at a keyframe: so those are asked for by time then.
    """

    def __init__(self, sink: UnitSink, camera: Camera) -> None:
        self._sink = sink
        self._bitrate_kbps = camera.bitrate_kbps
        self._gop_ns = camera.gop_ms * MS - 500 * MS // camera.fps
        self._answered = sink.keyframes_wanted()
        self._keyframe_ns: int | None = None
        self._left_out = False

    @property
    def every(self) -> int:
        """Which of the camera's pictures are wanted: each, or every second one."""
        return 1 if self._sink.load() is Load.FULL else 2

    @property
    def bitrate_kbps(self) -> int:
        """The cap of the bit rate."""
        return self._bitrate_kbps // (2 if self._sink.load() is Load.FEWER_BITS else 1)

    def keyframe_due(self, at_ns: int) -> bool:
        """True if the picture of that moment must be a keyframe, whatever the encoder's GOP."""
        wanted, last_ns = self._sink.keyframes_wanted(), self._keyframe_ns
        asked, self._answered = wanted != self._answered, wanted
        late = self._left_out and last_ns is not None and at_ns - last_ns >= self._gop_ns
        if asked or late:
            self.keyframe_came(at_ns)
        self._left_out = self._left_out or self.every > 1
        return asked or late

    def keyframe_came(self, at_ns: int) -> None:
        """The picture of that moment is a keyframe."""
        self._keyframe_ns = at_ns
        self._left_out = False

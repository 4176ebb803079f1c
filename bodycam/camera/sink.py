"""Where sources put access units: the ring, and beside them the worker's own reports."""

from __future__ import annotations

import json
import threading

from ..buffer import RingWriter
from ..clock import Clock, Instant
from ..media import Buffer, Track


class UnitSink:
    """The worker's way to the recorder.

    `stop` is set when the worker shall end: on SIGTERM, or because the recorder is gone. Nothing
    here raises for a recorder that is gone, so that no camera callback has to expect it.
    """

    def __init__(self, ring: RingWriter, clock: Clock, stop: threading.Event) -> None:
        self._ring = ring
        self._clock = clock
        self.stop = stop
        self.frames = 0

    def video(self, at_ns: int, keyframe: bool, data: Buffer) -> None:
        """One coded picture, Annex B; `at_ns` is the boot time of its capture."""
        self._write(Track.VIDEO, at_ns, keyframe, data)
        self.frames += 1

    def audio(self, at_ns: int, data: Buffer) -> None:
        """One AAC frame without ADTS; decoding it gives the sound from `at_ns` on."""
        self._write(Track.AUDIO, at_ns, True, data)

    def report(self, ev: str, **fields: str | int) -> None:
        """Tell the recorder something that is not media: an EVENT unit of JSON."""
        text = json.dumps({"ev": ev, **fields}, ensure_ascii=False, separators=(",", ":"))
        self._write(Track.EVENT, self._clock.boot_ns(), False, text.encode())

    def clock_sample(self) -> Instant:
        """The recorder's latest clock sample."""
        return self._ring.clock()

    def _write(self, track: Track, at_ns: int, keyframe: bool, data: Buffer) -> None:
        if self.stop.is_set():
            return
        try:
            self._ring.write(track, at_ns, keyframe, data)
        except BrokenPipeError:
            self.stop.set()

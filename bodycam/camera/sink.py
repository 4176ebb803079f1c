"""Where sources put access units: the ring, and beside them the worker's own reports."""

from __future__ import annotations

import json
import threading

from ..clock import Clock, Instant
from ..media import Buffer, Track
from ..ringwriter import RingWriter
from ..sharedring import Load


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
        self._unsent: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()

    def video(self, at_ns: int, keyframe: bool, data: Buffer, every: int = 1) -> None:
        """One coded picture, Annex B; `at_ns` is the boot time of its capture.

        It stands for `every` of the camera's pictures, from its own on: 2 if the next is left out.
        """
        self._write(Track.VIDEO, at_ns, keyframe, data, every)
        self.frames += 1

    def audio(self, at_ns: int, data: Buffer) -> None:
        """One AAC frame without ADTS; decoding it gives the sound from `at_ns` on."""
        self._write(Track.AUDIO, at_ns, True, data)

    def report(self, ev: str, at_ns: int | None = None, **fields: str | int) -> None:
        """Tell the recorder something that is not media, and when it happened (now if None)."""
        text = json.dumps({"ev": ev, **fields}, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            at_ns = self._clock.boot_ns() if at_ns is None else at_ns
            self._unsent.append((at_ns, text.encode()))
        self._send_reports()

    def clock_sample(self) -> Instant:
        """The recorder's latest clock sample."""
        return self._ring.clock()

    def microphones_seen(self) -> int:
        """How often a microphone was plugged in; a change means: open it again at once."""
        return self._ring.microphones_seen()

    def keyframes_wanted(self) -> int:
        """How often the recorder has asked for a keyframe."""
        return self._ring.keyframes_wanted()

    def load(self) -> Load:
        """How much the camera may do now."""
        return self._ring.load()

    def _write(
        self, track: Track, at_ns: int, keyframe: bool, data: Buffer, every: int = 1
    ) -> None:
        if self._unsent:
            self._send_reports()
        self._put(track, at_ns, keyframe, data, every)

    def _send_reports(self) -> None:
        """A ring that is full drops pictures, but a report only waits for room."""
        with self._lock:
            while self._unsent:
                at_ns, text = self._unsent[0]
                if not self._put(Track.EVENT, at_ns, False, text):
                    return
                del self._unsent[0]

    def _put(self, track: Track, at_ns: int, keyframe: bool, data: Buffer, every: int = 1) -> bool:
        try:
            return self._ring.write(track, at_ns, keyframe, data, every)
        except BrokenPipeError:
            self.stop.set()
            return False

"""The worker's way to the recorder when the ring is full, and when the recorder is gone."""

from __future__ import annotations

import json
import os
import threading

from bodycam.buffer import PreRecordBuffer, RingLimits
from bodycam.camera.sink import UnitSink
from bodycam.clock import NS, SystemClock
from bodycam.media import Track
from bodycam.ringwriter import RingWriter
from bodycam.sharedring import DESCRIPTOR_BYTES, Descriptor


class Desk:
    """A ring of two pages, a pipe, and the sink at the other end."""

    def __init__(self) -> None:
        self.ring = PreRecordBuffer(RingLimits(8192, 60 * NS, 1000, 4000))
        self.read_end, write_end = os.pipe()
        writer = RingWriter(self.ring.fd, write_end, head=0, epoch=1)
        self.stop = threading.Event()
        self.sink = UnitSink(writer, SystemClock(), self.stop)

    def take(self) -> tuple[Track, str]:
        """The next unit announced: its track, and what it reports if it does."""
        unit = Descriptor.unpack(os.read(self.read_end, DESCRIPTOR_BYTES))
        report = self.ring.accept(unit)
        return unit.track, json.loads(report)["ev"] if report else ""


def test_a_report_waits_until_the_ring_has_room() -> None:
    desk = Desk()
    desk.sink.video(1, True, bytes(4000))
    assert desk.take() == (Track.VIDEO, "")
    cursor = desk.ring.open_cursor(0)
    assert cursor is not None
    desk.sink.video(2, True, bytes(4190))
    assert desk.take() == (Track.VIDEO, "")
    desk.sink.report("audio.format", rate_hz=48_000)  # the cursor holds every byte
    cursor.close()
    desk.sink.audio(3, bytes(100))
    assert [desk.take(), desk.take()] == [(Track.EVENT, "audio.format"), (Track.AUDIO, "")]


def test_a_recorder_that_is_gone_ends_the_worker_without_an_exception() -> None:
    desk = Desk()
    os.close(desk.read_end)
    desk.sink.video(1, True, b"picture")
    assert desk.stop.is_set()

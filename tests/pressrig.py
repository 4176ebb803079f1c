"""A recorder's threads on a clock that stands still until it is stepped: camera and pins are fed by hand.

Switch, recorder and sealer threads are the real ones, and so are ring, log, store and keys. Nobody
waits for time to pass: a step ends once the camera's picture is in the ring and every edge is taken.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from bodycam.buffer import PreRecordBuffer, RingLimits
from bodycam.clock import MS, NS
from bodycam.config import Audio, AudioSource, Camera, Config, PreRecord, Recording, Switch
from bodycam.configfile import ConfigText
from bodycam.contentkeys import ContentKeys
from bodycam.debounce import Edge
from bodycam.eventlog import EventLog
from bodycam.intake import CameraHost
from bodycam.job import Report
from bodycam.media import Track
from bodycam.mutes import MuteWindows
from bodycam.owed import Interrupted
from bodycam.power import Strain
from bodycam.provision.identity import make_identity
from bodycam.recorder import Recorder
from bodycam.ringwriter import RingWriter
from bodycam.sealer import Sealer
from bodycam.segment import SealingKit
from bodycam.sharedring import Descriptor
from bodycam.signing import load_file_key, load_recipients
from bodycam.store import Store
from bodycam.switches import SwitchReader
from bodycam.worker import Exit, Worker
from tests.evidence import DEVICE, START_NS, UTC_NS, SteppedClock, footage, of_track

FRAME_NS = 100 * MS
KEEP_S = 2
_WAIT_S = 60
_RING_BYTES = 4 << 20


class HandFedCamera(Worker):
    """A worker without a process: pictures are put into the ring by the test."""

    def __init__(self, ring: PreRecordBuffer, clock: SteppedClock, config: ConfigText) -> None:
        super().__init__(ring, clock, config)
        self._drained = threading.Condition()
        self._announced = self._taken = self._indexed = 0
        self.writer: RingWriter

    @property
    def running(self) -> bool:
        return self.pipe_fd >= 0

    def start(self) -> None:
        self.pipe_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.pid_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.epoch += 1
        self._started_ns = self._clock.boot_ns()
        self.writer = RingWriter(self._ring.fd, write_fd, head=self._ring.head, epoch=self.epoch)

    def show(self, at_ns: int, keyframe: bool, data: bytes) -> None:
        """Give one picture, and return once it is in the ring's index."""
        assert self.writer.write(Track.VIDEO, at_ns, keyframe, data), "the ring is full"
        self._announced += 1
        os.eventfd_write(self.pid_fd, 1)  # the recorder waits on it
        with self._drained:
            assert self._drained.wait_for(lambda: self._indexed >= self._announced, _WAIT_S)

    def receive(self) -> list[Descriptor]:
        # Who asks again has indexed what he was given before.
        with self._drained:
            self._indexed = self._taken
            self._drained.notify_all()
        with suppress(BlockingIOError):  # it was woken by somebody else
            os.eventfd_read(self.pid_fd)
        found = super().receive()
        self._taken += len(found)
        return found

    def reap(self) -> Exit | None:
        return None

    def stop(self, timeout_s: float) -> bool:
        os.close(self.pipe_fd)
        os.close(self.pid_fd)
        self.pipe_fd = self.pid_fd = -1
        return True


class HandFedPins:
    """`Pins` whose edges the test hands over; each hand-over waits until the last was dealt with."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting = self._closed = False
        self._fed: list[Edge] | None = None
        self._level = False

    def feed(self, edges: Sequence[Edge]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._waiting and self._fed is None, _WAIT_S)
            self._fed = list(edges)
            self._level = edges[-1].active if edges else self._level
            self._changed.notify_all()

    def edges(self, timeout_s: float) -> list[Edge]:
        with self._changed:
            self._waiting = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._fed is not None or self._closed)
            edges, self._fed, self._waiting = self._fed or [], None, False
            return edges

    def level(self, name: str) -> bool | None:
        return self._level if name == "record" else False

    def write(self, name: str, active: bool) -> None: ...

    def reclaim(self, name: str) -> None: ...

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PressRig:
    """One camera, stepped picture by picture."""

    def __init__(self, folder: Path) -> None:
        self.clock = SteppedClock()
        identity = make_identity(folder, DEVICE, UTC_NS)
        self.root_path = identity.root
        self.config = Config(
            camera=Camera(width=64, height=64, fps=NS // FRAME_NS, gop_ms=1500),
            audio=Audio(source=AudioSource.NONE),
            pre_record=PreRecord(seconds=KEEP_S),
            recording=Recording(post_record_s=0, segment_s=60, fragment_ms=300),
            switch=Switch(off_stable_ms=60),
        )
        self.store = Store(folder / "store", self.clock)
        self.store.open()
        signer = load_file_key(identity.identity)
        self.log = EventLog(self.store.log, self.clock, f"example/bodycam/{DEVICE}", signer)
        self.log.open()
        self.log.append("boot", sync=True, fw="bodycam test", config_sha256="0" * 64)
        self.ring = PreRecordBuffer(RingLimits(_RING_BYTES, 8 * NS, 10_000, _RING_BYTES // 8))
        kit = SealingKit(
            DEVICE, self.clock.boot_id, "bodycam test", signer,
            ContentKeys(load_recipients(identity.identity)), 300 * MS, FRAME_NS, self.log.head,
            self.clock.sample,
        )  # fmt: skip

        def sealer(report: Callable[[Report], None], mutes: MuteWindows) -> Sealer:
            return Sealer(
                self.store, self.log, self.clock, kit, 60 * NS, mutes, lambda _: None, report
            )

        self.camera = HandFedCamera(self.ring, self.clock, ConfigText(folder / "none.toml", b""))
        self.recorder = Recorder(
            self.config, self.clock, self.log, self.ring, self.camera, sealer, lambda _: None,
            CameraHost(lambda: None, lambda _: None), can_encrypt=True, store_takes=lambda: True,
            interrupted=Interrupted(), strain=Strain, docked=lambda: False,
        )  # fmt: skip
        self.pins = HandFedPins()
        self.switches = SwitchReader(
            self.config, self.pins, self.clock, self.log, self.recorder.post, lambda _: None
        )
        pictures = of_track(footage(1, width=64, height=64), Track.VIDEO)
        self._film = [(unit.keyframe, bytes(unit.data)) for unit in pictures]
        self._shown = 0
        self.keyframes_ns: list[int] = []

    def step(self, edges: Sequence[Edge] = ()) -> None:
        """The next picture, and the edges up to it."""
        self._await_room()
        self.clock.now_ns = START_NS + (self._shown + 1) * FRAME_NS
        keyframe, data = self._film[self._shown % len(self._film)]
        self._shown += 1
        if keyframe:
            self.keyframes_ns.append(self.clock.now_ns)
        self.camera.show(self.clock.now_ns, keyframe, data)
        self.pins.feed(edges)
        for thread in (self.recorder, self.recorder.sealer, self.switches):
            assert thread.crashed is None, thread.crashed

    def _await_room(self) -> None:
        """The card is real and may stall; a camera that does not wait would fill the ring."""
        deadline = time.monotonic() + _WAIT_S
        while self.ring.depth().payload_bytes > _RING_BYTES // 2:
            assert time.monotonic() < deadline, "the sealer stands still"
            time.sleep(0.005)

    def until_written(self) -> None:
        """Wait until nothing is being written any more; the sealer needs time that is real."""
        deadline = time.monotonic() + _WAIT_S
        while self.recorder.live.recording is not None:
            assert time.monotonic() < deadline, "a recording is never finished"
            assert self.recorder.sealer.crashed is None, self.recorder.sealer.crashed
            time.sleep(0.005)

    def start(self) -> None:
        self.recorder.start()
        self.switches.start()

    def stop(self) -> None:
        self.pins.close()
        self.switches.stop()
        assert self.recorder.shutdown(_WAIT_S)
        self.log.append("shutdown", sync=True, reason="test")
        self.log.checkpoint()
        self.log.close()
        self.ring.close()
        self.store.close()


@contextmanager
def stepped(folder: Path) -> Iterator[PressRig]:
    """A recorder at work, without a picture yet."""
    rig = PressRig(folder)
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()

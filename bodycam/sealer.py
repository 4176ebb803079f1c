"""The sealer thread: follows a cursor over the ring and puts what it reads on disk.

It owns every open segment. What it reads stays in the ring until it is durable, so a card that
stalls costs nothing while the ring has room, and what an I/O error spoiled is written again.

| the card                          | the sealer                                                    |
|-----------------------------------|---------------------------------------------------------------|
| fails a write or a sync           | leaves the file as suspect and writes a probe                 |
| takes the probe                   | writes all that was not durable anew, to a new segment        |
| does not                          | tries again every half second and holds on to the ring        |
| does not, and the ring is full    | gives the recording up: the ring rolls on, with the newest    |
| has no room                       | closes the segment at its last fragment, and gives it up      |
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from .buffer import Cursor
from .clock import MS, NS, Clock
from .errors import StorageError, StorageFull
from .eventlog import EventLog
from .formats.onvif import OnvifSigner
from .interleave import Interleaver, Pulled
from .job import Finished, Job, Refused, Report, Started
from .latency import SyncTimes
from .media import AudioFormat, Track
from .mutes import MuteWindows
from .recording import CloseReason, RecordingFacts, RecordingWriter
from .segment import SealingKit
from .store import Store

_SYNC_EVERY_NS = 250 * MS
_IDLE_S = 0.1
_NO_VIDEO_NS = 3 * NS
_RETRY_S = 0.5


class Sealer:
    """One thread that writes one recording at a time, in the order they were started."""

    def __init__(
        self,
        store: Store,
        log: EventLog,
        clock: Clock,
        kit: SealingKit,
        segment_ns: int,
        mutes: MuteWindows,
        check_room: Callable[[int], None],
        report: Callable[[Report], None],
    ) -> None:
        self._store, self._log, self._clock, self._kit = store, log, clock, kit
        self._segment_ns = segment_ns
        self._mutes = mutes
        self._check_room = check_room
        self._report = report
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sealer")
        self._abort = threading.Event()
        self.audio_format: AudioFormat | None = None
        self.last_sync_ns: int | None = None
        self.synced_until_ns: int | None = None
        self.beats = 0
        self.crashed: str | None = None
        self.sync_times = SyncTimes()
        self._probe = store.write_probe()

    def start(self) -> None:
        self._thread.start()

    def new_recording(self) -> str:
        """The id of the next recording: if it can be, one whose first key is wrapped already."""
        return self._kit.keys.new_recording()

    def submit(self, job: Job) -> None:
        self._jobs.put(job)

    def shutdown(self, timeout_s: float) -> bool:
        """End after the running job; False if it did not within the time."""
        self._jobs.put(None)
        # Nobody waits any more for a card that fails.
        self._abort.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while True:
                self._kit.keys.prepare()
                try:
                    job = self._jobs.get(timeout=self._clock.real_s(1.0))
                except queue.Empty:
                    self.beats += 1
                    continue
                if job is None:
                    return
                self._write(job)
        except BaseException as fault:
            # The supervisor sees it and ends the recorder: systemd starts a clean one.
            self.crashed = f"{type(fault).__name__}: {fault}"
            raise
        finally:
            self._probe.close()

    def _writer(self, facts: RecordingFacts, onvif: OnvifSigner | None = None) -> RecordingWriter:
        return RecordingWriter(
            self._store, self._kit, self._log, facts, self._segment_ns, self._mutes, onvif
        )

    def _write(self, job: Job) -> None:
        run = _Run(self, job, self._writer(job.facts))
        failures = 0
        try:
            while True:
                self.beats += 1
                try:
                    if run.step():
                        break
                    failures = 0 if run.progressed else failures
                except StorageFull as fault:
                    run.give_up(fault)
                    break
                except StorageError as fault:
                    failures += 1
                    run.start_over(fault)
                    if not self._recovers(job.cursor, failures):
                        run.give_up(fault)
                        break
        finally:
            job.cursor.close()

    def _recovers(self, cursor: Cursor, failures: int) -> bool:
        """Wait until the card takes a block; False once the ring has no room to wait in."""
        if failures > 1 and (cursor.crowded or self._rest()):
            return False
        while True:
            self.beats += 1
            try:
                self._probe.write()
            except StorageFull:
                return True
            except StorageError:
                if cursor.crowded or self._rest():
                    return False
            else:
                return True

    def _rest(self) -> bool:
        return self._abort.wait(self._clock.real_s(_RETRY_S))


class _Run:
    """One job while it is being written."""

    def __init__(self, sealer: Sealer, job: Job, writer: RecordingWriter) -> None:
        self._s = sealer
        self._job = job
        self._writer = writer
        self._inter = Interleaver()
        self._keyframes: deque[int] = deque()
        self._pre_record_sealed = False
        self._started = False
        self._last_sync_ns = 0
        self._last_read_ns = sealer._clock.boot_ns()
        self.progressed = False

    def step(self) -> bool:
        """Read and take one unit; True when the recording is finished."""
        job, clock = self._job, self._s._clock
        self.progressed = False
        unit = job.cursor.read(clock.real_s(_IDLE_S))
        if unit is None:
            return self._idle()
        self._last_read_ns = clock.boot_ns()
        stop_ns = job.stop_ns
        if stop_ns is not None and unit.track is Track.VIDEO and unit.at_ns > stop_ns:
            self._finish(job.stop_reason)
            return True
        index = job.cursor.position - 1
        if unit.track is Track.AUDIO:
            # Small, and may wait in the interleaver longer than the ring holds it.
            unit = replace(unit, data=bytes(unit.data))
        elif unit.keyframe:
            self._keyframes.append(index)
        for pulled in self._inter.push(Pulled(index, unit)):
            self._take(pulled)
        return False

    def _idle(self) -> bool:
        # Nothing to read: what is sealed becomes durable, and a stop does not wait for a camera.
        now_ns = self._s._clock.boot_ns()
        if self._writer.segment is not None and self._unsynced():
            self._sync()
        stop_ns = self._job.stop_ns
        silent = now_ns - self._last_read_ns > _NO_VIDEO_NS // 10
        if stop_ns is not None and now_ns > stop_ns and silent:
            self._finish(self._job.stop_reason)
            return True
        if now_ns - self._last_read_ns > _NO_VIDEO_NS and self._writer.segment is not None:
            # The camera is gone for now: nothing may lie unsealed while it is.
            self._flush()
            self._last_read_ns = now_ns
        return False

    def _unsynced(self) -> bool:
        segment = self._writer.segment
        return segment is not None and segment.file.synced_size < segment.file.size

    def _flush(self) -> None:
        for pulled in self._inter.drain():
            self._take(pulled)
        self._seal(None)

    def _take(self, pulled: Pulled) -> None:
        unit = pulled.unit
        if unit.track is Track.VIDEO:
            split = self._job.split
            if split is not None and unit.keyframe and unit.at_ns >= split[0]:
                self._roll_over(unit.at_ns, split[1])
            segment = self._writer.segment
            self._s._check_room(segment.file.spare_bytes if segment else 0)
            if not self._pre_record_sealed and unit.at_ns > self._job.facts.pressed_ns:
                # What came before the press does not wait for the rest of its fragment.
                self._pre_record_sealed = True
                self._seal(unit.at_ns)
        if self._writer.take(pulled, self._s.audio_format):
            self.progressed = True
            self._sync_if_due()

    def _roll_over(self, at_ns: int, facts: RecordingFacts) -> None:
        # Maximum length: the next recording begins with the keyframe that ends this one.
        before = self._writer
        before.close_segment(CloseReason.AUTO_ROLL, at_ns)
        self._s._report(
            Finished(before.facts.recording, before.last_picture_ns, before.last_box,
                     CloseReason.AUTO_ROLL)
        )  # fmt: skip
        self._job.facts, self._job.split = facts, None
        self._writer = self._s._writer(replace(facts, previous=before.last_box), before.onvif)
        self._started = False

    def _seal(self, next_ns: int | None) -> None:
        self._writer.seal(next_ns)
        self._sync()

    def _sync_if_due(self) -> None:
        # While catching up with the pre-record one sync covers many fragments: the ring still
        # holds them all, and the card is spared.
        now_ns = self._s._clock.boot_ns()
        behind_ns = now_ns - (self._writer.last_picture_ns or now_ns)
        if behind_ns < 2 * self._s._kit.fragment_ns or now_ns - self._last_sync_ns > _SYNC_EVERY_NS:
            self._sync()

    def _sync(self) -> None:
        s, writer = self._s, self._writer
        before_ns = s._clock.boot_ns()
        synced_ns = writer.sync()
        if synced_ns is None:
            return
        self._last_sync_ns = s.last_sync_ns = synced_ns
        s.synced_until_ns = writer.last_picture_ns
        took_ms = (synced_ns - before_ns) // MS
        if s.sync_times.add(took_ms, synced_ns):
            s._log.append("io.slow", rec=writer.facts.recording, ms=took_ms)
        self._release()
        if not self._started and writer.first_ns is not None:
            self._started = True
            s._report(Started(self._job, writer.facts.recording, writer.first_ns, synced_ns))

    def _release(self) -> None:
        # Up to the keyframe before the oldest picture that is not on disk: a segment that has to
        # be written again must begin with one.
        waiting = self._writer.first_unsealed
        if waiting is None:
            waiting = self._inter.first_picture
        if waiting is None:
            waiting = self._job.cursor.position
        while len(self._keyframes) > 1 and self._keyframes[1] <= waiting:
            self._keyframes.popleft()
        if self._keyframes:
            self._job.cursor.release(self._keyframes[0])

    def _finish(self, reason: CloseReason) -> None:
        stop_ns = self._job.stop_ns
        for pulled in self._inter.drain():
            if stop_ns is None or pulled.unit.at_ns <= stop_ns:
                self._take(pulled)
        if self._writer.segment is not None:
            self._writer.close_segment(reason, None)
            self._s.last_sync_ns = self._s._clock.boot_ns()
        self._s._report(
            Finished(self._writer.facts.recording, self._writer.last_picture_ns,
                     self._writer.last_box, reason)
        )  # fmt: skip

    def give_up(self, fault: StorageError) -> None:
        """Close as well as the card allows and report; the ring goes on without this recording."""
        try:
            self._writer.close_segment(CloseReason.STORAGE_FULL, None)
        except StorageError as second:
            self._writer.abandon_segment(second)
        self._s._report(
            Refused(self._job, self._writer.facts.recording, self._writer.durable_until_ns,
                    self._writer.last_box, fault)
        )  # fmt: skip

    def start_over(self, fault: StorageError) -> None:
        """Leave the suspect file, and write everything not yet durable to a new segment."""
        self._writer.abandon_segment(fault)
        self._inter = Interleaver()
        start = self._keyframes[0] if self._keyframes else self._job.cursor.held
        self._job.cursor.rewind(max(start, self._job.cursor.held))
        self._keyframes.clear()

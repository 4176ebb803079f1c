"""The recorder's side of a measured run: our ring, cursor, sealer, store and log.

The feeder, as the capture worker, is a process of its own; descriptors come through a pipe as in
the daemon. What is left out is the daemon's other threads: `daemon.py` measures those.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import termios
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.plan import PROGRAM, Answer, Pace, Plan, PushTimer, say
from bench.probe import boot_ns, cpu_ns, memory_bytes, written_bytes
from bench.stream import STEP_NS, Stream, is_keyframe
from bodycam.buffer import PreRecordBuffer, RingLimits
from bodycam.clock import MS, NS, SystemClock
from bodycam.configfile import parse
from bodycam.contentkeys import ContentKeys
from bodycam.eventlog import EventLog
from bodycam.job import Finished, Job, Report, Started
from bodycam.media import Track
from bodycam.mutes import MuteWindows
from bodycam.prerecord import RingFacts, pre_record
from bodycam.provision.identity import make_identity
from bodycam.recording import RecordingFacts
from bodycam.ringwriter import RingWriter
from bodycam.sealer import Sealer
from bodycam.segment import SealingKit
from bodycam.sharedring import DESCRIPTOR_BYTES, Descriptor
from bodycam.signing import load_file_key, load_recipients
from bodycam.store import Store

DEVICE = "BC-BENCH"
RECORDING = "00000000-0000-4000-8000-000000000001"
_FRAGMENT_NS = 500 * MS
_SEGMENT_NS = 60 * NS
_MIN_FREE = 8 * 2**20
_MAX_UNREAD = 16
_PIPE_BYTES = 1 << 16


def make_ring(plan: Plan, kbps: int) -> PreRecordBuffer:
    """The ring as the daemon sizes it for this rate."""
    config = parse(
        {"camera": {"bitrate_kbps": kbps}, "audio": {"source": "none"},
         "pre_record": {"seconds": plan.keep_s}, "ring": {"reserve_s": plan.reserve_s}},
        "bench",
    )  # fmt: skip
    size = config.ring_bytes
    return PreRecordBuffer(
        RingLimits(size, (plan.keep_s + plan.reserve_s) * NS, config.ring.max_units,
                   min(size // 8, 1024 * 1024))
    )  # fmt: skip


@contextmanager
def store_and_log(folder: Path) -> Iterator[tuple[Store, EventLog, SealingKit]]:
    """An evidence store on the disk, with a new identity, as the daemon opens it."""
    clock = SystemClock()
    identity = make_identity(folder, DEVICE, clock.sample().utc_ns).identity
    store = Store(folder / "camera", clock)
    store.open()
    signer = load_file_key(identity)
    log = EventLog(store.log, clock, f"bench/bodycam/{DEVICE}", signer)
    log.open()
    kit = SealingKit(
        DEVICE, clock.boot_id, "bench", signer, ContentKeys(load_recipients(identity)), _FRAGMENT_NS,
        STEP_NS, log.head, clock.sample,
    )  # fmt: skip
    try:
        yield store, log, kit
    finally:
        log.close()
        store.close()


def facts_of(press_ns: int, keep_s: int, start_ns: int) -> RecordingFacts:
    found = pre_record(keep_s, press_ns, start_ns, NS, RingFacts(None, None, None), audio=False)
    return RecordingFacts(RECORDING, "switch", 0, press_ns, found.fields(), press_ns)


class Recorder:
    """What the daemon's recorder thread does with units, and the sealer behind it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        stream = Stream(Path(plan.stream))
        before = memory_bytes()["Pss"]
        self.ring = make_ring(plan, stream.spec.kbps)
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_fd, False)
        self._pipe_fd = read_fd
        self._memory_before = before
        self._feeder = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--child", "feeder", json.dumps(
                {"plan": {name: getattr(plan, name) for name in Plan.__slots__},
                 "ring_fd": self.ring.fd, "pipe_fd": write_fd})],
            pass_fds=(self.ring.fd, write_fd), stdout=subprocess.PIPE, stdin=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        os.close(write_fd)
        self._seen = 0
        self._cpu_at_mark = 0
        self._job: Job | None = None
        self._ended = threading.Event()
        self._started: Started | None = None
        self.durable_ns: int | None = None
        self.press_ns = 0
        self._last_pre_ns = 0

    def report(self, report: Report) -> None:
        if isinstance(report, Started):
            self._started = report
        elif isinstance(report, Finished):
            self._ended.set()
        else:
            raise report.fault

    def pump(self, sealer: Sealer | None) -> None:
        """Take units into the ring until the feeder ends."""
        partial = b""
        while True:
            select.select([self._pipe_fd], [], [], 0.05)
            try:
                raw = os.read(self._pipe_fd, _PIPE_BYTES)
            except BlockingIOError:
                continue
            if not raw:
                return
            raw = partial + raw
            whole = len(raw) - len(raw) % DESCRIPTOR_BYTES
            partial = raw[whole:]
            for at in range(0, whole, DESCRIPTOR_BYTES):
                unit = Descriptor.unpack(raw[at : at + DESCRIPTOR_BYTES])
                self.ring.accept(unit)
                self._took(unit, sealer)

    def _took(self, unit: Descriptor, sealer: Sealer | None) -> None:
        plan = self.plan
        if unit.seq == plan.mark:
            self._cpu_at_mark = cpu_ns()
        if sealer is not None and unit.seq == plan.press:
            self._press(unit, sealer)
        if unit.seq == plan.stop and self._job is not None:
            self._job.stop_ns = unit.at_ns

    def _press(self, unit: Descriptor, sealer: Sealer) -> None:
        self.press_ns = boot_ns() if self.plan.paced else unit.at_ns
        self._last_pre_ns = unit.at_ns
        cursor = self.ring.open_cursor(self.press_ns - self.plan.keep_s * NS)
        if cursor is None:
            raise RuntimeError("the ring is empty at the press")
        self._job = Job(facts_of(self.press_ns, self.plan.keep_s, cursor.start_ns), cursor)
        sealer.submit(self._job)
        if self.plan.variant == "watch":
            threading.Thread(target=self._watch, args=(sealer,)).start()
        say(pressed_ns=self.press_ns)

    def _watch(self, sealer: Sealer) -> None:
        while (sealer.synced_until_ns or 0) < self._last_pre_ns:
            time.sleep(0.0005)
        self.durable_ns = boot_ns()

    def memory(self) -> Answer:
        """Growth of this process and the feeder's share, while both have the ring mapped."""
        mine, theirs = memory_bytes(), memory_bytes(self._feeder.pid)
        depth = self.ring.depth()
        feeder_own = json.loads(self._say_to_feeder("memory"))["before"]
        return {
            "growth": mine["Pss"] - self._memory_before + theirs["Pss"] - feeder_own,
            "process": mine["Rss"], "locked": mine["Locked"], "payload": depth.payload_bytes,
            "held_s": depth.video_ns / NS, "anonymous": mine["Anonymous"],
        }  # fmt: skip

    def _say_to_feeder(self, word: str) -> str:
        if self._feeder.stdin is None or self._feeder.stdout is None:
            raise AssertionError("both are pipes")
        self._feeder.stdin.write(word + "\n")
        self._feeder.stdin.flush()
        return self._feeder.stdout.readline()

    def finish(self, *, recorded: bool) -> Answer:
        """Wait for the sealer, let the feeder end, and add up."""
        if recorded and not self._ended.wait(60):
            raise RuntimeError("the recording did not end")
        cpu = cpu_ns() - self._cpu_at_mark
        fed = json.loads(self._say_to_feeder("end"))
        if self._feeder.wait(10) != 0:
            raise RuntimeError("the feeder failed")
        started = self._started
        return {
            "cpu_ns": cpu + fed["cpu_ns"], "cpu_feeder_ns": fed["cpu_ns"],
            "longest_push_ns": fed["longest_push_ns"], "dropped": fed["dropped"],
            "lamp_ns": started.synced_ns - self.press_ns if started else None,
            "durable_ns": self.durable_ns - self.press_ns if self.durable_ns else None,
        }  # fmt: skip


def buffer_only(plan: Plan) -> None:
    """Child `ours`: the ring alone."""
    recorder = Recorder(plan)
    recorder.pump(None)
    memory = recorder.memory()
    say(**recorder.finish(recorded=False), memory=memory)


def record(plan: Plan) -> None:
    """Child `ours-record`: the ring, a press, a stop."""
    with store_and_log(Path(plan.folder)) as (store, log, kit):
        recorder = Recorder(plan)
        sealer = Sealer(
            store, log, SystemClock(), kit, _SEGMENT_NS, MuteWindows(),
            lambda spare: store.check_room(_MIN_FREE, spare), recorder.report,
        )  # fmt: skip
        sealer.start()
        before = written_bytes()
        recorder.pump(sealer)
        answer = recorder.finish(recorded=True)
        sealer.shutdown(5)
        say(**answer, written=written_bytes() - before, sync_ms=list(sealer.sync_times.recent_ms))


def feed(raw: Answer) -> None:
    """Child `feeder`: the capture worker's side, driven by the plan."""
    plan = Plan(**raw["plan"])
    stream = Stream(Path(plan.stream))
    before = memory_bytes()["Pss"]
    writer = RingWriter(raw["ring_fd"], raw["pipe_fd"], head=0, epoch=1)
    pace, timer = Pace(plan), PushTimer(plan.mark)
    cpu = dropped = 0

    def push(number: int, at_ns: int, data: bytes) -> None:
        nonlocal dropped
        dropped += not writer.write(Track.VIDEO, at_ns, is_keyframe(number), data)

    for number in range(plan.units):
        at_ns = pace.wait(number)
        if number == plan.mark:
            cpu = cpu_ns()
        if number % 8 == 0:
            _let_index_follow(raw["pipe_fd"])
        data = stream.unit(number)
        try:
            timer.push(number, lambda n=number, t=at_ns, d=data: push(n, t, d))  # type: ignore[misc]
        except BrokenPipeError:
            # The recorder was killed, as some plans want.
            return
    cpu = cpu_ns() - cpu
    os.close(raw["pipe_fd"])
    for line in sys.stdin:
        if line.strip() == "memory":
            say(before=before)
            continue
        say(cpu_ns=cpu, longest_push_ns=timer.longest_ns, dropped=dropped)
        return


def _let_index_follow(pipe_fd: int) -> None:
    """While feeding as fast as can be: do not outrun the index by more than the ring spares."""
    unread = array("i", [0])
    while fcntl.ioctl(pipe_fd, termios.FIONREAD, unread) == 0:
        if unread[0] <= _MAX_UNREAD * DESCRIPTOR_BYTES:
            return
        time.sleep(0.0002)

"""What protection costs: the sealer, beside a plain writer of the same boxes, over the same ring.

Both follow a cursor over a ring that is already full and write it to the disk as fast as they
can. The plain writer parses pictures and makes fragments with the same code, and neither
encrypts, hashes, signs nor syncs.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.ours import RECORDING, facts_of, make_ring, store_and_log
from bench.plan import Plan, say
from bench.probe import boot_ns, cpu_ns
from bench.stream import FPS, STEP_NS, Stream, first_in_window, is_keyframe
from bodycam.buffer import Cursor, PreRecordBuffer
from bodycam.clock import NS, SystemClock
from bodycam.eventlog import EventLog
from bodycam.formats import cenc, mp4
from bodycam.job import Finished, Job, Report
from bodycam.media import AccessUnit, Buffer, Track, video_format
from bodycam.mutes import MuteWindows
from bodycam.recording import parse_picture
from bodycam.ringwriter import RingWriter
from bodycam.sealer import Sealer
from bodycam.segment import SealingKit
from bodycam.sharedring import DESCRIPTOR_BYTES, Descriptor
from bodycam.store import Store

_FRAGMENT_UNITS = 15
_PIECE_BYTES = 33_000


@dataclass(frozen=True, slots=True)
class Rates:
    """One core's speed at what protection is made of, in pieces of one access unit."""

    aes_ctr_mb_s: float
    sha256_mb_s: float
    sign_us: float


def filled_ring(plan: Plan) -> PreRecordBuffer:
    """A ring with every unit of the plan in it, through the worker's end."""
    stream = Stream(Path(plan.stream))
    ring = make_ring(plan, stream.spec.kbps)
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    writer = RingWriter(ring.fd, write_fd, head=0, epoch=1)
    base_ns = boot_ns() - plan.units * STEP_NS
    for number in range(plan.units):
        writer.write(
            Track.VIDEO, base_ns + number * STEP_NS, is_keyframe(number), stream.unit(number)
        )
        ring.accept(Descriptor.unpack(os.read(read_fd, DESCRIPTOR_BYTES)))
    writer.close()
    os.close(read_fd)
    os.close(write_fd)
    return ring


class PlainWriter:
    """The same fragments in clear, unhashed, unsigned, unsynced."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        self._pending: list[AccessUnit] = []
        self._first_ns = 0
        self.fragments = 0

    def take(self, unit: AccessUnit) -> None:
        if not self.fragments and not self._pending:
            video = video_format(parse_picture(unit.data))
            if video is None:
                raise ValueError("the first unit has no parameter sets")
            self._first_ns = unit.at_ns
            os.write(self._fd, mp4.init_segment(video, None, None, None))
        self._pending.append(unit)
        if len(self._pending) == _FRAGMENT_UNITS:
            self._write()

    def _write(self) -> None:
        samples, data = [], []
        duration = mp4.VIDEO_TIMESCALE // FPS
        for unit in self._pending:
            sample = cenc.length_prefixed(parse_picture(unit.data))
            samples.append(mp4.Sample(len(sample), duration, unit.keyframe, cenc.SampleAux(b"")))
            data.append(sample)
        self.fragments += 1
        time_ticks = (self._pending[0].at_ns - self._first_ns) * mp4.VIDEO_TIMESCALE // NS
        run = mp4.TrackRun(mp4.VIDEO_TRACK_ID, time_ticks, tuple(samples))
        parts: list[Buffer] = [
            mp4.prft(mp4.VIDEO_TRACK_ID, 0, time_ticks), mp4.moof(self.fragments, [run]),
            mp4.mdat_header(sum(len(d) for d in data)), *data,
        ]  # fmt: skip
        os.write(self._fd, b"".join(parts))
        self._pending = []

    def close(self) -> None:
        if self._pending:
            self._write()
        os.close(self._fd)


def measure(plan: Plan) -> None:
    """Child `protection`: alternately the plain writer and the sealer, over the same ring."""
    ring = filled_ring(plan)
    plain, sealed = [], []
    with store_and_log(Path(plan.folder)) as (store, log, kit):
        for i in range(int(plan.variant)):
            plain.append(_plain(_cursor(ring, plan), Path(plan.folder) / f"plain{i}.mp4"))
            sealed.append(_sealed(_cursor(ring, plan), store, log, kit))
    units = plan.units - first_in_window(plan.units - 1, plan.keep_s)
    say(units=units, plain_ns=plain, sealed_ns=sealed, rates=asdict(_rates(kit)))


def _cursor(ring: PreRecordBuffer, plan: Plan) -> Cursor:
    newest_ns = ring.newest_ns()
    cursor = None if newest_ns is None else ring.open_cursor(newest_ns - plan.keep_s * NS)
    if cursor is None:
        raise RuntimeError("the ring is empty")
    return cursor


def _plain(cursor: Cursor, path: Path) -> int:
    before = cpu_ns()
    writer = PlainWriter(path)
    while (unit := cursor.read(0)) is not None:
        writer.take(unit)
    writer.close()
    spent = cpu_ns() - before
    cursor.close()
    path.unlink()
    return spent


def _sealed(cursor: Cursor, store: Store, log: EventLog, kit: SealingKit) -> int:
    ended = threading.Event()

    def report(message: Report) -> None:
        if isinstance(message, Finished):
            ended.set()

    sealer = Sealer(
        store, log, SystemClock(), kit, 60 * NS, MuteWindows(),
        lambda spare: store.check_room(0, spare), report,
    )  # fmt: skip
    sealer.start()
    before = cpu_ns()
    job = Job(facts_of(boot_ns(), 30, cursor.start_ns), cursor)
    job.stop_ns = boot_ns()
    sealer.submit(job)
    if not ended.wait(60):
        raise RuntimeError("the recording did not end")
    spent = cpu_ns() - before
    sealer.shutdown(5)
    for path in (store.evidence / RECORDING).iterdir():
        path.unlink()
    return spent


def _rates(kit: SealingKit) -> Rates:
    piece, key = os.urandom(_PIECE_BYTES), os.urandom(cenc.KEY_BYTES)
    aux = cenc.SampleAux(bytes(cenc.IV_BYTES))

    def seconds(action: object, rounds: int) -> float:
        before = time.process_time()
        for _ in range(rounds):
            action()  # type: ignore[operator]
        return (time.process_time() - before) / rounds

    aes = seconds(lambda: cenc.crypt_sample(key, aux, piece), 1000)
    sha = seconds(lambda: hashlib.sha256(piece).digest(), 1000)
    sign = seconds(lambda: kit.signer.sign(piece[:600]), 500)
    return Rates(_PIECE_BYTES / aes / 1e6, _PIECE_BYTES / sha / 1e6, sign * 1e6)

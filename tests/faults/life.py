"""One life of the recorder's durable side, in a process to be cut off: start, two recordings, end.

    python -m tests.faults.life STORE CAMERA

The recorder's own store, log, recovery and writer, without its threads, so that the n-th call is the
same call in each run. What the recorder takes for durable is told at once; as a program it is told as
an extended attribute of the store: a strict disk keeps it in order with all else (strictdisk.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bodycam.checkpointfile import CERTIFICATES, CHECKPOINT_FILE
from bodycam.clock import MS, NS
from bodycam.contentkeys import ContentKeys
from bodycam.eventlog import LOG_FILE
from bodycam.interleave import Pulled
from bodycam.logreplay import RESUME_FILE
from bodycam.media import AccessUnit
from bodycam.mutes import MuteWindows
from bodycam.provision.identity import Identity, make_identity
from bodycam.recording import CloseReason, RecordingFacts, RecordingWriter
from bodycam.segment import SealingKit, SegmentWriter
from bodycam.signing import load_recipients
from tests.evidence import AUDIO, DEVICE, FRAME_NS, UTC_NS, footage

from .aftermath import SAME_BOOT, NextStart, StillClock, next_start

PROMISE = "user.promise"
FOOTAGE = "footage"
RECORDINGS = ("0b8c9d2e-1111-4222-8333-00000000000a", "0b8c9d2e-1111-4222-8333-00000000000b")
_SEGMENT_NS, _FRAGMENT_NS = NS, 250 * MS
_APART_NS = 10 * NS
Tell = Callable[[dict[str, Any]], None]


def make_camera(folder: Path) -> None:
    """A camera's identity, and something for it to record."""
    make_identity(folder, DEVICE, UTC_NS)
    (folder / FOOTAGE).write_bytes(pickle.dumps(list(footage(2))))


def identity_of(folder: Path) -> Identity:
    return Identity(folder / "identity", folder / "authority")


def start_after(folder: Path, boot_id: str = SAME_BOOT) -> NextStart:
    """That camera's start an hour later."""
    return next_start(identity_of(folder), StillClock(UTC_NS + 3600 * NS, boot_id), DEVICE)


class Life:
    """The start has succeeded when it is made."""

    def __init__(self, folder: Path, start: NextStart, keys: ContentKeys, tell: Tell) -> None:
        self._folder, self._tell, self._clock = folder, tell, start.clock
        self._begun = start.begin(folder)
        self.log = self._begun.log
        self._kit = SealingKit(
            DEVICE, self._clock.boot_id, "bodycam life", start.signer, keys, _FRAGMENT_NS, FRAME_NS,
            self.log.head, self._clock.sample,
        )  # fmt: skip
        self._log_is_durable()
        for path in (folder / "log" / CHECKPOINT_FILE, *(folder / "log" / CERTIFICATES).iterdir()):
            self._is_replaced(path)

    def _promise(self, path: Path, size: int | None = None) -> None:
        data = path.read_bytes()[:size]
        self._tell({
            "file": str(path.relative_to(self._folder)), "size": len(data), "replaced": size is None,
            "sha256": hashlib.sha256(data).hexdigest(),
        })  # fmt: skip

    def _is_replaced(self, path: Path) -> None:
        self._promise(path)

    def _log_is_durable(self) -> None:
        path, (lines, _) = self._folder / "log" / LOG_FILE, self.log.head()
        data = path.read_bytes()
        self._promise(path, len(b"\n".join(data.split(b"\n")[:lines])) + 1)

    def record(self, recording: str, units: Sequence[AccessUnit]) -> None:
        """From the press to the end, as the recorder writes it."""
        log, pressed_ns = self.log, units[0].at_ns
        seq = log.append("switch.on", pressed_ns, sync=True, pin="record", settled_ns=pressed_ns)
        self._log_is_durable()
        going_on = self._begun.interrupted
        facts = RecordingFacts(
            recording, "switch", seq, pressed_ns, {"asked_ms": 0, "actual_ms": 0}, 0,
            going_on.recording, going_on.last_box,
        )  # fmt: skip
        writer = RecordingWriter(
            self._begun.store, self._kit, log, facts, _SEGMENT_NS, MuteWindows()
        )
        for index, unit in enumerate(units):
            self._clock.now_ns = unit.at_ns
            before = writer.segment
            sealed = writer.take(Pulled(index, unit), AUDIO)
            self._follow(before, writer.segment)
            if sealed:
                writer.sync()
                self._follow(writer.segment, writer.segment)
        before = writer.segment
        writer.close_segment(CloseReason.STOP, None)
        self._follow(before, None)
        log.append("switch.off", pin="record", settled_ns=self._clock.now_ns)
        log.checkpoint()
        self._is_replaced(self._folder / "log" / CHECKPOINT_FILE)
        self._log_is_durable()

    def _follow(self, before: SegmentWriter | None, now: SegmentWriter | None) -> None:
        if before is not None:
            self._promise(before.file.path, before.file.synced_size)
        if now is not None and now is not before:
            self._promise(now.file.path, 0)

    def end(self) -> None:
        """In order."""
        self.log.append("shutdown", sync=True, reason="life")
        self._log_is_durable()
        self.log.close()
        self._is_replaced(self._folder / "log" / RESUME_FILE)
        self._begun.store.close()


def live(folder: Path, start: NextStart, keys: ContentKeys, units: Footage, tell: Tell) -> None:
    """The whole of it."""
    life = Life(folder, start, keys, tell)
    for number, recording in enumerate(RECORDINGS):
        life.record(recording, [replace(u, at_ns=u.at_ns + number * _APART_NS) for u in units])
    life.end()


Footage = Sequence[AccessUnit]


def main() -> None:
    folder, camera = map(Path, sys.argv[1:])
    identity = identity_of(camera)

    def tell(promise: dict[str, Any]) -> None:
        os.setxattr(folder, PROMISE, json.dumps(promise).encode())

    start = next_start(identity, StillClock(UTC_NS), DEVICE)
    keys = ContentKeys(load_recipients(identity.identity))
    live(folder, start, keys, pickle.loads((camera / FOOTAGE).read_bytes()), tell)


if __name__ == "__main__":
    main()

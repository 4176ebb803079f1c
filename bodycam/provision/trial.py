"""A recording for the test's sake: the real worker, recorder, key and card, in a store of its own.

| step            | what it proves                                                          |
|-----------------|-------------------------------------------------------------------------|
| worker started  | camera, encoder and microphone open, as they do for an officer          |
| pressed         | the ring had pictures from before the press                             |
| two seconds     | they come as often as they should, none is lost                         |
| stopped         | sealed with the device's key, to the recipients, and synced             |
| read back       | from the card and not from memory: `verify` says intact                 |

The store is `selftest/` on the same card, beside `evidence/` and `log/`, and is emptied at the end.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

from ..activation import DemandOff, DemandOn
from ..buffer import PreRecordBuffer
from ..checks.capture import CameraFacts
from ..clock import MS, NS, Clock, wait
from ..config import Config
from ..configfile import ConfigText
from ..contentkeys import ContentKeys
from ..custody.verify import Report, verify_paths
from ..errors import BodycamError, StorageError
from ..eventlog import LOG_FILE, EventLog
from ..formats.logline import decode_line
from ..intake import Live
from ..keywatch import KeyWatch
from ..media import Track
from ..owed import Interrupted
from ..parts import begin_log, log_origin, make_recorder, make_ring
from ..power import Strain
from ..recorder import Recorder
from ..signing import Signer
from ..store import Store, storage_error
from ..switches import Request

SCRATCH = "selftest"
_OURS = ("evidence", "log", "lock")
_BY = "selftest"
_WANTED_NS = 2 * NS
# The lens check has to see a fault for 3 s before it tells.
_LENS_NS = 4 * NS
_BEFORE_PRESS_NS = NS
_OPENING_NS = 25 * NS
_RECORDING_NS = 20 * NS
_FORGET_NS = NS
_MAX_WORKER_DEATHS = 2
_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound of a trial: AAC frames, what they are, and what went wrong."""

    config: bytes = b""
    frames: tuple[bytes, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """What came of a trial. Without a report nothing was recorded, and `fault` may say why."""

    camera: CameraFacts
    heard: Heard = Heard()
    lens: tuple[str, ...] = ()
    ring_locked: bool = True
    recorded_ms: int = 0
    pre_record_ms: int = 0
    report: Report | None = None
    from_card: bool = False
    fault: BodycamError | None = None


@dataclass(slots=True)
class _Seen:
    """Pictures counted at two moments of capture."""

    frames: int = 0
    at_ns: int = 0

    def fps_milli(self, earlier: _Seen) -> int | None:
        span_ns = self.at_ns - earlier.at_ns
        return (self.frames - earlier.frames) * 1000 * NS // span_ns if span_ns > 0 else None


class Trial:
    """One trial on one card."""

    def __init__(
        self, config: Config, text: ConfigText, clock: Clock, signer: Signer, keys: ContentKeys,
        *, can_encrypt: bool,
    ) -> None:  # fmt: skip
        # The tail is the officer's; a test ends when it has what it wants.
        recording = msgspec.structs.replace(config.recording, post_record_s=0)
        self._config = msgspec.structs.replace(config, recording=recording)
        self._text, self._clock = text, clock
        self._signer, self._keys, self._can_encrypt = signer, keys, can_encrypt
        self._scratch = Path(config.store.path) / SCRATCH
        self._never = threading.Event()

    def run(self, force_root: x509.Certificate | None) -> TrialFacts:
        """Record, read back, verify, delete. Raises StorageError if the card does not take it."""
        clear(self._scratch)
        try:
            facts = self._record()
            if not facts.recorded_ms:
                return facts
            from_card = all(self._gone(path) for path in sorted(self._scratch.rglob("*.mp4")))
            now_ns = self._clock.sample().utc_ns
            report = verify_paths([self._scratch], force_root, now_utc_ns=now_ns)
            return replace(facts, report=report, from_card=from_card)
        finally:
            clear(self._scratch)

    def _record(self) -> TrialFacts:
        config, clock = self._config, self._clock
        with ExitStack() as closing:
            store = Store(self._scratch, clock)
            closing.callback(store.close)
            store.open()
            log = EventLog(store.log, clock, log_origin(config), self._signer)
            recovered = log.open()
            closing.callback(log.close)
            begin_log(log, recovered, config, self._text, _BY)
            ring = make_ring(config)
            closing.callback(ring.close)
            recorder = make_recorder(
                config, self._text, clock, store, log, ring, self._signer, self._keys,
                lambda _: None, can_encrypt=self._can_encrypt, store_takes=lambda: False,
                interrupted=Interrupted(), strain=Strain, docked=lambda: False, safe=False,
                key_watch=KeyWatch(),
            )  # fmt: skip
            began_ns = clock.boot_ns()
            recorder.start()
            try:
                facts = self._press(recorder, ring, began_ns)
            finally:
                recorder.shutdown(clock.real_s(10))
            log.append("shutdown", sync=True, reason=_BY)
            log.checkpoint()
        return self._with_log(facts, store.log / LOG_FILE)

    def _press(self, recorder: Recorder, ring: PreRecordBuffer, began_ns: int) -> TrialFacts:
        """What an officer does: wait for green, switch on, switch off."""
        camera = self._until_green(recorder, ring, began_ns)
        facts = TrialFacts(camera, ring_locked=ring.locked, fault=_crash(recorder))
        if camera.frames and self._can_encrypt and facts.fault is None:
            facts = self._switch_on_and_off(recorder, ring, facts)
        return replace(facts, heard=Heard(frames=_sound(ring)))

    def _until_green(self, recorder: Recorder, ring: PreRecordBuffer, began_ns: int) -> CameraFacts:
        live = recorder.live
        self._until(
            lambda: (
                ring.depth().video_ns >= _BEFORE_PRESS_NS
                or live.restarts >= _MAX_WORKER_DEATHS
                or _ended(recorder)
            ),
            _OPENING_NS,
        )
        depth = ring.depth()
        if depth.oldest_ns is None or depth.video_ns < _BEFORE_PRESS_NS:
            return _no_pictures(live)
        first_ms = max(0, depth.oldest_ns - began_ns) // MS
        return CameraFacts(live.frames, None, live.dropped, live.camera, first_ms)

    def _switch_on_and_off(
        self, recorder: Recorder, ring: PreRecordBuffer, facts: TrialFacts
    ) -> TrialFacts:
        live, clock = recorder.live, self._clock
        before, first_ns = _Seen(live.frames, ring.newest_ns() or 0), ring.depth().oldest_ns or 0
        pressed_ns = clock.boot_ns()
        enough_ns = max(pressed_ns + NS, first_ns + _WANTED_NS)
        recorder.post(Request(DemandOn(_BY, pressed_ns, _BY), -1))
        self._until(
            lambda: (live.on_disk and (ring.newest_ns() or 0) >= enough_ns) or _ended(recorder),
            _RECORDING_NS,
        )
        after = _Seen(live.frames, ring.newest_ns() or 0)
        recorder.post(Request(DemandOff(_BY, clock.boot_ns()), -1))
        self._until(
            lambda: (
                (live.recording is None and (ring.newest_ns() or 0) >= first_ns + _LENS_NS)
                or _ended(recorder)
            ),
            _RECORDING_NS,
        )
        fault = _crash(recorder)
        if live.storage_fault:
            fault = StorageError(live.storage_fault, "Check the card")
        camera = replace(
            facts.camera, frames=live.frames, dropped=live.dropped,
            fps_milli=after.fps_milli(before),
        )  # fmt: skip
        if after.at_ns < enough_ns and fault is None:
            camera = _no_pictures(live)
        recorded_ms = 0 if fault else (after.at_ns - first_ns) // MS
        return replace(facts, camera=camera, fault=fault, recorded_ms=recorded_ms)

    def _gone(self, path: Path) -> bool:
        """A page that was written a moment ago is let go of at the second or third time."""
        deadline_ns = self._clock.boot_ns() + _FORGET_NS
        while not _forget_cached(path):
            if self._clock.boot_ns() > deadline_ns:
                return False
            wait(self._clock, self._never, _TICK_S)
        return True

    def _until(self, holds: Callable[[], bool], at_most_ns: int) -> None:
        deadline_ns = self._clock.boot_ns() + at_most_ns
        while not holds() and self._clock.boot_ns() < deadline_ns:
            wait(self._clock, self._never, _TICK_S)

    def _with_log(self, facts: TrialFacts, path: Path) -> TrialFacts:
        """The facts, with what recorder and worker said meanwhile."""
        said: dict[str, dict[str, Any]] = {}
        lens: set[str] = set()
        for line in path.read_bytes().splitlines():
            told = decode_line(line)
            ev, data = told.ev, told.data
            said[ev] = data
            if ev == "video.clear":
                lens.discard(str(data.get("was")))
            elif ev.startswith("video."):
                lens.add(ev.removeprefix("video."))
        heard = replace(
            facts.heard, config=bytes.fromhex(said.get("audio.format", {}).get("config", "")),
            fault=str(said.get("audio.lost", {}).get("reason", "")),
        )  # fmt: skip
        return replace(
            facts, heard=heard, lens=tuple(sorted(lens)),
            pre_record_ms=int(said.get("rec.start", {}).get("actual_ms", 0)),
        )  # fmt: skip


def _no_pictures(live: Live) -> CameraFacts:
    """None at all, or some and then no more: neither is a camera that works."""
    stopped = f"it stopped after {live.frames} pictures" if live.frames else ""
    return CameraFacts(0, None, live.dropped, live.camera, fault=live.camera_fault or stopped)


def _ended(recorder: Recorder) -> bool:
    return recorder.crashed is not None or recorder.live.storage_fault is not None


def _crash(recorder: Recorder) -> BodycamError | None:
    reason = recorder.crashed or recorder.sealer.crashed
    return BodycamError(f"the recorder failed: {reason}", "Report this") if reason else None


def _sound(ring: PreRecordBuffer) -> tuple[bytes, ...]:
    """The AAC frames that the ring holds."""
    cursor = ring.open_cursor(0)
    if cursor is None:
        return ()
    frames = []
    while (unit := cursor.read(0)) is not None:
        if unit.track is Track.AUDIO:
            frames.append(bytes(unit.data))
    cursor.close()
    return tuple(frames)


def _forget_cached(path: Path) -> bool:
    """Let go of a file's pages in memory; True if they are gone, by the word of the first."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system that cannot answer that
    finally:
        os.close(fd)
    return False


def clear(scratch: Path) -> None:
    """Take away what a trial left, a killed one, too; nothing else, and never by way of a link."""
    if scratch.is_symlink():
        raise StorageError(f"{scratch}: is a link", "Delete it: nothing is recorded through links")
    try:
        for name in _OURS:
            path = scratch / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as fault:
        raise storage_error(fault, scratch) from fault

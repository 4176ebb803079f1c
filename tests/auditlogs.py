"""Writes signed event logs of cameras whose whole life a test decides, second by second."""

from __future__ import annotations

import atexit
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bodycam.audit.timeline import DeviceTimeline, StoryBook, timelines
from bodycam.clock import MS, NS, ClockSource, Instant
from bodycam.custody.verify import Report, verify_paths
from bodycam.eventlog import EventLog
from bodycam.provision import profile
from bodycam.provision.authority import open_authority
from bodycam.provision.identity import Identity, make_identity, make_request
from bodycam.provision.keyfiles import write_public
from bodycam.signing import DEVICE_CHAIN, load_file_key, load_root

# 2026-06-01T08:00:00Z.
DAY_US = 1_780_300_800_000_000
_UTC_NS = DAY_US * 1000
_BOOT_NS = 50 * NS
_FIRST = "cam-0001"


def at(seconds: float) -> int:
    """So many seconds after the day began, in microseconds UTC."""
    return DAY_US + round(seconds * 1_000_000)


@cache
def _force(device: str) -> Path:
    """A camera's identity, made once a test run; all cameras are of one force."""
    folder = Path(mkdtemp(prefix="bodycam-audit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made_ns = _UTC_NS - 86_400 * NS
    if device == _FIRST:
        make_identity(folder, device, made_ns)
        return folder
    shutil.copytree(_force(_FIRST) / "authority", folder / "authority")
    identity = folder / "identity"
    csr = make_request(identity, device)
    leaf, middle = open_authority(folder / "authority").sign(
        csr, device, made_ns, profile.DEVICE_DAYS
    )
    write_public(identity / DEVICE_CHAIN, leaf, middle)
    return folder


class DayClock:
    """A clock that stands where it is put; `wrong_s` is how far UTC is off, `unc_ms` what it says."""

    def __init__(self) -> None:
        self.boot_id = str(uuid.uuid4())
        self.now_s = 0.0
        self.began_s = 0.0
        self.wrong_s = 0.0
        self.unc_ms = 5
        self.source = ClockSource.NTP

    def boot_ns(self) -> int:
        return _BOOT_NS + round((self.now_s - self.began_s) * 1e6) * 1000

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def sample(self) -> Instant:
        utc_ns = _UTC_NS + round((self.now_s + self.wrong_s) * 1e6) * 1000
        return Instant(self.boot_ns(), utc_ns, self.source, self.unc_ms)

    def real_s(self, seconds: float) -> float:
        return seconds


@dataclass
class Day:
    """The log of one camera; times are seconds of the day, on its true clock."""

    store: Path
    device: str
    identity: Identity
    clock: DayClock
    log: EventLog
    beat_s: int = 10
    _beaten_s: float = 0.0

    def to(self, seconds: float, **beat: Any) -> None:
        """Let time pass, with a heartbeat every ten seconds."""
        while self._beaten_s + self.beat_s <= seconds:
            self._beaten_s += self.beat_s
            self.clock.now_s = self._beaten_s
            self.log.append(
                "heartbeat", state="standby", rec=None, camera=beat.get("camera", True),
                charge=beat.get("charge", "start"), soc_milli_c=beat.get("soc_milli_c", 45_000),
                cell_milli_c=beat.get("cell_milli_c", 30_000), throttled=beat.get("throttled", []),
            )  # fmt: skip
        self.clock.now_s = seconds

    def leap(self, seconds: float) -> None:
        """Let time pass without a word."""
        self.clock.now_s = self._beaten_s = seconds

    def say(self, seconds: float, ev: str, /, **data: Any) -> int:
        """An event at that time, after the heartbeats until then."""
        self.to(seconds)
        return self.log.append(ev, **data)

    def boot(self, seconds: float, *, fresh: bool = True, ready_s: float = 1.0) -> None:
        """The recorder starts, in a new boot of the kernel or in the same."""
        self.leap(seconds)
        if fresh:
            self.clock.boot_id, self.clock.began_s = str(uuid.uuid4()), seconds
            self.log.close()
            self.log = _open(self.store, self.device, self.identity, self.clock)
        self.log.append(
            "boot", fw="bodycam test", device=self.device, by="recorder",
            heartbeat_s=self.beat_s, pre_record_s=30,
        )  # fmt: skip
        self.sample()
        if ready_s:
            self.say(seconds + ready_s, "ready")

    def sample(self) -> None:
        _, found = self.log.sample_clock()
        self.log.append(
            "clock.sample", found.boot_ns, utc_ns=found.utc_ns, source=found.source.value,
            error_ms=found.unc_ms,
        )  # fmt: skip

    def record(self, start_s: float, stop_s: float, *, rec: str = "", tail_s: float = 0) -> str:
        """A recording by the switch, in the log alone."""
        name = rec or str(uuid.uuid4())
        self.press(start_s, name)
        self.say(stop_s, "switch.off", pin="record")
        if tail_s:
            self.log.append("tail.start", rec=name, ends_ns=0)
            self.to(stop_s + tail_s)
        self.log.append("activation.stop", rec=name, reason="stop")
        self.log.append("rec.stop", rec=name, reason="stop")
        return name

    def press(self, start_s: float, name: str, *, cause: str = "switch", **said: Any) -> None:
        self.say(start_s, "switch.on", pin="record")
        self.log.append("activation.start", rec=name, cause=cause, continues=None)
        first_ns = self.clock.boot_ns() - 30 * NS
        self.log.append(
            "rec.start", first_ns, rec=name, first_ns=first_ns,
            synced_ns=self.clock.boot_ns() + 50 * MS,
            **{"asked_ms": 30_000, "actual_ms": 30_000, "reason": None, **said},
        )  # fmt: skip

    def end(self, seconds: float, reason: str = "SIGTERM") -> None:
        """An orderly end."""
        self.say(seconds, "shutdown", reason=reason)

    def close(self) -> None:
        self.log.checkpoint()
        self.log.close()

    def verify(self, book: StoryBook | None = None) -> Report:
        return verify_paths(
            [self.store], load_root(self.identity.root), follow=book.follow if book else None
        )

    def timeline(self) -> DeviceTimeline:
        """What the audit makes of it."""
        book = StoryBook()
        (found,) = timelines(self.verify(book), book)
        return found


def _open(store: Path, device: str, identity: Identity, clock: DayClock) -> EventLog:
    log = EventLog(
        store / "log", clock, f"example/bodycam/{device}", load_file_key(identity.identity)
    )
    log.open()
    return log


@contextmanager
def day(folder: Path, device: str = "cam-0001", beat_s: int = 10) -> Iterator[Day]:
    """A new camera whose log is signed when the test has told its day."""
    store = folder / "store"
    (store / "log").mkdir(parents=True)
    (store / "evidence").mkdir()
    force = _force(device)
    shutil.copytree(force / "authority", folder / "authority", dirs_exist_ok=True)
    identity = Identity(force / "identity", folder / "authority")
    clock = DayClock()
    made = Day(store, device, identity, clock, _open(store, device, identity, clock), beat_s)
    yield made
    made.close()

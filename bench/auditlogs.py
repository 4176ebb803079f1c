"""Signed logs of whole shifts, by the recorder's own writer: what ingest is measured on."""

from __future__ import annotations

import uuid
from pathlib import Path

from bodycam.clock import MS, NS, ClockSource, Instant
from bodycam.eventlog import EventLog
from bodycam.provision.identity import make_identity
from bodycam.signing import load_file_key

_UTC_NS = 1_780_300_800 * NS
_BEAT_S, _SHIFT_S = 10, 36_000
_DEVICE = "cam-0001"


class _Clock:
    """A clock that stands where it is put, in the boot of its day."""

    def __init__(self) -> None:
        self.wake(0)

    def wake(self, day_s: int) -> None:
        """A new boot of the kernel, so long after the first."""
        self.boot_id = str(uuid.uuid4())
        self._day_s = day_s
        self.at_s = 0

    def boot_ns(self) -> int:
        return (50 + self.at_s) * NS

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def sample(self) -> Instant:
        return Instant(self.boot_ns(), _UTC_NS + (self._day_s + self.at_s) * NS, ClockSource.NTP, 5)

    def real_s(self, seconds: float) -> float:
        return seconds


def make_store(folder: Path, days: int) -> tuple[Path, Path]:
    """The store of a camera that was worn so many days, and the root that it is signed under."""
    made = make_identity(folder / "force", _DEVICE, _UTC_NS - 86_400 * NS)
    store = folder / "store"
    (store / "log").mkdir(parents=True)
    (store / "evidence").mkdir()
    clock = _Clock()
    signer = load_file_key(made.identity)
    for day in range(days):
        clock.wake(day * 86_400)
        log = EventLog(store / "log", clock, f"example/bodycam/{_DEVICE}", signer)
        log.open()
        _shift(log, clock)
        log.checkpoint()
        log.close()
    return store, made.root


def _shift(log: EventLog, clock: _Clock) -> None:
    log.append(
        "boot",
        fw="bodycam bench",
        device=_DEVICE,
        by="recorder",
        heartbeat_s=_BEAT_S,
        pre_record_s=30,
    )
    log.append("ready")
    for second in range(_BEAT_S, _SHIFT_S, _BEAT_S):
        clock.at_s = second
        _, found = log.sample_clock()
        log.append(
            "clock.sample", found.boot_ns, utc_ns=found.utc_ns, source="ntp", error_ms=found.unc_ms
        )
        _beat(log, second)
        if second % 3000 == 0:
            _record(log, clock, second)
    log.append("shutdown", reason="SIGTERM")


def _beat(log: EventLog, second: int) -> None:
    """With the fields of the recorder's own."""
    log.append(
        "heartbeat", state="standby", rec=None, on_disk=False, camera=True, signal="ready",
        levels={"record": False, "mute": False}, unreadable=[], ring_ms=30_500,
        ring_bytes=30_000_000 + second, fps_milli=30_000, dropped=0,
        free_bytes=57_000_000_000 - second * 1000, sync_ms_max=None, audio_lost=False, supply="battery",
        battery_permille=1000 - second // 40, cell_milli_c=30_500, charge="start",
        soc_milli_c=51_000 + second % 997, throttled=[],
    )  # fmt: skip


def _record(log: EventLog, clock: _Clock, second: int) -> None:
    rec = str(uuid.uuid4())
    log.append("switch.on", pin="record")
    log.append("activation.start", rec=rec, cause="switch", continues=None)
    first_ns = clock.boot_ns() - 30 * NS
    log.append(
        "rec.start", first_ns, rec=rec, first_ns=first_ns, synced_ns=clock.boot_ns() + 50 * MS,
        asked_ms=30_000, actual_ms=30_000, reason=None,
    )  # fmt: skip
    clock.at_s = second + 5
    log.append("switch.off", pin="record")
    log.append("activation.stop", rec=rec, reason="stop")
    log.append("rec.stop", rec=rec, reason="stop")

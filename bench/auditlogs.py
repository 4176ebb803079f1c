"""Signed logs of whole shifts, by the recorder's own writer: what ingest is measured on."""

from __future__ import annotations

import uuid
from pathlib import Path

from bodycam.clock import MS, NS, ClockSource, Instant
from bodycam.eventlog import EventLog
from bodycam.provision.authority import open_authority
from bodycam.provision.identity import make_identity, make_request
from bodycam.provision.keyfiles import write_public
from bodycam.provision.profile import DEVICE_DAYS
from bodycam.signing import DEVICE_CHAIN, Signer, load_file_key

_UTC_NS = 1_780_300_800 * NS
_BEAT_S, _SHIFT_S = 10, 36_000


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
        # Read a little later each time, as a loop does.
        return (50 + self.at_s) * NS + self.at_s % 1009 * 1_234_567

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def sample(self) -> Instant:
        boot_ns = self.boot_ns()
        return Instant(boot_ns, _UTC_NS + self._day_s * NS + boot_ns, ClockSource.NTP, 5)

    def real_s(self, seconds: float) -> float:
        return seconds


def make_stores(folder: Path, cameras: int, days: int) -> tuple[list[Path], Path]:
    """Stores of cameras of one force that were worn so many days, and the root that they are signed under."""
    made_ns = _UTC_NS - 86_400 * NS
    made = make_identity(folder / "force", "cam-0001", made_ns)
    stores = []
    for number in range(1, cameras + 1):
        device = f"cam-{number:04}"
        identity = made.identity
        if number > 1:
            identity = folder / "identities" / device
            request = make_request(identity, device)
            chain = open_authority(made.authority).sign(request, device, made_ns, DEVICE_DAYS)
            write_public(identity / DEVICE_CHAIN, *chain)
        store = folder / "stores" / device
        (store / "log").mkdir(parents=True)
        (store / "evidence").mkdir()
        for day in range(days):
            wear(store, device, load_file_key(identity), day)
        stores.append(store)
    return stores, made.root


def wear(store: Path, device: str, signer: Signer, day: int) -> None:
    """One shift more in the log of a store, signed at its end."""
    clock = _Clock()
    clock.wake(day * 86_400)
    log = EventLog(store / "log", clock, f"example/bodycam/{device}", signer)
    log.open()
    _shift(log, clock, device)
    log.checkpoint()
    log.close()


def _shift(log: EventLog, clock: _Clock, device: str) -> None:
    log.append(
        "boot", fw="bodycam bench", device=device, by="recorder", heartbeat_s=_BEAT_S, pre_record_s=30
    )  # fmt: skip
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
        free_bytes=57_000_000_000 - second * 1000, sync_ms_max=None, audio_lost=False,
        battery=100 - second // 400, battery_minutes=700 - second // 60,
        soc_milli_c=51_000 + second % 997, soc_range_milli_c=[50_900 + second % 997, 51_100 + second % 997],
        cell_milli_c=30_500 + second % 89, cell_range_milli_c=[30_400, 30_600], charge="allowed",
        load="all", throttled=[],
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

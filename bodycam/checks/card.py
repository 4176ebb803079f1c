"""The card's speed: written and synced as a recording is, in a file that never had a name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..clock import MS, NS, Clock
from ..config import Config
from ..errors import ExitCode, StorageError
from ..store import storage_error
from .result import CheckResult, failed, fault, not_tested, ok, warn
from .unit import record_bytes_per_s

_NAME = "card"
_SLOW_MS = 1000
_WANTED_FACTOR = 2
_MAX_NS = 20 * NS


@dataclass(frozen=True, slots=True)
class CardSpeed:
    """How long each write with its sync took."""

    piece_bytes: int
    latencies_ms: tuple[int, ...]
    total_ns: int

    @property
    def bytes_per_s(self) -> int:
        return self.piece_bytes * len(self.latencies_ms) * NS // max(1, self.total_ns)

    def percentile_ms(self, percent: int) -> int:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def probe_card(
    folder: Path, config: Config, pieces: int, clock: Clock, go_on: Callable[[], bool]
) -> CardSpeed | None:
    """Write so many fragments' worth and sync each; None if told not to go on.

    Ends after 20 s. Raises StorageError as a recording would.
    """
    piece = os.urandom(max(4096, record_bytes_per_s(config) * config.recording.fragment_ms // 1000))
    latencies: list[int] = []
    began_ns = clock.boot_ns()
    try:
        # No name: it can be found in no folder, and a power cut takes it away.
        fd = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            while len(latencies) < pieces:
                if not go_on():
                    return None
                before_ns = clock.boot_ns()
                if before_ns - began_ns > _MAX_NS:
                    break
                view = memoryview(piece)
                while view:
                    view = view[os.write(fd, view) :]
                os.fdatasync(fd)
                latencies.append((clock.boot_ns() - before_ns) // MS)
        finally:
            os.close(fd)
    except OSError as wrong:
        raise storage_error(wrong, folder) from wrong
    return CardSpeed(len(piece), tuple(latencies), clock.boot_ns() - began_ns)


def check_card(
    folder: Path, config: Config, pieces: int, clock: Clock, go_on: Callable[[], bool]
) -> CheckResult:
    """The card takes what the camera makes, twice over, and does not stall for long."""
    try:
        speed = probe_card(folder, config, pieces, clock, go_on)
    except StorageError as wrong:
        return fault(_NAME, wrong, "Check card and mount")
    if speed is None:
        return not_tested(_NAME, "a recording began: it has the card for itself")
    return judge_card(speed, config)


def judge_card(speed: CardSpeed, config: Config) -> CheckResult:
    rate, needed = speed.bytes_per_s, record_bytes_per_s(config)
    slowest_ms = max(speed.latencies_ms)
    figures = {
        "bytes_per_s": rate, "needed_bytes_per_s": needed, "syncs": len(speed.latencies_ms),
        "sync_ms_p50": speed.percentile_ms(50), "sync_ms_p99": speed.percentile_ms(99),
        "sync_ms_max": slowest_ms,
    }  # fmt: skip
    text = (
        f"{rate / 1e6:.1f} MB/s in fragments, each synced; needs {needed / 1e6:.1f}; "
        f"sync {figures['sync_ms_p50']} ms, at most {slowest_ms}"
    )
    if rate < _WANTED_FACTOR * needed or slowest_ms > config.ring.reserve_s * 1000:
        return failed(
            _NAME, f"too slow: {text}", "Replace the card by one of the list in hardware/README.md",
            ExitCode.STORAGE, **figures,
        )  # fmt: skip
    if slowest_ms > _SLOW_MS:
        return warn(_NAME, f"it stalls: {text}", "Replace the card soon", **figures)
    return ok(_NAME, text, **figures)


def judge_syncs(latencies_ms: list[int], config: Config) -> CheckResult:
    """What the recording that runs has seen of the card: nothing is measured beside it."""
    if not latencies_ms:
        return not_tested(_NAME, "a recording has the card for itself")
    slowest_ms = max(latencies_ms)
    text = f"recording now; slowest of {len(latencies_ms)} syncs: {slowest_ms} ms"
    if slowest_ms > config.ring.reserve_s * 1000:
        return failed(_NAME, text, "Replace the card", ExitCode.STORAGE, sync_ms_max=slowest_ms)
    if slowest_ms > _SLOW_MS:
        return warn(_NAME, text, "Replace the card soon", sync_ms_max=slowest_ms)
    return ok(_NAME, text, sync_ms_max=slowest_ms)

"""Time: boot time decides, UTC is an annotation with a source and an uncertainty.

Durations, timeouts and media times are CLOCK_BOOTTIME nanoseconds. UTC is never used for a
decision and never rewritten.
"""

from __future__ import annotations

import ctypes
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Protocol

NS = 1_000_000_000
MS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STA_UNSYNC = 0x0040
_UNKNOWN_UNC_MS = 16_000_000


class ClockSource(Enum):
    """Where a UTC estimate comes from."""

    NONE = "none"
    RTC = "rtc"
    NTP = "ntp"
    NTS = "nts"
    GPS = "gps"
    DOCK = "dock"


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: boot time, and a UTC estimate with its half-width."""

    boot_ns: int
    utc_ns: int
    source: ClockSource
    unc_ms: int

    @property
    def offset_ns(self) -> int:
        """UTC minus boot time."""
        return self.utc_ns - self.boot_ns

    def utc_at(self, boot_ns: int) -> int:
        """The UTC estimate, in ns, of another moment of the same boot."""
        return boot_ns + self.offset_ns


class Clock(Protocol):
    """The clock seam: the machine's, or a simulated one."""

    @property
    def boot_id(self) -> str: ...

    def boot_ns(self) -> int: ...

    def boot_at(self, monotonic_ns: int) -> int:
        """When it was that CLOCK_MONOTONIC, the clock of the kernel's edges, showed this."""
        ...

    def sample(self) -> Instant: ...

    def real_s(self, seconds: float) -> float:
        """How long to wait in the machine's seconds for so many of this clock's."""
        ...


def utc_text(utc_ns: int) -> str:
    """RFC 3339 with milliseconds and Z."""
    moment = _EPOCH + timedelta(microseconds=utc_ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def utc_from_text(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time; a time without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * NS + delta.microseconds * 1000


def wait(clock: Clock, event: threading.Event, seconds: float) -> bool:
    """Wait on the clock for the event; True if it was set."""
    return event.wait(max(0.0, clock.real_s(seconds)))


class _Timex(ctypes.Structure):
    # struct timex of adjtimex(2); only status and maxerror are read.
    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


def _kernel_discipline() -> tuple[ClockSource, int]:
    timex = _Timex()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(ctypes.byref(timex)) >= 0 and not timex.status & _STA_UNSYNC:
        return ClockSource.NTP, max(1, timex.maxerror // 1000)
    try:
        from_rtc = Path("/sys/class/rtc/rtc0/hctosys").read_text(encoding="ascii").strip() == "1"
    except OSError:
        from_rtc = False
    # An RTC drifts by seconds a week: a minute is the honest half-width without a calibration.
    return (ClockSource.RTC, 60_000) if from_rtc else (ClockSource.NONE, _UNKNOWN_UNC_MS)


class _Suspended:
    """CLOCK_BOOTTIME minus CLOCK_MONOTONIC: what the machine has slept through since boot.

    Between two sleeps it is constant, and no machine sleeps for less than a millisecond: so it is
    measured once and kept, and two edges stay exactly as far apart as the kernel said. What waited
    in a queue while the machine slept counts as having come after the sleep.
    """

    def __init__(self) -> None:
        self._ns = 0

    def ns(self) -> int:
        least_ns, most_ns = self._bounds()
        if not least_ns - MS <= self._ns <= most_ns + MS:
            least_ns, most_ns = min((self._bounds() for _ in range(5)), key=lambda b: b[1] - b[0])
            self._ns = (least_ns + most_ns) // 2
        return self._ns

    @staticmethod
    def _bounds() -> tuple[int, int]:
        before_ns = _boot_ns()
        monotonic_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return before_ns - monotonic_ns, _boot_ns() - monotonic_ns


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class SystemClock:
    """The machine's clocks; UTC quality as the kernel's discipline reports it."""

    def __init__(self) -> None:
        self._suspended = _Suspended()
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    @property
    def boot_id(self) -> str:
        return self._boot_id

    def boot_ns(self) -> int:
        return _boot_ns()

    def boot_at(self, monotonic_ns: int) -> int:
        return monotonic_ns + self._suspended.ns()

    def sample(self) -> Instant:
        # The narrowest of three windows: a preempted reading must not look like a clock step.
        best = None
        for _ in range(3):
            before = self.boot_ns()
            utc_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
            after = self.boot_ns()
            if best is None or after - before < best[0]:
                best = (after - before, (before + after) // 2, utc_ns)
        if best is None:
            raise AssertionError("three readings were taken")
        source, unc_ms = _kernel_discipline()
        return Instant(best[1], best[2], source, unc_ms)

    def real_s(self, seconds: float) -> float:
        return seconds


class ScaledClock:
    """A simulated clock: boot time runs `speed` times as fast, UTC can be stepped at will."""

    def __init__(
        self, speed: float, origin_ns: int, utc_offset_ns: int, boot_id: str,
        source: ClockSource = ClockSource.NTP,
    ) -> None:  # fmt: skip
        self._speed = speed
        self._origin_ns = origin_ns
        self._offset_ns = utc_offset_ns
        self._boot_id = boot_id
        self._suspended = _Suspended()
        self.source = source
        self.unc_ms = _UNKNOWN_UNC_MS if source is ClockSource.NONE else 5

    @property
    def boot_id(self) -> str:
        return self._boot_id

    @property
    def speed(self) -> float:
        return self._speed

    def boot_ns(self) -> int:
        return self._scaled(_boot_ns())

    def boot_at(self, monotonic_ns: int) -> int:
        return self._scaled(monotonic_ns + self._suspended.ns())

    def _scaled(self, real_ns: int) -> int:
        return self._origin_ns + int((real_ns - self._origin_ns) * self._speed)

    def step_utc(self, delta_ms: int, source: ClockSource, unc_ms: int) -> None:
        """Move UTC, as a set clock or a time service would; boot time goes on undisturbed."""
        self._offset_ns += delta_ms * MS
        self.source = source
        self.unc_ms = unc_ms

    def sample(self) -> Instant:
        boot_ns = self.boot_ns()
        return Instant(boot_ns, boot_ns + self._offset_ns, self.source, self.unc_ms)

    def real_s(self, seconds: float) -> float:
        return seconds / self._speed

"""How long a card takes to make something durable: the last times, and how all of them spread.

A card that wears out is slow long before it fails, and stalls for seconds while it tidies up. The
counts go into the log once a minute, a stall at once.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import Any

from .clock import NS

# Upper ends of the counted ranges; a last one is open.
UP_TO_MS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_SLOW_MS = 1000
_APART_NS = 10 * NS
_RECENT = 256


@dataclass(frozen=True, slots=True)
class Spread:
    """How many syncs took how long, and the longest one."""

    counts: tuple[int, ...]
    max_ms: int

    def fields(self) -> dict[str, Any]:
        return {
            "syncs": sum(self.counts), "max_ms": self.max_ms, "up_to_ms": list(UP_TO_MS),
            "counts": list(self.counts),
        }  # fmt: skip


class SyncTimes:
    """The syncs of one card. One thread adds, others read."""

    def __init__(self) -> None:
        self.recent_ms: deque[int] = deque(maxlen=_RECENT)
        self._lock = threading.Lock()
        self._counts = [0] * (len(UP_TO_MS) + 1)
        self._max_ms = 0
        self._told_ms = 0
        self._told_ns = 0

    def add(self, took_ms: int, now_ns: int) -> bool:
        """Count one; True if it was slow, and not one of many alike within 10 s."""
        self.recent_ms.append(took_ms)
        with self._lock:
            self._counts[bisect_left(UP_TO_MS, took_ms)] += 1
            self._max_ms = max(self._max_ms, took_ms)
        if now_ns - self._told_ns >= _APART_NS:
            self._told_ms = 0
        if took_ms < _SLOW_MS or took_ms <= self._told_ms:
            return False
        self._told_ms, self._told_ns = took_ms, now_ns
        return True

    def take(self) -> Spread | None:
        """The counts since the last call; None if there was no sync."""
        with self._lock:
            spread = Spread(tuple(self._counts), self._max_ms)
            self._counts = [0] * len(self._counts)
            self._max_ms = 0
        return spread if any(spread.counts) else None

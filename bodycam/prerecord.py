"""How much was kept from before the press, and why it is less than was asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from .clock import MS, NS


class ShortReason(Enum):
    """Why a pre-record is shorter than the policy's."""

    DISABLED = "disabled"
    ABUTS = "abuts"
    CAPACITY = "capacity"
    STALL = "stall"
    FRESH_POWER = "fresh_power"


@dataclass(frozen=True, slots=True)
class RingFacts:
    """What decides the reason, in boot time; None where it never happened."""

    previous_end_ns: int | None
    cut_by_capacity_ns: int | None
    last_gap_end_ns: int | None


@dataclass(frozen=True, slots=True)
class PreRecord:
    """What a recording says of the time before its press."""

    asked_ms: int
    actual_ms: int
    reason: ShortReason | None
    audio: bool

    def fields(self) -> dict[str, Any]:
        return {
            "asked_ms": self.asked_ms, "actual_ms": self.actual_ms,
            "reason": self.reason.value if self.reason else None, "audio": self.audio,
        }  # fmt: skip


def pre_record(
    asked_s: int, pressed_ns: int, first_ns: int, gop_ns: int, facts: RingFacts, *, audio: bool
) -> PreRecord:
    """What was asked, what was kept, and the first reason that applies if it is less.

    A keyframe may lie up to one GOP after the moment asked for: that is not short.
    """
    asked_ns = asked_s * NS
    actual_ns = max(0, pressed_ns - first_ns)
    reason = None
    if asked_s == 0:
        reason = ShortReason.DISABLED
    elif actual_ns < asked_ns - gop_ns - gop_ns // 10:
        reason = _short(pressed_ns - asked_ns, facts)
    return PreRecord(asked_s * 1000, actual_ns // MS, reason, audio)


def _short(asked_from_ns: int, facts: RingFacts) -> ShortReason:
    def within(at_ns: int | None) -> bool:
        return at_ns is not None and at_ns >= asked_from_ns

    if within(facts.previous_end_ns):
        return ShortReason.ABUTS
    if within(facts.cut_by_capacity_ns):
        return ShortReason.CAPACITY
    if within(facts.last_gap_end_ns):
        return ShortReason.STALL
    return ShortReason.FRESH_POWER

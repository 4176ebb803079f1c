"""The same incident scored a second time, by somebody who never heard of intervals: bit by bit.

Time is cut into half seconds, each a bit of a whole number. Written from the definitions alone; it
shares nothing with `bodycam.audit` but the names of states and classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HALF_US = 500_000


def bits(spans: list[tuple[int, int]]) -> int:
    """The half seconds that these spans of half seconds cover."""
    found = 0
    for start, end in spans:
        if end > start:
            found |= ((1 << (end - start)) - 1) << start
    return found


def first(found: int) -> int | None:
    return (found & -found).bit_length() - 1 if found else None


def after_last(found: int) -> int | None:
    return found.bit_length() if found else None


def stretches(found: int) -> list[tuple[int, int]]:
    runs, at = [], 0
    while found >> at:
        at += (found >> at & -(found >> at)).bit_length() - 1
        length = (~(found >> at) & -~(found >> at)).bit_length() - 1
        runs.append((at, at + length))
        at += length
    return runs


@dataclass
class Bitmaps:
    """An officer's time, as bits; `shift` moves what the cameras say."""

    live: int
    evid: int
    failed: int
    muted: int
    states: dict[str, int] = field(default_factory=dict)
    assigned: int = 0

    def shifted(self, by: int) -> Bitmaps:
        def move(found: int) -> int:
            return found << by if by >= 0 else found >> -by

        return Bitmaps(
            move(self.live), move(self.evid), move(self.failed), move(self.muted),
            {name: move(found) for name, found in self.states.items()}, self.assigned,
        )  # fmt: skip


def naive(due: int, end: int, officer: Bitmaps, peers: int) -> dict[str, Any]:
    """Every number by definition; times in half seconds, thresholds are those of the default policy."""
    w = bits([(due, end)])
    live, evid = officer.live & w, officer.evid & w
    failed = officer.failed & w & ~evid
    held = evid | failed
    activated = live.bit_count() >= 2
    first_held, first_live, last = first(held), first(live), after_last(live)
    evid_delay = None if first_held is None else first_held - due
    press_delay = None if first_live is None else first_live - due
    late = evid_delay is not None and evid_delay > 30
    tail = None if last is None else end - last
    short = tail is not None and tail > 120
    needed = bits([(last, end - 120)]) if last is not None else 0
    early = short and bool(needed & ~peers)
    between = bits([(first_live, last)]) if first_live is not None and last is not None else 0
    gaps = [(a, b) for a, b in stretches(between & ~held) if b - a >= 4]
    muted = (officer.muted & live).bit_count()
    known = 0
    for found in officer.states.values():
        known |= found
    unknown = (w & officer.assigned & (officer.states.get("unknown", 0) | ~known)).bit_count()
    length = end - due

    def time_in(name: str) -> int:
        return (w & officer.assigned & officer.states.get(name, 0)).bit_count()

    no_device = (w & ~officer.assigned).bit_count()
    unable = [(unknown, "UNKNOWN"), (time_in("fault"), "FAULT"), (time_in("docked"), "DOCKED"),
              (no_device, "NO-DEVICE")]  # fmt: skip
    if activated:
        kind = (
            "LATE"
            if late
            else "GAP"
            if gaps
            else "EARLY"
            if early
            else "MUTED"
            if muted
            else "COMPLETE"
        )
    elif 2 * sum(time for time, _ in unable) < length:
        kind = "NEVER"
    else:
        most = max(time for time, _ in unable)
        kind = next(name for time, name in unable if time == most)
    return {
        "kind": kind, "live": live.bit_count(), "evid": evid.bit_count(),
        "missing": (w & ~evid).bit_count(), "failed": failed.bit_count(), "activated": activated,
        "evid_delay": evid_delay, "press_delay": press_delay, "late": late, "tail": tail,
        "early": early, "gaps": len(gaps), "gap": sum(b - a for a, b in gaps),
        "longest_gap": max((b - a for a, b in gaps), default=0), "muted": muted,
        "unknown": unknown, "no_device": no_device,
    }  # fmt: skip

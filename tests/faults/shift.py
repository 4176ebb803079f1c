"""What most tests of faults do before and after: press, wait, stop, look for the gap."""

from __future__ import annotations

from typing import Any

from bodycam.clock import NS
from tests.rig import QUICK

from .faultrig import FaultRig

# Ten pictures a second: a busy machine can play it several times as fast.
SLOW_CAMERA: dict[str, Any] = {"camera": {**QUICK["camera"], "fps": 10}}


def recorded(rig: FaultRig, state: str = "rec") -> None:
    """Press, and wait until the officer is shown that it is on disk."""
    count = len(rig.events("rec.start"))
    rig.press(True)
    rig.until_logged("rec.start", count + 1)
    rig.until_state(state)


def stopped(rig: FaultRig) -> None:
    """Stop, and wait until it is closed."""
    count = len(rig.events("rec.stop"))
    rig.press(False)
    rig.until_logged("rec.stop", count + 1)


def gaps_of(rig: FaultRig, at_least_s: float) -> list[dict[str, Any]]:
    """The gaps that are at least so long: a busy machine leaves short ones of its own."""
    gaps = [dict(line["data"]) for line in rig.events("gap")]
    return [gap for gap in gaps if gap["to_ns"] - gap["from_ns"] >= at_least_s * NS]


def until_gap(rig: FaultRig, at_least_s: float, seconds: float = 40) -> dict[str, Any]:
    """Wait for a gap of at least that length."""
    rig.until(f"a gap of {at_least_s} s", lambda: bool(gaps_of(rig, at_least_s)), seconds)
    return gaps_of(rig, at_least_s)[0]

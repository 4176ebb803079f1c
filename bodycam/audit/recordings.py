"""The recordings of a camera: what its log says of each, beside what its fragments prove.

LIVE is [press or trigger, stop): from `activation.start` to `tail.start` (a stop that is cancelled is
none), or to `activation.stop` where there is no tail. A recording that a power cut ended is live to
the last line written, or to the end of its last verified picture, whichever is later.

EVID is taken from verified fragments alone, with what is before the press and after the stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .anchors import Anchor
from .intervals import NEVER, Times, times
from .logstory import Run

_ASKED_MS = range(86_400_000 + 1)
# Why a camera switched itself off, in the words of `power.off`: the only cause that nobody chose.
EMPTY_BATTERY = "battery"


class ToggleCause(Enum):
    """What started or stopped a recording."""

    BUTTON = "button"
    TRIGGER = "trigger"
    PEER = "peer"
    REMOTE = "remote"
    AUTO_ROLL = "auto-roll"
    FAULT = "fault"
    DOCK = "dock"
    BATTERY = "battery"
    POWER = "power"


@dataclass(slots=True)
class Recording:
    """One recording; times are UTC in microseconds, None where nothing says."""

    recording: str
    boot: str = ""
    line: int = 0
    start_us: int | None = None
    start_cause: ToggleCause = ToggleCause.BUTTON
    start_said: str = ""
    pressed: bool = False
    live_end_us: int | None = None
    stop_cause: ToggleCause | None = None
    stop_said: str = ""
    stop_line: int = 0
    cancelled_stops: int = 0
    asked_ms: int | None = None
    short_said: str = ""
    synced_us: int | None = None
    err_us: int = 0
    firmware: str = ""
    files: list[str] = field(default_factory=list)
    verdict: str = ""
    evid: Times = NEVER
    failed: Times = NEVER

    @property
    def live(self) -> Times:
        """[press, stop), or nothing if no log tells of it."""
        if self.start_us is None or self.live_end_us is None:
            return NEVER
        return times([(self.start_us, self.live_end_us)])

    @property
    def continued(self) -> bool:
        """Whether it goes on from another one, so that nobody pressed for it."""
        return self.start_cause in (ToggleCause.AUTO_ROLL, ToggleCause.FAULT)


def recordings_of(
    run: Run, end_ns: int, anchor: Anchor, evid_ends: Mapping[str, int]
) -> list[Recording]:
    """What one run tells; `evid_ends` is where the verified pictures of a recording end, UTC."""
    found: dict[str, Recording] = {}
    tails: dict[str, int] = {}
    for event in sorted(run.events, key=lambda e: e.line):
        name, at_us = event.text("rec"), anchor.at_us(event.at_ns)
        if event.ev == "activation.start" and name:
            one = found[name] = Recording(name, run.boot, event.line, at_us)
            one.start_said = event.text("cause")
            one.start_cause = start_cause(one.start_said)
            one.pressed = not one.continued
            one.err_us, one.firmware = anchor.err_us, run.firmware
            one.asked_ms = run.pre_record_ms
            continue
        known = found.get(name)
        if known is None:
            continue
        match event.ev:
            case "tail.start":
                tails[name] = at_us
            case "stop.cancelled":
                tails.pop(name, None)
                known.cancelled_stops += 1
            case "activation.stop":
                known.live_end_us = tails.get(name, at_us)
                known.stop_said, known.stop_line = event.text("reason"), event.line
                known.stop_cause = stop_cause(known.stop_said, run)
            case "rec.start":
                asked_ms = event.whole("asked_ms")
                if asked_ms in _ASKED_MS:
                    known.asked_ms = asked_ms
                known.short_said = event.text("reason")
                synced_ns = event.whole("synced_ns")
                known.synced_us = None if synced_ns is None else anchor.at_us(synced_ns)
            case "rec.stop" if known.live_end_us is None:
                known.live_end_us = at_us
                known.stop_said, known.stop_line = event.text("reason"), event.line
                known.stop_cause = stop_cause(known.stop_said, run)
            case "seg.open":
                known.files.append(event.text("file"))
    for name, known in found.items():
        if known.live_end_us is None:
            last_us = max(anchor.at_us(min(run.last_ns, end_ns)), evid_ends.get(name, 0))
            known.live_end_us, known.stop_cause = last_us, ToggleCause.POWER
            known.stop_said = "cut off"
    return list(found.values())


def start_cause(said: str) -> ToggleCause:
    """The kind of what `activation.start` names as its cause."""
    if said.startswith("trigger:"):
        return ToggleCause.TRIGGER
    return {
        "auto-roll": ToggleCause.AUTO_ROLL, "resume": ToggleCause.FAULT,
        "peer": ToggleCause.PEER, "remote": ToggleCause.REMOTE,
    }.get(said, ToggleCause.BUTTON)  # fmt: skip


def stop_cause(said: str, run: Run) -> ToggleCause:
    """The kind of what `activation.stop` or `rec.stop` names as its reason."""
    if said.endswith(" released"):
        return ToggleCause.TRIGGER
    if said == "shutdown":
        flat = run.switched_off_for == EMPTY_BATTERY
        return ToggleCause.BATTERY if flat else ToggleCause.POWER
    return {
        "stop": ToggleCause.BUTTON, "auto-roll": ToggleCause.AUTO_ROLL,
        "battery": ToggleCause.BATTERY, "dock": ToggleCause.DOCK, "peer": ToggleCause.PEER,
        "remote": ToggleCause.REMOTE,
    }.get(said, ToggleCause.FAULT)  # fmt: skip

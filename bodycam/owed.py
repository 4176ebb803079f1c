"""What is wanted and was not taken by the store: since when, and how it goes on.

| refused                      | goes on, once the store takes it again, as                        |
|------------------------------|-------------------------------------------------------------------|
| before anything was durable  | the same press, with its pre-record, as far as the ring has it    |
| later                        | a recording that continues it, from its last durable picture on   |

What the ring no longer holds by then, or when the officer stops before, is a `gap`.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import activation as act
from .formats.records import NO_PREVIOUS
from .recording import RecordingFacts

RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The recording that goes on in the next one: its id, its last box, when its pictures end."""

    recording: str | None = None
    last_box: str = NO_PREVIOUS
    end_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """A stretch that is owed from `from_ns` on; `start` is None where it continues a recording."""

    from_ns: int
    interrupted: Interrupted
    start: act.Start | None = None
    log_seq: int = -1

    def start_at(self, now_ns: int) -> act.Start:
        return self.start or act.Start(now_ns, RESUME)


def owed_of(facts: RecordingFacts, interrupted: Interrupted, frame_ns: int) -> Owed:
    """What a recording is owed that was refused; `interrupted` has no end if nothing is durable."""
    if interrupted.end_ns is not None:
        return Owed(interrupted.end_ns + frame_ns, interrupted)
    before = Interrupted(facts.continues, facts.previous)
    start = act.Start(facts.pressed_ns, facts.cause)
    return Owed(facts.pressed_ns, before, start, facts.trigger_seq)

"""A recording to be written: what the sealer is asked for, and what it reports of it."""

from __future__ import annotations

from dataclasses import dataclass

from .buffer import Cursor
from .errors import StorageError
from .owed import Owed
from .recording import CloseReason, RecordingFacts


@dataclass(slots=True)
class Job:
    """One recording to write. `stop_ns` and `split` may be set while it runs.

    `owed` is what an earlier attempt left undone.
    """

    facts: RecordingFacts
    cursor: Cursor
    owed: Owed | None = None
    stop_ns: int | None = None
    stop_reason: CloseReason = CloseReason.STOP
    split: tuple[int, RecordingFacts] | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The first fragment of a recording is on disk."""

    job: Job
    recording: str
    first_ns: int
    synced_ns: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A recording is closed; `last_box` is what a following one may chain to."""

    recording: str
    last_picture_ns: int | None
    last_box: str
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Refused:
    """The store did not take it: the recording is closed as far as it could be.

    `last_picture_ns` is that of the last durable picture, None if there is none.
    """

    job: Job
    recording: str
    last_picture_ns: int | None
    last_box: str
    fault: StorageError


Report = Started | Finished | Refused

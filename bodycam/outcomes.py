"""What became of recordings, as the sealer reports it: into the log, the live facts and the signals.

| report   | the recording                     | what follows                                           |
|----------|-----------------------------------|--------------------------------------------------------|
| started  | its first fragment is durable     | `rec.start`; what the store owed it is settled         |
| finished | is closed                         | `rec.stop`                                             |
| refused  | the store did not take it         | it is owed: the ring keeps all it can, and it is tried |
|          |                                   | again every 2 s, unless it was stopped meanwhile       |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .buffer import PreRecordBuffer
from .clock import MS, NS, Clock
from .errors import StorageFull
from .eventlog import EventLog
from .intake import Live
from .job import Finished, Refused, Started
from .owed import Interrupted, Owed, owed_of
from .power import Strain
from .prerecord import PreRecord
from .recording import CloseReason
from .signals import Cue

_RETRY_NS = 2 * NS


class Outcomes:
    """The books on recordings; the recorder's thread alone keeps them.

    `previous_end_ns`: where the last one ended. `interrupted`: what the next one goes on with.
    `owed`: what is wanted and was refused.
    """

    def __init__(
        self,
        clock: Clock,
        log: EventLog,
        ring: PreRecordBuffer,
        live: Live,
        cue: Callable[[Cue], None],
        strain: Callable[[], Strain],
        interrupted: Interrupted,
        *,
        frame_ns: int,
    ) -> None:
        self._clock, self._log, self._ring, self._live = clock, log, ring, live
        self._cue, self._strain = cue, strain
        self._frame_ns = frame_ns
        self._strains: dict[str, Strain] = {}
        self._pre_records: dict[str, PreRecord] = {}
        self._retry_ns = 0
        self.previous_end_ns: int | None = None
        self.interrupted = interrupted
        self.owed: Owed | None = None

    def begun(self, recording: str, found: PreRecord) -> None:
        """A recording has its id, and so much from before its press."""
        self._pre_records[recording] = found
        self._strains[recording] = self._strain()

    def note_strain(self) -> None:
        """Keep the worst of load and throttling for every recording that runs."""
        if self._strains:
            now = self._strain()
            self._strains = {rec: met | now for rec, met in self._strains.items()}

    def started(self, report: Started) -> None:
        live, found = self._live, self._pre_records.pop(report.recording, None)
        if live.storage_full or live.storage_fault:
            self._log.append("storage.ok")
        live.storage_full, live.storage_fault = False, None
        if report.recording == live.recording:
            live.on_disk = True
        self._write_off(report.job.owed, report.first_ns)
        report.job.owed = None
        self._log.append(
            "rec.start", report.first_ns, rec=report.recording, first_ns=report.first_ns,
            synced_ns=report.synced_ns, **self._strain().fields(),
            **(found.fields() if found else {}),
        )  # fmt: skip
        self._cue(Cue.START)

    def finished(self, report: Finished) -> None:
        self._ended(report.recording, report.last_picture_ns)
        self._log.append(
            "rec.stop", report.last_picture_ns, rec=report.recording,
            reason=report.reason.value, **self._met(report.recording),
        )  # fmt: skip
        if report.recording == self._live.recording:
            self._live.recording, self._live.on_disk = None, False
        if report.reason is not CloseReason.AUTO_ROLL:
            self._cue(Cue.STOP)

    def refused(self, report: Refused, *, current: bool) -> bool:
        """True if it is owed now; one that is not `current` was stopped meanwhile."""
        live, full = self._live, isinstance(report.fault, StorageFull)
        first = not (live.storage_full or live.storage_fault)
        live.storage_full, live.storage_fault = full, str(report.fault)
        if first:
            self._log.append(
                "storage.full" if full else "storage.fault", rec=report.recording,
                reason=str(report.fault), last_ns=report.last_picture_ns,
            )  # fmt: skip
        if report.last_picture_ns is not None:
            self._log.append(
                "rec.stop", report.last_picture_ns, rec=report.recording, reason="storage",
                **self._met(report.recording),
            )  # fmt: skip
            self._ended(report.recording, report.last_picture_ns)
        if current or report.recording == live.recording:
            live.recording, live.on_disk = None, False
        job = report.job
        ended = Interrupted(report.recording, report.last_box, report.last_picture_ns)
        owed = job.owed or owed_of(job.facts, ended, self._frame_ns)
        if not current:
            self._write_off(owed, job.stop_ns or owed.from_ns)
            return False
        self.owed = owed
        self._retry_ns = self._clock.boot_ns() + _RETRY_NS
        self._ring.stretch(shed=not full)
        self._log.append("ring.stretched", shed=not full)
        return True

    def due(self, now_ns: int) -> Owed | None:
        """What is owed, if it is time to try the store again."""
        if self.owed is None or now_ns < self._retry_ns:
            return None
        self._retry_ns = now_ns + _RETRY_NS
        return self.owed

    def forget(self, at_ns: int) -> None:
        """It is not wanted any more: nothing is owed from here on."""
        self._write_off(self.owed, at_ns)
        self.owed = None
        if not self._live.storage_full:
            # From here on the probe says whether the card works.
            self._live.storage_fault = None

    def _write_off(self, owed: Owed | None, until_ns: int) -> None:
        """Nothing is owed any more; what the ring no longer had is a gap."""
        if self._ring.stretched:
            self._ring.relax()
            self._log.append("ring.relaxed", ring_ms=self._ring.depth().video_ns // MS)
        if owed is not None and until_ns > owed.from_ns + self._frame_ns:
            self._log.append(
                "gap", until_ns, from_ns=owed.from_ns, to_ns=until_ns,
                frames=round((until_ns - owed.from_ns) / self._frame_ns), cause="storage",
                rec=owed.interrupted.recording,
            )  # fmt: skip

    def _met(self, recording: str) -> dict[str, Any]:
        """The worst of load and throttling that a recording was made under."""
        return self._strains.pop(recording, Strain()).fields()

    def _ended(self, recording: str, last_ns: int | None) -> None:
        self._pre_records.pop(recording, None)
        if last_ns is not None:
            self.previous_end_ns = last_ns

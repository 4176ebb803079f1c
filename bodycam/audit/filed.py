"""M35: whether recordings were filed: with category and event, soon enough, and under the right event.

| how       | the first that holds                                                             |
|-----------|----------------------------------------------------------------------------------|
| OPEN      | not filed in full, and due later than the newest row that the export has         |
| MISSING   | no row                                                                           |
| PARTLY    | a row without category, or without event                                         |
| UNDATED   | a full row, and nobody says since when                                           |
| IN_TIME   | filed within `filing_grace_days` of the recording's end                          |
| LATE      | later                                                                            |

A recording ends where the log says so; without a log, with its last picture. Of those that a reviewer
looked at, it is wrong if the event that it is filed under is not the one the reviewer found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .filings import Filing
from .groups import Filed
from .measures.measure import S, start_us
from .policy import StatisticsRules
from .recordings import Recording

DAY_US = 86_400 * S
DEFINITION = (
    "M35", "Filing",
    ("Recordings filed with category and event within filing_grace_days of their end, of those that were "
    "due when the records were exported; and the share that reviewers found under a wrong event."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FiledRecording:
    """One recording and its row in the records system; `wrong` is None where nobody reviewed it."""

    device: str
    recording: str
    ended_us: int
    filing: Filing | None
    how: Filed

    @property
    def wrong(self) -> bool | None:
        if self.filing is None or self.filing.reviewed_event is None:
            return None
        return self.filing.event != self.filing.reviewed_event


@dataclass(frozen=True, slots=True)
class FiledRecordings:
    """Every recording, and the rows of recordings that no camera has."""

    recordings: tuple[FiledRecording, ...] = ()
    unknown: tuple[Filing, ...] = ()


def filed(
    recordings: Iterable[tuple[str, Recording]], filings: Sequence[Filing], rules: StatisticsRules
) -> FiledRecordings:
    """Recordings of devices beside what the records system has of them."""
    rows = {one.recording: one for one in filings}
    newest_us = max((f.filed_us for f in filings if f.filed_us is not None), default=None)
    found = []
    for device, recording in recordings:
        row, ended_us = rows.get(recording.recording), end_us(recording)
        due_us = ended_us + rules.filing_grace_days * DAY_US
        how = _how(row, due_us, newest_us)
        found.append(FiledRecording(device, recording.recording, ended_us, row, how))
    known = {one.recording for one in found}
    return FiledRecordings(tuple(found), tuple(f for f in filings if f.recording not in known))


def end_us(recording: Recording) -> int:
    """Where it ends, by the log; without a log, with what was claimed or proven last."""
    if recording.live_end_us is not None:
        return recording.live_end_us
    ends = [part[-1].end_us for part in (recording.evid, recording.failed) if part]
    return max(ends, default=start_us(recording))


def _how(row: Filing | None, due_us: int, newest_us: int | None) -> Filed:
    full = row is not None and bool(row.event) and bool(row.category)
    if not full and newest_us is not None and newest_us < due_us:
        return Filed.OPEN
    if row is None:
        return Filed.MISSING
    if not full:
        return Filed.PARTLY
    if row.filed_us is None:
        return Filed.UNDATED
    return Filed.IN_TIME if row.filed_us <= due_us else Filed.LATE

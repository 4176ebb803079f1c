"""One camera's timeline as rows: the same objects that the plain audit counts from, and no others.

Heartbeats and clock samples are not kept: their intervals are. A row lies in the month, UTC, in which
it begins; it is never cut at the month's end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ...custody.findings import Finding
from ..measures.measure import start_us
from ..timeline import DeviceTimeline
from .schema import Kind

NO_MONTH = "unplaced"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]


def month_of(at_us: int) -> str:
    """The month of a moment, UTC, as YYYY-MM."""
    try:
        return f"{_EPOCH + timedelta(microseconds=at_us):%Y-%m}"
    except OverflowError:
        return NO_MONTH


def span_rows(force: str, line: DeviceTimeline) -> Iterator[Row]:
    """States, overlays, what was live, proven and failed of each recording, and clock errors."""

    def row(
        kind: Kind, name: str, number: int, start: int, end: int, err: int = 0, why: str = "",
        lines: tuple[int, int] = (0, 0), recording: str = "",
    ) -> Row:  # fmt: skip
        return (force, month_of(start), line.device, kind.value, name, number, start, end, err, why,
                *lines, recording, None, None, None)  # fmt: skip

    for number, s in enumerate(line.states):
        yield row(Kind.STATE, s.state.value, number, s.start_us, s.end_us, s.err_us, s.why,
                  (s.line, s.next_line))  # fmt: skip
    for overlay, found in line.overlays.items():
        for number, (start, end) in enumerate(found):
            yield row(Kind.OVERLAY, overlay.value, number, start, end)
    for number, r in enumerate(line.recordings):
        for kind, spans in ((Kind.LIVE, r.live), (Kind.EVID, r.evid), (Kind.FAILED, r.failed)):
            for start, end in spans:
                yield row(kind, "", number, start, end, r.err_us, recording=r.recording)
    for number, ((start, end), err) in enumerate(line.errors):
        yield row(Kind.CLOCK, "", number, start, end, err)


def recording_rows(force: str, line: DeviceTimeline) -> Iterator[Row]:
    """Each recording, by its place in the timeline."""
    for number, r in enumerate(line.recordings):
        begins_us = start_us(r)
        yield (
            force, month_of(begins_us), line.device, number, r.recording, r.boot, r.line, begins_us,
            r.start_us, r.live_end_us, r.start_cause.value, r.start_said, r.pressed,
            r.stop_cause.value if r.stop_cause else None, r.stop_said, r.stop_line,
            r.cancelled_stops, r.asked_ms, r.short_said, r.synced_us, r.err_us, r.firmware,
            r.verdict, list(r.files), None,
        )  # fmt: skip


def event_rows(force: str, line: DeviceTimeline) -> Iterator[Row]:
    """The events that the audit needs, placed in UTC."""
    for placed in line.runs:
        for event in placed.run.events:
            at_us = placed.at_us(event)
            data = json.dumps(event.data, separators=(",", ":"), sort_keys=True)
            yield (force, month_of(at_us), line.device, placed.run.boot, event.line, at_us,
                   event.ev, data)  # fmt: skip


def finding_rows(
    force: str, month: str, device: str, found: list[Finding], said: list[str]
) -> Iterator[Row]:
    """What failed verification, then what the timeline says of it."""
    number = 0
    for one in found:
        yield (force, month, device, number, one.verdict.value, int(one.check), one.file, one.place,
               one.text)  # fmt: skip
        number += 1
    for text in said:
        yield (force, month, device, number, "", 0, "", "", text)
        number += 1

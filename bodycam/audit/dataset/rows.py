"""One camera's timeline as rows: the same objects that the plain audit counts from, and no others.

Heartbeats and clock samples are not kept: their intervals are, and the largest clock error and the
highest temperatures that any of them told in each state. So M11 and M16 of a shift, which begins and
ends with a state, are what its rows say. A row lies in the month, UTC, in which
it begins; it is never cut at the month's end.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from ...custody.findings import Finding
from ..logstory import PlacedRun
from ..measures.clocks import since_sync_us
from ..measures.measure import start_us
from ..measures.strain import throttled_times
from ..timeline import DeviceTimeline
from .schema import Kind

NO_MONTH = "unplaced"
DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]
# Clock error, and milli degrees of SoC and cell.
Most = tuple[int | None, int | None, int | None]
_NOTHING: Most = (None, None, None)
# Two for each minute recorded, and all that they say is in `files` of the recording.
_SEGMENTS = ("seg.open", "seg.close")


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
        lines: tuple[int, int] = (0, 0), recording: str = "", most: Most = _NOTHING,
    ) -> Row:  # fmt: skip
        return (force, month_of(start), line.device, kind.value, name, number, start, end, err, why,
                *lines, recording, *most)  # fmt: skip

    for number, (s, most) in enumerate(zip(line.states, most_told(line), strict=True)):
        yield row(Kind.STATE, s.state.value, number, s.start_us, s.end_us, s.err_us, s.why,
                  (s.line, s.next_line), most=most)  # fmt: skip
    for overlay, found in line.overlays.items():
        for number, (start, end) in enumerate(found):
            yield row(Kind.OVERLAY, overlay.value, number, start, end)
    for number, r in enumerate(line.recordings):
        ended = r.stop_cause.value if r.stop_cause else ""
        for kind, spans in ((Kind.LIVE, r.live), (Kind.EVID, r.evid), (Kind.FAILED, r.failed)):
            for start, end in spans:
                yield row(kind, "", number, start, end, r.err_us, ended, recording=r.recording)
    for number, ((start, end), err) in enumerate(line.errors):
        yield row(Kind.CLOCK, "", number, start, end, err)
    for number, (start, end) in enumerate(throttled_times(line.runs)):
        yield row(Kind.THROTTLED, "", number, start, end)


def most_told(line: DeviceTimeline) -> list[Most]:
    """For each state: the largest of what any clock sample and heartbeat tells whose time is in it."""
    starts = [s.start_us for s in line.states]
    # States of boots that claim the same time may overlap: no later one reaches back before this.
    reached = list(accumulate((s.end_us for s in line.states), max))
    found = [_NOTHING] * len(starts)
    for placed in line.runs:
        run, anchor = placed.run, placed.anchor
        told_ns = [*run.beats.at_ns, *run.samples.boot_ns]
        if not told_ns:
            continue
        first = bisect_right(reached, anchor.at_us(min(told_ns)))
        end = bisect_right(starts, anchor.at_us(max(told_ns)))
        spans = [anchor.span_ns(s.start_us, s.end_us) for s in line.states[first:end]]
        errors, heat = run.samples.most_err_us(spans), run.beats.most(spans)
        for number, one in enumerate(zip(errors, heat, strict=True), first):
            err_us, (soc, cell) = one
            known = found[number]
            found[number] = (
                _most(known[0], err_us), _most(known[1], soc), _most(known[2], cell)
            )  # fmt: skip
    return found


def _most(one: int | None, two: int | None) -> int | None:
    return max((value for value in (one, two) if value is not None), default=None)


def recording_rows(force: str, line: DeviceTimeline) -> Iterator[Row]:
    """Each recording, by its place in the timeline."""
    runs: dict[str, list[PlacedRun]] = {}
    for placed in line.runs:
        runs.setdefault(placed.run.boot, []).append(placed)
    for number, r in enumerate(line.recordings):
        begins_us = start_us(r)
        yield (
            force, month_of(begins_us), line.device, number, r.recording, r.boot, r.line, begins_us,
            r.start_us, r.live_end_us, r.start_cause.value, r.start_said, r.pressed,
            r.stop_cause.value if r.stop_cause else None, r.stop_said, r.stop_line,
            r.cancelled_stops, r.asked_ms, r.short_said, r.synced_us, r.err_us, r.firmware,
            r.verdict, list(r.files), since_sync_us(runs.get(r.boot, ()), r),
        )  # fmt: skip


def event_rows(force: str, line: DeviceTimeline) -> Iterator[Row]:
    """The events that the audit needs, placed in UTC."""
    for placed in line.runs:
        for event in placed.run.events:
            if event.ev in _SEGMENTS:
                continue
            at_us = placed.at_us(event)
            data = json.dumps(event.data, separators=(",", ":"), sort_keys=True)
            yield (force, month_of(at_us), line.device, placed.run.boot, event.line, at_us,
                   event.ev, data, placed.run.line)  # fmt: skip


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

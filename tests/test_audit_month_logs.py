"""The logs of a month that was made, written out with every heartbeat and read as ingest reads them: they
say what the month's tables say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bodycam.audit.anchors import Anchors
from bodycam.audit.dataset.rows import event_rows, recording_rows, span_rows
from bodycam.audit.dataset.schema import EVENTS, RECORDINGS, SPANS, Kind, TableSchema
from bodycam.audit.intervals import Interval, times
from bodycam.audit.logstory import LogStory
from bodycam.audit.recordings import recordings_of
from bodycam.audit.timeline import DeviceTimeline, _add_states, _place_runs
from bodycam.clock import utc_text
from bodycam.formats.logline import LogLine
from bodycam.simulate.month.behaviours import KINDS, Does
from bodycam.simulate.month.make import Batch, make_batch

from .gradedmonth import behaviours

Row = dict[str, Any]
_S, _BEAT_US, _SAMPLE_US = 1_000_000, 10_000_000, 60_000_000
# When the recorder is begun, boot time.
_BOOT_NS = 50_000_000_000
# What the logs do not hold: what is proven, as it is in the tables, and the segments' names.
_PROVEN = (Kind.EVID.value, Kind.FAILED.value)


class Made:
    """A month's tables by camera, and a camera for each kind of officer and each that was done."""

    def __init__(self, month: Batch) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for schema in (SPANS, RECORDINGS, EVENTS):
            for row in month.tables[schema.name].to_pylist():
                self._rows[schema.name, row["device"]].append(row)
        officers = {row["officer"]: row for row in month.officers.to_pylist()}
        self.behaves = {row["behaves"]: row["device"] for row in officers.values()}
        self.does = {
            row["does"]: officers[row["officer"]]["device"] for row in month.incidents.to_pylist()
        }

    def rows(self, schema: TableSchema, device: str) -> list[Row]:
        return self._rows[schema.name, device]


@pytest.fixture(scope="module")
def month() -> Made:
    given = behaviours(
        0.045, officers__faulty_camera=0.2, incidents__force=0.1, ordinary__gap=0.1, ordinary__never=0.2
    )  # fmt: skip
    return Made(make_batch(0, 64, 3, 3, given))


@dataclass(frozen=True, slots=True)
class Written:
    """One life of the recorder, as the log has it."""

    boot: str
    begin_us: int
    err_us: int

    @property
    def source(self) -> str:
        return "rtc" if self.err_us > _S else "ntp"

    def line(
        self, number: int, at_us: int, ev: str, data: Row, logged_us: int | None = None
    ) -> LogLine:  # fmt: skip
        return LogLine(
            1, number, self.boot, self._ns(at_us), utc_text(at_us * 1000) if ev == "boot" else "", ev, data,
            "", self._ns(at_us if logged_us is None else logged_us), self.source, self.err_us // 1000,
        )  # fmt: skip

    def _ns(self, at_us: int) -> int:
        return (at_us - self.begin_us) * 1000 + _BOOT_NS

    def told(self, row: Row) -> LogLine:
        """An event of the tables."""
        data, logged_us = json.loads(row["data"]), None
        if row["ev"] == "rec.start":
            # It tells of the first picture, once that is on the medium.
            logged_us = (data["synced_ns"] - _BOOT_NS) // 1000 + self.begin_us
        return self.line(row["line"], row["at_us"], row["ev"], data, logged_us)

    def ticks(self, last_us: int) -> list[tuple[int, str]]:
        """What the recorder writes by itself, up to its last line."""
        return sorted(
            (at_us, ev)
            for ev, every_us in (("heartbeat", _BEAT_US), ("clock.sample", _SAMPLE_US))
            for at_us in range(self.begin_us + every_us, last_us + 1, every_us)
        )


def log(device: str, events: list[Row], clocks: list[Row], firmware: str) -> Iterator[LogLine]:
    """A camera's whole log: its events where they stand, and in all other lines what ticks."""
    by_boot = defaultdict(list)
    for row in sorted(events, key=lambda row: row["line"]):
        by_boot[row["boot"]].append(row)
    assert len(by_boot) == len(clocks)
    begins = {
        "device": device, "fw": firmware, "heartbeat_s": _BEAT_US // _S, "pre_record_s": 30
    }  # fmt: skip
    for (boot, mine), clock in zip(by_boot.items(), clocks, strict=True):
        run = Written(boot, clock["start_us"], clock["err_us"])
        lost_us = 0 if mine[-1]["ev"] == "shutdown" else 2 * _BEAT_US
        ticks = run.ticks(clock["end_us"] - lost_us)
        first = mine[0]["run_line"]
        yield run.line(first, run.begin_us, "boot", begins)
        by_line = {row["line"]: row for row in mine}
        says: Row = {"camera": True, "charge": "allowed", "throttled": []}
        for number in range(first + 1, first + 1 + len(mine) + len(ticks)):
            if number in by_line:
                line = run.told(by_line[number])
                says |= _changed(line)
                yield line
                continue
            at_us, ev = ticks.pop(0)
            data: Row = {
                "utc_ns": at_us * 1000,
                "error_ms": run.err_us // 1000,
                "source": run.source,
            }
            if ev == "heartbeat":
                data = {"soc_milli_c": 50_000, "cell_milli_c": 30_000, **says}
            yield run.line(number, at_us, ev, data)


def _changed(line: LogLine) -> Row:
    """What heartbeats say from this event on."""
    match line.ev:
        case "capture.exit" | "gap":
            return {"camera": line.ev == "gap"}
        case "power.throttled":
            return {"throttled": line.data["flags"]}
    return {}


def read_again(device: str, month: Made) -> DeviceTimeline:
    spans, recordings, events = (
        month.rows(schema, device) for schema in (SPANS, RECORDINGS, EVENTS)
    )
    clocks = [row for row in spans if row["kind"] == Kind.CLOCK.value]
    story, anchors, found = LogStory(Path("log")), Anchors(), DeviceTimeline(device)
    for number, line in enumerate(log(device, events, clocks, recordings[0]["firmware"]), 1):
        assert number == line.seq
        story.take(number, line)
    story.place(anchors)
    placed = _place_runs(story, anchors, found)
    _add_states(found, placed, story, anchors)
    proven = {
        kind: {
            row["recording"]: times(
                (s["start_us"], s["end_us"])
                for s in spans if s["kind"] == kind and s["recording"] == row["recording"]
            )
            for row in recordings
        }
        for kind in _PROVEN
    }  # fmt: skip
    ends = {rec: shown[-1].end_us for rec, shown in proven[Kind.EVID.value].items() if shown}
    for run, states in placed:
        found.recordings += recordings_of(run.run, states.end_ns, run.anchor, ends)
    files, verdicts = (
        {r["recording"]: r[name] for r in recordings} for name in ("files", "verdict")
    )
    for one in found.recordings:
        one.evid, one.failed = (proven[kind][one.recording] for kind in _PROVEN)
        one.files, one.verdict = files[one.recording], verdicts[one.recording]
    found.recordings.sort(key=lambda r: r.start_us or 0)
    found.errors = [(Interval(p.start_us, p.end_us), p.anchor.err_us) for p in found.runs]
    return found


def table(schema: TableSchema, found: Iterator[tuple[Any, ...]]) -> list[Row]:
    """As the data set holds them, but for temperatures: whether there are any."""
    columns = list(zip(*found, strict=True))
    made = pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, schema.columns, strict=True)], schema=schema.columns
    )  # fmt: skip
    return in_order(made.to_pylist())


def in_order(found: list[Row]) -> list[Row]:
    return sorted(
        (
            {k: v is not None if k.endswith("milli_c") else v for k, v in row.items()}
            for row in found
        ),
        key=lambda row: [str(row.get(k)) for k in ("kind", "name", "number", "line", "start_us")],
    )


def test_the_logs_say_what_the_tables_say(month: Made) -> None:
    """States with their lines, overlays, recordings, clocks, events: of every kind of officer, and of all
    that was done to an incident or befell a camera.
    """
    assert month.behaves.keys() == set(KINDS)
    assert month.does.keys() == {does.value for does in Does}
    for device in sorted({*month.behaves.values(), *month.does.values()}):
        line = read_again(device, month)
        assert line.findings == []
        for schema, found in (
            (SPANS, span_rows("example", line)), (RECORDINGS, recording_rows("example", line)),
            (EVENTS, event_rows("example", line)),
        ):  # fmt: skip
            again, made = table(schema, found), in_order(month.rows(schema, device))
            for one, two in zip(again, made, strict=True):
                assert one == two

"""What is written of a switch: bounded where it is disturbed, complete where it is thrown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import MS, NS
from bodycam.debounce import Edge, Glitch, LineFaultEnded, Toggle
from bodycam.eventlog import EventLog
from bodycam.signing import NoKey
from bodycam.switchlog import SwitchLog
from tests.evidence import START_NS, SteppedClock

AT = START_NS


class Written:
    """A log with what a switch log wrote."""

    def __init__(self, folder: Path) -> None:
        self.log = EventLog(folder, SteppedClock(START_NS + 3600 * NS), "test", NoKey())
        self.log.open()
        self.path = folder / "events.jsonl"
        self.lines = SwitchLog(self.log, {"holster": "weapon"}, slide=True)

    def of(self, ev: str) -> list[dict[str, Any]]:
        self.log.sync()
        lines = map(json.loads, self.path.read_bytes().split(b"\n")[:-1])
        return [line["data"] for line in lines if line["ev"] == ev]

    def toggle(self, active: bool, at_ns: int, pin: str = "record") -> int:
        return self.lines.toggle(pin, Toggle(pin, active, at_ns, at_ns + 30 * MS, 0, 1))


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    written = Written(tmp_path)
    yield written
    written.log.close()


def test_ten_spikes_a_minute_have_a_line_each_and_the_rest_one_with_the_widest(
    written: Written,
) -> None:
    for number in range(300):  # for two minutes and a half
        at_ns = AT + number * NS // 2
        width_ns = MS * (7 if number == 77 else 1)
        written.lines.outcome("record", Glitch("record", at_ns, width_ns, 2), settled=False)
    written.lines.tick(AT + 150 * NS)
    assert len(written.of("switch.glitch")) == 2 * 11 + 10, "the third minute is not over"
    written.lines.tick(AT + 180 * NS)
    lines = written.of("switch.glitch")
    assert [line["in_minute"] for line in lines[:10]] == list(range(1, 11))
    rest = [line for line in lines if line["count"] > 1]
    assert [(line["count"], line["in_minute"]) for line in rest] == [(110, 120)] * 2 + [(50, 60)]
    assert [line["width_ns"] for line in rest] == [7 * MS, MS, MS]
    assert sum(line["count"] for line in lines) == 300
    written.lines.tick(AT + 999 * NS)
    assert written.of("switch.glitch") == lines


def test_a_pulse_of_a_slide_that_is_on_cancelled_a_stop(written: Written) -> None:
    for _ in range(20):
        written.lines.outcome("record", Glitch("record", AT, 5 * MS, 2), settled=True)
    assert len(written.of("stop.cancelled")) == 20
    assert written.of("switch.glitch") == []


def test_edges_beyond_1200_a_minute_are_counted(written: Written) -> None:
    for number in range(2000):
        written.lines.edge(Edge("record", number % 2 == 0, AT + number * MS, number), faulty=False)
    assert len(written.of("switch.edge")) == 1200
    written.lines.edge(Edge("holster", True, AT + NS, 1), faulty=False)
    written.lines.edge(Edge("record", True, AT + 60 * NS, 2001), faulty=False)
    assert len(written.of("switch.edge")) == 1202
    assert written.of("switch.edges_suppressed") == [{"pin": "record", "edges": 800}]


def test_edges_of_a_line_in_fault_are_said_when_it_rests(written: Written) -> None:
    written.lines.edge(Edge("record", True, AT, 1), faulty=True)
    written.lines.outcome("record", LineFaultEnded("record", AT + NS, 1), settled=False)
    written.lines.edge(Edge("record", False, AT + 2 * NS, 2), faulty=False)
    assert written.of("switch.fault_ended") == [{"pin": "record", "edges": 1}]
    assert written.of("switch.edges_suppressed") == []
    assert len(written.of("switch.edge")) == 1


def test_off_within_a_second_is_short_and_a_trigger_never_is(written: Written) -> None:
    seq = written.toggle(True, AT)
    written.toggle(False, AT + 999 * MS)
    written.toggle(True, AT + 5 * NS)
    written.toggle(False, AT + 6 * NS)
    written.toggle(True, AT, "holster")
    written.toggle(False, AT + MS, "holster")
    assert written.of("activation.short") == [{"pin": "record", "on_ms": 999, "toggle": seq}]
    assert [line["name"] for line in written.of("trigger.on")] == ["weapon"]


def test_a_burst_is_said_once_a_minute(written: Written) -> None:
    for number in range(80):
        written.toggle(number % 2 == 0, AT + number * 2 * NS)
    bursts = written.of("toggle.burst")
    assert [line["within_ms"] for line in bursts] == [38_000] * 3
    assert len(written.of("switch.on")) + len(written.of("switch.off")) == 80
    for number in range(80):
        written.toggle(number % 2 == 0, AT + 3600 * NS + number * 4 * NS, "holster")
    assert len(written.of("toggle.burst")) == 3, "twenty in 76 s are none"

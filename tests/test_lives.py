"""How often the recorder was started and did not end in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bodycam.clock import NS, SystemClock
from bodycam.eventlog import EventLog
from bodycam.lives import Lives
from bodycam.signing import NoKey


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    (tmp_path / "log").mkdir()
    log = EventLog(tmp_path / "log", SystemClock(), "test", NoKey())
    log.open()
    yield log
    log.close()


def said(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "log" / "events.jsonl").read_bytes().splitlines()
    return [json.loads(line)["ev"] for line in lines]


def begun(tmp_path: Path, log: EventLog, times: int) -> list[bool]:
    return [Lives(tmp_path, SystemClock(), log).begin() for _ in range(times)]


def test_the_fifth_life_in_a_minute_is_one_of_a_loop(tmp_path: Path, log: EventLog) -> None:
    assert begun(tmp_path, log, 6) == [False, False, False, False, True, True]
    log.sync()
    assert said(tmp_path) == ["crashloop", "crashloop"]


def test_a_life_that_ends_in_order_is_no_death(tmp_path: Path, log: EventLog) -> None:
    begun(tmp_path, log, 4)
    Lives(tmp_path, SystemClock(), log).end()
    assert begun(tmp_path, log, 4) == [False] * 4


def test_deaths_of_long_ago_and_of_another_boot_do_not_count(tmp_path: Path, log: EventLog) -> None:
    now_ns = SystemClock().boot_ns()
    elsewhere = [now_ns - 61 * NS] * 4 + [now_ns + 3600 * NS] * 4
    (tmp_path / "lives.json").write_text(json.dumps(elsewhere), encoding="ascii")
    assert begun(tmp_path, log, 1) == [False]


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b'["a", null]', b"\xff", b"[1e999]"])
def test_a_file_of_nonsense_counts_for_nothing(tmp_path: Path, log: EventLog, raw: bytes) -> None:
    (tmp_path / "lives.json").write_bytes(raw)
    assert begun(tmp_path, log, 1) == [False]

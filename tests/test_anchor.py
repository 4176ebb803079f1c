"""The mark of the log off its card: which card was put in since."""

from __future__ import annotations

from pathlib import Path

import pytest

from bodycam.anchor import Anchor, Rollback
from bodycam.clock import SystemClock
from bodycam.eventlog import LOG_FILE, EventLog
from bodycam.signing import NoKey


def log_with(folder: Path, *events: str) -> EventLog:
    """A log that is open, with these lines added to what is there."""
    folder.mkdir(exist_ok=True)
    log = EventLog(folder, SystemClock(), "example/bodycam/BC-1", NoKey())
    log.open()
    for ev in events:
        log.append(ev, sync=True)
    return log


@pytest.fixture
def anchor_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "anchor"
    folder.mkdir()
    return folder


def judged(log: EventLog, anchor_folder: Path) -> Rollback | None:
    log.close()
    log.open()
    return Anchor(anchor_folder, log).judge()


def test_without_a_mark_nothing_is_known(tmp_path: Path, anchor_folder: Path) -> None:
    assert judged(log_with(tmp_path / "log", "one"), anchor_folder) is None


def test_a_log_that_went_on_is_the_same_one(tmp_path: Path, anchor_folder: Path) -> None:
    log = log_with(tmp_path / "log", "one", "two")
    Anchor(anchor_folder, log).keep()
    log.append("three", sync=True)
    assert judged(log, anchor_folder) is None


def test_an_older_state_of_the_log_is_shorter(tmp_path: Path, anchor_folder: Path) -> None:
    log = log_with(tmp_path / "log", "one", "two")
    yesterday = (tmp_path / "log" / LOG_FILE).read_bytes()
    log.append("three", sync=True)
    Anchor(anchor_folder, log).keep()
    log.close()
    (tmp_path / "log" / LOG_FILE).write_bytes(yesterday)
    assert judged(log_with(tmp_path / "log"), anchor_folder) is Rollback.SHORTER


def test_an_empty_card_is_shorter(tmp_path: Path, anchor_folder: Path) -> None:
    Anchor(anchor_folder, log_with(tmp_path / "log", "one")).keep()
    assert judged(log_with(tmp_path / "other"), anchor_folder) is Rollback.SHORTER


def test_a_log_as_long_as_the_marked_one_is_another(tmp_path: Path, anchor_folder: Path) -> None:
    Anchor(anchor_folder, log_with(tmp_path / "log", "one", "two")).keep()
    other = log_with(tmp_path / "other", "one", "two", "three")
    assert judged(other, anchor_folder) is Rollback.OTHER


def test_a_mark_never_names_a_line_that_a_power_cut_may_take(
    tmp_path: Path, anchor_folder: Path
) -> None:
    log = log_with(tmp_path / "log", "one")
    log.append("two")
    anchor = Anchor(anchor_folder, log)
    anchor.keep()
    assert anchor.mark is not None
    assert anchor.mark.lines == 1


def test_a_mark_that_is_torn_or_of_another_version_says_nothing(
    tmp_path: Path, anchor_folder: Path
) -> None:
    log = log_with(tmp_path / "log", "one")
    Anchor(anchor_folder, log).keep()
    (path,) = anchor_folder.iterdir()
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert Anchor(anchor_folder, log).mark is None
    path.write_bytes(whole)
    assert Anchor(anchor_folder, log).mark is not None


def test_a_mark_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    log = log_with(tmp_path / "log", "one")
    anchor = Anchor(tmp_path / "missing", log)
    for ev in ("two", "three"):
        anchor.keep()
        log.append(ev, sync=True)
    log.close()
    lines = (tmp_path / "log" / LOG_FILE).read_text(encoding="utf-8").splitlines()
    assert sum('"ev":"store.unanchored"' in line for line in lines) == 1

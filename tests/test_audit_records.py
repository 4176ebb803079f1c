"""Rosters, complaints and filings: every row counts or is given back with its number and why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bodycam.audit.complaints import Complaint, read_complaints
from bodycam.audit.duties import Arm, Duty, read_duties
from bodycam.audit.filings import Filing, read_filings
from bodycam.audit.rowkind import Records
from bodycam.clock import utc_from_text
from bodycam.errors import ConfigError

ROSTER = "Officer Badge ID,Duty Start DateTime,Duty End DateTime"
COMPLAINTS = "Event ID,Officer Badge ID,Complaint DateTime"
FILINGS = "Recording ID,Event ID,Category,Filed DateTime,Reviewed Event ID"
Reader = Callable[[list[Path]], Records[Any]]


def read(reader: Reader, folder: Path, *lines: str) -> Records[Any]:
    path = folder / "records.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = reader([path])
    assert found.rows == len(lines) - 1
    return found


def us(text: str) -> int:
    return utc_from_text(text) // 1000


def test_a_roster_says_who_was_on_duty_and_for_which_arm(tmp_path: Path) -> None:
    found = read(
        read_duties, tmp_path, f"{ROSTER},Unit,Site,Arm",
        "4711,2026-06-01T06:00:00Z,2026-06-01T14:00:00Z,Patrol A,North,Treatment",
        "4711,2026-06-02T06:00:00Z,2026-06-02T14:00:00Z,,,",
    )  # fmt: skip
    start, end = us("2026-06-01T06:00:00Z"), us("2026-06-01T14:00:00Z")
    assert found.good[0] == Duty(
        "4711", start, end, "Patrol A", "North", Arm.TREATMENT, "records.csv", 2
    )
    assert (found.good[1].arm, found.good[1].row) == (Arm.NONE, 3)
    (bare,) = read(read_duties, tmp_path, ROSTER, "1,2026-06-01T06:00Z,2026-06-08T06:00Z").good
    assert bare.unit == bare.site == ""


def test_a_complaint_may_be_of_all_who_were_there(tmp_path: Path) -> None:
    found = read(read_complaints, tmp_path, COMPLAINTS, "E1,4711,2026-06-03T08:00:00Z", "E2,,")
    assert found.good == [
        Complaint("E1", "4711", us("2026-06-03T08:00:00Z"), "records.csv", 2),
        Complaint("E2", "", None, "records.csv", 3),
    ]


def test_a_filing_says_what_a_reviewer_found_only_of_the_sample(tmp_path: Path) -> None:
    found = read(read_filings, tmp_path, FILINGS, "r1,E1,Traffic,2026-06-03T08:00:00Z,E9", "r2,,,,")
    filed_us = us("2026-06-03T08:00:00Z")
    assert found.good == [
        Filing("r1", "E1", "Traffic", filed_us, "E9", "records.csv", 2),
        Filing("r2", "", "", None, None, "records.csv", 3),
    ]


@pytest.mark.parametrize(
    ("reader", "heading", "row", "said"),
    [
        (read_duties, ROSTER, ",2026-06-01T06:00Z,2026-06-01T14:00Z", "badge id' is empty"),
        (read_duties, ROSTER, "1,2026-06-01T06:00Z,", "'duty end datetime' is empty"),
        (read_duties, ROSTER, "1,2026-06-01T06:00Z,2026-06-01T06:00Z", "must end later"),
        (read_duties, ROSTER, "1,2026-06-01T06:00Z,2026-06-08T06:01Z", "at most seven days"),
        (read_duties, f"{ROSTER},Arm", "1,2026-06-01T06:00Z,2026-06-01T14:00Z,both", "'arm' is"),
        (read_duties, f"{ROSTER},Unit", f"1,2026-06-01T06:00Z,2026-06-01T14:00Z,{'u' * 201}",
         "'unit' is of 201 characters"),
        (read_complaints, COMPLAINTS, ",4711,", "'event id' is empty"),
        (read_complaints, COMPLAINTS, "E1,47\x0711,", "'officer badge id' is no id"),
        (read_complaints, COMPLAINTS, "E1,4711,yesterday", "is no ISO 8601 time"),
        (read_filings, FILINGS, ",E1,Traffic,,", "'recording id' is empty"),
        (read_filings, FILINGS, "r1,E1,Traffic,2026-06-03T08:00:00,", "has no zone"),
    ],
)  # fmt: skip
def test_a_row_that_is_of_no_use_says_why(
    tmp_path: Path, reader: Reader, heading: str, row: str, said: str
) -> None:
    (bad,) = read(reader, tmp_path, heading, row).bad
    assert bad.row == 2
    assert said in bad.why


@pytest.mark.parametrize(
    ("reader", "rows", "said"),
    [
        (read_duties, [f"{ROSTER},Site", "1,2026-06-01T06:00Z,2026-06-01T14:00Z,N",
                       "1,2026-06-01T08:00+02:00,2026-06-01T14:00Z,N",
                       "1,2026-06-01T06:00Z,2026-06-01T14:00Z,S"], "officer and start of duty"),
        (read_complaints, [COMPLAINTS, "E1,,", "E1,,"], "an event, officer and time"),
        (read_filings, [FILINGS, "r1,E1,,,", "r1,E1,,,", "r1,E1,,,None"], "one row a recording"),
    ],
)  # fmt: skip
def test_a_second_row_repeats_or_contradicts_the_first(
    tmp_path: Path, reader: Reader, rows: list[str], said: str
) -> None:
    bad = read(reader, tmp_path, *rows).bad
    assert [one.why.partition(":")[0] for one in bad] == [
        "repeats row 2 of records.csv", "contradicts row 2 of records.csv",
    ][: len(bad)]  # fmt: skip
    assert len(bad) == len(rows) - 2
    assert all(said in one.why for one in bad)


@pytest.mark.parametrize("reader", [read_duties, read_complaints, read_filings])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(ConfigError, match=r"records\.csv, row 1: the heading lacks"):
        read(reader, tmp_path, "Device ID,Assigned DateTime", "cam-1,2026-06-01T06:00Z")

"""What dispatch hands over: every row counts or is given back with its number and what is wrong."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.audit.assignments import FOREVER_US, from_badges, read_assignments
from bodycam.audit.incidentcsv import Incidents, read_incidents
from bodycam.audit.incidents import windows
from bodycam.audit.moments import moment_us
from bodycam.audit.policy import load_policy
from bodycam.clock import utc_from_text
from bodycam.errors import CannotOpen, ConfigError, ExitCode

HEAD = "Event ID,Officer Badge ID,Officer Dispatched DateTime,Officer Cleared DateTime"
MORE = f"{HEAD},Call Type,Officer On Scene DateTime,Clearance Code"
ROW = "E1,4711,2026-06-01T08:00:00Z,2026-06-01T08:30:00Z"
BERLIN = ZoneInfo("Europe/Berlin")


def read(folder: Path, text: str | bytes, zone: ZoneInfo | None = None) -> Incidents:
    path = folder / "cad.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_incidents([path], zone)


def why(folder: Path, *rows: str, head: str = HEAD, zone: ZoneInfo | None = None) -> list[str]:
    found = read(folder, "\n".join([head, *rows]) + "\n", zone)
    assert found.rows == len(rows)
    return [f"{bad.row}: {bad.why}" for bad in found.bad]


def us(text: str) -> int:
    return utc_from_text(text) // 1000


# -- what is published, and what is asked for besides -------------------------------------------


def test_axon_s_columns_are_read_with_spaces_or_underscores(tmp_path: Path) -> None:
    for head in (HEAD, HEAD.replace(" ", "_"), HEAD.upper(), f"\ufeff{HEAD}"):
        (one,) = read(tmp_path, f"{head}\n{ROW}\n").good
        assert (one.event, one.officer, one.row, one.source) == ("E1", "4711", 2, "cad.csv")
        assert (one.dispatched_us, one.cleared_us) == (
            us("2026-06-01T08:00:00Z"), us("2026-06-01T08:30:00Z")
        )  # fmt: skip


def test_on_scene_call_type_and_clearance_are_read_where_they_are(tmp_path: Path) -> None:
    row = f"{ROW},DOMESTIC,2026-06-01T10:05:00+02:00,RPT"
    (one,) = read(tmp_path, f"{MORE},Street\n{row},Elm St\n").good
    assert (one.call_type, one.clearance) == ("DOMESTIC", "RPT")
    assert one.on_scene_us == us("2026-06-01T08:05:00Z")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_make_of_it_is_read(
    tmp_path: Path, encoding: str, separator: str, end: str
) -> None:
    text = end.join([MORE, f"{ROW},Ruhestörung,,"]).replace(",", separator) + end
    (one,) = read(tmp_path, text.encode(encoding)).good
    assert (one.call_type, one.row) == ("Ruhestörung", 2)


# -- what is wrong is said ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("E1,,2026-06-01T08:00:00Z,2026-06-01T08:30:00Z", "'officer badge id' is empty"),
        ("E1,4711,,2026-06-01T08:30:00Z", "'officer dispatched datetime' is empty"),
        ("E1,4711,2026-06-01T08:00:00Z", "has 3 cells, the heading has 4"),
        (f"{ROW},", "has 5 cells, the heading has 4"),
        ("E1,4711,2026-06-01T08:00:00Z,2026-06-01T16:00:00Z", "by less than 8 hours"),
        ("E1,4711,2026-06-01T08:00:00Z,2026-06-01T08:00:00Z", "by less than 8 hours"),
        ("E1,4711,2026-06-01T08:00:00Z,2026-06-01T07:00:00Z", "by less than 8 hours"),
        ("E1,4711,2026-06-01T08:00:00,2026-06-01T08:30:00Z", "has no zone"),
        ("E1,4711,06/01/2026 08:00,2026-06-01T08:30:00Z", "is no ISO 8601 time"),
        ("E1,4711,2026-06-31T08:00:00Z,2026-06-01T08:30:00Z", "is no time of the calendar"),
        ("E1,4711,2026-06-01,2026-06-01T08:30:00Z", "is no ISO 8601 time"),
        ("E1,4711,1900-01-01T08:00:00Z,2026-06-01T08:30:00Z", "is of the year 1900"),
        ("E1,47\x0011,2026-06-01T08:00:00Z,2026-06-01T08:30:00Z", "holds a zero byte"),
        ("E1,47\x0711,2026-06-01T08:00:00Z,2026-06-01T08:30:00Z", "is no id"),
        (f"{'E' * 300},4711,2026-06-01T08:00:00Z,2026-06-01T08:30:00Z", "is no id"),
    ],
)
def test_a_row_that_is_of_no_use_says_why(tmp_path: Path, row: str, said: str) -> None:
    (bad,) = why(tmp_path, row)
    assert bad.startswith("2: ")
    assert said in bad


def test_on_scene_must_be_between(tmp_path: Path) -> None:
    for at in ("2026-06-01T07:59:59Z", "2026-06-01T08:30:00Z"):
        assert "on scene must be" in why(tmp_path, f"{ROW},,{at},", head=MORE)[0]


def test_bytes_that_are_not_utf_8_cost_their_row_alone(tmp_path: Path) -> None:
    good = ROW.replace("E1", "E2")
    text = f"{MORE}\n{ROW},Ruhestörung,,\n{good},,,\n".encode("latin-1")
    found = read(tmp_path, text)
    assert [one.event for one in found.good] == ["E2"]
    assert [(bad.row, bad.why) for bad in found.bad] == [
        (2, "is not UTF-8: save the file as UTF-8")
    ]


def test_a_quote_that_nothing_closes_names_the_lines_that_it_swallows(tmp_path: Path) -> None:
    rows = "\n".join(ROW.replace("E1", f"E{n}") for n in range(2, 6))
    found = read(tmp_path, f'{HEAD}\n{ROW}\n"{rows}\n')
    assert len(found.good) == 1
    (bad,) = found.bad
    assert bad.row == 3
    assert "lines 3 to 6" in bad.why


def test_quoted_cells_keep_the_number_of_the_line_they_begin_on(tmp_path: Path) -> None:
    rows = [f'{ROW},"one\ntwo\nthree",,', f"{ROW.replace('E1', 'E2')},,,", "short"]
    found = read(tmp_path, "\n".join([MORE, *rows]))
    assert [one.row for one in found.good] == [2, 5]
    assert [bad.row for bad in found.bad] == [6]


def test_duplicates_and_contradictions_are_told_apart(tmp_path: Path) -> None:
    assert why(tmp_path, ROW, ROW, ROW.replace("08:30", "08:40"), ROW.replace("4711", "4712")) == [
        "3: repeats row 2 of cad.csv: one row an officer and event",
        "4: contradicts row 2 of cad.csv: one row an officer and event",
    ]


def test_duplicates_are_found_across_files_of_one_name(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "cad.csv")
        paths[-1].write_text(f"{HEAD}\n{ROW}\n", encoding="utf-8")
    found = read_incidents(paths)
    assert (len(found.good), len(found.bad)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: the heading lacks 'event id'"),
        ("hello\n", "row 1: the heading lacks 'event id'"),
        (HEAD.replace("Officer Cleared DateTime", "Cleared"), "lacks 'officer cleared datetime'"),
        (f"{HEAD},Call Type,Call_type\n", "call type is there twice"),
    ],
)
def test_a_file_of_no_use_is_refused_as_a_whole(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"cad\.csv") as fault:
        read(tmp_path, text)
    assert said in str(fault.value)
    assert fault.value.exit_code is ExitCode.USAGE


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match=r"nothing\.csv"):
        read_incidents([tmp_path / "nothing.csv"])


@given(st.binary(max_size=400))
def test_whatever_the_bytes_no_row_is_lost_and_nothing_crashes(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    body = raw.replace(b"\r", b"").replace(b'"', b"").replace(b"\n\n", b"\n").strip(b"\n")
    found = read(folder, HEAD.encode() + b"\n" + body + b"\n")
    lines = [line for line in body.split(b"\n") if line]
    assert found.rows == len(lines)
    assert [bad.row for bad in found.bad] == list(range(2, 2 + len(lines)))


# -- zones and the nights on which clocks are changed ------------------------------------------


def test_local_times_need_the_name_of_their_zone(tmp_path: Path) -> None:
    row = "E1,4711,2026-06-01T10:00:00,2026-06-01T10:30:00"
    (one,) = read(tmp_path, f"{HEAD}\n{row}\n", BERLIN).good
    assert one.dispatched_us == us("2026-06-01T08:00:00Z")


def test_an_hour_that_never_was_and_one_that_was_twice_are_given_back(tmp_path: Path) -> None:
    spring = "E1,4711,2026-03-29T02:30:00,2026-03-29T03:30:00"
    autumn = "E2,4711,2026-10-25T01:50:00,2026-10-25T02:30:00"
    exact = "E3,4711,2026-10-25T02:50:00+02:00,2026-10-25T02:10:00+01:00"
    never, twice = why(tmp_path, spring, autumn, exact, zone=BERLIN)
    assert "never was in Europe/Berlin: the clocks were put forward" in never
    assert "was twice in Europe/Berlin: the clocks were put back" in twice
    (one,) = read(tmp_path, f"{HEAD}\n{exact}\n", BERLIN).good
    assert one.cleared_us is not None
    assert one.cleared_us - one.dispatched_us == 20 * 60 * 1_000_000


def test_a_shift_over_the_night_lasts_as_long_as_it_lasted(tmp_path: Path) -> None:
    row = "E1,4711,2026-10-25T01:00:00,2026-10-25T04:00:00"
    (one,) = read(tmp_path, f"{HEAD}\n{row}\n", BERLIN).good
    assert one.cleared_us is not None
    assert one.cleared_us - one.dispatched_us == 4 * 3_600_000_000


@given(
    st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2400, 1, 1)),
    st.sampled_from(["Z", "+00:00", "-08:00", "+05:30", "+0200"]),
)
def test_times_with_an_offset_are_exact(moment: datetime, offset: str) -> None:
    text = f"{moment.isoformat(timespec='microseconds')}{offset}"
    assert moment_us(text, None) * 1000 == utc_from_text(text)


# -- overlaps, open ends, many rows ------------------------------------------------------------


def test_overlapping_incidents_stay_two(tmp_path: Path) -> None:
    other = ROW.replace("E1", "E2").replace("08:00", "08:10").replace("08:30", "08:50")
    found = read(tmp_path, f"{HEAD}\n{ROW}\n{other}\n")
    rules = load_policy().incident
    one, two = windows(found.good, rules)
    assert one is not None
    assert two is not None
    assert (one.length_us, two.length_us) == (30 * 60_000_000, 40 * 60_000_000)


def test_an_incident_without_an_end_is_no_bad_row(tmp_path: Path) -> None:
    (one,) = read(tmp_path, f"{HEAD}\nE1,4711,2026-06-01T08:00:00Z,\n").good
    assert one.cleared_us is None


def test_of_fifty_thousand_rows_none_is_lost(tmp_path: Path) -> None:
    rng = random.Random(5)
    rows, spoiled = [], []
    for n in range(50_000):
        row = ROW.replace("E1", f"E{n}")
        if rng.random() < 0.01:
            spoiled.append(n + 2)
            row = rng.choice(
                [row + ",", row.replace("T08:00", "T09:00"), row.replace("Z", ""), "x"]
            )
        rows.append(row)
    found = read(tmp_path, "\n".join([HEAD, *rows]))
    assert [bad.row for bad in found.bad] == spoiled
    assert len(found.good) == 50_000 - len(spoiled)


# -- assignments -------------------------------------------------------------------------------


def test_assignments_say_who_wore_what_and_when(tmp_path: Path) -> None:
    path = tmp_path / "worn.csv"
    path.write_text(
        "Device ID,Officer Badge ID,Assigned DateTime,Returned DateTime\n"
        "cam-1,4711,2026-06-01T08:00:00Z,2026-06-01T16:00:00Z\n"
        "cam-2,4711,2026-06-01T15:00:00Z,\n"
        "cam-3,4712,2026-06-01T16:00:00Z,2026-06-01T15:00:00Z\n",
        encoding="utf-8",
    )
    found = read_assignments([path])
    assert found.devices() == {"cam-1", "cam-2"}
    assert found.of("4711")["cam-2"][0].end_us == FOREVER_US
    assert [tuple(i) for i in found.worn_twice("4711")] == [
        (us("2026-06-01T15:00:00Z"), us("2026-06-01T16:00:00Z"))
    ]
    assert [(bad.row, bad.why) for bad in found.bad] == [
        (4, "returned must be later than assigned")
    ]


def test_without_assignments_a_badge_is_a_camera() -> None:
    found = from_badges(["cam-1", "cam-2"])
    assert set(found.of("cam-1")) == {"cam-1"}
    assert found.of("4711") == {}

"""Records in the data set: every row of every file counts or is named, whatever is killed or replaced."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bodycam.audit.csvrows import BadRow
from bodycam.audit.dataset.records import KINDS, Records, Taken
from bodycam.audit.dataset.schema import RECORD_TABLES
from bodycam.audit.dataset.store import MANIFEST, DataSet, open_to_write
from bodycam.audit.rowkind import read_records
from bodycam.cli import main
from bodycam.clock import utc_from_text
from bodycam.errors import CannotOpen, ConfigError, ExitCode

from .auditlogs import day
from .hostilecsv import reason, write

HEAD = "Event ID,Officer Badge ID,Officer Dispatched DateTime,Officer Cleared DateTime"
ROW = "E1,4711,2026-06-01T08:00:00Z,2026-06-01T08:30:00Z"
COMPLAINTS = "Event ID,Officer Badge ID,Complaint DateTime"
BERLIN = ZoneInfo("Europe/Berlin")
Show = Callable[[int, int], None]


def file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def row(event: str, code: str = "08:30") -> str:
    return ROW.replace("E1", event).replace("08:30", code)


def take(
    into: Path, paths: Sequence[Path], *, table: str = "incidents", zone: tzinfo | None = None,
    force: str = "example", show: Show = lambda _done, _total: None,
) -> list[Taken]:  # fmt: skip
    with open_to_write(into) as data:
        return Records(data, force, zone).take({table: paths}, show)


def rows(into: Path, table: str = "incidents") -> list[dict[str, Any]]:
    found = [
        row
        for path in DataSet(into).paths(table)
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]
    return sorted(found, key=lambda r: (r["file"], r["row"]))


def counted(into: Path) -> list[str]:
    return [f"{r['event']} {r['file']} {r['row']}" for r in rows(into)]


def whys(into: Path) -> list[str]:
    return [f"{r['file']} {r['row']}: {r['why']}" for r in rows(into, "bad_rows")]


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def us(text: str) -> int:
    return utc_from_text(text) // 1000


# -- what becomes of a file --------------------------------------------------------------------

GIVEN: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "incidents": (
        f"{HEAD},District,Unit", f"{ROW},North,U1",
        {"event": "E1", "officer": "4711", "dispatched_us": us("2026-06-01T08:00:00Z"),
         "cleared_us": us("2026-06-01T08:30:00Z"), "on_scene_us": None, "first_entry_us": None,
         "self_initiated": False, "call_type": "", "clearance": "", "district": "North",
         "unit": "U1", "month": "2026-06"},
    ),
    "assignments": (
        "Device ID,Officer Badge ID,Assigned DateTime,Returned DateTime",
        "cam-1,4711,2026-05-31T23:00:00Z,",
        {"device": "cam-1", "officer": "4711", "start_us": us("2026-05-31T23:00:00Z"),
         "end_us": 1 << 60, "month": "2026-05"},
    ),
    "duties": (
        "Officer Badge ID,Duty Start DateTime,Duty End DateTime,Site,Arm",
        "4711,2026-06-01T06:00Z,2026-06-01T14:00Z,S,Control",
        {"officer": "4711", "start_us": us("2026-06-01T06:00:00Z"),
         "end_us": us("2026-06-01T14:00:00Z"), "unit": "", "site": "S", "arm": "control",
         "month": "2026-06"},
    ),
    "force_uses": (
        "Event ID,Officer Badge ID,Force DateTime", "E1,4711,2026-06-01T08:10:00Z",
        {"event": "E1", "officer": "4711", "at_us": us("2026-06-01T08:10:00Z"),
         "rounding_us": None, "month": "2026-06"},
    ),
    "complaints": (
        COMPLAINTS, "E1,,", {"event": "E1", "officer": "", "at_us": None, "month": "unplaced"},
    ),
    "filings": (
        "Recording ID,Event ID,Category,Filed DateTime,Reviewed Event ID",
        "r1,E1,Traffic,2026-07-01T00:00:00Z,E2",
        {"recording": "r1", "event": "E1", "category": "Traffic",
         "filed_us": us("2026-07-01T00:00:00Z"), "reviewed_event": "E2", "month": "2026-07"},
    ),
}  # fmt: skip


def test_every_kind_has_a_reader_and_a_table() -> None:
    assert set(KINDS) == set(GIVEN) == set(RECORD_TABLES) - {"bad_rows"}
    for schema, kind, month_by in KINDS.values():
        said = {"force", "month", "file", "row", *kind.key, *kind.said}
        assert set(schema.columns.names) == said
        assert month_by in schema.columns.names


@pytest.mark.parametrize("table", GIVEN)
def test_rows_lie_in_their_table_and_month(tmp_path: Path, table: str) -> None:
    heading, line, wanted = GIVEN[table]
    path = file(tmp_path, "records.csv", heading, line, "x")
    into = tmp_path / "set"
    (taken,) = take(into, [path], table=table)
    assert (taken.status, taken.file.good, taken.file.bad) == ("added", 1, 1)
    place = {"force": "example", "file": "records.csv", "row": 2}
    assert rows(into, table) == [{**wanted, **place}]
    (bad,) = rows(into, "bad_rows")
    assert (bad["kind"], bad["row"], bad["text"]) == (table, 3, "x")
    (found,) = DataSet(into).paths(table)
    assert found.parent == into / table / "force=example" / f"month={wanted['month']}"


def test_the_same_bytes_change_nothing_under_any_name(tmp_path: Path) -> None:
    into = tmp_path / "set"
    one = file(tmp_path, "a.csv", HEAD, ROW, ROW)
    take(into, [one])
    before = bytes_of(into)
    other = file(tmp_path, "b.csv", HEAD, ROW, ROW)
    for paths in ([one], [other], [one, other]):
        again = take(into, paths)
        assert {(t.status, t.file.name, t.file.bad) for t in again} == {("unchanged", "a.csv", 1)}
    assert bytes_of(into) == before
    # So it is in one command, where neither was there before.
    both = take(tmp_path / "new", [one, one, other])
    assert [(t.status, t.file.name) for t in both] == [("added", "a.csv"), ("unchanged", "a.csv")]
    # Another kind, or another force, is another file.
    assert take(into, [one], force="other")[0].status == "added"


def test_other_bytes_of_the_same_name_take_the_place(tmp_path: Path) -> None:
    into = tmp_path / "set"
    take(into, [file(tmp_path, "a.csv", HEAD, row("E1"), row("E2"), "x")])
    (taken,) = take(into, [file(tmp_path, "a.csv", HEAD, row("E2"), row("E3"))])
    assert (taken.status, taken.file.good, taken.file.bad) == ("replaced", 2, 0)
    assert counted(into) == ["E2 a.csv 2", "E3 a.csv 3"]
    assert whys(into) == []
    named = {into / f.path for f in DataSet(into).manifest.files}
    assert set(into.rglob("*.parquet")) == named


def test_the_heading_alone_takes_the_rows_away(tmp_path: Path) -> None:
    into = tmp_path / "set"
    take(into, [file(tmp_path, "a.csv", HEAD, ROW)])
    (taken,) = take(into, [file(tmp_path, "a.csv", HEAD)])
    assert (taken.status, taken.file.good, taken.file.bad) == ("replaced", 0, 0)
    assert rows(into) == []
    assert not list(into.rglob("*.parquet"))


def test_a_name_that_gets_the_bytes_of_another_does_not_keep_its_old_rows(tmp_path: Path) -> None:
    into = tmp_path / "set"
    a, b = file(tmp_path, "a.csv", HEAD, row("E1")), file(tmp_path, "b.csv", HEAD, row("E2"))
    take(into, [a, b])
    a.write_bytes(b.read_bytes())
    assert [(t.status, t.file.good, t.file.bad) for t in take(into, [a, b])] == [
        ("replaced", 0, 1), ("unchanged", 1, 0),
    ]  # fmt: skip
    assert counted(into) == ["E2 b.csv 2"]


def test_the_same_file_in_another_zone_is_read_again(tmp_path: Path) -> None:
    into = tmp_path / "set"
    path = file(tmp_path, "a.csv", HEAD, ROW.replace("Z", ""))
    assert take(into, [path])[0].file.bad == 1
    assert take(into, [path], zone=BERLIN)[0].status == "replaced"
    assert rows(into)[0]["dispatched_us"] == us("2026-06-01T06:00:00Z")
    assert take(into, [path], zone=BERLIN)[0].status == "unchanged"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    one = file(tmp_path / "x", "a.csv", HEAD, row("E1"))
    two = file(tmp_path / "y", "a.csv", HEAD, row("E2"))
    with pytest.raises(ConfigError, match="two files of one name"):
        take(tmp_path / "set", [one, two])
    assert DataSet(tmp_path / "set").manifest.files == ()


# -- what is there twice -----------------------------------------------------------------------


def test_the_first_row_counts_across_rows_and_files(tmp_path: Path) -> None:
    into = tmp_path / "set"
    a = file(tmp_path, "a.csv", HEAD, row("E1"), row("E2"), row("E1"))
    b = file(tmp_path, "b.csv", HEAD, row("E2", "08:40"), row("E3"))
    take(into, [a, b])
    take(into, [file(tmp_path, "c.csv", HEAD, row("E3"), row("E4"), row("E4", "08:50"))])
    assert counted(into) == ["E1 a.csv 2", "E2 a.csv 3", "E3 b.csv 3", "E4 c.csv 3"]
    ending = "one row an officer and event"
    assert whys(into) == [
        f"a.csv 4: repeats row 2 of a.csv: {ending}",
        f"b.csv 2: contradicts row 3 of a.csv: {ending}",
        f"c.csv 2: repeats row 3 of b.csv: {ending}",
        f"c.csv 4: contradicts row 3 of c.csv: {ending}",
    ]
    assert rows(into, "bad_rows")[0]["text"] == "E1,4711"


def test_of_two_forces_no_row_is_there_twice(tmp_path: Path) -> None:
    into = tmp_path / "set"
    path = file(tmp_path, "a.csv", HEAD, ROW)
    take(into, [path])
    (taken,) = take(into, [path], force="other")
    assert (taken.file.good, taken.file.bad) == (1, 0)


def test_rows_that_were_second_to_a_file_that_is_replaced_are_not_lost(tmp_path: Path) -> None:
    into = tmp_path / "set"
    a, b = file(tmp_path, "a.csv", HEAD, row("E1")), file(tmp_path, "b.csv", HEAD, row("E1"), "")
    c = file(tmp_path, "c.csv", HEAD, row("E9"))
    take(into, [a, b, c])
    before = bytes_of(into)
    file(tmp_path, "a.csv", HEAD, row("E2"))
    with pytest.raises(ConfigError, match=r"rows of b\.csv \(incidents\) were left out"):
        take(into, [a])
    assert bytes_of(into) == before
    assert [t.status for t in take(into, [a, b, c])] == ["replaced", "replaced", "unchanged"]
    assert counted(into) == ["E2 a.csv 2", "E1 b.csv 2", "E9 c.csv 2"]
    assert whys(into) == []


def test_files_that_are_replaced_together_do_not_meet_their_old_selves(tmp_path: Path) -> None:
    into = tmp_path / "set"
    a, b = file(tmp_path, "a.csv", HEAD, row("E1")), file(tmp_path, "b.csv", HEAD, row("E2"))
    take(into, [a, b])
    file(tmp_path, "a.csv", HEAD, row("E2"))
    file(tmp_path, "b.csv", HEAD, row("E1"))
    assert [(t.file.good, t.file.bad) for t in take(into, [a, b])] == [(1, 0), (1, 0)]


EVENTS = st.sampled_from(["E1", "E2", "E3"])
LINES = {
    "incidents": (f"{HEAD},Call Type", st.builds(
        "{},{},2026-06-01T08:{}:00Z,,{}".format, EVENTS, st.sampled_from("AB"),
        st.sampled_from(["00", "10", "xx"]), st.sampled_from(["", "T"]))),
    "complaints": (COMPLAINTS, st.builds(
        "{},{},{}".format, EVENTS, st.sampled_from(["", "A"]),
        st.sampled_from(["", "2026-06-01T08:00Z", "2026-06-01T10:00+02:00", "x"]))),
    "force_uses": ("Event ID,Officer Badge ID,Force DateTime,Rounded To Seconds", st.builds(
        "{},A,2026-06-01T08:0{}:00Z,{}".format, EVENTS, st.sampled_from("01"),
        st.sampled_from(["", "0", "60", "-"]))),
    "filings": ("Recording ID,Event ID,Category,Filed DateTime,Reviewed Event ID", st.builds(
        "r{},{},,,{}".format, st.integers(1, 4), EVENTS, st.sampled_from(["", "None", "E1"]))),
    "duties": ("Officer Badge ID,Duty Start DateTime,Duty End DateTime,Arm", st.builds(
        "{},2026-06-01T0{}:00Z,2026-06-01T09:00Z,{}".format, st.sampled_from("AB"),
        st.integers(5, 9), st.sampled_from(["", "control", "x"]))),
    "assignments": ("Device ID,Officer Badge ID,Assigned DateTime,Returned DateTime", st.builds(
        "cam-{},A,2026-06-01T0{}:00Z,{}".format, st.integers(1, 2), st.integers(5, 6),
        st.sampled_from(["", "2026-06-01T09:00Z"]))),
}  # fmt: skip


@settings(max_examples=15, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.data())
def test_what_counts_is_what_the_plain_reader_counts(tmp_path: Path, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(sorted(LINES)))
    heading, lines = LINES[table]
    folder = tmp_path / hashlib.sha256(os.urandom(8)).hexdigest()
    folder.mkdir()
    # One more line a file: two files of the same bytes are one.
    paths = [
        file(folder, f"{name}.csv", heading, *data.draw(st.lists(lines, max_size=8)), f"end {name}")
        for name in data.draw(st.sampled_from(["a", "ab", "abc"]))
    ]
    _, kind, _ = KINDS[table]
    plain = read_records(kind, paths, None)
    into = folder / "set"
    if data.draw(st.booleans()):
        taken = take(into, paths, table=table)
    else:
        taken = [one for path in paths for one in take(into, [path], table=table)]
    found = {(r["file"], r["row"]) for r in rows(into, table)}
    assert found == {(one.source, one.row) for one in plain.good}
    wanted = sorted(f"{bad.file} {bad.row}: {bad.why}" for bad in plain.bad)
    assert sorted(whys(into)) == wanted
    assert sum(t.file.good + t.file.bad for t in taken) == plain.rows


# -- however many, however bad -----------------------------------------------------------------


def by_reason(into: Path) -> tuple[int, Counter[str], Counter[str]]:
    """Rows that count, and the others by what is wrong: how many, and the sum of their numbers."""
    paths = [str(p) for p in DataSet(into).paths("bad_rows")]
    found: Counter[str] = Counter()
    places: Counter[str] = Counter()
    with duckdb.connect() as engine:
        query = (
            "SELECT regexp_replace(why, '[0-9]+ of .*', ''), any_value(why), count(*), sum(row) "
            "FROM read_parquet(?, hive_partitioning = false) GROUP BY 1"
        )
        for _, why, count, place in engine.execute(query, [paths]).fetchall():
            found[reason(why)] += count
            places[reason(why)] += int(place)
    good = sum(f.rows for f in DataSet(into).manifest.files if f.table == "incidents")
    return good, found, places


def test_of_a_hostile_file_no_row_is_lost(tmp_path: Path) -> None:
    path, into = tmp_path / "cad.csv", tmp_path / "set"
    truth = write(path, 50_000)
    assert len(truth.bad) > 20
    shown: list[tuple[int, int]] = []
    (taken,) = take(into, [path], zone=BERLIN, show=lambda done, of: shown.append((done, of)))
    assert (taken.file.good, taken.file.bad) == (truth.good, truth.bad.total())
    assert by_reason(into) == (truth.good, truth.bad, truth.places)
    assert shown == sorted(shown)
    assert shown[-1] == (path.stat().st_size, path.stat().st_size)
    plain = read_records(KINDS["incidents"][1], [path], BERLIN)
    assert sorted(whys(into)) == sorted(f"{b.file} {b.row}: {b.why}" for b in plain.bad)
    keys = {(r["event"], r["officer"]): r["row"] for r in rows(into)}
    assert keys == {(one.event, one.officer): one.row for one in plain.good}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_of_ten_million_rows_none_is_lost_in_a_gigabyte(tmp_path: Path) -> None:
    path, into = tmp_path / "cad.csv", tmp_path / "set"
    truth = write(path, 10_000_000)
    command = [sys.executable, "-m", "bodycam", "audit", "ingest", "--into", str(into),
               "--force-name", "example", "--zone", "Europe/Berlin", "--incidents", str(path)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        _, status, used = os.wait4(running.pid, 0)
    assert os.waitstatus_to_exitcode(status) == ExitCode.INCOMPLETE
    assert by_reason(into) == (truth.good, truth.bad, truth.places)
    assert used.ru_maxrss < 1 << 20  # KiB
    assert used.ru_utime + used.ru_stime < 600


# -- what goes wrong on the way ----------------------------------------------------------------


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", HEAD, ROW)
    into = tmp_path / "set"

    def meddle(_done: int, _total: int) -> None:
        path.write_text(path.read_text() + "more\n")

    grown = file(tmp_path, "b.csv", HEAD, row("E2"))
    with pytest.raises(CannotOpen, match=r"a\.csv: changed while it was read"):
        take(into, [grown, path], show=meddle)
    assert counted(into) == ["E2 b.csv 2"]
    assert not (into / "spill").exists()


def test_what_is_no_file_is_told_before_anything_is_read(tmp_path: Path) -> None:
    into, good = tmp_path / "set", file(tmp_path, "a.csv", HEAD, ROW)
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file"),
                       (tmp_path / "pipe", "is no file")):  # fmt: skip
        with pytest.raises(CannotOpen, match=said):
            take(into, [good, path])
    other = file(tmp_path, "c.csv", COMPLAINTS, "E1,,")
    with pytest.raises(ConfigError, match=r"c\.csv, row 1: the heading lacks"):
        take(into, [good, other])
    assert DataSet(into).manifest.files == ()


def test_an_old_file_of_the_set_that_was_changed_is_told(tmp_path: Path) -> None:
    into = tmp_path / "set"
    take(into, [file(tmp_path, "a.csv", HEAD, ROW)])
    (path,) = DataSet(into).paths("incidents")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CannotOpen, match="was changed"):
        take(into, [file(tmp_path, "b.csv", HEAD, row("E2"))])


def test_a_full_disk_changes_nothing_and_the_same_command_goes_on(tmp_path: Path) -> None:
    small = file(tmp_path, "small.csv", HEAD, row("E"))
    big = file(tmp_path, "big.csv", HEAD, *(row(f"E{n}") for n in range(20_000)))
    into = tmp_path / "set"
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
        "from bodycam.cli import main\n"
        "sys.exit(main(sys.argv[2:]))\n"
    )
    words = ["audit", "ingest", "--into", str(into), "--force-name", "example",
             "--incidents", str(small), "--incidents", str(big)]  # fmt: skip
    for room in (60_000, 5_000):
        done = subprocess.run(
            [sys.executable, "-c", program, str(room), *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == ExitCode.STORAGE, done.stderr
        assert "no space left" in done.stderr
        assert counted(into) == ["E small.csv 2"]
    assert main(words) == ExitCode.OK
    assert len(counted(into)) == 20_001


@pytest.mark.system
def test_a_kill_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.csv" for n in range(4)]
    for n, path in enumerate(paths):
        write(path, 2000, seed=n)
    whole = tmp_path / "whole"
    take(whole, paths, zone=BERLIN)
    wanted = {t: {repr(r) for r in rows(whole, t)} for t in ("incidents", "bad_rows")}
    into = tmp_path / "set"
    command = [sys.executable, "-m", "bodycam", "audit", "ingest", "--into", str(into),
               "--force-name", "example", "--zone", "Europe/Berlin"]  # fmt: skip
    command += [word for path in paths for word in ("--incidents", str(path))]
    rng, seen = random.Random(3), set()
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
            # By what it has written, not by the clock: before, in and behind a commit.
            target = rng.choice(["spill", "incidents", "bad_rows", MANIFEST])
            while running.poll() is None and not list(into.glob(f"{target}*")):
                pass
            running.send_signal(signal.SIGKILL)
        if not (into / MANIFEST).exists():
            continue
        names = {f.name for f in DataSet(into).manifest.records}
        seen.add(len(names))
        for table, all_rows in wanted.items():
            mine = {repr(r) for r in rows(into, table)}
            assert mine == {r for r in all_rows if any(f"'file': '{n}'" in r for n in names)}
    assert seen
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == ExitCode.INCOMPLETE
    assert {t: {repr(r) for r in rows(into, t)} for t in wanted} == wanted
    assert not (into / "spill").exists()


# -- the command -------------------------------------------------------------------------------


def test_the_command_says_what_became_of_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cad = file(tmp_path, "cad.csv", HEAD, ROW, *["x"] * 7)
    told = file(tmp_path, "told.csv", COMPLAINTS, "E1,,")
    words = ["audit", "ingest", "--into", str(tmp_path / "set"), "--incidents", str(cad),
             "--complaints", str(told)]  # fmt: skip
    assert main(words) == ExitCode.USAGE
    assert "whose records are these? Forces in the data set: none yet" in capsys.readouterr().err
    assert main([*words, "--force-name", "example"]) == ExitCode.INCOMPLETE
    out = capsys.readouterr().out
    assert "added       cad.csv: 1 rows of incidents, 7 bad rows" in out
    assert "row 3: has 1 cells, the heading has 4 | x" in out
    assert "and 2 more, in the table bad_rows" in out
    # From then on there is only one force it can be. A bad row stays one.
    assert main(words) == ExitCode.INCOMPLETE
    assert "unchanged   cad.csv: 1 rows of incidents, 7 bad rows" in capsys.readouterr().out
    assert main([*words[:4], "--complaints", str(told)]) == ExitCode.OK
    told = told.rename(tmp_path / "june.csv")
    capsys.readouterr()
    assert main([*words[:4], "--complaints", str(told)]) == ExitCode.OK
    assert "unchanged   june.csv, which is told.csv: 1 rows" in capsys.readouterr().out
    words[-1] = str(told)
    for more, said in ((["--force-name", " "], "is no name"), (["--zone", "Nowhere"], "--zone")):
        assert main([*words, *more]) == ExitCode.USAGE
        assert said in capsys.readouterr().err


def test_whose_records_they_are_the_cameras_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with day(tmp_path / "day", "cam-0001") as camera:
        camera.boot(0)
        camera.record(100, 200)
        camera.end(300)
        camera.log.checkpoint()
    into, cad = tmp_path / "set", file(tmp_path, "cad.csv", HEAD, ROW)
    words = ["audit", "ingest", str(camera.store), "--into", str(into), "--trust",
             str(camera.identity.root), "--incidents", str(cad)]  # fmt: skip
    assert main(words) == ExitCode.OK
    assert {(r["force"], r["file"]) for r in rows(into)} == {("example", "cad.csv")}
    before = bytes_of(into)
    assert main(words) == ExitCode.OK
    assert bytes_of(into) == before
    # Another camera leaves the records as they are, and a corrected file the cameras.
    with day(tmp_path / "other", "cam-0002") as other:
        other.boot(0)
        other.end(50)
    file(tmp_path, "cad.csv", HEAD, row("E2"))
    assert (
        main([*words[:2], str(other.store), *words[3:6], str(other.identity.root)]) == ExitCode.OK
    )
    assert counted(into) == ["E1 cad.csv 2"]
    assert main([*words[:2], *words[3:5], "--incidents", str(cad)]) == ExitCode.OK
    assert counted(into) == ["E2 cad.csv 2"]
    assert {source.device for source in DataSet(into).sources()} == {"cam-0001", "cam-0002"}
    # Somebody who mistypes the name is told.
    capsys.readouterr()
    cad.write_text(cad.read_text() + "\n")
    main([*words[:2], *words[3:5], "--incidents", str(cad), "--force-name", "exmaple"])
    assert "nothing of the force exmaple is in the data set so far" in capsys.readouterr().out


def test_the_command_needs_a_root_for_stores_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", "ingest", "--into", str(tmp_path / "set")]
    assert main(words) == ExitCode.USAGE
    assert "neither stores nor records" in capsys.readouterr().err
    assert main([*words, str(tmp_path)]) == ExitCode.USAGE
    assert "stores need --trust" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_options_before_the_word_ingest_are_not_dropped_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", "--incidents", "cad.csv", "--zone", "Europe/Berlin", "ingest", "--into",
             str(tmp_path / "set"), "--roster", "duty.csv"]  # fmt: skip
    assert main(words) == ExitCode.USAGE
    assert "--incidents, --zone before 'ingest'" in capsys.readouterr().err


def test_what_a_file_says_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cad = file(tmp_path, "cad.csv", HEAD, "\x1b[2J\x1b]0;all is well\x07", "a\u202eb")
    main(["audit", "ingest", "--into", str(tmp_path / "set"), "--force-name", "example",
          "--incidents", str(cad)])  # fmt: skip
    out = capsys.readouterr().out
    assert "row 2: has 1 cells" in out
    assert all(char.isprintable() or char == "\n" for char in out)


def test_the_first_bad_rows_are_the_first_of_all(tmp_path: Path) -> None:
    into = tmp_path / "set"
    path = file(tmp_path, "a.csv", HEAD, ROW, ROW, "x", ROW)
    (taken,) = take(into, [path])
    with open_to_write(into) as data:
        found = Records(data, "example").first_bad(taken.file, 2)
    assert [(type(one), one.row) for one in found] == [(BadRow, 3), (BadRow, 4)]

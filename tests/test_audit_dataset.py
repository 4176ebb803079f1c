"""The data set: what is in it is what the plain audit counts from, and a kill leaves it whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bodycam.audit.dataset.ingest import Ingest, Ingested
from bodycam.audit.dataset.schema import CAMERA_TABLES, DATASET_FORMAT, DATASET_VERSION, TABLES
from bodycam.audit.dataset.store import MANIFEST, DataSet, open_to_write
from bodycam.audit.stores import stores_of
from bodycam.audit.timeline import DeviceTimeline
from bodycam.cli import main
from bodycam.errors import AlreadyRunning, CannotOpen, ConfigError, ExitCode
from bodycam.signing import load_root

from .auditlogs import Day, at, day
from .evidence import build_store, footage


def shift(camera: Day, until_s: float = 600) -> None:
    camera.boot(0)
    camera.record(100, 200)
    camera.say(210, "mute.start")
    camera.say(215, "mute.stop")
    camera.end(until_s)


def three_cameras(folder: Path) -> list[Day]:
    made = []
    for name in ("cam-0001", "cam-0002", "cam-0003"):
        with day(folder / name, name) as camera:
            shift(camera)
        made.append(camera)
    return made


def ingest(into: Path, camera: Day, *stores: Path, **more: Any) -> Ingested:
    with open_to_write(into) as data:
        taken = Ingest(data, load_root(camera.identity.root), **more)
        return taken.take(stores, lambda _done, _total: None)


def rows(into: Path, table: str) -> list[dict[str, Any]]:
    return [
        row
        for path in DataSet(into).paths(table)
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def told(line: DeviceTimeline) -> set[tuple[Any, ...]]:
    return {(s.state.value, s.start_us, s.end_us, s.err_us, s.why, s.line) for s in line.states}


def test_the_rows_are_those_of_the_timeline_and_no_heartbeat_is_among_them(tmp_path: Path) -> None:
    cameras = three_cameras(tmp_path)
    into = tmp_path / "set"
    done = ingest(into, cameras[0], *(c.store for c in cameras))
    assert (done.added, done.exit_code) == (["cam-0001", "cam-0002", "cam-0003"], ExitCode.OK)
    spans = rows(into, "spans")
    for camera in cameras:
        mine = [r for r in spans if r["device"] == camera.device]
        found = {(r["name"], r["start_us"], r["end_us"], r["err_us"], r["why"], r["line"])
                 for r in mine if r["kind"] == "state"}  # fmt: skip
        assert found == told(camera.timeline())
        assert [(r["start_us"], r["end_us"]) for r in mine if r["kind"] == "live"] == [
            (at(100), at(200))
        ]
        assert [(r["start_us"], r["end_us"]) for r in mine if r["name"] == "muted"] == [
            (at(210), at(215))
        ]
    assert {r["force"] for r in spans} == {"example"}
    assert {r["month"] for r in spans} == {"2026-06"}
    assert "heartbeat" not in {r["ev"] for r in rows(into, "events")}
    (first, *_) = DataSet(into).paths("spans")
    assert first.parent.relative_to(into) == Path("spans/force=example/month=2026-06")


def test_ingesting_twice_changes_no_byte(tmp_path: Path) -> None:
    cameras = three_cameras(tmp_path)
    into = tmp_path / "set"
    stores = [c.store for c in cameras]
    ingest(into, cameras[0], *stores)
    before = bytes_of(into)
    again = ingest(into, cameras[0], *stores)
    assert (again.lines, len(again.unchanged)) == (0, 3)
    # Files that look new are verified anew, and tell the same.
    os.utime(stores[0] / "log" / "events.jsonl")
    again = ingest(into, cameras[0], *stores)
    assert again.lines > 0
    assert sorted(again.unchanged) == ["cam-0001", "cam-0002", "cam-0003"]
    assert bytes_of(into) == before


@pytest.mark.parametrize("spoilt_first", [True, False])
def test_of_several_stores_of_a_camera_the_worst_verdict_is_told(
    tmp_path: Path, spoilt_first: bool
) -> None:
    with day(tmp_path / "day", "cam-0001") as camera:
        shift(camera)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(camera.store, spoilt)
    log = spoilt / "log" / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"activation.stop"', b'"activation.step"'))
    stores = (spoilt, camera.store) if spoilt_first else (camera.store, spoilt)
    done = ingest(tmp_path / "set", camera, *stores)
    assert done.exit_code is ExitCode.ALTERED


def test_a_log_that_went_on_takes_the_place_of_the_shorter_one(tmp_path: Path) -> None:
    into = tmp_path / "set"
    cameras = three_cameras(tmp_path)
    ingest(into, cameras[0], *(c.store for c in cameras))
    before = DataSet(into).paths("spans")
    old = tmp_path / "older"
    with day(tmp_path / "day", "cam-0002") as camera:
        shift(camera)
        camera.log.checkpoint()
        shutil.copytree(camera.store, old)
        camera.boot(1000)
        camera.record(1100, 1150)
        camera.end(1200)
    other = tmp_path / "other"
    assert ingest(other, camera, old).added == ["cam-0002"]
    assert ingest(other, camera, camera.store).replaced == ["cam-0002"]
    live = [(r["start_us"], r["end_us"]) for r in rows(other, "spans") if r["kind"] == "live"]
    assert live == [(at(100), at(200)), (at(1100), at(1150))]
    kept = bytes_of(other)
    refused = ingest(other, camera, old)
    assert ("rolled back" in refused.refused[0], refused.exit_code) == (True, ExitCode.ALTERED)
    assert bytes_of(other) == kept
    # Another life of the same camera, in the set of the three: neither log is believed over the other.
    refused = ingest(into, camera, camera.store)
    assert "two histories" in refused.refused[0]
    assert DataSet(into).paths("spans") == before


def test_what_failed_verification_is_a_finding_and_its_time_is_failed(tmp_path: Path) -> None:
    made = build_store(tmp_path / "made", units=footage(3), segment_s=1)
    into = tmp_path / "set"
    spoiled = made.segments[1]
    data = bytearray(spoiled.read_bytes())
    data[len(data) // 2] ^= 1
    spoiled.write_bytes(data)
    with open_to_write(into) as found:
        done = Ingest(found, made.root).take([made.store], lambda _done, _total: None)
    assert done.exit_code is ExitCode.ALTERED
    findings = rows(into, "findings")
    assert any(f["verdict"] == "altered" and spoiled.name in f["file"] for f in findings)
    kinds = {r["kind"]: r for r in rows(into, "spans")}
    assert {"evid", "failed"} <= set(kinds)
    (recording,) = rows(into, "recordings")
    assert recording["verdict"] == "altered"


def test_a_replaced_camera_leaves_those_of_its_batch_as_they_were(tmp_path: Path) -> None:
    into = tmp_path / "set"
    one, two = tmp_path / "one", tmp_path / "two"
    with day(tmp_path / "a", "cam-0001") as first:
        shift(first)
    with day(tmp_path / "b", "cam-0002") as second:
        shift(second)
        second.log.checkpoint()
        shutil.copytree(second.store, one)
        second.boot(1000)
        second.end(1100)
    shutil.copytree(second.store, two)
    ingest(into, first, first.store, one)
    mine = [r for r in rows(into, "spans") if r["device"] == "cam-0001"]
    assert ingest(into, first, two).replaced == ["cam-0002"]
    assert [r for r in rows(into, "spans") if r["device"] == "cam-0001"] == mine
    assert [s.device for s in DataSet(into).sources()].count("cam-0002") == 1
    on_disk = {p for table in TABLES for p in (into / table).rglob("*.parquet")}
    assert on_disk == {p for table in TABLES for p in DataSet(into).paths(table)}


def test_a_folder_of_stores_is_its_stores(tmp_path: Path) -> None:
    cameras = three_cameras(tmp_path)
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    for camera in cameras:
        camera.store.rename(fleet / camera.device)
    assert stores_of([fleet]) == [fleet / c.device for c in cameras]
    assert stores_of([fleet / "cam-0001", tmp_path / "none"]) == [
        fleet / "cam-0001", tmp_path / "none",
    ]  # fmt: skip
    words = ["audit", "ingest", str(fleet), "--into", str(tmp_path / "set"), "--trust",
             str(cameras[0].identity.root)]  # fmt: skip
    assert main(words) == ExitCode.OK
    assert len(DataSet(tmp_path / "set").sources()) == 3


def test_without_its_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from bodycam.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["audit", "ingest", str(tmp_path), "--into", str(tmp_path / "set"), "--trust", "none"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "pyarrow is not installed" in done.stderr
    assert "pip install 'bodycam[audit]'" in done.stderr
    plain = [sys.executable, "-c", program, "audit", "--help"]
    assert subprocess.run(plain, capture_output=True, check=False).returncode == 0


def test_two_ingests_at_once_and_other_folders_are_refused(tmp_path: Path) -> None:
    with (
        open_to_write(tmp_path / "set"),
        pytest.raises(AlreadyRunning),
        open_to_write(tmp_path / "set"),
    ):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    with pytest.raises(ConfigError, match="holds other things"), open_to_write(tmp_path / "full"):
        pass


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", CannotOpen), ("{}", CannotOpen), ('{"format":"bodycam audit data"}', ConfigError),
        ('{"format":"bodycam audit data","version":2}', ConfigError),
        ('{"format":"bodycam audit data","version":1,"files":[{"table":"../x"}]}', CannotOpen),
        ('{"format":"\xff"}', CannotOpen), ("[" * 9000, CannotOpen),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(error):
        DataSet(tmp_path)


def test_a_file_that_was_changed_is_told_and_nothing_goes_on(tmp_path: Path) -> None:
    cameras = three_cameras(tmp_path)
    into = tmp_path / "set"
    ingest(into, cameras[0], *(c.store for c in cameras))
    (path,) = DataSet(into).paths("sources")
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    before = bytes_of(into)
    with pytest.raises(CannotOpen, match="was changed"):
        ingest(into, cameras[0], cameras[0].store)
    path.unlink()
    with pytest.raises(CannotOpen, match="No such file"):
        ingest(into, cameras[0], cameras[0].store)
    del before[str(path.relative_to(into))]
    assert bytes_of(into) == before


def test_a_revocation_list_that_is_none_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cameras = three_cameras(tmp_path)
    words = ["audit", "ingest", str(cameras[0].store), "--into", str(tmp_path / "set"), "--trust",
             str(cameras[0].identity.root), "--crl", str(tmp_path / "none.pem")]  # fmt: skip
    assert main(words) == ExitCode.UNOPENED
    assert "none.pem" in capsys.readouterr().err


def test_the_schema_is_written_down_column_by_column() -> None:
    text = (Path(__file__).parent.parent / "docs" / "AUDIT-DATA.md").read_text(encoding="utf-8")
    assert f'"format": "{DATASET_FORMAT}", "version": {DATASET_VERSION}' in text
    kinds = {"int32": "int32", "int64": "int64", "string": "text", "bool": "bool", "binary": "bytes",
             "list<element: string>": "list of text", "list<item: string>": "list of text"}  # fmt: skip
    for name, table in TABLES.items():
        section = text.partition(f"\n### {name}\n")[2].partition("\n#")[0]
        told = {
            column: what.split(",")[0].split(";")[0]
            for names, what in re.findall(r"(?m)^\| (`[^|]+) \| ([^|]+) \|", section)
            for column in re.findall(r"`(\w+)`", names)
        }
        wanted = {f.name: kinds[str(f.type)] for f in table.columns}
        for key in ("force", "month"):
            assert wanted.pop(key) == "text"
        if name in CAMERA_TABLES:
            assert wanted.pop("device") == "text"
        else:
            assert (wanted.pop("file"), wanted.pop("row")) == ("text", "int64")
        assert told == wanted, name


@pytest.mark.system
def test_a_kill_at_any_moment_leaves_a_whole_set_that_goes_on(tmp_path: Path) -> None:
    cameras = three_cameras(tmp_path)
    stores = [str(c.store) for c in cameras]
    whole = tmp_path / "whole"
    ingest(whole, cameras[0], *(c.store for c in cameras), batch_cameras=1)
    wanted = {table: sorted(map(repr, rows(whole, table))) for table in TABLES}
    into = tmp_path / "set"
    # One camera a batch, each committed before the next: kills fall before, in and between commits.
    program = (
        "import sys; from pathlib import Path\n"
        "from bodycam.audit.dataset.ingest import Ingest\n"
        "from bodycam.audit.dataset.store import open_to_write\n"
        "from bodycam.signing import load_root\n"
        "into, root, *stores = map(Path, sys.argv[1:])\n"
        "print('up', flush=True)\n"
        "with open_to_write(into) as data:\n"
        "    Ingest(data, load_root(root), batch_cameras=1).take(stores, lambda a, b: None)\n"
    )
    command = [sys.executable, "-c", program, str(into), str(cameras[0].identity.root), *stores]
    kept = killed = 0
    for step in range(8):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(0.02 * step)
            running.send_signal(signal.SIGKILL)
            killed += running.wait() == -signal.SIGKILL
        if not (into / MANIFEST).exists():
            continue
        sources = DataSet(into).sources()
        assert len(sources) >= kept
        kept = len(sources)
        for table in TABLES:
            mine = {repr(r) for r in rows(into, table)}
            devices = {s.device for s in sources}
            assert mine == {r for r in wanted[table] if any(repr(d) in r for d in devices)}
    assert killed
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert {table: sorted(map(repr, rows(into, table))) for table in TABLES} == wanted

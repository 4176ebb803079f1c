"""A data set that somebody edited is not audited: the manifest names each file by the hash of its bytes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bodycam.audit.dataset.store import MANIFEST, DataSet
from bodycam.cli import main
from bodycam.errors import ExitCode

from .randomaudit import force, write, write_records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = force(random.Random(1), cameras=3, incidents=10)
    write(tmp_path / "set", list(made.lines.values()))
    write_records(tmp_path / "set", made)
    return tmp_path / "set"


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the audit says instead of auditing."""
    code = main(["audit", "--data", str(folder), "--out", str(folder.parent / "out")])
    assert code == ExitCode.UNOPENED
    assert not (folder.parent / "out").exists()
    return capsys.readouterr().err


def without_faults(path: Path) -> None:
    """The rows of a file without those that excuse: still a Parquet file, and of the same columns."""
    rows = pq.read_table(path, partitioning=None)
    kept = [name != "fault" for name in rows["name"].to_pylist()]
    pq.write_table(rows.filter(kept), path)


@pytest.mark.parametrize(
    "edit", [without_faults, lambda path: path.write_bytes(b"PAR1" * 9), Path.unlink]
)
def test_a_file_that_is_not_as_it_was_written(
    edit: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = DataSet(folder).paths("spans")[0]
    edit(path)
    assert path.name in refused(folder, capsys)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("table", "../elsewhere", "'../elsewhere' is no table"),
        ("name", "../../elsewhere", "files"),
        ("month", "../../../elsewhere", "No such file"),
        ("force", "../../..", "No such file"),
        ("batch", -1, "files"),
    ],
)
def test_a_manifest_that_points_elsewhere(
    member: str, value: object, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][0][member] = value
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert said in refused(folder, capsys)

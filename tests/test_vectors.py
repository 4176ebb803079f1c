"""Vectors: good and hostile files, checked in, with the script that makes them again."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path
from typing import Any

import pytest

from bodycam.custody.verify import verify_paths
from bodycam.signing import load_root

from .vectors.make import FILES, INDEX, ROOT, make

MAX_TOTAL_BYTES = 1_550_000
VECTORS: list[dict[str, Any]] = json.loads((FILES / INDEX).read_text())


def files_in(folder: Path) -> dict[str, Path]:
    return {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}


def test_the_script_makes_the_very_files_that_are_checked_in(tmp_path: Path) -> None:
    make(tmp_path)
    made, kept = files_in(tmp_path), files_in(FILES)
    assert sorted(made) == sorted(kept), "run `make vectors` and look at what changed"
    differing = [n for n in kept if not filecmp.cmp(made[n], kept[n], shallow=False)]
    assert differing == [], "run `make vectors` and look at what changed"


def test_the_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in files_in(FILES).values()) < MAX_TOTAL_BYTES


def test_there_are_good_ones_and_one_for_every_verdict() -> None:
    assert {v["exit"] for v in VECTORS} == {0, 3, 4, 5, 6}
    assert len({v["name"] for v in VECTORS}) == len(VECTORS)
    # The checks of a segment, a recording, a log and a store; a clip has tests of its own.
    assert {v["check"] for v in VECTORS} == {None, *range(1, 15)}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_the_verifier_answers_with_verdict_check_and_place(vector: dict[str, Any]) -> None:
    report = verify_paths([FILES / vector["path"]], load_root(FILES / ROOT))
    said = [str(finding) for finding in report.findings]
    assert int(report.exit_code) == vector["exit"], said
    if vector["check"] is None:
        assert said == []
        return
    assert any(
        int(f.check) == vector["check"] and f.verdict.value == vector["verdict"]
        and vector["place"] in f"{f.file} {f.place}"
        for f in report.findings
    ), said  # fmt: skip

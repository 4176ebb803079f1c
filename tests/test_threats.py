"""docs/THREAT-MODEL.md names a test for each thing that is prevented or detected: it is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODEL = (TESTS.parent / "docs" / "THREAT-MODEL.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split(" | ")]
    for line in MODEL.splitlines()
    if line.startswith("| ") and not line.startswith(("| attack", "| doubt"))
]


def names_in(module: str) -> set[str]:
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_row_is_shown_by_a_test(row: list[str]) -> None:
    assert len(row) == 3
    found = re.fullmatch(r"`((?:root/|faults/)?test_\w+)::(test_\w+)`", row[2])
    assert found is not None, row[2]
    assert found[2] in names_in(found[1])


def test_each_attacker_has_limits_before_the_rows() -> None:
    chapters = re.split(r"(?m)^## \d+\. ", MODEL)[1:]
    assert len(chapters) == 10
    for chapter in chapters[1:]:
        before, _, after = chapter.partition("\n| ")
        assert len(before) > 80, chapter[:40]
        assert after, chapter[:40]


def test_rows_of_attacks_say_prevented_detected_or_hindered() -> None:
    attacks = MODEL[: MODEL.index("## 8.")] + MODEL[MODEL.index("## 9.") :]
    for row in ROWS:
        if f"| {row[0]} |" in attacks:
            assert row[1].startswith(("prevented", "detected", "hindered")), row

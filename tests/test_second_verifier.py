"""A second verifier, written from FORMAT.md alone, agrees with ours on whatever it is shown."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bodycam.custody.verify import verify_paths
from bodycam.signing import load_root

from .evidence import Evidence, build_store
from .second_verifier import verify2
from .vectors.make import FILES, INDEX, ROOT

PROGRAM = Path(verify2.__file__)
MAX_CODE_LINES = 320
VECTORS: list[dict[str, Any]] = json.loads((FILES / INDEX).read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_it_answers_every_vector_as_the_index_says(vector: dict[str, Any]) -> None:
    assert verify2.verify(FILES / ROOT, FILES / vector["path"]) == vector["exit"], vector["what"]


@pytest.mark.parametrize("name", ["segment", "torn-segment", "fragment-dropped", "unsigned-store"])
def test_it_runs_by_itself(name: str) -> None:
    vector = next(v for v in VECTORS if v["name"] == name)
    done = subprocess.run(
        [sys.executable, "-I", PROGRAM, FILES / ROOT, FILES / vector["path"]],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (vector["exit"], "")


def test_it_shares_no_code_with_ours() -> None:
    imported = set()
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").split(".")[0])
    assert imported <= {*sys.stdlib_module_names, "cryptography"}


def test_it_stays_small() -> None:
    """Lines that hold code: a docstring, a comment and a blank line are none."""
    text = PROGRAM.read_text()
    prose = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = [
        line
        for number, line in enumerate(text.splitlines(), 1)
        if number not in prose and line.strip() and not line.strip().startswith("#")
    ]
    assert len(code) <= MAX_CODE_LINES


def test_it_agrees_on_spoiled_and_cut_segments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = build_store(tmp_path / "made", segment_s=1)
    rng = random.Random(31)
    for raw in (evidence.segments[1].read_bytes(), _open_segment(evidence)):
        for number in range(150):
            spoiled = _spoil(raw, rng, number)
            path = tmp_path / evidence.segments[1].name
            path.write_bytes(spoiled)
            ours = int(verify_paths([path], load_root(evidence.identity.root)).exit_code)
            theirs = verify2.verify(evidence.identity.root, path)
            said = capsys.readouterr().out
            assert theirs == ours, f"{number}: {said}"


def _open_segment(evidence: Evidence) -> bytes:
    """A segment as a crash leaves it: without END."""
    raw = evidence.segments[1].read_bytes()
    return raw[: raw.rindex(b"uuid") - 4]


def _spoil(raw: bytes, rng: random.Random, number: int) -> bytes:
    at = rng.randrange(28, len(raw))
    match number % 5:
        case 0:
            return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]
        case 1:
            return raw[:at]
        case 2:
            return raw[:at] + bytes(rng.randrange(20, 3000))
        case 3:
            return raw[:at] + rng.randbytes(rng.randrange(1, 3000))
        case _:
            return raw[:at] + raw[at + rng.randrange(1, 2000) :]

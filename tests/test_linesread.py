"""A log is read once, in blocks: line for line what a reader of single lines finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bodycam.custody import linesread, logfacts
from bodycam.custody.linesread import LinesRead
from bodycam.custody.logfacts import RawLine, raw_lines
from bodycam.formats.logline import MAX_LINE_BYTES, is_torn
from bodycam.formats.tlog import leaf_hash, root_of

LIMIT = 12
PIECES = st.sampled_from([
    b"\n", b"\n", b"a\n", b"line\n", b"\0", b"x" * (LIMIT - 1), b"y" * LIMIT, b"z" * (LIMIT + 1),
    b"w" * (LIMIT + 2), b"v" * (3 * LIMIT), b"b",
])  # fmt: skip


def one_by_one(path: Path) -> list[RawLine]:
    """The same, a line at a time."""
    found: list[RawLine] = []
    offset = 0
    with path.open("rb") as file:
        while raw := file.readline(LIMIT + 2):
            size, number = len(raw), len(found) + 1
            if size < LIMIT + 2 and is_torn(raw):
                found.append(
                    RawLine(number, offset, raw.removesuffix(b"\n"), whole=False, too_long=False)
                )
                return found
            whole = raw.endswith(b"\n")
            too_long = not whole and size == LIMIT + 2
            ended = whole
            while too_long and not ended and (rest := file.readline(LIMIT + 2)):
                ended = rest.endswith(b"\n")
                size += len(rest)
            found.append(RawLine(number, offset, raw[:-1] if whole else raw, ended, too_long))
            offset += size
            if not ended:
                return found
    return found


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=20).map(b"".join), st.integers(1, 60))
def test_blocks_of_any_size_hold_the_lines_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, block: int
) -> None:
    monkeypatch.setattr(logfacts, "MAX_LINE_BYTES", LIMIT)
    monkeypatch.setattr(logfacts, "_BLOCK_BYTES", block)
    path = tmp_path / "events.jsonl"
    path.write_bytes(data)
    assert list(raw_lines(path)) == one_by_one(path)


def read(path: Path) -> LinesRead:
    found = LinesRead(path)
    for line in raw_lines(path):
        found.take(line.number, line.offset, line.data)
    return found


def test_every_line_is_found_again_and_every_beginning_has_its_root(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [b"%d" % n * (n % 7) for n in range(3 * linesread.STEP + 5)]
    limit = MAX_LINE_BYTES + 2
    lines[70] = b"x" * limit  # too long: what is kept of it is its beginning
    path.write_bytes(b"".join(line + b"y" * (line == lines[70]) * limit + b"\n" for line in lines))
    found = read(path)
    assert [found.line(number) for number in range(1, len(lines) + 1)] == lines
    leaves = [leaf_hash(line) for line in lines]
    sizes = range(len(lines) + 3)
    assert found.roots(sizes) == {
        size: root_of(leaves[:size]).hex() for size in sizes if 0 < size <= len(lines)
    }


def test_a_line_that_is_another_one_by_now_is_none(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    found = read(path)
    path.write_bytes(b"one\nTWO\nthree\n")
    assert [found.line(number) for number in (1, 2, 3)] == [b"one", None, b"three"]
    path.unlink()
    assert found.line(1) is None

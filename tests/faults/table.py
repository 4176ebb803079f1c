"""docs/FAULTS.md: every fault of the camera, the tests that make it, and what they measured.

python -m tests.faults.table            write it, of the results in build/faults
python -m tests.faults.table --check    exit 1 unless each row is green there, and is in the file
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

from .results import RESULTS, Measured, Result, read_results

SRC = Path(__file__).parents[2]
TABLE = SRC / "docs" / "FAULTS.md"
_HEAD = """# Faults

What happens to a camera on duty, and what the recorder makes of it. Each row is a fault that a test
makes for real; the figures are those of the run that made this file (`make faults`). After each fault
it is asserted as well, where the daemon itself is run, that the recording lamp was never lit while the
last sync was older than 2 s (by a witness beside the recorder, `tests/faults/witness.py`, which allows
250 ms of the machine's time; on a fast clock, as F68's, that is many of the camera's, and shows little),
that nothing ended in a traceback, and that `bodycam verify` finds nothing altered. A lamp that stands
still because its recorder does is not held to it: F35 and ADR 0024 have that. F59 to F62, F64 and F65 belong to docking.

| | Fault | Kept | Logged | Seen, felt | Test | Measured |
|---|---|---|---|---|---|---|
"""


def read_rows() -> dict[str, dict[str, str]]:
    """The faults, by number."""
    path = Path(__file__).with_name("rows.toml")
    return dict(tomllib.loads(path.read_text(encoding="utf-8")))


def by_row(results: list[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        for row in result.rows:
            found[row].append(result)
    return found


def test_name(node: str) -> str:
    """A test's name without its parameters."""
    path, _, name = node.partition("::")
    return f"`{Path(path).name}::{name.partition('[')[0]}`"


def _figure(figure: Measured) -> str:
    goal = "" if figure.limit is None else f" (goal {figure.limit:g})"
    return f"{figure.what}: {figure.value:g} {figure.unit}{goal}"


def _worst(results: list[Result]) -> list[Measured]:
    """Of each figure the largest: a sweep measures the same thing many times."""
    worst: dict[tuple[str, str], Measured] = {}
    for figure in (figure for result in results for figure in result.measured):
        key = (figure.what, figure.unit)
        if key not in worst or figure.value > worst[key].value:
            worst[key] = figure
    return list(worst.values())


def make_table(results: list[Result]) -> str:
    found = by_row(results)
    lines = []
    for number, row in sorted(read_rows().items()):
        tests = "<br>".join(dict.fromkeys(test_name(result.node) for result in found[number]))
        figures = "<br>".join(map(_figure, _worst(found[number])))
        cells = [number, row["fault"], row["kept"], row["logged"], row["seen"], tests, figures]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return _HEAD + "".join(lines)


def without_figures(table: str) -> list[str]:
    """What must not drift; figures are of one run."""
    return [re.sub(r"[^|]*\|$", "", line) for line in table.splitlines()]


def wrong(results: list[Result]) -> list[str]:
    """Rows without a green test, tests that are red, and what the file says otherwise."""
    found, rows = by_row(results), read_rows()
    said = [f"{number}: no test has run" for number in rows if not found[number]]
    said += [f"{result.node}: failed" for result in results if not result.passed]
    said += [f"{number}: not in rows.toml" for number in found if number not in rows]
    if without_figures(make_table(results)) != without_figures(TABLE.read_text(encoding="utf-8")):
        said.append("docs/FAULTS.md is of other tests or rows; make it anew: make faults")
    return said


def main() -> int:
    results = read_results()
    if sys.argv[1:] != ["--check"]:
        TABLE.write_text(make_table(results), encoding="utf-8")
        return 0
    said = wrong(results)
    for line in said:
        print(f"faults: {line}", file=sys.stderr)
    print(f"faults: {len(results)} results in {RESULTS}, {len(said)} wrong", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the tests of faults found, one file each: docs/FAULTS.md is made of these and of rows.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path(__file__).parents[2] / "build" / "faults"
_IDS = re.compile(r"(?<=_)f(\d\d)(?=_)")


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure; `limit` is the goal that it was held to, in the same unit."""

    what: str
    value: float
    unit: str
    limit: float | None


@dataclass(slots=True)
class Result:
    """One test of one or more rows: `node` is pytest's name of it."""

    node: str
    rows: list[str]
    passed: bool = False
    measured: list[Measured] = field(default_factory=list)


Measure = Callable[..., None]


def rows_of(name: str) -> list[str]:
    """The rows that a test's name names: test_f25_f26_… is of F25 and F26."""
    return ["F" + number for number in _IDS.findall(name)]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measure:
    """Write a figure down for docs/FAULTS.md, and hold it to its goal: measured(what, value, unit, limit)."""
    figures: list[Measured] = request.node.stash.setdefault(_FIGURES, [])

    def measure(what: str, value: float, unit: str, limit: float | None = None) -> None:
        figures.append(Measured(what, round(value, 3), unit, limit))
        print(f"{what}: {value:.3f} {unit}" + ("" if limit is None else f" (goal {limit})"))
        assert limit is None or value <= limit, f"{what}: {value:.3f} {unit}, more than {limit}"

    return measure


_FIGURES: pytest.StashKey[list[Measured]] = pytest.StashKey()


def write_result(item: pytest.Item, *, passed: bool) -> None:
    """Keep what a test of faults found; of other tests nothing."""
    rows = rows_of(item.name)
    if not rows:
        return
    node = item.nodeid.partition("@")[0]  # without the group that it ran in
    result = Result(node, rows, passed, item.stash.get(_FIGURES, []))
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", node)[-150:]
    (RESULTS / f"{name}.json").write_text(json.dumps(asdict(result)), encoding="utf-8")


def read_results() -> list[Result]:
    """All that was kept, by name."""
    results = []
    for path in sorted(RESULTS.glob("*.json")):
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        raw["measured"] = [Measured(**figure) for figure in raw["measured"]]
        results.append(Result(**raw))
    return results

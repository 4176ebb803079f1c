"""The benchmark measures what it says, seen on a tiny stream: facts are checked, times are not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("bench")]

PROGRAM = Path(__file__).parent.parent / "bench" / "run.py"
FIGURES = {
    "buffering flat us", "buffering paced us", "buffering dropped", "memory 2 s",
    "memory held 2 s", "recording flat us", "recording paced us", "lost at stop s",
    "longest push ms", "file over payload", "written over payload", "exact",
    "whole pre-record ms", "lamp ms", "lost at SIGKILL s", "pre-record lost at SIGKILL s",
    "protection us", "protection masked us", "start to READY s", "daemon standby_us_per_unit",
    "daemon recording_us_per_unit", "daemon lost_at_kill_s", "daemon lamp_ms",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    page: str
    figures: dict[str, dict[str, list[float]]]
    facts: dict[str, Any]
    left: list[str]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("bench")
    page, raw, cache = folder / "page.md", folder / "raw.json", folder / "cache"
    subprocess.run(
        [sys.executable, str(PROGRAM), "--quick", "--without-peer", "--cache", str(cache),
         "--out", str(page), "--json", str(raw)],
        check=True, timeout=200,
    )  # fmt: skip
    found = json.loads(raw.read_text())
    left = sorted(path.suffix for path in cache.iterdir())
    return Measured(page.read_text(), found["figures"], found["facts"], left)


def test_every_figure_is_measured_for_ours(measured: Measured) -> None:
    assert set(measured.figures) >= FIGURES
    for name in FIGURES:
        assert all(values for values in measured.figures[name].values()), name


def test_costs_are_never_free(measured: Measured) -> None:
    for name, whose in measured.figures.items():
        if name.endswith(" us") or name.startswith("memory"):
            for who, values in whose.items():
                assert all(value > 0 for value in values), (name, who)


def test_what_was_read_back_is_what_was_fed(measured: Measured) -> None:
    assert all(measured.figures["exact"]["ours-record"])
    assert measured.figures["daemon exact"]["daemon"] == [1.0]


def test_the_ring_drops_nothing_and_the_stop_loses_nothing(measured: Measured) -> None:
    assert set(measured.figures["buffering dropped"]["ours"]) == {0}
    assert set(measured.figures["lost at stop s"]["ours-record"]) == {0.0}


def test_a_completed_pre_record_survives_sigkill(measured: Measured) -> None:
    assert set(measured.figures["pre-record lost at SIGKILL s"]["ours-record"]) == {0.0}


def test_a_file_holds_more_than_its_payload(measured: Measured) -> None:
    assert all(ratio > 1 for ratio in measured.figures["file over payload"]["ours-record"])


def test_protection_is_measured_with_and_without_crypto_instructions(measured: Measured) -> None:
    assert set(measured.facts) >= {"rates", "rates masked"}
    assert all(
        rate > 0 for name in ("rates", "rates masked") for rate in measured.facts[name].values()
    )


def test_the_page_names_machine_goals_and_what_is_not_reached(measured: Measured) -> None:
    for part in (
        "# Performance",
        "`make bench`",
        "- CPU: ",
        "- Python: ",
        "load average",
        "left out",
    ):
        assert part in measured.page
    table = [line for line in measured.page.splitlines() if line.startswith("| ")]
    missed = [line for line in table if line.endswith("| **no** |")]
    listed = measured.page.split("## Not reached")[1].split("## ")[0]
    assert len(missed) == listed.count("- **")


def test_nothing_but_the_stream_stays_in_the_cache(measured: Measured) -> None:
    assert measured.left == [".h264", ".json"]

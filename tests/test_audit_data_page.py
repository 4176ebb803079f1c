"""The page of a force in a real browser: on a screen, by keyboard, without colour, on paper; hostile."""

from __future__ import annotations

import io
import json
import random
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from bodycam.audit.dataset.schema import ASSIGNMENTS, BAD_ROWS, FINDINGS, INCIDENTS, SOURCES
from bodycam.audit.dataset.store import open_to_write
from bodycam.audit.force.fills import ORDER, fill_of
from bodycam.audit.scoring import IncidentClass
from bodycam.cli import main

from .randomaudit import DAY_US, force, write
from .readers.pages import Elements, assert_stands_alone, look_at, printed, words_of
from .readers.spreadsheets import read_by_all

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("audit-data-page")]

S = 1_000_000
EVIL = "<script>alert(1)</script>"
HOSTILE = (
    EVIL,
    "\u202egnp.exe",
    '" onload="x',
    "x" * 3000,
    "=HYPERLINK(1)",
    "",
    "a|b",
    "'",
    "\u0000",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a month."""
    folder = tmp_path_factory.mktemp("month")
    words = ["--cameras", "60", "--days", "30"]
    assert main(["simulate", "month", "--into", str(folder / "set"), *words]) == 0
    main(["audit", "--data", str(folder / "set"), "--out", str(folder / "out"), "--public"])
    return folder / "out" / "audit.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a force whose every text is made by an enemy."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = random.Random(5)
    made = force(rng, cameras=len(HOSTILE), incidents=0)
    lines = list(made.lines.values())
    for line, name in zip(lines, HOSTILE, strict=True):
        line.device = name
    write(folder / "set", lines)
    month, at = "2026-06", DAY_US
    with open_to_write(folder / "set") as data:
        data.commit({
            "incidents": INCIDENTS.of([
                ("example", month, f"{name}{number}", name, at, at + S, None, at + 600 * S, False, name, name,
                 name, name, name, number)
                for number, name in enumerate(HOSTILE * 3)
            ]),
            "assignments": ASSIGNMENTS.of([
                ("example", month, name, name, at - S, at + 3600 * S, name, 1) for name in HOSTILE[:-1]
            ]),
            "bad_rows": BAD_ROWS.of([
                ("example", month, "incidents", name, name, name, 1) for name in HOSTILE
            ]),
            "sources": SOURCES.of([
                ("example", month, name, name, name, "", "altered", 1, 1, 0, b"") for name in HOSTILE
            ]),
            "findings": FINDINGS.of([
                ("example", month, name, 0, "altered", 4, name, name, name) for name in HOSTILE
            ]),
        }, {})  # fmt: skip
    main(["audit", "--data", str(folder / "set"), "--out", str(folder / "out"), "--public"])
    return folder / "out" / "audit.html"


@pytest.mark.parametrize("name", ["audit.html", "public.html"])
@pytest.mark.parametrize("made", ["page", "hostile"])
def test_nothing_is_fetched_run_or_left_open(
    made: str, name: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(made)
    html = path.with_name(name).read_text(encoding="utf-8")
    assert_stands_alone(html)
    assert EVIL not in html


@pytest.mark.parametrize("made", ["page", "hostile"])
def test_every_reader_reads_the_tables_alike(made: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(made)
    for table in sorted(path.parent.glob("*.csv")):
        read_by_all(table)


def test_a_spreadsheet_is_given_no_formula(hostile: Path) -> None:
    for path in sorted(hostile.parent.glob("*.csv")):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r'(^|[,"\n])=HYPERLINK', text), path.name
    assert "'=HYPERLINK(1)" in (hostile.parent / "cameras.csv").read_text(encoding="utf-8")


def test_every_class_has_a_fill_of_its_own_in_grey_too(page: Path) -> None:
    assert set(ORDER) == {kind.value for kind in IncidentClass} | {"UNCERTAIN"}
    fills = [fill_of(name)[0] for name in ORDER]
    assert len(set(fills)) == len(fills)
    html = page.read_text(encoding="utf-8")
    patterns = re.findall(r'<pattern id="c-[A-Z-]+".*?</pattern>', html)
    drawn = {re.sub(r'#[0-9a-f]{3,6}|id="[^"]*"', "", pattern) for pattern in patterns}
    assert len(drawn) == len(patterns) == len(ORDER) - 2
    # The two solid ones are light and dark.
    assert [_light(fill_of(name)[0]) > 0.5 for name in ("COMPLETE", "NEVER")] == [True, False]


def _light(colour: str) -> float:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_drawing_says_in_words_what_it_shows(page: Path) -> None:
    drawings = [
        attrs for tag, attrs in Elements(page.read_text(encoding="utf-8")).tags if tag == "svg"
    ]
    shown = [attrs for attrs in drawings if attrs.get("aria-hidden") != "true"]
    assert len(shown) >= 5
    assert all(attrs["role"] == "img" and len(attrs["aria-label"] or "") > 20 for attrs in shown)


def test_the_page_stays_small(page: Path) -> None:
    assert page.stat().st_size < 1_000_000


@pytest.mark.parametrize("made", ["page", "hostile"])
def test_a_browser_shows_it_without_a_word_and_the_keyboard_reaches_all(
    made: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path: Path = request.getfixturevalue(made)
    shot = look_at(path, tmp_path, 2600, 80, path.with_name("public.html"))
    grey = Image.open(io.BytesIO(shot)).convert("L")
    assert grey.size == (1200, 2600)
    grey.save(tmp_path / "grey.png")


def test_it_prints_on_paper_whole_and_legible(page: Path, tmp_path: Path) -> None:
    pdf = printed(page, tmp_path)
    words = words_of(pdf)
    # What is folded on the screen is open on paper: who reads it there cannot open it.
    for needed in ("In short", "Classes", "UNCERTAIN", "Day by day", "2026-06-17", "M29",
                   "M16", "Findings", "How sure", "Policy"):  # fmt: skip
        assert needed in words, needed
    sizes = subprocess.run(
        ["pdftohtml", "-xml", "-stdout", str(pdf)], check=True, capture_output=True
    )
    least = min(
        int(size) for size in re.findall(r'<fontspec [^>]*size="(\d+)"', sizes.stdout.decode())
    )
    assert least >= 6


def test_what_an_enemy_named_is_listed_and_counted(hostile: Path) -> None:
    told = json.loads(hostile.with_name("audit.json").read_text(encoding="utf-8"))
    assert told["cameras"] == len(HOSTILE)
    assert told["verification"]["verdict"] == "altered"
    assert {row["file"] for row in told["bad_rows"]["first"]} == set(HOSTILE)
    assert {g["name"] for g in told["breakdown"]["district"]} <= set(HOSTILE)
    assert sum(g["judged"] for g in told["breakdown"]["district"]) == told["summary"]["judged"]
    assert told["unmatched"]["officers"]["count"] == 1

"""What a reader of the audit's pages may rely on: nothing hidden in a name, no threshold that was not in force."""

from __future__ import annotations

import random
import re
from importlib import resources

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.audit.cells import guarded
from bodycam.audit.charts import funnel_chart
from bodycam.audit.filenames import in_file_name
from bodycam.audit.force.tables import _cell
from bodycam.audit.grouppage import DEFINITIONS as GROUP_DEFINITIONS
from bodycam.audit.groups import Funnel, FunnelPoint, OfficerCount
from bodycam.audit.measures import MEASURES
from bodycam.audit.policy import load_policy, parse_policy
from bodycam.audit.scoring import DEFINITIONS
from bodycam.audit.thresholds import with_values
from bodycam.audit.useofforce import DEFINITION as FORCE_DEFINITION
from bodycam.audit.words import share_text
from bodycam.custody.htmltext import escape, visible

TEXTS = [
    *(m.definition for m in MEASURES),
    *(text for _, _, text in (*DEFINITIONS, *GROUP_DEFINITIONS, FORCE_DEFINITION)),
]

# -- text of others ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
        ("\u202e21 wor", r"\u202e21 wor"),
        ("A\u200b1", r"A\u200b1"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("a\x00b\x1b[31m", r"a\x00b\x1b[31m"),
        ("\udcff.csv", r"\udcff.csv"),
        ("\ufeffE1", r"\ufeffE1"),
        ("two\r\nlines\tand more", "two lines and more"),
        ("Gr\u00fc\u00dfe, \u05e9\u05dd, \u6771\u4eac \U0001f693", "Gr\u00fc\u00dfe, \u05e9\u05dd, \u6771\u4eac \U0001f693"),
        ("12\u00a0%", "12\u00a0%"),
        ("e\u0301", "e\u0301"),
        ("o" + "\u0316" * 5, "o" + "\u0316" * 3 + r"\u0316\u0316"),
        ("\U000e0041", r"\U000e0041"),
    ],
)  # fmt: skip
def test_a_name_is_text_of_which_all_can_be_seen(written: str, shown: str) -> None:
    assert escape(written) == shown


@given(st.text(st.characters()))
def test_no_text_breaks_out_of_a_page_or_turns_it_around(written: str) -> None:
    shown = escape(written)
    assert not set("<>\"'") & set(shown)
    assert re.fullmatch(r"(?:[^&]|&(?:lt|gt|amp|quot|#x27);)*", shown, re.DOTALL)
    assert shown.encode("utf-8").decode("utf-8") == shown  # it can be written
    assert not {"\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\x00"} & set(
        shown
    )


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF)))
def test_what_can_be_seen_is_shown_as_it_is(written: str) -> None:
    if all(letter.isprintable() for letter in written):
        assert visible(written) == written


# -- numbers and thresholds ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0.0\u00a0%"), (1e-9, "under 0.1\u00a0%"), (0.0006, "0.1\u00a0%"), (0.5, "50.0\u00a0%"),
     (0.9994, "99.9\u00a0%"), (1 - 1e-9, "over 99.9\u00a0%"), (1, "100.0\u00a0%"), (None, "\u2013")],
)  # fmt: skip
def test_none_and_all_are_said_of_none_and_all_alone(share: float | None, said: str) -> None:
    assert share_text(share) == said


def test_a_definition_has_the_thresholds_that_were_in_force() -> None:
    policy = load_policy()
    changed = _policy_text().replace("short_recording_s = 30", "short_recording_s = 7")
    short = parse_policy(changed.encode(), "policy.toml")
    (short_recordings,) = [m.definition for m in MEASURES if m.number == "M5"]
    assert "short_recording_s (30 s)" in with_values(short_recordings, policy)
    assert "short_recording_s (7 s)" in with_values(short_recordings, short)
    assert "kept_percent (80 %)" in with_values(
        {n: t for n, _, t in GROUP_DEFINITIONS}["M33"], policy
    )


def test_no_definition_has_a_threshold_of_its_own() -> None:
    # A number in it would stay the same under a policy that says another.
    for text in TEXTS:
        assert not re.search(r"\d+ (?:s|ms|min|h|days)\b", text), text


def test_every_threshold_that_a_definition_names_is_one() -> None:
    policy = load_policy()
    causes = {"from_sleep", "fresh_power"}
    for text in TEXTS:
        for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text):
            assert name in causes or f"{name} (" in with_values(text, policy), name


def _policy_text() -> str:
    return resources.files("bodycam.audit").joinpath("policy.toml").read_text(encoding="utf-8")


# -- the funnel ------------------------------------------------------------------------------------


def _funnel(*observed: int) -> Funnel:
    def point(count: int, limits: tuple[tuple[int, int], ...]) -> FunnelPoint:
        return FunnelPoint(OfficerCount("x", 100, count, 2.0), limits)

    points = tuple(point(count, ((0, 6), (0, 9))) for count in observed)
    curve = tuple(FunnelPoint(OfficerCount("", n, 0, n / 50), ((0, 6), (0, 9))) for n in (20, 100))
    return Funnel(len(points), 1000, 20, 0.1, 0.0, 0.2, 0.5, points, curve, 0)


@pytest.mark.parametrize("observed", [(1, 2), (1, 20), (1, 100)])
def test_a_funnel_always_has_the_line_of_what_was_expected(observed: tuple[int, ...]) -> None:
    drawn = funnel_chart(_funnel(*observed), "a funnel")
    lines = re.findall(r'<line x1="70"[^>]*stroke="#16202b"/>', drawn)
    assert len(lines) == 1
    assert ">1</text>" in drawn


def test_what_lies_above_a_funnel_is_said() -> None:
    assert "at the upper edge" not in funnel_chart(_funnel(1, 20), "a funnel")
    assert "at the upper edge: 1 above 12.6" in funnel_chart(_funnel(1, 100), "a funnel")


# -- cells of a CSV file ---------------------------------------------------------------------------

ODD = st.text(st.sampled_from("=+-@\uff1d;'\" \t\r\n,ax\\1"), max_size=12)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"),
        ("\t=1", "'\t'=1"), ("\rx", "'\rx"), ("\uff1dx", "'\uff1dx"), ("'=1", "''=1"),
        ("x;=1", "x;'=1"), ('x; "=1"', "x; \"'=1\""), ("x\n=1", "x\n'=1"),
        ("'s-Gravenhage", "'s-Gravenhage"), ("2026-06-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        ("a-b; c", "a-b; c"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(text: str, cell: str) -> None:
    assert guarded(text) == cell


@given(ODD)
def test_no_spreadsheet_finds_a_formula_whatever_it_separates_by(text: str) -> None:
    for separator in (",", ";", "\t", "\n"):
        for part in guarded(text).split(separator) if separator != "," else [guarded(text)]:
            assert not re.match(r'[" \t\r\n]*[=+\-@\uff1d]', part) or part == ""


@given(ODD)
def test_a_cell_can_be_taken_back_to_the_text(text: str) -> None:
    signs = "=+\\-@\uff1d\uff0b\uff0d\uff20"
    cell = re.sub(r"^'('*[\t\r\n])", r"\1", guarded(text))
    assert re.sub(rf"((?:^|[;\t\r\n])[\" \t\r\n]*)'('*[{signs}])", r"\1\2", cell) == text


def test_the_engine_guards_a_cell_as_the_tables_do() -> None:
    rng = random.Random(7)
    texts = [
        "".join(rng.choices("=+-@\uff1d;'\" \t\r\nax\\1", k=rng.randint(0, 8))) for _ in range(3000)
    ]
    column = ibis.memtable(pa.table({"n": range(len(texts)), "text": texts}))
    told = (
        column.mutate(text=_cell(column.text)).order_by("n").to_pyarrow().column("text").to_pylist()
    )
    assert told == [guarded(text) for text in texts]


# -- names of files --------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_two_ids_never_share_a_file(ids: list[str]) -> None:
    one, two = map(in_file_name, ids)
    assert one != two
    assert len(one) < 200


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../../etc/passwd", "CON", "nul", "a\\b", "a/b", "\x00", "\udcff", "x" * 5000],
)
def test_no_id_is_a_path_or_a_device(name: str) -> None:
    made = in_file_name(name)
    assert re.fullmatch(r"camera-[A-Za-z0-9%._~-]{0,180}", made)

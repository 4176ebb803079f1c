"""What verified fragments prove, piece by piece: rolls, signatures that come late, clocks of fragments."""

from __future__ import annotations

from pathlib import Path

import pytest

from bodycam.audit.anchors import Anchor, Anchors
from bodycam.audit.intervals import Times
from bodycam.audit.proven import proven_spans, refused_names, unvouched_names
from bodycam.clock import NS, utc_text
from bodycam.custody.fields import FragFields, HeadFields
from bodycam.custody.findings import Check, Finding, Verdict
from bodycam.custody.segmentfacts import Held, SegmentFacts
from bodycam.custody.verify import Report
from bodycam.custody.vouching import Unvouched
from bodycam.formats import mp4

ZERO = "0" * 64
FRAME_NS = NS // 25
# A clock by which boot time is UTC.
TRUE = Anchor(0, 0, 5000, "ntp", 1)


def box(number: int) -> str:
    return f"{number:064x}"


def segment(
    number: int, *held: tuple[int, int], rec: str = "r", boot: str = "boot"
) -> SegmentFacts:
    """The segment of this number of a recording; what it holds is in ns of boot time."""
    head = HeadFields(
        0, utc_text(0), "ntp", 5, "head", 0, 0, 0, ZERO, box(number), "cam", rec, number, boot, ZERO
    )
    facts = SegmentFacts(Path(f"{rec}_{number:05}.mp4"), head=head, last_box=box(number + 1))
    facts.held = [Held(*one) for one in held]
    facts.frame_ticks = mp4.VIDEO_TIMESCALE // 25
    facts.vouched = True
    return facts


def proven(*segments: SegmentFacts, unvouched: frozenset[str] = frozenset()) -> Times:
    anchors = Anchors()
    anchors.offer("boot", TRUE)
    return proven_spans(segments, anchors, set(unvouched)).get("r", ())


def seconds(found: Times) -> list[tuple[float, float]]:
    return [(a / 1_000_000, b / 1_000_000) for a, b in found]


# -- rolls -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apart_ns", "whole"), [(0, True), (1000, True), (FRAME_NS, True), (FRAME_NS + 1000, False)]
)
def test_a_roll_that_loses_no_frame_is_no_hole(apart_ns: int, whole: bool) -> None:
    """Whichever segment is read first."""
    one, two = segment(0, (0, 10 * NS)), segment(1, (10 * NS + apart_ns, 20 * NS))
    three = segment(2, (20 * NS + apart_ns, 30 * NS), (35 * NS, 40 * NS))
    apart_s = apart_ns / NS
    expected = (
        [(0, 30), (35, 40)] if whole
        else [(0, 10), (10 + apart_s, 20), (20 + apart_s, 30), (35, 40)]
    )  # fmt: skip
    assert seconds(proven(one, two, three)) == expected
    assert seconds(proven(three, one, two)) == expected


def test_a_hole_within_a_segment_is_one_however_short() -> None:
    assert seconds(proven(segment(0, (0, NS), (NS + 1000, 2 * NS)))) == [(0, 1), (1.000001, 2)]


def test_a_segment_in_which_nothing_is_proven_takes_nothing_from_its_neighbours() -> None:
    found = proven(segment(0, (0, 10 * NS)), segment(1), segment(2, (20 * NS, 30 * NS)))
    assert seconds(found) == [(0, 10), (20, 30)]


# -- signatures --------------------------------------------------------------------------------


def owing(number: int, *, vouched: bool = True, rec: str = "r") -> SegmentFacts:
    """A segment whose last records were not signed in it; `vouched`: earlier ones were."""
    facts = segment(number, rec=rec)
    facts.unvouched, facts.vouched = Unvouched("fragment 3", 2), vouched
    return facts


def test_the_next_segment_may_vouch_for_the_last_records_of_the_one_before() -> None:
    last = "r_00001.mp4"
    assert unvouched_names([owing(0), segment(1)]) == set()
    assert unvouched_names([segment(1), owing(0)]) == set()
    assert unvouched_names([segment(0), owing(1)]) == {last}
    # Its own first records are signed, and with them all before it.
    assert unvouched_names([owing(0), owing(1)]) == {last}


def test_what_vouches_for_a_segment_may_be_two_segments_on() -> None:
    assert unvouched_names([owing(0), owing(1, vouched=False), segment(2)]) == set()
    every = {"r_00000.mp4", "r_00001.mp4"}
    assert unvouched_names([owing(0), owing(1, vouched=False)]) == every


def test_only_the_segment_that_names_its_last_box_vouches_for_it() -> None:
    first = {"r_00000.mp4"}
    assert unvouched_names([owing(0), segment(2)]) == first
    other = segment(1, rec="s")
    assert unvouched_names([owing(0), other]) == first
    without_head = segment(1)
    without_head.head = None
    assert unvouched_names([owing(0), without_head]) == first


def test_of_what_nobody_vouches_for_only_the_part_before_counts() -> None:
    one = segment(0, (0, 4 * NS), (5 * NS, 9 * NS), (9 * NS + 1000, 10 * NS))
    names = frozenset({one.name})
    assert seconds(proven(one, unvouched=names)) == []
    one.vouched_to_ns = 7 * NS
    assert seconds(proven(one, unvouched=names)) == [(0, 4), (5, 7)]
    one.vouched_to_ns = 5 * NS
    assert seconds(proven(one, unvouched=names)) == [(0, 4)]


# -- what does not belong here ------------------------------------------------------------------


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_segment_of_which_the_log_or_another_says_that_it_is_not_its_own_is_refused(
    verdict: Verdict,
) -> None:
    """If it is said to be altered, unreadable or untrusted; that it is cut is another matter."""
    findings = [
        Finding(Check.LOG_STORE, verdict, "log/events.jsonl", "r/r_00001.mp4", "not that of the log"),
        Finding(Check.HEAD, verdict, "evidence/r/r_00002.mp4", "HEAD", "of another boot"),
        Finding(Check.SIGNATURE, verdict, "evidence/r/r_00003.mp4", "fragment 3", "no signature"),
    ]  # fmt: skip
    refused = refused_names(Report((), (), tuple(findings), ()))
    failing = verdict in (Verdict.ALTERED, Verdict.UNREADABLE, Verdict.UNTRUSTED)
    assert refused == ({"r_00001.mp4", "r_00002.mp4"} if failing else set())


# -- clocks ------------------------------------------------------------------------------------


def fragment(boot_s: int, utc_s: int, unc_ms: int, clk: str = "ntp") -> FragFields:
    return FragFields(
        boot_s * NS, utc_text(utc_s * NS), clk, unc_ms, "frag", 1, 0, 0, ZERO, ZERO,
        (boot_s + 1) * NS, 25, 0, 0, ZERO, ZERO, (1, ZERO),
    )  # fmt: skip


def test_without_a_log_the_better_clock_of_its_fragments_places_a_boot() -> None:
    one = segment(0)
    one.first, one.last = fragment(10, 1000, 900), fragment(20, 1015, 40)
    two = segment(1)
    two.first, two.last = fragment(30, 1026, 40), fragment(40, 9999, 1, clk="none")
    anchors = Anchors()
    for facts in (one, two):
        anchors.offer_segment(facts)
    found = anchors.of("boot")
    assert found is not None
    # Of equally good ones the first: what fragments say has no order.
    assert (found.at_us(20 * NS), found.err_us, found.source) == (1015 * 10**6, 40_000, "ntp")
    assert anchors.of("another") is None


def test_what_a_log_says_of_a_clock_comes_before_what_fragments_say() -> None:
    anchors, one = Anchors(), segment(0)
    one.first = fragment(10, 1000, 1)
    anchors.offer_segment(one)
    anchors.offer("boot", TRUE)
    assert anchors.of("boot") == TRUE


def test_a_boot_whose_clock_cannot_be_true_is_placed_by_nothing() -> None:
    anchors, one = Anchors(), segment(0)
    one.first = fragment(10, 1000, 1)
    anchors.offer_segment(one)
    anchors.offer("boot", TRUE)
    anchors.forget("boot")
    assert anchors.of("boot") is None

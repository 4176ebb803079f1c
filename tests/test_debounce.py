"""Debounce: stable for N is a toggle, everything else is said as what it is (faults F01-F08)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bodycam.clock import MS
from bodycam.debounce import (
    CHATTER_QUIET_NS,
    Debouncer,
    Edge,
    Glitch,
    LineFault,
    LineFaultEnded,
    LostPulse,
    Outcome,
    Reconciled,
    Toggle,
)

ON_NS, OFF_NS = 30 * MS, 2000 * MS


def slide(*, initial: bool = False) -> Debouncer:
    """A slide switch as shipped: ON after 30 ms, OFF after 2 s."""
    return Debouncer("record", ON_NS, OFF_NS, initial)


def edges(*flips_ms: float, start: bool = True) -> list[Edge]:
    """Edges at these ms, each to the other level; the first goes to `start`."""
    return [
        Edge("record", start == (i % 2 == 0), int(ms * MS), i + 1) for i, ms in enumerate(flips_ms)
    ]


def play(debouncer: Debouncer, raw: list[Edge], until_ms: float) -> list[Outcome]:
    """Feed the edges in order, ticking as a reader does: whenever something is due."""
    outcomes: list[Outcome] = []
    for edge in raw:
        outcomes += debouncer.feed(edge)
    while (due_ns := debouncer.due_ns) is not None and due_ns <= until_ms * MS:
        outcomes += debouncer.tick(due_ns)
    return outcomes


def toggled(outcomes: list[Outcome]) -> list[tuple[bool, float]]:
    """The toggles alone, as (level, ms)."""
    return [(o.active, o.at_ns / MS) for o in outcomes if isinstance(o, Toggle)]


# -- the five patterns on which "first edge, then deaf" fails ---------------------------------


def test_ten_edges_in_8_ms_are_one_toggle_at_the_last_of_them() -> None:
    bounce = edges(100, 100.9, 101.7, 102.6, 103.5, 104.4, 105.3, 106.2, 107.1)
    assert play(slide(), bounce, 200) == [
        Toggle("record", True, int(107.1 * MS), int(137.1 * MS), int(7.1 * MS), 9)
    ]


def test_a_worn_slide_that_bounces_for_60_ms_is_one_toggle() -> None:
    bounce = edges(0, 7, 15, 20, 28, 31, 40, 52, 60)
    assert toggled(play(slide(), bounce, 200)) == [(True, 60)]


def test_a_flick_of_40_ms_is_a_press_and_a_release() -> None:
    assert toggled(play(slide(), edges(0, 40), 3000)) == [(True, 0), (False, 40)]


def test_off_and_on_again_within_150_ms_leaves_the_switch_on() -> None:
    outcomes = play(slide(initial=True), edges(1000, 1150, start=False), 5000)
    assert outcomes == [Glitch("record", 1000 * MS, 150 * MS, 2)]


def test_off_for_1900_ms_is_not_off() -> None:
    outcomes = play(slide(initial=True), edges(1000, 2900, start=False), 9000)
    assert outcomes == [Glitch("record", 1000 * MS, 1900 * MS, 2)]


def test_a_spike_of_1_ms_is_a_glitch() -> None:
    assert play(slide(), edges(500, 501), 1000) == [Glitch("record", 500 * MS, MS, 2)]


# -- when a change counts ---------------------------------------------------------------------


def test_off_counts_after_two_seconds_from_its_last_bounce() -> None:
    debouncer = slide(initial=True)
    assert play(debouncer, edges(0, 4, 8, start=False), 2007) == []
    assert debouncer.pending == (False, 8 * MS)
    assert debouncer.due_ns == 2008 * MS
    assert debouncer.tick(2008 * MS) == [Toggle("record", False, 8 * MS, 2008 * MS, 8 * MS, 3)]
    assert [debouncer.pending, debouncer.due_ns] == [None, None]


def test_edges_fed_late_settle_as_if_fed_in_time() -> None:
    # The reader was busy for 5 s: three throws wait in the queue.
    throws = edges(0, 1000, 4000)
    assert toggled(play(slide(), throws, 5000)) == [(True, 0), (False, 1000), (True, 4000)]


def test_a_glitch_does_not_count_into_the_bounce_of_the_next_press() -> None:
    outcomes = play(slide(), edges(0, 1, 500, 503, 505), 1000)
    assert outcomes == [
        Glitch("record", 0, MS, 2),
        Toggle("record", True, 505 * MS, 535 * MS, 5 * MS, 3),
    ]


# -- lost edges -------------------------------------------------------------------------------


def test_a_lost_release_is_found_by_the_reread() -> None:
    debouncer = Debouncer("marker", ON_NS, ON_NS, initial=False)
    assert toggled(debouncer.feed(Edge("marker", True, 0)) + debouncer.tick(50 * MS)) == [(True, 0)]
    assert debouncer.level(True, 100 * MS) == []
    assert debouncer.level(False, 200 * MS) == [Reconciled("marker", False, 200 * MS)]
    assert toggled(debouncer.tick(230 * MS)) == [(False, 200)]


def test_an_edge_that_the_reread_overtook_is_not_counted_twice() -> None:
    debouncer = slide()
    assert debouncer.level(True, 100 * MS) == [Reconciled("record", True, 100 * MS)]
    assert debouncer.feed(Edge("record", True, 99 * MS, 1)) == []
    assert toggled(debouncer.tick(130 * MS)) == [(True, 99)]


def test_a_reading_older_than_the_last_edge_proves_nothing() -> None:
    debouncer = slide()
    debouncer.feed(Edge("record", True, 100 * MS))
    assert debouncer.level(False, 99 * MS) == []
    assert toggled(debouncer.tick(130 * MS)) == [(True, 100)]


def test_two_edges_to_one_level_mean_a_lost_pulse_between_them() -> None:
    debouncer = slide()
    debouncer.feed(Edge("record", True, 0))
    assert debouncer.feed(Edge("record", True, 20 * MS)) == [LostPulse("record", 20 * MS, 1)]
    assert toggled(debouncer.tick(49 * MS)) == []
    assert toggled(debouncer.tick(50 * MS)) == [(True, 20)]


def test_a_hole_in_the_edge_numbers_means_a_lost_pulse() -> None:
    debouncer = slide()
    debouncer.feed(Edge("record", True, 0, 1))
    assert debouncer.feed(Edge("record", False, 20 * MS, 4)) == [LostPulse("record", 20 * MS, 2)]


# -- a line that never rests ------------------------------------------------------------------


def test_a_floating_line_is_one_fault_holds_the_level_and_ends_once() -> None:
    hum = edges(*range(0, 3000, 10), start=False)
    outcomes = play(slide(initial=True), hum, 10_000)
    assert outcomes == [
        LineFault("record", 390 * MS, True, 40),
        LineFaultEnded("record", 3490 * MS, 260),
    ]


def test_a_line_that_ends_its_chatter_elsewhere_toggles_then() -> None:
    hum = edges(*range(0, 1010, 10))
    assert play(slide(), hum, 10_000)[-1] == Toggle(
        "record", True, 1000 * MS, 1500 * MS, 1000 * MS, 101
    )


def test_quick_hands_are_no_line_fault() -> None:
    # Four throws a second, nine edges each, on a button that settles both ways in 30 ms.
    throws = [k * 250 + bounce for k in range(20) for bounce in range(9)]
    debouncer = Debouncer("record", ON_NS, ON_NS, initial=False)
    outcomes = play(debouncer, edges(*throws), 10_000)
    assert len(toggled(outcomes)) == len(outcomes) == 20


# -- whatever the edges -----------------------------------------------------------------------

_gaps_ns = st.integers(0, 60 * MS) | st.integers(0, 3000 * MS)
_raw = st.lists(st.tuples(_gaps_ns, st.booleans()), max_size=120)


@given(_raw, st.booleans())
def test_what_settles_is_the_last_level_and_only_what_was_stable(
    raw: list[tuple[int, bool]], initial: bool
) -> None:
    debouncer = slide(initial=initial)
    outcomes: list[Outcome] = []
    at_ns = 0
    times = []
    for gap_ns, active in raw:
        at_ns += gap_ns
        times.append(at_ns)
        outcomes += debouncer.feed(Edge("record", active, at_ns))
    outcomes += debouncer.tick(at_ns + OFF_NS + CHATTER_QUIET_NS)

    assert debouncer.active == (raw[-1][1] if raw else initial)
    assert debouncer.due_ns is None
    toggles = [o for o in outcomes if isinstance(o, Toggle)]
    levels = [initial, *(toggle.active for toggle in toggles)]
    assert all(before != after for before, after in pairwise(levels))
    for toggle in toggles:
        stable_ns = ON_NS if toggle.active else OFF_NS
        assert toggle.settled_ns - toggle.at_ns >= stable_ns
        assert not any(toggle.at_ns < t < toggle.at_ns + stable_ns for t in times)
    faults = [type(o) for o in outcomes if isinstance(o, LineFault | LineFaultEnded)]
    assert faults == [LineFault, LineFaultEnded] * (len(faults) // 2)


@given(st.lists(st.integers(0, 200 * MS), max_size=60), st.lists(st.integers(0, 200 * MS)))
def test_ticking_more_often_changes_nothing(gaps_ns: list[int], extra_ns: list[int]) -> None:
    at_ns, raw = 0, []
    for i, gap_ns in enumerate(gaps_ns):
        at_ns += gap_ns
        raw.append(Edge("record", i % 2 == 0, at_ns))
    rare, eager = slide(), slide()
    end_ns = at_ns + OFF_NS + CHATTER_QUIET_NS
    once = [o for edge in raw for o in rare.feed(edge)] + rare.tick(end_ns)
    often: list[Outcome] = []
    last_ns = 0
    for edge in raw:
        for tick_ns in extra_ns:
            if last_ns + tick_ns < edge.at_ns:
                often += eager.tick(last_ns + tick_ns)
        often += eager.feed(edge)
        last_ns = edge.at_ns
    often += eager.tick(end_ns)
    assert often == once

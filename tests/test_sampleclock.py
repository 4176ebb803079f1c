"""Where samples lie on boot time: drifting crystals, late and bursty reads, lost samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodycam.camera.sampleclock import Line, SampleClock
from bodycam.clock import MS, NS

RATE = 48_000
HOUR_S = 3600
BOUND_NS = 40 * MS
BEGIN_NS = 5 * NS


@dataclass(frozen=True)
class Stall:
    """Nobody reads from `at_ns` on for `ns`; then all that has gathered is read at once."""

    at_ns: int
    ns: int


@dataclass(frozen=True)
class Loss:
    """The device throws samples away: what is heard for `ns` from `at_ns` on is never read."""

    at_ns: int
    ns: int


@dataclass(frozen=True)
class Read:
    total: int
    at_ns: int
    heard_ns: int  # the truth: when the last of these samples was heard


@dataclass(frozen=True)
class Device:
    """A microphone on a crystal of its own, and whoever reads it."""

    ppm: int = 0
    read_ms: int = 10
    jitter_ns: tuple[int, ...] = (0,)
    stalls: tuple[Stall, ...] = ()
    losses: tuple[Loss, ...] = ()

    def reads(self, seconds: float) -> Iterator[Read]:
        total, heard_ns, read_ns = 0, BEGIN_NS, 0
        step = RATE * self.read_ms // 1000
        step_ns = step * NS * 1_000_000 // (RATE * (1_000_000 + self.ppm))
        losses = list(self.losses)
        while heard_ns < BEGIN_NS + seconds * NS:
            if losses and heard_ns >= losses[0].at_ns:
                heard_ns += losses.pop(0).ns
            total += step
            heard_ns += step_ns
            due_ns = heard_ns + self.jitter_ns[total // step % len(self.jitter_ns)]
            for stall in self.stalls:
                if stall.at_ns <= due_ns < stall.at_ns + stall.ns:
                    due_ns = stall.at_ns + stall.ns
            read_ns = max(read_ns, due_ns)
            yield Read(total, read_ns, heard_ns)


def followed(device: Device, seconds: float) -> tuple[int, list[int]]:
    """How far the placed samples were off at most, and the jumps of the line."""
    clock, worst_ns, jumps = SampleClock(RATE), 0, []
    held: list[Read] = []
    for read in device.reads(seconds):
        held.append(read)
        line = clock.heard(read.total, read.at_ns)
        if line is None:
            continue
        placed = held[: line.reads]
        worst_ns = max([worst_ns, *(abs(line.at_ns(r.total) - r.heard_ns) for r in placed)])
        del held[: line.reads]
        if line.jump_ns:
            jumps.append(line.jump_ns)
    return worst_ns, jumps


JITTER = (0, 3 * MS, MS, 9 * MS, 0, 14 * MS, 2 * MS, 6 * MS, 1, 18 * MS)


@pytest.mark.parametrize("ppm", [-200, 0, 200])
def test_an_hour_of_a_bad_crystal_read_late_stays_well_within_40_ms(ppm: int) -> None:
    minutely = tuple(Stall(BEGIN_NS + n * 60 * NS, (50 + 13 * n) * MS) for n in range(1, 60))
    worst_ns, jumps = followed(Device(ppm, 10, JITTER, minutely), HOUR_S)
    assert worst_ns < 5 * MS, "it goes by the promptest reads, not by the average"
    assert jumps == [], "a late read is no lost sample, and drift is followed without jumps"


@pytest.mark.parametrize("ppm", [-200, 200])
def test_without_jitter_the_line_is_the_truth_to_a_millisecond(ppm: int) -> None:
    worst_ns, jumps = followed(Device(ppm), HOUR_S)
    assert worst_ns < MS
    assert jumps == []


def test_an_uncorrected_crystal_would_be_off_by_700_ms() -> None:
    """That the tests above can fail: what they would find if the line stood still."""
    last = list(Device(-200).reads(HOUR_S))[-1]
    assert abs(Line(RATE, BEGIN_NS).at_ns(last.total) - last.heard_ns) > 700 * MS


def test_two_late_reads_of_a_device_that_gives_a_quarter_second_at_a_time_are_no_loss() -> None:
    late = (0, 0, 0, 0, 30 * MS, 30 * MS, 0, 0)
    worst_ns, jumps = followed(Device(read_ms=250, jitter_ns=late), 20)
    assert jumps == []
    assert worst_ns < 5 * MS


@pytest.mark.parametrize("lost_ms", [30, 300, 3000])
def test_lost_samples_are_a_gap_at_its_place_and_not_drift(lost_ms: int) -> None:
    lost = Loss(BEGIN_NS + 2 * NS, lost_ms * MS)
    worst_ns, jumps = followed(Device(100, losses=(lost,)), 10)
    assert len(jumps) == 1
    assert abs(jumps[0] - lost.ns) < 5 * MS
    assert worst_ns < 5 * MS, "not one sample of those around it was placed wrongly"


@pytest.mark.parametrize("lost_ms", [56, 300, 2000])
def test_a_late_read_right_before_a_loss_says_nothing_of_what_came_after_it(lost_ms: int) -> None:
    few, many = Loss(BEGIN_NS + 1609 * MS, 5 * MS), Loss(BEGIN_NS + 2329 * MS, lost_ms * MS)
    jitter = (*[0] * 10, 16 * MS)
    worst_ns, jumps = followed(Device(-199, 27, jitter, losses=(few, many)), 20)
    assert worst_ns < 20 * MS
    assert sum(jumps) == pytest.approx(lost_ms * MS, abs=6 * MS)


def test_samples_are_held_no_longer_than_it_takes_to_be_sure() -> None:
    clock = SampleClock(RATE)
    reads = Device(losses=(Loss(BEGIN_NS + NS, 300 * MS),)).reads(3)
    held_ns = [read.at_ns for read in reads if clock.heard(read.total, read.at_ns) is None]
    begin = [at for at in held_ns if at < BEGIN_NS + NS]
    doubt = [at for at in held_ns if at >= BEGIN_NS + NS]
    assert begin[-1] - begin[0] < 200 * MS
    assert doubt[-1] - doubt[0] < 200 * MS


def test_a_line_that_began_too_late_is_put_right() -> None:
    """The first half second is read late, as by a machine that has just begun to work."""
    clock = SampleClock(RATE)
    lines = []
    for n in range(1, 200):
        delay_ns = 90 * MS if n < 50 else 0
        lines.append(clock.heard(n * 480, BEGIN_NS + n * 10 * MS + delay_ns))
    jumps = [line.jump_ns for line in lines if line is not None and line.jump_ns]
    assert jumps == [-90 * MS]
    last = lines[-1]
    assert last is not None
    assert last.origin_ns == BEGIN_NS


@st.composite
def shaken(draw: st.DrawFn) -> Device:
    """Any crystal, any reader that is awake now and then."""
    jitter = draw(st.lists(st.integers(0, 19 * MS), min_size=1, max_size=40))
    stalls, at_ns = [], BEGIN_NS + NS
    for pause_ms, stall_ms in draw(
        st.lists(st.tuples(st.integers(60, 2000), st.integers(1, 1200)), max_size=12)
    ):
        at_ns += pause_ms * MS
        stalls.append(Stall(at_ns, stall_ms * MS))
        at_ns += stall_ms * MS
    return Device(
        draw(st.integers(-200, 200)), draw(st.integers(5, 40)), (0, *jitter), tuple(stalls)
    )


@given(shaken())
def test_however_it_is_read_no_sample_is_placed_more_than_40_ms_off(device: Device) -> None:
    worst_ns, jumps = followed(device, 12)
    assert worst_ns < BOUND_NS
    assert jumps == []


@given(
    shaken(),
    st.lists(st.tuples(st.integers(400, 3000), st.integers(1, 2000)), min_size=1, max_size=6),
)
def test_whatever_is_lost_no_sample_is_placed_more_than_40_ms_off(
    device: Device, losses: list[tuple[int, int]]
) -> None:
    at_ns, lost = BEGIN_NS + NS, []
    for pause_ms, lost_ms in losses:
        at_ns += pause_ms * MS
        lost.append(Loss(at_ns, lost_ms * MS))
        at_ns += lost_ms * MS
    quiet = Device(device.ppm, device.read_ms, device.jitter_ns, (), tuple(lost))
    worst_ns, _ = followed(quiet, 20)
    assert worst_ns < BOUND_NS


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, NS)), min_size=1, max_size=200))
def test_no_reads_whatsoever_make_it_raise_or_run_backwards(reads: list[tuple[int, int]]) -> None:
    clock, total, at_ns, lines = SampleClock(RATE), 0, BEGIN_NS, []
    for samples, later_ns in reads:
        total, at_ns = total + samples, at_ns + later_ns
        line = clock.heard(total, at_ns)
        if line is not None:
            lines.append(line)
            assert line.at_ns(total) <= at_ns, "nothing is heard after it was read"
    assert all(b.origin_ns - a.origin_ns == b.jump_ns for a, b in pairwise(lines) if b.jump_ns)

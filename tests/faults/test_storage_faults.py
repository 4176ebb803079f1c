"""The card is full, fails, turns read-only or stalls: what was synced stays, and no lamp lies."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.simulate.unit import Unit

from .conftest import Faulty
from .faultrig import FaultRig
from .heavyfootage import heavy
from .results import Measure
from .smallcard import SmallCard, small_card
from .witness import read_syncs

pytestmark = pytest.mark.system

_SMALL_RING: dict[str, Any] = {
    "camera": {"width": 640, "height": 360, "bitrate_kbps": 3000},
    "ring": {"max_mib": 1, "reserve_s": 2},
}
# Until the kernel itself says that there is no room.
_NOTHING_KEPT: dict[str, Any] = {
    "recording": {"post_record_s": 0, "segment_s": 60, "fragment_ms": 300},
    "store": {"min_free_mib": 0},
}


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path / "card.img", 16) as made:
        yield made


def begin(rig: FaultRig, seconds: float = 1.5) -> Path:
    """Record for a while; the segment that is open."""
    rig.press(True)
    rig.until_logged("rec.start")
    rig.run_for(seconds)
    return rig.segments()[-1]


def end(rig: FaultRig) -> None:
    rig.press(False)
    rig.until_logged("switch.off")
    rig.until("the recording closed", lambda: rig.events("rec.stop") != [], 20)


def cost_s(rig: FaultRig) -> float:
    """Seconds that the card cost: not those in which a busy machine's camera gave no picture."""
    return rig.lost_s("ring full", "storage") + max(0, rig.missing_s() - rig.lost_s())


def slower(rig: FaultRig, ms: int) -> bool:
    """True once a sync as slow as that was told of."""
    return any(line["data"]["ms"] >= ms for line in rig.events("io.slow"))


def assert_no_needless_fault(rig: FaultRig) -> None:
    """No fault was shown but over a sync that was late: on a busy machine one may be."""
    synced_ns = rig.synced_ns()
    stale_ns = max(after - before for before, after in pairwise(synced_ns))
    assert stale_ns > 2 * NS - NS // 5 or not rig.showed("rec", "fault")


def test_f27_f28_what_a_failed_write_or_sync_spoils_is_written_again_to_a_new_file(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=2) as rig:
        written = begin(rig)
        with rig.injected("pwrite64:error=EIO:when=2", path=written):
            rig.until_logged("io.error")
        rig.until("a new file", lambda: rig.segments()[-1] != written)
        rig.run_for(1)
        synced = rig.segments()[-1]
        with rig.injected("fdatasync:error=EIO:when=2", path=synced):
            rig.until_logged("io.error", 2)
        rig.run_for(1)
        end(rig)
    faults = [line["data"] for line in rig.events("io.error")]
    assert [fault["call"] for fault in faults] == ["write", "sync"]
    for fault, path in zip(faults, (written, synced), strict=True):
        assert rig.card / "evidence" / fault["file"] == path
        assert fault["suspect"]
        assert 0 < fault["synced_bytes"] <= path.stat().st_size
    # Linux would say yes the second time, and the data would be gone: nobody asked again.
    errors = [sync.error for sync in read_syncs(rig.witness_path) if sync.path == str(synced)]
    assert errors.index(errno.EIO) == len(errors) - 1
    assert_no_needless_fault(rig)
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f29_a_card_that_turns_read_only_takes_nothing_back_and_the_ring_goes_on(
    unit: Faulty, card: SmallCard, measured: Measure
) -> None:
    with unit(_SMALL_RING, 4, before=card.under_evidence) as rig:
        begin(rig)
        card.fail()
        rig.until_state("fault")
        rig.until_logged("ring.stretched")
        rig.run_for(10)
        rig.until("a second alarm", lambda: rig.taps().count("5 quick") >= 2)
        stretched_ms = rig.unit.status()["ring_ms"]
        on_disk = rig.fragments()
        rig.press(False)
        rig.until_state("notready")
    # The mounts table goes on saying that all is well: only a write tells.
    assert card.flags().startswith("rw")
    (fault, *_) = (line["data"] for line in rig.events("storage.fault"))
    assert "read-only" in fault["reason"]
    assert rig.fragments() == on_disk
    gap = rig.events("gap")[-1]["data"]
    assert gap["cause"] == "storage"
    measured("seconds between the last picture on disk and the gap that is named",
             abs(gap["from_ns"] - on_disk[-1]["end_ns"]) / NS, "s", 0.1)  # fmt: skip
    measured("seconds that the ring was made for", 4, "s")
    measured("seconds in it while the card takes nothing", stretched_ms / 1000, "s")
    assert stretched_ms > 3 * 4000
    assert rig.unit.exit_codes == [0]


def test_f29_a_dead_card_is_known_before_a_press_and_the_log_on_it_waits_in_memory(
    unit: Faulty, card: SmallCard
) -> None:
    with unit(speed=4, before=card.under_card) as rig:
        rig.until("green", lambda: rig.unit.status()["signal"] == "ready")
        rig.run_for(1)
        card.fail()
        rig.until_state("notready", 15)
        lines = len(rig.log())
        rig.press(True)
        rig.until_state("fault")
        assert "5 quick" in rig.taps()
        assert rig.unit.status()["log_fault"]
        assert "read-only" in rig.unit.status()["storage_fault"]
        rig.press(False)
        rig.until_state("notready")
    assert len(rig.log()) == lines
    assert rig.segments() == []
    assert rig.unit.exit_codes == [0]


_DEAD = ("pwrite64:error=EIO", "fdatasync:error=EIO", "fsync:error=EIO")


def test_f29_what_a_card_missed_while_it_was_dead_is_written_when_it_is_back(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=3) as rig:
        begin(rig, 0.5)
        with rig.injected(*_DEAD):
            rig.until_state("fault")
            rig.run_for(3)
        rig.until_state("rec")
        # Once more, and the officer stops meanwhile.
        with rig.injected(*_DEAD):
            rig.until_state("fault")
            stopped_ns = rig.press(False)
            rig.until("standby", lambda: rig.unit.status()["state"] == "standby")
            rig.run_for(1)
        rig.until("the recording closed", lambda: rig.events("rec.stop") != [])
    assert {line["data"]["suspect"] for line in rig.events("io.error")} == {True}
    (stop,) = (line["data"] for line in rig.events("rec.stop"))
    assert stop["reason"] == "stop"
    assert rig.fragments()[-1]["end_ns"] > stopped_ns - NS // 2
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f25_f26_a_filling_card_is_said_in_time_and_a_full_one_goes_on_when_there_is_room(
    unit: Faulty, card: SmallCard, footage_8m: Path, measured: Measure
) -> None:
    with unit({**heavy(footage_8m), **_NOTHING_KEPT}, 2, before=card.under_card) as rig:
        percent = card.total_bytes() // 100
        for count, level in enumerate((20, 10, 5), 1):
            filler = card.fill(percent * level - percent // 2)
            rig.until_logged("storage.low", count)
            rig.run_for(1)
        begin(rig, 0)
        # Until the kernel itself says that there is no room.
        rig.until_state("full")
        rig.until_logged("storage.full")
        rig.run_for(3)
        filler.unlink()
        rig.until_state("rec")
        rig.run_for(1)
        end(rig)
    assert [line["data"]["level"] for line in rig.events("storage.low")] == [20, 10, 5]
    assert rig.notices() == ["low-store"]
    assert "no space left" in rig.events("storage.full")[0]["data"]["reason"]
    assert "storage-full" in [line["data"]["reason"] for line in rig.events("seg.close")]
    # At 10 and at 5 percent; that it is full may fall together with the last.
    assert rig.taps().count("3 short") >= 2
    assert rig.showed("rec", "full", "rec")
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f30_a_card_that_stalls_costs_nothing_while_the_ring_has_room(
    unit: Faulty, measured: Measure
) -> None:
    speed = 3
    # One file: the stall is made in the one that is open.
    with unit({"recording": {"segment_s": 120, "post_record_s": 0}}, speed) as rig:
        begin(rig, 0.5)
        for stall_s in (2, 7, 15):
            delay_us = stall_s * 1_000_000 // speed
            path = rig.segments()[-1]
            with rig.injected(f"fdatasync:delay_exit={delay_us}:when=1", path=path):
                rig.until(
                    f"{stall_s} s, {rig.events('io.slow')}",
                    partial(slower, rig, stall_s * 1000),
                )
            rig.until_state("rec")
        end(rig)
    assert rig.showed("rec", "fault", "rec")
    assert sum(line["data"]["counts"][-1] for line in rig.events("io.latency")) >= 1
    measured("seconds that stalls of 2, 7 and 15 s cost", cost_s(rig), "s", 0)


@pytest.mark.soak
def test_f30_a_card_that_stalls_for_40_s_gets_nobody_killed(
    unit: Faulty, measured: Measure
) -> None:
    def watch(made: Unit) -> None:
        made.watched = True

    long = {"recording": {"segment_s": 120, "post_record_s": 0}, "ring": {"reserve_s": 60}}
    with unit(long, before=watch) as rig:
        path = begin(rig, 0.5)
        with rig.injected("fdatasync:delay_exit=40000000:when=1", path=path):
            rig.until("the stall", partial(slower, rig, 40_000), 60)
        rig.until_state("rec")
        end(rig)
    assert rig.unit.exit_codes == [0]
    measured("seconds that a stall of 40 s cost", cost_s(rig), "s", 0)


def test_f30_a_press_while_the_whole_card_stalls_for_10_s_costs_nothing(
    unit: Faulty, measured: Measure
) -> None:
    speed = 3
    with unit(speed=speed) as rig:
        rig.until("a ring of 3 s", lambda: rig.unit.status()["ring_ms"] > 3000)
        # Each thread's next sync: of the toggle, of the segment's line, of a heartbeat.
        with rig.injected(f"fdatasync:delay_exit={10_000_000 // speed}:when=1"):
            rig.press(True)
            rig.until_state("fault")
            rig.until_state("rec", 15)
            rig.run_for(1)
            end(rig)
    (start,) = (line["data"] for line in rig.events("rec.start"))
    (pressed,) = rig.events("switch.on")
    assert start["synced_ns"] - pressed["boot_ns"] > 10 * NS
    assert "start" in rig.cues()
    # Nothing but a camera that is late itself makes it short.
    assert start["reason"] in (None, "stall")
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f30_beyond_the_ring_the_newest_pictures_are_dropped_and_said(
    unit: Faulty, footage_8m: Path, measured: Measure
) -> None:
    speed = 3
    with unit({**heavy(footage_8m), "ring": {"max_mib": 6}}, speed) as rig:
        segment = begin(rig)
        with rig.injected(f"fdatasync:delay_exit={15_000_000 // speed}:when=1", path=segment):
            rig.until("the stall", lambda: slower(rig, 15_000))
        rig.until_state("rec")
        rig.run_for(1)
        end(rig)
    (gap,) = (line["data"] for line in rig.events("gap") if line["data"]["cause"] == "ring full")
    measured(
        "seconds dropped in a stall of 15 s with a ring of 6", rig.lost_s("ring full"), "s", 12
    )
    # What is on disk goes on without a hole up to there, and what is missing is counted and named.
    before = [f for f in rig.fragments() if f["boot_ns"] < gap["from_ns"]]
    assert abs(before[-1]["end_ns"] - gap["from_ns"]) < NS // 10
    assert 100 < sum(f["drop"] for f in rig.fragments()) <= gap["frames"] + 1
    assert rig.missing_s() <= rig.lost_s() + 0.1
    assert rig.showed("rec", "fault", "rec")


def test_f28_lines_of_the_log_whose_sync_failed_are_written_again(unit: Faulty) -> None:
    with unit(speed=2) as rig:
        path = rig.card / "log" / "events.jsonl"
        with rig.injected("fdatasync:error=EIO:when=1", path=path):
            begin(rig)
        written = len(rig.log())
        end(rig)
        failed = [sync for sync in read_syncs(rig.witness_path) if sync.path == str(path)]
        assert errno.EIO in [sync.error for sync in failed]
    # The fault is forgotten: what is signed at the end is the whole log, and not what was before.
    (log,) = rig.verify().logs
    assert log.vouched_lines == log.lines > written
    assert rig.states()[-1] == "off"

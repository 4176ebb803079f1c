"""The card is full, fails, turns read-only or stalls: what was synced stays, and no lamp lies."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.errors import ExitCode

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


def stalled_ms(rig: FaultRig) -> int:
    """The longest sync that was told of."""
    return max((line["data"]["ms"] for line in rig.events("io.slow")), default=0)


def assert_no_needless_fault(rig: FaultRig) -> None:
    """No fault was shown but over a sync that was late: on a busy machine one may be."""
    synced_ns = rig.synced_ns()
    stale_ns = max(after - before for before, after in pairwise(synced_ns))
    assert stale_ns > 2 * NS - NS // 5 or not rig.showed("rec", "fault")


def end_of(fault: dict[str, Any], rig: FaultRig) -> None:
    """The suspect file still holds what was synced of it, and the log names what is relied on."""
    path = rig.card / "evidence" / fault["file"]
    assert fault["suspect"]
    assert 0 < fault["synced_bytes"] <= path.stat().st_size


def test_f27_what_a_failed_write_spoils_is_written_again_to_a_new_file(
    unit: Faulty, measured: Measure
) -> None:
    with unit() as rig:
        segment = begin(rig)
        with rig.injected("pwrite64:error=EIO:when=2", path=segment):
            rig.until_logged("io.error")
        rig.run_for(1)
        end(rig)
    (fault,) = (line["data"] for line in rig.events("io.error"))
    assert fault["call"] == "write"
    assert rig.card / "evidence" / fault["file"] == segment
    end_of(fault, rig)
    assert_no_needless_fault(rig)
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f28_a_failed_sync_is_not_tried_again_on_the_same_file(
    unit: Faulty, measured: Measure
) -> None:
    with unit() as rig:
        segment = begin(rig)
        with rig.injected("fdatasync:error=EIO:when=3", path=segment):
            rig.until_logged("io.error")
        rig.run_for(1)
        end(rig)
        syncs = [sync for sync in read_syncs(rig.witness_path) if sync.path == str(segment)]
    (fault,) = (line["data"] for line in rig.events("io.error"))
    assert fault["call"] == "sync"
    end_of(fault, rig)
    # Linux would say yes the second time, and the data would be gone.
    assert [sync.error for sync in syncs].index(5) == len(syncs) - 1
    assert_no_needless_fault(rig)
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f29_a_card_that_turns_read_only_takes_nothing_back_and_the_ring_goes_on(
    unit: Faulty, card: SmallCard, measured: Measure
) -> None:
    with unit(_SMALL_RING, 3, before=card.under_evidence) as rig:
        begin(rig)
        card.fail()
        rig.until_state("fault")
        rig.until_logged("ring.stretched")
        rig.run_for(22)
        stretched_ms = rig.unit.status()["ring_ms"]
        on_disk = rig.fragments()
        rig.press(False)
        rig.until_state("notready")
    # The mounts table goes on saying that all is well: only a write tells.
    assert card.flags().startswith("rw")
    (fault, *_) = (line["data"] for line in rig.events("storage.fault"))
    assert "read-only" in fault["reason"]
    assert rig.taps().count("5 quick") >= 2
    assert rig.fragments() == on_disk
    gap = rig.events("gap")[-1]["data"]
    assert gap["cause"] == "storage"
    measured("seconds between the last picture on disk and the gap that is named",
             (gap["from_ns"] - on_disk[-1]["end_ns"]) / NS, "s", 0.1)  # fmt: skip
    measured("seconds that the ring was made for", 4, "s")
    measured("seconds in it while the card takes nothing", stretched_ms / 1000, "s")
    assert stretched_ms > 3 * 4000
    assert rig.unit.exit_codes == [0]


def test_f29_with_the_log_on_the_same_card_it_waits_in_memory(
    unit: Faulty, card: SmallCard
) -> None:
    with unit(_SMALL_RING, 3, before=card.under_card, allowed=(ExitCode.INCOMPLETE,)) as rig:
        begin(rig)
        card.fail()
        rig.until_state("fault")
        lines = len(rig.log())
        rig.run_for(8)
        assert rig.unit.status()["log_fault"]
        rig.press(False)
        rig.until_state("notready")
    assert len(rig.log()) == lines
    assert rig.unit.exit_codes == [0]


def test_f29_a_dead_card_is_known_before_anybody_presses(unit: Faulty, card: SmallCard) -> None:
    with unit(speed=4, before=card.under_evidence) as rig:
        rig.until_state("ready")
        card.fail()
        rig.until_state("notready", 15)
        said = rig.events("storage.fault")
        rig.press(True)
        rig.until_state("fault")
        assert "5 quick" in rig.taps()
        assert "public" not in rig.states()
    assert [line["data"]["rec"] for line in said] == [None]
    assert rig.segments() == []


def test_f29_what_a_card_missed_while_it_was_dead_is_written_when_it_is_back(
    unit: Faulty, measured: Measure
) -> None:
    with unit(speed=2) as rig:
        begin(rig)
        with rig.injected("pwrite64:error=EIO", "fdatasync:error=EIO", "fsync:error=EIO"):
            rig.until_state("fault")
            rig.run_for(4)
        rig.until_state("rec")
        rig.run_for(1)
        end(rig)
    assert [line["data"]["suspect"] for line in rig.events("io.error")] != []
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f25_a_full_card_closes_at_a_fragment_and_goes_on_when_there_is_room(
    unit: Faulty, card: SmallCard, footage_8m: Path, measured: Measure
) -> None:
    with unit({**heavy(footage_8m), **_NOTHING_KEPT}, 2, before=card.under_card) as rig:
        begin(rig)
        filler = card.fill(0)
        rig.until_state("full")
        rig.until_logged("storage.full")
        rig.run_for(4)
        filler.unlink()
        rig.until_state("rec")
        rig.run_for(1)
        end(rig)
    assert "no space left" in rig.events("storage.full")[0]["data"]["reason"]
    assert "storage-full" in [line["data"]["reason"] for line in rig.events("seg.close")]
    assert "3 short" in rig.taps()
    assert rig.showed("rec", "full", "rec")
    measured("seconds that it cost", cost_s(rig), "s", 0)


def test_f26_a_card_that_fills_is_said_at_20_10_and_5_percent(
    unit: Faulty, card: SmallCard
) -> None:
    with unit(speed=2, before=card.under_evidence) as rig:
        percent = card.total_bytes() // 100
        for level in (20, 10, 5):
            filler = card.fill(percent * level - percent // 2)
            rig.until_logged("storage.low", {20: 1, 10: 2, 5: 3}[level])
            rig.run_for(1.5)
        filler.unlink()
        rig.until_logged("storage.ok")
    assert [line["data"]["level"] for line in rig.events("storage.low")] == [20, 10, 5]
    assert rig.taps().count("3 short") == 2
    assert rig.notices() == ["low-store"]


@pytest.mark.parametrize("stall_s", [2, 7, 10])
def test_f30_a_card_that_stalls_costs_nothing_while_the_ring_has_room(
    unit: Faulty, measured: Measure, stall_s: int
) -> None:
    speed = 3
    with unit(speed=speed) as rig:
        segment = begin(rig)
        delay_us = stall_s * 1_000_000 // speed
        with rig.injected(f"fdatasync:delay_exit={delay_us}:when=1", path=segment):
            rig.until("the stall", lambda: stalled_ms(rig) >= 1000 * stall_s)
        rig.until_state("rec")
        rig.run_for(1)
        end(rig)
    assert rig.showed("rec", "fault", "rec")
    measured("seconds that it cost", cost_s(rig), "s", 0)


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
            rig.until("the stall", lambda: stalled_ms(rig) >= 15_000)
        rig.until_state("rec")
        rig.run_for(1)
        end(rig)
    (gap,) = (line["data"] for line in rig.events("gap") if line["data"]["cause"] == "ring full")
    measured(
        "seconds dropped in a stall of 15 s with a ring of 6", rig.lost_s("ring full"), "s", 11
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
        rig.until_state("ready")
        with rig.injected("fdatasync:error=EIO:when=1", path=path):
            begin(rig)
        written = len(rig.log())
        end(rig)
        failed = [sync for sync in read_syncs(rig.witness_path) if sync.path == str(path)]
        assert 5 in [sync.error for sync in failed]
    # The fault is forgotten: what is signed at the end is the whole log, and not what was before.
    (log,) = rig.verify().logs
    assert log.vouched_lines == log.lines > written
    assert rig.states()[-1] == "off"

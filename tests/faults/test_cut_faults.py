"""The recorder, or its power, goes at any moment: what is lost, said and shown by the daemon itself.

Every single moment is gone through by the sweeps: test_kills.py, test_strict_disk.py,
tests/root/test_ext4_cuts.py and tests/root/test_power_cuts.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bodycam.clock import NS
from bodycam.recovery import examine

from .conftest import Faulty
from .faultrig import FaultRig
from .results import Measure
from .smallcard import SmallCard, small_card

pytestmark = pytest.mark.system


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path / "card.img", 16) as made:
        yield made


def last_picture_ns(rig: FaultRig) -> int:
    """When the last picture ends that is on the card."""
    ends = [examine(path).end_ns for path in rig.segments()]
    return max(end for end in ends if end is not None)


def recording(rig: FaultRig, lives: int) -> None:
    """Wait until this life of the recorder records, and has for a moment."""
    rig.until_logged("rec.start", lives)
    # After many deaths it records pictures alone, and shows that (F36).
    rig.until("a state", lambda: rig.states()[-1] in ("rec", "degraded"))
    rig.run_for(1)


def resumed_s(rig: FaultRig) -> float:
    """From the start of the recorder's last life to its recording on disk."""
    began, resumed = rig.events("boot")[-1], rig.events("rec.start")[-1]
    return float(resumed["logged_ns"] - began["boot_ns"]) / NS


def said_of_each(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(line["data"]["file"] for line in lines)


@pytest.mark.parametrize(
    "writes", [(1, 4, 7), pytest.param(tuple(range(1, 31)), marks=pytest.mark.soak)]
)
@pytest.mark.timeout(600)
def test_f31_a_recorder_killed_at_any_write_records_on_by_itself(
    unit: Faulty, measured: Measure, writes: tuple[int, ...]
) -> None:
    with unit() as rig:
        rig.press(True)
        recording(rig, 1)
        for life, nth in enumerate(writes, 1):
            with rig.injected(f"pwrite64:signal=SIGKILL:when={nth}"):
                while len(rig.unit.exit_codes) < life:
                    time.sleep(0.001)
                killed_ns = rig.unit.clock.boot_ns()
            measured("live video lost by a kill", (killed_ns - last_picture_ns(rig)) / NS, "s", 0.6)
            recording(rig, life + 1)
            measured("recording again after a kill", resumed_s(rig), "s", 5)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert len(rig.events("boot.unclean")) == len(writes)
    recovered = said_of_each(rig.events("recovery"))
    assert recovered
    assert len(set(recovered)) == len(recovered)
    assert any(gap["data"]["cause"] == "recorder restarted" for gap in rig.events("gap"))
    assert rig.showed("rec", *["boot"] * len(writes), "ready")


def test_f32_after_a_power_cut_the_card_holds_all_but_the_last_second(
    unit: Faulty, card: SmallCard, measured: Measure
) -> None:
    with unit(before=card.under_card) as rig:
        rig.press(True)
        recording(rig, 1)
        cut_ns = rig.unit.clock.boot_ns()
        card.cut_power()
        with rig.unit.down():
            card.power_up()
            measured("live video lost by a power cut", (cut_ns - last_picture_ns(rig)) / NS, "s", 1)
            for name in ("checkpoint", "resume"):
                path = rig.card / "log" / name
                assert not path.exists() or path.stat().st_size > 0
        recording(rig, 2)
        measured("recording again after a power cut", resumed_s(rig), "s", 5)
        rig.press(False)
        rig.until_logged("rec.stop")
    first, second = rig.events("activation.start")
    assert second["data"]["continues"] == first["data"]["rec"]
    assert len(rig.events("boot.unclean")) == len(rig.events("recovery")) == 1
    assert rig.gaps()[0]["cause"] == "recorder restarted"
    assert rig.showed("rec", "boot", "rec", "ready")


def test_f33_a_start_that_is_cut_off_is_finished_by_the_next(unit: Faulty) -> None:
    with unit() as rig:
        rig.press(True)
        recording(rig, 1)
        with rig.unit.down():
            held = {path: path.read_bytes() for path in rig.segments()}
        rig.until_logged("recovery")  # and now, before anything is recorded
        with rig.unit.down():
            assert len(rig.events("rec.start")) == 1
        recording(rig, 2)
        rig.press(False)
        rig.until_logged("rec.stop")
        assert all(path.read_bytes() == data for path, data in held.items())
    assert len(rig.events("boot.unclean")) == 2
    recovered = said_of_each(rig.events("recovery"))
    assert len(set(recovered)) == len(recovered)
    first, *_, last = rig.events("activation.start")
    assert last["data"]["continues"] == first["data"]["rec"]
    assert rig.showed("rec", "boot", "rec", "ready")


def test_f47_a_log_cut_in_mid_line_goes_on_and_says_so(unit: Faulty) -> None:
    with unit() as rig:
        rig.press(True)
        recording(rig, 1)
        with rig.unit.down():
            path = rig.card / "log" / "events.jsonl"
            raw = path.read_bytes()
            half = raw.splitlines()[-1][:100]
            path.write_bytes(raw + half)
        torn = rig.until_logged("log.torn")["data"]
        assert torn["bytes"] == len(half)
        assert (rig.card / "log" / torn["file"]).read_bytes() == half
        recording(rig, 2)
        rig.press(False)
        rig.until_logged("rec.stop")
        shown = set(rig.states())
    assert path.read_bytes().startswith(raw)
    assert len(rig.events("boot.unclean")) == 1
    # Nothing is shown of it: as after any restart.
    assert shown <= {"boot", "ready", "starting", "rec", "stop-confirm"}
    assert rig.showed("rec", "boot", "rec", "ready")

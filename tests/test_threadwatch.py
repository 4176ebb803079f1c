"""A thread that died ends the recorder, one that hangs lets systemd kill it; the devices' is spared."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bodycam.clock import NS
from bodycam.threadwatch import Look, ThreadWatch

MOVING = Look(None, moving=True, hung=())
SILENT = Look(None, moving=False, hung=())


@dataclass
class Thread:
    beats: int = 0
    crashed: str | None = None
    alive: bool = True


def test_threads_that_make_rounds_move() -> None:
    recorder, sealer = Thread(), Thread()
    watch = ThreadWatch({"recorder": recorder, "sealer": sealer}, 0)
    for at_s in range(0, 300, 19):
        recorder.beats += 1
        sealer.beats += 1
        assert watch.look(at_s * NS) == MOVING


@pytest.mark.parametrize(
    ("name", "patience_s"),
    [
        ("recorder", 20),
        ("signals", 20),
        ("power", 20),
        ("sealer", 60),
        ("health", 60),
        ("switch", 60),
    ],
)
def test_one_that_hangs_is_waited_for_longer_if_it_may_wait_for_the_card(
    name: str, patience_s: int
) -> None:
    hangs, other = Thread(beats=7), Thread()
    watch = ThreadWatch({name: hangs, "other": other}, 0)
    for at_s in range(1, patience_s + 1):
        other.beats += 1
        assert watch.look(at_s * NS) == MOVING
    other.beats += 1
    assert watch.look((patience_s + 1) * NS) == SILENT
    hangs.beats += 1
    assert watch.look((patience_s + 2) * NS) == MOVING


def test_that_of_the_devices_may_hang_and_it_is_said_each_time() -> None:
    devices = Thread()
    watch = ThreadWatch({"devices": devices}, 0)
    watch.look(0)
    assert [watch.look(at_s * NS).hung for at_s in (19, 20, 30, 90)] == [(), ("devices",), (), ()]
    assert watch.look(91 * NS).moving
    devices.beats += 1
    assert watch.look(92 * NS).hung == ()
    assert watch.look(112 * NS).hung == ("devices",)


@pytest.mark.parametrize(
    ("crashed", "told"), [("OSError: no", "sealer: OSError: no"), (None, "sealer: ended")]
)
def test_one_that_is_dead_is_named_with_what_ended_it(crashed: str | None, told: str) -> None:
    watch = ThreadWatch({"recorder": Thread(), "sealer": Thread(0, crashed, alive=False)}, 0)
    assert watch.look(0).dead == told

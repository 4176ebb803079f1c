"""The switch thread on drivers that lose edges, go deaf, or have no line to give."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bodycam import activation
from bodycam.clock import NS, SystemClock
from bodycam.config import default_pins
from bodycam.simulate.control import PinsClient
from bodycam.simulate.pins import SimulatedPins
from tests.switchrig import SwitchRig, reading, switch_log
from tests.test_pins_contract import install_board, on_stand_in

RECORD_BCM = default_pins()["record"].bcm


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[SwitchRig]:
    with switch_log(tmp_path) as rig:
        yield rig


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[SimulatedPins]:
    path = tmp_path / "pins.sock"
    with SimulatedPins(default_pins(), SystemClock(), path, lambda world: world) as pins:
        yield pins


@pytest.fixture
def hand(pins: SimulatedPins, tmp_path: Path) -> Iterator[PinsClient]:
    with PinsClient(tmp_path / "pins.sock") as hand:
        yield hand


def events(rig: SwitchRig, *kinds: str) -> list[str]:
    return [line["ev"] for line in rig.lines() if line["ev"] in kinds]


def data(rig: SwitchRig, ev: str) -> dict[str, Any]:
    [line] = rig.lines(ev)
    found: dict[str, Any] = line["data"]
    return found


def test_a_deaf_line_is_found_at_the_press_and_hears_the_release(
    rig: SwitchRig, pins: SimulatedPins, hand: PinsClient
) -> None:
    hand.deafen("record")
    with reading(rig, pins):
        pressed_ns = hand.set("record", True)["at_ns"]
        deaf = rig.until_logged("gpio.deaf")
        on = rig.until_logged("switch.on")
        hand.set("record", False, bounce_us=[])
        rig.until_logged("switch.off")
    assert deaf["data"] == {"pin": "record", "missed": 1}
    assert pressed_ns <= deaf["boot_ns"] <= deaf["logged_ns"] <= pressed_ns + NS
    assert pressed_ns <= on["boot_ns"] <= on["data"]["settled_ns"] <= pressed_ns + NS
    assert data(rig, "switch.reconciled")["active"] is True
    assert [line["data"]["active"] for line in rig.lines("switch.edge")] == [False]
    assert isinstance(rig.requests[0], activation.DemandOn)
    assert isinstance(rig.requests[-1], activation.DemandOff)


def test_one_lost_edge_of_a_line_that_is_heard_is_no_deafness(
    rig: SwitchRig, pins: SimulatedPins, hand: PinsClient
) -> None:
    with reading(rig, pins):
        hand.set("record", True)
        rig.until_logged("switch.on")
        hand.set("record", False, bounce_us=[], drop=[0])
        rig.until_logged("switch.off")
        hand.set("record", True, bounce_us=[])
        rig.until_logged("switch.on", 2)
    assert len(rig.lines("switch.reconciled")) == 1
    assert rig.lines("gpio.deaf") == []


def test_a_line_that_was_heard_and_loses_two_changes_in_a_row_is_deaf(
    rig: SwitchRig, pins: SimulatedPins, hand: PinsClient
) -> None:
    with reading(rig, pins):
        hand.set("record", True)
        rig.until_logged("switch.on")
        hand.deafen("record")
        hand.set("record", False, bounce_us=[])
        rig.until_logged("switch.off")
        hand.set("record", True, bounce_us=[])
        rig.until_logged("gpio.deaf")
        hand.set("record", False, bounce_us=[])
        rig.until_logged("switch.off", 2)
    assert data(rig, "gpio.deaf") == {"pin": "record", "missed": 2}
    assert len(rig.lines("switch.reconciled")) == 2


def test_a_change_before_the_line_is_claimed_anew_is_not_held_against_it(
    rig: SwitchRig, pins: SimulatedPins, hand: PinsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a line is deaf is synced to the card before; meanwhile the officer may let go."""
    reclaim = pins.reclaim

    def late(name: str) -> None:
        hand.set("record", False, bounce_us=[])
        while pins.level("record"):
            assert rig.reader.alive
        reclaim(name)

    hand.deafen("record")
    monkeypatch.setattr(pins, "reclaim", late)
    with reading(rig, pins):
        hand.set("record", True)
        rig.until_logged("switch.off")
        monkeypatch.setattr(pins, "reclaim", reclaim)
        hand.set("record", True, bounce_us=[])
        rig.until_logged("switch.on", 2)
    assert data(rig, "gpio.deaf") == {"pin": "record", "missed": 1}
    assert [line["data"]["active"] for line in rig.lines("switch.edge")] == [True]


def test_a_driver_that_stays_deaf_is_polled_and_every_toggle_is_right(
    rig: SwitchRig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    board = install_board(monkeypatch)
    board.deaf.add(RECORD_BCM)
    with (
        on_stand_in(default_pins(), tmp_path, rig.log.append) as pins,
        reading(rig, pins),
    ):
        reclaim, looks = pins.reclaim, []

        def noted(name: str) -> None:
            reclaim(name)
            looks.append(rig.reader.beats)

        monkeypatch.setattr(pins, "reclaim", noted)
        for count in (1, 2):
            board.drive(RECORD_BCM, int(count == 2))
            rig.until_logged("gpio.deaf", count)
            # What changes before it is claimed anew is not held against the new claim.
            rig.until(
                "the next look", lambda: rig.reader.beats > max(looks, default=rig.reader.beats)
            )
        rig.until_logged("gpio.polling")
        for active in (True, False):
            board.drive(RECORD_BCM, int(not active))
            rig.until_logged("switch.on" if active else "switch.off", 2)
    # After the release the log may say "off" and "deaf" in either order.
    drivers = ("switch.reconciled", "gpio.deaf", "gpio.polling")
    toggles = ("switch.on", "switch.off")
    assert events(rig, *drivers) == [*drivers[:2], *drivers]
    assert events(rig, *toggles) == [*toggles, *toggles]
    assert events(rig, "gpio.polling", "switch.edge") == ["gpio.polling", *2 * ["switch.edge"]]
    assert data(rig, "gpio.polling")["reason"] == "it changes and brings no edges"


def test_a_stalled_card_never_makes_a_lamp_wait_for_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A lamp that fails is noted by the thread that reads edges, which may wait for the card."""
    board = install_board(monkeypatch)
    card, noting = threading.Event(), threading.Event()

    def stalled(ev: str, **data: Any) -> None:
        noting.set()
        assert card.wait(30)

    with on_stand_in(default_pins(), tmp_path, stalled) as pins:
        board.unwritable.add(default_pins()["buzzer"].bcm)
        pins.write("buzzer", True)
        reader = threading.Thread(target=pins.edges, args=[0.1])
        reader.start()
        assert noting.wait(30)
        pins.write("public-red", True)
        assert board.levels[default_pins()["public-red"].bcm] == 1
        card.set()
        reader.join()


def test_without_the_record_switch_the_officer_is_told_until_it_is_back(
    rig: SwitchRig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    board = install_board(monkeypatch)
    board.busy |= {RECORD_BCM, default_pins()["marker"].bcm}
    with (
        on_stand_in(default_pins(), tmp_path, rig.log.append) as pins,
        reading(rig, pins),
    ):
        assert [line["data"]["pin"] for line in rig.lines("gpio.fault")] == ["record", "marker"]
        assert rig.reader.faulty()
        assert rig.reader.unreadable() == ["record", "marker"]
        board.busy.discard(RECORD_BCM)
        rig.until_logged("gpio.claimed")
        while rig.reader.faulty():
            assert rig.reader.alive, "a marker that is missing is no fault of the camera"
        assert rig.reader.unreadable() == ["marker"]
        board.drive(RECORD_BCM, 0)
        rig.until_logged("switch.on")
    assert data(rig, "gpio.claimed") == {"pin": "record"}

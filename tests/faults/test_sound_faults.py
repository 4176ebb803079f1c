"""The microphone is not there, hangs, or stamps in another time: the pictures never notice."""

from __future__ import annotations

import pytest

from bodycam.camera.mishaps import MishapKind
from bodycam.clock import NS
from tests.rig import records_of
from tests.test_microphone import RATE, Sounds

from .conftest import Faulty
from .faultrig import FaultRig
from .shift import SLOW_CAMERA, gaps_of, recorded, stopped

pytestmark = pytest.mark.system

ALSA = {"audio": {"source": "alsa", "device": "mic", "rate_hz": RATE}}


def sounds_of(rig: FaultRig) -> list[int]:
    """How many AAC frames each segment holds."""
    return [sum(r.get("na", 0) for r in records_of(path)) for path in rig.segments()]


def test_f23_a_microphone_that_is_gone_or_hangs_costs_the_sound_alone(
    unit: Faulty, sounds: Sounds
) -> None:
    with unit(ALSA) as rig:
        rig.until_logged("audio.lost")
        rig.press(True)
        rig.until_state("degraded")
        room = sounds.plug_in()
        rig.until_state("rec")
        rig.run_for(1)
        room.set("_dead", True)
        rig.until_logged("audio.lost", 2)
        rig.until_state("degraded")
        room.set("_dead", False)
        rig.until_state("rec")
        rig.run_for(1)
        stopped(rig)
    assert rig.events("audio.lost")[1]["data"]["reason"].startswith("audio.device mic")
    assert rig.events("audio.back")
    assert len(rig.events("rec.start")) == 1
    assert sum(sounds_of(rig)) > 10
    assert rig.taps().count("5 quick") <= 2, "not ready yet, and once for the sound"
    assert gaps_of(rig, 1) == []


def test_f23_sound_in_another_time_is_left_out_and_said(unit: Faulty) -> None:
    with unit(SLOW_CAMERA, 3) as rig:
        recorded(rig)
        rig.run_for(1)
        mishap = rig.unit.mishap(MishapKind.SOUND_IN_EPOCH, 4)
        rig.until_state("degraded")
        lost = rig.until_logged("audio.lost")
        back = rig.until_logged("audio.back")
        rig.until_state("rec")
        rig.run_for(1)
        stopped(rig)
    assert "cannot be true" in lost["data"]["reason"]
    assert abs(back["boot_ns"] - mishap.until_ns) < NS
    assert 3000 < back["data"]["lost_ms"] < 5000
    assert len(rig.events("audio.lost")) == 1
    assert rig.events("pts.jump") == []
    assert gaps_of(rig, 1) == []
    ends = [r["end_ns"] for p in rig.segments() for r in records_of(p) if r["t"] == "frag"]
    assert max(ends) < rig.unit.clock.boot_ns(), "no segment reaches into the time to come"

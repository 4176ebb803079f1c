"""The capture worker crashes: the recorder, its log and its lamps live on."""

from __future__ import annotations

import signal

import pytest

from .conftest import Faulty
from .results import Measure

pytestmark = pytest.mark.system


def test_f17_a_crashed_encoder_costs_only_its_own_restart(unit: Faulty, measured: Measure) -> None:
    with unit() as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.run_for(2)
        rig.unit.signal_worker(signal.SIGSEGV)
        rig.until_logged("capture.exit")
        rig.until_logged("gap")
        rig.until_state("rec")
        rig.run_for(1)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert len(rig.events("rec.start")) == 1
    measured("seconds without pictures", rig.lost_s(), "s", 2.0)

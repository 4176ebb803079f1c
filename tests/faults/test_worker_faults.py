"""The capture worker crashes: the recorder, its log and its lamps live on."""

from __future__ import annotations

import signal

import pytest

from bodycam.clock import NS

from .conftest import Faulty
from .results import Measure

pytestmark = pytest.mark.system


def test_f17_a_crashed_encoder_costs_only_its_own_restart(unit: Faulty, measured: Measure) -> None:
    with unit() as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.run_for(2)
        killed_ns = rig.unit.clock.boot_ns()
        rig.unit.signal_worker(signal.SIGSEGV)
        rig.until_logged("capture.exit")
        rig.until_logged("gap")
        rig.until_state("rec")
        rig.run_for(1)
        rig.press(False)
        rig.until_logged("rec.stop")
    assert len(rig.events("rec.start")) == 1
    exited = rig.events("capture.exit")[0]["data"]
    assert (exited["sig"], exited["code"]) == (signal.SIGSEGV, None)
    gap = rig.events("gap")[0]["data"]
    # What was announced is in the ring: at most the picture that was being made is missing.
    measured(
        "seconds of pictures lost with the worker", (killed_ns - gap["from_ns"]) / NS, "s", 0.2
    )
    assert rig.states().count("fault") <= 1
    measured("seconds without pictures", rig.lost_s(), "s", 2.0)

"""`bodycam status` says what the lamps say, at any moment."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any, Self

import pytest

from bodycam.clock import MS, NS
from bodycam.simulate.sysfs import plug_usb
from tests.rig import QUICK

from .conftest import Faulty
from .faultrig import FaultRig

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("daemon")]

# Between a look at the facts and the status of what was shown of them, on a busy machine.
_LATE_NS = 500 * MS


class Sampler:
    """Keeps every status that the recorder writes."""

    def __init__(self, rig: FaultRig) -> None:
        self._rig = rig
        self.found: dict[int, dict[str, Any]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            status = self._rig.unit.status()
            self.found[status["written_ns"]] = status


def shown_around(traces: list[dict[str, Any]], at_ns: int) -> list[dict[str, Any]]:
    """What was shown at a moment, and what came to be shown just then."""
    before = [trace for trace in traces if trace["at_ns"] <= at_ns - _LATE_NS]
    around = [trace for trace in traces if abs(trace["at_ns"] - at_ns) < _LATE_NS]
    return before[-1:] + around


def seen(status: dict[str, Any]) -> tuple[Any, ...]:
    return (
        status["signal"], status["notices"], status["wearer_lamp"], status["public_lamp"],
    )  # fmt: skip


def test_the_status_is_what_the_lamps_show_and_the_text_says_the_same(unit: Faulty) -> None:
    camera = {**QUICK["camera"], "fps": 10}
    settings = {"camera": camera, "switch": {"off_stable_ms": 1000}, "devices": {"rescan_s": 1}}
    with unit(settings, from_boot=True) as rig, Sampler(rig) as sampler:
        rig.until_state("ready")
        rig.until("the status", lambda: rig.unit.status()["signal"] == "ready")
        rig.press(True)
        rig.until_state("rec")
        rig.throw(True, bounce_us=[10_000 * n for n in range(1, 201)])
        rig.until_state("degraded")
        rig.until_state("rec")
        plug_usb(rig.unit.sysfs, "046d:c31c", present=True)
        rig.until("tamper", lambda: rig.unit.status()["notices"] == ["tamper"])
        rig.until("the first notices", lambda: rig.unit.status()["signal"] == "rec")
        text, raw = rig.status().stdout, rig.status("--json").stdout
        assert "recording (signal: rec + tamper)" in text
        assert "lamps      wearer red 1Hz; public red 1Hz" in text
        assert seen(json.loads(raw)) == ("rec", ["tamper"], "red 1Hz", "red 1Hz")
        rig.unit.signal_worker(signal.SIGSTOP)
        rig.until_state("fault")
        rig.until("the status", lambda: rig.unit.status()["signal"] == "fault")
        rig.until_state("rec")
        rig.press(False)
        rig.until_logged("rec.stop")
        rig.until("the status", lambda: rig.unit.status()["wearer_lamp"] == "red steady")
    traces = [message["trace"] for message in rig.messages if "trace" in message]
    states = {status["signal"] for status in sampler.found.values()}
    assert {"ready", "rec", "degraded", "fault"} <= states
    for at_ns, status in sampler.found.items():
        lamps = [
            (trace["state"], trace["also"], trace["wearer"], trace["public"])
            for trace in shown_around(traces, at_ns)
        ]
        assert seen(status) in lamps, f"at {at_ns / NS}: {lamps}"

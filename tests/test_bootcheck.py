"""The recorder's own self-test at each start: proof of readiness, which disturbs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bodycam.bootcheck import SILENT_AAC_BYTES
from bodycam.camera.encoder import AAC_SAMPLES, SoundEncoder
from bodycam.config import Audio
from bodycam.errors import ExitCode
from bodycam.simulate.pins import write_positions
from bodycam.simulate.scenario import PowerChange
from bodycam.simulate.sysfs import change_power
from bodycam.simulate.unit import Unit

from .rig import QUICK, Rig, running
from .test_selftest import SCHEMA, make_film

system = [pytest.mark.system, pytest.mark.xdist_group("bootcheck")]


def healthy(unit: Unit) -> None:
    change_power(unit.sysfs, PowerChange(battery=83, temperature_c=41, cell_c=25))


def answer_of(rig: Rig, seconds: float = 40) -> dict[str, Any]:
    """The data of the boot's self-test, once it is in the log."""
    return dict(rig.until_logged("selftest", seconds=seconds)["data"])


def status_of(rig: Rig) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bodycam", "status", "--runtime", str(rig.unit.runtime)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


class TestTheRecorder:
    pytestmark = system

    def test_a_healthy_unit_proves_at_each_start_that_it_could_have_recorded(
        self, tmp_path: Path
    ) -> None:
        with running(tmp_path / "unit", before=healthy) as rig:
            data = answer_of(rig)
            assert (data["form"], data["verdict"], data["failed"]) == ("boot", "green", []), data
            assert data["checks"]["camera"]["frames"] > 0
            assert data["checks"]["camera"]["source"].startswith("320x180 from synthetic")
            assert data["checks"]["key"]["sign_us"] > 0
            assert data["checks"]["card"]["syncs"] > 0
            assert data["checks"]["watchdog"]["timeout_us"] == 5_000_000
            assert data["checks"]["recipients"]["names"] == ["custody", "oversight"]
            rig.until("its answer in the status", lambda: rig.unit.status()["selftest"] is not None)
            SCHEMA.validate(rig.unit.status()["selftest"])
            assert "self-test  green at" in status_of(rig)
            # READY was not kept waiting for it.
            assert rig.unit.ready_ns is not None
            assert rig.unit.ready_ns < rig.events("selftest")[0]["logged_ns"]
        line = rig.events("selftest")[0]["seq"] + 1
        rig.check_whole()
        assert rig.verify().logs[0].vouched_lines >= line

    def test_what_is_red_is_told_with_its_next_step(self, tmp_path: Path) -> None:
        def spoil(unit: Unit) -> None:
            healthy(unit)
            unit.set_sensor("class/watchdog/watchdog0/state", "inactive")
            (unit.out / "identity" / "device.key").chmod(0o644)

        with running(tmp_path / "unit", before=spoil) as rig:
            data = answer_of(rig)
            assert data["failed"] == ["key", "hw watchdog"]
            rig.until("its answer in the status", lambda: rig.unit.status()["selftest"] is not None)
            text = status_of(rig)
            assert "self-test  RED at" in text
            assert "hw watchdog: watchdog0 (simulated) is not armed" in text
            assert "RuntimeWatchdogSec=" in text
            # It is for the technician: the officer records all the same.
            rig.press(True)
            rig.until_logged("rec.start")
            rig.until("the red lamps", lambda: rig.unit.status()["signal"] == "rec")

    def test_without_a_camera_it_says_so_after_a_while_and_which_module_may_be_why(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kill = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
        (tmp_path / "cv2.py").write_text(kill, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        with running(tmp_path / "unit", speed=4, before=healthy) as rig:
            data = answer_of(rig, seconds=90)
            # Without a worker there is no sound either; if one lived for a moment, none was heard.
            silent = {*data["failed"], *data["not_tested"]} - {"camera", "modules"}
            assert {"camera", "modules"} <= set(data["failed"])
            assert silent == {"microphone"}
            assert data["checks"]["modules"]["broken"] == ["cv2"]
            assert "SIGILL" in data["checks"]["camera"]["found"]

    def test_a_recording_has_the_card_for_itself(self, tmp_path: Path) -> None:
        def switched_on(unit: Unit) -> None:
            healthy(unit)
            write_positions(unit.socket_path, {"record": True})

        with running(tmp_path / "unit", before=switched_on) as rig:
            data = answer_of(rig)
            assert "recording now" in data["checks"]["card"]["found"]
            assert data["checks"]["pins"]["active"] == ["record"]
            rig.press(False)
            rig.until_logged("rec.stop")
        report = rig.verify()
        assert report.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE), report.findings

    def test_stopped_early_it_leaves_no_line_behind_the_shutdown(self, tmp_path: Path) -> None:
        with running(tmp_path / "unit", before=healthy) as rig:
            rig.until_logged("ready")
        assert rig.events("selftest") == []
        assert rig.log()[-1]["ev"] == "shutdown"

    def test_a_microphone_that_hears_nothing_at_all_is_said(self, tmp_path: Path) -> None:
        film = tmp_path / "mute.mp4"
        make_film(film, "testsrc=s=320x180:r=30:d=3", "anullsrc=r=48000:cl=mono")
        camera = {**QUICK["camera"], "source": "replay", "file": str(film)}
        overrides = {"camera": camera, "audio": {"source": "replay"}}
        with running(tmp_path / "unit", overrides, before=healthy) as rig:
            data = answer_of(rig)
        assert "microphone" in data["warned"]
        assert "digital silence" in data["checks"]["microphone"]["found"]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 48_000])
def test_nothing_but_zeros_is_known_by_the_size_of_its_frames(channels: int, rate_hz: int) -> None:
    """One step of a 16-bit converter is noise enough to tell a live microphone from a dead one."""
    audio = Audio(channels=channels, rate_hz=rate_hz, bitrate_kbps=16)
    zeros = np.zeros((channels, AAC_SAMPLES), np.float32)
    steps = np.random.default_rng(1).integers(-1, 2, zeros.shape)
    noise = (steps / 2**15).astype(np.float32)
    for samples, silent in ((zeros, True), (noise, False)):
        encoder = SoundEncoder(audio)
        sizes = [len(data) for _ in range(10) for _, data in encoder.encode(samples)]
        assert (max(sizes) <= SILENT_AAC_BYTES) is silent, sizes

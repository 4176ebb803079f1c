"""What only root can see or make: the memory map of the daemon, and a card that is full."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from io import FileIO
from pathlib import Path

from bodycam.errors import ExitCode
from bodycam.simulate.unit import mount_card, unmount_card
from tests.rig import QUICK, running


def test_what_a_core_dump_of_the_recorder_would_hold_has_no_ring_in_it(tmp_path: Path) -> None:
    with running(tmp_path / "unit") as rig:
        smaps = Path(f"/proc/{rig.unit.pid}/smaps").read_text(encoding="utf-8")
    parts = smaps.split("bodycam-ring")[1:]
    assert parts
    assert all(" dd" in part.split("VmFlags:")[1].splitlines()[0] for part in parts)


def test_on_a_full_card_the_lamp_goes_out_and_status_says_what_to_do(tmp_path: Path) -> None:
    camera = {**QUICK["camera"], "width": 640, "height": 360}
    unit = tmp_path / "unit"
    with running(unit, {"camera": camera}, before=lambda made: mount_card(made.card, 16)) as rig:
        try:
            rig.press(True)
            rig.until_logged("rec.start")
            synced = {path: path.stat().st_size for path in rig.segments()}
            with (rig.card / "filler").open("wb", buffering=0) as filler:
                fill(filler)
            rig.until_logged("storage.full", seconds=30)
            rig.until("the lamp", lambda: rig.unit.status()["signal"] == "full")
            done = subprocess.run(
                [sys.executable, "-m", "bodycam", "status", "--runtime", str(rig.unit.runtime)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == ExitCode.STORAGE
            assert "Dock the camera to offload" in done.stdout
            rig.press(False)
            rig.until_logged("activation.stop")
            for path, size in synced.items():
                assert path.stat().st_size >= size
        finally:
            rig.unit.stop()
            unmount_card(rig.card)
    # From the last fragment that had room until the switch was off.
    report = rig.verify()
    assert report.exit_code is ExitCode.INCOMPLETE, report.findings
    found = [f.text.rpartition(", ")[2] for f in report.findings]
    # A machine that is too busy for its camera says so as well.
    starved = [e for e in rig.events("gap") if e["data"]["cause"] == "camera"]
    assert sorted(found) == ["cause: camera"] * len(starved) + ["cause: storage"]


def fill(filler: FileIO) -> None:
    with suppress(OSError):  # until there is no space left
        while True:
            filler.write(bytes(65536))

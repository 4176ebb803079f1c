"""The running recorder signs its log: at the start, after each toggle, and at the end."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bodycam.custody.logproofs import LogFolder, read_note
from bodycam.custody.verify import verify_paths
from bodycam.formats.checkpoint import Checkpoint
from bodycam.signing import load_root
from tests.rig import Rig, running

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("daemon")]


def checkpoint(rig: Rig) -> Checkpoint | None:
    path = rig.card / "log" / "checkpoint"
    return read_note(path) if path.exists() else None


def covered(rig: Rig, seq: int) -> bool:
    note = checkpoint(rig)
    return note is not None and note.size > seq


def test_a_checkpoint_follows_the_start_each_toggle_and_the_end(tmp_path: Path) -> None:
    with running(tmp_path / "unit") as rig:
        boot = rig.until_logged("boot")
        rig.until("a checkpoint after the start", lambda: covered(rig, boot["seq"]), 5)
        for ev, active in (("switch.on", True), ("switch.off", False)):
            rig.press(active)
            toggle = rig.until_logged(ev)
            rig.until(f"a checkpoint after {ev}", partial(covered, rig, toggle["seq"]), 5)
        rig.until_logged("rec.stop")
    note = checkpoint(rig)
    assert note is not None
    assert note.size == len(rig.log())
    log = LogFolder(rig.card)
    log.check_root(note, "the checkpoint")
    assert (log.folder / "resume").exists()
    rig.check_whole()
    # The log stands by itself: its certificates lie beside it.
    assert verify_paths([log.path], load_root(rig.unit.root_path)).exit_code == 0


def test_a_killed_recorder_is_not_taken_for_a_cut_log(tmp_path: Path) -> None:
    with running(tmp_path / "unit", orderly=False) as rig:
        rig.press(True)
        rig.until_logged("rec.start")
        rig.run_for(1)
    report = rig.verify()
    assert report.exit_code == 3
    assert report.logs[0].answers == []

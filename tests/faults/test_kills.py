"""SIGKILL before each change of a life: of a recorder that records, and of one that only just starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .aftermath import Found, NextStart, contents, judge
from .cutting import Cutter
from .life import RECORDINGS, start_after
from .promises import LOG
from .results import Measure


@pytest.fixture
def start(camera: Path) -> NextStart:
    return start_after(camera)


def every(step: int, changes: int) -> range:
    """Each so many of them, from the first on, and never one that does not come."""
    return range(1, changes + 1, step)


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
def test_f31_after_a_kill_before_any_change_all_that_was_promised_is_there(
    cutter: Cutter, start: NextStart, memory: Path, measured: Measure, step: int
) -> None:
    whole = cutter.live(memory / "whole")
    assert not whole.cut
    judge(start, memory / "whole", whole.promises)
    kills = every(step, whole.changes)
    for at in kills:
        store = memory / str(at)
        killed = cutter.live(store, at)
        assert killed.cut
        for folder in (store / "evidence", store / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        twin = shutil.copytree(store, memory / "twin")
        start.start(twin)
        judge(start, store, killed.promises)
        # A checkpoint is signed, with other dice each time.
        one, other = ({**contents(s), "log/checkpoint": ""} for s in (store, twin))
        assert one == other
        shutil.rmtree(twin)
    measured("kills before a change, survived", len(kills), "kills")


def interrupted(cutter: Cutter, store: Path) -> None:
    """A store that a recorder left in the middle of its second recording."""
    changes = cutter.live(store.with_name("whole")).changes
    assert cutter.live(store, changes * 4 // 5).cut


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_f33_a_start_that_is_killed_leaves_what_one_start_would_have(
    cutter: Cutter, start: NextStart, memory: Path, measured: Measure, step: int
) -> None:
    left = memory / "left"
    interrupted(cutter, left)
    with (left / LOG).open("ab") as log:
        log.write(b'{"v":1,"seq":')
    once = shutil.copytree(left, memory / "once")
    wanted = Found.by(start.start(once), once)
    assert (len(wanted.recoveries), len(wanted.torn)) == (1, 1)
    assert wanted.going_on[0]
    changes = cutter.live(shutil.copytree(left, memory / "start"), start_only=True).changes
    for at in every(step, changes):
        store = shutil.copytree(left, memory / str(at))
        assert cutter.live(store, at, start_only=True).cut
        assert Found.by(start.start(store), store) == wanted
        assert contents(store / "evidence") == contents(left / "evidence")
        start.verify(store)
    measured("starts that were killed before a change", len(every(step, changes)), "starts")


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
def test_f47_a_log_cut_at_any_byte_goes_on_behind_its_last_whole_line(
    cutter: Cutter, start: NextStart, memory: Path, measured: Measure, step: int
) -> None:
    left = memory / "left"
    interrupted(cutter, left)
    raw = (left / LOG).read_bytes()
    note = (left / "log" / "checkpoint").read_text(encoding="utf-8")
    signed = int(note.splitlines()[1])
    begin = len(b"\n".join(raw.split(b"\n")[:signed])) + 1
    cuts = range(begin, len(raw), step)
    for at in cuts:
        store = shutil.copytree(left, memory / "store")
        # What was signed for later than the cut is gone with it.
        for path in (store / "evidence" / RECORDINGS[1]).iterdir():
            path.unlink()
        (store / LOG).write_bytes(raw[:at])
        whole = raw.rindex(b"\n", 0, at) + 1
        torn = start.start(store).recovered.torn
        assert [t.size_bytes for t in torn] == ([at - whole] if at > whole else [])
        assert all((store / "log" / t.file).read_bytes() == raw[whole:at] for t in torn)
        assert (store / LOG).read_bytes().startswith(raw[:whole] + b'{"v":1,')
        start.verify(store)
        shutil.rmtree(store)
    measured("bytes at which the log was cut", len(cuts), "bytes")

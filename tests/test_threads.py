"""Threads that meet at the worst moment: what one does to another, and to its files."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bodycam.activation import DemandOff
from bodycam.simulate.unit import Unit
from bodycam.statusfile import StatusFile
from bodycam.switches import Request
from tests.pressrig import stepped
from tests.rig import QUICK

WRITERS, TIMES = 4, 250


def test_a_status_that_several_threads_replace_is_whole_at_every_moment(memory: Path) -> None:
    path = memory / "status.json"
    file = StatusFile(path)
    # Of different lengths: a shorter one written into a longer one is no JSON.
    statuses = [{"state": "x" * 1000 * (n + 1)} for n in range(WRITERS)]
    together = threading.Barrier(WRITERS)

    def write(number: int) -> list[str | None]:
        together.wait()
        return [file.replace(lambda: statuses[number]) for _ in range(TIMES)]

    with ThreadPoolExecutor(WRITERS) as writers:
        writing = [writers.submit(write, number) for number in range(WRITERS)]
        read = []
        while not all(done.done() for done in writing):
            if path.exists():
                read.append(json.loads(path.read_text(encoding="utf-8")))
    assert [fault for done in writing for fault in done.result()] == [None] * WRITERS * TIMES
    assert all(status in statuses for status in read)
    assert json.loads(path.read_text(encoding="utf-8")) in statuses


def test_a_status_that_cannot_be_replaced_says_why(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "status.json"
    assert StatusFile(gone).replace(dict) == f"{gone}: No such file or directory"


def test_who_speaks_to_a_recorder_that_has_closed_down_writes_into_nobodys_file(
    tmp_path: Path,
) -> None:
    """The sealer may be late on a slow card, and the power thread ends after the recorder."""
    with stepped(tmp_path) as rig:
        recorder = rig.recorder
    with ExitStack() as stack:
        # Whatever descriptor was given back is that of a file by now.
        paths = [tmp_path / f"file-{number}" for number in range(100)]
        for path in paths:
            stack.enter_context(path.open("wb"))
        recorder.post(Request(DemandOff("record", 0), -1))
        recorder.inhibit("late")
        recorder.plugged(False)
    assert [path.name for path in paths if path.stat().st_size] == []


def test_a_unit_that_is_stopped_from_two_sides_leaves_no_thread(tmp_path: Path) -> None:
    """Whoever holds it and its own power-off: both wait for one recorder."""
    before = threading.enumerate()
    unit = Unit(tmp_path / "unit", QUICK, 1)
    unit.prepare()
    unit.start()
    unit.wait_ready()
    with ThreadPoolExecutor(2) as sides:
        ends = [sides.submit(unit.stop) for _ in range(2)]
    assert [end.result() for end in ends] == [0, 0]
    for thread in set(threading.enumerate()) - set(before):
        thread.join(20)
    assert set(threading.enumerate()) <= set(before)

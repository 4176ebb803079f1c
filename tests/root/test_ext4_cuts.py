"""ext4 is shut down, as a power cut does it, before each change of a recorder's life.

What had reached the disk by then is there, what was in memory only is gone: the n-th write, sync, name
or folder is the last thing that may have happened. Both modes of ext4: with the guess that who renames a
file wants its content first, and without it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.aftermath import Found, NextStart, judge
from tests.faults.cutting import Cut, Cutter
from tests.faults.life import start_after
from tests.faults.results import Measure

from .mounting import mounted

MODES = ("", "noauto_da_alloc")
ANOTHER_BOOT = "0c5f0000-0000-4000-8000-0000000000b1"
SAMPLE = [pytest.param(11, id="sample"), pytest.param(1, id="each", marks=pytest.mark.soak)]


@pytest.fixture
def start(camera: Path) -> NextStart:
    return start_after(camera, ANOTHER_BOOT)


class Disk:
    """A small ext4 to be shut down, over and over from the same beginning."""

    def __init__(self, folder: Path, options: str) -> None:
        self._base, self._image, self._folder = (
            folder / "base",
            folder / "image",
            folder / "mounted",
        )
        self._options = options
        self._folder.mkdir()
        with self._base.open("wb") as file:
            file.truncate(16 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-b", "4096", str(self._base)], check=True)

    def fresh(self) -> None:
        self._image.unlink(missing_ok=True)
        shutil.copyfile(self._base, self._image)

    def begin_here(self) -> None:
        """What is on it now is what `fresh` gives from here on."""
        shutil.copyfile(self._image, self._base)

    @contextmanager
    def mount(self) -> Iterator[Path]:
        """Its store."""
        with mounted(self._image, self._folder, self._options) as folder:
            yield folder / "store"

    def life(self, live: Callable[[Path], Cut]) -> Cut:
        with self.mount() as store:
            return live(store)


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("step", SAMPLE)
@pytest.mark.timeout(900)
def test_f32_after_a_power_cut_before_any_change_all_that_was_promised_is_there(
    cutter: Cutter, start: NextStart, memory: Path, measured: Measure, options: str, step: int
) -> None:
    disk = Disk(memory, options)
    disk.fresh()
    changes = disk.life(cutter.live).changes
    cuts = range(1, changes + 1, step)
    for at in cuts:
        disk.fresh()
        ended = disk.life(lambda store, at=at: cutter.live(store, at, power=True))  # type: ignore[misc]
        assert ended.cut
        with disk.mount() as store:
            judge(start, store, ended.promises)
    measured("shutdowns of ext4 before a change, survived", len(cuts), "cuts")


@pytest.mark.parametrize("step", [pytest.param(3, id="sample"), SAMPLE[1]])
def test_f33_a_start_that_the_power_cuts_off_leaves_what_one_start_would_have(
    cutter: Cutter, start: NextStart, memory: Path, measured: Measure, step: int
) -> None:
    disk = Disk(memory, "noauto_da_alloc")
    disk.fresh()
    changes = disk.life(cutter.live).changes
    disk.fresh()
    disk.life(lambda store: cutter.live(store, changes * 4 // 5, power=True))
    with disk.mount() as store, (store / "log" / "events.jsonl").open("ab") as log:
        log.write(b'{"v":1,"seq":')
    disk.begin_here()
    with disk.mount() as store:
        wanted = Found.by(start.start(store), store)
    assert (len(wanted.recoveries), len(wanted.torn)) == (1, 1)
    assert wanted.going_on[0]
    disk.fresh()
    starts = range(1, disk.life(lambda s: cutter.live(s, start_only=True)).changes + 1, step)
    for at in starts:
        disk.fresh()
        assert disk.life(
            lambda store, at=at: cutter.live(store, at, power=True, start_only=True)  # type: ignore[misc]
        ).cut
        with disk.mount() as store:
            found = Found.by(start.start(store), store)
            # What the cut tore of the start's own lines was set aside beside it.
            assert found.torn.count(wanted.torn[0]) == 1
            assert replace(found, torn=wanted.torn) == wanted
            start.verify(store)
    measured("starts that the power cut off before a change", len(starts), "starts")

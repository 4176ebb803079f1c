"""A recorder's life on a disk that keeps only what was synced, cut off after each change.

One run gives every state: what a power cut leaves at its strictest (`cuts`), and what a kill leaves
(`kills`). Each is held against the promises made until then, started on, and verified.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .aftermath import contents
from .life import make_camera, start_after
from .plants import PLANTS, SOURCE
from .promises import broken, empty_state_files, untrue
from .results import Measure
from .strictdisk import StrictDisk, Tree, strict_disk, write_tree

ROOT = Path(__file__).parents[2]


def live_on_a_strict_disk(folder: Path, package: Path | None = None) -> StrictDisk:
    """What came of it; with `package` in the place of the recorder's own."""
    make_camera(folder / "camera")
    store = folder / "store"
    path = os.pathsep.join(map(str, [package, ROOT] if package else [ROOT]))
    with strict_disk(store) as disk:
        subprocess.run(
            [sys.executable, "-m", "tests.faults.life", str(store), str(folder / "camera")],
            check=True, cwd=folder, env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
    return disk


def different(states: list[Tree]) -> Iterator[tuple[int, Tree]]:
    """Each that differs from all before it, and its number."""
    seen = set()
    for number, tree in enumerate(states):
        key = frozenset(tree.items())
        if key not in seen:
            seen.add(key)
            yield number, tree


def lost(disk: StrictDisk, folder: Path) -> list[str]:
    """The promises that some state does not keep."""
    found = []
    for number, tree in enumerate(disk.cuts):
        write_tree(tree, folder)
        found += broken(disk.promises, number + 1, folder) + untrue(folder)
        shutil.rmtree(folder)
    return found


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StrictDisk]:
    folder = tmp_path_factory.mktemp("strict")
    return folder, live_on_a_strict_disk(folder)


@pytest.mark.xdist_group("strict-disk")
def test_f32_on_the_strictest_disk_nothing_that_was_promised_is_lost(
    lived: tuple[Path, StrictDisk], memory: Path, measured: Measure
) -> None:
    folder, disk = lived
    assert lost(disk, memory / "state") == []
    start, count = start_after(folder / "camera"), 0
    for number, tree in different(disk.cuts):
        store = memory / str(number)
        write_tree(tree, store)
        assert empty_state_files(store) == []
        before = contents(store / "evidence") if (store / "evidence").exists() else {}
        start.start(store)
        start.verify(store)
        assert contents(store / "evidence") == before
        count += 1
    assert count > 30
    measured("states of a disk that keeps only what was synced", count, "states")


@pytest.mark.xdist_group("strict-disk")
def test_f31_each_start_on_what_a_kill_left_writes_the_same_bytes(
    lived: tuple[Path, StrictDisk], memory: Path, measured: Measure
) -> None:
    folder, disk = lived
    start, count = start_after(folder / "camera"), 0
    for number, tree in different(disk.kills):
        stores = [memory / f"{number}-{n}" for n in range(2)]
        for store in stores:
            write_tree(tree, store)
            start.start(store)
        # A checkpoint is signed, with other dice each time.
        one, other = ({**contents(s), "log/checkpoint": ""} for s in stores)
        assert one == other
        start.verify(stores[0])
        again = contents(stores[0] / "evidence")
        start.start(stores[0])
        assert contents(stores[0] / "evidence") == again
        start.verify(stores[0])
        count += 1
    assert count > 60
    measured("states that a kill leaves, after each change", count, "states")


@pytest.mark.parametrize("name", PLANTS)
def test_a_life_without_this_sync_is_found(tmp_path: Path, memory: Path, name: str) -> None:
    package = tmp_path / "package"
    shutil.copytree(SOURCE, package / "bodycam")
    PLANTS[name].put_into(package / "bodycam")
    found = lost(live_on_a_strict_disk(tmp_path, package), memory / "state")
    assert any(PLANTS[name].breaks in fault for fault in found), found


PROBE = """
import sys
from pathlib import Path
from bodycam.store import WriteProbe
probe = WriteProbe(Path(sys.argv[1]))
probe.write()
probe.write()
probe.close()
"""


def test_a_card_without_nameless_files_is_not_called_dead(tmp_path: Path) -> None:
    """The probe does with a file whose name is gone at once."""
    with strict_disk(tmp_path / "store") as disk:
        with pytest.raises(OSError, match="not supported"):
            os.open(tmp_path / "store", os.O_TMPFILE | os.O_WRONLY)
        subprocess.run([sys.executable, "-c", PROBE, str(tmp_path / "store")], check=True)
    assert disk.kills[-1] == {}
    assert len(disk.kills) > 2, "it was written and taken away"

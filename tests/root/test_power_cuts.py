"""The power is cut at each moment: the installed units on an ext4 whose every write is logged.

One run of the real service (a recording that rolls, the recorder killed, its next life, an orderly
stop) gives the log of all that its disk was given, with the recorder's promises in it. Of that log the
states are made that a power cut may leave; each is mounted, held against the promises, recovered and
verified. That such a sweep finds a sync that is missing, it proves on recorders that lack one.

A directory sync that is missing for a new file is not found here, for ext4 makes names durable with
the file's own sync; `tests/faults/test_strict_disk.py` finds it.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.plants import PLANTS, Plant
from tests.faults.results import Measure

from .camera import CONFIG, Camera
from .conftest import Boot
from .crashes import BrokenPromise, Crashes, Run
from .writelog import LoggedDisk, logged_disk

UNIT = "bodycam.service"
OBSERVER = Path(__file__).with_name("observer")
STORE = "/var/lib/bodycam"
PACKAGE = "opt/bodycam/lib/python3.13/site-packages/bodycam"
# ext4's old mode: it does not guess that who renames a file wants its content first.
STRICT = "noatime,noauto_da_alloc"
Change = Callable[[Path], None]


def fit_observer(layer: Path, disk: LoggedDisk) -> None:
    """What the unit gets for this test: the observer, and the disk's tail to write promises to."""
    shutil.copytree(OBSERVER, layer / "opt" / "observer")
    config = layer / "etc" / "bodycam" / "bodycam.toml"
    config.write_text(CONFIG.replace("segment_s = 5", "segment_s = 2"), encoding="utf-8")
    folder = layer / "etc" / "systemd" / "system" / f"{UNIT}.d"
    folder.mkdir(parents=True)
    (folder / "promises.conf").write_text(
        f"[Service]\nEnvironment=PYTHONPATH=/opt/observer PROMISES={disk.device}:{disk.end}\n"
        f"DeviceAllow={disk.device} rw\n",
        encoding="ascii",
    )


def live(camera: Camera, lives: int) -> None:
    """What the disk is to see."""
    machine = camera.machine
    machine.until_state(UNIT, "active")
    camera.press(True)
    for life in range(1, lives + 1):
        if life > 1:
            machine.run("kill", "-KILL", str(camera.pid))
        camera.until_logged("rec.start", life)
        closed = len(camera.events("seg.close"))
        camera.until_logged("seg.close", closed + 1)
    camera.press(False)
    camera.until_logged("rec.stop")
    machine.run("systemctl", "stop", UNIT)


def record(
    boot: Boot, folder: Path, lives: int, options: str = "noatime", plant: Plant | None = None
) -> Run:
    """One run of the service on a logged disk."""
    names = ("evidence", "log", "anchor")
    with logged_disk(folder, options) as disk:
        for name in names:
            (disk.mounted / "store" / name).mkdir(parents=True)

        def prepare(layer: Path) -> None:
            fit_observer(layer, disk)
            shutil.copytree(layer / STORE[1:] / "identity", folder / "identity")
            shutil.copy(layer / "root" / "root.pem", folder / "root.pem")
            if plant is not None:
                plant.put_into(layer / PACKAGE)

        binds = [disk.device, *(f"{disk.mounted}/store/{n}:{STORE}/{n}" for n in names)]
        Path(disk.device).chmod(0o666)
        try:
            with boot(prepare, binds) as camera:
                live(camera, lives)
                shutil.copytree(disk.mounted / "store", folder / "final")
        finally:
            Path(disk.device).chmod(0o660)
    return Run(folder, disk)


def sweep(run: Run, count: int, seed: int) -> Crashes:
    """Check so many states. Raises BrokenPromise."""
    with Crashes(run) as crashes:
        for state in islice(crashes.states(random.Random(seed)), count):
            crashes.check(state)
    print(crashes.summary())
    return crashes


@pytest.mark.parametrize(
    ("options", "states", "lives"),
    [
        ("noatime", 1000, 2),
        pytest.param("noatime", 10_000, 4, marks=pytest.mark.soak),
        pytest.param(STRICT, 10_000, 4, marks=pytest.mark.soak),
    ],
)
@pytest.mark.timeout(900)
def test_f32_every_promise_holds_whenever_the_power_is_cut(
    boot: Boot, memory: Path, measured: Measure, options: str, states: int, lives: int
) -> None:
    crashes = sweep(record(boot, memory, lives, options), states, seed=32)
    assert crashes.states_checked == states
    assert crashes.promised >= {".mp4", ".jsonl", ".pem", "checkpoint", "log-mark", "resume"}
    measured("crash states of ext4, checked", crashes.states_checked, "states")
    measured("live video lost by a power cut", crashes.lost_s, "s", 1.0)


@pytest.mark.parametrize("name", [name for name, plant in PLANTS.items() if plant.ext4_shows_it])
def test_a_recorder_without_this_sync_is_found(boot: Boot, memory: Path, name: str) -> None:
    run = record(boot, memory, 1, STRICT, PLANTS[name])
    with pytest.raises(BrokenPromise) as found:
        sweep(run, 2000, seed=1)
    print(found.value)
    assert PLANTS[name].breaks in str(found.value)

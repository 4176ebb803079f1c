"""A booted camera for each test: the installed recorder, a synthetic camera, simulated pins."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.cutfixtures import camera, cutter

from .camera import Camera, camera_files
from .machine import Machine

__all__ = ["camera", "cutter"]  # fixtures

ROOT = Path(__file__).parents[2]
_INSTALL = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" /mnt
make --no-print-directory --directory "$4" install DESTDIR=/mnt
systemctl --quiet --root=/mnt enable bodycam.service
"""


@pytest.fixture(scope="session", autouse=True)
def _as_root() -> None:
    if os.geteuid() != 0:
        pytest.fail("these tests boot containers and mount file systems: sudo make test-root")


@pytest.fixture(scope="session")
def rootfs() -> Path:
    """Debian 13 with what the program depends on; made at the first call on a machine."""
    script = ROOT / "tests" / "tiers" / "rootfs.sh"
    done = subprocess.run([str(script)], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def installed(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer that `make install` puts over the root file system."""
    folder = tmp_path_factory.mktemp("installed")
    upper, work = folder / "upper", folder / "work"
    upper.mkdir()
    work.mkdir()
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _INSTALL, "sh"]
    subprocess.run([*command, str(rootfs), str(upper), str(work), str(ROOT)], check=True)
    return upper


Boot = Callable[..., AbstractContextManager[Camera]]


@pytest.fixture(scope="session")
def boot(rootfs: Path, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Boot a camera; `prepare` may change its files before."""

    @contextmanager
    def booted(
        prepare: Callable[[Path], None] = lambda _: None, binds: Sequence[str] = ()
    ) -> Iterator[Camera]:
        folder = tmp_path_factory.mktemp("camera")
        camera_files(folder / "layer")
        prepare(folder / "layer")
        layers = [folder / "layer", installed, rootfs]
        with Machine(layers, folder / "console", binds) as machine:
            yield Camera(machine)

    return booted

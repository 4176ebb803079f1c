"""A guest for the tests of one process; whatever they boot from is made once a run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bodycam.clock import SystemClock
from bodycam.provision.identity import Identity, make_identity

from .disk import Disk
from .recorder import Recorder
from .vm import Guest, Parts, prepare

SRC = Path(__file__).parents[2]
CARD_MIB = 96


@pytest.fixture(scope="session", autouse=True)
def _as_root() -> None:
    if os.geteuid() != 0:
        pytest.fail("these tests make a guest's disks: sudo make test-guest")


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Shared by the processes of one run."""
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return prepare(shared, SRC)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The camera's keys, and what its force keeps."""
    return make_identity(
        tmp_path_factory.mktemp("force"), "guest-1", SystemClock().sample().utc_ns
    )  # fmt: skip


def make_card(image: Path, identity: Identity) -> None:
    """A new card: an ext4 file system with the camera's identity on it."""
    tree = image.with_suffix(".tree")
    shutil.copytree(identity.identity, tree / "identity")
    image.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", f"{CARD_MIB}M", str(image)], check=True)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-J", "size=4", "-d", str(tree), str(image)], check=True
    )
    shutil.rmtree(tree)


@pytest.fixture(scope="session")
def guest(
    parts: Parts, identity: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guest]:
    """Booted once, for the tests that leave it as it was or go on where the last one ended."""
    folder = tmp_path_factory.mktemp("card")
    make_card(folder / "card.img", identity)
    with Disk(folder / "card.img", folder / "card.sock") as disk, Guest(parts, disk) as guest:
        print(f"booted in {guest.booted_s:.0f} s")
        yield guest


@pytest.fixture(scope="session")
def recorder(guest: Guest) -> Recorder:
    return Recorder(guest)

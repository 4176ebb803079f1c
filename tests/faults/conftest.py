"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.test_microphone import sounds

from .cutfixtures import camera, cutter
from .faultrig import FaultRig, faulty
from .heavyfootage import make_footage
from .witness import compile_witness

__all__ = ["camera", "cutter", "sounds"]  # fixtures

Faulty = Callable[..., AbstractContextManager[FaultRig]]


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_witness(tmp_path_factory.mktemp("witness"))


@pytest.fixture(scope="session")
def footage_8m(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Footage of 8 Mbit/s (heavyfootage.heavy)."""
    return make_footage(tmp_path_factory.mktemp("footage") / "8m.mp4")


@pytest.fixture
def unit(tmp_path: Path, witness: Path) -> Faulty:
    """`with unit(overrides, speed) as rig:` a daemon to do a fault to (faultrig.faulty)."""
    return partial(faulty, tmp_path / "unit", witness)

"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.test_microphone import sounds

from .faultrig import FaultRig, faulty
from .witness import compile_witness

__all__ = ["sounds"]  # a fixture

Faulty = Callable[..., AbstractContextManager[FaultRig]]


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_witness(tmp_path_factory.mktemp("witness"))


@pytest.fixture
def unit(tmp_path: Path, witness: Path) -> Faulty:
    """`with unit(overrides, speed) as rig:` a daemon to do a fault to (faultrig.faulty)."""
    return partial(faulty, tmp_path / "unit", witness)

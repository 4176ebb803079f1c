"""A camera whose life can be cut off before any change of it, for the tests that do so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .cutting import Cutter
from .life import make_camera


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera's folder: its identity, and footage."""
    folder = tmp_path_factory.mktemp("camera")
    make_camera(folder)
    return folder


@pytest.fixture
def cutter(camera: Path) -> Iterator[Cutter]:
    """What lives that camera's life, up to a change."""
    with Cutter(camera) as made:
        yield made

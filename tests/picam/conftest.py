"""These run inside the rootfs of `tests/tiers`, with the rig under picamera2: `make test-picam`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.picam.sensor import Sensor


@pytest.fixture
def sensor() -> Iterator[Sensor]:
    """The camera, in order before and after."""
    camera = Sensor()
    camera.reset()
    yield camera
    camera.reset()

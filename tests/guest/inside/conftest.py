"""What lies here runs inside the guest, as root, and is not looked at anywhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.leftovers import nothing_left_behind
from tests.test_pins_contract import keep_environment

collect_ignore_glob = [] if os.environ.get("BODYCAM_INSIDE_GUEST") == "1" else ["test_*.py"]


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """As everywhere, but for the threads that lgpio keeps as long as the process lives."""
    with nothing_left_behind(running=False), pytest.MonkeyPatch.context() as patched:
        keep_environment(patched)
        yield

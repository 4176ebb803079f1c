"""What every test shares: in CI a skip is a failure, unless the test needs a Raspberry Pi."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.results import measured, write_result
from tests.leftovers import nothing_left_behind

__all__ = ["measured"]  # a fixture

# A shell has what it runs in the background ignore Ctrl-C, and so would every program of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The system that tests/picam runs in has no hypothesis.
if importlib.util.find_spec("hypothesis") is not None:
    import hypothesis

    # Speed is a benchmark, not a timed test.
    hypothesis.settings.register_profile("untimed", hypothesis.settings.default, deadline=None)
    hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_by_a_module() -> Iterator[None]:
    """Likewise for what the tests of a module share; what a session shares may run on."""
    with nothing_left_behind(running=False):
        yield


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """The next test finds the process as this one did."""
    with nothing_left_behind():
        yield


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, for what is synced or written anew a thousand times."""
    folder = Path(tempfile.mkdtemp(prefix="bodycam-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and item.get_closest_marker("pi") is None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped in CI: {report.longrepr}"
    if report.when == "call":
        write_result(item, passed=report.passed)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a Pi where there is none, and the sweeps unless they are asked for."""
    on_pi = Path("/proc/device-tree/model").exists()
    soak = "soak" in (config.option.markexpr or "")
    left_out = [
        item
        for item in items
        if (item.get_closest_marker("pi") and not on_pi)
        or (item.get_closest_marker("soak") and not soak)
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]

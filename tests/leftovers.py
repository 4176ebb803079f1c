"""What a test may leave behind of the process it ran in: nothing that the next one would meet."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# pytest's own: which test runs, and in which phase; pytest-timeout's alarm.
_NOT_OURS = "PYTEST_CURRENT_TEST"
_SIGNALS = signal.valid_signals() - {signal.SIGALRM}
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """The process as a test finds it."""

    folder: str
    environment: dict[str, str]
    handlers: dict[int, Any]
    umask: str
    threads: frozenset[threading.Thread]
    children: frozenset[int]

    @classmethod
    def now(cls) -> Process:
        return cls(
            str(Path("/proc/self/cwd").readlink()),
            {name: value for name, value in os.environ.items() if name != _NOT_OURS},
            {number: signal.getsignal(number) for number in _SIGNALS},
            _umask(),
            frozenset(threading.enumerate()),
            _children(),
        )


def left_behind(before: Process) -> list[str]:
    """How the process differs from what it was, one line each."""
    after = Process.now()
    found = []
    if after.folder != before.folder:
        found.append(f"the working folder is {after.folder}, and was {before.folder}")
    if after.umask != before.umask:
        found.append(f"the umask is {after.umask}, and was {before.umask}")
    for name in sorted(after.environment.keys() | before.environment.keys()):
        was, now = before.environment.get(name), after.environment.get(name)
        if was != now:
            found.append(f"the environment's {name} is {now!r}, and was {was!r}")
    for number, was in before.handlers.items():
        if after.handlers[number] != was:
            found.append(f"signal {number} goes to {after.handlers[number]}, and went to {was}")
    return found


def running_on(before: Process) -> list[str]:
    """The threads and children that were not there, one line each; they are given time to end."""
    deadline = time.monotonic() + _END_S
    for thread in frozenset(threading.enumerate()) - before.threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    while _children() - before.children and time.monotonic() < deadline:
        time.sleep(0.01)
    after = Process.now()
    found = [f"{thread} runs on" for thread in after.threads - before.threads]
    found += [f"child {_named(pid)} is left" for pid in sorted(after.children - before.children)]
    return found


@contextmanager
def nothing_left_behind(*, running: bool = True) -> Iterator[None]:
    """Fail if the block leaves the process other than it was; `running`: and what runs in it."""
    before = Process.now()
    yield
    found = left_behind(before) + (running_on(before) if running else [])
    assert not found, "left behind: " + "; ".join(found)


def _umask() -> str:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return text.partition("Umask:")[2].split("\n", 1)[0].strip()


def _children() -> frozenset[int]:
    # By thread: a child is listed with the one that made it.
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(map(int, path.read_text(encoding="ascii").split()))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return frozenset(found)


def _named(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return f"{pid} (gone)"
    return f"{pid} ({b' '.join(words).decode(errors='replace').strip() or 'not waited for'})"

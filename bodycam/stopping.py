"""Being told to stop: signals become a call in a thread of their own.

A handler runs inside whatever the main thread is doing. Setting an Event there deadlocks if the
main thread holds that Event's lock at the moment, which it does each time it waits: a worker whose
recorder was killed then stayed for ever, with the camera.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


def on_signals(numbers: tuple[signal.Signals, ...], told: Callable[[signal.Signals], None]) -> None:
    """Call `told` for each of these signals from now on; the handler itself only writes a byte."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)

    def follow() -> None:
        while raw := os.read(read_fd, 1):
            told(signal.Signals(raw[0]))

    def handle(number: int, _frame: object) -> None:
        os.write(write_fd, bytes((number,)))

    threading.Thread(target=follow, name="told", daemon=True).start()
    for number in numbers:
        signal.signal(number, handle)

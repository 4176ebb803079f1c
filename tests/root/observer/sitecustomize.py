"""Marks each promise of the recorder in the log of its disk's writes, at the moment it is made.

Python imports this at the start of every program of the unit (PYTHONPATH). In the recorder it listens
to those functions by whose return a thing is promised to be durable, and writes what was promised to
the tail of the very disk, past its page cache: promises, writes and flushes are then in one order.
Nothing of the recorder is replaced. PROMISES is DEVICE:OFFSET.
"""

import hashlib
import json
import mmap
import os
import sys
import threading
import time
from types import CodeType, FrameType
from typing import Any

_BLOCK = 4096
_TOOL = 3


class Marks:
    """The tail of the disk."""

    def __init__(self, place: str) -> None:
        device, _, offset = place.rpartition(":")
        self._fd = os.open(device, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        self._offset = int(offset)
        self._block = mmap.mmap(-1, _BLOCK)
        self._lock = threading.Lock()

    def write(self, promise: dict[str, Any]) -> None:
        at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        text = json.dumps({**promise, "at_ns": at_ns}).encode()
        with self._lock:
            self._block[:] = text.ljust(_BLOCK, b"\0")
            os.pwrite(self._fd, self._block, self._offset)


def promised(frame: FrameType, name: str, result: Any) -> dict[str, Any] | None:
    """What a function that has just returned has promised."""
    names = frame.f_locals
    match name:
        case "SegmentFile.sync":
            return {"file": str(names["self"].path), "size": names["self"].synced_size}
        case "SegmentFile.create":
            return {"file": str(names["self"].path), "size": 0}
        case "EventLog.sync" | "EventLog.open":
            return {"lines": names["self"]._durable.size}
        case "write_atomically":
            digest = hashlib.sha256(names["data"]).hexdigest()
            return {"file": str(names["path"]), "sha256": digest}
    return None


def listen(marks: Marks) -> None:
    from bodycam import eventlog, store

    def on_return(code: CodeType, _: int, result: Any) -> None:
        promise = promised(sys._getframe(1), code.co_qualname, result)
        if promise is not None:
            marks.write(promise)

    functions = [
        store.SegmentFile.sync, store.SegmentFile.create, eventlog.EventLog.sync,
        eventlog.EventLog.open, store.write_atomically,
    ]  # fmt: skip
    monitoring = vars(sys)["monitoring"]  # from Python 3.12 on; the camera's system has 3.13
    monitoring.use_tool_id(_TOOL, "promises")
    monitoring.register_callback(_TOOL, monitoring.events.PY_RETURN, on_return)
    for function in functions:
        monitoring.set_local_events(_TOOL, function.__code__, monitoring.events.PY_RETURN)


if "PROMISES" in os.environ and "run" in sys.orig_argv:
    listen(Marks(os.environ["PROMISES"]))

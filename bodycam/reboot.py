"""Asking for a reboot: the only cure of a process that hangs in the kernel and holds the camera.

The recorder has no right to it. It makes a file, and `bodycam-reboot.path` sees to the rest. What
lies on disk then is what a power cut leaves; the recorder is ended in order first.
"""

from __future__ import annotations

from pathlib import Path

from .clock import NS, Clock
from .eventlog import EventLog

REBOOT_FILE = "reboot"
# A camera that hangs at each boot must not do nothing but boot.
_NOT_BEFORE_NS = 300 * NS


class RebootRequest:
    """Asks once in a life of the recorder, and not in the first five minutes after a boot."""

    def __init__(self, runtime: Path, clock: Clock, log: EventLog) -> None:
        self._path = runtime / REBOOT_FILE
        self._clock, self._log = clock, log
        self._asked = False
        # Of an earlier life: this one has not asked for anything yet.
        self._path.unlink(missing_ok=True)

    def ask(self, reason: str) -> None:
        """Ask, unless it was asked already or the unit has only just booted."""
        if self._asked or self._clock.boot_ns() < _NOT_BEFORE_NS:
            return
        self._asked, refused = True, None
        try:
            self._path.touch()
        except OSError as fault:
            refused = f"{self._path}: {fault.strerror}"
        self._log.append("reboot", reason=reason, refused=refused)

"""Chips of the kernel's gpio-sim: made, moved by hand, looked at, and taken away again.

Needs root and the modules gpio-sim and configfs: a guest, never the machine that runs the tests.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CONFIGFS = Path("/sys/kernel/config")
HEADER_LINES = 54


class SimChip:
    """One simulated chip; the hand on its lines and the eye on its lamps."""

    def __init__(self, label: str, hogs: Mapping[int, str]) -> None:
        self._folder = CONFIGFS / "gpio-sim" / f"{label}-{os.getpid()}"
        self._bank = self._folder / "bank"
        self._hogs = [self._bank / f"line{line}" / "hog" for line in hogs]
        self._bank.mkdir(parents=True)
        (self._bank / "num_lines").write_text(str(HEADER_LINES))
        (self._bank / "label").write_text(label)
        for hog, name in zip(self._hogs, hogs.values(), strict=True):
            hog.mkdir(parents=True)
            (hog / "name").write_text(name)
            (hog / "direction").write_text("input")
        self.plug()

    def plug(self) -> None:
        """Let the chip appear; the kernel gives it the next free number."""
        (self._folder / "live").write_text("1")
        self.name = (self._bank / "chip_name").read_text().strip()
        device = (self._folder / "dev_name").read_text().strip()
        self.sysfs = Path("/sys/devices/platform") / device / self.name
        while not Path("/dev", self.name).exists():
            time.sleep(0.01)

    def unplug(self) -> None:
        """Take the chip away, whoever holds its lines."""
        (self._folder / "live").write_text("0")

    def remove(self) -> None:
        self.unplug()
        for hog in self._hogs:
            hog.rmdir()
            hog.parent.rmdir()
        self._bank.rmdir()
        self._folder.rmdir()

    def drive(self, line: int, level: int) -> None:
        """Pull a line up or down, as a switch does."""
        (self.sysfs / f"sim_gpio{line}" / "pull").write_text("pull-up" if level else "pull-down")

    def level(self, line: int) -> int:
        return int((self.sysfs / f"sim_gpio{line}" / "value").read_text())


@contextmanager
def simulated_chip(label: str, hogs: Mapping[int, str] | None = None) -> Iterator[SimChip]:
    """A chip with a header's lines; `hogs` are lines that the kernel keeps for itself, by name."""
    subprocess.run(["modprobe", "gpio-sim"], check=True)
    chip = SimChip(label, hogs or {})
    try:
        yield chip
    finally:
        chip.remove()

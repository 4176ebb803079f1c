"""The virtual camera from the outside: what it took, and how to do it harm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.picam.virtualcam import Fault
from tests.scene_reader import read_frames

_WRAP = 1 << 32


class Sensor:
    """The one camera of the rig; every process that opens it shares diary, stall and faults."""

    def __init__(self) -> None:
        self._diary = Path(os.environ["RIG_DIARY"])
        self._stall = Path(os.environ["SHIM_STALL"])
        self._encoder = Path("/dev/video11")

    def reset(self) -> None:
        """An empty diary, no faults, and no encoder in hardware."""
        self._stall.unlink(missing_ok=True)
        self._encoder.unlink(missing_ok=True)
        for fault in Fault:
            fault.path.unlink(missing_ok=True)
        self._diary.unlink(missing_ok=True)

    def took(self) -> list[int]:
        """When each picture was taken, in microseconds of boot time, whatever became of it."""
        if not self._diary.exists():
            return []
        return sorted(int(line.split()[0]) for line in self._diary.read_text().splitlines())

    def streams(self) -> int:
        """How many streams were asked of it last."""
        return int(self._diary.read_text().splitlines()[-1].split()[1])

    def with_hardware_encoder(self) -> None:
        """From now on the board has one."""
        self._encoder.touch()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """No picture comes."""
        self._stall.touch()
        try:
            yield
        finally:
            self._stall.unlink()

    @contextmanager
    def suffering(self, fault: Fault) -> Iterator[None]:
        """Something goes wrong, each time, until the block is left."""
        fault.path.touch()
        try:
            yield
        finally:
            fault.path.unlink()


def taken_at(clip: Path, first_us: int) -> list[int]:
    """When the pictures of a video say that they were taken; the first one not before `first_us`.

    A picture holds the lower half of its time, which is enough for an hour.
    """
    times = []
    for frame in read_frames(clip):
        assert frame.number is not None, f"picture {frame.index} cannot be read"
        times.append(first_us + (frame.number - first_us) % _WRAP)
    return times

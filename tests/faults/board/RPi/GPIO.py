"""Stands in for RPi.GPIO, which cannot be imported off a Pi: a header whose lines are files.

The folder that GPIO_BOARD names: `busy` and `edgeless` list BCM numbers that another program holds,
or whose edges the driver cannot tell; the FIFO `hand` takes "17 0", and drives a line; `written`
lists the levels that outputs were given; `chip`, which chip the library was told to use.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

BCM, IN, OUT, BOTH, PUD_OFF, PUD_DOWN, PUD_UP = 11, 1, 0, 33, 20, 21, 22

_BOARD = Path(os.environ["GPIO_BOARD"])
_LEVELS: dict[int, int] = {}
_CALLBACKS: dict[int, Callable[[int], None]] = {}


def _listed(name: str, channel: int) -> bool:
    return str(channel) in (_BOARD / name).read_text(encoding="ascii").split()


def setwarnings(flag: bool) -> None:
    assert flag is False


def setmode(mode: int) -> None:
    assert mode == BCM


def setup(
    channel: int, direction: int, pull_up_down: int = PUD_OFF, initial: int | None = None
) -> None:
    if _listed("busy", channel):
        raise RuntimeError("GPIO busy")
    if direction == OUT:
        output(channel, int(initial or 0))
    else:
        _LEVELS.setdefault(channel, int(pull_up_down == PUD_UP))


def input(channel: int) -> int:  # noqa: A001  the library's name
    return _LEVELS[channel]


def output(channel: int, value: int) -> None:
    with (_BOARD / "written").open("a", encoding="ascii") as out:
        out.write(f"{channel} {value}\n")


def add_event_detect(channel: int, edge: int, callback: Callable[[int], None]) -> None:
    assert edge == BOTH
    if _listed("edgeless", channel):
        raise RuntimeError("Failed to add edge detection")
    _CALLBACKS[channel] = callback


def remove_event_detect(channel: int) -> None:
    _CALLBACKS.pop(channel, None)


def cleanup(channels: list[int]) -> None:
    for channel in channels:
        _CALLBACKS.pop(channel, None)


def _follow_hand() -> None:
    while True:
        with (_BOARD / "hand").open(encoding="ascii") as hand:
            for line in hand:
                channel, level = map(int, line.split())
                _LEVELS[channel] = level
                if channel in _CALLBACKS:
                    _CALLBACKS[channel](channel)


(_BOARD / "chip").write_text(os.environ.get("RPI_LGPIO_CHIP", "none"), encoding="ascii")
threading.Thread(target=_follow_hand, daemon=True).start()

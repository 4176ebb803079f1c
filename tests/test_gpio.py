"""The real pins as far as they go off a Pi: what is asked of RPi.GPIO, and how failures read.

The contract that they share with the simulated pins is in test_pins_contract.py.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from bodycam.clock import SystemClock
from bodycam.config import Active, Pin, Pull, default_pins
from bodycam.errors import DeviceError, ExitCode
from bodycam.gpio import RpiPins


def test_off_a_pi_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert importlib.util.find_spec("RPi") is None, "this test is for machines without RPi.GPIO"
    with pytest.raises(DeviceError, match=r"RPi.GPIO cannot be used.*backend = \"simulated\"") as e:
        RpiPins(default_pins(), SystemClock())
    assert e.value.exit_code is ExitCode.DEVICE

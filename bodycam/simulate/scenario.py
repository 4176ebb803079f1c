"""The scenario language: a shift as a TOML file, with what must have come of it.

A scenario reads like a shift report: `[[shift]]` entries in order of time (seconds since the
camera was ready), each one thing that happens, and `[[expect]]` entries that decide the exit code.
"""

from __future__ import annotations

import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..camera.mishaps import MishapKind
from ..errors import ConfigError

# The mains' hum: an edge each half wave.
_HUM_US = 10_000


class Target(Enum):
    """Which process a fault is done to."""

    WORKER = "worker"
    RECORDER = "recorder"


class Position(Enum):
    """Where a switch is put."""

    ON = "on"
    OFF = "off"


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the scenario."""


class ClockChange(_Strict, frozen=True):
    """UTC is stepped, or its source changes; boot time goes on."""

    step_ms: int = 0
    source: str = "ntp"
    unc_ms: Annotated[int, msgspec.Meta(ge=0)] = 5


class Sensor(Enum):
    """A sensor that can be lost."""

    SOC = "soc"
    CELL = "cell"
    BATTERY = "battery"


class PowerChange(_Strict, frozen=True):
    """What the sensors say from now on; absent values stay as they are.

    `throttled`: the firmware's bits. `model`: what the gauge calls its cell. `lost`: sensors that
    give nothing any more, until they are given a value again.
    """

    battery: Annotated[int, msgspec.Meta(ge=-1, le=255)] | None = None
    minutes_left: Annotated[int, msgspec.Meta(ge=0)] | None = None
    temperature_c: Annotated[int, msgspec.Meta(ge=-40, le=150)] | None = None
    cell_c: Annotated[int, msgspec.Meta(ge=-60, le=150)] | None = None
    charging: bool | None = None
    undervolt: bool | None = None
    throttled: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFF)] | None = None
    model: str | None = None
    lost: list[Sensor] = []


class StorageChange(_Strict, frozen=True):
    """Other files fill the card up to so much free space, or go away again."""

    leave_kib: Annotated[int, msgspec.Meta(ge=0)] | None = None
    free: bool = False


class CameraFault(_Strict, frozen=True):
    """The simulated camera does something wrong for a while (bodycam/camera/mishaps.py)."""

    does: MishapKind
    for_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    by_ms: int = 0
    size: Annotated[int, msgspec.Meta(ge=0, le=64 << 20)] = 0


class Plug(_Strict, frozen=True):
    """A USB device (`vvvv:pppp`) is plugged in, or out."""

    usb: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]
    present: bool = True


class Throw(_Strict, frozen=True):
    """A pin with its bounce spelt out: offsets at which it flips, and edges the driver loses.

    `hum_s`: before it rests the line floats for so long, and picks up 50 Hz.
    """

    pin: str
    to: Position
    bounce_us: list[int] | None = None
    drop: list[int] = []
    hum_s: Annotated[float, msgspec.Meta(gt=0, le=60)] | None = None

    def offsets_us(self) -> list[int] | None:
        """When it flips after the throw; None for a bounce as switches have."""
        if self.hum_s is None:
            return self.bounce_us
        return [_HUM_US * n for n in range(1, 2 * round(self.hum_s * 50) + 1)]


class Step(_Strict, frozen=True):
    """One thing that happens, `at` seconds after the camera was ready."""

    at: Annotated[float, msgspec.Meta(ge=0)]
    say: str = ""
    switch: Position | None = None
    press: str | None = None
    press_ms: Annotated[int, msgspec.Meta(ge=1, le=600_000)] = 150
    throw: Throw | None = None
    trigger: str | None = None
    to: Position | None = None
    kill: Target | None = None
    stall: Target | None = None
    stall_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 3.0
    clock: ClockChange | None = None
    power: PowerChange | None = None
    storage: StorageChange | None = None
    camera: CameraFault | None = None
    plug: Plug | None = None
    dock: bool | None = None

    def actions(self) -> list[str]:
        names = ("switch", "press", "throw", "trigger", "kill", "stall", "clock", "power",
                 "storage", "camera", "plug", "dock")  # fmt: skip
        return [name for name in names if getattr(self, name) is not None]


class Expect(_Strict, frozen=True):
    """One statement about the run; all of its parts must hold.

    `signals`: what is shown, in this order, each a state with notices that it needs: "rec+hot".
    `felt`: taps, likewise. `log` or `pin`: lines of the log, or moments at which an output became active. Each of them
    comes `after` one of another kind, an event (with `after_where`) or "pin NAME", by at most
    `within_s`.
    """

    say: str = ""
    log: str | None = None
    where: dict[str, Any] = {}
    after: str | None = None
    after_where: dict[str, Any] = {}
    within_s: float | None = None
    pin: str | None = None
    count: int | None = None
    at_least: int | None = None
    signals: list[str] | None = None
    felt: list[str] | None = None
    never: str | None = None
    recordings: int | None = None
    pre_record_s: list[float] | None = None
    pre_record_reason: str | None = None
    recording: int = 0
    verify: int | None = None
    lost_frames_at_most: int | None = None
    missing_s_at_most: float | None = None


class Card(_Strict, frozen=True):
    """The card of the simulated camera; a size makes it a real small file system."""

    size_mib: Annotated[int, msgspec.Meta(ge=4, le=4096)] | None = None


class Scenario(_Strict, frozen=True):
    """A whole shift."""

    title: str
    ends: Annotated[float, msgspec.Meta(gt=0)]
    speed: Annotated[float, msgspec.Meta(ge=0.1, le=1000)] = 1
    switch_at_boot: Position = Position.OFF
    orderly: bool = True
    config: dict[str, Any] = {}
    card: Card = Card()
    power: PowerChange = PowerChange(
        battery=90, temperature_c=45, cell_c=30, charging=False, undervolt=False
    )
    shift: list[Step] = []
    expect: list[Expect] = []


def load_scenario(path: Path) -> Scenario:
    """Read a scenario. A ConfigError names the entry and what is wrong with it."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        scenario = msgspec.convert(tree, Scenario)
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise ConfigError(f"{path}: not a TOML file: {fault}") from fault
    except msgspec.ValidationError as fault:
        raise ConfigError(f"{path}: {fault}") from fault
    _check(scenario, path)
    return scenario


def _check(scenario: Scenario, path: Path) -> None:
    last = 0.0
    for i, step in enumerate(scenario.shift):
        actions = step.actions()
        if len(actions) > 1 or not (actions or step.say):
            raise ConfigError(
                f"{path}: shift[{i}] at {step.at}: {', '.join(actions) or 'nothing'}; "
                "accepted: one thing that happens"
            )
        if step.at < last or step.at > scenario.ends:
            raise ConfigError(
                f"{path}: shift[{i}]: at = {step.at}; accepted: {last} to {scenario.ends}, in order"
            )
        if step.trigger is not None and step.to is None:
            raise ConfigError(f"{path}: shift[{i}]: trigger without to; accepted: to = 'on'|'off'")
        last = step.at
    for i, expect in enumerate(scenario.expect):
        if expect == Expect(say=expect.say):
            raise ConfigError(f"{path}: expect[{i}] expects nothing")

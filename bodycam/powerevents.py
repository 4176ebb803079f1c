"""What the sensors of battery, heat and supply say at one look, and what can change by it."""

from __future__ import annotations

from dataclasses import dataclass

from .gauge import Battery


@dataclass(frozen=True, slots=True)
class PowerReading:
    """One look at the sensors; None where there is none or it makes no sense.

    `throttled`: what the firmware holds back now, None where it cannot be asked.
    """

    soc_milli_c: int | None = None
    cell_milli_c: int | None = None
    battery: Battery | None = None
    throttled: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class LevelEdge:
    """A quantity reached another level; `value` in milli-degrees, percent or minutes."""

    quantity: str
    level: str | None
    value: int | None


@dataclass(frozen=True, slots=True)
class ChargeEdge:
    """Charging was cut off, and why; or let again, with None."""

    reason: str | None
    milli_c: int | None


@dataclass(frozen=True, slots=True)
class ChargeStuck:
    """The gauge says that it is charged although that is cut off."""

    for_ns: int


@dataclass(frozen=True, slots=True)
class FlagsEdge:
    """The firmware holds back other things than before; so many edges in this one line."""

    flags: frozenset[str]
    edges: int


@dataclass(frozen=True, slots=True)
class SensorEdge:
    """A sensor that was there gives nothing valid any more, and why; or it does again, with None."""

    sensor: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Recalled:
    """The cell is on the recall list."""

    model: str
    serial: str


PowerEvent = LevelEdge | ChargeEdge | ChargeStuck | FlagsEdge | SensorEdge | Recalled

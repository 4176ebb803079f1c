"""The steps of the acceptance: what only a real Pi can prove. ACCEPTANCE.md lists the same ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import benchsteps, powersteps, recordsteps
from .rig import Outcome, Rig, Talk


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how long it takes, and what does it."""

    id: str
    title: str
    minutes: int
    run: Callable[[Rig, Talk], Outcome]


STEPS = (
    Step("A01", "the board is a known one, with its encoder", 1, benchsteps.board),
    Step("A02", "pins rest while the recorder does not run", 1, benchsteps.pins_at_rest),
    Step("A03", "no radio, no network", 1, benchsteps.radio_silence),
    Step("A04", "the self-test is green", 2, benchsteps.selftest),
    Step("A05", "each lamp, the motor and the buzzer are seen and felt", 3, benchsteps.lamps),
    Step("A06", "real pins keep the contract of the simulated ones", 3, benchsteps.pins_contract),
    Step("A07", "every edge of 1 to 60 ms is seen, with its time", 2, benchsteps.edges),
    Step("A08", "60 s without a lost picture, at the rate asked for", 2, recordsteps.camera),
    Step("A09", "a keyframe comes when it is asked for", 3, recordsteps.keyframe),
    Step("A10", "records within 5 s of the service's start", 1, recordsteps.starts_in_time),
    Step("A11", "sound and picture of a clap are one", 5, recordsteps.clap),
    Step("A12", "the officer feels and sees what is on disk", 5, recordsteps.signals),
    Step("A13", "a recorder that hangs is started again", 2, recordsteps.hung_recorder),
    Step("A14", "a kernel that dies is started again by the hardware", 3, recordsteps.dead_kernel),
    Step("A15", "five power cuts while recording lose what they may", 15, recordsteps.power_cuts),
    Step("A16", "a foreign USB device gets no driver", 2, recordsteps.foreign_usb),
    Step("A17", "charging follows the recorder", 5, powersteps.charge_off),
    Step("A18", "the charger cuts by its own thermistor", 10, powersteps.thermistor),
    Step("A19", "heat of the closed box", 45, powersteps.heat),
    Step("A20", "the dock wakes a camera that switched itself off", 5, powersteps.dock_wake),
    Step("A21", "the fuel gauge is right", 3, powersteps.gauge),
    Step("A22", "the clock goes on without power", 70, powersteps.clock),
    Step("A23", "glove, lens window, microphone port", 10, powersteps.by_hand),
)

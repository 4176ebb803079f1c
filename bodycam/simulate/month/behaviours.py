"""What is planted: how officers and cameras behave, as a file, and what each behaviour comes to.

| an officer of kind      | does                                                          | honest |
|-------------------------|---------------------------------------------------------------|--------|
| ordinary                | what `[ordinary]` and `[outcome]` say, by chance              | no     |
| always                  | records all                                                   | yes    |
| late, early, mutes      | that, at two incidents of three                               | no     |
| never_on_some_calls     | does not press at calls of one type                           | no     |
| off_before_force        | stops 30 to 60 s before force is used                         | no     |
| switches_off_between    | all, but the camera is off between incidents: no buffer       | no     |
| leaves_it_to_colleagues | does not press where a colleague is                           | no     |
| late_out_of_the_dock    | all, but three hours of duty the camera stands in the dock    | no     |
| files_badly             | all, and files it wrong                                       | yes    |
| faulty_camera           | all; it stalls for hours or a minute, hangs, or dies          | yes    |
| flat_battery            | all, until the battery dies                                   | yes    |
| wrong_clock             | all; the clock is 40 minutes off, and says so                 | yes    |
| too_hot                 | all; the camera refuses presses                               | yes    |
| slow_start              | all; an older firmware that is slow to its first sync         | yes    |
| trial                   | what the trial's arm and site say                             | no     |
"""

from __future__ import annotations

import tomllib
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec

from ...audit.scoring import IncidentClass
from ...boundedfile import read_bounded
from ...errors import ConfigError

_MAX_BYTES = 1 << 16
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# A correlation of 1 would be two kinds of officers, and a beta distribution has none.
Spread = Annotated[float, msgspec.Meta(ge=0, le=0.9)]


class Incidents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens, and what dispatch says of it."""

    force: Share
    complaint: Share
    two_officers: Share
    self_initiated: Share
    on_scene_unknown: Share
    cleared_unknown: Share
    short_recordings: Share


class Ordinary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rates of whoever has no behaviour of their own."""

    never: Share
    late: Share
    early: Share
    gap: Share
    muted: Share
    saved: Share
    spread: Spread


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Risk differences."""

    not_complete: Share
    never: Share


class Officers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of each kind; the rest are ordinary."""

    always: Share = 0
    late: Share = 0
    early: Share = 0
    never_on_some_calls: Share = 0
    off_before_force: Share = 0
    mutes: Share = 0
    switches_off_between: Share = 0
    leaves_it_to_colleagues: Share = 0
    late_out_of_the_dock: Share = 0
    files_badly: Share = 0
    faulty_camera: Share = 0
    flat_battery: Share = 0
    wrong_clock: Share = 0
    too_hot: Share = 0
    slow_start: Share = 0
    trial: Share = 0


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many shifts are what they were drawn for, where a site keeps to an arm, and where it does not."""

    kept: Share
    kept_elsewhere: Share


class Filing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How recordings are filed."""

    wrong_event: Share
    no_category: Share
    late: Share
    reviewed: Share
    wrong_event_badly: Share
    no_category_badly: Share
    late_badly: Share


class Behaviours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is planted."""

    incidents: Incidents
    ordinary: Ordinary
    outcome: Outcome
    officers: Officers
    trial: Trial
    filing: Filing


# The order is that of `Officers`; a kind is the place of its name in here.
KINDS = ("ordinary", *Officers.__struct_fields__)
HONEST = (
    "always", "files_badly", "faulty_camera", "flat_battery", "wrong_clock", "too_hot", "slow_start",
)  # fmt: skip


class Does(Enum):
    """What becomes of one officer's incident."""

    COMPLETE = "complete"
    SAVED = "saved by the buffer"
    HANDED_OVER = "handed over to a colleague"
    LATE = "late"
    EARLY = "early"
    OFF_BEFORE_FORCE = "off before force"
    GAP = "gap"
    MUTED = "muted"
    NEVER = "never"
    RETRO = "pressed when it was over"
    CONTROL = "control arm of a trial"
    WHOLE_SHIFT = "treatment arm of a trial"
    FAULT = "camera failed"
    TOO_HOT = "camera refused"
    MIXED = "camera failed, then hung"
    STALLED = "camera stalled in the middle"
    DIED = "camera died in the middle"
    DEAD = "battery died"
    DOCKED = "camera in the dock"
    NO_DEVICE = "no camera assigned"


CLASSES = {
    Does.COMPLETE: IncidentClass.COMPLETE, Does.SAVED: IncidentClass.COMPLETE,
    Does.HANDED_OVER: IncidentClass.COMPLETE, Does.LATE: IncidentClass.LATE,
    Does.EARLY: IncidentClass.EARLY, Does.OFF_BEFORE_FORCE: IncidentClass.EARLY,
    Does.GAP: IncidentClass.GAP, Does.MUTED: IncidentClass.MUTED, Does.NEVER: IncidentClass.NEVER,
    Does.RETRO: IncidentClass.NEVER, Does.CONTROL: IncidentClass.NEVER,
    Does.WHOLE_SHIFT: IncidentClass.COMPLETE, Does.FAULT: IncidentClass.FAULT,
    Does.TOO_HOT: IncidentClass.FAULT, Does.MIXED: IncidentClass.FAULT,
    Does.STALLED: IncidentClass.GAP, Does.DIED: IncidentClass.EARLY,
    Does.DEAD: IncidentClass.UNKNOWN, Does.DOCKED: IncidentClass.DOCKED,
    Does.NO_DEVICE: IncidentClass.NO_DEVICE,
}  # fmt: skip
DOES = tuple(Does)


def load_behaviours(path: Path | None = None) -> Behaviours:
    """Those of a file, or the default ones. Raises CannotOpen, ConfigError."""
    if path is None:
        data = resources.files(__package__).joinpath("behaviours.toml").read_bytes()
        return parse_behaviours(data, "behaviours.toml")
    data = read_bounded(path, _MAX_BYTES, "Give a file of behaviours")
    return parse_behaviours(data, path.name)


def parse_behaviours(data: bytes, name: str) -> Behaviours:
    """The behaviours in these bytes. Raises ConfigError, naming what is wrong."""
    hint = "See bodycam/simulate/month/behaviours.toml"
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{name}: larger than {_MAX_BYTES} bytes: no file of behaviours", hint)
    try:
        found = msgspec.convert(tomllib.loads(data.decode("utf-8")), Behaviours)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        raise ConfigError(f"{name}: {fault}", hint) from fault
    if sum(msgspec.structs.astuple(found.officers)) > 1:
        raise ConfigError(f"{name}: [officers] has shares of more than all officers", hint)
    told = found.ordinary
    # Calls of one type are up to half as many again as the rate.
    if 1.5 * told.never + told.late + told.early + told.gap + told.muted + told.saved > 1:
        raise ConfigError(f"{name}: [ordinary] has rates of more than all incidents", hint)
    if found.outcome.never > found.outcome.not_complete:
        raise ConfigError(f"{name}: [outcome] never is more than not_complete", hint)
    return found

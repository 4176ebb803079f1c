"""What the officer is told: facts in, one state out, and notices on top of it.

How each looks and feels is in `patterns.py`. The recording lamp follows the disk: it is on only
while a segment is open and its last sync is at most 2 s old, whatever anybody intended.

The first row that fits is the state:

| state        | when                                                                     |
|--------------|--------------------------------------------------------------------------|
| OFF          | the recorder has ended                                                   |
| BOOT         | it has not seen a picture yet, for at most 5 s                           |
| STOP_CONFIRM | on disk; the switch is off and not yet for long enough, or the tail runs |
| DEGRADED     | on disk; but no sound, no log, an unsure switch, or nothing to see       |
| REC          | on disk                                                                  |
| FULL         | the card takes no more                                                   |
| STARTING     | wanted for less than 2 s, nothing on disk yet                            |
| FAULT        | wanted, and not on disk                                                  |
| NOTREADY     | no camera, no picture, no keys to encrypt with, or too hot or empty      |
| FAULT        | the record switch cannot be relied on                                    |
| READY        | else                                                                     |

| notice       | when                                                     | level                  |
|--------------|----------------------------------------------------------|------------------------|
| LOW_STORE    | at most 10 % of the card are free, and it is not full    | 10, 5                  |
| LOW_BATT     | at most 20 minutes are left                              | 20, 5                  |
| HOT          | hot; or the cell itself is in danger                     | 0, 1                   |
| CLOCK_UNSET  | nobody knows what time it is                             |                        |
| LONG         | on disk, and wanted for an hour                          | how often said by then |
| MUTED        | on disk, sound is left out                               |                        |
| TAMPER       | a foreign USB device is plugged in, or was a moment ago  |                        |
| SERVICE      | nothing is signed; or, at the dock, a technician's job   |                        |
| COVERT       | the officer has darkened the lamps                       |                        |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from .clock import NS

SYNC_LIMIT_NS = 2 * NS
START_LIMIT_NS = 2 * NS
# After the first reminder of a long recording, one each quarter of that time.
_LONG_PARTS = 4


class SignalState(Enum):
    """One state at a time; from LOW_STORE on they are notices, which come on top of it."""

    OFF = "off"
    BOOT = "boot"
    NOTREADY = "notready"
    READY = "ready"
    STARTING = "starting"
    REC = "rec"
    STOP_CONFIRM = "stop-confirm"
    DEGRADED = "degraded"
    FAULT = "fault"
    FULL = "full"
    LOW_STORE = "low-store"
    LOW_BATT = "low-batt"
    HOT = "hot"
    CLOCK_UNSET = "clock-unset"
    LONG = "long"
    MUTED = "muted"
    TAMPER = "tamper"
    SERVICE = "service"
    COVERT = "covert"


ON_DISK = frozenset({SignalState.REC, SignalState.STOP_CONFIRM, SignalState.DEGRADED})


class Cue(Enum):
    """Something that just happened and is said once."""

    PRESS_ACK = "press-ack"
    START = "start"
    STOP = "stop"
    MARKER = "marker"
    REFUSED = "refused"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is so; ages grow by themselves until the next facts come.

    `wanted`: the switch is on. `recording`: a segment is open. `last_sync_age_ns`: of this
    recording, None before its first sync. `wanted_age_ns`: since when it is wanted, None for
    "too long ago to be still starting". `lens`: there is light, and nothing to be seen. `long`: how many
    reminders were due (`reminders_due`). `service`: a technician is to look at it; `unsigned`: that
    cannot wait for the dock, for the device key does not sign.
    """

    on: bool = True
    booted: bool = False
    ready: bool = False
    recording: bool = False
    wanted: bool = False
    wanted_age_ns: int | None = None
    last_sync_age_ns: int | None = None
    stop_pending: bool = False
    tail: bool = False
    camera_ok: bool = True
    keys_ok: bool = True
    store_ok: bool = True
    switch_ok: bool = True
    degraded: bool = False
    lens: bool = False
    storage_full: bool = False
    storage_low_percent: int | None = None
    battery_minutes: int | None = None
    hot: bool = False
    danger: bool = False
    clock_unset: bool = False
    long: int = 0
    covert: bool = False
    muted: bool = False
    tamper: bool = False
    service: bool = False
    docked: bool = False
    unsigned: bool = False

    @property
    def on_disk(self) -> bool:
        """The law of the recording lamp."""
        age_ns = self.last_sync_age_ns
        return self.recording and age_ns is not None and age_ns <= SYNC_LIMIT_NS

    @property
    def starting(self) -> bool:
        """Wanted a moment ago, nothing on disk yet."""
        age_ns = self.wanted_age_ns
        fresh = age_ns is not None and age_ns <= START_LIMIT_NS
        return self.wanted and fresh and self.last_sync_age_ns is None

    @property
    def lapses_ns(self) -> int | None:
        """How long the state still holds by itself."""
        if self.on_disk and self.last_sync_age_ns is not None:
            return SYNC_LIMIT_NS - self.last_sync_age_ns + 1
        if self.starting and self.wanted_age_ns is not None:
            return START_LIMIT_NS - self.wanted_age_ns + 1
        return None

    def aged(self, by_ns: int) -> Facts:
        """The same facts later, if nothing new was heard."""
        sync, wanted = self.last_sync_age_ns, self.wanted_age_ns
        return replace(
            self,
            last_sync_age_ns=None if sync is None else sync + by_ns,
            wanted_age_ns=None if wanted is None else wanted + by_ns,
        )


def state_of(facts: Facts) -> SignalState:
    """The one state that the facts amount to; the first that fits."""
    at_rest = facts.camera_ok and facts.keys_ok and facts.store_ok and facts.ready
    stopping = facts.stop_pending or facts.tail
    rules = (
        (not facts.on, SignalState.OFF),
        (not facts.booted, SignalState.BOOT),
        (facts.on_disk and stopping, SignalState.STOP_CONFIRM),
        (facts.on_disk and (_poor(facts) or facts.lens), SignalState.DEGRADED),
        (facts.on_disk, SignalState.REC),
        (facts.storage_full, SignalState.FULL),
        (facts.starting, SignalState.STARTING),
        (facts.wanted or facts.recording, SignalState.FAULT),
        (not at_rest, SignalState.NOTREADY),
        (not facts.switch_ok, SignalState.FAULT),
    )
    return next((state for holds, state in rules if holds), SignalState.READY)


def _poor(facts: Facts) -> bool:
    return facts.degraded or not facts.switch_ok


def level_of(state: SignalState, facts: Facts) -> int:
    """How urgent the state is: 1 while DEGRADED for the lens alone, which is said once."""
    return int(state is SignalState.DEGRADED and not _poor(facts))


def reminders_due(on_ns: int, long_ns: int) -> int:
    """How often one who has recorded for so long was to be reminded of it by now."""
    return 0 if on_ns < long_ns else 1 + (on_ns - long_ns) * _LONG_PARTS // long_ns


def notices_of(facts: Facts) -> dict[SignalState, int]:
    """What comes on top of the state, each with its level: the threshold that was passed."""
    notices: dict[SignalState, int] = {}
    percent, minutes = facts.storage_low_percent, facts.battery_minutes
    if percent is not None and percent <= 10 and not facts.storage_full:
        notices[SignalState.LOW_STORE] = 5 if percent <= 5 else 10
    if minutes is not None and minutes <= 20:
        notices[SignalState.LOW_BATT] = 5 if minutes <= 5 else 20
    if facts.hot or facts.danger:
        notices[SignalState.HOT] = 1 if facts.danger else 0
    if facts.booted and (facts.unsigned or (facts.service and facts.docked)):
        notices[SignalState.SERVICE] = 1 if facts.unsigned else 0
    if facts.long and facts.recording:
        notices[SignalState.LONG] = facts.long
    flags = {
        SignalState.CLOCK_UNSET: facts.clock_unset,
        SignalState.MUTED: facts.muted and facts.recording,
        SignalState.TAMPER: facts.tamper,
        SignalState.COVERT: facts.covert,
    }
    return {**notices, **{notice: 0 for notice, holds in flags.items() if holds}}

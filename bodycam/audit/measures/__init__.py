"""The measures that need nothing but the cameras: M1 to M16, each with the definition it obeys."""

from __future__ import annotations

from .buffer import BUFFER_DEFICIT
from .clocks import CLOCK_HEALTH
from .completeness import EVIDENCE_COMPLETENESS
from .measure import Measure
from .peers import PEER_GAP
from .presses import REFUSED_PRESSES, START_LATENCY
from .readiness import READY_RATIO, SLEEP_SHARE, UNKNOWN_TIME
from .selftests import SELF_TEST
from .sound import MUTE
from .stops import STOP_REASONS
from .strain import HEAT_AND_POWER
from .toggles import MID_STREAM_KILL, SHORT_RECORDINGS, TOGGLE_DENSITY

MEASURES: tuple[Measure, ...] = (
    READY_RATIO, SLEEP_SHARE, BUFFER_DEFICIT, TOGGLE_DENSITY, SHORT_RECORDINGS, MID_STREAM_KILL,
    MUTE, STOP_REASONS, REFUSED_PRESSES, START_LATENCY, CLOCK_HEALTH, UNKNOWN_TIME,
    EVIDENCE_COMPLETENESS, SELF_TEST, PEER_GAP, HEAT_AND_POWER,
)  # fmt: skip

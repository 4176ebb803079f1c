"""M15: whether a camera nearby recorded, and this one did not."""

from __future__ import annotations

from ..policy import DeviceRules
from .measure import Figure, Measure, Stretch


def _no_peers(_: Stretch, __: DeviceRules) -> Figure:
    return Figure({"peer_events": 0, "gap_us": None})


PEER_GAP = Measure(
    "M15", "Peer gap by proximity",
    "Time when a peer that logged this camera in radio range, or was triggered by the same peer "
    "event, was RECORDING and this one was not; only where such events exist.", _no_peers,
    note="this firmware logs no peer events: not measured",
)  # fmt: skip

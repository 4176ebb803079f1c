"""M8: whether a stop was explained."""

from __future__ import annotations

from ..policy import DeviceRules
from ..recordings import ToggleCause
from .measure import Figure, Measure, Stretch, ratio


def _explained(stretch: Stretch, _: DeviceRules) -> Figure:
    stops = [r for r in stretch.recordings if r.stop_cause is ToggleCause.BUTTON]
    kept = [
        r for r in stops
        if r.live_end_us is not None and r.evid and r.evid[-1].end_us > r.live_end_us
    ]  # fmt: skip
    return Figure({
        "button_stops": len(stops), "coded": 0, "tail_kept": len(kept),
        "tail_share": ratio(len(kept), len(stops)),
    })  # fmt: skip


STOP_REASONS = Measure(
    "M8", "Stop reasons",
    "Stops with a coded or spoken reason (pictures and sound kept after the stop) / button stops.",
    _explained,
    note="this firmware knows no reason codes; a kept tail may hold a spoken one: listen",
)  # fmt: skip

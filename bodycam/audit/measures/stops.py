"""M8: whether a stop was explained."""

from __future__ import annotations

from ..intervals import times, without
from ..policy import DeviceRules
from ..recordings import Recording, ToggleCause
from ..states import Overlay
from .measure import Figure, Measure, Stretch, ratio


def _explained(stretch: Stretch, _: DeviceRules) -> Figure:
    stops = [r for r in stretch.recordings if r.stop_cause is ToggleCause.BUTTON]
    tails = {e.text("rec") for p in stretch.line.runs for e in p.run.named("tail.start")}
    kept = [r for r in stops if r.recording in tails and _heard_after(stretch, r)]
    return Figure({
        "button_stops": len(stops), "coded": 0, "tail_kept": len(kept),
        "tail_share": ratio(len(kept), len(stops)),
    })  # fmt: skip


def _heard_after(stretch: Stretch, recording: Recording) -> bool:
    """Whether something is proven behind the stop, and sound was not left out of all of it.

    Without a tail, the last picture before the stop lasts a moment longer: that is none.
    """
    stop_us, shown = recording.live_end_us, recording.evid
    if stop_us is None or not shown:
        return False
    after = times([(stop_us, shown[-1].end_us)])
    return bool(without(after, stretch.line.overlays.get(Overlay.MUTED, ())))


STOP_REASONS = Measure(
    "M8", "Stop reasons",
    "Stops with a coded or spoken reason (a tail is kept after the stop, and sound is not left out of all "
    "of it) / button stops.", _explained,
    note="this firmware knows no reason codes; a kept tail may hold a spoken one: listen",
)  # fmt: skip

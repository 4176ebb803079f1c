"""M7: sound left out while recording."""

from __future__ import annotations

from ..intervals import both, length_us, longest_us
from ..policy import DeviceRules
from ..states import Overlay
from .measure import Figure, Measure, Stretch, ratio


def _muted(stretch: Stretch, _: DeviceRules) -> Figure:
    muted = both(stretch.overlay(Overlay.MUTED), stretch.live)
    count = sum(1 for _ in stretch.events("mute.start"))
    return Figure({
        "muted_share": ratio(length_us(muted), length_us(stretch.live)), "muted_us": length_us(muted),
        "count": count, "longest_us": longest_us(muted), "without_reason": count,
    })  # fmt: skip


MUTE = Measure(
    "M7", "Mute", "Muted time in LIVE / LIVE; count; longest; count without reason code.", _muted,
    note="this firmware knows no reason codes: none has one",
)  # fmt: skip

"""M1, M2, M12: whether the camera could have recorded, slept, or nobody knows."""

from __future__ import annotations

from ...clock import utc_text
from ..intervals import both, length_us, longest_us
from ..policy import DeviceRules
from ..states import DeviceState
from .measure import Figure, Measure, Stretch, ratio


def _ready(stretch: Stretch, _: DeviceRules) -> Figure:
    able_us = stretch.state_us(
        DeviceState.READY, DeviceState.RECORDING, DeviceState.SLEEP, DeviceState.BOOT
    )
    undocked_us = length_us(stretch.undocked)
    return Figure({
        "ready_ratio": ratio(able_us, undocked_us), "ready_us": able_us, "undocked_us": undocked_us,
        "unknown_us": stretch.state_us(DeviceState.UNKNOWN),
        "off_us": stretch.state_us(DeviceState.OFF), "fault_us": stretch.state_us(DeviceState.FAULT),
    })  # fmt: skip


def _sleep(stretch: Stretch, _: DeviceRules) -> Figure:
    asleep = both(stretch.line.in_state(DeviceState.SLEEP), stretch.undocked)
    powered_us = length_us(stretch.undocked) - stretch.state_us(
        DeviceState.OFF, DeviceState.UNKNOWN
    )
    return Figure({
        "sleep_share": ratio(length_us(asleep), powered_us), "sleep_us": length_us(asleep),
        "count": len(asleep), "longest_us": longest_us(asleep),
    })  # fmt: skip


def _unknown(stretch: Stretch, _: DeviceRules) -> Figure:
    unknown_us, undocked_us = stretch.state_us(DeviceState.UNKNOWN), length_us(stretch.undocked)
    rows = tuple(
        {"from": utc_text(s.start_us * 1000), "length_us": s.length_us, "why": s.why,
         "line_before": s.line, "line_after": s.next_line or None}
        for s in stretch.states
        if s.state is DeviceState.UNKNOWN
    )  # fmt: skip
    return Figure({
        "unknown_share": ratio(unknown_us, undocked_us), "unknown_us": unknown_us,
        "count": len(rows),
    }, rows)  # fmt: skip


READY_RATIO = Measure(
    "M1", "Ready ratio",
    "Undocked time in READY, RECORDING, SLEEP and BOOT / undocked time. UNKNOWN stays in the "
    "denominator and is shown beside it.", _ready,
)  # fmt: skip
SLEEP_SHARE = Measure(
    "M2", "Sleep share", "SLEEP / undocked powered-on time; also count and longest.", _sleep,
    note="this firmware has no sleep",
)  # fmt: skip
UNKNOWN_TIME = Measure(
    "M12", "Unknown time",
    "UNKNOWN seconds / undocked time; every interval with the record before and after.", _unknown,
)  # fmt: skip

"""The headings of the audit's CSV files: the same whatever there is to say, also if that is nothing."""

from __future__ import annotations

from dataclasses import fields

from .dutyranges import RANGED
from .groups import DutySum
from .states import DeviceState
from .uncertainty import NUMBERS

_STATES = tuple(f"{state.value}_us" for state in DeviceState)
_DUTY_SUM = tuple(field.name for field in fields(DutySum))
UNMATCHED = ("side", "id")
BAD_ROWS = ("file", "row", "why", "text")
INCIDENTS = (
    "event", "officer", "call_type", "clearance", "devices", "due", "due_by", "end", "end_by", "window_us",
    "partner_shortfall_us", "partner_shortfall_us_min", "partner_shortfall_us_max", "others", "others_recording", "two_cameras_us", "why", "file", "row", "class", "classes", "class_by_clock",
    "err_us", "coverage", "live_coverage", "activated", "vendor_activated", "retro", "late",
    "saved_by_buffer", "early", "handed_over", "gaps", "gap_states", "no_device_us", "flat_us", "excused_if_flat", *_STATES,
    *(f"{name}{end}" for name in NUMBERS for end in ("", "_min", "_max")),
)  # fmt: skip
FORCE = (
    "event", "officer", "at", "rounding_us", "file", "row", "unsure_us", "states", "assigned",
    "stops_surely", "stops_possibly", "covered_us_min", "covered_us_max",
)  # fmt: skip
MEASURES = ("device", "from", "to", "measure", "name", "value", "is")
STATES = (
    "device", "state", "from", "to", "length_us", "err_us", "why", "line", "next_line",
)  # fmt: skip
RECORDINGS = (
    "device", "recording", "pressed", "cause", "stopped", "stop", "live_us", "evid_us", "evid_from",
    "evid_to", "evid_parts", "failed_us", "verdict", "line", "stop_line",
)  # fmt: skip
DUTIES = (
    "officer", "unit", "site", "arm", "from", "to", "matched", "shared_us", "duty_us", "covered_us",
    "recorded_us", *_STATES, "no_device_us", "err_us",
    *(f"{bound}_{name}" for name in RANGED for bound in ("least", "most")), "file", "row",
)  # fmt: skip
DUTY_OFFICERS = ("officer", *_DUTY_SUM, "recording_share", "ready_share", "coverage")
FILED = (
    "device", "recording", "ended", "how", "event", "category", "filed", "reviewed_event", "wrong", "file",
    "row",
)  # fmt: skip
FUNNEL = (
    "event", "officer", "incidents", "observed", "expected", "low_95", "high_95", "low_998", "high_998",
    "outside",
)  # fmt: skip

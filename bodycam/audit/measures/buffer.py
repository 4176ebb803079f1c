"""M3: how much of the time before the press is missing, and whose doing that is."""

from __future__ import annotations

from ...clock import utc_text
from ..policy import DeviceRules
from ..recordings import Recording
from ..states import DeviceState
from .measure import Figure, Measure, Row, Stretch

BEHAVIOUR = ("from_sleep", "fresh_power")


def _deficit(stretch: Stretch, rules: DeviceRules) -> Figure:
    most_us = (rules.gop_ms + rules.buffer_slack_ms) * 1000
    rows: list[Row] = []
    measured = 0
    for recording in stretch.recordings:
        if not recording.pressed or recording.start_us is None or not recording.evid:
            continue
        if recording.asked_ms is None:
            continue  # nobody says what was asked for: it may have been nothing
        measured += 1
        asked_us = recording.asked_ms * 1000
        actual_us = max(0, recording.start_us - recording.evid[0].start_us)
        if asked_us and asked_us - actual_us <= most_us:
            continue
        rows.append({
            "recording": recording.recording, "pressed": utc_text(recording.start_us * 1000),
            "asked_us": asked_us, "actual_us": actual_us, "deficit_us": max(0, asked_us - actual_us),
            "cause": _cause(stretch, recording, recording.start_us, asked_us),
            "line": recording.line,
        })  # fmt: skip
    causes = [row["cause"] for row in rows]
    return Figure({
        "recordings": measured, "flagged": sum(c != "disabled" for c in causes),
        "behaviour": sum(c in BEHAVIOUR for c in causes), "disabled": causes.count("disabled"),
        "longest_us": max((r["deficit_us"] for r in rows if isinstance(r["deficit_us"], int)),
                          default=0),
    }, tuple(rows))  # fmt: skip


def _cause(stretch: Stretch, recording: Recording, pressed_us: int, asked_us: int) -> str:
    """The first that applies."""
    if asked_us == 0:
        return "disabled"
    since_us = pressed_us - asked_us
    others = [r for r in stretch.line.recordings if r is not recording]
    if any(since_us < i.end_us <= pressed_us for r in others for i in r.evid):
        return "abuts"
    before = [s for s in stretch.line.states if s.start_us <= pressed_us]
    if any(s.state is DeviceState.SLEEP and s.end_us > since_us for s in before):
        return "from_sleep"
    # READY after a fault is no power that was fresh: that is ours to explain.
    if any(s.state is DeviceState.BOOT and s.end_us > since_us for s in before):
        return "fresh_power"
    return "capacity" if recording.short_said == "capacity" else "unexplained"


BUFFER_DEFICIT = Measure(
    "M3", "Buffer deficit",
    "Per recording: configured pre-record less LIVE.start - EVID.start, each of both floored at 0; "
    "flagged if more than gop_ms + buffer_slack_ms. Cause, first match: disabled, abuts (the recording before ended "
    "within it), from_sleep, fresh_power (READY began within it, after BOOT), capacity, unexplained. "
    "Only fresh_power and from_sleep are behaviour; capacity and unexplained are the maker's to fix.",
    _deficit,
)  # fmt: skip

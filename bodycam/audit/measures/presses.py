"""M9, M10: presses that came to nothing, and how long those took that did not."""

from __future__ import annotations

from ...clock import utc_text
from ..intervals import clip
from ..logstory import Run, Told
from ..policy import DeviceRules
from ..states import DeviceState
from .measure import Figure, Measure, Row, S, Stretch, percentile

PRESSES = ("switch.on", "trigger.on", "switch.on_at_boot", "switch.gesture")


def _refused(stretch: Stretch, rules: DeviceRules) -> Figure:
    within_us = rules.refused_after_s * S
    recording = stretch.line.in_state(DeviceState.RECORDING)
    answers = [
        (at_us, e.text("reason") or "no keyframe yet")
        for at_us, _, e in stretch.events("activation.refused", "activation.waiting")
    ]
    rows: list[Row] = []
    presses = 0
    for at_us, placed, event in stretch.events(*PRESSES):
        if not _asks(event, placed.run):
            continue
        presses += 1
        if clip(recording, at_us, at_us + within_us + 1):
            continue
        said = [why for when, why in answers if at_us <= when <= at_us + within_us]
        state = next((s for s in stretch.states if s.start_us <= at_us < s.end_us), None)
        reason = said[0] if said else f"{state.state.value} {state.why}".strip() if state else ""
        rows.append({"at": utc_text(at_us * 1000), "reason": reason, "line": event.line})
    return Figure({"presses": presses, "refused": len(rows)}, tuple(rows))


def _asks(event: Told, run: Run) -> bool:
    """Whether it asks for a recording: of a push button, only the gesture that starts one does."""
    if event.ev == "switch.gesture":
        return event.text("gesture") == "start"
    return event.ev != "switch.on" or not run.named("switch.gesture")


def _latency(stretch: Stretch, _: DeviceRules) -> Figure:
    took: dict[str, list[int]] = {}
    for r in stretch.recordings:
        if r.pressed and r.start_us is not None and r.synced_us is not None:
            took.setdefault(r.firmware, []).append(r.synced_us - r.start_us)
    every = [value for values in took.values() for value in values]
    rows = tuple(
        {"firmware": firmware, "recordings": len(values), "p50_us": percentile(values, 50),
         "p95_us": percentile(values, 95), "max_us": max(values)}
        for firmware, values in sorted(took.items())
    )  # fmt: skip
    return Figure({
        "recordings": len(every), "p50_us": percentile(every, 50), "p95_us": percentile(every, 95),
        "max_us": max(every, default=None),
    }, rows)  # fmt: skip


REFUSED_PRESSES = Measure(
    "M9", "Refused presses",
    "Presses (switch, a push button's start gesture, trigger, switch found on at the start) that did not lead to RECORDING within "
    "refused_after_s, by reason: what the recorder answered, else the camera's state.", _refused,
)  # fmt: skip
START_LATENCY = Measure(
    "M10", "Start latency",
    "Press to first sync of the recording; p50, p95 (nearest rank) and most, per unit and firmware.",
    _latency,
)  # fmt: skip

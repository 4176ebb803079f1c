"""M14: whether the camera was found well before it went out."""

from __future__ import annotations

from ...clock import utc_text
from ..policy import DeviceRules
from .measure import Figure, Measure, Row, S, Stretch, ratio, shifts


def _tested(stretch: Stretch, rules: DeviceRules) -> Figure:
    near_us = rules.selftest_within_min * 60 * S
    tests = [
        (p.at_us(e), e.text("verdict"), e.line)
        for p in stretch.line.runs
        for e in p.run.named("selftest")
    ]
    rows: list[Row] = []
    passed = 0
    for shift in shifts(stretch.line, rules):
        if not stretch.holds(shift.start_us):
            continue
        near = [t for t in tests if abs(t[0] - shift.start_us) <= near_us]
        green = [t for t in near if t[1] == "green"]
        passed += bool(green)
        found = (green or near or [(0, "none", 0)])[0]
        rows.append({"shift": utc_text(shift.start_us * 1000), "selftest": found[1],
                     "line": found[2] or None})  # fmt: skip
    return Figure(
        {"shifts": len(rows), "passed": passed, "passed_share": ratio(passed, len(rows))},
        tuple(rows),
    )


SELF_TEST = Measure(
    "M14", "Self-test", "Shifts with a passed signed self-test within selftest_within_min of undock / shifts.",
    _tested,
)  # fmt: skip

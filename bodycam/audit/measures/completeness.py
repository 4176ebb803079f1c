"""M13: whether the store holds what the log tells, and the other way round."""

from __future__ import annotations

from ..policy import DeviceRules
from .measure import Figure, Measure, Row, Stretch


def _complete(stretch: Stretch, _: DeviceRules) -> Figure:
    rows: list[Row] = []
    logged = stored = 0
    for recording in stretch.recordings:
        told = recording.start_us is not None
        logged += told
        stored += bool(recording.verdict)
        if not told:
            what = "in the store, and no verified line tells of it"
        elif not recording.verdict:
            what = "in the log, and nothing of it in the store"
        elif recording.verdict != "intact":
            what = recording.verdict
        elif recording.failed:
            what = "a file of it failed"
        else:
            continue
        rows.append(
            {"recording": recording.recording, "what": what, "line": recording.line or None}
        )
    return Figure(
        {"in_log": logged, "in_store": stored, "mismatches": len(rows)}, tuple(rows)
    )  # fmt: skip


EVIDENCE_COMPLETENESS = Measure(
    "M13", "Evidence completeness",
    "Recordings in the log = recordings in the store; of each: fragments contiguous, signature and "
    "chain valid, counter without holes, byte totals equal (the verifier's verdict). Each mismatch "
    "is a finding of its own.", _complete,
)  # fmt: skip

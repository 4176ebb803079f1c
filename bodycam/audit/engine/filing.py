"""M35 of every recording at once, as `filed` defines it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..filed import DAY_US
from ..groups import Filed
from ..policy import StatisticsRules
from .tables import AuditTables


def ended(cameras: AuditTables) -> ir.Table:
    """(device, recording, begins_us, ended_us) of these cameras."""
    spans, recordings = cameras.spans, cameras.recordings
    shown = spans.filter(spans.kind.isin([Kind.EVID.value, Kind.FAILED.value]))
    last = shown.group_by(["device", "number"]).agg(shown_us=shown.end_us.max())
    t = recordings.left_join(last, ["device", "number"])
    return t.select(
        "device", "recording", "begins_us",
        ended_us=ibis.coalesce(t.live_end_us, t.shown_us, t.begins_us),
    )  # fmt: skip


def newest(filings: ir.Table) -> int | None:
    """The moment that the export knows last."""
    found: int | None = filings.filed_us.max().to_pyarrow().as_py()
    return found


def filed(
    recordings: ir.Table, filings: ir.Table, rules: StatisticsRules, newest_us: int | None
) -> ir.Table:
    """The recordings with their row in the records system, `how` they were filed, and `wrong`."""
    rows = filings.select(
        "recording", "event", "category", "filed_us", "reviewed_event", "file", "row"
    )
    t = recordings.left_join(rows, "recording").drop("recording_right")
    due_us = t.ended_us + rules.filing_grace_days * DAY_US
    there = t.file.notnull()
    full = there & (t.event != "") & (t.category != "")
    early = ibis.literal(value=False) if newest_us is None else due_us > newest_us
    how = ibis.cases(
        (~full.fill_null(False) & early, Filed.OPEN.value), (~there, Filed.MISSING.value),
        (~full, Filed.PARTLY.value), (t.filed_us.isnull(), Filed.UNDATED.value),
        (t.filed_us <= due_us, Filed.IN_TIME.value), else_=Filed.LATE.value,
    )  # fmt: skip
    return t.mutate(how=how, wrong=t.event != t.reviewed_event)


def filing_counts(t: ir.Table) -> ir.Table:
    """(how, recordings, sampled, wrong)."""
    return t.group_by("how").agg(
        recordings=t.count(),
        sampled=t.wrong.count(),
        wrong=t.wrong.cast("int64").sum().fill_null(0),
    )


def listed(t: ir.Table) -> ir.Table:
    """Those that somebody should look at: not filed as they should be, or under a wrong event."""
    fine = [Filed.IN_TIME.value, Filed.OPEN.value]
    return t.filter(t.how.notin(fine) | t.wrong.fill_null(False))

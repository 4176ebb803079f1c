"""The facts of a force's audit, asked of the result tables: aggregates, and the first of each list.

Every question comes back as a few rows; what is divided or put in order is done here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import ibis
import ibis.expr.types as ir

from ...custody.findings import Verdict
from ..dataset.schema import ASSIGNMENTS, BAD_ROWS, FINDINGS, INCIDENTS, SOURCES
from ..engine.groupfacts import groups_of
from ..pageparts import MAX_ROWS
from ..scoring import IncidentClass, S
from .breakdown import by_call_type, by_day, by_district, by_hour
from .facts import (
    BadRow,
    Bin,
    CameraFinding,
    ClassCount,
    Counts,
    Covered,
    FindingKind,
    ForceSummary,
    Ids,
    Unassigned,
    Unmatched,
    VerdictCount,
)
from .shiftfacts import case_kinds, causes, firmwares, spreads
from .sources import (
    Row,
    Sources,
    bad_rows_of,
    count_of,
    different,
    one_of,
    rows_of,
    unmatched_of,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_IDS = 200
_DELAYS_S = (0, 5, 15, 30, 60, 120, 300, 600)


def summary(asked: Sources) -> ForceSummary:
    """Everything that the page says."""
    incidents, shifts = asked.result("incidents"), asked.result("shifts")
    judged = incidents.filter(incidents.left_out == "")
    policy = asked.policy
    zone, kinds = policy.statistics.zone(), _kinds(judged)
    cameras = rows_of(_cameras(asked))
    shift = one_of(shifts.agg(
        shifts=shifts.count(), recordings=shifts.m5_recordings.sum(), undocked_us=shifts.m1_undocked_us.sum(),
        first_us=shifts.from_us.min(), last_us=shifts.to_us.max(),
    ))  # fmt: skip
    due = one_of(incidents.agg(first_us=incidents.due_us.min(), last_us=incidents.due_us.max()))
    findings = asked.told(FINDINGS)
    return ForceSummary(
        policy=policy, months=asked.months, days=_days(shift, due),
        zone=policy.statistics.shift_zone,
        forces=tuple(sorted(asked.data.forces())),
        cameras=sum(row["cameras"] for row in cameras), shifts=shift["shifts"],
        recordings=shift["recordings"] or 0, undocked_us=shift["undocked_us"] or 0,
        counts=_counts(asked, incidents, kinds), classes=_classes(kinds), covered=_covered(asked),
        by_call_type=by_call_type(judged), by_district=by_district(judged, several=asked.several),
        by_hour=by_hour(judged, zone), by_day=by_day(judged, zone),
        late_starts=_bins(judged, "evid_delay_us", policy.incident.grace_on_s),
        early_stops=_bins(judged, "tail_us", policy.incident.grace_off_s),
        begins_by=_by(judged, "due_by"), ends_by=_by(judged, "end_by"),
        measures=spreads(shifts), cases=case_kinds(asked.result("cases")),
        firmwares=firmwares(asked), causes=causes(asked, shifts), verdicts=_verdicts(cameras),
        finding_kinds=_finding_kinds(findings), findings=_findings(asked, findings),
        findings_count=count_of(findings), bad_rows=_bad_rows(asked), unmatched=_unmatched(asked, incidents),
        unassigned=_unassigned(asked),
        badges=_badges(asked), groups=groups_of(asked.result, policy, several=asked.several),
    )  # fmt: skip


# -- cameras ---------------------------------------------------------------------------------------


def _cameras(asked: Sources) -> ir.Table:
    sources = asked.told(SOURCES)
    return sources.group_by("verdict").agg(cameras=different(sources, "device"))


def _badges(asked: Sources) -> tuple[str, ...]:
    """The forces of which nobody said who wore what."""
    given = {row["force"] for row in rows_of(asked.told(ASSIGNMENTS).select("force").distinct())}
    return tuple(sorted(asked.data.forces() - given))


def _verdicts(cameras: Sequence[Row]) -> tuple[VerdictCount, ...]:
    found = Counter({row["verdict"]: row["cameras"] for row in cameras})
    return tuple(VerdictCount(verdict, found[verdict.value]) for verdict in Verdict)


def _days(*spans: Row) -> tuple[str, str] | None:
    told = [row[name] for row in spans for name in ("first_us", "last_us") if row[name] is not None]
    return (day_of(min(told)), day_of(max(told))) if told else None


def day_of(at_us: int) -> str:
    """The day of a moment, UTC."""
    return f"{_EPOCH + timedelta(microseconds=at_us):%Y-%m-%d}"


# -- incidents -------------------------------------------------------------------------------------


def _kinds(judged: ir.Table) -> list[Row]:
    """How many incidents there are of each class by the clock and all that it may be."""
    return rows_of(judged.group_by(["kind", "kinds"]).agg(incidents=judged.count()))


def _classes(kinds: Sequence[Row]) -> Mapping[IncidentClass, ClassCount]:
    def count(kind: str) -> ClassCount:
        return ClassCount(
            sum(row["incidents"] for row in kinds if row["kinds"] == kind),
            sum(row["incidents"] for row in kinds if kind in row["kinds"].split("|")),
            sum(row["incidents"] for row in kinds if row["kind"] == kind),
        )

    return {kind: count(kind.value) for kind in IncidentClass}


def _counts(asked: Sources, incidents: ir.Table, kinds: Sequence[Row]) -> Counts:
    judged = incidents.left_out == ""
    told = one_of(incidents.agg(
        rows=incidents.count(), excluded=(incidents.left_out == "EXCLUDED").sum(),
        unmatched=(incidents.left_out == "UNMATCHED").sum(), judged=judged.sum(),
        officers=different(incidents, "officer", judged), activated=incidents.activated.sum(where=judged),
        vendor=incidents.vendor.sum(where=judged),
        failed=(judged & (incidents.failed_us > 0)).sum(),
        **{name: incidents[name].sum(where=judged) for name in ("saved_by_buffer", "retro", "handed_over")},
        **{name: incidents[name].sum(where=judged & incidents.activated) for name in ("others", "others_recording")},
        never_flat=(judged & incidents.excused_if_flat & ~incidents.kinds.contains("|")).sum(),
    ))  # fmt: skip
    empty, bad = count_of(asked.result("empty_windows")), asked.told(BAD_ROWS)
    no_incident = count_of(bad.filter(bad.kind == INCIDENTS.name))
    names = ("excluded", "unmatched", "judged", "officers", "activated", "vendor", "failed",
             "saved_by_buffer", "retro", "handed_over", "never_flat", "others", "others_recording")  # fmt: skip
    return Counts(
        rows=told["rows"] + empty + no_incident, bad_rows=count_of(bad) + empty,
        uncertain=sum(row["incidents"] for row in kinds if "|" in row["kinds"]),
        **{name: told[name] or 0 for name in names},
    )  # fmt: skip


def _covered(asked: Sources) -> Covered:
    officers = asked.result("officers")
    told = one_of(officers.agg(
        **{name: officers[name].cast("int64").sum() for name in ("window_us", "evid_us", "live_us")},
    ))  # fmt: skip
    return Covered(*(told[name] or 0 for name in ("window_us", "evid_us", "live_us")))


def _bins(judged: ir.Table, column: str, grace_s: int) -> tuple[Bin, ...]:
    """How many incidents have at most so much; what policy allows is one of the edges."""
    edges = [edge_s * S for edge_s in sorted({*_DELAYS_S, grace_s})]
    value = judged[column]
    number = ibis.cases(
        *((value <= edge, place) for place, edge in enumerate(edges)), else_=len(edges)
    )
    told = judged.filter(value.notnull()).group_by(place=number).agg(incidents=ibis._.count())
    counts = {row["place"]: row["incidents"] for row in rows_of(told)}
    return tuple(Bin(edge, counts.get(place, 0)) for place, edge in enumerate([*edges, None]))


def _by(judged: ir.Table, column: str) -> Mapping[str, int]:
    told = rows_of(judged.group_by(column).agg(incidents=judged.count()))
    return {row[column]: row["incidents"] for row in sorted(told, key=lambda r: str(r[column]))}


# -- what does not hold ----------------------------------------------------------------------------


def _finding_kinds(findings: ir.Table) -> tuple[FindingKind, ...]:
    told = rows_of(findings.group_by(["verdict", "check_number"]).agg(
        findings=findings.count(), cameras=different(findings, "device"), example=findings.text.min(),
    ))  # fmt: skip
    rank = {verdict.value: verdict.rank for verdict in Verdict}
    told.sort(key=lambda row: (-rank.get(row["verdict"], 0), row["check_number"]))
    return tuple(
        FindingKind(row["verdict"], row["check_number"], row["findings"], row["cameras"], row["example"])
        for row in told
    )  # fmt: skip


def _findings(asked: Sources, findings: ir.Table) -> tuple[CameraFinding, ...]:
    """The worst first, each camera's in their order."""
    rank = ibis.cases(
        *((findings.verdict == verdict.value, verdict.rank) for verdict in Verdict), else_=0
    )
    first = findings.mutate(rank=rank).order_by(
        [ibis.desc("rank"), "force", "device", "number"]
    ).limit(MAX_ROWS)  # fmt: skip
    stores = asked.told(SOURCES).select("force", "device", "store")
    told = rows_of(first.left_join(stores, ["force", "device"]))
    told.sort(key=lambda row: (-row["rank"], row["force"], row["device"], row["number"]))
    return tuple(
        CameraFinding(row["force"], row["device"], row["store"] or "", row["verdict"], row["check_number"],
                      row["file"], row["place"], row["text"])
        for row in told
    )  # fmt: skip


def _bad_rows(asked: Sources) -> tuple[BadRow, ...]:
    first = bad_rows_of(asked).order_by(["force", "file", "row"]).limit(MAX_ROWS)
    return tuple(
        BadRow(row["force"], row["file"], row["row"], row["why"], row["text"]) for row in rows_of(first)
    )  # fmt: skip


def _unassigned(asked: Sources) -> Unassigned:
    cameras = asked.result("cameras")
    free = cameras.filter(
        (cameras.unassigned_undocked_us > 0) | (cameras.unassigned_recordings > 0)
    )
    told = one_of(free.agg(
        cameras=free.count(), undocked_us=free.unassigned_undocked_us.cast("int64").sum(),
        live_us=free.unassigned_live_us.cast("int64").sum(),
        recordings=free.unassigned_recordings.sum(),
    ))  # fmt: skip
    return Unassigned(
        *(told[name] or 0 for name in ("cameras", "undocked_us", "live_us", "recordings"))
    )


def _unmatched(asked: Sources, incidents: ir.Table) -> Unmatched:
    def ids(table: ir.Table) -> Ids:
        first = rows_of(table.order_by(["force", "id"]).limit(_MAX_IDS))
        named = (f"{row['force']} {row['id']}" if asked.several else row["id"] for row in first)
        return Ids(count_of(table), tuple(named))

    return Unmatched(*(ids(table) for table in unmatched_of(asked, incidents).values()))

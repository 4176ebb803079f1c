"""The tables of a force's audit: what is too long for its page, as CSV; nobody is ranked in them.

| file              | what                                                                          |
|-------------------|-------------------------------------------------------------------------------|
| `results/`        | every number as Parquet: incidents, shifts, cases behind them, officers, cameras |
| `incidents.csv`   | the incidents again, if there are few or it is asked for                        |
| `cameras.csv`     | each camera: its store, what the verifier said, how many findings               |
| `findings.csv`    | what failed, of which camera, and where                                         |
| `bad-rows.csv`    | rows that do not count, with their number and why                               |
| `unmatched.csv`   | ids that one side alone knows                                                   |
| `force.csv`, `filed.csv` | uses of force; recordings not filed as they should be: if they are few, or asked for |
| `funnel.csv`, `duty-officers.csv` | officers with `min_count` incidents, or duties, or more                  |
"""

from __future__ import annotations

from pathlib import Path

import ibis
import ibis.expr.types as ir

from .. import columns
from ..cells import GUARDS
from ..dataset.schema import FINDINGS, SOURCES
from ..groups import Groups
from ..grouptables import duty_officer_rows, funnels_rows
from ..tables import write_csv
from .facts import (
    BAD_ROWS_CSV,
    CAMERAS_CSV,
    DUTY_OFFICERS_CSV,
    FILED_CSV,
    FINDINGS_CSV,
    FORCE_CSV,
    FUNNEL_CSV,
    INCIDENTS_CSV,
    UNCERTAIN,
    UNMATCHED_CSV,
)
from .sources import Sources, bad_rows_of, count_of, unmatched_of

# A spreadsheet opens a million rows, badly.
MAX_CSV_ROWS = 100_000


def write_tables(
    asked: Sources, groups: Groups, folder: Path, *, every_row: bool
) -> list[Path]:  # fmt: skip
    """Write the CSV files into a folder; their paths."""
    incidents, findings = asked.result("incidents"), asked.told(FINDINGS)
    sources = asked.told(SOURCES)
    many = findings.group_by(["force", "device"]).agg(findings=findings.count())
    cameras = sources.left_join(many, ["force", "device"]).select(
        "force", "device", "store", "verdict", "log_lines", "lines_signed",
        findings=ibis._.findings.fill_null(0),
    )  # fmt: skip
    sides = [
        ids.mutate(side=ibis.literal(side)).select("side", "force", "id")
        for side, ids in unmatched_of(asked, incidents).items()
    ]
    tables: dict[str, tuple[ir.Table, tuple[str, ...]]] = {
        CAMERAS_CSV: (cameras, ("force", "device")),
        FINDINGS_CSV: (findings.drop("month"), ("force", "device", "number")),
        BAD_ROWS_CSV: (bad_rows_of(asked), ("force", "file", "row")),
        UNMATCHED_CSV: (ibis.union(*sides), ("side", "force", "id")),
    }
    long = {
        INCIDENTS_CSV: (_named(incidents), ("due_us", "event", "officer", "force", "file", "row")),
        FORCE_CSV: (asked.result("near_force"), ("at_us", "event", "officer", "force")),
        FILED_CSV: (asked.result("filed"), ("force", "device", "ended_us", "recording")),
    }
    tables |= {
        name: told for name, told in long.items() if every_row or count_of(told[0]) <= MAX_CSV_ROWS
    }
    written = [_write(t, order, folder / name) for name, (t, order) in sorted(tables.items())]
    if groups.never or groups.late:
        written.append(write_csv(folder / FUNNEL_CSV, columns.FUNNEL, funnels_rows(groups)))
    if groups.duties:
        rows = duty_officer_rows(groups.duties)
        written.append(write_csv(folder / DUTY_OFFICERS_CSV, columns.DUTY_OFFICERS, rows))
    return written


def _named(incidents: ir.Table) -> ir.Table:
    """With the class that may be said of it: nobody is accused of what a clock cannot tell."""
    sure = ibis.ifelse(incidents.kinds.contains("|"), UNCERTAIN, incidents.kinds)
    said = ibis.ifelse(incidents.left_out == "", sure, incidents.left_out)
    t = incidents.mutate(**{"class": said}).rename(classes="kinds", class_by_clock="kind")
    return t.relocate("force", "event", "officer", "class", "classes", "class_by_clock")


def _write(table: ir.Table, order: tuple[str, ...], path: Path) -> Path:
    safe = table.order_by(list(order)).mutate(**{
        column: _cell(table[column]) for column in table.columns if table[column].type().is_string()
    })  # fmt: skip
    safe.to_csv(path)
    return path


def _cell(text: ir.StringValue) -> ir.StringValue:
    """What a spreadsheet would take for a formula is text."""
    for pattern, instead in GUARDS:
        text = text.re_replace(pattern, instead)
    return text

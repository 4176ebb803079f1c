"""The incidents of a force in parts by time, each of about one size: M20 to M29.

Who was at one event may lie in two parts: an incident needs of the others only who they were and what
their cameras prove of its own window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import ibis.expr.types as ir

from ..assignments import FOREVER_US
from ..dataset.schema import Kind
from ..scoring import S
from .clockranges import ranges
from .covered import alone, covered, joined, officer_rows
from .incidents import scored
from .pieces import Asked, pieces, watched
from .run import Run
from .tables import AuditTables, camera_tables, worn
from .windows import EMPTY_WINDOW, windows

# The buffer of a press that comes so long after its first picture is longer than any.
_DAY_US = 86_400 * S


@dataclass(frozen=True)
class IncidentParts:
    """The incidents of one run, in so many parts."""

    run: Run
    count: int

    # -- before -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Who wore what; who was at an event with others; windows, in parts by time."""
        run, records = self.run, self.run.records
        rows, months = records.incidents, run.months
        rows = rows.filter(months.near(rows.dispatched_us, rows.dispatched_us + 1))
        there = records.assignments.count().to_pyarrow().as_py()
        run.keep("worn", worn(records.assignments) if there else self._badges())
        at_event = rows.select("event", "officer").distinct()
        shared = at_event.group_by("event").agg(many=at_event.count()).filter(lambda t: t.many > 1)
        run.keep("together", at_event.semi_join(shared, "event"))
        asked = rows.filter(months.holds(rows.dispatched_us))
        run.keep("officers", asked.select("officer").distinct())
        told = windows(asked, rows.select("officer", "dispatched_us"), run.policy.incident)
        known = run.kept("worn").select("officer").distinct()
        told = alone(told.drop("force", "month"), known, run.policy)
        cuts = self._cuts(asked)
        self._divide("windows", told, cuts)
        told = run.engine.read_parquet(run.work("windows", "*", "*.parquet"))
        self._divide("joined", joined(told), cuts)

    def _badges(self) -> ir.Table:
        """Without any assignment a badge id is that of a camera that is worn always."""
        return self.run.devices(self.run.files).select(
            "device", officer="device", start_us=ibis.literal(-FOREVER_US, "int64"),
            end_us=ibis.literal(FOREVER_US, "int64"),
        )  # fmt: skip

    def _cuts(self, asked: ir.Table) -> list[int]:
        """Moments between parts."""
        if self.count == 1:
            return []
        shares = [number / self.count for number in range(1, self.count)]
        found = asked.agg(cuts=asked.dispatched_us.quantile(shares)).to_pyarrow()["cuts"][0].as_py()
        return sorted({round(cut) for cut in found or ()})

    def _divide(self, name: str, t: ir.Table, cuts: Sequence[int]) -> None:
        """Keep these windows in a folder for each part, by when they are due."""
        part = sum(((t.due_us >= cut).cast("int32") for cut in cuts), ibis.literal(0, "int32"))
        engine, run = self.run.engine, self.run
        engine.to_parquet(
            t.mutate(part=part), run.work(name), partition_by="part", overwrite_or_ignore=True
        )
        for number in range(self.count):
            folder = Path(run.work(name, f"part={number}"))
            if not folder.exists():
                folder.mkdir(parents=True)
                engine.to_parquet(t.limit(0), folder / "none.parquet")

    # -- one part -----------------------------------------------------------------------------

    def score(self, part: int) -> int:
        """Score one part; how many incidents the clocks left open, or may have."""
        run, name = self.run, f"{part:06}"
        told, clusters = self._part("windows", part), self._part("joined", part)
        empty = told.filter(told.due_us >= told.end_us)
        empty = empty.select("event", "officer", "file", "row", why=ibis.literal(EMPTY_WINDOW))
        run.write(empty, "empty_windows", name)
        asked = self._asked(told, clusters)
        found = pieces(asked, watched(asked).cache()).cache()
        rows = scored(asked, found).cache()
        unsure = rows.filter(rows.unsure).select("incident")
        open_ = ranges(found, unsure, run.policy.incident)
        known = rows.left_join(ibis.memtable(open_), "incident").drop("incident_right")
        known = known.mutate(kinds=known.kinds.fill_null(known.kind))
        run.write(known.drop("incident", "alone", "unsure"), "incidents", name)
        own = rows.filter(rows.alone)
        columns = ("officer", "window_us", "evid_us", "live_us")
        sums = ibis.union(own.select(*columns), covered(replace(asked, incidents=clusters)))
        run.keep(f"sums-{name}", sums)
        return len(open_)

    def _part(self, name: str, part: int) -> ir.Table:
        path = self.run.work(name, f"part={part}", "*.parquet")
        found: ir.Table = self.run.engine.read_parquet(path, hive_partitioning=False).cache()
        return found

    def _asked(self, told: ir.Table, clusters: ir.Table) -> Asked:
        run = self.run
        incidents = told.filter(told.due_us < told.end_us)
        low_us, high_us = self._reach(incidents, clusters)
        cameras = self._during(low_us, high_us)
        live = cameras.spans.filter(cameras.spans.kind == Kind.LIVE.value)
        # Whoever wore a camera at any moment of a recording pressed for it.
        first_us, last_us = _bounds_of(live.select(low="start_us", high="end_us"))
        roster = run.kept("worn")
        worn_then = (roster.start_us < max(high_us, last_us)) & (
            roster.end_us > min(low_us, first_us)
        )
        return Asked(
            incidents, roster.filter(worn_then), cameras, run.policy,
            at_event=run.kept("together").semi_join(told, "event"), ever=roster,
        )  # fmt: skip

    def _reach(self, incidents: ir.Table, clusters: ir.Table) -> tuple[int, int]:
        """From the first moment that any of them asks of to the last."""
        before_us = self.run.policy.incident.vendor_before_s * S
        both = ibis.union(
            incidents.select(
                low=ibis.least(incidents.due_us, incidents.dispatched_us - before_us), high="end_us"
            ),
            clusters.select(low="due_us", high="end_us"),
        )
        low_us, high_us = _bounds_of(both)
        return low_us, high_us + 1

    def _during(self, low_us: int, high_us: int) -> AuditTables:
        """What all cameras did in [low, high), as far out as their clocks may be off, and presses
        whose buffer reaches into it.
        """
        run = self.run
        told = camera_tables(run.read, run.data.folder, run.files)
        spans = told.spans
        clock = spans.filter(spans.kind == Kind.CLOCK.value)
        met = (clock.start_us - clock.err_us < high_us) & (clock.end_us + clock.err_us > low_us)
        most_us = clock.filter(met).err_us.max().to_pyarrow().as_py() or 0
        around_us = most_us + S
        later_us = ibis.ifelse(spans.kind == Kind.LIVE.value, around_us + _DAY_US, around_us)
        near = (spans.start_us < high_us + later_us) & (spans.end_us > low_us - around_us)
        return AuditTables(spans.filter(near).cache(), told.recordings, told.events)

    # -- afterwards ---------------------------------------------------------------------------

    def sum_up(self) -> None:
        """What is of all parts together."""
        sums = self.run.engine.read_parquet(self.run.work("sums-*.parquet"))
        self.run.write(officer_rows(self.run.written("incidents"), sums), "officers", "all")


def _bounds_of(t: ir.Table) -> tuple[int, int]:
    """The least low and the greatest high; 0 of nothing."""
    found = t.agg(low=t.low.min(), high=t.high.max()).to_pyarrow().to_pylist()[0]
    return found["low"] or 0, found["high"] or 0

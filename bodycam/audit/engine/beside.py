"""What is measured beside the incidents of one force: duties, uses of force, filings (M30, M33 to M35).

Camera by camera, as the force's files are read anyhow: what a duty or a use of force needs of a camera is
kept, and put together when all have been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ..dataset.schema import Kind
from ..policy import Policy
from . import duty, dutyranges, filing, nearforce, strata
from .months import Months
from .pieces import clock_errors
from .tables import AuditTables, RecordTables

Keep = Callable[[str, ir.Table], ir.Table]


@dataclass
class Beside:
    """The run over one force. `keep` writes a table for the time of the run, and reads it back; `kept` reads
    all whose name matches.
    """

    records: RecordTables
    worn: ir.Table
    policy: Policy
    months: Months
    keep: Keep
    kept: Callable[[str], ir.Table]

    def prepare(self, spans: ir.Table) -> None:
        """Number the duties and uses that are asked for; how wrong the clocks may be there."""
        clocks = spans.filter(spans.kind == Kind.CLOCK.value).select(
            "device", "err_us", "start_us", "end_us"
        )
        ever, clocks = self.worn.select("officer", "device").distinct(), self.keep("clocks", clocks)
        near = self.records.duties
        near = near.filter(self.months.near(near.start_us, near.end_us))
        duties = duty.own_times(near)
        duties = self.keep("all_duties", duties.filter(self.months.holds(duties.start_us)))
        self.duties = self.keep("duties", with_error(duties, ever, clocks))
        self.stretches = self.keep("duty_worn", duty.worn_then(self.duties, self.worn, clocks))
        used = self.records.force_uses
        used = used.filter(self.months.holds(used.at_us)).drop("force", "month")
        used = self.keep("all_uses", nearforce.around(used, self.policy.force))
        uses = nearforce.asked(with_error(used, ever, clocks), self.policy.force)
        self.uses = self.keep("uses", uses)
        self.filed = count_of(self.records.filings) > 0
        self.newest_us = filing.newest(self.records.filings)

    def of_cameras(self, part: str, cameras: AuditTables) -> None:
        """What these cameras did in all of it."""
        spans, twice = cameras.spans, self.stretches.filter(self.stretches.twice)
        met = duty.near(self.stretches, duty.told_of(spans)).cache()
        once = met.filter(~met.twice)
        self.keep(f"overlaps-{part}", duty.overlaps(once))
        self.keep(f"duty_moved-{part}", dutyranges.moved(once))
        self.keep(f"at_once-{part}", dutyranges.at_once(met.filter(met.twice)))
        self.keep(f"duty_pieces-{part}", duty.pieces_of(twice, spans))
        self.keep(f"near_pieces-{part}", nearforce.pieces_of(self.uses, self.worn, spans))
        stops = nearforce.stops_of(self.uses, self.worn, spans, self.policy.force)
        self.keep(f"stops-{part}", stops)
        ended = filing.ended(cameras)
        # Of a force that hands over no filings nothing is missing.
        asked = self.months.holds(ended.begins_us) & ibis.literal(self.filed)
        told = filing.filed(
            ended.filter(asked).drop("begins_us"),
            self.records.filings, self.policy.statistics, self.newest_us,
        )  # fmt: skip
        told = told.cache()
        self.keep(f"filing_counts-{part}", filing.filing_counts(told))
        self.keep(f"filed-{part}", filing.listed(told))

    def results(self, recordings: ir.Table) -> Mapping[str, ir.Table]:
        """The tables of results, all cameras together."""
        twice = self.stretches.filter(self.stretches.twice)
        swept = duty.swept(twice, self.kept("duty_pieces-*"))
        at_once = dutyranges.together(self.kept("at_once-*"), swept)
        ranges = dutyranges.summed(self.kept("duty_moved-*"), at_once)
        sums, counts = self.kept("overlaps-*"), self.kept("filing_counts-*")
        came = strata.outcomes(self.records.force_uses, self.records.complaints)
        filings = self.records.filings
        known = recordings.select("recording").distinct()
        columns = ("recording", "event", "category", "filed_us", "reviewed_event", "file", "row")
        return {
            "duties": duty.duty_rows(self.duties, self.stretches, sums, swept, self.worn, ranges),
            "near_force": nearforce.near_rows(
                self.uses, self.worn, self.kept("near_pieces-*"), self.kept("stops-*"), self.policy.force
            ),
            "filing_counts": counts.group_by("how").agg(
                **{name: counts[name].sum() for name in ("recordings", "sampled", "wrong")}
            ),
            "filed": self.kept("filed-*"),
            "unknown_filings": filings.anti_join(known, "recording").select(*columns),
            "outcomes": came,
            "unmatched_outcomes": strata.unmatched(self.records.incidents, came),
        }  # fmt: skip


def count_of(t: ir.Table) -> int:
    """How many rows there are."""
    found: int = t.count().to_pyarrow().as_py()
    return found


def with_error(rows: ir.Table, ever: ir.Table, clocks: ir.Table) -> ir.Table:
    """Duties or uses of force with `err_us`, 0 where no camera's clock tells."""
    found = rows.left_join(clock_errors(rows, ever, clocks), "incident").drop("incident_right")
    return found.mutate(err_us=found.err_us.fill_null(0))

"""M31 and M32 of a whole force: its incidents counted by stratum in the engine, for `statistics`.

`incidents` has the columns of the results of that name. The ids of one force are nothing in another:
its name is part of every stratum and of every officer's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..groups import Estimate, Funnel, Missingness, RiskDifference
from ..policy import StatisticsRules
from ..scoring import IncidentClass
from ..statistics.funnel import Exposures, Ints, funnel
from ..statistics.missingness import (
    Case,
    Habits,
    Question,
    risk_difference,
    row_of,
    strata,
)
from ..strata import HOUR_US, OffsetFrom, bands, offsets

WHERE = ("force", "call_type", "band", "district")
UNIT = ("force", "call_type", "band", "unit")
# Between the name of a force and what is its own: no name has it, so no two of them read alike.
BETWEEN = "\x1f"
_DIGITS = 12


def spoken(name: str) -> str:
    """A name with that of its force, as it is said."""
    return name.replace(BETWEEN, " ").rstrip()


def banded(incidents: ir.Table, rules: StatisticsRules) -> ir.Table:
    """The incidents that were judged, each with the band of the time of its dispatch."""
    t = incidents.filter(incidents.left_out == "")
    found = t.agg(low=t.dispatched_us.min(), high=t.dispatched_us.max()).to_pyarrow().to_pylist()[0]
    changes = offsets(rules.zone(), found["low"] or 0, found["high"] or 0)
    return t.mutate(band=band_of(t.dispatched_us, changes, rules))


def band_of(
    at_us: ir.IntegerValue, changes: Sequence[OffsetFrom], rules: StatisticsRules
) -> ir.StringValue:
    """The band of a moment, between changes of the wall clock that are known."""
    ahead: ir.IntegerValue = ibis.literal(changes[-1].offset_us, "int64")
    for one, later in reversed(list(pairwise(changes))):
        ahead = ibis.ifelse(at_us < later.at_us, one.offset_us, ahead)
    hour = ((at_us + ahead) // HOUR_US) % 24
    starts, names = rules.shift_starts_h, bands(rules)
    # From the last one backwards; before the first one it is that which goes on over midnight.
    in_order = [(hour >= start, name) for start, name in zip(starts, names, strict=True)][::-1]
    return ibis.cases(*in_order, else_=names[-1])


def outcomes(force_uses: ir.Table, complaints: ir.Table) -> ir.Table:
    """(event, officer) of each use of force and complaint; without an officer, of all at the event."""
    return ibis.union(
        force_uses.select("event", "officer"), complaints.select("event", "officer"), distinct=True
    )


def with_outcome(incidents: ir.Table, came: ir.Table) -> ir.Table:
    """The incidents with `outcome`: whether force or a complaint came of them."""
    named = came.filter(came.officer != "").mutate(of_officer=ibis.literal(value=True))
    whole = came.filter(came.officer == "").select("force", "event")
    t = incidents.left_join(named, ["force", "event", "officer"])
    t = t.drop("force_right", "event_right", "officer_right")
    t = t.left_join(whole.mutate(of_event=ibis.literal(value=True)), ["force", "event"])
    t = t.drop("force_right", "event_right")
    outcome = t.of_officer.fill_null(False) | t.of_event.fill_null(False)
    return t.mutate(outcome=outcome).drop("of_officer", "of_event")


def unmatched(incidents: ir.Table, came: ir.Table) -> ir.Table:
    """Those of one force that match none of its incidents."""
    keys = incidents.select("event", "officer").distinct()
    named = came.filter(came.officer != "").anti_join(keys, ["event", "officer"])
    whole = came.filter(came.officer == "").anti_join(keys, "event")
    return ibis.union(named, whole)


# -- M31 --------------------------------------------------------------------------------------


def missingness_of(incidents: ir.Table) -> Missingness:
    """M31 of incidents with a band and an outcome."""
    counts = incidents.group_by([*WHERE, "outcome", "kind", "kinds"]).agg(n=incidents.count())
    cases = [_case(row) for row in counts.to_pyarrow().to_pylist()]
    not_complete, never = (
        _rounded(risk_difference(strata([row_of(c, q) for c in cases]), _habits(incidents, q)))
        for q in (Question.NOT_COMPLETE, Question.NEVER)
    )
    met = incidents.filter(incidents.outcome).select("force", "officer").distinct()
    return Missingness(not_complete, never, met.count().to_pyarrow().as_py())


def _case(row: dict[str, Any]) -> Case:
    kinds = tuple(IncidentClass(name) for name in row["kinds"].split("|"))
    return Case(tuple(row[name] for name in WHERE), row["outcome"], IncidentClass(row["kind"]), kinds,
                count=row["n"])  # fmt: skip


def _habits(incidents: ir.Table, question: Question) -> Habits:
    """As `statistics.missingness.habits`, over incidents."""
    wanted = [kind.value for kind in IncidentClass if question.missing(kind)]
    told = incidents.mutate(
        x=incidents.outcome.cast("int64"), y=incidents.kind.isin(wanted).cast("int64")
    )
    grouped = told.group_by([*WHERE, "officer"]).agg(
        n=told.count(), x=told.x.sum(), y=told.y.sum(), xy=(told.x * told.y).sum()
    )
    whole = grouped.group_by(list(WHERE)).agg(
        all_n=grouped.n.sum(), all_x=grouped.x.sum(), all_y=grouped.y.sum()
    )
    whole = whole.filter((whole.all_x > 0) & (whole.all_x < whole.all_n))
    t = grouped.join(whole, list(WHERE))
    x, y = t.all_x / t.all_n, t.all_y / t.all_n
    t = t.mutate(a=t.xy - t.x * y - t.y * x + t.n * x * y, b=t.x * (1 - 2 * x) + t.n * x * x)
    of = t.group_by(["force", "officer"]).agg(a=t.a.sum(), b=t.b.sum())
    sums = of.agg(
        officers=of.count(), aa=(of.a * of.a).sum(), ab=(of.a * of.b).sum(), bb=(of.b * of.b).sum()
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    return Habits(sums["officers"], *(sums[name] or 0.0 for name in ("aa", "ab", "bb")))


def _rounded(found: RiskDifference) -> RiskDifference:
    """An engine adds in any order: its last digits are nobody's."""
    e = found.by_officer
    if e is None:
        return found
    return replace(
        found, by_officer=Estimate(*(round(x, _DIGITS) for x in (e.value, e.low, e.high)))
    )


# -- M32 --------------------------------------------------------------------------------------


def funnels_of(
    incidents: ir.Table,
    events: Sequence[IncidentClass],
    rules: StatisticsRules,
    *,
    several: bool = False,
) -> list[Funnel]:
    """M32 of each of these events, of incidents with a band; of several forces an officer is named with
    the own one.
    """
    sums, unsure = {}, {}
    for number, event in enumerate(events):
        name = event.value
        may = (ibis.literal("|") + incidents.kinds + "|").contains(f"|{name}|")
        certain = incidents.kinds == name
        sums[f"n_{number}"] = (~may | certain).cast("int64").sum()
        sums[f"events_{number}"] = (certain & (incidents.kind == name)).cast("int64").sum()
        unsure[f"unsure_{number}"] = (may & ~certain).cast("int64").sum()
    counts = incidents.group_by([*UNIT, "officer"]).agg(**sums, **unsure).to_pyarrow()
    keys = _keys(counts, several=several)
    return [
        funnel(
            _exposures(keys, counts[f"n_{number}"], counts[f"events_{number}"]), rules.min_count,
            pc.sum(counts[f"unsure_{number}"]).as_py() or 0,
        )
        for number in range(len(events))
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Keys:
    """The officers' ids in order, and of each row the number of its officer and its stratum."""

    officers: list[str]
    officer: Ints
    stratum: Ints


def _keys(counts: pa.Table, *, several: bool) -> _Keys:
    officers, officer = _numbered(counts, ["force", "officer"])
    names = [spoken(name) if several else name.split(BETWEEN, 1)[1] for name in officers]
    return _Keys(names, officer, _numbered(counts, UNIT)[1])


def _exposures(keys: _Keys, n: pa.ChunkedArray, events: pa.ChunkedArray) -> Exposures:
    incidents, happened = (column.to_numpy().astype(np.int64) for column in (n, events))
    there = np.flatnonzero(incidents)
    order = there[np.lexsort((keys.stratum[there], keys.officer[there]))]
    return Exposures(keys.officers, keys.officer[order], keys.stratum[order], incidents[order],
                     happened[order])  # fmt: skip


def _numbered(t: pa.Table, columns: Sequence[str]) -> tuple[list[str], Ints]:
    """The values of some columns together, in order, and of each row the number of its own."""
    text = pc.binary_join_element_wise(*(t[name] for name in columns), BETWEEN)
    coded = text.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    return [names[i] for i in order], place[coded.indices.to_numpy(zero_copy_only=False)]

"""Many small forces, each with its own truth, measured at one go, and every one told by itself.

To the engine they are one force in which nobody meets anybody of another one: most of what a force costs it
is the same for a small one and a large one. What the engine leaves is then parted, and each part answered
as `bodycam audit --data` answers the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from bodycam.audit.dataset.store import DataSet, open_to_write
from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.engine.groupfacts import groups_of
from bodycam.audit.engine.results import RESULTS
from bodycam.audit.engine.strata import UNIT, WHERE, banded, with_outcome
from bodycam.audit.groups import Funnel, Groups, Missingness
from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.statistics.funnel import Exposure, funnel, in_columns
from bodycam.audit.statistics.missingness import Case, missingness
from bodycam.simulate.month.behaviours import Behaviours
from bodycam.simulate.month.make import Batch, make_batch
from bodycam.simulate.month.plan import HOURS

# Four units. In five days some 180 incidents of such a force have an outcome, if 3 % have.
OFFICERS, DAYS = 128, 5
_AT_ONCE = 16
# Of these nothing says which officer's they are.
_WHOLE = ("filing_counts", "filed", "unknown_filings", "latencies", "missing_cameras")


@dataclass(frozen=True, slots=True)
class Kind:
    """So many forces of which this is planted."""

    name: str
    forces: int
    given: Behaviours


def batch(number: int, seed: int, given: Behaviours) -> Batch:
    """The force of this number: nobody else has its ids."""
    return make_batch(number * OFFICERS, OFFICERS, DAYS, seed, given)


class ManyForces:
    """Forces of several kinds, numbered throughout, what the audit says of each, and the truth."""

    def __init__(
        self, folder: Path, kinds: Sequence[Kind], seed: int, memory: str = "2GB", threads: int = 2
    ) -> None:
        self.kinds = kinds
        self.policy = load_policy()
        planted = [kind.given for kind in kinds for _ in range(kind.forces)]
        with open_to_write(folder / "set") as data:
            for first in range(0, len(planted), _AT_ONCE):
                made = [
                    batch(number, seed, planted[number])
                    for number in range(first, min(first + _AT_ONCE, len(planted)))
                ]
                names = made[0].tables
                data.commit({n: pa.concat_tables([m.tables[n] for m in made]) for n in names}, {})
                for name in ("incidents", "officers"):
                    told = pa.concat_tables([getattr(m, name) for m in made])
                    (folder / "truth" / name).mkdir(parents=True, exist_ok=True)
                    pq.write_table(told, folder / "truth" / name / f"{first:06}.parquet")
        out = folder / "results"
        measure_force(DataSet(folder / "set"), self.policy, out, limits=Limits(memory, threads))
        self._engine = ibis.duckdb.connect(threads=threads, memory_limit=memory)
        for name in RESULTS:
            self._part(name, out / name / "*.parquet")
        for name in ("incidents", "officers"):
            self._part(name, folder / "truth" / name / "*.parquet", "true_")

    def _part(self, name: str, files: Path, prefix: str = "") -> None:
        """A table with the number of the force to which each row belongs, in their order."""
        by = "-1" if name in _WHOLE else _NUMBER_OF.get(name, _OF_OFFICER)
        self._engine.raw_sql(
            f"create table {prefix}{name} as select *, {by} as number from read_parquet('{files}')"
            " order by number"
        )

    def numbers(self, kind: str) -> range:
        """Those of the forces of one kind."""
        first = 0
        for one in self.kinds:
            if one.name == kind:
                return range(first, first + one.forces)
            first += one.forces
        raise KeyError(kind)

    def counted(self, kind: str) -> Iterator[Counted]:
        """M31 and M32 of each force of one kind: all of them counted by stratum in the engine at one go."""
        numbers = self.numbers(kind)
        told = self._engine.table("incidents")
        told = told.filter(told.number.between(numbers.start, numbers.stop - 1))
        told = with_outcome(
            banded(told, self.policy.statistics), self._engine.table("outcomes").drop("number")
        )
        keys = ["number", *dict.fromkeys([*WHERE, *UNIT]), "officer", "outcome", "kind", "kinds"]
        rows = told.group_by(keys).agg(n=told.count()).order_by("number").to_pyarrow().to_pylist()
        for _, mine in groupby(rows, key=itemgetter("number")):
            yield _counted(list(mine), self.policy.statistics.min_count)

    def groups(self, kind: str) -> Iterator[Groups]:
        """M30 to M34 of each force of one kind, of its own rows alone; M35 is left out."""
        for number in self.numbers(kind):
            yield groups_of(lambda table, of=number: self._of(table, of), self.policy)  # type: ignore[misc]

    def _of(self, table: str, number: int) -> Any:
        found = self._engine.table(table)
        return found.filter(found.number == number).drop("number")

    def ask(self, kind: str, sql: str) -> list[tuple[Any, ...]]:
        """The rows that answer, of `graded`, `near`, `worn_shifts` ..., of the forces of one kind."""
        numbers = self.numbers(kind)
        between = f"number between {numbers.start} and {numbers.stop - 1}"
        found: list[tuple[Any, ...]] = self._engine.raw_sql(
            f"with who as (select * from true_officers where {between}),"
            " graded as (select i.*, t.does, t.kind as true_kind, t.outcome, w.behaves, w.honest"
            " from incidents i join true_incidents t using (event, officer) join who w using (officer)),"
            " near as (select f.*, w.behaves from near_force f join who w using (officer)),"
            " worn_shifts as (select s.*, w.behaves, w.officer from shifts s join who w using (device))"
            f" {sql}"
        ).fetchall()
        return found


@dataclass(frozen=True, slots=True)
class Counted:
    """M31, and M32 of NEVER and LATE."""

    missingness: Missingness
    never: Funnel
    late: Funnel


def _counted(rows: list[dict[str, Any]], min_count: int) -> Counted:
    where, unit = itemgetter(*WHERE), itemgetter(*UNIT)
    kinds = {kind.value: kind for kind in IncidentClass}
    told = missingness(
        Case(where(row), row["outcome"], kinds[row["kind"]], tuple(kinds[k] for k in row["kinds"].split("|")),
             row["officer"], row["n"])
        for row in rows
    )  # fmt: skip

    def of(event: IncidentClass) -> Funnel:
        may = [event.value in row["kinds"].split("|") for row in rows]
        open_ = [m and row["kinds"] != event.value for m, row in zip(may, rows, strict=True)]
        return funnel(
            in_columns(
                Exposure(row["officer"], unit(row), row["kind"] == event.value, row["n"])
                for row, unsure in zip(rows, open_, strict=True) if not unsure
            ),
            min_count, sum(row["n"] for row, unsure in zip(rows, open_, strict=True) if unsure),
        )  # fmt: skip

    return Counted(told, of(IncidentClass.NEVER), of(IncidentClass.LATE))


_OF_OFFICER = f"substr(officer, 4)::int // {OFFICERS}"
_OF_EVENT = f"substr(event, 2)::int // {OFFICERS * DAYS * HOURS}"
_OF_DEVICE = f"substr(device, 5)::int // {OFFICERS}"
_NUMBER_OF = {
    "outcomes": _OF_EVENT, "unmatched_outcomes": _OF_EVENT,
    "shifts": _OF_DEVICE, "cases": _OF_DEVICE, "cameras": _OF_DEVICE,
}  # fmt: skip

"""Months whose truth is known, measured by the engine, and both side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import ibis

from bodycam.audit.dataset.store import DataSet
from bodycam.audit.engine.force import Limits, measure_force
from bodycam.audit.engine.results import RESULTS
from bodycam.audit.groups import Funnel, Missingness
from bodycam.audit.policy import load_policy
from bodycam.audit.scoring import IncidentClass
from bodycam.audit.statistics.funnel import Exposure, funnel, in_columns
from bodycam.audit.statistics.missingness import Case, missingness
from bodycam.simulate.month.behaviours import KINDS, Behaviours, parse_behaviours
from bodycam.simulate.month.make import make_month

DEFAULT = Path(__file__).parent.parent / "bodycam/simulate/month/behaviours.toml"
# Shifts begin at 6, 14 and 22, and nobody is sent out an hour before.
_STRATUM = "call_type, (((dispatched_us // 3600000000) % 24 + 17) % 24 // 8)::text"


def behaviours(share: float, **changes: float) -> Behaviours:
    """Those of the package, with so large a share of each kind; `outcome_never` is that of [outcome]."""
    text = DEFAULT.read_text(encoding="utf-8")
    for kind in KINDS[1:]:
        text = _set(text, "officers", kind, share)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        text = _set(text, section, key, value)
    return parse_behaviours(text.encode(), "graded.toml")


def _set(text: str, section: str, key: str, value: float) -> str:
    head, mark, rest = text.partition(f"[{section}]")
    lines = rest.split("\n")
    number = next(n for n, line in enumerate(lines) if line.startswith(f"{key} = "))
    lines[number] = f"{key} = {value}"
    return head + mark + "\n".join(lines)


class Graded:
    """A month, what the audit says of it, and the truth, in an engine that answers SQL."""

    def __init__(self, folder: Path, cameras: int, days: int, seed: int, given: Behaviours) -> None:
        into = folder / "set"
        make_month(into, cameras, days, seed, given, lambda _done, _of: None)
        self.policy = load_policy()
        self._results = measure_force(
            DataSet(into), self.policy, folder / "results", limits=Limits("1500MB", 2)
        )
        self._engine = duckdb.connect(config={"threads": 1, "memory_limit": "1GB"})
        for name in RESULTS:
            self._view(name, folder / "results" / name / "*.parquet")
        for name in ("incidents", "officers"):
            self._view(f"true_{name}", into / "truth" / name / "*.parquet")
        for name in ("spans", "recordings", "force_uses", "complaints", "filings"):
            self._view(f"told_{name}", into / name / "*" / "*" / "*.parquet")
        self._engine.execute(
            "create view graded as select i.*, t.does, t.kind as true_kind, t.late_us, t.outcome,"
            " o.behaves, o.honest, o.device as worn from incidents i"
            " join true_incidents t using (event, officer) join true_officers o using (officer)"
        )
        self._engine.execute(
            "create view worn_shifts as select s.*, o.behaves from shifts s"
            " join true_officers o using (device)"
        )

    def _view(self, name: str, files: Path) -> None:
        self._engine.execute(f"create view {name} as select * from read_parquet('{files}')")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that answer."""
        return self._engine.sql(sql).fetchall()

    def missingness(self) -> Missingness:
        """M31; strata are counted here once more, without the engine's."""
        rows = self.ask(
            f"select officer, {_STRATUM}, district, came, kind, count(*) from ("
            " select g.*, exists(from told_force_uses f where f.event = g.event and f.officer = g.officer)"
            " or exists(from told_complaints c where c.event = g.event and c.officer in ('', g.officer)) came"
            " from graded g) group by all"
        )
        return missingness(
            Case((call, shift, district), came, IncidentClass(kind), (), officer, count)
            for officer, call, shift, district, came, kind, count in rows
        )

    def result(self, table: str) -> Any:
        """A table of results, in an engine of Ibis."""
        return self._results.open(table, ibis.duckdb.connect(threads=1))

    def habit(self, event: str) -> Funnel:
        """M32 of this class."""
        rows = self.ask(
            f"select officer, {_STRATUM}, unit, kind = '{event}', count(*) from graded group by all"
        )
        return funnel(in_columns(Exposure(row[0], row[1:4], row[4], row[5]) for row in rows), 20)

    def one(self, sql: str) -> Any:
        """The only value that answers."""
        ((value,),) = self.ask(sql)
        return value

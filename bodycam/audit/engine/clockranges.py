"""The classes that the clocks leave open, of the incidents that `clockbounds` cannot settle.

Those are few where clocks are good. They are given to `uncertainty`, as `bodycam audit` does with each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import ibis.expr.types as ir
import pyarrow as pa

from ..incidents import Bound, Window
from ..intervals import Times, times, union
from ..officers import OfficerCameras
from ..policy import IncidentRules
from ..scoring import OfficerTime
from ..uncertainty import NUMBERS, peers_prove, score_range
from .pieces import OWN_SETS, STATE_SETS

SEPARATOR = "|"
_BATCH_ROWS = 100_000
RANGES = pa.schema([
    pa.field("incident", pa.int64()), pa.field("kinds", pa.string()),
    *(pa.field(f"{bound}_{name}", pa.int64()) for name in NUMBERS for bound in ("least", "most")),
])  # fmt: skip


class Piece(NamedTuple):
    """One row of `pieces`."""

    incident: int
    due_us: int
    over_us: int
    officer: str
    own: bool
    err_us: int
    in_set: str
    device: str | None
    start_us: int
    end_us: int


def ranges(found: ir.Table, unsure: ir.Table, rules: IncidentRules) -> pa.Table:
    """One row an incident of `unsure`: the classes, and the least and the greatest of each number."""
    told = found.semi_join(unsure, "incident").select(*Piece._fields).order_by("incident")
    scored = [_row(mine, rules) for mine in _grouped(told.to_pyarrow())]
    columns = list(zip(*scored, strict=True)) if scored else [()] * len(RANGES)
    return pa.Table.from_arrays(
        [pa.array(v, f.type) for v, f in zip(columns, RANGES, strict=True)], schema=RANGES
    )


def _grouped(told: pa.Table) -> Iterator[list[Piece]]:
    """The pieces of one incident after the other."""
    rows = (
        Piece(*row)
        for batch in told.to_batches(max_chunksize=_BATCH_ROWS)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    for _, mine in groupby(rows, key=attrgetter("incident")):
        yield list(mine)


def _row(mine: list[Piece], rules: IncidentRules) -> tuple[Any, ...]:
    cameras: dict[str, list[Piece]] = {}
    peers: dict[tuple[str, int], list[tuple[int, int]]] = {}
    whole = mine[0]
    for piece in mine:
        if not piece.own:
            span = (piece.start_us, piece.end_us)
            peers.setdefault((piece.officer, piece.err_us), []).append(span)
        elif piece.device is None:
            whole = piece
        else:
            cameras.setdefault(piece.device, []).append(piece)
    # Which time supplied its bounds is nothing to the score.
    window = Window(whole.due_us, whole.over_us, Bound.DISPATCHED, Bound.CLEARED)
    worn = tuple(_camera(found) for found in cameras.values())
    officer = OfficerCameras(worn, union(*(when for _, when in worn)))
    proven = peers_prove(((times(spans), err) for (_, err), spans in peers.items()), window)
    found = score_range(window, officer, whole.err_us, rules, peers=proven)
    numbers = (value for name in NUMBERS for value in found.numbers[name])
    return (whole.incident, SEPARATOR.join(kind.value for kind in found.kinds), *numbers)


def _camera(found: list[Piece]) -> tuple[OfficerTime, Times]:
    """All that a camera did near the window, and when it was worn in it."""
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name in ("worn", *OWN_SETS)}
    for piece in found:
        spans[piece.in_set].append((piece.start_us, piece.end_us))
    sets = {name: times(one) for name, one in spans.items()}
    done = OfficerTime(
        sets["live"], sets["evid"], sets["failed"], sets["muted"],
        {state: sets[name] for state, name in STATE_SETS.items()},
    )  # fmt: skip
    return done, sets["worn"]

"""The classes that the clocks leave open, of the incidents that `clockbounds` cannot settle.

Those are few where clocks are good. Nearly all have one camera, worn all the while: these are scored
together (`shiftedscores`), the others one by one, as `bodycam audit` does (`uncertainty`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple

import ibis.expr.types as ir
import pyarrow as pa

from ..incidents import Bound, Window
from ..intervals import Times, times, union
from ..officers import OfficerCameras
from ..policy import IncidentRules
from ..scoring import IncidentClass, OfficerTime
from ..uncertainty import NUMBERS, Peers, peers_prove, score_range
from .pieces import FLAT, OWN_SETS, STATE_SETS
from .shiftedscores import NONE, Case, shifted_scores

SEPARATOR = "|"
_BATCH_ROWS = 100_000
_BATCH_INCIDENTS = 2000
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
    worn_from: int
    worn_to: int
    start_us: int
    end_us: int


def ranges(found: ir.Table, unsure: ir.Table, rules: IncidentRules) -> pa.Table:
    """One row an incident of `unsure`: the classes, and the least and the greatest of each number."""
    told = found.semi_join(unsure, "incident").select(*Piece._fields).order_by("incident")
    incidents = (_incident(mine) for mine in _grouped(told.to_pyarrow()))
    scored = [
        row
        for batch in iter(lambda: list(islice(incidents, _BATCH_INCIDENTS)), [])
        for row in _rows(batch, rules)
    ]
    columns = list(zip(*scored, strict=True)) if scored else [()] * len(RANGES)
    return pa.Table.from_arrays(
        [pa.array(v, f.type) for v, f in zip(columns, RANGES, strict=True)], schema=RANGES
    )


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, with what each camera did near it and when it was worn."""

    number: int
    window: Window
    err_us: int
    worn: tuple[tuple[OfficerTime, Times], ...]
    peers: Peers

    @property
    def case(self) -> Case | None:
        """It as one of one stretch of wearing, if it is that."""
        if len(self.worn) != 1 or len(self.worn[0][1]) != 1:
            return None
        done, ((start, end),) = self.worn[0]
        return Case(self.window, self.err_us, start, end, done, self.peers)


def _rows(incidents: Sequence[Incident], rules: IncidentRules) -> Iterator[tuple[Any, ...]]:
    cases = [(one.number, case) for one in incidents if (case := one.case) is not None]
    found = shifted_scores([case for _, case in cases], rules)
    least, most = found.least.tolist(), found.most.tolist()
    for (number, _), kinds, *pair in zip(cases, found.kinds, least, most, strict=True):
        numbers = (
            None if value == NONE else value for both in zip(*pair, strict=True) for value in both
        )
        yield (number, _words(kinds), *numbers)
    for one in incidents:
        if one.case is None:
            officer = OfficerCameras(one.worn, union(*(when for _, when in one.worn)))
            told = score_range(one.window, officer, one.err_us, rules, peers=one.peers)
            numbers = (value for name in NUMBERS for value in told.numbers[name])
            yield (one.number, _words(told.kinds), *numbers)


def _words(kinds: Sequence[IncidentClass]) -> str:
    return SEPARATOR.join(kind.value for kind in kinds)


def _grouped(told: pa.Table) -> Iterator[list[Piece]]:
    """The pieces of one incident after the other."""
    rows = (
        Piece(*row)
        for batch in told.to_batches(max_chunksize=_BATCH_ROWS)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    for _, mine in groupby(rows, key=attrgetter("incident")):
        yield list(mine)


def _incident(mine: list[Piece]) -> Incident:
    cameras: dict[str, list[Piece]] = {}
    peers: dict[tuple[str, str | None, int], list[Piece]] = {}
    whole = mine[0]
    for piece in mine:
        if not piece.own:
            peers.setdefault((piece.officer, piece.device, piece.err_us), []).append(piece)
        elif piece.device is None:
            whole = piece
        else:
            cameras.setdefault(piece.device, []).append(piece)
    # Which time supplied its bounds is nothing to the score.
    window = Window(whole.due_us, whole.over_us, Bound.DISPATCHED, Bound.CLEARED)
    proven = peers_prove(
        ((times((p.start_us, p.end_us) for p in told), times((p.worn_from, p.worn_to) for p in told), err)
         for (_, _, err), told in peers.items()), window,
    )  # fmt: skip
    worn = tuple(_camera(found) for found in cameras.values())
    return Incident(whole.incident, window, whole.err_us, worn, proven)


def _camera(found: list[Piece]) -> tuple[OfficerTime, Times]:
    """All that a camera did near the window, and when it was worn in it."""
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name in ("worn", FLAT, *OWN_SETS)}
    for piece in found:
        spans[piece.in_set].append((piece.start_us, piece.end_us))
    sets = {name: times(one) for name, one in spans.items()}
    done = OfficerTime(
        sets["live"], sets["evid"], sets["failed"], sets["muted"],
        {state: sets[name] for state, name in STATE_SETS.items()}, flat=sets[FLAT],
    )  # fmt: skip
    return done, sets["worn"]
